//! Which workers already know that a symbol has changed.

use crate::sync::{AtomicU64, Ordering};

/// A symbol's marks: one atomic word, a bit per worker. A set bit means that the symbol is in that worker's inbox, or
/// on its way there, and that the worker has not yet begun to read what is new of it.
#[derive(Debug, Default)]
pub struct Marks(AtomicU64);

impl Marks {
    /// Marks the symbol for some workers; returns those for which it was not yet, whose inboxes it must now enter.
    ///
    /// Which workers those are is what publishing returns, so the ring holds the new tick by then, and whoever takes the
    /// mark finds it.
    pub fn set(&self, workers: u64) -> u64 {
        workers & !self.0.fetch_or(workers, Ordering::AcqRel)
    }

    /// Reads what is new for a worker. Its mark is taken back before `read` looks at the ring, never after: a tick that
    /// comes in between is marked anew.
    pub fn take<R>(&self, worker: u64, read: impl FnOnce() -> R) -> R {
        self.0.fetch_and(!worker, Ordering::AcqRel);
        read()
    }
}
