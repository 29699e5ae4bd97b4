//! A worker's symbols: who of its streams wants which.

use super::{
    stream::StreamKey,
    window::{Window, WindowLimits},
};
use crate::{cache::SymbolState, market::Now};
use std::sync::Arc;

/// A symbol with more subscribers than this is large: its streams are written in rounds of their own, between which
/// those of small symbols pass.
pub(super) const SMALL_MAX: usize = 256;

/// A stream that wants a symbol, and which of its slots that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) stream: StreamKey,
    pub(super) slot: u32,
}

/// A symbol that some stream of this worker wants.
pub(super) struct Subscribed {
    pub(super) state: Arc<SymbolState>,
    pub(super) window: Window,
    pub(super) subscribers: Vec<Subscriber>,
    /// It has changed, and waits for the running round to end.
    pub(super) waits_for_round: bool,
}

impl Subscribed {
    pub(super) fn is_large(&self) -> bool {
        self.subscribers.len() > SMALL_MAX
    }
}

/// All that are wanted, by [`SymbolState::index`].
pub(super) struct Symbols {
    worker: u64,
    limits: WindowLimits,
    by_index: Vec<Option<Box<Subscribed>>>,
}

/// A subscriber's place, and the cursor from which it starts.
pub(super) struct Start {
    pub(super) subscriber: u32,
    pub(super) next: u64,
}

impl Symbols {
    pub(super) fn new(worker: u64, limits: WindowLimits) -> Self {
        Self { worker, limits, by_index: Vec::new() }
    }

    pub(super) fn get(&self, index: u32) -> &Subscribed {
        self.by_index[index as usize].as_ref().expect("a stream's symbols are subscribed as long as it lives")
    }

    /// The symbol, if some stream still wants it: its mark may have been on the way when the last one left.
    pub(super) fn find(&mut self, index: usize) -> Option<&mut Subscribed> {
        self.by_index.get_mut(index)?.as_deref_mut()
    }

    /// Takes in a changed symbol: its mark is cleared before its ring is read, never after.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Now) -> Option<&mut Subscribed> {
        state.marks().clear(self.worker);
        let (limits, index) = (self.limits, state.index());
        let symbol = self.find(index)?;
        symbol.window.refresh(state, now.instant, limits);
        Some(symbol)
    }

    pub(super) fn subscribe(&mut self, state: &Arc<SymbolState>, subscriber: Subscriber, now: Now) -> Start {
        let (index, limits, worker) = (state.index(), self.limits, self.worker);
        if self.by_index.len() <= index {
            self.by_index.resize_with(index + 1, || None);
        }
        let symbol = self.by_index[index].get_or_insert_with(|| {
            let window = Window::open(state, worker, now.instant, limits);
            Box::new(Subscribed { state: state.clone(), window, subscribers: Vec::new(), waits_for_round: false })
        });
        let next = symbol.window.join(state, worker, now.instant, limits);
        symbol.subscribers.push(subscriber);
        Start { subscriber: symbol.subscribers.len() as u32 - 1, next }
    }

    /// Takes a subscriber out; returns the one that has its place now, if any.
    pub(super) fn unsubscribe(&mut self, index: u32, subscriber: u32, now: Now) -> Option<Subscriber> {
        let symbol = self.by_index[index as usize].as_mut().expect("a stream unsubscribes each of its symbols once");
        symbol.subscribers.swap_remove(subscriber as usize);
        let moved = symbol.subscribers.get(subscriber as usize).copied();
        if symbol.subscribers.is_empty() {
            symbol.state.leave(self.worker, now);
            self.by_index[index as usize] = None;
        }
        moved
    }
}
