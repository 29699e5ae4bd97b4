//! Lists and options of open streams change by requests, over HTTP/1.1, TLS and HTTP/2, with real workers.

mod answers;
mod compressed;
mod epochs;
mod patches;
mod streams;

use crate::support::{
    Answer, Client, PATIENCE, Setup, connect_narrow,
    h2_peer::{self, H2Peer},
    metrics,
    tls::{self, TlsClient, VERSIONS},
};
use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};
use tickfan::{
    api::{self, TlsServices},
    cache::{Cache, Published, RingLimits, SymbolState},
    config,
    fanout::{Announcer, WorkerPool, WorkerThreads},
    limits::{Fitted, Permits},
    market::{Decimal, Field, Now, Origin, Reason, TradeUpdate, Update},
    wire::Epoch,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
    task::JoinHandle,
};

/// A gateway with workers, whose ticks the test publishes.
struct Live {
    plain: SocketAddr,
    secure: SocketAddr,
    cache: Arc<Cache>,
    permits: Permits,
    announcer: Announcer,
    price: i64,
    workers: Arc<WorkerPool>,
    threads: WorkerThreads,
    shutdown: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    runtime: Runtime,
}

impl Live {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(settings: impl FnOnce(&mut Setup)) -> Self {
        let tls = config::Tls { listen: "127.0.0.1:0".parse().unwrap(), ..config::Tls::default() };
        let mut setup = Setup { tls: Some(tls), ..Setup::default() };
        settings(&mut setup);
        let live = setup.live();
        let mut certificates = tls::server_config(&VERSIONS);
        certificates.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let config = live.current();
        let cache = Arc::new(Cache::new(Epoch::new(1 << 20), RingLimits { count: 1_024, age: PATIENCE }));
        for symbol in &setup.symbols {
            cache.register(symbol.parse().unwrap(), "test".into(), Origin::Sim, Now::read()).unwrap();
        }
        let (workers, threads) = WorkerPool::start(&config.fanout).unwrap();
        let fitted = Fitted { streams: setup.limits.streams, connections: setup.limits.connections, waiting: 100 };
        let permits = Permits::new(fitted, setup.limits.subscriptions);
        let services = api::Services {
            cache: cache.clone(),
            on_demand: None,
            history: None,
            streams: workers.clone(),
            permits: permits.clone(),
            draining: Arc::new(AtomicBool::new(false)),
            tls: Some(TlsServices { config: Arc::new(certificates), http2: Some(workers.clone()) }),
            keys: None,
        };
        let server = api::Server::bind(&live, services).unwrap();
        let plain = server.local_addr();
        let secure = server.tls_addr().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (shutdown, shutdown_rx) = watch::channel(false);
        let server = runtime.spawn(server.run(shutdown_rx));
        let announcer = Announcer::new(workers.clone());
        Self { plain, secure, cache, permits, announcer, price: 0, workers, threads, shutdown, server, runtime }
    }

    fn client(&self) -> Client {
        Client::connect(self.plain)
    }

    fn tls_client(&self, protocol: &[u8]) -> TlsClient {
        let socket = TcpStream::connect(self.secure).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut config = tls::client_config(&VERSIONS);
        config.alpn_protocols = vec![protocol.to_vec()];
        tls::client(socket, config)
    }

    fn state(&self, symbol: &str) -> Arc<SymbolState> {
        self.cache.get(&symbol.parse().unwrap()).unwrap()
    }

    /// Publishes a trade; returns its `seq`.
    fn publish(&mut self, symbol: &str) -> u64 {
        self.price += 1;
        let trade = TradeUpdate { price: Field::Set(Decimal::new(self.price, 0).unwrap()), ..TradeUpdate::default() };
        let state = self.state(symbol);
        let update = Update { trade: Some(trade), ..Update::default() };
        if let Published::Tick { interest } = state.publish(&update, Now::read()) {
            self.announcer.add(&state, interest);
        }
        self.announcer.flush();
        state.newest().seq
    }

    /// Stops listener and workers, and waits for their end.
    fn stop(self) {
        self.workers.drain(Duration::ZERO);
        self.threads.join().unwrap();
        self.shutdown.send_replace(true);
        self.runtime.block_on(self.server).unwrap().unwrap();
    }
}

/// Sends a change over HTTP/1.1.
fn post<S: Read + Write>(client: &mut Client<S>, control: &str, body: &str) -> Answer {
    let length = body.len();
    client.send(format!(
        "POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    ));
    client.answer(true)
}

/// The kind of a problem.
pub(crate) fn kind(answer: &Answer) -> (u16, String) {
    let kind = answer.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    (answer.status, kind)
}

/// The name by which a stream is changed, from its `hello`.
fn control(stream: &str) -> String {
    let (_, hello) = stream.split_once("event: hello\ndata: ").unwrap();
    let hello: Value = serde_json::from_str(hello.lines().next().unwrap()).unwrap();
    hello["control"].as_str().unwrap().to_owned()
}

/// Opens a plain stream; returns it and the name by which it is changed.
fn open(gateway: &Live, symbols: &str) -> (Client, String) {
    open_on(gateway.client(), symbols)
}

fn open_on<S: Read + Write>(mut client: Client<S>, symbols: &str) -> (Client<S>, String) {
    client.send(format!("GET /v1/stream?symbols={symbols} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let read = client.until(|text| text.contains("event: hello") && text.contains("\"seq\":"));
    (client, control(&read))
}

/// What a stream has sent behind its head: each block's event, its data, or the symbol and `seq` of a tick.
#[derive(Debug, PartialEq)]
enum Seen {
    Named(String, Value),
    Tick(String, u64),
}

/// The whole blocks of a stream, with or without its head.
fn seen(text: &str) -> Vec<Seen> {
    let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body);
    let whole = body.rfind("\n\n").map_or("", |end| &body[..end]);
    let blocks = whole.split("\n\n").filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let data: Value = serde_json::from_str(field("data: ").unwrap()).unwrap();
            match field("event: ") {
                Some(name) => Seen::Named(name.to_owned(), data),
                None => Seen::Tick(data["symbol"].as_str().unwrap().to_owned(), data["seq"].as_u64().unwrap()),
            }
        })
        .collect()
}

/// Checks that every tick belongs to the list of the moment, and that within it `seq` only rises; returns how many
/// `symbols` events there were. A symbol that passes between live and delayed prices starts over.
pub(crate) fn check(stream: &str) -> usize {
    let mut last: Vec<(String, Option<u64>)> = Vec::new();
    let mut delayed: Vec<String> = Vec::new();
    let mut events = 0;
    for seen in seen(stream) {
        match seen {
            Seen::Named(name, data) if name == "hello" || name == "symbols" => {
                events += usize::from(name == "symbols");
                let names = data["symbols"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
                let now_delayed = data["delayed"].as_array().into_iter().flatten();
                let now_delayed: Vec<String> = now_delayed.map(|name| name.as_str().unwrap().to_owned()).collect();
                let before = |name: String| {
                    let has_passed = delayed.contains(&name) != now_delayed.contains(&name);
                    let known = last.iter().find(|(known, _)| *known == name && !has_passed);
                    (name.clone(), known.and_then(|(_, seq)| *seq))
                };
                last = names.map(before).collect();
                delayed = now_delayed;
            }
            Seen::Named(..) => {}
            Seen::Tick(symbol, seq) => {
                let slot = last.iter_mut().find(|(name, _)| *name == symbol);
                let (_, last) = slot.unwrap_or_else(|| panic!("{symbol} {seq} outside its list: {stream}"));
                assert!(last.is_none_or(|last| last < seq), "{symbol} {seq} after {last:?}: {stream}");
                *last = Some(seq);
            }
        }
    }
    events
}

/// Waits until a condition holds that others bring about.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// The value of a series of the metrics.
fn count(series: &str) -> u64 {
    let rendered = metrics().render();
    let line = rendered.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}
