//! A real server on a port of its own, a stand-in for the workers, and a client that sends exactly the bytes it is
//! given.

#![allow(clippy::unwrap_used, reason = "test code")]
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a module of each test binary, which uses its own part of it"
)]

pub mod bookkeeper;
pub mod certificates;
pub mod checker;
pub mod crowd;
pub mod h2_peer;
pub mod issuer;
pub mod kernel;
pub mod log_watch;
pub mod process;
pub mod recorded;
pub mod recording;
pub mod reference;
pub mod running;
pub mod stream;
pub mod tls;
pub mod wire;

use socket2::{Domain, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, OnceLock, atomic::AtomicBool, mpsc},
    time::{Duration, Instant},
};
use tickfan::{
    admin::{self, DebugSources, GatewayStatus, HealthInputs, WorkerReports},
    api::{self, StreamSink},
    cache::{Cache, RingLimits, WorkerIndex},
    config,
    fanout::{
        Announcer, Change, ChangeRefused, ChangeReply, Counts, NewStream, SlowestStreams, StreamAddress, WorkerPool,
        http1_first_block,
    },
    gateway::Reloader,
    history::History,
    limits::{Fitted, Gate, Permits},
    market::{Field, Now, Origin, QuoteUpdate, StatsUpdate, TradeUpdate, Update},
    telemetry,
    tls::Session,
    wire::{Epoch, StreamName},
};
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};

/// Only a broken test waits so long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long the gateway may take for what it does at once, on a machine that does much else.
pub const AT_ONCE: Duration = Duration::from_secs(2);

/// The settings of a test's gateway.
#[derive(Clone)]
pub struct Setup {
    pub server: config::Server,
    pub limits: config::Limits,
    pub tls: Option<config::Tls>,
    pub history: config::History,
    /// How many newcomers may wait for a connection.
    pub waiting: usize,
    pub symbols: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            server: config::Server {
                listen: "127.0.0.1:0".parse().unwrap(),
                admin_listen: "127.0.0.1:0".parse().unwrap(),
                hosts: vec!["ticks.example".into()],
                drain_delay: Duration::ZERO,
                drain: Duration::from_secs(1),
                ..config::Config::default().server
            },
            limits: config::Limits {
                streams: 1_000,
                connections: 100,
                connections_per_address: 100,
                head_timeout: PATIENCE,
                head_bytes: 16 * 1024,
                write_timeout: PATIENCE,
                symbols_per_stream: 3,
                ..config::Config::default().limits
            },
            waiting: 64,
            tls: None,
            history: config::Config::default().history,
            symbols: ["AAPL", "MSFT", "BRK.B", "BTC-USDT"].map(str::to_owned).into(),
        }
    }
}

impl Setup {
    /// The settings of a gateway of these.
    pub fn live(&self) -> config::Live {
        let Self { server, limits, tls, history, .. } = self.clone();
        config::Live::new(config::Config { server, limits, tls, history, ..config::Config::default() })
    }
}

/// Hands opened streams to the test.
struct Streams(mpsc::Sender<(TcpStream, NewStream)>);

impl StreamSink for Streams {
    fn open(&self, socket: tokio::net::TcpStream, stream: NewStream) -> std::io::Result<()> {
        self.0.send((socket.into_std()?, stream)).map_err(|_| ErrorKind::BrokenPipe.into())
    }

    fn open_tls(&self, _: tokio::net::TcpStream, _: Session, _: Vec<u8>, _: NewStream) -> std::io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn change(&self, _: StreamAddress, _: StreamName, _: Change, reply: Box<dyn ChangeReply>) {
        reply.reply(Err(ChangeRefused::NoSuchStream));
    }
}

/// A running server whose streams end up in the test's hands.
pub struct Gateway {
    pub address: SocketAddr,
    pub cache: Arc<Cache>,
    /// It observes the cache when a test tells it to.
    pub history: Option<Arc<History>>,
    pub draining: Arc<AtomicBool>,
    pub permits: Permits,
    streams: mpsc::Receiver<(TcpStream, NewStream)>,
    shutdown: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
}

impl Gateway {
    pub fn start(setup: Setup) -> Self {
        log_watch::LogWatch::of_this_process();
        let runtime = runtime();
        let cache = cache(&setup.symbols);
        let (streams_tx, streams) = mpsc::channel();
        let draining = Arc::new(AtomicBool::new(false));
        let permits = permits(&setup);
        let config::History { keep, every, bytes_max } = setup.history;
        let history = History::new(keep, every, bytes_max, Instant::now());
        let services = api::Services {
            cache: cache.clone(),
            on_demand: None,
            history: history.clone(),
            streams: Arc::new(Streams(streams_tx)),
            permits: permits.clone(),
            draining: draining.clone(),
            keys: None,
            tls: None,
        };
        let server = api::Server::bind(&setup.live(), services).unwrap();
        let address = server.local_addr();
        let (shutdown, shutdown_rx) = watch::channel(false);
        let server = runtime.spawn(server.run(shutdown_rx));
        Self { address, cache, history, draining, permits, streams, shutdown, server, runtime }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Opens a stream. Its client waits for it: one that leaves at once may be gone before its request is looked at.
    pub fn open(&self, target: &str, headers: &str) -> (Client, NewStream) {
        let mut client = self.client();
        client.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        (client, self.stream().1)
    }

    /// Waits for the next stream that was handed over.
    pub fn stream(&self) -> (TcpStream, NewStream) {
        self.streams.recv_timeout(PATIENCE).expect("a stream is handed over")
    }

    /// Plays the workers for the next stream: sends its first bytes and one frame, then ends it.
    pub fn serve_stream(&self) {
        let (mut socket, opening) = self.stream();
        // As a worker does: it reads and drops the bytes behind the request, or the close would reset the connection.
        let mut scratch = [0; 1024];
        while matches!(socket.read(&mut scratch), Ok(1..)) {}
        let address = StreamAddress { worker: WorkerIndex::new(0).unwrap(), key: 0 };
        socket.write_all(&http1_first_block(&opening.head, &opening.hello.block(address))).unwrap();
        socket.write_all(b"data: the end\n\n").unwrap();
    }

    /// Opens nothing, for a server that does not run.
    pub fn stream_sink(&self) -> Arc<dyn StreamSink> {
        Arc::new(Streams(mpsc::channel().0))
    }

    /// Makes every new stream fail, as if the system refused to set up its socket.
    pub fn refuse_streams(&mut self) {
        self.streams = mpsc::channel().1;
    }

    pub fn was_handed_a_stream(&self) -> bool {
        self.streams.try_recv().is_ok()
    }

    /// Stops the server and waits for its end.
    pub fn stop(self) {
        self.shutdown.send_replace(true);
        self.runtime.block_on(self.server).unwrap().unwrap();
    }

    pub fn begin_to_stop(&self) {
        self.shutdown.send_replace(true);
    }
}

/// Checks that what was read is one stream, as [`Gateway::serve_stream`] sends it, from its first byte to its last.
#[track_caller]
pub fn assert_is_stream(read: &str) {
    let (head, body) = read.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {read:?}"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert!(body.starts_with("retry: "), "{body}");
    assert!(body.ends_with("}\n\ndata: the end\n\n"), "{body}");
    assert_eq!(body.matches("event: hello").count(), 1, "{body}");
    assert!(!body.contains("HTTP/1.1"), "a second answer: {body}");
}

/// A running admin listener.
pub struct Admin {
    pub address: SocketAddr,
    _shutdown: watch::Sender<bool>,
    _runtime: Runtime,
}

impl Admin {
    /// A listener that reports this health, over a gateway without workers, feeds and symbols.
    pub fn start(health: impl Fn() -> HealthInputs + Send + Sync + 'static) -> Self {
        let setup = Setup::default();
        let services = admin::Services {
            metrics: metrics(),
            status: Arc::new(Health(health)),
            sources: DebugSources {
                cache: cache(&[]),
                feeds: admin::LiveFeeds::default(),
                workers: Arc::new(NoWorkers),
                issuer: None,
                cluster: None,
            },
            reload: Reloader::new(config::Config::default(), config::Loader::default(), None),
        };
        let server = admin::Server::bind(&setup.live(), Gate::new(8), services).unwrap();
        let address = server.local_addr();
        let runtime = runtime();
        let (shutdown, shutdown_rx) = watch::channel(false);
        runtime.spawn(server.run(shutdown_rx));
        Self { address, _shutdown: shutdown, _runtime: runtime }
    }
}

/// A gateway whose health the test decides.
struct Health<F>(F);

impl<F: Fn() -> HealthInputs + Send + Sync> GatewayStatus for Health<F> {
    fn health(&self) -> HealthInputs {
        self.0()
    }

    fn publish_metrics(&self, _: &mut String) {}
}

/// Has no workers, so none answers.
struct NoWorkers;

impl WorkerReports for NoWorkers {
    fn ask_slowest(&self, _: usize, _: Instant) -> (mpsc::Receiver<SlowestStreams>, usize) {
        (mpsc::channel().1, 0)
    }

    fn counts_of(&self, _: WorkerIndex) -> Counts {
        Counts::default()
    }

    fn announcer(self: Arc<Self>) -> Announcer {
        Announcer::new(WorkerPool::start(&config::Config::default().fanout).unwrap().0)
    }
}

/// The process's metrics. All tests of a process share its one recorder.
pub fn metrics() -> telemetry::Metrics {
    static METRICS: OnceLock<telemetry::Metrics> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::install().unwrap()).clone()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn cache(symbols: &[String]) -> Arc<Cache> {
    let cache = Cache::new(Epoch::new(u64::MAX), RingLimits { count: 8, age: Duration::from_secs(1) });
    for symbol in symbols {
        cache.register(symbol.parse().unwrap(), "test-feed".into(), Origin::Sim, Now::read()).unwrap();
    }
    Arc::new(cache)
}

fn permits(setup: &Setup) -> Permits {
    let limits = &setup.limits;
    Permits::new(
        Fitted { streams: limits.streams, connections: limits.connections, waiting: setup.waiting },
        limits.subscriptions,
    )
}

/// An update that sets many fields.
pub fn update() -> Update {
    let number = |text: &str| Field::Set(text.parse().unwrap());
    Update {
        symbol: tickfan::market::FeedSymbol(0),
        trade: Some(TradeUpdate { price: number("182.34"), size: number("100"), ..TradeUpdate::default() }),
        quote: Some(QuoteUpdate {
            bid: number("182.33"),
            bid_size: number("300"),
            ask: number("182.35"),
            ask_size: number("200"),
            ..QuoteUpdate::default()
        }),
        stats: Some(StatsUpdate { open: number("180"), prev_close: number("181.5"), ..StatsUpdate::default() }),
        ..Update::default()
    }
}

/// What the socket of a client that does not read holds: set before it connects, for later the window is open already.
const NARROW_BYTES: usize = 4_096;

/// A connection whose client buffers next to nothing.
pub fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(NARROW_BYTES).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

/// A connection on which bytes are sent as they are.
pub struct Client<S = TcpStream> {
    pub socket: S,
    buffer: Vec<u8>,
}

/// An answer, as read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// A header's value, if it is there; it must not be there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        let value = values.next();
        assert_eq!(values.next(), None, "{name} comes twice in {}", self.head);
        value
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::from_socket(TcpStream::connect(address).unwrap())
    }

    pub fn from_socket(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(socket)
    }

    /// Whether nothing arrives for 100 ms.
    pub fn is_quiet(&mut self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let quiet = matches!(self.socket.read(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        quiet
    }
}

impl<S: Read + Write> Client<S> {
    /// A client on any connection.
    pub fn over(socket: S) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a plain GET; the connection stays open.
    pub fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, "")
    }

    /// Sends a request with more header lines, each ended by CR LF.
    pub fn request(&mut self, method: &str, target: &str, headers: &str) -> Answer {
        self.send(format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        self.answer(method != "HEAD")
    }

    /// Reads the next response, by its content length.
    pub fn answer(&mut self, with_body: bool) -> Answer {
        let head_end = loop {
            match self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(position) => break position + 4,
                None => assert!(self.read_more(), "ended in a head: {:?}", String::from_utf8_lossy(&self.buffer)),
            }
        };
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        if with_body {
            while self.buffer.len() < length {
                assert!(self.read_more(), "ended in a body");
            }
            answer.body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        }
        answer
    }

    /// Reads up to a line with this prefix; returns the rest of the line.
    pub fn line(&mut self, begin: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            let found = text.split_inclusive('\n').find_map(|line| line.strip_prefix(begin)?.strip_suffix('\n'));
            match found {
                Some(rest) => return rest.to_owned(),
                None => assert!(self.read_more(), "ended before {begin}: {text}"),
            }
        }
    }

    /// Reads until the bytes since the last response satisfy the condition; returns them.
    pub fn until(&mut self, will_do: impl Fn(&str) -> bool) -> String {
        while !std::str::from_utf8(&self.buffer).is_ok_and(&will_do) {
            assert!(self.read_more(), "ended after {:?}", String::from_utf8_lossy(&self.buffer));
        }
        String::from_utf8(self.buffer.clone()).unwrap()
    }

    /// The same of bytes that need not be text.
    pub fn until_bytes(&mut self, will_do: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        while !will_do(&self.buffer) {
            assert!(self.read_more(), "ended after {} bytes", self.buffer.len());
        }
        self.buffer.clone()
    }

    /// Reads all that comes until the server ends the connection.
    pub fn rest(&mut self) -> String {
        while self.read_more() {}
        String::from_utf8(std::mem::take(&mut self.buffer)).unwrap()
    }

    fn read_more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&self.buffer)),
        }
    }
}
