//! The cluster as the other parts of its node see it: for operators, for readiness, and for the stop.

use super::{
    bus::{Broker, Connection, LinkCounts},
    names::{Instance, NodeName, ShardName},
    node_seen::NodeSeen,
    report::{Journal, ShardFacts, Traffic, Transition},
    shard::Event,
    shard_io::Input,
    shard_task::ShardHandle,
    successor::{GiveRefused, successor},
};
use crate::feed::FeedState;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant as TokioInstant, timeout_at},
};

/// As many commands wait for the task of a node.
const COMMANDS_MAX: usize = 4;

/// What the task of a node is told.
#[derive(Debug)]
pub(super) enum Command {
    /// The node stops.
    Drain,
}

/// The cluster as its node sees it, for any number of readers.
#[derive(Clone)]
pub struct ClusterHandle(Arc<Inner>);

struct Inner {
    cluster: String,
    node: NodeName,
    instance: Instance,
    shards: Vec<Shard>,
    connected: [(Connection, watch::Receiver<bool>); 2],
    journal: Arc<Journal>,
    commands: mpsc::Sender<Command>,
    /// Messages to the node that another version of the format wrote.
    other_version: AtomicU64,
    /// What the node's task saw last. A std mutex: held for a copy.
    seen: Mutex<Seen>,
}

struct Shard {
    name: ShardName,
    facts: watch::Receiver<ShardFacts>,
    traffic: Arc<Traffic>,
    inbox: mpsc::Sender<Input>,
}

/// What a node's task sees when it looks around.
pub(super) struct Look {
    pub(super) others: Vec<NodeSeen>,
    pub(super) has_twin: bool,
    pub(super) streams: usize,
    pub(super) counts: [(Connection, LinkCounts); 2],
    pub(super) brokers: [Option<Broker>; 2],
}

#[derive(Default)]
struct Seen {
    newest: Option<Look>,
    /// When the node had the state of all shards for the first time.
    synced: Option<Instant>,
    /// Since when all connections are down.
    down: Option<Instant>,
}

/// A shard, for operators.
pub struct ShardReport {
    /// Its name.
    pub name: ShardName,
    /// How it is doing on this node.
    pub facts: ShardFacts,
    /// What its messages have cost.
    pub traffic: Arc<Traffic>,
}

/// The cluster, for operators.
pub struct ClusterReport {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub node: NodeName,
    /// The run of its process.
    pub instance: Instance,
    /// Whether each connection to the brokers is up.
    pub connected: [(Connection, bool); 2],
    /// What each has counted; `None` before the node's task runs.
    pub counts: Option<[(Connection, LinkCounts); 2]>,
    /// The brokers at their other ends, in the same order.
    pub brokers: [Option<Broker>; 2],
    /// How many streams the node has.
    pub streams: usize,
    /// Reports and messages of hand-overs that another version of the format wrote.
    pub other_version: u64,
    /// Whether another process reports under the node's name.
    pub has_twin: bool,
    /// The other nodes, those too that have gone in the last ten minutes.
    pub others: Vec<NodeSeen>,
    /// The shards.
    pub shards: Vec<ShardReport>,
    /// The last transitions, the newest last.
    pub transitions: Vec<Transition>,
}

/// What readiness depends on in a cluster.
#[derive(Debug, Clone, Default)]
pub struct ClusterHealth {
    /// The shards whose state the node has not had yet.
    pub unsynced: Vec<ShardName>,
    /// How long ago it had the state of all of them for the first time.
    pub synced_for: Option<Duration>,
    /// How long all connections to the brokers have been down.
    pub down_for: Option<Duration>,
}

impl ClusterHandle {
    pub(super) fn new(
        cluster: String,
        node: NodeName,
        instance: Instance,
        shards: &[ShardHandle],
        connected: [(Connection, watch::Receiver<bool>); 2],
        journal: Arc<Journal>,
    ) -> (Self, mpsc::Receiver<Command>) {
        let (commands, commands_rx) = mpsc::channel(COMMANDS_MAX);
        let shards = shards.iter().map(|shard| Shard {
            name: shard.name.clone(),
            facts: shard.facts.clone(),
            traffic: shard.traffic.clone(),
            inbox: shard.inbox.clone(),
        });
        let shards = shards.collect();
        let (other_version, seen) = (AtomicU64::new(0), Mutex::default());
        let inner = Inner { cluster, node, instance, shards, connected, journal, commands, other_version, seen };
        (Self(Arc::new(inner)), commands_rx)
    }

    /// So many messages to the node were of another version of the format.
    pub(super) fn count_other_versions(&self, count: u64) {
        self.0.other_version.fetch_add(count, Ordering::Relaxed);
    }

    /// The node's task has looked around.
    pub(super) fn look(&self, look: Look) {
        let is_up = self.0.connected.iter().any(|(_, connected)| *connected.borrow());
        let is_synced = self.0.shards.iter().all(|shard| shard.facts.borrow().synced);
        let now = Instant::now();
        let mut seen = self.seen();
        seen.newest = Some(look);
        seen.down = if is_up { None } else { Some(seen.down.unwrap_or(now)) };
        if is_synced && seen.synced.is_none() {
            seen.synced = Some(now);
        }
    }

    /// The cluster, for operators.
    pub fn report(&self) -> ClusterReport {
        let Inner { cluster, node, instance, shards, connected, journal, .. } = &*self.0;
        let shards = shards.iter().map(|shard| ShardReport {
            name: shard.name.clone(),
            facts: shard.facts.borrow().clone(),
            traffic: shard.traffic.clone(),
        });
        let seen = self.seen();
        let newest = seen.newest.as_ref();
        ClusterReport {
            cluster: cluster.clone(),
            node: node.clone(),
            instance: *instance,
            connected: connected.each_ref().map(|(connection, up)| (*connection, *up.borrow())),
            counts: newest.map(|look| look.counts),
            brokers: newest.map_or_else(Default::default, |look| look.brokers.clone()),
            streams: newest.map_or(0, |look| look.streams),
            other_version: self.0.other_version.load(Ordering::Relaxed),
            has_twin: newest.is_some_and(|look| look.has_twin),
            others: newest.map_or_else(Vec::new, |look| look.others.clone()),
            shards: shards.collect(),
            transitions: journal.transitions(),
        }
    }

    /// What readiness depends on.
    pub fn health(&self) -> ClusterHealth {
        let unsynced = self.0.shards.iter().filter(|shard| !shard.facts.borrow().synced);
        let seen = self.seen();
        ClusterHealth {
            unsynced: unsynced.map(|shard| shard.name.clone()).collect(),
            synced_for: seen.synced.map(|synced| synced.elapsed()),
            down_for: seen.down.map(|down| down.elapsed()),
        }
    }

    /// The verdict of the owner on the feed of this place in the configuration; open while it is not known.
    pub fn feed_state(&self, feed: usize) -> FeedState {
        let shard = self.0.shards.get(feed);
        shard.and_then(|shard| shard.facts.borrow().feed).unwrap_or(FeedState::Connecting)
    }

    /// Whether the connection that carries leases and asks is up.
    pub fn reaches_brokers(&self) -> bool {
        self.0.connected.iter().any(|(connection, up)| *connection == Connection::Control && *up.borrow())
    }

    /// How the shard of the feed of this place in the configuration is doing.
    pub fn facts_of(&self, feed: usize) -> Option<ShardFacts> {
        self.0.shards.get(feed).map(|shard| shard.facts.borrow().clone())
    }

    /// How a shard is doing, and each change.
    pub fn watch(&self, shard: &str) -> Option<watch::Receiver<ShardFacts>> {
        self.0.shards.iter().find(|known| known.name.as_str() == shard).map(|shard| shard.facts.clone())
    }

    /// Gives a shard that the node owns to another node, or to the best. The hand-over follows; the node keeps the
    /// shard if the other is not ready, and notes that as a transition.
    ///
    /// # Errors
    /// [`GiveRefused`]: nothing happens.
    pub fn give(&self, shard: &str, to: Option<&str>) -> Result<(), GiveRefused> {
        let known = self.0.shards.iter().find(|known| known.name.as_str() == shard);
        let known = known.ok_or_else(|| GiveRefused::UnknownShard(shard.to_owned()))?;
        let name = known.name.clone();
        let facts = known.facts.borrow().clone();
        if !self.reaches_brokers() {
            return Err(GiveRefused::NoBrokers(name));
        }
        if !facts.owns {
            return Err(GiveRefused::NotOwner { shard: name, owner: facts.owner });
        }
        if facts.hands_over {
            return Err(GiveRefused::Running(name));
        }
        let seen = self.seen();
        let others = seen.newest.as_ref().map_or(&[][..], |look| &look.others);
        let others: Vec<_> = others.iter().filter(|other| other.is_alive()).collect();
        let to = successor(&others, &name, facts.list, to)?;
        let event = Input::Machine(Event::GiveAway { to });
        known.inbox.try_send(event).map_err(|_| GiveRefused::Busy)
    }

    /// The node stops: its shards go to others. Returns once it has none left, or after `limit`; says whether it has
    /// left all.
    pub async fn drain(&self, limit: Duration) -> bool {
        let until = TokioInstant::now() + limit;
        let left = async {
            if self.0.commands.send(Command::Drain).await.is_err() {
                return;
            }
            for shard in &self.0.shards {
                // A task that has ended has nothing left.
                let _ = shard.facts.clone().wait_for(|facts| facts.has_left).await;
            }
        };
        timeout_at(until, left).await.is_ok()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
