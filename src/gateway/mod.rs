//! Wires the stages of a configured gateway, runs them, and stops them in order. It decides nothing.
//!
//! In reading order: [`Gateway::start`] binds, the `wiring` connects feeds to the cache and the workers, the
//! `runtimes` keep each feed, clients and operators apart, and [`Gateway::run`] serves until the stop.

mod certificates;
mod cluster;
mod delay;
mod feed_lists;
mod feed_set;
mod history;
mod keys;
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
    config::{AuthMode, Live},
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
        let cache = Arc::new(Cache::new(Epoch::new(rand::random()), ring));
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
        let mut feeds = FeedSet::new(cache.clone(), workers.clone(), permits.clone(), joining.is_none());
        for feed in primaries_first(&config.feeds) {
            let to = WiredTo { cache: &cache, workers: &workers, limits: &config.limits };
            let wired = match &mut joining {
                None => wire_feed(feed, &Known::new(), to)?,
                Some(joining) => joining.wire_feed(feed, &config.limits, &cache, &workers)?,
            };
            feeds.add(RunningFeed::new(feed, wired)?)?;
        }
        let shown = feeds.shown().clone();
        let feeds = Arc::new(feeds);
        let streams = permits.streams.clone();
        let node = joining.map(|joining| joining.finish(Box::new(move || streams.in_use())));
        let cluster = node.as_ref().map(|(_, handle)| handle.clone());
        let [stopping, draining] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let services = api::Services {
            cache: cache.clone(),
            history: history.clone(),
            streams: workers.clone(),
            permits: permits.clone(),
            draining: draining.clone(),
            tls: tls_services(config, reloader.certificates(), &workers)?,
            keys: reloader.issuer().map(|keys| Arc::new(keys.clone()) as Arc<dyn Keys>),
        };
        let api = api::Server::bind(&live, services)?;
        let gate = permits.admin.clone();
        let status = RunningGateway::new(
            permits.clone(),
            shown.clone(),
            workers.clone(),
            stopping.clone(),
            reloader.issuer().filter(|_| config.auth.mode == AuthMode::Required).cloned(),
            cluster.clone().map(|handle| ClusterInputs { handle, ring_age: config.fanout.ring_age }),
        );
        let services = admin::Services {
            metrics,
            status: Arc::new(status),
            sources: DebugSources {
                cache: cache.clone(),
                feeds: shown,
                workers: workers.clone(),
                issuer: reloader.issuer().cloned(),
                cluster,
            },
            reload: reloader.clone(),
        };
        let admin = admin::Server::bind(&live, gate, services)?;
        Ok(Self {
            api,
            admin,
            cache,
            history,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, DelayLine, Feed, FeedTier, Loader},
        fanout::{NewStream, Options, ResponseHead, Unlisted},
        feed::FeedState,
        market::{Now, Origin},
        telemetry, venue,
        wire::StreamName,
    };
    use bytes::Bytes;
    use std::{
        future::{pending, ready},
        io::{Read, Write},
        net::{TcpListener, TcpStream},
        sync::{OnceLock, mpsc},
        time::Duration,
    };
    use tokio::{runtime::Handle, sync::oneshot, time::timeout};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Makes the worker that ends its stream panic.
    struct PanicAtEnd;

    impl crate::fanout::StreamPermit for PanicAtEnd {
        fn resize(&mut self, _: usize) -> bool {
            true
        }
    }

    impl Drop for PanicAtEnd {
        fn drop(&mut self) {
            panic!("a deliberate panic");
        }
    }

    fn start(feeds: Vec<Feed>) -> Gateway {
        static METRICS: OnceLock<Metrics> = OnceLock::new();
        let mut config = Config { feeds, ..Config::default() };
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
        config.server.drain = Duration::ZERO;
        let reloader = Reloader::new(config, Loader::default(), None);
        Gateway::start(reloader, METRICS.get_or_init(|| telemetry::install().unwrap()).clone()).unwrap()
    }

    #[tokio::test]
    async fn a_thread_that_hangs_does_not_hold_up_the_stop() {
        for hangs_in in 0..4 {
            let line = DelayLine { delay: Duration::from_secs(9), step: Duration::from_secs(1) };
            let gateway = start(vec![Feed { tier: FeedTier::LiveAndDelayed(line), ..feed("AAPL") }]);
            gateway.feeds.begin_delay().await;
            let [own, delay] = [gateway.feeds.runtime_of(0), gateway.feeds.runtime_of_delay()];
            let Runtimes { clients, operators, .. } = &gateway.runtimes;
            let runtime = [own, delay, clients.handle().clone(), operators.handle().clone()][hangs_in].clone();
            // As a look-up of the system hangs.
            let (_hold_tx, hold_rx) = mpsc::channel::<()>();
            let (begun_tx, begun_rx) = oneshot::channel();
            runtime.spawn_blocking(move || {
                let _ = begun_tx.send(());
                hold_rx.recv()
            });
            begun_rx.await.unwrap();
            gateway.run(ready(())).await.unwrap();
        }
    }

    fn feed(symbol: &str) -> Feed {
        let symbols = vec![symbol.parse::<crate::market::Symbol>().unwrap().into()];
        Feed { name: symbol.to_lowercase(), ..Feed::new(venue::DEFAULT, symbols) }
    }

    /// Takes all threads of a runtime, until what it returns is dropped.
    async fn take_threads(runtime: &Handle) -> Vec<mpsc::Sender<()>> {
        let mut held = Vec::new();
        let mut begun = Vec::new();
        for _ in 0..runtime.metrics().num_workers() {
            let (hold_tx, hold_rx) = mpsc::channel::<()>();
            let (begun_tx, begun_rx) = oneshot::channel();
            runtime.spawn(async move {
                let _ = begun_tx.send(());
                let _ = hold_rx.recv();
            });
            held.push(hold_tx);
            begun.push(begun_rx);
        }
        for begun_rx in begun {
            begun_rx.await.unwrap();
        }
        held
    }

    async fn is_answered(address: SocketAddr) -> bool {
        let ask = move || -> io::Result<bool> {
            let mut client = TcpStream::connect(address)?;
            client.set_read_timeout(Some(PATIENCE))?;
            client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
            let mut head = [0; 12];
            client.read_exact(&mut head).map(|()| head == *b"HTTP/1.1 200")
        };
        tokio::task::spawn_blocking(move || ask().unwrap_or(false)).await.unwrap()
    }

    #[tokio::test]
    async fn a_runtime_whose_threads_are_all_taken_holds_up_no_other() {
        for held in ["the first feed", "clients", "operators"] {
            let gateway = start(["AAPL", "MSFT"].map(feed).into());
            let runtime = match held {
                "clients" => gateway.runtimes.clients.handle().clone(),
                "operators" => gateway.runtimes.operators.handle().clone(),
                _ => gateway.feeds.runtime_of(0),
            };
            let threads = take_threads(&runtime).await;
            let mut second = gateway.feeds.shown().current()[1].status.clone();
            let (address, admin_address) = (gateway.address(), gateway.admin_address());
            let (stop_tx, stop_rx) = oneshot::channel::<()>();
            let others = async {
                assert!(timeout(PATIENCE, second.reached(FeedState::Live)).await.is_ok(), "a feed waits for {held}");
                assert!(held == "clients" || is_answered(address).await, "clients wait for {held}");
                assert!(held == "operators" || is_answered(admin_address).await, "operators wait for {held}");
                drop(threads);
                drop(stop_tx);
            };
            let stop = async { drop(stop_rx.await) };
            let (ended, ()) = tokio::join!(gateway.run(stop), others);
            ended.unwrap();
        }
    }

    #[tokio::test]
    async fn a_worker_that_panics_ends_the_gateway() {
        let gateway = start(Vec::new());
        let state =
            gateway.cache.register("AAPL".parse().unwrap(), "test".into(), Origin::Market, Now::read()).unwrap();
        let stream = NewStream {
            name: StreamName::new(0),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: ResponseHead::default(),
            hello: Box::new(Bytes::from_static(b"hello")),
            symbols: Box::new([state]),
            unlisted: Unlisted::default(),
            options: Options::new(Duration::from_secs(15)),
            resume: None,
            generation: 0,
            has_rights: false,
            until: None,
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
