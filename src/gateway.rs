//! Wires the stages of a configured gateway, runs them, and stops them in order. It decides nothing.

use crate::{
    admin::{self, DebugFeed, DebugSources, RunningGateway},
    api::{self, BindError},
    cache::{Cache, RegisterError, RingLimits, SymbolState},
    config::{self, Config, Disagreement, Machine, MemoryAtLimits, Weight},
    fanout::{Announcer, WorkerPool, WorkerThreads, worker_count},
    feed::{Feed, FeedMetrics},
    ingest::Ingest,
    limits::{self, Permits, TooFewDescriptors},
    market::Now,
    telemetry::{CacheMetrics, Metrics},
    venue::VenueError,
    wire::Epoch,
};
use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tracing::{info, warn};

/// How much longer than the drain the last bytes of streams may take.
const AFTER_DRAIN: Duration = Duration::from_secs(3);

/// How often the cache is swept of ticks that are too old to be replayed, and how many symbols at a time: a hundred
/// thousand in ten seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const SWEEP_SYMBOLS: usize = 10_000;

/// A gateway whose ports are bound and whose workers run. It serves once it [runs](Self::run).
pub struct Gateway {
    api: api::Server,
    admin: admin::Server,
    cache: Arc<Cache>,
    feeds: Vec<FeedTask>,
    workers: Arc<WorkerPool>,
    worker_threads: WorkerThreads,
    draining: Arc<AtomicBool>,
    drain: Duration,
}

/// A feed, and a sink for each of its connections.
struct FeedTask {
    feed: Feed,
    sinks: Vec<Ingest>,
    metrics: FeedMetrics,
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
    /// A symbol cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The system refuses a thread, a descriptor or a wait; or a part of the gateway died, such as a worker that
    /// panicked.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Gateway {
    /// Binds the ports, registers the symbols and starts the workers. It needs logs and metrics, but no runtime.
    ///
    /// # Errors
    /// [`GatewayError`]; then only workers without streams are left running.
    pub fn start(config: &Config, metrics: Metrics) -> Result<Self, GatewayError> {
        let permits = permits(config)?;
        let ring = RingLimits { count: config.fanout.ring, age: config.fanout.ring_age };
        let cache = Arc::new(Cache::new(Epoch::new(rand::random()), ring));
        let (workers, worker_threads) = WorkerPool::start(&config.fanout)?;
        let mut feeds = Vec::new();
        let mut debug_feeds = Vec::new();
        for feed in &config.feeds {
            let (task, symbols) = wire_feed(feed, &config.limits, &cache, &workers)?;
            let name = feed.name.as_str().into();
            debug_feeds.push(DebugFeed { name, venue: feed.venue.name, status: task.feed.status(), symbols });
            feeds.push(task);
        }
        let debug_feeds: Arc<[DebugFeed]> = debug_feeds.into();
        let draining = Arc::new(AtomicBool::new(false));
        let services = api::Services {
            cache: cache.clone(),
            streams: workers.clone(),
            permits: permits.clone(),
            draining: draining.clone(),
        };
        let api = api::Server::bind(&config.server, &config.limits, services)?;
        let gate = permits.admin.clone();
        let status = RunningGateway::new(permits, debug_feeds.clone(), workers.clone(), draining.clone());
        let services = admin::Services {
            metrics,
            status: Arc::new(status),
            sources: DebugSources { cache: cache.clone(), feeds: debug_feeds, workers: workers.clone() },
        };
        let admin = admin::Server::bind(&config.server, &config.limits, gate, services)?;
        Ok(Self { api, admin, cache, feeds, workers, worker_threads, draining, drain: config.server.drain })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.api.local_addr()
    }

    /// Where operators connect.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop` is ready, then stops in order: readiness and new streams at once, open streams during
    /// the drain while feeds go on, then the feeds, and the operators' listener last.
    ///
    /// # Errors
    /// [`GatewayError`] if the gateway cannot go on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), GatewayError> {
        info!(listen = %self.address(), admin = %self.admin_address(), "serving");
        let (feeds_stop_tx, feeds_stop_rx) = watch::channel(false);
        let (api_stop_tx, api_stop_rx) = watch::channel(false);
        let (admin_stop_tx, admin_stop_rx) = watch::channel(false);
        let mut workers_ended = watch_workers(self.worker_threads)?;
        let mut tasks = JoinSet::new();
        for FeedTask { feed, sinks, metrics } in self.feeds {
            tasks.spawn(feed.run(sinks, metrics, feeds_stop_rx.clone()));
        }
        tasks.spawn(sweep(self.cache, feeds_stop_rx));
        tasks.spawn(self.api.run(api_stop_rx));
        tasks.spawn(self.admin.run(admin_stop_rx));
        tokio::select! {
            () = stop => {}
            Some(ended) = tasks.join_next() => return Err(died(ended)),
            ended = &mut workers_ended => return Err(died(ended)),
        }
        info!(drain = ?self.drain, "draining");
        self.draining.store(true, Ordering::Relaxed);
        api_stop_tx.send_replace(true);
        self.workers.drain(self.drain);
        match tokio::time::timeout(self.drain + AFTER_DRAIN, workers_ended).await {
            Ok(ended) => ended.map_err(io::Error::other)??,
            Err(_) => warn!("some streams did not end in time"),
        }
        feeds_stop_tx.send_replace(true);
        admin_stop_tx.send_replace(true);
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        info!("stopped");
        Ok(())
    }
}

/// Waits for the workers on a thread of its own, and sends how they ended. A blocking task would not do: a runtime that
/// shuts down waits for those, and on an error the workers still run.
fn watch_workers(threads: WorkerThreads) -> io::Result<oneshot::Receiver<io::Result<()>>> {
    let (ended_tx, ended_rx) = oneshot::channel();
    std::thread::Builder::new().name("watch-workers".to_owned()).spawn(move || {
        // An error means that the gateway no longer waits.
        let _ = ended_tx.send(threads.join());
    })?;
    Ok(ended_rx)
}

/// Sweeps the cache until the stop: the rings of quiet symbols stay small.
async fn sweep(cache: Arc<Cache>, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut from = 0;
    loop {
        tokio::select! {
            _ = every.tick() => from = cache.sweep(from, SWEEP_SYMBOLS, Now::read()),
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// The error for a part that ended although it should run for ever: a task, or the workers.
fn died(ended: Result<io::Result<()>, impl Error + Send + Sync + 'static>) -> GatewayError {
    match ended {
        Ok(Ok(())) => io::Error::other("a part of the gateway ended by itself").into(),
        Ok(Err(error)) => error.into(),
        Err(error) => io::Error::other(error).into(),
    }
}

/// The permits that the configuration asks for, as far as the descriptors allow. Logs what does not agree.
fn permits(config: &Config) -> Result<Permits, TooFewDescriptors> {
    let machine = machine(config);
    for Disagreement { pair, what, help } in config::check_together(config, &machine) {
        match pair.weight {
            Weight::Told => info!(help, "{what}"),
            Weight::Refused | Weight::Warned => warn!(help, "{what}"),
        }
    }
    let MemoryAtLimits { streams, subscriptions, rings } = MemoryAtLimits::of(config, &machine);
    info!(streams, subscriptions, rings, memory = machine.memory, "bytes of memory that full limits take");
    let descriptors = limits::raise_descriptors();
    let fitted = limits::fit(descriptors.now, reserved(config), config.limits.streams, config.limits.connections)?;
    Ok(Permits::new(fitted, config.limits.subscriptions))
}

/// What the machine has for this configuration.
pub fn machine(config: &Config) -> Machine {
    let descriptors = limits::raise_descriptors().now;
    Machine {
        client_descriptors: Some(descriptors.saturating_sub(reserved(config))),
        memory: limits::memory(),
        somaxconn: limits::somaxconn(),
    }
}

/// How many descriptors are not for clients.
fn reserved(config: &Config) -> u64 {
    let connections = config.feeds.iter().map(config::Feed::connection_count).sum();
    limits::reserved(connections, worker_count(&config.fanout))
}

/// Registers a feed's symbols, and connects the feed to the cache and the workers.
fn wire_feed(
    feed: &config::Feed,
    limits: &config::Limits,
    cache: &Cache,
    workers: &Arc<WorkerPool>,
) -> Result<(FeedTask, Vec<Arc<SymbolState>>), GatewayError> {
    let name: Arc<str> = feed.name.as_str().into();
    let origin = (feed.venue.origin)(feed.url.as_deref());
    let now = Now::read();
    let mut symbols = Vec::with_capacity(feed.symbols.len());
    for entry in &feed.symbols {
        symbols.push(cache.register(entry.symbol.clone(), name.clone(), origin, now)?);
    }
    let mut sinks = Vec::new();
    for range in feed.connections() {
        let announcer = Announcer::new(workers.clone());
        sinks.push(Ingest::new(symbols[range].to_vec(), announcer, CacheMetrics::register()));
    }
    let metrics = FeedMetrics::register(&feed.name);
    let feed =
        Feed::new(feed, limits, now).map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
    Ok((FeedTask { feed, sinks, metrics }, symbols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fanout::{NewStream, Options, ResponseHead},
        market::Origin,
        telemetry,
        wire::StreamName,
    };
    use bytes::Bytes;
    use std::{
        future::pending,
        net::{TcpListener, TcpStream},
    };

    /// Makes the worker that ends its stream panic.
    struct PanicAtEnd;

    impl Drop for PanicAtEnd {
        fn drop(&mut self) {
            panic!("a deliberate panic");
        }
    }

    #[tokio::test]
    async fn a_worker_that_panics_ends_the_gateway() {
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
        let gateway = Gateway::start(&config, telemetry::install().unwrap()).unwrap();
        let state =
            gateway.cache.register("AAPL".parse().unwrap(), "test".into(), Origin::Market, Now::read()).unwrap();
        let stream = NewStream {
            name: StreamName::new(0),
            head: ResponseHead::default(),
            hello: Bytes::from_static(b"hello"),
            symbols: Box::new([state]),
            options: Options::new(Duration::from_secs(15)),
            resume: None,
            permit: Box::new(PanicAtEnd),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        gateway.workers.open(listener.accept().unwrap().0, stream).unwrap();
        drop(client);
        let ended = tokio::time::timeout(Duration::from_secs(20), gateway.run(pending())).await.unwrap();
        let error = ended.unwrap_err().to_string();
        assert!(error.starts_with("worker ") && error.ends_with(" panicked"), "{error}");
    }
}
