//! Wires a gateway into a cluster: a task for each feed's shard, which runs the feed only while this gateway owns it,
//! and a task for the node.

use super::{
    Gateway, GatewayError, Reloader,
    runtimes::Background,
    wiring::{FeedRun, Known, Wired, register},
};
use crate::{
    cache::{Cache, SymbolState},
    cluster::{
        bus::{Bus, Leases, Subjects},
        cache_book::CacheBook,
        follower::Room,
        handle::ClusterHandle,
        lease::LeaseTiming,
        names::{Instance, NodeName, SHARDS_MAX, ShardName},
        node::{NodeSetup, NodeTask, StreamCount},
        owned_feed::OwnedFeed,
        report::Journal,
        shard::ShardConfig,
        shard_task::{ShardHandle, ShardSetup, ShardTask},
    },
    config::{self, FeedTier},
    fanout::{Announcer, WorkerPool},
    feed::{AccountPace, Feed, FeedMetrics, FeedState, FeedStatus, Timing, no_changes},
    ingest::{MakeIngest, Outlet},
    market::Now,
    telemetry::Metrics,
    wire::Epoch,
};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{io, sync::Arc};
use tokio::sync::{Notify, oneshot, watch};
use tracing::error;

/// Why a feed does not run.
const RESTS: &str = "this node does not own the shard";

const _: () = assert!(config::CLUSTER_FEEDS_MAX == SHARDS_MAX, "each feed is a shard");

/// A gateway's place in a cluster: its bus, and the store of leases.
pub struct Membership<B, L> {
    /// The bus.
    pub bus: B,
    /// The store of leases.
    pub leases: L,
}

impl Gateway {
    /// As [`Gateway::start`], as a node of the configured cluster, over another bus.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn start_in<B: Bus, L: Leases>(
        reloader: Arc<Reloader>,
        metrics: Metrics,
        membership: Membership<B, L>,
    ) -> Result<Self, GatewayError> {
        Self::start_with(reloader, metrics, Some(Joined::new(membership)?))
    }
}

/// What a gateway has once it has joined its cluster.
pub(super) struct Joined<B, L> {
    pub(super) membership: Membership<B, L>,
    pub(super) runtime: Background,
    /// What keeps the connections to the brokers.
    pub(super) brokers: Option<Box<dyn Send>>,
}

impl<B, L> Joined<B, L> {
    /// A place in a cluster whose bus needs no runtime.
    pub(super) fn new(membership: Membership<B, L>) -> io::Result<Self> {
        Ok(Self { membership, runtime: Background::of_cluster()?, brokers: None })
    }
}

/// Connects to the brokers.
#[cfg(feature = "cluster")]
pub(super) fn join_by_nats(
    settings: &config::Cluster,
) -> Result<Joined<crate::cluster::nats::NatsBus, crate::cluster::nats::NatsLeases>, GatewayError> {
    let runtime = Background::of_cluster()?;
    let handle = runtime.handle();
    // A thread of its own: the caller may be within another runtime.
    let connected =
        std::thread::scope(|scope| scope.spawn(|| handle.block_on(crate::cluster::nats::connect(settings))).join());
    let nats = connected
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        .map_err(|error| GatewayError::Cluster(format!("{error} (brokers: {})", settings.servers.join(", "))))?;
    let membership = Membership { bus: nats.bus.clone(), leases: nats.leases.clone() };
    Ok(Joined { membership, runtime, brokers: Some(Box::new(nats)) })
}

/// A task of a shard, whatever its bus is.
pub(super) trait RunShard: Send {
    /// The same shard, whose feed has other waits.
    fn set_timing(&mut self, timing: Timing);

    /// Runs until the stop.
    fn run(self: Box<Self>, stop: watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>>;
}

/// What a node's task does until the stop, whatever its bus is.
pub(super) type RunNode = Box<dyn FnOnce(watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>> + Send>;

/// A node of a cluster that is being wired.
pub(super) struct Joining<B, L> {
    membership: Membership<B, L>,
    settings: config::Cluster,
    subjects: Subjects,
    node: NodeName,
    instance: Instance,
    journal: Arc<Journal>,
    changed: Arc<Notify>,
    shards: Vec<ShardHandle>,
    room: Room,
    /// Of requests to the venues, whose accounts several feeds may share.
    pace: AccountPace,
}

impl<B: Bus, L: Leases> Joining<B, L> {
    pub(super) fn new(settings: &config::Cluster, membership: Membership<B, L>) -> Self {
        Self {
            membership,
            subjects: Subjects::new(&settings.name),
            node: settings.node.parse().expect("the configuration has checked the name"),
            settings: settings.clone(),
            instance: Instance::new(rand::random()),
            journal: Arc::default(),
            changed: Arc::default(),
            shards: Vec::new(),
            room: Room::default(),
            pace: AccountPace::default(),
        }
    }

    /// Registers a feed's symbols as a shard, and makes the shard's task.
    pub(super) fn wire_feed(
        &mut self,
        feed: &config::Feed,
        limits: &config::Limits,
        cache: &Cache,
        workers: &Arc<WorkerPool>,
    ) -> Result<Wired, GatewayError> {
        if feed.record.is_some() {
            return Err(unfit(feed, "`record` does not work in a cluster: `tickfan record` records a feed alone"));
        }
        if feed.standby.is_some() {
            return Err(unfit(feed, "`standby_for` does not work in a cluster yet"));
        }
        match feed.tier {
            FeedTier::Live => {}
            FeedTier::LiveAndDelayed(_) => return Err(unfit(feed, "`delay` does not work in a cluster")),
            FeedTier::Delayed { .. } => return Err(unfit(feed, "`tier = \"delayed\"` does not work in a cluster")),
        }
        let now = Now::read();
        let name: ShardName = format!("{}.0", feed.name).parse().expect("a feed's name is the first part of a shard's");
        let shard = cache.add_shard(name.as_str().into(), Epoch::new(rand::random()))?;
        let symbols = register(feed, &feed.symbols, &Known::new(), cache, Some(&shard), now)?;
        let runs =
            Feed::new(feed, limits, now).map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
        let runs = runs.with_pace(self.pace.clone());
        runs.rest(RESTS, now);
        let status = runs.status();
        let key = runs.key();
        let owned = GatewayFeed {
            feed: runs,
            metrics: FeedMetrics::register(&feed.name),
            status: status.clone(),
            symbols: symbols.clone(),
            workers: workers.clone(),
            run: None,
        };
        let setup = ShardSetup {
            config: ShardConfig {
                node: self.node.clone(),
                instance: self.instance,
                shard: name,
                timing: LeaseTiming::new(self.settings.lease),
                stale_after: self.settings.stale_after,
                room: self.room.clone(),
            },
            window: self.settings.batch,
            bus: self.membership.bus.clone(),
            leases: self.membership.leases.clone(),
            subjects: self.subjects.clone(),
            book: CacheBook::new(shard, symbols.iter().cloned(), Announcer::new(workers.clone()), now),
            feed: owned,
            journal: self.journal.clone(),
            changed: self.changed.clone(),
        };
        let (task, handle) = ShardTask::new(setup);
        self.shards.push(handle);
        let task = FeedRun::Clustered(Box::new(task));
        Ok(Wired { task, status, key, symbols, changes: None, standby_for: None, on_demand: None })
    }

    /// The node's task, and the cluster as the gateway sees it.
    pub(super) fn finish(self, streams: StreamCount) -> (RunNode, ClusterHandle) {
        let (task, handle) = NodeTask::new(NodeSetup {
            cluster: self.settings.name,
            node: self.node,
            instance: self.instance,
            bus: self.membership.bus,
            subjects: self.subjects,
            shards: self.shards,
            journal: self.journal,
            changed: self.changed,
            streams,
        });
        (Box::new(move |stop| Box::pin(task.run(stop))), handle)
    }
}

fn unfit(feed: &config::Feed, why: &str) -> GatewayError {
    GatewayError::Cluster(format!("feed {}: {why}", feed.name))
}

impl<B: Bus, L: Leases> RunShard for ShardTask<B, L, GatewayFeed> {
    fn set_timing(&mut self, timing: Timing) {
        let feed = self.feed_mut();
        feed.feed = feed.feed.again().with_timing(timing);
    }

    fn run(self: Box<Self>, stop: watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin((*self).run(stop))
    }
}

/// A feed that runs only while the gateway owns its shard.
struct GatewayFeed {
    feed: Feed,
    metrics: FeedMetrics,
    status: FeedStatus,
    symbols: Vec<Arc<SymbolState>>,
    workers: Arc<WorkerPool>,
    /// The newest run, which may have ended.
    run: Option<Run>,
}

/// A run of a feed.
struct Run {
    stop: watch::Sender<bool>,
    /// Done once the feed has ended: all may wait for it.
    ended: Shared<BoxFuture<'static, ()>>,
}

impl OwnedFeed for GatewayFeed {
    fn start(&mut self, outlet: Arc<dyn Outlet>) -> BoxFuture<'static, Option<String>> {
        let before = self.stop();
        let sinks = MakeIngest::new(self.workers.clone()).with_outlet(outlet);
        let targets = self.symbols.clone();
        let runs = self.feed.again();
        let rests = self.feed.again();
        let metrics = self.metrics.clone();
        let (stop_tx, stop_rx) = watch::channel(false);
        let (why_tx, why_rx) = oneshot::channel();
        let mut stopped = stop_rx.clone();
        let runs = async move {
            // The venue may allow one connection.
            before.await;
            runs.run(sinks, targets, no_changes(), metrics, stop_rx).await
        };
        let runs = tokio::spawn(async move {
            // A task of its own: a panic of the feed is an end, too.
            let why = match tokio::spawn(runs).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panic) => Some(panic.to_string()),
            };
            if let Some(why) = why {
                error!("the feed has ended: {why}");
                rests.fail(&why, Now::read());
                let _ = why_tx.send(why);
                let _ = stopped.wait_for(|stop| *stop).await;
            }
            rests.rest(RESTS, Now::read());
        });
        let ended = runs.map(drop).boxed().shared();
        self.run = Some(Run { stop: stop_tx, ended });
        async { why_rx.await.ok() }.boxed()
    }

    fn stop(&mut self) -> BoxFuture<'static, ()> {
        match &self.run {
            Some(run) => {
                run.stop.send_replace(true);
                run.ended.clone().boxed()
            }
            None => std::future::ready(()).boxed(),
        }
    }

    fn state(&self) -> FeedState {
        self.status.verdict()
    }
}
