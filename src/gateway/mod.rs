//! Wires the stages of a configured gateway, runs them, and stops them in order. It decides nothing.
//!
//! In reading order: [`Gateway::start`] binds, the `wiring` connects feeds to the cache and the workers, the
//! `runtimes` keep each feed, clients and operators apart, and [`Gateway::run`] serves until the stop.

mod certificates;
mod cluster;
mod delay;
mod feed_lists;
mod feed_set;
mod feed_steps;
mod history;
mod keys;
mod outcomes;
mod runtimes;
mod record;
mod reading;
mod reload;
mod run;
mod running_feed;
mod trial;
mod wiring;

use crate::{
    access::Keys,
    admin::{self, ClusterInputs, DebugSources, RunningGateway},
    api::{self, BindError},
    cache::{Cache, RegisterError, RingLimits},
    cluster::{
        bus::{Bus, Leases},
        handle::ClusterHandle,
        memory,
    },
    config::{AuthMode, Config, Live},
    demand::OnDemand,
    fanout::{WorkerPool, WorkerThreads},
    feed::Timing,
    history::History,
    limits::{Permits, TooFewDescriptors},
    market::Now,
    telemetry::Metrics,
    venue::VenueError,
    wire::Epoch,
};
pub use certificates::expiring;
pub use cluster::Membership;
use cluster::{Joined, Joining, RunNode};
use feed_set::FeedSet;
pub use keys::check_local_keys;
pub use record::{RecordError, Wanted, feed_to_record, record};
pub use reload::Reloader;
use running_feed::RunningFeed;
use runtimes::Runtimes;
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
};
pub use trial::{Tried, try_out};
use wiring::{Known, WiredTo, permits, primaries_first, tls_services, wire_feed};

/// A gateway whose ports are bound and whose workers run. It serves once it [runs](Self::run).
pub struct Gateway {
    api: api::Server,
    admin: admin::Server,
    cache: Arc<Cache>,
    history: Option<Arc<History>>,
    /// Where feeds subscribe on demand.
    on_demand: Option<Arc<OnDemand>>,
    permits: Permits,
    feeds: Arc<FeedSet>,
    /// Where the gateway is a node of a cluster.
    node: Option<(RunNode, ClusterHandle)>,
    /// Keeps the connections to the brokers.
    _brokers: Option<Box<dyn Send>>,
    workers: Arc<WorkerPool>,
    worker_threads: WorkerThreads,
    runtimes: Runtimes,
    /// Set from the stop on: the gateway is not ready.
    stopping: Arc<AtomicBool>,
    /// Set from the drain on: streams end.
    draining: Arc<AtomicBool>,
    live: Live,
    reloader: Arc<Reloader>,
}

/// Why a gateway cannot start, or go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A port cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system allows too few descriptors.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A feed does not fit its venue.
    #[error("feed {feed}: {source}")]
    Venue {
        /// The feed's name.
        feed: String,
        /// The venue's reason.
        source: VenueError,
    },
    /// The gateway cannot be a node of the configured cluster.
    #[error("[cluster]: {0}")]
    Cluster(String),
    /// A symbol cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The system refuses a thread, a descriptor or a wait; or a part of the gateway died, such as a worker that
    /// panicked.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Gateway {
    /// Binds the ports, registers the symbols, and starts the workers and the runtimes. It needs logs and metrics, but
    /// no runtime.
    ///
    /// # Errors
    /// [`GatewayError`]; then only workers without streams are left running.
    pub fn start(reloader: Arc<Reloader>, metrics: Metrics) -> Result<Self, GatewayError> {
        #[cfg(feature = "cluster")]
        if let Some(settings) = &reloader.live().current().cluster {
            let joined = cluster::join_by_nats(settings)?;
            return Self::start_with(reloader.clone(), metrics, Some(joined));
        }
        Self::start_with(reloader, metrics, None::<Joined<memory::MemoryBus, memory::MemoryLeases>>)
    }

    fn start_with<B: Bus, L: Leases>(
        reloader: Arc<Reloader>,
        metrics: Metrics,
        joined: Option<Joined<B, L>>,
    ) -> Result<Self, GatewayError> {
        reloader.register_metrics();
        let live = reloader.live().clone();
        let config = &*live.current();
        let permits = permits(config)?;
        let ring = RingLimits { count: config.fanout.ring, age: config.fanout.ring_age };
        let cache = Arc::new(Cache::new(Epoch::draw(rand::random()), ring));
        let settings = &config.history;
        let history = History::new(settings.keep, settings.every, settings.bytes_max, Now::read().instant);
        let (workers, worker_threads) = WorkerPool::start(&config.fanout)?;
        let (membership, cluster_runtime, brokers) = match joined {
            Some(Joined { membership, runtime, brokers }) => (Some(membership), Some(runtime), brokers),
            None => (None, None, None),
        };
        let mut joining = match (&config.cluster, membership) {
            (Some(settings), Some(membership)) => Some(Joining::new(settings, membership)),
            _ => None,
        };
        let runtimes = Runtimes::start(cluster_runtime)?;
        let (feeds, on_demand) = wire_feeds(config, &mut joining, &cache, &workers, &permits)?;
        let shown = feeds.shown().clone();
        let streams = permits.streams.clone();
        let node = joining.map(|joining| joining.finish(Box::new(move || streams.in_use())));
        let cluster = node.as_ref().map(|(_, handle)| handle.clone());
        let [stopping, draining] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let services = api::Services {
            cache: cache.clone(),
            on_demand: on_demand.clone(),
            history: history.clone(),
            streams: workers.clone(),
            permits: permits.clone(),
            draining: draining.clone(),
            tls: tls_services(config, reloader.certificates(), &workers)?,
            keys: reloader.issuer().map(|keys| Arc::new(keys.clone()) as Arc<dyn Keys>),
        };
        let api = api::Server::bind(&live, services)?;
        let sources = DebugSources {
            cache: cache.clone(),
            feeds: shown,
            workers: workers.clone(),
            issuer: reloader.issuer().cloned(),
            cluster,
        };
        let status = status_of(config, &permits, &workers, &stopping, &sources);
        let services = admin::Services { metrics, status: Arc::new(status), sources, reload: reloader.clone() };
        let admin = admin::Server::bind(&live, permits.admin.clone(), services)?;
        Ok(Self {
            api,
            admin,
            cache,
            history,
            on_demand,
            permits,
            feeds,
            node,
            _brokers: brokers,
            workers,
            worker_threads,
            runtimes,
            stopping,
            draining,
            live,
            reloader,
        })
    }

    /// The same gateway, whose feeds have other waits.
    pub fn with_timing(self, timing: Timing) -> Self {
        self.feeds.set_timing(timing);
        self
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.api.local_addr()
    }

    /// Where clients connect by https, if they can.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.api.tls_addr()
    }

    /// Where operators connect.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }
}

/// Registers the symbols of the configured feeds, in a cluster as its shards, and wires the feeds.
fn wire_feeds<B: Bus, L: Leases>(
    config: &Config,
    joining: &mut Option<Joining<B, L>>,
    cache: &Arc<Cache>,
    workers: &Arc<WorkerPool>,
    permits: &Permits,
) -> Result<(Arc<FeedSet>, Option<Arc<OnDemand>>), GatewayError> {
    let mut feeds = FeedSet::new(cache.clone(), workers.clone(), permits.clone(), joining.is_none());
    let mut demand_feeds = Vec::new();
    for feed in primaries_first(&config.feeds) {
        let to = WiredTo { cache, workers, limits: &config.limits, pace: &feeds.pace, on_demand: None };
        let mut wired = match joining {
            None => wire_feed(feed, &Known::new(), to)?,
            Some(joining) => joining.wire_feed(feed, &config.limits, cache, workers)?,
        };
        demand_feeds.extend(wired.on_demand.take());
        feeds.add(RunningFeed::new(feed, wired)?)?;
    }
    let on_demand = OnDemand::new(cache.clone(), demand_feeds).map(Arc::new);
    if let Some(on_demand) = &on_demand {
        feeds.set_on_demand(on_demand);
    }
    Ok((Arc::new(feeds), on_demand))
}

/// What the gateway tells operators of itself.
fn status_of(
    config: &Config,
    permits: &Permits,
    workers: &Arc<WorkerPool>,
    stopping: &Arc<AtomicBool>,
    sources: &DebugSources,
) -> RunningGateway {
    let cluster = |handle: ClusterHandle| ClusterInputs { handle, ring_age: config.fanout.ring_age };
    RunningGateway::new(
        permits.clone(),
        sources.cache.clone(),
        sources.feeds.clone(),
        workers.clone(),
        stopping.clone(),
        sources.issuer.clone().filter(|_| config.auth.mode == AuthMode::Required),
        sources.cluster.clone().map(cluster),
    )
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
