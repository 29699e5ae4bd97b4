//! All that a run has shown.

use crate::{
    check::Evidence,
    measure::{Ended, Percentiles, Second},
    scenario::Crossed,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// All that a run has shown. Times are in µs, sizes in bytes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// What was run.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// When it began, in µs since 1970.
    pub began: i64,
    /// How long the load lasted once all streams were there, in seconds.
    pub seconds_measured: f64,
    /// Whether a signal ended it before its time.
    pub stopped: bool,
    /// What the streams got.
    pub streams: StreamsSummary,
    /// Ticks read in a second, while all streams were there.
    pub ticks_per_second: f64,
    /// Bytes read in a second, while all streams were there.
    pub bytes_per_second: f64,
    /// From the start of a connection until it is made, which a server's kernel does without it.
    pub connect: Option<Percentiles>,
    /// From the start of a connection to the head of the answer, of those that became streams.
    pub answer: Option<Percentiles>,
    /// From the start of a connection to its first tick.
    pub first_tick: Option<Percentiles>,
    /// From the venue's schedule to the reading, of streams that read at once. `None`: not measured.
    pub latency: Option<Percentiles>,
    /// The curve of that: how many nines, and the time.
    pub latency_curve: Vec<(f64, f64)>,
    /// From the gateway's receipt to the reading, of streams that read at once.
    pub age: Option<Percentiles>,
    /// How many times the mean age the worst-served stream's is, of those that read at once.
    pub age_spread: Option<f64>,
    /// The same of the worst-served symbol.
    pub symbol_age_spread: Option<f64>,
    /// The same of slow readers.
    pub slow_age: Option<Percentiles>,
    /// From the load's end until all streams had all, in µs. `None`: the load is not ours.
    pub recovery: Option<u64>,
    /// What was broken.
    pub violations: ViolationsSummary,
    /// What the gateway told and cost, where it is known.
    pub gateway: Option<GatewaySummary>,
    /// What the load tester itself cost.
    pub generator: GeneratorSummary,
    /// What the venue did, where it is ours.
    pub venue: Option<VenueSummary>,
    /// What the bare loop did with the same streams, if it was run.
    pub floor: Option<FloorSummary>,
    /// The gateway's processor time per tick, divided by the bare loop's.
    pub cpu_to_floor: Option<f64>,
    /// Why the numbers may not be what they seem.
    pub warnings: Vec<String>,
    /// Thresholds that were crossed.
    pub crossed: Vec<Crossed>,
    /// Thresholds that were kept.
    pub kept: Vec<&'static str>,
    /// Second by second, as the streams saw it.
    pub timeline: Vec<Second>,
    /// Second by second, what was used.
    pub samples: Vec<Sample>,
}

/// What the streams got.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StreamsSummary {
    /// How many there were to be.
    pub asked: u64,
    /// How many opened, again and again if they came back.
    pub opened: u64,
    /// How many of them came back with `Last-Event-ID`.
    pub resumed: u64,
    /// Attempts that did not become streams.
    pub failed: u64,
    /// Streams that ended and were not asked to, but for those that never read.
    pub lost: u64,
    /// Ticks.
    pub ticks: u64,
    /// Events with a name.
    pub named: u64,
    /// Bytes.
    pub bytes: u64,
    /// Ticks that were left out, by the holes in `seq`.
    pub holes: u64,
    /// How they ended, by group.
    pub groups: Vec<GroupSummary>,
    /// What the first server said that did not open a stream.
    pub refusal: Option<String>,
}

/// How the streams of a group ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub name: String,
    /// How many there were to be.
    pub asked: u64,
    /// Of them, those that ended and were not asked to. Of streams that never read this is right, and none is lost.
    pub lost: u64,
    /// How they ended.
    pub ended: BTreeMap<Ended, u64>,
}

/// What was broken.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ViolationsSummary {
    /// How often, of any kind.
    pub total: u64,
    /// How often, by rule.
    pub by_rule: BTreeMap<&'static str, u64>,
    /// The first of each rule.
    pub evidence: Vec<Evidence>,
}

/// What the gateway told and cost.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GatewaySummary {
    /// Processor time while all streams were there, in cores.
    pub cpu_cores: Option<f64>,
    /// The same per tick that was read.
    pub cpu_micros_per_tick: Option<f64>,
    /// The same per update that it took from the venue.
    pub cpu_micros_per_update: Option<f64>,
    /// What its memory grew by while streams opened, per stream.
    pub memory_per_stream: Option<u64>,
    /// Its most memory.
    pub memory_max: Option<u64>,
    /// How much of it came after the first third of the load.
    pub memory_growth: Option<u64>,
    /// Ticks that it wrote.
    pub ticks_sent: Option<u64>,
    /// Ticks that it left out, by cause.
    pub missed: BTreeMap<String, u64>,
    /// Streams that it ended, by reason.
    pub closed: BTreeMap<String, u64>,
}

/// What the load tester cost.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct GeneratorSummary {
    /// The most that the streams' thread used in a second, of one core.
    pub thread_cpu_max: f64,
    /// What it used on average, of one core.
    pub thread_cpu: f64,
    /// How often the thread was so slow that it made what it read late.
    pub late_turns: u64,
    /// How busy the whole machine was, from 0 to 1.
    pub machine_busy: Option<f64>,
}

/// What the venue did.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct VenueSummary {
    /// Updates that it generated.
    pub updates: u64,
    /// Updates that were written to the gateway's connections, of all that were generated.
    pub taken: u64,
    /// The same in a second, while all streams were there.
    pub taken_per_second: f64,
    /// Batches of updates that the gateway's connection was too slow for.
    pub lost: u64,
    /// The most that it was behind its schedule, in µs.
    pub latest: u64,
}

/// What the bare loop did.
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
    /// Attempts that did not become streams of its.
    pub failed: u64,
    /// Its streams that ended and were not asked to.
    pub lost: u64,
    /// What it has broken: it is not to be compared with then.
    pub violations: ViolationsSummary,
}

/// What was used at one moment.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// What the gateway used since the last sample, in cores.
    pub gateway_cpu: Option<f64>,
    /// Its memory.
    pub gateway_memory: Option<u64>,
    /// What the load tester used, in cores, its venue with it.
    pub own_cpu: f64,
    /// How busy the machine was, from 0 to 1.
    pub machine_busy: Option<f64>,
}

impl FloorSummary {
    /// Whether it did what it was to do.
    pub fn is_sound(&self) -> bool {
        self.violations.total + self.failed + self.lost == 0
    }
}

impl GatewaySummary {
    /// How many streams it ended for a reason.
    pub fn closed(&self, reason: &str) -> Option<f64> {
        self.closed.get(reason).map(|count| *count as f64)
    }

    /// How many ticks it left out by a cause.
    pub fn missed(&self, cause: &str) -> Option<f64> {
        self.missed.get(cause).map(|count| *count as f64)
    }
}
