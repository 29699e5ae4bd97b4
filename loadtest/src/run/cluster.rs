//! A cluster for one run: brokers, and gateways that are restarted one after the other.

use super::{
    broker::{BrokerError, Brokers},
    gateway::{Gateway, GatewayError, Place},
    stop::Stop,
};
use crate::{
    measure::{Admin, Process, Usage},
    report::{BusSummary, ClusterSummary, NodeSummary},
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

    /// Restarts one gateway after the other, as often as asked for; each once the one before is ready. A restart that
    /// fails is the last.
    pub(super) fn restart_all(&self, stop: &Stop) {
        for number in 0..self.setup.restarts as usize {
            if stop.is_requested() {
                return;
            }
            let begun = Instant::now();
            let restarted = self.restart(&self.nodes[number % self.nodes.len()]);
            let mut done = lock(&self.done);
            if let Err(what) = restarted {
                done.failure = Some(format!("restart {}: {what}", number + 1));
                return;
            }
            done.count += 1;
            done.longest = done.longest.max(begun.elapsed());
        }
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
            Used::of(node.name.clone(), gateway.pid(), published(gateway))
        });
        let brokers = self.brokers.pids().enumerate();
        gateways
            .chain(brokers.filter_map(|(number, pid)| Used::of(format!("broker {}", number + 1), pid, None)))
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
            })
        });
        ClusterSummary {
            nodes: self.setup.nodes,
            brokers: self.setup.brokers,
            restarts: u64::from(done.count),
            restart_longest: u64::try_from(done.longest.as_micros()).unwrap_or(u64::MAX),
            failure: done.failure,
            latency: Vec::new(),
            processes: nodes.collect(),
        }
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

impl Used {
    fn of(name: String, pid: u32, published: Option<Published>) -> Option<Self> {
        let usage = Process::new(pid).ok()?.usage().ok()?;
        Some(Self { name, pid, usage, published })
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

fn published(gateway: &Gateway) -> Option<Published> {
    let counters = gateway.admin.counters().ok()?;
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
