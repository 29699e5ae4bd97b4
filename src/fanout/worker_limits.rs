//! The limits of a worker.

use std::time::Duration;

/// The limits of a worker.
#[derive(Debug, Clone, Copy)]
pub struct WorkerLimits {
    /// How far a stream may lag before it coalesces.
    pub max_lag: Duration,
    /// The most ticks of one symbol that the worker holds.
    pub ring: usize,
    /// How long a stream may take no byte before it is closed.
    pub stall_timeout: Duration,
    /// How long changes are gathered; `None`: the load decides.
    pub flush_interval: Option<Duration>,
    /// How many streams, of all workers, must share a tick before it is compressed.
    pub compress_min_streams: usize,
}
