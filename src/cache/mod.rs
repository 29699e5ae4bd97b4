//! The latest of every symbol: a lock-sharded map from symbol to its shared state.
//!
//! A caller that needs a symbol for long looks it up once and then holds its state. A state's one mutex guards the
//! snapshot, its numbers, the ring and the workers' interest. It is held for a merge or for a copy of a few pointers,
//! never across I/O.

mod ids;
mod worker_mask;
mod marks;
mod tick;
mod ring;
mod shared;
mod interest;
mod published;
mod state;
#[cfg(test)]
mod state_tests;

pub use ids::{SymbolId, WORKERS_MAX, WorkerIndex};
pub use interest::Demand;
pub use marks::Marks;
pub use published::Published;
pub use ring::RingLimits;
pub use state::SymbolState;
pub use tick::Tick;
pub use worker_mask::WorkerMask;

use crate::{
    market::{Now, Origin, Symbol},
    wire::Epoch,
};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use shared::Shared;
use std::sync::{Arc, PoisonError, RwLock};

/// The most symbols that one gateway carries: about 1 KB each while no stream reads them.
pub const SYMBOLS_MAX: usize = 100_000;

/// All symbols of the gateway.
pub struct Cache {
    map: DashMap<Symbol, Arc<SymbolState>, RandomState>,
    /// The same states by name, so that a prefix is listed without a walk over the map.
    sorted: RwLock<Vec<Arc<SymbolState>>>,
    shared: Arc<Shared>,
}

/// Why a symbol cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// It is registered already.
    #[error("{0} is registered already: a symbol has one feed")]
    Twice(Symbol),
    /// There are [`SYMBOLS_MAX`].
    #[error("more than {SYMBOLS_MAX} symbols")]
    Full,
}

impl Cache {
    /// An empty cache.
    pub fn new(epoch: Epoch, ring: RingLimits) -> Self {
        Self { map: DashMap::default(), sorted: RwLock::default(), shared: Arc::new(Shared::new(epoch, ring)) }
    }

    /// Adds a symbol of `feed`.
    ///
    /// # Errors
    /// [`RegisterError`]: the symbol is registered already, or the cache is full.
    pub fn register(
        &self,
        symbol: Symbol,
        feed: Arc<str>,
        origin: Origin,
        now: Now,
    ) -> Result<Arc<SymbolState>, RegisterError> {
        let mut sorted = self.sorted.write().unwrap_or_else(PoisonError::into_inner);
        let place = match sorted.binary_search_by(|state| state.symbol().cmp(&symbol)) {
            Ok(_) => return Err(RegisterError::Twice(symbol)),
            Err(place) => place,
        };
        if sorted.len() == SYMBOLS_MAX {
            return Err(RegisterError::Full);
        }
        let id = SymbolId::new(sorted.len());
        let state = Arc::new(SymbolState::new(id, symbol.clone(), feed, origin, self.shared.clone(), now));
        sorted.insert(place, state.clone());
        self.map.insert(symbol, state.clone());
        Ok(state)
    }

    /// A symbol's state.
    pub fn get(&self, symbol: &Symbol) -> Option<Arc<SymbolState>> {
        self.map.get(symbol).map(|state| state.clone())
    }

    /// The first `limit` symbols that start with `prefix`, by name, and whether there are more.
    pub fn list(&self, prefix: &str, limit: usize) -> (Vec<Arc<SymbolState>>, bool) {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        let start = sorted.partition_point(|state| state.symbol().as_str() < prefix);
        let mut matching = sorted[start..].iter().take_while(|state| state.symbol().as_str().starts_with(prefix));
        let listed = matching.by_ref().take(limit).cloned().collect();
        (listed, matching.next().is_some())
    }

    /// At most `count` states, by name from the `from`th on.
    pub fn slice(&self, from: usize, count: usize) -> Vec<Arc<SymbolState>> {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        sorted.iter().skip(from).take(count).cloned().collect()
    }

    /// Drops the ticks that are too old to be replayed from the rings of `count` symbols, by name from the `from`th on.
    /// Returns where the next sweep goes on.
    pub fn sweep(&self, from: usize, count: usize, now: Now) -> usize {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        sorted.iter().skip(from).take(count).for_each(|state| state.sweep(now));
        if from + count < sorted.len() { from + count } else { 0 }
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.sorted.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The epoch of the sequence numbers.
    pub fn epoch(&self) -> Epoch {
        self.shared.epoch
    }

    /// How many frames were encoded so far: at most one per tick, whatever the number of streams.
    pub fn frames_encoded(&self) -> u64 {
        self.shared.frames_encoded()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Parts, TradeUpdate, Update};
    use std::{collections::VecDeque, time::Duration};

    fn cache(symbols: &[&str]) -> Cache {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in symbols {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        cache
    }

    #[test]
    fn a_symbol_has_one_feed() {
        let cache = cache(&["AAPL"]);
        let again = cache.register("AAPL".parse().unwrap(), "other".into(), Origin::Market, Now::read());
        assert_eq!(again.err(), Some(RegisterError::Twice("AAPL".parse().unwrap())));
        assert_eq!(&*cache.get(&"AAPL".parse().unwrap()).unwrap().feed(), "sim");
        assert!(cache.get(&"MSFT".parse().unwrap()).is_none());
    }

    /// The listed symbols with a prefix, and whether there are more.
    fn names(cache: &Cache, prefix: &str, limit: usize) -> (String, bool) {
        let (listed, more) = cache.list(prefix, limit);
        (listed.iter().map(|state| state.symbol().to_string()).collect::<Vec<_>>().join(" "), more)
    }

    #[test]
    fn symbols_are_listed_by_prefix_in_order() {
        let cache = cache(&["MSFT", "AAPL", "AA", "AMZN", "BRK.B"]);
        assert_eq!(names(&cache, "", 10), ("AA AAPL AMZN BRK.B MSFT".into(), false));
        assert_eq!(names(&cache, "A", 2), ("AA AAPL".into(), true));
        assert_eq!(names(&cache, "A", 3), ("AA AAPL AMZN".into(), false));
        assert_eq!(names(&cache, "Z", 3), (String::new(), false));
        assert_eq!(names(&cache, "", 0), (String::new(), true));
    }

    fn ring_lens(states: &[Arc<SymbolState>]) -> Vec<usize> {
        states.iter().map(|state| state.ring_len()).collect()
    }

    #[test]
    fn rule_10_a_sweep_takes_from_quiet_symbols_what_is_too_old_some_at_a_time() {
        let now = Now::read();
        let age = Duration::from_secs(1);
        let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
        let cache = cache(&["A", "B", "C", "D", "E"]);
        let states = cache.list("", 5).0;
        let trade = Update { trade: Some(TradeUpdate::default()), ..Update::default() };
        states.iter().for_each(|state| state.join(worker, Parts::ALL, &mut VecDeque::new()));
        states.iter().for_each(|state| (0..4).for_each(|_| _ = state.publish(&trade, now)));
        assert_eq!(cache.sweep(0, 9, now.after(age / 2)), 0);
        assert_eq!(ring_lens(&states), [5; 5]);
        let later = now.after(age * 2);
        assert_eq!(cache.sweep(0, 2, later), 2);
        assert_eq!(ring_lens(&states), [1, 1, 5, 5, 5]);
        assert_eq!(cache.sweep(2, 2, later), 4);
        assert_eq!(cache.sweep(4, 2, later), 0, "and from the first again");
        assert_eq!((ring_lens(&states), states[4].newest().seq), (vec![1; 5], 4));
    }

    #[test]
    fn rule_10_the_map_has_a_limit() {
        let cache = cache(&[]);
        for number in 0..SYMBOLS_MAX {
            cache.register(format!("S{number:06}").parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let one_more = cache.register("X".parse().unwrap(), "sim".into(), Origin::Sim, Now::read());
        assert_eq!(one_more.err(), Some(RegisterError::Full));
    }
}
