//! How a run and the streams' thread communicate while the streams run: commands to the thread, progress from it.

use crate::check::VenueState;
use std::sync::atomic::{AtomicI64, AtomicU64};

/// A command to the streams' thread.
#[derive(Debug)]
pub enum Control {
    /// The venue has been cut off for long enough: any symbol that is shown as live is a violation.
    NothingIsLive,
    /// All streams have tried to connect, and the load begins.
    Load,
    /// The load has ended: slow readers read at once, and streams no longer leave.
    CatchUp,
    /// End the streams. With the venue's last state, each stream's last state is checked against it.
    Finish(Option<VenueState>),
}

/// The progress of the streams, readable at any time.
#[derive(Debug, Default)]
pub struct Progress {
    /// Streams whose first attempt to connect has succeeded or failed.
    pub tried: AtomicU64,
    /// Open streams.
    pub open: AtomicU64,
    /// Ticks so far.
    pub ticks: AtomicU64,
    /// Bytes so far.
    pub bytes: AtomicU64,
    /// Violations so far.
    pub violations: AtomicU64,
    /// When the last tick was read, in µs since 1970.
    pub last_tick: AtomicI64,
    /// When the load ended, in µs since 1970, or 0. The checks cover later ticks too, the measures do not.
    pub load_ended: AtomicI64,
}
