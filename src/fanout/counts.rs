//! The counts of a worker: plain integers, which other threads read once a second.

use super::{close_reason::CloseReason, missed::Missed};
use crate::telemetry::Histogram;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

/// Where a worker leaves its counts for other threads.
pub(super) type SharedCounts = Arc<Mutex<Counts>>;

/// A worker's counts since its start, and four gauges.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Open streams.
    pub streams: u64,
    /// Streams whose transport is full.
    pub full: u64,
    /// HTTP/2 connections, with and without streams.
    pub connections: u64,
    /// Streams that the reader check holds back.
    pub held: u64,
    /// Streams opened.
    pub opened: u64,
    /// Streams ended, by [`CloseReason`].
    pub closed: [u64; CloseReason::ALL.len()],
    /// Ticks written, at least their first byte.
    pub ticks: u64,
    /// Ticks that streams did not get.
    pub missed: Missed,
    /// Bytes written.
    pub bytes: u64,
    /// Writes of which something was taken.
    pub writes: u64,
    /// From a tick's receipt to the turn that wrote it, where the transport had room all that time.
    pub delivery: Histogram,
    /// The same time, where the tick had to wait for room.
    pub delivery_when_full: Histogram,
    /// From a stream's opening to the turn that wrote its first tick.
    pub first_tick: Histogram,
    /// How long each turn took.
    pub turns: Histogram,
}

impl Counts {
    pub(super) fn count_write(&mut self, bytes: usize, missed: Missed) {
        self.bytes += bytes as u64;
        self.writes += u64::from(bytes > 0);
        self.missed.add(missed);
    }

    pub(super) fn count_tick(&mut self, age: Duration, had_room: bool) {
        self.ticks += 1;
        let delivery = if had_room { &mut self.delivery } else { &mut self.delivery_when_full };
        delivery.record(age);
    }

    /// Adds another worker's counts.
    pub fn add(&mut self, other: &Self) {
        self.streams += other.streams;
        self.full += other.full;
        self.connections += other.connections;
        self.held += other.held;
        self.opened += other.opened;
        for (sum, count) in self.closed.iter_mut().zip(other.closed) {
            *sum += count;
        }
        self.ticks += other.ticks;
        self.missed.add(other.missed);
        self.bytes += other.bytes;
        self.writes += other.writes;
        self.delivery.add(&other.delivery);
        self.delivery_when_full.add(&other.delivery_when_full);
        self.first_tick.add(&other.first_tick);
        self.turns.add(&other.turns);
    }
}
