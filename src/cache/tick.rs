//! A tick: a version of a symbol's snapshot, its numbers, and its frame once a worker needs it.

use crate::market::{Part, Parts, Snapshot, UnixMicros};
use bytes::Bytes;
use std::{sync::OnceLock, time::Instant};

/// A new version of a symbol's snapshot.
#[derive(Debug)]
pub struct Tick {
    /// The whole latest state.
    pub snapshot: Snapshot,
    /// Its number among the symbol's ticks. 0 is the symbol before its first: no tick yet, but sent like one.
    pub seq: u64,
    /// Its number among all ticks of the gateway; 0 for `seq` 0.
    pub n: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// The `seq` before this one that last changed each part, by [`Part`].
    pub prior: [u64; Part::ALL.len()],
    /// When it was received from the venue, or made by the gateway.
    pub published: Instant,
    /// The same moment by the wall clock.
    pub time: UnixMicros,
    /// The first worker that needs it encodes it.
    pub(super) frame: OnceLock<Bytes>,
}

impl Tick {
    /// Whether a worker has needed its frame.
    pub fn is_encoded(&self) -> bool {
        self.frame.get().is_some()
    }

    /// The `seq` that last changed one of these parts: they are news to a stream that has an older tick.
    pub fn last_change(&self, parts: Parts) -> u64 {
        if self.changed.intersects(parts) { self.seq } else { self.last_change_before(parts) }
    }

    /// The `seq` before this one that last changed one of these parts.
    pub fn last_change_before(&self, parts: Parts) -> u64 {
        parts.iter().map(|part| self.prior[part as usize]).max().unwrap_or(0)
    }
}
