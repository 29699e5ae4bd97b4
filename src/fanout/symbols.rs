//! A worker's symbols: who of its streams wants which.

use super::{
    recent_ticks::{Cursor, RecentLimits, RecentTicks},
    stream::StreamKey,
};
use crate::{
    cache::SymbolState,
    market::{Now, Part, Parts},
};
use std::sync::Arc;

/// A symbol with more subscribers than this is large: its streams are written in rounds of their own, between which
/// those of small symbols pass.
pub(super) const SMALL_MAX: usize = 256;

/// A stream that wants a symbol, and which of its slots that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) stream: StreamKey,
    pub(super) slot: u32,
    /// The parts whose change makes the symbol due for it.
    pub(super) parts: Parts,
}

/// A symbol that some stream of this worker wants.
pub(super) struct Subscribed {
    pub(super) state: Arc<SymbolState>,
    pub(super) recent: RecentTicks,
    pub(super) subscribers: Vec<Subscriber>,
    /// How many of them want each part.
    wanted: [u32; Part::ALL.len()],
    /// What of it has changed and waits for the running round to end.
    pub(super) waits_for_round: Parts,
}

impl Subscribed {
    pub(super) fn is_large(&self) -> bool {
        self.subscribers.len() > SMALL_MAX
    }
}

/// All that are wanted, by [`SymbolState::index`].
pub(super) struct Symbols {
    worker: u64,
    limits: RecentLimits,
    /// Changes are gathered before the worker takes them.
    gathers: bool,
    by_index: Vec<Option<Box<Subscribed>>>,
}

/// A subscriber's place, and where it starts.
pub(super) struct Joined {
    pub(super) subscriber: u32,
    pub(super) cursor: Cursor,
}

impl Symbols {
    pub(super) fn new(worker: u64, limits: RecentLimits, gathers: bool) -> Self {
        Self { worker, limits, gathers, by_index: Vec::new() }
    }

    pub(super) fn get(&self, index: u32) -> &Subscribed {
        self.by_index[index as usize].as_ref().expect("a stream's symbols are subscribed as long as it lives")
    }

    /// The symbol, if some stream still wants it: its mark may have been on the way when the last one left.
    pub(super) fn find(&mut self, index: usize) -> Option<&mut Subscribed> {
        self.by_index.get_mut(index)?.as_deref_mut()
    }

    /// Takes in a changed symbol, and says what of it has changed. Its mark is taken back even if nobody wants it any more,
    /// or who comes next would never hear of it.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Now) -> Option<(&mut Subscribed, Parts)> {
        let (worker, limits) = (self.worker, self.limits);
        state.marks().take(worker, move || {
            let symbol = self.find(state.index())?;
            let changed = symbol.recent.refresh(state, now.instant, limits);
            Some((symbol, changed))
        })
    }

    /// Brings in what this worker was not told of, as none of its streams wants it, or has yet to take: a tick that goes alone
    /// is still to be the newest.
    pub(super) fn catch_up(&mut self, indexes: impl Iterator<Item = u32>, now: Now) {
        let (limits, gathers) = (self.limits, self.gathers);
        for index in indexes {
            if let Some(symbol) = self.find(index as usize).filter(|symbol| gathers || symbol.wanted.contains(&0)) {
                symbol.recent.catch_up(&symbol.state, now.instant, limits);
            }
        }
    }

    /// Adds a subscriber.
    pub(super) fn subscribe(&mut self, state: &Arc<SymbolState>, subscriber: Subscriber, now: Now) -> Joined {
        let (index, limits, worker) = (state.index(), self.limits, self.worker);
        if self.by_index.len() <= index {
            self.by_index.resize_with(index + 1, || None);
        }
        let symbol = self.by_index[index].get_or_insert_with(|| {
            Box::new(Subscribed {
                state: state.clone(),
                recent: RecentTicks::new(now.instant),
                subscribers: Vec::new(),
                wanted: [0; Part::ALL.len()],
                waits_for_round: Parts::NONE,
            })
        });
        let cursor = symbol.recent.join(state, worker, subscriber.parts, now.instant, limits);
        symbol.subscribers.push(subscriber);
        subscriber.parts.iter().for_each(|part| symbol.wanted[part as usize] += 1);
        Joined { subscriber: symbol.subscribers.len() as u32 - 1, cursor }
    }

    /// Takes a subscriber out; returns the one that has its place now, if any.
    pub(super) fn unsubscribe(&mut self, index: u32, subscriber: u32, now: Now) -> Option<Subscriber> {
        let symbol = self.by_index[index as usize].as_mut().expect("a stream unsubscribes each of its symbols once");
        let gone = symbol.subscribers.swap_remove(subscriber as usize);
        gone.parts.iter().for_each(|part| symbol.wanted[part as usize] -= 1);
        let unwanted: Parts = gone.parts.iter().filter(|&part| symbol.wanted[part as usize] == 0).collect();
        if !unwanted.is_empty() {
            symbol.state.leave(self.worker, unwanted, now);
        }
        let moved = symbol.subscribers.get(subscriber as usize).copied();
        if symbol.subscribers.is_empty() {
            self.by_index[index as usize] = None;
        }
        moved
    }
}
