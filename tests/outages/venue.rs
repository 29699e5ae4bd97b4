//! The venue of a cluster. It allows one connection, as many venues do, and what it sends tells its number.

use futures_util::{SinkExt, StreamExt};
use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use venue_sim::{Dialect, binance};

/// It sends this many updates that often: 300 a second.
const BURST: u64 = 3;
const EVERY: Duration = Duration::from_millis(10);
/// It asks a connection this often whether it lives, and drops one that does not answer for so long, unless a test says
/// otherwise.
const PING_EVERY: Duration = Duration::from_millis(500);
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(4);
/// Only a broken gateway takes so long for its handshake or its request.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A symbol has an update every 67 ms.
pub(crate) const SYMBOLS: u64 = 20;
/// Updates in a second, while a gateway is connected.
pub(crate) const RATE: u64 = BURST * 1_000 / EVERY.as_millis() as u64;

/// The symbols as the gateway names them.
pub(crate) fn symbols() -> Vec<String> {
    (0..SYMBOLS).map(|place| format!("S{place:02}-USDT")).collect()
}

/// What the venue has sent, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Market {
    /// When each number was sent, from 1.
    sent: Mutex<Vec<Instant>>,
    connections: Mutex<Connections>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Connections {
    is_open: bool,
    accepted: usize,
}

impl Market {
    /// The newest number.
    pub(crate) fn newest(&self) -> u64 {
        lock(&self.sent).len() as u64
    }

    /// When a number was sent. A number that was never sent is not the venue's.
    pub(crate) fn sent(&self, number: u64) -> Option<Instant> {
        let place = usize::try_from(number.checked_sub(1)?).ok()?;
        lock(&self.sent).get(place).copied()
    }

    /// How many connections it refused, because there was one.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether a gateway is connected.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.connections).is_open
    }

    /// How many connections it accepted.
    pub(crate) fn accepted(&self) -> usize {
        lock(&self.connections).accepted
    }

    #[cfg(test)]
    pub(crate) fn of_numbers(sent: Vec<Instant>) -> Self {
        Self { sent: Mutex::new(sent), ..Self::default() }
    }

    fn open(self: &Arc<Self>) -> Option<Open> {
        let mut connections = lock(&self.connections);
        if connections.is_open {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        connections.is_open = true;
        connections.accepted += 1;
        Some(Open(self.clone()))
    }

    /// The frame of the next number.
    fn next(&self, dialect: &mut dyn Dialect) -> String {
        let mut sent = lock(&self.sent);
        sent.push(Instant::now());
        let number = sent.len() as u64;
        let name = format!("S{:02}USDT", number % SYMBOLS);
        let price = |number: u64| format!("{number}.00000000");
        // A symbol's updates are trades and quotes in turn.
        if (number / SYMBOLS).is_multiple_of(2) {
            dialect.trade(&name, number, &price(number), "0.02000000")
        } else {
            dialect.quote(&name, number, &price(number), &price(number + 1)).expect("Binance has quotes")
        }
    }
}

/// A connection that is open.
struct Open(Arc<Market>);

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.0.connections).is_open = false;
    }
}

/// A running venue.
pub(crate) struct Venue {
    pub(crate) url: String,
    pub(crate) market: Arc<Market>,
    accepts: JoinHandle<()>,
}

impl Venue {
    /// A venue that drops a connection which says nothing for so long.
    pub(crate) async fn start(dead_after: Duration) -> Self {
        let venue = venue_sim::Venue::bind().await;
        let (url, market) = (venue.url.clone(), Arc::new(Market::default()));
        let accepted = market.clone();
        let accepts = tokio::spawn(async move {
            loop {
                let tcp = venue.next_tcp().await;
                match accepted.open() {
                    Some(open) => drop(tokio::spawn(serve(tcp, open, dead_after))),
                    None => drop(tokio::spawn(refuse(tcp))),
                }
            }
        });
        Self { url, market, accepts }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn refuse(mut tcp: TcpStream) {
    let mut request = [0; 4 << 10];
    let _ = timeout(HANDSHAKE, tcp.read(&mut request)).await;
    let _ = tcp.write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
}

/// Serves a connection until one side leaves, or the gateway seems dead.
async fn serve(tcp: TcpStream, open: Open, dead_after: Duration) {
    let Ok(Ok(mut socket)) = timeout(HANDSHAKE, accept_async(tcp)).await else { return };
    let mut dialect = (binance::MANNER.new)(&[]);
    let Ok(Some(Ok(Message::Text(request)))) = timeout(HANDSHAKE, socket.next()).await else { return };
    for answer in dialect.answer(&request) {
        if socket.send(Message::text(answer)).await.is_err() {
            return;
        }
    }
    let mut bursts = interval(EVERY);
    bursts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pings = interval(PING_EVERY);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => heard = Instant::now(),
            },
            _ = pings.tick() => {
                if heard.elapsed() > dead_after || socket.send(Message::Ping(Default::default())).await.is_err() {
                    return;
                }
            }
            _ = bursts.tick() => {
                for _ in 0..BURST {
                    if socket.send(Message::text(open.0.next(&mut *dialect))).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
