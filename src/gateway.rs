//! Wires the stages of a configured gateway, runs them, and stops them in order. It decides nothing.

use crate::{
    admin::{self, DebugFeed, DebugSources, FeedHealth, HealthInputs},
    cache::{Cache, RegisterError, RingLimits, SymbolState},
    config::{self, Config},
    fanout::{Announcer, StreamMetrics, WorkerPool, WorkerThreads, worker_count},
    feed::{Feed, FeedMetrics},
    http::{self, BindError},
    ingest::Ingest,
    limits::{self, Permits, TooFewDescriptors},
    market::Now,
    telemetry::{CacheMetrics, Metrics, Source, catalog},
    venue::{self, VenueError},
    wire::Epoch,
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::MissedTickBehavior,
};
use tracing::info;

/// How much longer than the drain window the streams' last bytes may take.
const AFTER_DRAIN: Duration = Duration::from_secs(3);

/// How often, and from how many symbols, what is too old to come again is taken: from a hundred thousand in ten seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const SWEEP_SYMBOLS: usize = 10_000;

/// A gateway whose ports are bound and whose workers run. It serves once it [runs](Self::run).
pub struct Gateway {
    http: http::Server,
    admin: admin::Server,
    cache: Arc<Cache>,
    feeds: Vec<FeedTask>,
    engine: Arc<WorkerPool>,
    workers: WorkerThreads,
    draining: Arc<AtomicBool>,
    drain: Duration,
}

/// A feed and where its updates go.
struct FeedTask {
    feed: Feed,
    sink: Ingest,
    metrics: FeedMetrics,
}

/// Why a gateway cannot start, or go on.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives too few descriptors.
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    /// A feed does not fit its venue.
    #[error("feed {feed}: {source}")]
    Venue {
        /// The feed's name.
        feed: String,
        /// What does not fit.
        source: VenueError,
    },
    /// A symbol cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The system refuses a thread, a descriptor or a wait.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Gateway {
    /// Binds the ports, registers the symbols and starts the workers. It needs no runtime, but logs and metrics.
    ///
    /// # Errors
    /// [`GatewayError`]; nothing is left running then but workers without streams.
    pub fn start(config: &Config, metrics: Metrics) -> Result<Self, GatewayError> {
        let permits = permits(config)?;
        let ring = RingLimits { count: config.fanout.ring, age: config.fanout.ring_age };
        let cache = Arc::new(Cache::new(Epoch::new(rand::random()), ring));
        let (engine, workers) = WorkerPool::start(&config.fanout)?;
        let (mut feeds, mut watched) = (Vec::new(), Vec::new());
        for feed in &config.feeds {
            let (wired, symbols) = wire_feed(feed, &config.limits, &cache, &engine)?;
            let (name, venue) = (feed.name.as_str().into(), feed.venue.name());
            watched.push(DebugFeed { name, venue, status: wired.feed.status(), symbols });
            feeds.push(wired);
        }
        let watched: Arc<[DebugFeed]> = watched.into();
        let draining = Arc::new(AtomicBool::new(false));
        let inside = inside(cache.clone(), watched.clone(), engine.clone());
        let services = http::Services {
            cache: cache.clone(),
            open_stream: Arc::new({
                let engine = engine.clone();
                move |socket, opening| engine.open(socket, opening)
            }),
            permits: permits.clone(),
            draining: draining.clone(),
        };
        let http = http::Server::bind(&config.server, &config.limits, services)?;
        let metrics = metrics.with_source(metrics_source(engine.clone(), permits.clone(), watched.clone()));
        let situations = situations(permits.clone(), watched, draining.clone(), Instant::now());
        let admin = admin::Server::bind(&config.server, &config.limits, permits.admin, metrics, situations, inside)?;
        Ok(Self { http, admin, cache, feeds, engine, workers, draining, drain: config.server.drain })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.http.local_addr()
    }

    /// Where operators connect.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr()
    }

    /// Serves until `stop` is ready, then ends in order: not ready, no new streams, the streams over the drain window
    /// while feeds go on, feeds, operators last.
    ///
    /// # Errors
    /// What the system says where the gateway cannot go on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), GatewayError> {
        info!(listen = %self.address(), admin = %self.admin_address(), "serving");
        let (feeds_stop_tx, feeds_stop_rx) = watch::channel(false);
        let (http_stop_tx, http_stop_rx) = watch::channel(false);
        let (admin_stop_tx, admin_stop_rx) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for FeedTask { feed, sink, metrics } in self.feeds {
            tasks.spawn(feed.run(sink, metrics, feeds_stop_rx.clone()));
        }
        tasks.spawn(sweep(self.cache, feeds_stop_rx));
        tasks.spawn(self.http.run(http_stop_rx));
        tasks.spawn(self.admin.run(admin_stop_rx));
        tokio::select! {
            () = stop => {}
            Some(ended) = tasks.join_next() => return Err(died(ended)),
        }
        info!(window = ?self.drain, "draining");
        self.draining.store(true, Ordering::Relaxed);
        http_stop_tx.send_replace(true);
        self.engine.drain(self.drain);
        let workers = tokio::task::spawn_blocking(move || self.workers.join());
        match tokio::time::timeout(self.drain + AFTER_DRAIN, workers).await {
            Ok(ended) => ended.map_err(io::Error::other)??,
            Err(_) => tracing::warn!("some streams did not end in time"),
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

/// Keeps the rings of quiet symbols small until it is to stop.
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

/// A task that should run for ever has ended.
fn died(ended: Result<io::Result<()>, JoinError>) -> GatewayError {
    match ended {
        Ok(Ok(())) => io::Error::other("a part of the gateway ended by itself").into(),
        Ok(Err(error)) => error.into(),
        Err(error) => io::Error::other(error).into(),
    }
}

/// As many permits as the configuration wants and the descriptors allow.
fn permits(config: &Config) -> Result<Permits, TooFewDescriptors> {
    let descriptors = limits::raise_descriptors();
    let reserved = limits::reserved(config.feeds.len(), worker_count(&config.fanout));
    let fitted = limits::fit(descriptors.now, reserved, config.limits.streams, config.limits.connections)?;
    if (fitted.streams, fitted.connections) != (config.limits.streams, config.limits.connections) {
        info!(
            streams = fitted.streams,
            connections = fitted.connections,
            descriptors = descriptors.now,
            "limits are lowered to what the limit of open files allows"
        );
    }
    Ok(Permits::new(fitted))
}

/// Registers a feed's symbols and ties the feed to them.
fn wire_feed(
    feed: &config::Feed,
    limits: &config::Limits,
    cache: &Cache,
    engine: &Arc<WorkerPool>,
) -> Result<(FeedTask, Vec<Arc<SymbolState>>), GatewayError> {
    let name: Arc<str> = feed.name.as_str().into();
    let origin = venue::origin(feed);
    let now = Now::read();
    let register = |wanted: &config::SymbolEntry| cache.register(wanted.symbol.clone(), name.clone(), origin, now);
    let symbols: Vec<_> = feed.symbols.iter().map(register).collect::<Result<_, _>>()?;
    let sink = Ingest::new(symbols.clone(), Announcer::new(engine.clone()), CacheMetrics::register());
    let feed_or = Feed::new(feed, limits, now);
    let wired = feed_or.map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
    Ok((FeedTask { feed: wired, sink, metrics: FeedMetrics::register(&feed.name) }, symbols))
}

/// What operators may look into.
fn inside(cache: Arc<Cache>, feeds: Arc<[DebugFeed]>, engine: Arc<WorkerPool>) -> DebugSources {
    let asked = engine.clone();
    DebugSources {
        cache,
        feeds,
        ask_workers: Arc::new(move |limit, until| asked.slowest(limit, until)),
        counts: Arc::new(move |worker| engine.counts_of(worker)),
    }
}

/// Brings what is counted in plain integers into the metrics, whenever they are read.
fn metrics_source(engine: Arc<WorkerPool>, permits: Permits, feeds: Arc<[DebugFeed]>) -> Source {
    let streams = StreamMetrics::register();
    Arc::new(move |out| {
        catalog::STREAMS_LIMIT.handle([]).set(permits.streams.limit() as f64);
        catalog::HTTP_CONNECTIONS.handle([]).set(permits.connections.in_use() as f64);
        catalog::HTTP_CONNECTIONS_LIMIT.handle([]).set(permits.connections.limit() as f64);
        catalog::CACHE_SYMBOLS.handle([]).set(feeds.iter().map(|feed| feed.symbols.len()).sum::<usize>() as f64);
        for feed in feeds.iter() {
            for (state, count) in admin::by_state(&feed.symbols) {
                catalog::FEED_SYMBOLS.handle([feed.name.clone().into(), state.into()]).set(count);
            }
        }
        streams.publish(&engine.counts(), out);
    })
}

/// What readiness depends on, as of the moment it is asked.
fn situations(
    permits: Permits,
    feeds: Arc<[DebugFeed]>,
    draining: Arc<AtomicBool>,
    started: Instant,
) -> admin::HealthSource {
    Arc::new(move || HealthInputs {
        uptime: started.elapsed(),
        draining: draining.load(Ordering::Relaxed),
        feeds: feeds.iter().map(|feed| FeedHealth { feed: feed.name.clone(), verdict: feed.status.state() }).collect(),
        streams: permits.streams.in_use(),
        streams_limit: permits.streams.limit(),
    })
}
