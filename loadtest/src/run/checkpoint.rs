//! The counters at the start and at the end of the measured time.

use super::{sampler, setup::Run};
use crate::{measure::Machine, streams::StreamPool};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// What the server has used, and what the streams have read, up to a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    pub(super) at: Instant,
    pub(super) cpu: Option<Duration>,
    pub(super) memory: Option<u64>,
    /// How long all processors were busy, and how long they could have been.
    pub(super) machine: Option<(u64, u64)>,
    /// Updates that the venue's connections have taken.
    pub(super) taken: u64,
    /// Streams that are open.
    pub(super) open: u64,
    pub(super) ticks: u64,
    pub(super) bytes: u64,
}

impl Checkpoint {
    pub(super) fn now(run: &Run<'_>, pool: &StreamPool) -> Self {
        let usage = sampler::usage(&run.server);
        Self {
            at: Instant::now(),
            cpu: usage.map(|usage| usage.cpu),
            machine: Machine::ticks(),
            memory: usage.map(|usage| usage.memory_bytes),
            taken: run.venue.map_or(0, |venue| venue.sent().taken),
            open: pool.progress.open.load(Ordering::Relaxed),
            ticks: pool.progress.ticks.load(Ordering::Relaxed),
            bytes: pool.progress.bytes.load(Ordering::Relaxed),
        }
    }
}
