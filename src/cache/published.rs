//! The result of publishing an update.

use super::worker_mask::WorkerMask;

/// The result of publishing an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The update became a tick.
    Tick {
        /// The workers with streams that want it.
        interest: WorkerMask,
    },
    /// The update changed nothing. It only proves that the venue is alive.
    Unchanged,
    /// The update is older than what is known.
    Late,
    /// The update changed what a feed says of a symbol whose other feed is shown.
    Hidden,
}
