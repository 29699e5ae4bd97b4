//! What is measured of the streams.

use super::{Histogram, Percentiles};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How a stream, or an attempt at one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// We left, as planned.
    Left,
    /// The gateway said `bye`: it had no room.
    Busy,
    /// The gateway said `bye`: it stops.
    Shutdown,
    /// The connection was ended without a word.
    Ended,
    /// The connection was reset, as a stalled client's is.
    Reset,
    /// No connection could be made.
    Refused,
    /// The answer was no stream.
    NoStream,
}

/// What all streams together have got.
#[derive(Debug, Clone, Default)]
pub struct StreamMeasures {
    /// From the start of a connection until it is made.
    pub connect: Histogram,
    /// From the start of a connection to the end of the head that made it a stream.
    pub answer: Histogram,
    /// From the start of a connection to the first tick that has data.
    pub first_tick: Histogram,
    /// From the venue's time of a trade, which is the schedule's, to its reading: of streams that read at once.
    pub latency: Histogram,
    /// From the gateway's receipt to the reading: of streams that read at once.
    pub age: Histogram,
    /// The same of slow readers.
    pub slow_age: Histogram,
    /// Streams that opened.
    pub opened: u64,
    /// Of them, those that came back with `Last-Event-ID`.
    pub resumed: u64,
    /// Ticks, or events of another server.
    pub ticks: u64,
    /// How much older than the mean the ticks of the worst-served stream were that reads at once; 1 is even.
    pub age_spread: Option<f64>,
    /// The same of the worst-served symbol.
    pub symbol_age_spread: Option<f64>,
    /// Ticks since the last stream was there.
    pub ticks_measured: u64,
    /// Events with a name.
    pub named: u64,
    /// Bytes, heads among them.
    pub bytes: u64,
    /// Holes in `seq`: ticks that were left out.
    pub holes: u64,
    /// How the streams of each group ended.
    pub ended: Vec<BTreeMap<Ended, u64>>,
    /// Trades whose venue time is more exact than a millisecond.
    pub exact_times: u64,
}

/// Totals up to a moment, from which those of a second follow.
#[derive(Debug, Clone, Copy, Default)]
pub struct StreamTotals {
    /// The processor time of the streams' thread.
    pub cpu: Duration,
    /// Ticks.
    pub ticks: u64,
    /// Bytes.
    pub bytes: u64,
    /// Holes in `seq`.
    pub holes: u64,
}

/// What happened in one second.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Second {
    /// Seconds since the start.
    pub at: f64,
    /// Open streams at its end.
    pub open: u64,
    /// Ticks.
    pub ticks: u64,
    /// Bytes.
    pub bytes: u64,
    /// Ticks that were left out.
    pub holes: u64,
    /// Latency, in µs.
    pub latency: Option<Percentiles>,
    /// Age at reading, in µs, of streams that read at once.
    pub age: Option<Percentiles>,
    /// Processor time of the thread that reads the streams, as a share of the second.
    pub own_cpu: f64,
}

impl Ended {
    /// Whether it was a stream that nobody asked to end.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Ended | Self::Reset | Self::Shutdown)
    }

    /// Whether it was none yet.
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Refused | Self::NoStream | Self::Busy)
    }
}

impl StreamMeasures {
    /// Counts an end of a stream of a group.
    pub fn end(&mut self, group: usize, how: Ended) {
        if self.ended.len() <= group {
            self.ended.resize_with(group + 1, BTreeMap::new);
        }
        *self.ended[group].entry(how).or_default() += 1;
    }
}
