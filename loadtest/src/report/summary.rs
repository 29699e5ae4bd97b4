//! The results of a run.

use super::{
    checks::{Check, Outcome},
    cluster_summary::ClusterSummary,
    mark::Mark,
    provenance::Provenance,
    unit_names::Units,
};
use crate::{
    check::Evidence,
    measure::{Ended, Percentiles, Second},
    scenario::{Judged, Threshold, Verdict},
    tls::Negotiated,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The results of a run. Times are in µs, sizes in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// The name of the scenario or command.
    pub name: String,
    /// Its purpose.
    pub about: String,
    /// Where the report comes from.
    pub provenance: Option<Provenance>,
    /// What the results say of the server.
    pub outcome: Outcome,
    /// Whether the server is another one than tickfan: its events are counted, not checked.
    pub is_other_server: bool,
    /// When it began, in µs since 1970.
    pub began: i64,
    /// How long the load lasted once all streams were open, in seconds.
    pub seconds_measured: f64,
    /// Whether a signal ended it early.
    pub stopped: bool,
    /// The streams.
    pub streams: StreamsSummary,
    /// Ticks read while all streams were open.
    pub ticks_measured: u64,
    /// Ticks read per second while all streams were open.
    pub ticks_per_second: f64,
    /// Bytes read while all streams were open.
    pub bytes_measured: u64,
    /// Bytes read per second while all streams were open.
    pub bytes_per_second: f64,
    /// From connect to established; the server's kernel does this without the server.
    pub connect: Option<Percentiles>,
    /// What the connections spoke.
    pub connections: Vec<ConnectionsSummary>,
    /// The SHA-256 of the dictionary that streams were compressed with.
    pub dictionary: Option<String>,
    /// From connect to the end of the TLS handshake.
    pub handshake: Option<Percentiles>,
    /// From connect to the head of the answer, of connections that became streams.
    pub answer: Option<Percentiles>,
    /// From connect to the first tick.
    pub first_tick: Option<Percentiles>,
    /// From the venue's schedule to the read, of streams that read at once. `None`: not measured.
    pub latency: Option<Percentiles>,
    /// The percentile curve of latency: the number of nines, and the time.
    pub latency_curve: Vec<(f64, f64)>,
    /// From the gateway's receipt to the read, of streams that read at once.
    pub age: Option<Percentiles>,
    /// The mean age of the worst-served stream divided by that of all streams, of those that read at once.
    pub age_spread: Option<f64>,
    /// The same for the worst-served symbol.
    pub symbol_age_spread: Option<f64>,
    /// The age at the read of slow readers.
    pub slow_age: Option<Percentiles>,
    /// The times between two live ticks of a stream without options, while it was open.
    pub live_gap: Option<Percentiles>,
    /// Which times are not judged, since they are of clocks that do not agree.
    pub clocks: ClocksSummary,
    /// From the end of the load until all streams had caught up, in µs. `None`: the load is not ours, or they had not.
    pub recovery: Option<u64>,
    /// Each rule, and whether it was judged.
    pub checks: Vec<Check>,
    /// The violations.
    pub violations: ViolationsSummary,
    /// The cost and the counters of the gateway, if known.
    pub gateway: Option<GatewaySummary>,
    /// The cost of the load tester.
    pub generator: GeneratorSummary,
    /// The venue, if it is ours.
    pub venue: Option<VenueSummary>,
    /// The cluster that was loaded, if it was one.
    pub cluster: Option<ClusterSummary>,
    /// The bare loop under the same load, if it was run.
    pub floor: Option<FloorSummary>,
    /// The gateway's processor time per tick, divided by the bare loop's.
    pub cpu_to_floor: Option<f64>,
    /// Why the figures may be misleading.
    pub warnings: Vec<String>,
    /// All thresholds with their verdicts.
    pub thresholds: Vec<Judged>,
    /// The crossed thresholds.
    pub crossed: Vec<Judged>,
    /// The thresholds that were met.
    pub kept: Vec<String>,
    /// The units of all numbers.
    pub units: Units,
    /// What happened when, on the time of the timeline.
    pub marks: Vec<Mark>,
    /// What the streams read, second by second.
    pub timeline: Vec<Second>,
    /// Processor time and memory, second by second.
    pub samples: Vec<Sample>,
}

/// The streams of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamsSummary {
    /// The number of planned streams.
    pub asked: u64,
    /// Opened streams; one that comes back counts again.
    pub opened: u64,
    /// Of them, those that came back with `Last-Event-ID`.
    pub resumed: u64,
    /// Attempts that did not become streams.
    pub failed: u64,
    /// Streams that ended unexpectedly, except those that never read.
    pub lost: u64,
    /// Ticks.
    pub ticks: u64,
    /// Named events.
    pub named: u64,
    /// Bytes.
    pub bytes: u64,
    /// Missed ticks, by the holes in `seq`; `None`: another server's events have none.
    pub holes: Option<u64>,
    /// Of them, those of streams without options; `None`: there was not one tick of such a stream.
    pub holes_of_whole: Option<u64>,
    /// By group.
    pub groups: Vec<GroupSummary>,
    /// The first answer that did not open a stream.
    pub refusal: Option<String>,
}

/// How the streams of a group ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: String,
    /// How many of its streams share a connection.
    pub streams_per_connection: usize,
    /// The number of planned streams.
    pub asked: u64,
    /// Of them, those that ended unexpectedly. Streams that never read are expected to end.
    pub lost: u64,
    /// Opened streams; one that comes back counts again.
    pub opened: u64,
    /// Ticks.
    pub ticks: u64,
    /// Missed ticks, by the holes in `seq`.
    pub holes: u64,
    /// Bytes.
    pub bytes: u64,
    /// From connect to the head of the answer.
    pub answer: Option<Percentiles>,
    /// From connect to the first tick.
    pub first_tick: Option<Percentiles>,
    /// From the venue's schedule to the read.
    pub latency: Option<Percentiles>,
    /// The percentile curve of latency.
    pub latency_curve: Vec<(f64, f64)>,
    /// From the gateway's receipt to the read.
    pub age: Option<Percentiles>,
    /// How they ended.
    pub ended: BTreeMap<Ended, u64>,
}

/// Connections that spoke the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectionsSummary {
    /// The protocol.
    pub protocol: String,
    /// What TLS negotiated; `None`: there was no TLS.
    pub tls: Option<Negotiated>,
    /// How many there were; one that comes back counts again.
    pub count: u64,
}

/// The violations of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ViolationsSummary {
    /// Of any rule; `None`: nothing was judged.
    pub total: Option<u64>,
    /// By rule.
    pub by_rule: BTreeMap<&'static str, u64>,
    /// The first ones of each rule.
    pub evidence: Vec<Evidence>,
}

/// The cost and the counters of the gateway.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GatewaySummary {
    /// Its version, if it tells.
    pub version: Option<String>,
    /// The commit that it was built from, if it tells.
    pub commit: Option<String>,
    /// Processor time while all streams were open, in cores.
    pub cpu_cores: Option<f64>,
    /// The same per tick read.
    pub cpu_micros_per_tick: Option<f64>,
    /// The same per update that the gateway took from the venue.
    pub cpu_micros_per_update: Option<f64>,
    /// Processor time per stream while they opened, snapshots included.
    pub cpu_micros_per_connect: Option<f64>,
    /// The growth of its memory while the streams opened, per stream.
    pub memory_per_stream: Option<u64>,
    /// Its peak memory.
    pub memory_max: Option<u64>,
    /// The growth of its memory after the first third of the load.
    pub memory_growth: Option<u64>,
    /// Ticks that it wrote.
    pub ticks_sent: Option<u64>,
    /// Missed ticks by cause.
    pub missed: BTreeMap<String, u64>,
    /// Closed streams by reason.
    pub closed: BTreeMap<String, u64>,
}

/// Why times are not judged that are of two clocks; `None`: nothing speaks against them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ClocksSummary {
    /// Ages, from the server's clock to this one.
    pub age: Option<String>,
    /// Latency, from the venue's clock to this one.
    pub latency: Option<String>,
}

/// The cost of the load tester.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct GeneratorSummary {
    /// The peak share of one core of the streams' thread, over a second.
    pub thread_cpu_max: f64,
    /// Its mean share of one core within the load.
    pub thread_cpu: f64,
    /// How late the thread was by its own fault within the load: how long a ready socket waited for it.
    pub late: Option<Percentiles>,
    /// The same while the streams opened.
    pub late_opening: Option<Percentiles>,
    /// How late it began connects, against their schedule.
    pub late_connects: Option<Percentiles>,
    /// Whether streams connect within the load too, by stages or churn.
    pub connects_in_load: bool,
    /// How many streams began to connect per second, for the first time.
    pub connects_per_second: Option<f64>,
    /// Turns in which the thread was so slow that ticks became late by its own fault.
    pub late_turns: u64,
    /// The mean load of all processors within the load, from 0 to 1.
    pub machine_busy: Option<f64>,
}

/// The venue of a run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct VenueSummary {
    /// Updates that it generated.
    pub updates: u64,
    /// Of them, those that it wrote to the gateway's connections.
    pub taken: u64,
    /// The same per second while all streams were open.
    pub taken_per_second: f64,
    /// Batches that it dropped because the gateway read too slowly.
    pub lost: u64,
    /// Batches that it dropped because it was itself too slow to write them.
    pub dropped: u64,
    /// The longest time that it was behind its schedule, in µs.
    pub latest: u64,
    /// How late it began to write updates of the load, against their schedule.
    pub late: Option<Percentiles>,
    /// Connections that subscribed, one after the other or at a time.
    pub subscriptions: u64,
    /// The most connections that it had at a time.
    pub connections_max: u64,
}

/// The bare loop of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FloorSummary {
    /// Ticks that it sent.
    pub ticks: u64,
    /// Streams that were given up, as they fell too far behind.
    pub cut: u64,
    /// Its processor time per tick, in µs.
    pub cpu_micros_per_tick: Option<f64>,
    /// From its schedule to the reading, of streams that read at once.
    pub latency: Option<Percentiles>,
    /// Attempts that did not become streams.
    pub failed: u64,
    /// Streams that ended unexpectedly.
    pub lost: u64,
    /// Its violations, which make the comparison invalid.
    pub violations: ViolationsSummary,
}

/// Processor time and memory at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// The gateway's processor time since the last sample, in cores.
    pub gateway_cpu: Option<f64>,
    /// The gateway's memory.
    pub gateway_memory: Option<u64>,
    /// The load tester's processor time with its venue, in cores.
    pub own_cpu: f64,
    /// The load of all processors, from 0 to 1.
    pub machine_busy: Option<f64>,
}

impl Summary {
    /// Judges the results by thresholds.
    pub fn apply_thresholds(&mut self, thresholds: &[Threshold]) {
        self.thresholds = thresholds.iter().map(|threshold| threshold.judge(self)).collect();
        let of = |verdict| self.thresholds.iter().filter(move |judged| judged.verdict == verdict);
        self.crossed = of(Verdict::Crossed).cloned().collect();
        self.kept = of(Verdict::Met).map(|judged| judged.measure.clone()).collect();
        self.outcome = self.outcome();
    }
}

impl StreamsSummary {
    /// How many attempts became no stream, but for those that a gateway told to come back: one that drains does.
    pub fn unanswered(&self) -> u64 {
        let ended = self.groups.iter().flat_map(|group| &group.ended);
        ended.filter(|(how, _)| how.has_failed() && **how != Ended::Busy).map(|(_, count)| count).sum()
    }

    /// How many connects a gateway refused whose client turned to another one.
    pub fn elsewhere(&self) -> u64 {
        let ended = self.groups.iter().flat_map(|group| &group.ended);
        ended.filter(|(how, _)| **how == Ended::Elsewhere).map(|(_, count)| count).sum()
    }

    /// How many streams ended without a goodbye.
    pub fn broken(&self) -> u64 {
        let ended = self.groups.iter().flat_map(|group| &group.ended);
        ended.filter(|(how, _)| matches!(how, Ended::Ended | Ended::Reset)).map(|(_, count)| count).sum()
    }
}

impl FloorSummary {
    /// Whether it served all streams without violations.
    pub fn is_sound(&self) -> bool {
        self.violations.total.unwrap_or(0) + self.failed + self.lost == 0
    }
}

impl GatewaySummary {
    /// How many streams it closed for a reason.
    pub fn closed(&self, reason: &str) -> Option<f64> {
        self.closed.get(reason).map(|count| *count as f64)
    }

    /// How many ticks streams missed by a cause.
    pub fn missed(&self, cause: &str) -> Option<f64> {
        self.missed.get(cause).map(|count| *count as f64)
    }
}
