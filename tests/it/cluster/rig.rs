//! A venue, a bus, a store of leases, and gateways as their nodes.

use crate::support::{
    Answer, Client, PATIENCE,
    reference::Fields,
    running::{Running, binance, config},
    stream::{Event, Stream, Tick},
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tickfan::{
    cluster::{
        bus::Leases,
        lease::{LeaseValue, ReadAnswer, WriteAnswer},
        memory::{MemoryBroker, MemoryBus, MemoryLeases},
        names::ShardName,
    },
    config::{Cluster, Feed},
    gateway::Membership,
};
use venue_sim::blocking::{Connection, Venue};

const SYMBOLS: &[&str] = &["BTC-USDT", "ETH-USDT"];
/// Shorter than the configuration allows.
const LEASE: Duration = Duration::from_secs(3);

/// What the nodes of a test share.
pub(super) struct Rig {
    pub(super) venue: Venue,
    pub(super) broker: MemoryBroker,
    leases: MemoryLeases,
}

/// A node's access to the store, which a test can cut.
#[derive(Clone)]
pub(super) struct NodeLeases {
    store: MemoryLeases,
    fails: Arc<AtomicBool>,
}

impl Leases for NodeLeases {
    async fn read(&self, shard: &ShardName) -> ReadAnswer {
        if self.fails.load(Ordering::Relaxed) { ReadAnswer::Failed } else { self.store.read(shard).await }
    }

    async fn write(&self, shard: &ShardName, expected: Option<u64>, value: &LeaseValue) -> WriteAnswer {
        if self.fails.load(Ordering::Relaxed) {
            return WriteAnswer::Unknown;
        }
        self.store.write(shard, expected, value).await
    }
}

/// A gateway of the cluster. Dropped, it is gone like a process that is killed.
pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) bus: MemoryBus,
    leases: NodeLeases,
    running: Running,
}

impl Rig {
    pub(super) fn start() -> Self {
        Self { venue: Venue::bind(), broker: MemoryBroker::default(), leases: MemoryLeases::default() }
    }

    pub(super) fn node(&self, name: &'static str) -> Node {
        self.node_with(name, |_| {})
    }

    /// A node with another feed than the others.
    pub(super) fn node_with(&self, name: &'static str, change: impl FnOnce(&mut Feed)) -> Node {
        self.node_at(&self.broker, name, change)
    }

    /// A node at another broker.
    pub(super) fn node_at(&self, broker: &MemoryBroker, name: &'static str, change: impl FnOnce(&mut Feed)) -> Node {
        let mut config = config(vec![binance("crypto", &self.venue.url, SYMBOLS)]);
        change(&mut config.feeds[0]);
        // A machine that is busy with other tests must not make holes.
        config.fanout.max_lag = Duration::from_secs(10);
        config.cluster = Some(Cluster {
            name: "test".to_owned(),
            node: name.to_owned(),
            lease: LEASE,
            stale_after: Duration::from_secs(1),
            batch: Duration::from_millis(1),
            ..Cluster::default()
        });
        let bus = broker.connect();
        let leases = NodeLeases { store: self.leases.clone(), fails: Arc::default() };
        let membership = Membership { bus: bus.clone(), leases: leases.clone() };
        Node { name, bus, leases, running: Running::start_in(&config, membership) }
    }

    /// Waits for the connection of an owner.
    pub(super) fn grant(&self) -> Connection {
        self.venue.grant(&["btcusdt", "ethusdt"])
    }
}

impl Node {
    /// From now on the node reaches the store of leases, or does not.
    pub(super) fn set_leases_fail(&self, fail: bool) {
        self.leases.fails.store(fail, Ordering::Relaxed);
    }

    /// The shard's part of `/debug/cluster`.
    pub(super) fn shard(&self) -> serde_json::Value {
        self.get("/debug/cluster").json()["shards"][0].clone()
    }

    /// Waits until so many other nodes say that they have the shard's state.
    pub(super) fn sees_synced(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        let synced = |node: &serde_json::Value| node["synced"] == serde_json::json!(["crypto.0"]);
        while self.get("/debug/cluster").json()["others"].as_array().unwrap().iter().filter(|node| synced(node)).count()
            < count
        {
            assert!(Instant::now() < deadline, "the others do not follow: {}", self.get("/debug/cluster").body);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the route answers so; returns the answer.
    pub(super) fn until(&self, route: &str, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let deadline = Instant::now() + 6 * PATIENCE;
        loop {
            let seen = self.get(route).json();
            if is_so(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "{}: {seen}", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until this transition of the shard is noted.
    pub(super) fn notes(&self, to: &str, cause: &str) {
        let deadline = Instant::now() + PATIENCE;
        let is_it = |noted: &serde_json::Value| noted["to"] == to && noted["cause"] == cause;
        while !self.get("/debug/cluster").json()["transitions"].as_array().unwrap().iter().any(is_it) {
            assert!(Instant::now() < deadline, "{to}: {}", self.get("/debug/cluster").body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn get(&self, target: &str) -> Answer {
        Client::connect(self.running.admin).get(target)
    }

    pub(super) fn post(&self, target: &str) -> Answer {
        Client::connect(self.running.admin).request("POST", target, "content-length: 0\r\n")
    }

    pub(super) fn stop(self) {
        self.running.stop().unwrap();
    }
}

/// The owner, and the others.
pub(super) fn split(nodes: [Node; 3]) -> (Node, [Node; 2]) {
    let (owners, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| node.shard()["owns"] == true);
    let mut owners = owners.into_iter();
    let owner = owners.next().expect("a node that was granted a connection owns");
    (owner, others.try_into().unwrap_or_else(|_| panic!("one node owns")))
}

/// The same of two.
pub(super) fn split_two(nodes: [Node; 2]) -> [Node; 2] {
    let [one, two] = nodes;
    if one.shard()["owns"] == true { [one, two] } else { [two, one] }
}

/// A client of a node that checks the order of what it gets: between two `hello` a symbol's `seq` only rises.
pub(super) struct Reader {
    stream: Stream,
    /// The epochs of the greetings, the newest last.
    pub(super) hellos: Vec<String>,
    /// The ticks so far.
    pub(super) ticks: Vec<Tick>,
    newest: HashMap<String, u64>,
}

impl Reader {
    pub(super) fn open(node: &Node) -> Self {
        Self::open_at(node, "/v1/stream?symbols=BTC-USDT,ETH-USDT")
    }

    pub(super) fn open_at(node: &Node, target: &str) -> Self {
        let stream = Stream::open(node.running.address, target);
        Self { stream, hellos: Vec::new(), ticks: Vec::new(), newest: HashMap::new() }
    }

    /// Reads up to this tick.
    pub(super) fn until(&mut self, is_last: impl Fn(&Tick) -> bool) -> Tick {
        let deadline = Instant::now() + 3 * PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "it does not come; the last were {:?}", self.ticks.last());
            match self.stream.next() {
                Some(Event::Tick(tick)) => {
                    let seq = tick.number("seq");
                    let before = self.newest.insert(tick.text("symbol").to_owned(), seq);
                    assert!(before.is_none_or(|before| seq > before), "{before:?} and then {tick:?}");
                    self.ticks.push(tick.clone());
                    if is_last(&tick) {
                        return tick;
                    }
                }
                Some(Event::Named(name, data)) if name == "hello" => {
                    self.hellos.push(data["epoch"].as_str().unwrap().to_owned());
                    self.newest.clear();
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The ids and fields of a symbol's ticks so far.
    pub(super) fn of(&self, symbol: &str) -> Vec<(Option<String>, Fields)> {
        let of_symbol = self.ticks.iter().filter(|tick| tick.text("symbol") == symbol);
        of_symbol.map(|tick| (tick.id.clone(), tick.fields.clone())).collect()
    }
}

/// What has become of the nodes' shards, for a failure's message.
pub(super) fn transitions(nodes: &[Node]) -> String {
    let of = |node: &Node| {
        let transitions = node.get("/debug/cluster").json()["transitions"].as_array().unwrap().clone();
        let line = |of: &serde_json::Value| format!("{} {} {} {}\n", of["at"], of["to"], of["cause"], of["epoch"]);
        format!("{}:\n{}", node.name, transitions.iter().map(line).collect::<String>())
    };
    nodes.iter().map(of).collect()
}
