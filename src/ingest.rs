//! Ingest ties a feed to the cache and the workers: updates become ticks, and changed symbols are announced.

use crate::{
    cache::{Published, SymbolState},
    fanout::Announcer,
    feed::Sink,
    market::{Now, Update},
    telemetry::CacheMetrics,
};
use std::sync::Arc;

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

    fn connection_lost(&mut self, now: Now) {
        for state in &self.symbols {
            if let Published::Tick { interest } = state.connection_lost(now) {
                self.announcer.add(state, interest);
            }
        }
        self.announcer.flush();
    }
}
