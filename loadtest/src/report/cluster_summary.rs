//! The results of a cluster.

use crate::measure::Percentiles;
use serde::Serialize;

/// The cluster of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ClusterSummary {
    /// Gateways.
    pub nodes: usize,
    /// Brokers.
    pub brokers: usize,
    /// Gateways that were restarted, and became ready.
    pub restarts: u64,
    /// Restarts of a gateway that owned a feed, which another one took over as it was handed over.
    pub handed_over: u64,
    /// The longest restart, from SIGTERM until the new process was ready, in µs.
    pub restart_longest: u64,
    /// The longest time from the first message of an owner that a gateway heard until it had the state, in µs.
    pub synced_longest: Option<i64>,
    /// Why the restarts ended early.
    pub failure: Option<String>,
    /// Latency by gateway, of streams that read at once.
    pub latency: Vec<Option<Percentiles>>,
    /// The processes that ran from the beginning of the load to its end.
    pub processes: Vec<NodeSummary>,
}

/// A process of a cluster.
#[derive(Debug, Clone, Serialize)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// Processor time while the load lasted, in cores.
    pub cpu_cores: f64,
    /// Its memory at the end.
    pub memory: u64,
    /// What it published to the others, if it is a gateway that owned a feed.
    pub bus: Option<BusSummary>,
    /// How long messages of an owner were on their way to it, if it is a gateway that followed one.
    pub delay: Option<DelaySummary>,
}

/// How long messages of an owner were on their way to a gateway: interpolated within the buckets of its histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DelaySummary {
    /// Half of them were faster, in µs.
    pub p50: f64,
    /// 99 of 100 were faster, in µs.
    pub p99: f64,
}

/// What a gateway published to the others.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BusSummary {
    /// Ticks per second.
    pub ticks_per_second: f64,
    /// Ticks of a message, beats included.
    pub ticks_per_message: f64,
    /// Bytes of a tick, heads included.
    pub bytes_per_tick: f64,
}
