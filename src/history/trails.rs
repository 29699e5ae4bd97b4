//! The trails of all symbols, within their limit of memory.

use super::{
    excerpt::Excerpt,
    rank::Rank,
    trail::{Needs, Trail},
};
use crate::{
    cache::{Demand, SymbolId, SymbolState, Tick},
    market::UnixMicros,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

/// What each symbol takes, with a trail or without.
pub const SLOT_BYTES: usize = size_of::<Slot>();

/// In how many places a look at some symbols also looks for those that are gone.
const LOOKED_AT: usize = 512;

/// The trails of all symbols.
#[derive(Debug)]
pub struct Trails {
    every: Duration,
    /// How many spans the window has.
    window: u32,
    bytes_max: usize,
    /// When the first span began.
    start: Instant,
    /// By the symbol's place in the cache.
    slots: Vec<Slot>,
    /// Which slot is looked at next for a state that was dropped.
    next_looked_at: usize,
    /// The symbols that have a trail, the least wanted first.
    order: BTreeSet<(Rank, SymbolId)>,
    bytes: usize,
    evicted: u64,
}

/// A symbol's place.
#[derive(Debug, Default)]
struct Slot {
    /// Whose place it is. Once its state is dropped, another symbol may have its id.
    state: Weak<SymbolState>,
    trail: Option<Box<Trail>>,
    /// When its trail was last requested.
    requested: Option<Instant>,
}

/// What the trails take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryUsage {
    /// How many there are.
    pub trails: usize,
    /// Their bytes.
    pub bytes: usize,
    /// How many were evicted since the start.
    pub evicted: u64,
}

impl Trails {
    /// No trails yet: they will reach `keep` back, with at most one point every `every`, in at most `bytes_max` bytes.
    pub fn new(keep: Duration, every: Duration, bytes_max: usize, start: Instant) -> Self {
        let every = every.max(Duration::from_millis(1));
        let window = u32::try_from(keep.as_nanos().div_ceil(every.as_nanos())).unwrap_or(u32::MAX);
        let (slots, order) = (Vec::new(), BTreeSet::new());
        Self { every, window, bytes_max, start, slots, next_looked_at: 0, order, bytes: 0, evicted: 0 }
    }

    /// Looks at these symbols: extends the trails of those that streams want or wanted, and drops what is too old.
    pub fn observe(&mut self, states: &[Arc<SymbolState>], now: Instant) {
        self.forget_dropped();
        let last_before = self.span(now).saturating_sub(self.window);
        for state in states {
            let demand = state.demand();
            if demand == Demand::Never {
                continue;
            }
            let id = state.id();
            let rank = Rank::new(demand, self.slot(state).requested);
            self.rank(id, rank);
            let tick = state.newest();
            // Version 0 is the symbol before its first tick.
            if tick.version > 0 {
                self.extend(id, &tick, rank);
            }
            self.change(id, |trail| trail.expire(last_before));
        }
    }

    /// At most `count` points of what was shown of a symbol from `since` on: the last one that is not later, and those
    /// after it. Empty where the symbol has no trail.
    pub fn request(
        &mut self,
        state: &Arc<SymbolState>,
        since: Option<UnixMicros>,
        count: usize,
        now: Instant,
    ) -> Excerpt {
        let (id, every) = (state.id(), self.every);
        self.slot(state).requested = Some(now);
        self.rank(id, Rank::new(state.demand(), Some(now)));
        match &self.slots[id.index()].trail {
            Some(trail) => trail.excerpt(since, count, every),
            None => Excerpt { every, points: Vec::new() },
        }
    }

    /// What they take.
    pub fn usage(&self) -> HistoryUsage {
        HistoryUsage { trails: self.order.len(), bytes: self.bytes, evicted: self.evicted }
    }

    /// How many points a trail has at most: one for each span of the window, one from before it, and one for a tick
    /// that came while the symbol was looked at.
    pub(super) fn points_max(&self) -> usize {
        self.window as usize + 2
    }

    /// The place of a symbol, empty if another one had it.
    fn slot(&mut self, state: &Arc<SymbolState>) -> &mut Slot {
        let index = state.id().index();
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, Slot::default);
        }
        if self.slots[index].state.as_ptr() != Arc::as_ptr(state) {
            self.empty(index);
            self.slots[index].state = Arc::downgrade(state);
        }
        &mut self.slots[index]
    }

    /// Empties the places of some symbols that are gone: all of them in turn, call by call.
    fn forget_dropped(&mut self) {
        for _ in 0..LOOKED_AT.min(self.slots.len()) {
            let index = self.next_looked_at % self.slots.len();
            if self.slots[index].state.strong_count() == 0 {
                self.empty(index);
            }
            self.next_looked_at = index + 1;
        }
    }

    fn empty(&mut self, index: usize) {
        let slot = std::mem::take(&mut self.slots[index]);
        if let Some(trail) = slot.trail {
            self.order.remove(&(trail.rank(), SymbolId::new(index)));
            self.bytes -= trail.bytes();
        }
    }

    fn span(&self, at: Instant) -> u32 {
        let spans = at.saturating_duration_since(self.start).as_nanos() / self.every.as_nanos();
        u32::try_from(spans).unwrap_or(u32::MAX)
    }

    fn extend(&mut self, id: SymbolId, tick: &Tick, rank: Rank) {
        let span = self.span(tick.published);
        let points_max = self.points_max();
        match self.slots[id.index()].trail.as_ref().map(|trail| trail.needs(tick, span, points_max)) {
            None if self.make_room(Trail::BYTES_FIRST, (rank, id)) => {
                let trail = Trail::new(tick, span, rank);
                self.bytes += trail.bytes();
                self.order.insert((rank, id));
                self.slots[id.index()].trail = Some(Box::new(trail));
            }
            None | Some(Needs::Nothing) => {}
            Some(Needs::Place) => self.change(id, |trail| trail.take(tick, span)),
            Some(Needs::Bytes(bytes)) => {
                // The least wanted symbol goes on with what it has.
                let has_room = self.make_room(bytes, (rank, id));
                self.change(id, |trail| {
                    if has_room {
                        trail.grow(bytes);
                    }
                    trail.take(tick, span);
                });
            }
        }
    }

    /// Evicts trails of symbols that are wanted less than this one until so many bytes are free; none if that would not
    /// suffice.
    fn make_room(&mut self, bytes: usize, wanting: (Rank, SymbolId)) -> bool {
        let mut missing = (self.bytes + bytes).saturating_sub(self.bytes_max);
        let mut evicted = Vec::new();
        for (_, id) in self.order.range(..wanting) {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(self.slots[id.index()].trail.as_ref().map_or(0, |trail| trail.bytes()));
            evicted.push(*id);
        }
        if missing == 0 {
            evicted.into_iter().for_each(|id| self.evict(id));
        }
        missing == 0
    }

    fn evict(&mut self, id: SymbolId) {
        if let Some(trail) = self.slots[id.index()].trail.take() {
            self.order.remove(&(trail.rank(), id));
            self.bytes -= trail.bytes();
            self.evicted += 1;
        }
    }

    /// Changes a symbol's trail, if it has one, and counts what it takes then.
    fn change(&mut self, id: SymbolId, change: impl FnOnce(&mut Trail)) {
        if let Some(trail) = &mut self.slots[id.index()].trail {
            self.bytes -= trail.bytes();
            change(trail);
            self.bytes += trail.bytes();
        }
    }

    /// Moves a symbol's trail, if it has one, to its place in the order.
    fn rank(&mut self, id: SymbolId, rank: Rank) {
        if let Some(trail) = &mut self.slots[id.index()].trail
            && trail.rank() != rank
        {
            self.order.remove(&(trail.rank(), id));
            self.order.insert((rank, id));
            trail.set_rank(rank);
        }
    }

    #[cfg(test)]
    pub(super) fn has_trail(&self, id: SymbolId) -> bool {
        self.slots.get(id.index()).is_some_and(|slot| slot.trail.is_some())
    }

    /// What they take, counted trail by trail.
    #[cfg(test)]
    pub(super) fn counted_bytes(&self) -> usize {
        self.slots.iter().filter_map(|slot| slot.trail.as_ref()).map(|trail| trail.bytes()).sum()
    }
}
