//! Ingest ties a feed to the cache and the workers: updates become ticks, and changed symbols are announced.

use crate::{
    cache::{Published, SymbolState},
    fanout::Announcer,
    feed::Sink,
    market::{Now, Reason, Update},
    telemetry::CacheMetrics,
};
use std::{collections::HashMap, sync::Arc};

/// One feed's way into the cache. It holds the states of the feed's symbols: the map is not looked up per update.
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
    /// Sets what holds of each symbol, and announces those that it changed.
    fn set_each(&mut self, set: impl Fn(u32, &SymbolState) -> Published) {
        for (index, state) in (0..).zip(&self.symbols) {
            if let Published::Tick { interest } = set(index, state) {
                self.announcer.add(state, interest);
            }
        }
        self.announcer.flush();
    }
}

impl Sink for Ingest {
    fn updates(&mut self, updates: &[Update], now: Now) {
        let (mut ticks, mut unchanged, mut late) = (0, 0, 0);
        for update in updates {
            let state = &self.symbols[update.symbol as usize];
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

    fn closed(&mut self, closed: bool, now: Now) {
        self.set_each(|_, state| state.set_closed(closed, now));
    }

    fn refused(&mut self, refused: &[(u32, Reason)], now: Now) {
        let reasons: HashMap<u32, Reason> = refused.iter().copied().collect();
        self.set_each(|index, state| state.set_refused(reasons.get(&index).copied(), now));
    }
}
