//! The measures that a threshold can be set on.

use crate::{
    measure::Percentiles,
    report::{GroupSummary, Summary},
};
use serde::Serialize;

/// The unit of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A number.
    Count,
    /// A time, in µs.
    #[serde(rename = "µs")]
    Time,
    /// A size, in bytes.
    Bytes,
}

impl Unit {
    /// What has this unit.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Count => "number",
            Self::Time => "time",
            Self::Bytes => "size",
        }
    }
}

/// Whether a threshold is an upper or a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// An upper bound.
    AtMost,
    /// A lower bound.
    AtLeast,
}

/// The servers that have a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Any server of events.
    Any,
    /// tickfan: of another server it is not judged.
    Tickfan,
}

/// What beside the server makes a time longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// A venue that is behind its schedule, and streams that read late.
    VenueAndStreams,
    /// Streams that read late.
    Streams,
    /// Streams that connect and read late, while they open.
    Opening,
}

/// A measure that a threshold can be set on.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    pub(super) unit: Unit,
    pub(super) bound: Bound,
    pub(super) of: Of,
    pub(super) read: fn(&Summary) -> Option<f64>,
}

/// A kind of times, of which a threshold can be set on any percentile, such as `latency_p99.9`, and on the longest,
/// `latency_max`.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Its name, before `_p` or `_max`.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    pub(super) of: Of,
    pub(super) late: Late,
    pub(super) read: fn(&Summary) -> Option<Percentiles>,
    /// The same of one group, such as `latency_p99[pages]`; `None`: it is not measured by group.
    pub(super) read_group: Option<fn(&GroupSummary) -> Option<Percentiles>>,
}

macro_rules! measures {
    ($($name:literal, $about:literal, $unit:ident, $bound:ident, $of:ident, $read:expr;)+) => {
        [$(Measure { name: $name, about: $about, unit: Unit::$unit, bound: Bound::$bound, of: Of::$of, read: $read },)+]
    };
}

/// The measures that are one number.
pub const MEASURES: [Measure; 28] = measures! {
    "violations", "violations of any rule", Count, AtMost, Tickfan, |of| of.violations.total.map(|total| total as f64);
    "ticks", "ticks read by all streams", Count, AtLeast, Any, |of| Some(of.streams.ticks as f64);
    "ticks_per_second", "ticks read per second while all streams were open", Count, AtLeast, Any, |of| Some(of.ticks_per_second);
    "bytes_per_tick", "bytes read per tick, with all other events", Bytes, AtMost, Any, |of| (of.streams.ticks > 0).then(|| of.streams.bytes as f64 / of.streams.ticks as f64);
    "opened", "opened streams; one that comes back counts again", Count, AtLeast, Any, |of| Some(of.streams.opened as f64);
    "failed", "attempts that did not become streams", Count, AtMost, Any, |of| Some(of.streams.failed as f64);
    "lost", "streams that ended unexpectedly", Count, AtMost, Any, |of| Some(of.streams.lost as f64);
    "broken", "streams that ended without a goodbye", Count, AtMost, Tickfan, |of| Some(of.streams.broken() as f64);
    "unanswered", "attempts that became no stream and were not told to come back", Count, AtMost, Any, |of| Some(of.streams.unanswered() as f64);
    "elsewhere", "connects that a gateway refused and that another one took", Count, AtMost, Any, |of| Some(of.streams.elsewhere() as f64);
    "closed_stalled", "streams that the gateway closed because they did not read", Count, AtLeast, Tickfan, |of| of.gateway.as_ref()?.closed("stalled");
    "missed_ring", "ticks that streams missed by the gateway's fault", Count, AtMost, Tickfan, |of| of.gateway.as_ref()?.missed("ring");
    "missed_lag", "ticks that streams missed because their clients were slow", Count, AtMost, Tickfan, |of| of.gateway.as_ref()?.missed("lag");
    "age_spread", "the mean age of the worst-served stream divided by the average", Count, AtMost, Tickfan, |of| of.age_spread;
    "symbol_age_spread", "the mean age of the worst-served symbol divided by the average", Count, AtMost, Tickfan, |of| of.symbol_age_spread;
    "holes", "ticks that streams without options missed, by the holes in their seq", Count, AtMost, Tickfan, |of| Some(of.streams.holes_of_whole? as f64);
    "restarts", "gateways that were restarted", Count, AtLeast, Any, |of| Some(of.cluster.as_ref()?.restarts as f64);
    "handed_over", "restarts of a gateway that owned a feed, which another one took over as it was handed over", Count, AtLeast, Any, |of| Some(of.cluster.as_ref()?.handed_over as f64);
    "recovery", "from the end of the load until all streams have caught up", Time, AtMost, Any, |of| Some(of.recovery? as f64);
    "cpu_per_tick", "the gateway's processor time per tick read", Time, AtMost, Any, |of| of.gateway.as_ref()?.cpu_micros_per_tick;
    "cpu_per_connect", "the gateway's processor time per stream while they opened, snapshots included", Time, AtMost, Any, |of| of.gateway.as_ref()?.cpu_micros_per_connect;
    "cpu_per_update", "the gateway's processor time per update taken from the venue", Time, AtMost, Any, |of| of.gateway.as_ref()?.cpu_micros_per_update;
    "venue_connections", "connections that the venue had at a time", Count, AtMost, Any, |of| Some(of.venue?.connections_max as f64);
    "venue_lost", "batches of updates that the gateway did not read from the venue in time", Count, AtMost, Any, |of| Some(of.venue?.lost as f64);
    "cpu_to_floor", "the gateway's processor time per tick, divided by the bare loop's", Count, AtMost, Any, |of| of.cpu_to_floor;
    "memory_per_stream", "the growth of the gateway's memory while streams opened, per stream", Bytes, AtMost, Any, |of| Some(of.gateway.as_ref()?.memory_per_stream? as f64);
    "memory", "the gateway's peak memory", Bytes, AtMost, Any, |of| Some(of.gateway.as_ref()?.memory_max? as f64);
    "memory_growth", "the growth of the gateway's memory after the first third of the load", Bytes, AtMost, Any, |of| Some(of.gateway.as_ref()?.memory_growth? as f64);
};

macro_rules! times {
    ($($name:literal, $about:literal, $of:ident, $late:ident, $read:expr, $group:expr;)+) => {
        [$(Times { name: $name, about: $about, of: Of::$of, late: Late::$late, read: $read, read_group: $group },)+]
    };
}

/// The measures that are times with percentiles.
pub const TIMES: [Times; 8] = times! {
    "connect", "from connect to established", Any, Opening, |of| of.connect, None;
    "handshake", "from connect to the end of the TLS handshake", Any, Opening, |of| of.handshake, None;
    "answer", "from connect to the head of the answer", Any, Opening, |of| of.answer, Some(|of| of.answer);
    "first_tick", "from connect to the first tick", Tickfan, Opening, |of| of.first_tick, Some(|of| of.first_tick);
    "latency", "from the venue's schedule to the read", Any, VenueAndStreams, |of| of.latency, Some(|of| of.latency);
    "age", "from the gateway's receipt to the read", Tickfan, Streams, |of| of.age, Some(|of| of.age);
    "slow_age", "from the gateway's receipt to the read, of slow readers", Tickfan, Streams, |of| of.slow_age, None;
    "live_gap", "the time between two live ticks of a stream without options, while it was open", Tickfan, Streams, |of| of.live_gap, None;
};
