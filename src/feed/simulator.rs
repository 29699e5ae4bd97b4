//! The built-in simulated venue: a real websocket server inside the process, so that the whole path is used without a network.
//!
//! It listens on the loopback alone and speaks the protocol of `venue::Sim`. Each connection has a market of its own.

pub use super::random_walk::{LISTINGS, Listing};

use super::random_walk::RandomWalk;
use crate::{
    market::{Now, Symbol},
    venue::sim::SYMBOLS_MAX,
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};
use tracing::debug;

/// One feed is one connection; a few more for those who look at it by hand.
const CONNECTIONS_MAX: usize = 16;
/// A request for five hundred of the longest symbols is 18 KB.
const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// For a client to finish its handshake, or to take what was sent: it is on the same machine.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// After a failure to accept: descriptors come back when something ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Updates in one go, before requests are looked at again.
const BURST_MAX: u64 = 1_000;
/// Rates that make sense; anything else is brought into them.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=5_000_000.0;
/// Nanoseconds in a thousand seconds.
const NANOS_OF_MILLI_RATE: u128 = 1_000_000_000_000;
/// A machine that slept, or a reader that cannot follow, does not get all that it missed.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A simulated venue that has its socket, and does not serve yet.
#[derive(Debug)]
pub struct Simulator {
    listener: TcpListener,
    rate: f64,
    seed: u64,
}

impl Simulator {
    /// Takes a free port of the loopback. `rate` is updates a second in all, for each connection.
    ///
    /// # Errors
    /// There is no port to be had.
    pub async fn bind(rate: f64, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let rate = if rate.is_nan() { *RATES.start() } else { rate.clamp(*RATES.start(), *RATES.end()) };
        Ok(Self { listener, rate, seed })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` turns true, or its sender is gone.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut connections = JoinSet::new();
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = self.accept(&mut connections) => {}
        }
        connections.shutdown().await;
    }

    async fn accept(&self, connections: &mut JoinSet<()>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    while connections.try_join_next().is_some() {}
                    if connections.len() < CONNECTIONS_MAX {
                        connections.spawn(serve(stream, Client::new(self.rate, self.seed)));
                    }
                }
                Err(error) => {
                    debug!(%error, "the simulator cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// What one connection is told, and when.
struct Client {
    walk: RandomWalk,
    /// Updates in a thousand seconds: whole, so that what is due and when it is due never disagree.
    rate_milli: u128,
    /// From when on updates are counted, and how many were sent since.
    started: Instant,
    sent: u64,
}

/// A request, as `venue::Sim` writes it.
#[derive(Deserialize)]
struct Subscribe<'a> {
    op: &'a str,
    id: u64,
    symbols: Vec<&'a str>,
}

impl Client {
    fn new(rate: f64, seed: u64) -> Self {
        Self {
            walk: RandomWalk::new(seed),
            rate_milli: (rate * 1e3).max(1.0) as u128,
            started: Instant::now(),
            sent: 0,
        }
    }

    /// The answer to a request, and the first messages of what it asked for. All or nothing: a refused one adds no symbol.
    fn answer(&mut self, request: &str, now: Now) -> Vec<String> {
        let Ok(request) = serde_json::from_str::<Subscribe<'_>>(request) else {
            return vec![r#"{"op":"refuse"}"#.to_owned()];
        };
        let id = request.id;
        let symbols: Result<Vec<Symbol>, _> = request.symbols.iter().map(|name| name.parse()).collect();
        let room = SYMBOLS_MAX - self.walk.len();
        match symbols {
            Ok(symbols) if request.op == "subscribe" && symbols.len() <= room => {
                if self.walk.is_empty() {
                    (self.started, self.sent) = (now.instant, 0);
                }
                let mut messages = vec![format!(r#"{{"op":"ack","id":{id}}}"#)];
                messages.extend(symbols.into_iter().flat_map(|symbol| self.walk.add(symbol, now.unix)));
                messages
            }
            _ => vec![format!(r#"{{"op":"refuse","id":{id}}}"#)],
        }
    }

    /// The updates that are due, a burst at most.
    fn due(&mut self, now: Now) -> Vec<String> {
        let owed = |since: Duration| (since.as_nanos() * self.rate_milli / NANOS_OF_MILLI_RATE) as u64;
        let due = owed(now.instant - self.started);
        self.sent = self.sent.max(due.saturating_sub(owed(CATCH_UP).max(1)));
        let count = due.saturating_sub(self.sent).min(BURST_MAX);
        self.sent += count;
        (0..count).filter_map(|_| self.walk.step(now.unix)).collect()
    }

    /// When the next update is due; `None` where nothing was asked for.
    fn next_due(&self) -> Option<Instant> {
        let nanos = (u128::from(self.sent + 1) * NANOS_OF_MILLI_RATE).div_ceil(self.rate_milli);
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        if self.walk.is_empty() { None } else { self.started.checked_add(wait) }
    }
}

async fn serve(stream: TcpStream, client: Client) {
    if let Err(error) = converse(stream, client).await {
        debug!(%error, "a connection to the simulator ended");
    }
}

async fn converse(stream: TcpStream, mut client: Client) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config =
        WebSocketConfig::default().max_message_size(Some(REQUEST_BYTES_MAX)).max_frame_size(Some(REQUEST_BYTES_MAX));
    let mut socket = in_time(accept_async_with_config(stream, Some(config))).await?;
    loop {
        let due = client.next_due();
        let due = async {
            match due {
                Some(due) => sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        let messages = tokio::select! {
            () = due => client.due(Now::read()),
            request = socket.next() => match request {
                Some(Ok(Message::Text(request))) => client.answer(&request, Now::read()),
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => Vec::new(),
                Some(Err(error)) => return Err(error),
            },
        };
        in_time(send_all(&mut socket, messages)).await?;
    }
}

async fn send_all(socket: &mut WebSocketStream<TcpStream>, messages: Vec<String>) -> Result<(), Error> {
    for message in messages {
        socket.feed(Message::text(message)).await?;
    }
    socket.flush().await
}

async fn in_time<T>(step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(CLIENT_TIMEOUT, step).await.map_err(|_| Error::Io(io::ErrorKind::TimedOut.into()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Now {
        Now::read()
    }

    fn asked(rate: f64) -> (Client, Now) {
        let (mut client, now) = (Client::new(rate, 1), now());
        let answer = client.answer(r#"{"op":"subscribe","id":4,"symbols":["AAPL","V"]}"#, now);
        assert_eq!((answer.len(), answer[0].as_str()), (7, r#"{"op":"ack","id":4}"#));
        (client, now)
    }

    #[test]
    fn updates_come_at_their_rate_once_something_was_asked_for() {
        assert_eq!(Client::new(100.0, 1).next_due(), None);
        let (mut client, start) = asked(100.0);
        let mut sent = 0;
        for millis in (0..=3_000).step_by(7) {
            let now = start.after(Duration::from_millis(millis));
            sent += client.due(now).len() as u64;
            assert_eq!(sent, millis / 10, "after {millis} ms");
            assert!(client.next_due().unwrap() > now.instant);
        }
    }

    #[test]
    fn rule_10_a_machine_that_slept_does_not_get_all_that_it_missed() {
        let (mut client, start) = asked(100.0);
        let now = start.after(Duration::from_secs(3_600));
        assert_eq!((client.due(now).len(), client.due(now).len()), (100, 0));
        let (mut client, start) = asked(1_000_000.0);
        let now = start.after(Duration::from_secs(3_600));
        assert_eq!(client.due(now).len() as u64, BURST_MAX);
        assert!(client.next_due().unwrap() <= now.instant, "the rest of the second is still owed");
        let (mut client, start) = asked(0.01);
        assert_eq!(client.due(start.after(Duration::from_secs(100))).len(), 1);
    }

    #[test]
    fn rule_10_a_request_for_too_much_adds_nothing() {
        let (mut client, now) = asked(1.0);
        let names: Vec<String> = (0..SYMBOLS_MAX - 1).map(|number| format!("S{number}")).collect();
        let request = serde_json::json!({ "op": "subscribe", "id": 9, "symbols": names }).to_string();
        assert_eq!(client.answer(&request, now), [r#"{"op":"refuse","id":9}"#]);
        assert_eq!(client.walk.len(), 2);
    }
}
