//! The TLS listener, over real sockets: handshakes, HTTP/1.1 and streams.

mod handshakes;
mod http;

use crate::support::{
    Client, PATIENCE, Setup, metrics,
    tls::{self, TlsClient, VERSIONS},
};
use std::{
    net::{SocketAddr, TcpStream},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tickfan::{
    api::{self, TlsServices},
    cache::{Cache, RingLimits},
    config,
    fanout::{WorkerPool, WorkerThreads},
    limits::{Fitted, Permits},
    market::{Now, Origin},
    wire::Epoch,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
};

/// A gateway without feeds, whose second listener speaks TLS.
struct Secure {
    plain: SocketAddr,
    address: SocketAddr,
    workers: Arc<WorkerPool>,
    threads: WorkerThreads,
    permits: Permits,
    draining: Arc<AtomicBool>,
    shutdown: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
}

impl Secure {
    fn start() -> Self {
        Self::with(|_| {}, |_| {})
    }

    /// With other settings and protocols.
    fn with(settings: impl FnOnce(&mut Setup), protocols: impl FnOnce(&mut rustls::ServerConfig)) -> Self {
        let tls = config::Tls { listen: "127.0.0.1:0".parse().unwrap(), ..config::Tls::default() };
        let mut setup = Setup { tls: Some(tls), ..Setup::default() };
        settings(&mut setup);
        let live = setup.live();
        let mut certificates = tls::server_config(&VERSIONS);
        certificates.alpn_protocols = vec![b"http/1.1".to_vec()];
        protocols(&mut certificates);
        let config = live.current();
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: PATIENCE });
        for symbol in &setup.symbols {
            cache.register(symbol.parse().unwrap(), "test".into(), Origin::Sim, Now::read()).unwrap();
        }
        let (workers, threads) = WorkerPool::start(&config.fanout).unwrap();
        let fitted = Fitted { streams: setup.limits.streams, connections: setup.limits.connections, waiting: 100 };
        let permits = Permits::new(fitted, setup.limits.subscriptions);
        let draining = Arc::new(AtomicBool::new(false));
        let services = api::Services {
            cache: Arc::new(cache),
            on_demand: None,
            history: None,
            streams: workers.clone(),
            permits: permits.clone(),
            draining: draining.clone(),
            keys: None,
            tls: Some(TlsServices { config: Arc::new(certificates), http2: Some(workers.clone()) }),
        };
        let server = api::Server::bind(&live, services).unwrap();
        let plain = server.local_addr();
        let address = server.tls_addr().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (shutdown, shutdown_rx) = watch::channel(false);
        let server = runtime.spawn(server.run(shutdown_rx));
        Self { plain, address, workers, threads, permits, draining, shutdown, server, runtime }
    }

    /// A connected socket, on which nothing is said yet.
    fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// A client that speaks HTTP/1.1 over this version.
    fn client(&self, version: usize) -> Client<TlsClient> {
        Client::over(tls::client(self.socket(), tls::client_config(&[VERSIONS[version]])))
    }

    /// Stops listener and workers, and waits for their end.
    fn stop(self) {
        self.workers.drain(Duration::ZERO);
        self.threads.join().unwrap();
        self.shutdown.send_replace(true);
        self.runtime.block_on(self.server).unwrap().unwrap();
    }
}

/// The value of a series of the metrics.
fn count(series: &str) -> u64 {
    let rendered = metrics().render();
    let line = rendered.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}
