//! HTTP/2 connections over real sockets: many streams over each, what blocked readers and hostile clients cost, and how
//! connections end.

mod ends;
mod limits;
mod streams;

use super::*;
use crate::support::{
    h2_peer::{self, H2Peer},
    tls::{self, TlsClient, VERSIONS},
};
use rustls::ServerConfig;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tickfan::{
    fanout::{
        Activity, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Answer, H2Request, NewConnection, Refused,
        Requests,
    },
    h2::Limits,
};

/// A listener whose connections speak HTTP/2. `/stream` is a stream of the symbol; `/bytes/N` is a whole answer of so
/// many bytes; `/later` is answered when the test says so; `/refused` is.
struct H2Listener {
    pool: Arc<WorkerPool>,
    new_stream: Box<dyn Fn() -> NewStream + Send + Sync>,
    later: Mutex<Vec<H2Request>>,
    /// Permits of connections without streams: those that are free, and how many are held.
    free: AtomicUsize,
    held: Arc<AtomicUsize>,
    addresses: Arc<Mutex<Vec<ConnectionAddress>>>,
}

struct HeldPermit {
    held: Arc<AtomicUsize>,
    addresses: Arc<Mutex<Vec<ConnectionAddress>>>,
}

impl ConnectionPermit for HeldPermit {
    fn held_by(&mut self, connection: ConnectionAddress) {
        self.addresses.lock().unwrap().push(connection);
    }

    fn becomes(&mut self, _: Activity) {}
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ConnectionPermits for H2Listener {
    fn request(&self, _: std::net::IpAddr) -> Option<Box<dyn Send>> {
        Some(Box::new(()))
    }

    fn permit(&self, _: std::net::IpAddr) -> Option<Box<dyn ConnectionPermit>> {
        let one_less = |free: usize| free.checked_sub(1);
        self.free.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).ok()?;
        self.held.fetch_add(1, Ordering::SeqCst);
        Some(Box::new(HeldPermit { held: self.held.clone(), addresses: self.addresses.clone() }))
    }
}

impl Requests for H2Listener {
    fn take(&self, request: H2Request) -> Result<(), Refused> {
        let path = request.head.uri.path().to_owned();
        match path.as_str() {
            "/stream" => self.pool.open_on(request.stream, (self.new_stream)()),
            "/later" => self.later.lock().unwrap().push(request),
            "/refused" => return Err(Refused),
            _ => {
                let bytes = path.strip_prefix("/bytes/").unwrap().parse().unwrap();
                self.pool.answer(request.stream, answer(bytes));
            }
        }
        Ok(())
    }
}

fn answer(bytes: usize) -> H2Answer {
    H2Answer {
        status: http::StatusCode::OK,
        headers: http::HeaderMap::new(),
        body: vec![b'x'; bytes].into(),
        permit: Box::new(()),
    }
}

impl Sockets {
    /// A listener, and a channel that reports the end of each of its streams.
    fn h2(&self) -> (Arc<H2Listener>, mpsc::Receiver<()>) {
        let (ended_tx, ended_rx) = mpsc::channel();
        let state = self.state.clone();
        let ended_tx = Mutex::new(ended_tx);
        let new_stream = move || NewStream {
            name: StreamName::new(0),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: [(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"))]
                .into_iter()
                .collect(),
            hello: Box::new(Bytes::from_static(b"HELLO\n\n")),
            symbols: Box::new([state.clone()]),
            unlisted: Unlisted::default(),
            options: Options::new(HOURS),
            dictionary: None,
            resume: None,
            generation: 0,
            has_rights: false,
            until: None,
            permit: Box::new(Permit(ended_tx.lock().unwrap().clone())),
        };
        let listener = Arc::new(H2Listener {
            pool: self.pool.clone(),
            new_stream: Box::new(new_stream),
            later: Mutex::default(),
            free: AtomicUsize::new(1_000),
            held: Arc::default(),
            addresses: Arc::default(),
        });
        (listener, ended_rx)
    }
}

/// The settings of a test's connection.
#[derive(Clone)]
struct Settings {
    receive_buffer: Option<usize>,
    /// The settings that the client sends.
    settings: Vec<(u16, u32)>,
    limits: Limits,
    head_timeout: Duration,
    write_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            receive_buffer: None,
            settings: Vec::new(),
            limits: Limits { streams: 100, head_bytes: 16 * 1024, body_bytes: 16 * 1024, reader_check: true },
            head_timeout: HOURS,
            write_timeout: HOURS,
        }
    }
}

/// A client's end of a connection.
struct Client {
    tls: TlsClient,
    peer: H2Peer,
}

impl Client {
    fn connect(listener: &Arc<H2Listener>) -> Self {
        Self::with(listener, Settings::default())
    }

    fn with(listener: &Arc<H2Listener>, settings: Settings) -> Self {
        Self::over(listener, settings, tls::server_config(&VERSIONS[1..]))
    }

    fn over(listener: &Arc<H2Listener>, settings: Settings, config: ServerConfig) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let theirs = connected(&tcp, settings.receive_buffer);
        let (mut ours, peer) = tcp.accept().unwrap();
        let (tls, session) = tls::connect_with(&mut ours, theirs, config);
        let permit = listener.permit(peer.ip()).unwrap();
        let requests: Arc<dyn Requests> = listener.clone();
        let adopted = listener.pool.adopt_with(|worker| {
            Ok(NewConnection {
                io: Box::new(listener.pool.h2_socket(worker, ours, session, Vec::new())?),
                input: Vec::new(),
                peer,
                limits: settings.limits,
                head_timeout: settings.head_timeout,
                write_timeout: settings.write_timeout,
                permit,
                requests,
            })
        });
        adopted.unwrap();
        Self { tls, peer: H2Peer::new(&settings.settings) }
    }

    /// Sends what the peer has to send. The gateway may have left.
    fn send(&mut self) {
        let out = std::mem::take(&mut self.peer.out);
        let _ = self.tls.write_all(&out).and_then(|()| self.tls.flush());
    }

    /// Reads once; `false`: the gateway has closed its side.
    fn read(&mut self) -> bool {
        self.send();
        let mut buffer = [0; 16 * 1024];
        let bytes = self.tls.read(&mut buffer).unwrap();
        self.peer.receive(&buffer[..bytes]);
        bytes > 0
    }

    /// Reads until something is true.
    fn until(&mut self, is_true: impl Fn(&H2Peer) -> bool) {
        while !is_true(&self.peer) {
            assert!(self.read(), "the connection ended: {:?}", self.peer);
        }
    }

    /// Reads to the end.
    fn read_to_end(&mut self) {
        while self.read() {}
    }

    /// Opens a stream, and waits for its first tick.
    fn stream(&mut self) -> u32 {
        let stream = self.peer.get("/stream");
        self.until(|peer| has(peer, stream, "\"symbol\""));
        stream
    }

    /// Reads until streams have a price.
    fn until_price(&mut self, streams: &[u32], price: i64) {
        let wanted = format!("\"price\":{price},");
        self.until(|peer| streams.iter().all(|&stream| has(peer, stream, &wanted)));
    }
}

/// Whether a stream has ended an event that contains something.
fn has(peer: &H2Peer, stream: u32, wanted: &str) -> bool {
    let Some(stream) = peer.streams.get(&stream) else { return false };
    let tail = String::from_utf8_lossy(&stream.body[stream.body.len().saturating_sub(2048)..]);
    tail.contains(wanted) && tail.ends_with("\n\n")
}

/// The numbers of the ticks that a stream got.
fn seqs(peer: &H2Peer, stream: u32) -> Vec<u64> {
    let text = peer.streams[&stream].text();
    let numbers = text.split("\"seq\":").skip(1).map(|rest| rest.split(',').next().unwrap().parse().unwrap());
    numbers.collect()
}
