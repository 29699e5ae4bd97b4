//! A sink without a market behind it: for a try of a feed, and for one that is only recorded.

use super::{Sink, Unheard};
use crate::market::{FeedSymbol, Now, Parts, Reason, UnixMicros, Update};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Drops the data, and counts the symbols that the venue refuses. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Discard {
    refused: Arc<AtomicUsize>,
}

impl Discard {
    /// How many symbols the venue has refused.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Sink for Discard {
    type Target = ();

    fn add(&mut self, _: FeedSymbol, (): (), _: Now) {}
    fn remove(&mut self, _: FeedSymbol, _: Now) {}
    fn updates(&mut self, _: &[Update], _: Now) {}
    fn outage(&mut self, _: Reason, _: Now) {}
    fn start_over(&mut self, _: Now) {}
    fn mute(&mut self, _: Parts, _: Now) {}
    fn closed(&mut self, _: bool, _: Now) {}

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        self.refused.fetch_add(refused.len(), Ordering::Relaxed);
    }
}
