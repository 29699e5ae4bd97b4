//! A cluster for one run: brokers, and gateways that are restarted one after the other.

use super::{
    broker::{BrokerError, Brokers},
    gateway::{Gateway, GatewayError, Place},
    stop::Stop,
};
use crate::{
    measure::{Admin, Counters, Process, Transition, Usage},
    report::{BusSummary, ClusterSummary, DelaySummary, NodeSummary},
    scenario::ClusterSetup,
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use toml::{Table, Value};

/// The variable that gives a gateway its name in the cluster.
const NODE_VARIABLE: &str = "TICKFAN_CLUSTER_NODE";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    // First: gateways stop before their brokers.
    nodes: Vec<Node>,
    brokers: Brokers,
    program: PathBuf,
    config: String,
    setup: ClusterSetup,
    done: Mutex<Restarts>,
}

#[derive(Debug)]
struct Node {
    name: String,
    place: Place,
    /// `None` while it is restarted, and after a restart that failed.
    gateway: Mutex<Option<Gateway>>,
}

/// The restarts so far.
#[derive(Debug, Clone, Default)]
struct Restarts {
    count: u32,
    /// Those of a gateway that owned a feed, which another one then took over as it was handed over.
    handed_over: u32,
    longest: Duration,
    failure: Option<String>,
}

/// What a process of a cluster has used and published so far.
#[derive(Debug, Clone)]
pub(super) struct Used {
    name: String,
    pid: u32,
    usage: Usage,
    published: Option<Published>,
    /// How long messages of its owner were on their way: see [`Counters::buckets`](crate::measure::Counters::buckets).
    delays: Vec<(f64, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Published {
    messages: f64,
    ticks: f64,
    bytes: f64,
}

/// Why the cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The brokers could not be started.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// A gateway does not run.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl Cluster {
    /// Starts brokers and gateways, and waits until all are ready. `config` is a gateway's configuration without
    /// `[cluster]`.
    ///
    /// # Errors
    /// [`ClusterError`]; then no process is left.
    pub fn start(setup: ClusterSetup, nats: &Path, program: &Path, config: &str) -> Result<Self, ClusterError> {
        let brokers = Brokers::start(nats, setup.brokers)?;
        let config = format!("{config}\n{}", table(&brokers.addresses()));
        let mut nodes = Vec::new();
        for number in 1..=setup.nodes {
            let name = format!("gw-{number}");
            let gateway = Gateway::start_at(program, &config, &Place::any(), &[(NODE_VARIABLE, &name)])?;
            nodes.push(Node { name, place: gateway.place(), gateway: Mutex::new(Some(gateway)) });
        }
        Ok(Self { nodes, brokers, program: program.to_owned(), config, setup, done: Mutex::default() })
    }

    /// The addresses for clients.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.place.listen).collect()
    }

    /// The admin listener of the first gateway; all have the same program and configuration.
    pub fn admin(&self) -> Admin {
        Admin::new(self.nodes[0].place.admin)
    }

    /// Restarts one gateway after the other, as often as asked for; each once the one before is ready. Each second one
    /// owns a feed, so that it has to hand it over. A restart that fails is the last.
    pub(super) fn restart_all(&self, stop: &Stop) {
        for number in 0..self.setup.restarts as usize {
            if stop.is_requested() {
                return;
            }
            let begun = Instant::now();
            let node = self.next(number);
            let (owned, granted) = (node.owns(), self.granted_but(node));
            let restarted = self.restart(node);
            let is_handed_over = owned && self.granted_but(node) > granted;
            let mut done = lock(&self.done);
            if let Err(what) = restarted {
                done.failure = Some(format!("restart {}: {what}", number + 1));
                return;
            }
            done.count += 1;
            done.handed_over += u32::from(is_handed_over);
            done.longest = done.longest.max(begun.elapsed());
        }
    }

    /// The gateway to restart next.
    fn next(&self, number: usize) -> &Node {
        let in_turn = &self.nodes[number % self.nodes.len()];
        let owner = || self.nodes.iter().find(|node| node.owns());
        number.is_multiple_of(2).then(owner).flatten().unwrap_or(in_turn)
    }

    /// How many feeds were handed over to the other gateways.
    fn granted_but(&self, but: &Node) -> f64 {
        let others = self.nodes.iter().filter(|node| node.name != but.name);
        others.filter_map(|node| node.sum("tickfan_cluster_owner_changes_total", "reason=\"granted\"")).sum()
    }

    fn restart(&self, node: &Node) -> Result<(), String> {
        let mut gateway = lock(&node.gateway);
        if gateway.take().is_some_and(|gateway| !gateway.stop()) {
            return Err(format!("{} did not shut down cleanly", node.name));
        }
        let variables = [(NODE_VARIABLE, node.name.as_str())];
        let started = Gateway::start_at(&self.program, &self.config, &node.place, &variables);
        *gateway = Some(started.map_err(|error| format!("{}: {error}", node.name))?);
        Ok(())
    }

    /// What each process has used so far.
    pub(super) fn usage(&self) -> Vec<Used> {
        let gateways = self.nodes.iter().filter_map(|node| {
            let gateway = lock(&node.gateway);
            let gateway = gateway.as_ref()?;
            let counters = gateway.admin.counters().ok();
            let delays = counters.as_ref().map_or(Vec::new(), |counters| counters.buckets("tickfan_bus_delay_seconds"));
            Used::of(node.name.clone(), gateway.pid(), counters.as_ref().and_then(published), delays)
        });
        let brokers = self.brokers.pids().enumerate();
        gateways
            .chain(
                brokers.filter_map(|(number, pid)| Used::of(format!("broker {}", number + 1), pid, None, Vec::new())),
            )
            .collect()
    }

    /// The summary of a load of so many seconds, with what was used before and after it. Of a gateway that was
    /// restarted meanwhile, nothing is known.
    pub(super) fn summary(&self, before: &[Used], after: &[Used], seconds: f64) -> ClusterSummary {
        let done = lock(&self.done).clone();
        let seconds = seconds.max(f64::MIN_POSITIVE);
        let nodes = after.iter().filter_map(|after| {
            let before = before.iter().find(|before| before.pid == after.pid)?;
            Some(NodeSummary {
                name: after.name.clone(),
                cpu_cores: after.usage.cpu.saturating_sub(before.usage.cpu).as_secs_f64() / seconds,
                memory: after.usage.memory_bytes,
                bus: before.published.zip(after.published).and_then(|(before, after)| after.since(before, seconds)),
                delay: delay(&before.delays, &after.delays),
            })
        });
        ClusterSummary {
            nodes: self.setup.nodes,
            brokers: self.setup.brokers,
            restarts: u64::from(done.count),
            handed_over: u64::from(done.handed_over),
            synced_longest: self.synced_longest(),
            restart_longest: u64::try_from(done.longest.as_micros()).unwrap_or(u64::MAX),
            failure: done.failure,
            latency: Vec::new(),
            processes: nodes.collect(),
        }
    }

    /// The longest time in which one of the gateways that run got the state of a shard.
    fn synced_longest(&self) -> Option<i64> {
        let gateways = self.nodes.iter().filter_map(|node| lock(&node.gateway).as_ref()?.admin.transitions().ok());
        gateways.filter_map(|transitions| synced_within(&transitions)).max()
    }

    /// Stops the gateways; returns whether all of them exited successfully.
    pub fn stop(self) -> bool {
        let mut all_stopped = true;
        for node in self.nodes {
            let gateway = node.gateway.into_inner().unwrap_or_else(PoisonError::into_inner);
            all_stopped &= gateway.is_none_or(Gateway::stop);
        }
        all_stopped
    }
}

impl Node {
    /// Whether it owns a feed.
    fn owns(&self) -> bool {
        self.sum("tickfan_cluster_owned", "").is_some_and(|owned| owned > 0.0)
    }

    /// The sum of a metric's series with this label; `None` if the gateway does not tell.
    fn sum(&self, metric: &str, label: &str) -> Option<f64> {
        lock(&self.gateway).as_ref()?.admin.counters().ok()?.sum(metric, label)
    }
}

impl Used {
    fn of(name: String, pid: u32, published: Option<Published>, delays: Vec<(f64, u64)>) -> Option<Self> {
        let usage = Process::new(pid).ok()?.usage().ok()?;
        Some(Self { name, pid, usage, published, delays })
    }
}

impl Published {
    /// What was published since; `None`: no tick.
    fn since(self, before: Self, seconds: f64) -> Option<BusSummary> {
        let ticks = self.ticks - before.ticks;
        (ticks > 0.0).then(|| BusSummary {
            ticks_per_second: ticks / seconds,
            ticks_per_message: ticks / (self.messages - before.messages).max(1.0),
            bytes_per_tick: (self.bytes - before.bytes) / ticks,
        })
    }
}

/// From the first message that a fresh gateway heard until it had a shard's state: of the first time alone.
fn synced_within(transitions: &[Transition]) -> Option<i64> {
    let asks = transitions.iter().find(|transition| transition.to == "asking")?;
    let is_end = |transition: &&Transition| {
        transition.to == "live" && transition.shard == asks.shard && transition.at >= asks.at
    };
    Some(transitions.iter().find(is_end)?.at - asks.at)
}

/// The delays between two looks.
fn delay(before: &[(f64, u64)], after: &[(f64, u64)]) -> Option<DelaySummary> {
    let before = |bound: f64| before.iter().find(|(of, _)| *of == bound).map_or(0, |(_, count)| *count);
    let buckets: Vec<(f64, u64)> =
        after.iter().map(|(bound, count)| (*bound, count.saturating_sub(before(*bound)))).collect();
    let all = buckets.last()?.1;
    let quantile = |share: f64| {
        let wanted = all as f64 * share;
        let mut below = (0.0, 0);
        for &(bound, count) in &buckets {
            if count as f64 >= wanted && count > below.1 {
                // Beyond the last bound nothing is known.
                let bound = if bound.is_finite() { bound } else { below.0 };
                let inside = (wanted - below.1 as f64) / (count - below.1) as f64;
                return (below.0 + (bound - below.0) * inside) * 1e6;
            }
            below = (bound, count);
        }
        f64::NAN
    };
    (all > 0).then(|| DelaySummary { p50: quantile(0.5), p99: quantile(0.99) })
}

fn published(counters: &Counters) -> Option<Published> {
    let sent =
        |name| counters.by_label(name).into_iter().find(|(label, _)| label == "sent").map(|(_, count)| count as f64);
    let messages = sent("tickfan_bus_batches_total")?;
    Some(Published { messages, ticks: sent("tickfan_bus_ticks_total")?, bytes: sent("tickfan_bus_bytes_total")? })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The table of a gateway that shares these brokers.
fn table(brokers: &[String]) -> String {
    let cluster = Table::from_iter([
        ("name".to_owned(), Value::from("loadtest")),
        ("servers".to_owned(), Value::from(brokers.to_vec())),
        ("replicas".to_owned(), Value::from(brokers.len() as i64)),
    ]);
    Table::from_iter([("cluster".to_owned(), Value::Table(cluster))]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_interpolated_between_the_bounds_of_what_came_between_two_looks() {
        let before = [(0.001, 50), (0.002, 50), (f64::INFINITY, 50)];
        let after = [(0.001, 150), (0.002, 248), (f64::INFINITY, 250)];
        let DelaySummary { p50, p99 } = delay(&before, &after).unwrap();
        assert!((p50 - 1_000.0).abs() < 1.0 && (p99 - 2_000.0).abs() < 1.0, "{p50} {p99}");
        assert_eq!(delay(&after, &after), None);
        assert_eq!(delay(&[], &[(0.001, 0), (f64::INFINITY, 4)]).map(|delay| delay.p99), Some(1_000.0));
    }

    #[test]
    fn a_fresh_gateway_is_synced_with_the_first_snapshot() {
        let transition = |at, shard: &str, to: &str| Transition { at, shard: shard.to_owned(), to: to.to_owned() };
        let of = [
            transition(5, "x.0", "asking"),
            transition(6, "y.0", "live"),
            transition(30, "x.0", "live"),
            transition(90, "x.0", "asking"),
        ];
        assert_eq!(synced_within(&of), Some(25));
        assert_eq!((synced_within(&of[..2]), synced_within(&of[1..3])), (None, None));
    }
}
