//! Any bytes as a client's requests, over a socket: the server may not panic, hang, answer that it failed itself, or take
//! more memory than the requests are worth.

use super::allocations::peak;
use std::{
    cell::Cell,
    io, panic,
    sync::{Arc, Once, atomic::AtomicBool},
    time::{Duration, Instant},
};
use tickfan::{
    api::{self, StreamSink},
    cache::{Cache, RingLimits},
    config::{Config, Live},
    fanout::{Change, ChangeRefused, ChangeReply, NewStream, StreamAddress},
    history::History,
    limits::{Fitted, Permits},
    market::{Now, Origin},
    tls::Session,
    wire::{Epoch, StreamName},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};

/// More than a head may have.
const BYTES_MAX: usize = 20 << 10;
/// The longest target and header value of a request that is otherwise right, before they are escaped.
const PART_BYTES_MAX: usize = 2 << 10;
/// What is kept of the answers.
const KEPT_BYTES: usize = 4 << 10;
/// The most memory of a connection, and for each byte of its requests: pipelined ones wait for their turn.
const BYTES_OF_CONNECTION: usize = 256 << 10;
const BYTES_PER_BYTE: usize = 40;
/// Only a server that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(8);

thread_local! {
    /// The panics of this thread: one in a task ends that task alone.
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// Answers each stream with the first line of an answer, and ends it.
struct Opened;

impl StreamSink for Opened {
    fn open(&self, socket: TcpStream, _: NewStream) -> io::Result<()> {
        // Bytes that are left in the kernel would make the close a reset.
        while socket.try_read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {}
        socket.try_write(b"HTTP/1.1 200 OK\r\n\r\n").map(drop)
    }

    fn open_tls(&self, _: TcpStream, _: Session, _: Vec<u8>, _: NewStream) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn change(&self, _: StreamAddress, _: StreamName, _: Change, reply: Box<dyn ChangeReply>) {
        reply.reply(Err(ChangeRefused::NoSuchStream));
    }
}

/// The clients' listener with some symbols, in a runtime of the calling thread.
pub struct Requests {
    runtime: Runtime,
    address: std::net::SocketAddr,
    _shutdown: watch::Sender<bool>,
}

impl Requests {
    /// Starts it.
    ///
    /// # Panics
    /// If the system has no port for it.
    pub fn start() -> Self {
        count_panics();
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".parse().expect("an address");
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["AAPL", "BRK.B", "BTC-USDT"] {
            let symbol = symbol.parse().expect("a symbol");
            cache.register(symbol, "feed".into(), Origin::Sim, Now::read()).expect("it is new");
        }
        let services = api::Services {
            cache: Arc::new(cache),
            on_demand: None,
            history: History::new(Duration::from_secs(60), Duration::from_secs(1), 1 << 20, Instant::now()),
            streams: Arc::new(Opened),
            permits: Permits::new(Fitted { streams: 8, connections: 8, waiting: 8 }, 1_000),
            draining: Arc::new(AtomicBool::new(false)),
            tls: None,
            keys: None,
        };
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let server = api::Server::bind(&Live::new(config), services).expect("a port");
        let address = server.local_addr();
        let (shutdown, shutdown_rx) = watch::channel(false);
        runtime.spawn(server.run(shutdown_rx));
        Self { runtime, address, _shutdown: shutdown }
    }

    /// Sends the bytes as they are, and their first two lines as the target and as a header of a request that is
    /// otherwise right.
    ///
    /// # Panics
    /// If the server breaks its promises.
    pub fn read(&self, bytes: &[u8]) {
        self.answers_to(&bytes[..bytes.len().min(BYTES_MAX)]);
        let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| &line[..line.len().min(PART_BYTES_MAX)]);
        let mut next = || lines.next().unwrap_or_default();
        let (target, header) = (escaped(next()), printable(next()));
        let request = format!("GET /v1/{target} HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {header}\r\n\r\n");
        let answer = self.answers_to(request.as_bytes());
        assert!(!answer.is_empty(), "{request:?} has no answer");
    }

    /// The beginning of what comes back, which has been checked.
    fn answers_to(&self, bytes: &[u8]) -> Vec<u8> {
        let before = PANICS.get();
        let (answer, taken) = peak(|| self.runtime.block_on(async { timeout(PATIENCE, self.exchange(bytes)).await }));
        let answer = answer.expect("the connection ends when the client has nothing more to say");
        assert_eq!(PANICS.get(), before, "the server panicked");
        let allowed = BYTES_OF_CONNECTION + bytes.len() * BYTES_PER_BYTE;
        assert!(taken <= allowed, "{} bytes of requests took {taken} bytes, {allowed} are allowed", bytes.len());
        if !answer.is_empty() {
            let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
            let said = String::from_utf8_lossy(&answer);
            assert!(status.is_some_and(|status| matches!(status[0], b'1'..=b'4')), "{said}");
        }
        answer
    }

    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut client = TcpStream::connect(self.address).await.expect("it listens");
        let (mut from, mut to) = client.split();
        let sending = async {
            // The server may have closed before all of it is sent.
            let _ = to.write_all(bytes).await;
            let _ = to.shutdown().await;
        };
        let reading = async {
            let mut kept = Vec::with_capacity(KEPT_BYTES);
            let mut scratch = vec![0; 16 << 10];
            while let Ok(count @ 1..) = from.read(&mut scratch).await {
                let room = KEPT_BYTES - kept.len();
                kept.extend_from_slice(&scratch[..count.min(room)]);
            }
            kept
        };
        tokio::join!(sending, reading).1
    }
}

/// Bytes that a target may not have are written with `%`.
fn escaped(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_graphic() { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Without the bytes that a header may not have.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().filter(|byte| byte.is_ascii_graphic()).map(|byte| char::from(*byte)).collect()
}
