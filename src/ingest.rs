//! Ingest ties a feed's connection to the cache and the workers: updates become ticks, and changed symbols are
//! announced.

use crate::{
    cache::{Published, SymbolState},
    fanout::Announcer,
    feed::Sink,
    market::{FeedSymbol, Now, Parts, Reason, State, Update},
    telemetry::CacheMetrics,
};
use std::{collections::HashMap, sync::Arc};

/// The way of one connection into the cache. It holds the states of the connection's symbols, so that no update looks
/// them up.
pub struct Ingest {
    /// In the order of the connection's list, by which updates name them.
    symbols: Vec<Arc<SymbolState>>,
    announcer: Announcer,
    metrics: CacheMetrics,
}

impl Ingest {
    /// Takes the states of a connection's symbols, in the order of its list.
    pub fn new(symbols: Vec<Arc<SymbolState>>, announcer: Announcer, metrics: CacheMetrics) -> Self {
        Self { symbols, announcer, metrics }
    }
}

impl Ingest {
    /// Changes the standing of each symbol, and announces those that it changed.
    fn set_each(&mut self, set: impl Fn(FeedSymbol, &SymbolState) -> Published) {
        for (place, state) in FeedSymbol::all(self.symbols.len()).zip(&self.symbols) {
            if let Published::Tick { interest } = set(place, state) {
                self.announcer.add(state, interest);
            }
        }
        self.announcer.flush();
    }
}

impl Sink for Ingest {
    fn updates(&mut self, updates: &[Update], now: Now) {
        let mut ticks = 0;
        let mut unchanged = 0;
        let mut late = 0;
        for update in updates {
            let state = &self.symbols[update.symbol.index()];
            match state.publish(update, now) {
                Published::Tick { interest } => {
                    ticks += 1;
                    self.announcer.add(state, interest);
                }
                Published::Unchanged => unchanged += 1,
                Published::Late => late += 1,
            }
        }
        self.announcer.flush();
        self.metrics.count(ticks, unchanged, late);
    }

    fn outage(&mut self, reason: Reason, now: Now) {
        self.set_each(|_, state| state.outage(reason, now));
    }

    fn mute(&mut self, parts: Parts, now: Now) {
        self.set_each(|_, state| state.mark_stale(parts, Reason::Mute, now));
    }

    fn is_halted(&self) -> bool {
        let mut states = self.symbols.iter().map(|state| state.newest().snapshot.state());
        let mut is_any_halted = false;
        states.all(|state| {
            is_any_halted |= state == State::Halted;
            matches!(state, State::Halted | State::Refused)
        }) && is_any_halted
    }

    fn closed(&mut self, closed: bool, now: Now) {
        self.set_each(|_, state| state.set_closed(closed, now));
    }

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], now: Now) {
        let reasons: HashMap<FeedSymbol, Reason> = refused.iter().copied().collect();
        self.set_each(|place, state| state.set_refused(reasons.get(&place).copied(), now));
    }
}
