//! Which workers already know that a symbol has changed.

use super::worker_mask::WorkerMask;
use crate::sync::{AtomicU64, Ordering};

/// A symbol's marks: one atomic word, a bit per worker. A set bit means that the symbol is in that worker's inbox, or
/// on its way there, and that the worker has not yet begun to read what is new of it.
#[derive(Debug, Default)]
pub struct Marks(AtomicU64);

impl Marks {
    /// Marks the symbol for `workers`; returns those that had no mark. The caller must put the symbol into their
    /// inboxes.
    ///
    /// Publishing returns the workers to mark, so the ring already holds the new tick. A worker that takes the mark
    /// finds that tick.
    pub fn set(&self, workers: WorkerMask) -> WorkerMask {
        let marked = self.0.fetch_or(workers.bits(), Ordering::AcqRel);
        workers.without(WorkerMask::from_bits(marked))
    }

    /// Reads what is new for one worker. The mark is cleared before `read` looks at the ring, never after: a tick that
    /// is published in between sets the mark again.
    pub fn take<R>(&self, worker: WorkerMask, read: impl FnOnce() -> R) -> R {
        self.0.fetch_and(!worker.bits(), Ordering::AcqRel);
        read()
    }
}
