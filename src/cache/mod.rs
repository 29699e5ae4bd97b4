//! The latest of every symbol: a lock-sharded map from symbol to its shared state.
//!
//! A caller that needs a symbol for long looks it up once and then holds its state. A state's one mutex guards the
//! snapshot, its numbers, the ring and the workers' interest. It is held for a merge or for a copy of a few pointers,
//! never across I/O.

mod ids;
mod id_pool;
mod worker_mask;
mod marks;
mod tick;
mod ring;
mod shared;
mod shard;
mod sources;
mod wants;
mod interest;
mod published;
mod sharers;
mod tap;
mod cut_off;
mod facts;
mod following;
mod have;
mod publisher;
mod listing;
mod search;
mod two_feeds;
mod state;
#[cfg(test)]
mod listing_tests;
#[cfg(test)]
mod state_tests;

pub use following::OwnersTick;
pub use have::Have;
pub use ids::{SymbolId, WORKERS_MAX, WorkerIndex};
pub use interest::Demand;
pub use marks::Marks;
pub use published::Published;
pub use publisher::Publisher;
pub use ring::RingLimits;
pub use shard::{FORMER_EPOCHS_MAX, FormerEpochs, Shard};
pub use sharers::Sharers;
pub use sources::{FailoverCounts, HasStandby};
pub use state::SymbolState;
pub use tap::{Tap, Tapped};
pub use tick::Tick;
pub use worker_mask::WorkerMask;

use crate::{
    market::{Now, Origin, Reason, Symbol, Tier},
    wire::Epoch,
};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use shared::Shared;
use state::Listed;
use std::{
    num::NonZero,
    sync::{Arc, PoisonError, RwLock, Weak},
};

/// The most live symbols that one gateway carries, and the most delayed ones: about 1 KB each while no stream reads
/// them.
pub const SYMBOLS_MAX: usize = 100_000;
/// The most shards of a cluster.
pub const SHARDS_MAX: usize = 64;

/// The states of one tier.
type States = DashMap<Symbol, Arc<SymbolState>, RandomState>;

/// All symbols of the gateway, which may come and go. A symbol has a live state, a delayed one, or both: two states
/// with an id, a ring, a `seq` and frames of their own.
pub struct Cache {
    live: States,
    delayed: States,
    /// The same states by name, so that a prefix is listed without a walk over the maps.
    sorted: RwLock<Sorted>,
    /// That of the symbols that are registered without one.
    shard: Arc<Shard>,
    /// Those of a cluster.
    shards: RwLock<Vec<Arc<Shard>>>,
    shared: Arc<Shared>,
}

/// All states by name; of one symbol the live one first.
#[derive(Default)]
struct Sorted {
    states: Vec<Arc<SymbolState>>,
    /// How many of them are delayed.
    delayed: usize,
}

/// Why a symbol cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// It is registered already.
    #[error("{0} is registered already: a symbol has one live feed and one delayed one")]
    Twice(Symbol),
    /// It is of a standby, and no other feed has it.
    #[error("{0} is in a standby feed alone")]
    NoPrimary(Symbol),
    /// There are [`SYMBOLS_MAX`] of its tier, or streams hold too many that were retired.
    #[error("more than {SYMBOLS_MAX} symbols")]
    Full,
    /// There are [`SHARDS_MAX`] shards.
    #[error("more than {SHARDS_MAX} shards")]
    Shards,
}

impl Cache {
    /// An empty cache. Symbols that are registered without a shard share one with this epoch.
    pub fn new(epoch: Epoch, ring: RingLimits) -> Self {
        let shared = Arc::new(Shared::new(ring));
        Self {
            live: DashMap::default(),
            delayed: DashMap::default(),
            sorted: RwLock::default(),
            shard: Arc::new(Shard::single(epoch, shared.clone())),
            shards: RwLock::default(),
            shared,
        }
    }

    /// Adds a shard of a cluster. Until its owner is known it is cut off, with this epoch, which is drawn at random.
    ///
    /// # Errors
    /// [`RegisterError::Shards`].
    pub fn add_shard(&self, name: Arc<str>, drawn: Epoch) -> Result<Arc<Shard>, RegisterError> {
        let mut shards = self.shards.write().unwrap_or_else(PoisonError::into_inner);
        if shards.len() == SHARDS_MAX {
            return Err(RegisterError::Shards);
        }
        let shard = Arc::new(Shard::clustered(name, drawn, self.shared.clone()));
        shards.push(shard.clone());
        Ok(shard)
    }

    /// Adds a symbol whose live prices `feed` brings.
    ///
    /// A state that was [retired](Self::retire) and that something still holds is taken back, if it is of the same
    /// feed: then it is refused until it is [readmitted](SymbolState::readmit). Otherwise the state is new. Its `seq`
    /// is above each that the symbol ever had in this epoch.
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
        self.add(Listed { symbol, feed, origin, delay: None }, &self.shard, now)
    }

    /// Adds a symbol of a shard, whose live prices `feed` brings, or the node that owns the shard.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_in(
        &self,
        shard: &Arc<Shard>,
        symbol: Symbol,
        feed: Arc<str>,
        origin: Origin,
        now: Now,
    ) -> Result<Arc<SymbolState>, RegisterError> {
        self.add(Listed { symbol, feed, origin, delay: None }, shard, now)
    }

    /// Adds a symbol whose delayed prices come from `feed`, at least `delay` seconds late.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_delayed(
        &self,
        symbol: Symbol,
        feed: Arc<str>,
        origin: Origin,
        delay: NonZero<u32>,
        now: Now,
    ) -> Result<Arc<SymbolState>, RegisterError> {
        self.add(Listed { symbol, feed, origin, delay: Some(delay) }, &self.shard, now)
    }

    fn add(&self, listed: Listed, shard: &Arc<Shard>, now: Now) -> Result<Arc<SymbolState>, RegisterError> {
        let symbol = listed.symbol.clone();
        let tier = if listed.delay.is_some() { Tier::Delayed } else { Tier::Live };
        let mut sorted = self.sorted.write().unwrap_or_else(PoisonError::into_inner);
        let Sorted { states, delayed } = &mut *sorted;
        let place = match states.binary_search_by(|state| (state.symbol(), state.tier()).cmp(&(&symbol, tier))) {
            Ok(_) => return Err(RegisterError::Twice(symbol)),
            Err(place) => place,
        };
        let (map, count) = match tier {
            Tier::Live => (&self.live, states.len() - *delayed),
            Tier::Delayed => (&self.delayed, *delayed),
        };
        if count == SYMBOLS_MAX {
            return Err(RegisterError::Full);
        }
        let retired = self.shared.ids.revive(&(symbol.clone(), tier));
        let retired = retired.and_then(|state| state.downcast::<SymbolState>().ok());
        let state = match retired.filter(|state| state.is_of(&listed)) {
            Some(state) => state,
            None => self.new_state(listed, shard, None, now)?,
        };
        states.insert(place, state.clone());
        *delayed += usize::from(tier == Tier::Delayed);
        map.insert(symbol, state.clone());
        Ok(state)
    }

    fn new_state(
        &self,
        listed: Listed,
        shard: &Arc<Shard>,
        refused: Option<Reason>,
        now: Now,
    ) -> Result<Arc<SymbolState>, RegisterError> {
        let id = self.shared.ids.take().ok_or(RegisterError::Full)?;
        Ok(Arc::new(SymbolState::new(id, listed, shard.clone(), refused, now)))
    }

    /// Takes a symbol's state out of the cache. Streams that hold it keep it: the caller has to tell them by
    /// [`SymbolState::remove`].
    ///
    /// `None`: there is not such a state, or it is of a cluster's shard, whose list is the same on all nodes.
    pub fn retire(&self, symbol: &Symbol, tier: Tier) -> Option<Arc<SymbolState>> {
        self.retire_if(symbol, tier, |_| true)
    }

    /// As [`retire`](Self::retire), unless the symbol has another state by now: another feed may have taken it.
    pub fn retire_state(&self, state: &Arc<SymbolState>) -> Option<Arc<SymbolState>> {
        self.retire_if(state.symbol(), state.tier(), |found| Arc::ptr_eq(found, state))
    }

    /// Whether so many more symbols of a tier may be registered.
    pub fn has_room(&self, tier: Tier, count: usize) -> bool {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        let registered = match tier {
            Tier::Live => sorted.states.len() - sorted.delayed,
            Tier::Delayed => sorted.delayed,
        };
        registered + count <= SYMBOLS_MAX
    }

    fn retire_if(
        &self,
        symbol: &Symbol,
        tier: Tier,
        is_meant: impl FnOnce(&Arc<SymbolState>) -> bool,
    ) -> Option<Arc<SymbolState>> {
        let mut sorted = self.sorted.write().unwrap_or_else(PoisonError::into_inner);
        let Sorted { states, delayed } = &mut *sorted;
        let place = states.binary_search_by(|state| (state.symbol(), state.tier()).cmp(&(symbol, tier))).ok()?;
        if !states[place].shard().is_single() || !is_meant(&states[place]) {
            return None;
        }
        let state = states.remove(place);
        // Where it comes back, they are told again.
        state.facts.forget();
        match tier {
            Tier::Live => _ = self.live.remove(symbol),
            Tier::Delayed => {
                self.delayed.remove(symbol);
                *delayed -= 1;
            }
        }
        let held: Weak<SymbolState> = Arc::downgrade(&state);
        self.shared.ids.retire(state.id(), (symbol.clone(), tier), held);
        Some(state)
    }

    /// A state in no map, which is refused for this reason: for a stream that asks for one symbol too many.
    ///
    /// # Errors
    /// [`RegisterError::Full`]: so many states are held.
    pub fn orphan(
        &self,
        symbol: Symbol,
        feed: Arc<str>,
        reason: Reason,
        now: Now,
    ) -> Result<Arc<SymbolState>, RegisterError> {
        let listed = Listed { symbol, feed, origin: Origin::Market, delay: None };
        self.new_state(listed, &self.shard, Some(reason), now)
    }

    /// A symbol's live state.
    pub fn get(&self, symbol: &Symbol) -> Option<Arc<SymbolState>> {
        self.live.get(symbol).map(|state| state.clone())
    }

    /// A symbol's delayed state.
    pub fn delayed(&self, symbol: &Symbol) -> Option<Arc<SymbolState>> {
        self.delayed.get(symbol).map(|state| state.clone())
    }

    /// The first `limit` symbols that start with `prefix`, by name, and whether there are more. Each is listed once:
    /// its live state, or else its delayed one.
    pub fn list(&self, prefix: &str, limit: usize) -> (Vec<Arc<SymbolState>>, bool) {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        let start = sorted.states.partition_point(|state| state.symbol().as_str() < prefix);
        let matching = sorted.states[start..].iter().take_while(|state| state.symbol().as_str().starts_with(prefix));
        let mut before: Option<&Symbol> = None;
        let mut first = matching.filter(|state| before.replace(state.symbol()) != Some(state.symbol()));
        let listed = first.by_ref().take(limit).cloned().collect();
        (listed, first.next().is_some())
    }

    /// At most `count` states, by name from the `from`th on.
    pub fn slice(&self, from: usize, count: usize) -> Vec<Arc<SymbolState>> {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        sorted.states.iter().skip(from).take(count).cloned().collect()
    }

    /// Drops the ticks that are too old to be replayed from the rings of `count` states, by name from the `from`th on.
    /// Returns where the next sweep goes on.
    pub fn sweep(&self, from: usize, count: usize, now: Now) -> usize {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        sorted.states.iter().skip(from).take(count).for_each(|state| state.sweep(now));
        if from + count < sorted.states.len() { from + count } else { 0 }
    }

    /// How many states there are: a symbol that is both live and delayed has two.
    pub fn len(&self) -> usize {
        self.sorted.read().unwrap_or_else(PoisonError::into_inner).states.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The epoch that clients of these states are told: that of their shards if they have the same, else one that
    /// stands for all of theirs. It is the same on every node of a cluster.
    pub fn epoch_of<'a>(states: impl IntoIterator<Item = &'a Arc<SymbolState>>) -> Epoch {
        shard::epoch_of(states.into_iter().map(|state| state.shard()))
    }

    /// Whether ids of this epoch are of ticks that this gateway knows, or did: of any shard's current epoch or of a
    /// former one.
    pub fn knows(&self, epoch: Epoch) -> bool {
        let shards = self.shards.read().unwrap_or_else(PoisonError::into_inner);
        self.shard.knows(epoch) || shards.iter().any(|shard| shard.knows(epoch))
    }

    /// Counts how often numbers begin again on this node, as with a change of a shard's epoch. A client that was
    /// greeted in a generation has to be greeted again before it gets a tick of a higher one. Read it before the epochs
    /// that the client is told.
    pub fn generation(&self) -> u32 {
        self.shared.generation()
    }

    /// How many frames were encoded so far: at most one per tick, whatever the number of streams.
    pub fn frames_encoded(&self) -> u64 {
        self.shared.frames_encoded()
    }

    /// The same of patches.
    pub fn patches_encoded(&self) -> u64 {
        self.shared.patches_encoded()
    }

    /// How many frames and patches were compressed so far: each at most once.
    pub fn frames_compressed(&self) -> u64 {
        self.shared.compressed()
    }

    /// How many frames and patches were stored as they are so far, for streams that compress: each at most once.
    pub fn frames_stored(&self) -> u64 {
        self.shared.stored()
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
