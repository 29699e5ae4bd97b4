//! The trails, shared between what extends them and the requests for them.

use super::{Excerpt, HistoryUsage, Trails};
use crate::{cache::SymbolState, market::UnixMicros};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The history that a gateway keeps.
pub struct History {
    every: Duration,
    bytes_max: usize,
    /// Held for a slice of the symbols or for a copy of one trail, never across an await.
    trails: Mutex<Trails>,
}

impl History {
    /// A history that reaches `keep` back, with at most one point every `every`, in at most `bytes_max` bytes; or none
    /// where `keep` is zero.
    pub fn new(keep: Duration, every: Duration, bytes_max: usize, start: Instant) -> Option<Arc<Self>> {
        let trails = Mutex::new(Trails::new(keep, every, bytes_max, start));
        (!keep.is_zero()).then(|| Arc::new(Self { every, bytes_max, trails }))
    }

    /// The length of a span.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// The most bytes that the trails take.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// As [`Trails::observe`].
    pub fn observe(&self, states: &[Arc<SymbolState>], now: Instant) {
        self.lock().observe(states, now);
    }

    /// As [`Trails::request`].
    pub fn request(&self, state: &Arc<SymbolState>, since: Option<UnixMicros>, count: usize, now: Instant) -> Excerpt {
        self.lock().request(state, since, count, now)
    }

    /// As [`Trails::usage`].
    pub fn usage(&self) -> HistoryUsage {
        self.lock().usage()
    }

    fn lock(&self) -> MutexGuard<'_, Trails> {
        self.trails.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
