//! The data that the states of all symbols share.

use super::{id_pool::IdPool, ring::RingLimits};
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// The data that the states of all symbols share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ring: RingLimits,
    pub(super) ids: IdPool,
    encoded: AtomicU64,
    patches_encoded: AtomicU64,
    compressed: AtomicU64,
    stored: AtomicU64,
    /// Counts how often numbers of any symbol began again: with a shard's epoch, as a rule.
    generation: AtomicU32,
    /// Held while one begins.
    beginning: Mutex<()>,
}

impl Shared {
    pub(super) fn new(ring: RingLimits) -> Self {
        Self {
            ring,
            ids: IdPool::default(),
            encoded: AtomicU64::new(0),
            patches_encoded: AtomicU64::new(0),
            compressed: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            generation: AtomicU32::new(0),
            beginning: Mutex::new(()),
        }
    }

    /// Counts a frame that was encoded.
    pub(super) fn count_frame(&self) {
        self.encoded.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a patch that was encoded.
    pub(super) fn count_patch(&self) {
        self.patches_encoded.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame or patch that was compressed.
    pub(super) fn count_compressed(&self) {
        self.compressed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a frame or patch that was stored as it is for streams that compress.
    pub(super) fn count_stored(&self) {
        self.stored.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn compressed(&self) -> u64 {
        self.compressed.load(Ordering::Relaxed)
    }

    pub(super) fn patches_encoded(&self) -> u64 {
        self.patches_encoded.load(Ordering::Relaxed)
    }

    pub(super) fn frames_encoded(&self) -> u64 {
        self.encoded.load(Ordering::Relaxed)
    }

    /// The newest generation. After a look at it, each shard shows what has changed with it.
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Begins the next generation, for one symbol whose numbers begin again in its shard's epoch.
    pub(super) fn next_generation(&self) -> u32 {
        let mut begun = 0;
        self.begin_generation(|next| {
            begun = next;
            true
        });
        begun
    }

    /// Begins the next generation, if `change` says so, which may change a shard's epoch.
    pub(super) fn begin_generation(&self, change: impl FnOnce(u32) -> bool) {
        let _beginning = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.generation() + 1;
        if change(next) {
            self.generation.store(next, Ordering::Release);
        }
    }
}
