//! The measures that a threshold can be set on.

use crate::report::Summary;

/// The unit of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Count,
    /// A time, in µs.
    Time,
    /// A size, in bytes.
    Bytes,
}

/// Whether a threshold is an upper or a lower bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// An upper bound.
    AtMost,
    /// A lower bound.
    AtLeast,
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
    pub(super) read: fn(&Summary) -> Option<f64>,
}

macro_rules! measures {
    ($($name:literal, $about:literal, $unit:ident, $bound:ident, $read:expr;)+) => {
        [$(Measure { name: $name, about: $about, unit: Unit::$unit, bound: Bound::$bound, read: $read },)+]
    };
}

/// All measures.
pub const MEASURES: [Measure; 37] = measures! {
    "violations", "violations of any rule", Count, AtMost, |of| Some(of.violations.total as f64);
    "ticks", "ticks read by all streams", Count, AtLeast, |of| Some(of.streams.ticks as f64);
    "ticks_per_second", "ticks read per second while all streams were open", Count, AtLeast, |of| Some(of.ticks_per_second);
    "bytes_per_tick", "bytes read per tick, with all other events", Bytes, AtMost, |of| (of.streams.ticks > 0).then(|| of.streams.bytes as f64 / of.streams.ticks as f64);
    "opened", "opened streams; one that comes back counts again", Count, AtLeast, |of| Some(of.streams.opened as f64);
    "failed", "attempts that did not become streams", Count, AtMost, |of| Some(of.streams.failed as f64);
    "lost", "streams that ended unexpectedly", Count, AtMost, |of| Some(of.streams.lost as f64);
    "broken", "streams that ended without a goodbye", Count, AtMost, |of| Some(of.streams.broken() as f64);
    "closed_stalled", "streams that the gateway closed because they did not read", Count, AtLeast, |of| of.gateway.as_ref()?.closed("stalled");
    "missed_ring", "ticks that streams missed by the gateway's fault", Count, AtMost, |of| of.gateway.as_ref()?.missed("ring");
    "missed_lag", "ticks that streams missed because their clients were slow", Count, AtMost, |of| of.gateway.as_ref()?.missed("lag");
    "connect_p99", "from connect to established", Time, AtMost, |of| Some(of.connect?.p99 as f64);
    "handshake_p99", "from connect to the end of the TLS handshake", Time, AtMost, |of| Some(of.handshake?.p99 as f64);
    "answer_p99", "from connect to the head of the answer", Time, AtMost, |of| Some(of.answer?.p99 as f64);
    "answer_max", "from connect to the head of the answer, the longest", Time, AtMost, |of| Some(of.answer?.max as f64);
    "first_tick_p99", "from connect to the first tick", Time, AtMost, |of| Some(of.first_tick?.p99 as f64);
    "first_tick_max", "from connect to the first tick, the longest", Time, AtMost, |of| Some(of.first_tick?.max as f64);
    "latency_p50", "from the venue's schedule to the read", Time, AtMost, |of| Some(of.latency?.p50 as f64);
    "latency_p99", "from the venue's schedule to the read", Time, AtMost, |of| Some(of.latency?.p99 as f64);
    "age_p99", "from the gateway's receipt to the read", Time, AtMost, |of| Some(of.age?.p99 as f64);
    "age_max", "from the gateway's receipt to the read, the longest", Time, AtMost, |of| Some(of.age?.max as f64);
    "age_spread", "the mean age of the worst-served stream divided by the average", Count, AtMost, |of| of.age_spread;
    "symbol_age_spread", "the mean age of the worst-served symbol divided by the average", Count, AtMost, |of| of.symbol_age_spread;
    "slow_age_p99", "from the gateway's receipt to the read, of slow readers", Time, AtMost, |of| Some(of.slow_age?.p99 as f64);
    "holes", "ticks that streams without options missed, by the holes in their seq", Count, AtMost, |of| Some(of.streams.holes_of_whole as f64);
    "live_gap_max", "the longest time in which a stream without options got no live tick, while it was open", Time, AtMost, |of| Some(of.live_gap?.max as f64);
    "restarts", "gateways that were restarted", Count, AtLeast, |of| Some(of.cluster.as_ref()?.restarts as f64);
    "recovery", "from the end of the load until all streams have caught up", Time, AtMost, |of| Some(of.recovery? as f64);
    "cpu_per_tick", "the gateway's processor time per tick read", Time, AtMost, |of| of.gateway.as_ref()?.cpu_micros_per_tick;
    "cpu_per_connect", "the gateway's processor time per stream while they opened, snapshots included", Time, AtMost, |of| of.gateway.as_ref()?.cpu_micros_per_connect;
    "cpu_per_update", "the gateway's processor time per update taken from the venue", Time, AtMost, |of| of.gateway.as_ref()?.cpu_micros_per_update;
    "venue_connections", "connections that the venue had at a time", Count, AtMost, |of| Some(of.venue?.connections_max as f64);
    "venue_lost", "batches of updates that the gateway did not read from the venue in time", Count, AtMost, |of| Some(of.venue?.lost as f64);
    "cpu_to_floor", "the gateway's processor time per tick, divided by the bare loop's", Count, AtMost, |of| of.cpu_to_floor;
    "memory_per_stream", "the growth of the gateway's memory while streams opened, per stream", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_per_stream? as f64);
    "memory", "the gateway's peak memory", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_max? as f64);
    "memory_growth", "the growth of the gateway's memory after the first third of the load", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_growth? as f64);
};
