//! The measurements of the streams.

use super::{Asked, Histogram, Percentiles};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How a stream, or an attempt at one, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It left as planned.
    Left,
    /// The gateway sent `bye`: it is busy.
    Busy,
    /// The gateway sent `bye`: it shuts down.
    Shutdown,
    /// The connection was closed without a `bye`.
    Ended,
    /// The connection was reset, as a stalled client's is.
    Reset,
    /// The connection could not be established.
    Refused,
    /// The gateway refused the connection, and the client turned to another one at once.
    Elsewhere,
    /// The TLS handshake failed, or the server does not speak the protocol.
    Handshake,
    /// The answer was not an event stream.
    NoStream,
    /// There was no answer in time.
    Timeout,
}

/// The measurements of all streams together.
#[derive(Debug, Clone, Default)]
pub struct StreamMeasures {
    /// From connect to established.
    pub connect: Histogram,
    /// From connect to the end of the TLS handshake.
    pub handshake: Histogram,
    /// From connect to the end of the head of a stream.
    pub answer: Histogram,
    /// From connect to the first tick with data.
    pub first_tick: Histogram,
    /// From the venue's scheduled time of a trade to the read, of streams that read at once.
    pub latency: Histogram,
    /// The same by the target of the stream, where there are several.
    pub latency_by_target: Vec<Histogram>,
    /// From the gateway's receipt to the read, of streams that read at once.
    pub age: Histogram,
    /// The same for slow readers.
    pub slow_age: Histogram,
    /// By group, where there are several.
    pub groups: Vec<GroupMeasures>,
    /// Opened streams.
    pub opened: u64,
    /// Of them, those that came back with `Last-Event-ID`.
    pub resumed: u64,
    /// Ticks, or events of another server.
    pub ticks: u64,
    /// The mean age of the worst-served stream that reads at once, divided by the average; 1 is even.
    pub age_spread: Option<f64>,
    /// The same for the worst-served symbol.
    pub symbol_age_spread: Option<f64>,
    /// Ticks since all streams have been open.
    pub ticks_measured: u64,
    /// Named events.
    pub named: u64,
    /// Bytes, including heads.
    pub bytes: u64,
    /// Missed ticks, by the holes in `seq`.
    pub holes: u64,
    /// Of them, those of streams without options; `None`: there was not one tick of such a stream.
    pub holes_of_whole: Option<u64>,
    /// Trades with a receipt by the server's clock.
    pub receipts: u64,
    /// Of them, those received before the venue's time of the trade, which clocks that agree do not show.
    pub receipts_before_trade: u64,
    /// Last states that were checked.
    pub last_states: u64,
    /// Streams that were checked for live symbols within an outage.
    pub in_outage: u64,
    /// Copies of ticks that were compared with another stream's.
    pub compared: u64,
    /// The times between two live ticks of an open stream without options, since all streams have been open.
    pub live_gap: Histogram,
    /// How the streams of each group ended.
    pub ended: Vec<BTreeMap<Ended, u64>>,
    /// Trades whose venue time is more precise than a millisecond.
    pub exact_times: u64,
}

/// The measurements of the streams of a group.
#[derive(Debug, Clone, Default)]
pub struct GroupMeasures {
    /// From connect to the end of the head.
    pub answer: Histogram,
    /// From connect to the first tick with data.
    pub first_tick: Histogram,
    /// From the venue's scheduled time of a trade to the read.
    pub latency: Histogram,
    /// From the gateway's receipt to the read.
    pub age: Histogram,
    /// Latency in the current second.
    pub latency_now: Histogram,
    /// Age in the current second.
    pub age_now: Histogram,
    /// Opened streams.
    pub opened: u64,
    /// Ticks.
    pub ticks: u64,
    /// Missed ticks, by the holes in `seq`.
    pub holes: u64,
    /// Bytes.
    pub bytes: u64,
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

/// What happened in about a second.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Second {
    /// Its end, in seconds since the start.
    pub at: f64,
    /// How long it was, in seconds.
    pub length: f64,
    /// Open streams at its end.
    pub open: u64,
    /// Ticks per second.
    pub ticks: u64,
    /// Bytes per second.
    pub bytes: u64,
    /// Missed ticks per second, by the holes in `seq`.
    pub holes: u64,
    /// Latency, in µs.
    pub latency: Option<Percentiles>,
    /// Latency by group, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latency_by_group: Vec<Option<Percentiles>>,
    /// Age by group, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub age_by_group: Vec<Option<Percentiles>>,
    /// Age in µs, of streams that read at once.
    pub age: Option<Percentiles>,
    /// Processor time of the thread that reads the streams, as a share of the second.
    pub own_cpu: f64,
}

impl Ended {
    /// Whether a stream ended unexpectedly.
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Ended | Self::Reset | Self::Shutdown)
    }

    /// Whether the attempt did not become a stream.
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Refused | Self::Handshake | Self::NoStream | Self::Busy | Self::Timeout)
    }
}

impl GroupMeasures {
    /// Latency and age of the second that ends.
    pub fn take_second(&mut self, asked: Asked) -> (Option<Percentiles>, Option<Percentiles>) {
        let times = (self.latency_now.percentiles(asked), self.age_now.percentiles(asked));
        self.latency_now.reset();
        self.age_now.reset();
        times
    }
}

impl StreamMeasures {
    /// Counts how a stream of a group ended.
    pub fn end(&mut self, group: usize, how: Ended) {
        if self.ended.len() <= group {
            self.ended.resize_with(group + 1, BTreeMap::new);
        }
        *self.ended[group].entry(how).or_default() += 1;
    }
}
