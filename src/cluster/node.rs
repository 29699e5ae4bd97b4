//! The task of a node: it reports the node to the others, ranks them for the shards, and hands on what concerns a
//! shard.

use super::{
    bus::{Bus, Connection, Incoming, Subjects, Subscription},
    clock::{Boot, Moment},
    give::GiveMessage,
    handle::{ClusterHandle, Command, Look},
    list_watch::{ListChange, ListWatch},
    members::{ALIVE, Change, Fitness, Heard, Members, Presence, REPORT_INTERVAL},
    message::READS,
    names::{Instance, NodeName, ShardName},
    node_report::NodeReport,
    node_seen::NodeSeen,
    report::{Journal, ShardFacts},
    shard::Event,
    shard_io::Input,
    shard_task::{Ranked, ShardHandle},
    symbol_list::SymbolList,
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

/// How often the task looks who is alive, and whether the brokers are up.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Operators are told again of a node of the same name, or of too many, after so long.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// Says how many streams the node has.
pub type StreamCount = Box<dyn Fn() -> usize + Send + Sync>;

/// The task of a node.
pub struct NodeTask<B: Bus> {
    bus: B,
    subjects: Subjects,
    node: NodeName,
    instance: Instance,
    members: Members,
    shards: Vec<ShardHandle>,
    commands: mpsc::Receiver<Command>,
    handle: ClusterHandle,
    changed: Arc<Notify>,
    streams: StreamCount,
    drains: bool,
    warned: Option<Boot>,
    lists: ListWatch,
    /// Since when the node's own reports come back.
    heard_since: Option<Boot>,
}

/// What a node's task is made of.
pub struct NodeSetup<B> {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub node: NodeName,
    /// The run of its process.
    pub instance: Instance,
    /// Its bus.
    pub bus: B,
    /// The cluster's subjects.
    pub subjects: Subjects,
    /// Its shards.
    pub shards: Vec<ShardHandle>,
    /// Where the shards note their transitions.
    pub journal: Arc<Journal>,
    /// The shards tell it that the node's report is another.
    pub changed: Arc<Notify>,
    /// For its reports.
    pub streams: StreamCount,
}

impl<B: Bus> NodeTask<B> {
    /// A task that has yet to run, and the handle by which others see the cluster.
    pub fn new(setup: NodeSetup<B>) -> (Self, ClusterHandle) {
        let NodeSetup { cluster, node, instance, bus, subjects, shards, journal, changed, streams } = setup;
        let connected = Connection::ALL.map(|connection| (connection, bus.connected(connection)));
        let (handle, commands) = ClusterHandle::new(cluster, node.clone(), instance, &shards, connected, journal);
        let members = Members::new(node.clone(), instance);
        let task = Self {
            bus,
            subjects,
            node,
            instance,
            members,
            shards,
            commands,
            handle: handle.clone(),
            changed,
            streams,
            drains: false,
            warned: None,
            lists: ListWatch::default(),
            heard_since: None,
        };
        (task, handle)
    }

    /// Runs until `stop` is true, or its sender is gone.
    ///
    /// # Errors
    /// The bus is closed for good.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        tokio::select! {
            ended = self.serve() => ended,
            _ = stop.wait_for(|stop| *stop) => Ok(()),
        }
    }

    async fn serve(&mut self) -> io::Result<()> {
        let mut reports = self.bus.subscribe(&self.subjects.all_nodes()).await;
        let mut echoes = self.bus.subscribe(&self.subjects.echo(&self.node)).await;
        let mut gives = self.bus.subscribe(&self.subjects.give(&self.node)).await;
        let mut connected = self.bus.connected(Connection::Live);
        let mut report = interval(REPORT_INTERVAL);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closed = || io::Error::other("the bus is closed");
        loop {
            tokio::select! {
                biased;
                _ = report.tick() => {
                    self.report();
                    for (shard, ranked) in self.ranks() {
                        shard.ranks.send_replace(ranked);
                    }
                }
                _ = looks.tick() => {}
                () = self.changed.notified() => self.report(),
                Ok(()) = connected.changed() => {
                    if *connected.borrow_and_update() {
                        self.report();
                    }
                }
                command = self.commands.recv() => match command {
                    Some(Command::Drain) => self.drain().await,
                    None => return Err(closed()),
                },
                message = echoes.next() => self.heard(&message.ok_or_else(closed)?),
                message = gives.next() => self.give(&message.ok_or_else(closed)?),
                message = reports.next() => self.heard(&message.ok_or_else(closed)?),
            }
            self.look();
        }
    }

    /// Reports the node to the others.
    fn report(&self) {
        let with = |is_so: fn(&ShardFacts) -> bool| {
            let shards = self.shards.iter().filter(move |shard| is_so(&shard.facts.borrow()));
            shards.map(|shard| shard.name.clone())
        };
        let report = NodeReport {
            node: self.node.clone(),
            instance: self.instance,
            reads: READS,
            streams: u32::try_from((self.streams)()).unwrap_or(u32::MAX),
            owned: self.owned(),
            drains: self.drains,
            synced: with(|facts| facts.synced).collect(),
            failed: with(|facts| facts.feed_fails).collect(),
            lists: self.lists().collect(),
        };
        // The next one follows in a second.
        let _ = self.bus.publish(&self.subjects.node(&self.node), report.to_json().into());
    }

    fn owned(&self) -> u32 {
        let owned = self.shards.iter().filter(|shard| shard.facts.borrow().owns).count();
        u32::try_from(owned).expect("a cluster has few shards")
    }

    /// The lists of the shards' symbols.
    fn lists(&self) -> impl Iterator<Item = (ShardName, SymbolList)> {
        self.shards.iter().map(|shard| (shard.name.clone(), shard.facts.borrow().list))
    }

    /// Where the node stands among those that could own each shard.
    fn ranks(&self) -> impl Iterator<Item = (&ShardHandle, Ranked)> {
        let now = Moment::read().boot;
        let owned = self.owned();
        let heard = self.members.is_heard(now);
        self.shards.iter().map(move |shard| {
            let (synced, failed, list) = {
                let facts = shard.facts.borrow();
                (facts.synced, facts.feed_fails, facts.list)
            };
            let own = Fitness { synced, failed, symbols: list.count(), owned };
            let rank = self.members.rank(&shard.name, &own, now);
            (shard, Ranked { heard, rank, successors: self.members.successors(&shard.name, list, now) })
        })
    }

    fn look(&mut self) {
        let now = Moment::read().boot;
        let nodes = self.members.others(now).map(|(report, age, is)| NodeSeen::new(report, age, is));
        let counts = Connection::ALL.map(|connection| (connection, self.bus.counts(connection)));
        self.handle.look(Look {
            others: nodes.collect(),
            has_twin: self.members.has_twin(now),
            streams: (self.streams)(),
            counts,
            brokers: Connection::ALL.map(|connection| self.bus.broker(connection)),
        });
        if self.hears_all(now) {
            self.look_at_others(now);
        }
    }

    /// Whether silence of the others is theirs: this node has been heard, by itself, for as long as they are given.
    fn hears_all(&mut self, now: Boot) -> bool {
        if !self.members.is_heard(now) {
            if self.heard_since.take().is_some() {
                warn!(
                    "this node's own reports do not come back over the brokers: it cannot tell which nodes are there"
                );
            }
            return false;
        }
        now.since(*self.heard_since.get_or_insert(now)) >= ALIVE
    }

    fn look_at_others(&mut self, now: Boot) {
        for Change { node, is } in self.members.take_changes(now) {
            match is {
                Presence::Alive => info!(%node, "another node of the cluster is there"),
                Presence::Stopped => info!(%node, "a node of the cluster has stopped"),
                Presence::Lost => warn!(%node, "a node of the cluster no longer reports itself"),
            }
        }
        self.look_at_lists(now);
    }

    /// Says where the configurations of the nodes begin or cease to differ.
    fn look_at_lists(&mut self, now: Boot) {
        let own: Vec<_> = self.lists().collect();
        let others = self.members.others(now).filter(|(_, _, is)| *is == Presence::Alive).map(|(report, ..)| report);
        for change in self.lists.look(&own, others) {
            let ListChange { node, shard, differs, symbols_there, symbols_here } = change;
            if differs {
                warn!(
                    %shard, %node, symbols_there, symbols_here,
                    "another node has other symbols of the shard; while a node owns it, those that it lacks are stale \
                     on all nodes"
                );
            } else {
                info!(%shard, %node, symbols_here, "the nodes have the same symbols of the shard again");
            }
        }
    }

    fn heard(&mut self, message: &Incoming) {
        let now = Moment::read().boot;
        let warns = self.warned.is_none_or(|warned| now.since(warned) >= WARN_AGAIN);
        match NodeReport::from_json(&message.payload) {
            Ok(report) => match self.members.heard(report, now) {
                Heard::Taken => return,
                Heard::Twin if warns => {
                    error!(node = %self.node, "another process runs under this node's name: give each its own `node`");
                }
                Heard::TooMany if warns => warn!("more nodes report themselves than a cluster may have"),
                Heard::Twin | Heard::TooMany => return,
            },
            Err(error) => {
                self.count_version(error.is_version());
                if !warns {
                    return;
                }
                warn!("a node's report cannot be read: {error}");
            }
        }
        self.warned = Some(now);
    }

    /// Counts a message if another version of the format wrote it.
    fn count_version(&self, is_version: bool) {
        self.handle.count_other_versions(u64::from(is_version));
    }

    /// Hands a message of the dialogue about a hand-over to its shard.
    fn give(&self, message: &Incoming) {
        let message = match GiveMessage::from_json(&message.payload) {
            Ok(message) => message,
            Err(error) => return self.count_version(error.is_version()),
        };
        if let Some(shard) = self.shards.iter().find(|shard| shard.name == message.shard) {
            // The node that asks tries the next one after 300 ms.
            let _ = shard.inbox.try_send(Input::Machine(Event::Give(message)));
        }
    }

    /// The node stops: its shards go to others.
    async fn drain(&mut self) {
        self.drains = true;
        self.report();
        for (shard, Ranked { heard, rank, successors }) in self.ranks() {
            // A task that has ended owns nothing.
            let _ = shard.inbox.send(Input::Machine(Event::Rank { heard, rank, successors })).await;
            let _ = shard.inbox.send(Input::Machine(Event::Drain)).await;
        }
    }
}
