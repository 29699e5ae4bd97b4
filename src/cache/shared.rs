//! The data that the states of all symbols share.

use super::ring::RingLimits;
use crate::wire::Epoch;
use std::sync::atomic::{AtomicU64, Ordering};

/// The data that the states of all symbols share.
pub(super) struct Shared {
    pub(super) epoch: Epoch,
    pub(super) ring: RingLimits,
    /// The number of the newest tick of all symbols.
    n: AtomicU64,
    encoded: AtomicU64,
}

impl Shared {
    pub(super) fn new(epoch: Epoch, ring: RingLimits) -> Self {
        Self { epoch, ring, n: AtomicU64::new(0), encoded: AtomicU64::new(0) }
    }

    /// Draws the number of the next tick.
    pub(super) fn next_n(&self) -> u64 {
        self.n.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a frame that was encoded.
    pub(super) fn count_frame(&self) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn frames_encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }
}
