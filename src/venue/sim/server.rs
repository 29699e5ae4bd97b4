//! The built-in simulated venue: a real websocket server inside the process, so that the whole path is used without a
//! network.
//!
//! It listens on the loopback only. Each connection has a market of its own.

use super::{
    SYMBOLS_MAX,
    random_walk::RandomWalk,
    stage::{Cue, Stage},
};
use crate::{
    market::{Now, Symbol},
    venue::{LocalServer, Script},
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use std::{
    io,
    net::{Ipv4Addr, TcpListener as StdListener},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{Error, Message, protocol::WebSocketConfig},
};
use tracing::debug;

/// One feed has up to eight connections; the others are for people who look at it by hand.
pub(super) const CONNECTIONS_MAX: usize = 16;
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
/// The announcement that the simulator is about to close a connection.
const CLOSING: &str = r#"{"op":"closing"}"#;
/// Between two heartbeats.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// Nanoseconds in a thousand seconds.
const NANOS_OF_MILLI_RATE: u128 = 1_000_000_000_000;
/// A machine that slept, or a reader that cannot follow, does not get all that it missed.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A simulated venue that has its socket, and does not serve yet.
#[derive(Debug)]
pub(super) struct Simulator {
    listener: TcpListener,
    rate: f64,
    seed: u64,
    script: Arc<Script>,
}

impl Simulator {
    /// Binds a free port of the loopback, within a tokio runtime. `rate` is updates a second in all, for each
    /// connection.
    ///
    /// # Errors
    /// The system gives no port.
    pub(super) fn bind(rate: f64, seed: u64, script: Script) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let rate = if rate.is_nan() { *RATES.start() } else { rate.clamp(*RATES.start(), *RATES.end()) };
        Ok(Self { listener, rate, seed, script: Arc::new(script) })
    }

    /// The address, and the task that serves. Dropping the task ends its connections.
    ///
    /// # Errors
    /// The system does not tell the port.
    pub(super) fn into_local_server(self) -> io::Result<LocalServer> {
        let url = format!("ws://{}", self.listener.local_addr()?);
        Ok(LocalServer { url, serve: Box::pin(self.serve()) })
    }

    async fn serve(self) {
        let mut connections = JoinSet::new();
        let began = Instant::now();
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    while connections.try_join_next().is_some() {}
                    if connections.len() < CONNECTIONS_MAX {
                        let stage = Stage::new(self.script.clone(), began, Instant::now());
                        connections.spawn(serve(stream, Client::new(self.rate, self.seed, stage)));
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

/// The market of one connection.
struct Client {
    walk: RandomWalk,
    /// Updates in a thousand seconds: whole, so that what is due and when it is due never disagree.
    rate_milli: u128,
    /// From when on updates are counted, and how many were sent since.
    started: Instant,
    sent: u64,
    /// How many frames of data left, those of subscriptions included: what a heartbeat says.
    frames: u64,
    heartbeat_at: Instant,
    stage: Stage,
}

/// A request of a client.
#[derive(Deserialize)]
struct Subscribe<'a> {
    op: &'a str,
    id: u64,
    symbols: Vec<&'a str>,
}

impl Client {
    fn new(rate: f64, seed: u64, stage: Stage) -> Self {
        Self {
            walk: RandomWalk::new(seed),
            rate_milli: (rate * 1e3).max(1.0) as u128,
            started: Instant::now(),
            sent: 0,
            frames: 0,
            heartbeat_at: Instant::now() + HEARTBEAT_EVERY,
            stage,
        }
    }

    /// The answer to a request, and the first messages of its symbols. A name that is not a symbol is refused by
    /// itself; a request that repeats a symbol, or is for too many, is refused as a whole and adds nothing.
    fn answer(&mut self, request: &str, now: Now) -> Vec<String> {
        if request == "ping" {
            return vec!["pong".to_owned()];
        }
        let Ok(request) = serde_json::from_str::<Subscribe<'_>>(request) else {
            return vec![r#"{"op":"refuse"}"#.to_owned()];
        };
        let id = request.id;
        if request.op == "unsubscribe" {
            for symbol in request.symbols.iter().filter_map(|name| name.parse::<Symbol>().ok()) {
                self.walk.remove(&symbol);
                self.stage.forget(&symbol);
            }
            return vec![format!(r#"{{"op":"ack","id":{id}}}"#)];
        }
        if request.op != "subscribe" || request.symbols.len() > SYMBOLS_MAX - self.walk.len() {
            return vec![format!(r#"{{"op":"refuse","id":{id}}}"#)];
        }
        let symbols: Vec<Option<Symbol>> = request.symbols.iter().map(|name| name.parse().ok()).collect();
        if symbols.iter().flatten().any(|symbol| self.walk.has(symbol)) {
            return vec![format!(r#"{{"op":"split","id":{id}}}"#)];
        }
        if self.walk.is_empty() {
            self.started = now.instant;
            self.sent = 0;
        }
        let granted = |symbol: &Option<Symbol>| symbol.as_ref().is_some_and(|symbol| !self.stage.refuses(symbol, now));
        let mut messages = Vec::new();
        if symbols.iter().all(granted) {
            messages.push(format!(r#"{{"op":"ack","id":{id}}}"#));
        } else {
            let answers = request.symbols.iter().zip(&symbols).map(|(name, symbol)| {
                let op = if granted(symbol) { "ack" } else { "refuse" };
                serde_json::json!({ "op": op, "id": id, "symbol": name }).to_string()
            });
            messages.extend(answers);
        }
        for symbol in symbols.into_iter().flatten() {
            let data = self.stage.asked(&symbol, now).into_iter();
            if !self.stage.refuses(&symbol, now) {
                let (facts, first) = self.walk.add(symbol, now.unix);
                let data = self.unless_mute(data.chain(first).collect(), now);
                // No data: a heartbeat does not count it.
                messages.extend((!data.is_empty()).then_some(facts));
                messages.extend(data);
            }
        }
        messages
    }

    /// Data that leave, and are counted.
    fn unless_mute(&mut self, data: Vec<String>, now: Now) -> Vec<String> {
        if self.stage.is_mute(now) {
            return Vec::new();
        }
        self.frames += data.len() as u64;
        data
    }

    /// What is due: scripted events, updates, and a heartbeat. `None`: the connection breaks.
    fn due(&mut self, now: Now) -> Option<Vec<String>> {
        let mut messages = match self.stage.perform(now) {
            Cue::Break => return None,
            Cue::Leave => return Some(vec![CLOSING.to_owned()]),
            Cue::Go { statuses, lost } => {
                if lost {
                    self.frames += 1;
                    self.heartbeat_at = now.instant;
                }
                statuses
            }
        };
        messages.extend(self.updates(now));
        let mut messages = self.unless_mute(messages, now);
        if self.heartbeat_at <= now.instant {
            self.heartbeat_at = now.instant + HEARTBEAT_EVERY;
            if !self.stage.is_mute(now) {
                messages.push(format!(r#"{{"op":"heartbeat","sent":{}}}"#, self.frames));
            }
        }
        Some(messages)
    }

    /// The updates that are due, a burst at most.
    fn updates(&mut self, now: Now) -> Vec<String> {
        let owed = |since: Duration| (since.as_nanos() * self.rate_milli / NANOS_OF_MILLI_RATE) as u64;
        let due = owed(now.instant - self.started);
        self.sent = self.sent.max(due.saturating_sub(owed(CATCH_UP).max(1)));
        let count = due.saturating_sub(self.sent).min(BURST_MAX);
        self.sent += count;
        (0..count).filter_map(|_| self.walk.step(now.unix, |symbol| self.stage.trades(symbol))).collect()
    }

    /// When something is due next.
    fn next_due(&self) -> Instant {
        [self.next_update(), self.stage.next_change()].into_iter().flatten().fold(self.heartbeat_at, Instant::min)
    }

    /// When the next update is due; `None` where nothing was asked for.
    fn next_update(&self) -> Option<Instant> {
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
    if client.stage.is_broken(Now::read()) {
        return Ok(()); // before the handshake: the attempt fails
    }
    let mut socket = in_time(accept_async_with_config(stream, Some(config))).await?;
    loop {
        let due = client.next_due();
        let messages = tokio::select! {
            () = sleep_until(due.into()) => match client.due(Now::read()) {
                Some(messages) => messages,
                None => return Ok(()),
            },
            request = socket.next() => match request {
                Some(Ok(Message::Text(request))) => client.answer(&request, Now::read()),
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => Vec::new(),
                Some(Err(error)) => return Err(error),
            },
        };
        let leaves = messages.last().is_some_and(|last| last == CLOSING);
        in_time(send_all(&mut socket, messages)).await?;
        if leaves {
            return in_time(socket.close(None)).await;
        }
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

    fn unscripted(rate: f64) -> Client {
        Client::new(rate, 1, Stage::new(Arc::default(), Instant::now(), Instant::now()))
    }

    fn asked(rate: f64) -> (Client, Now) {
        let mut client = unscripted(rate);
        let now = now();
        let answer = client.answer(r#"{"op":"subscribe","id":4,"symbols":["AAPL","V"]}"#, now);
        assert_eq!((answer.len(), answer[0].as_str()), (9, r#"{"op":"ack","id":4}"#));
        (client, now)
    }

    #[test]
    fn updates_come_at_their_rate_once_something_was_asked_for() {
        assert_eq!(unscripted(100.0).next_update(), None);
        let (mut client, start) = asked(100.0);
        let mut sent = 0;
        for millis in (0..=3_000).step_by(7) {
            let now = start.after(Duration::from_millis(millis));
            sent += client.updates(now).len() as u64;
            assert_eq!(sent, millis / 10, "after {millis} ms");
            assert!(client.next_update().unwrap() > now.instant);
        }
    }

    #[test]
    fn rule_10_a_machine_that_slept_does_not_get_all_that_it_missed() {
        let (mut client, start) = asked(100.0);
        let now = start.after(Duration::from_secs(3_600));
        assert_eq!((client.updates(now).len(), client.updates(now).len()), (100, 0));
        let (mut client, start) = asked(1_000_000.0);
        let now = start.after(Duration::from_secs(3_600));
        assert_eq!(client.updates(now).len() as u64, BURST_MAX);
        assert!(client.next_update().unwrap() <= now.instant, "the rest of the second is still owed");
        let (mut client, start) = asked(0.01);
        assert_eq!(client.updates(start.after(Duration::from_secs(100))).len(), 1);
    }

    #[test]
    fn rule_10_a_request_for_too_much_adds_nothing() {
        let (mut client, now) = asked(1.0);
        let names: Vec<String> = (0..SYMBOLS_MAX - 1).map(|number| format!("S{number}")).collect();
        let request = serde_json::json!({ "op": "subscribe", "id": 9, "symbols": names }).to_string();
        assert_eq!(client.answer(&request, now), [r#"{"op":"refuse","id":9}"#]);
        assert_eq!(client.walk.len(), 2);
    }

    #[test]
    fn names_that_are_not_symbols_are_refused_alone_and_repeated_symbols_with_their_request() {
        let (mut client, now) = asked(1.0);
        let answers = client.answer(r#"{"op":"subscribe","id":5,"symbols":["a b","KO"]}"#, now);
        assert_eq!(answers[..2], [r#"{"id":5,"op":"refuse","symbol":"a b"}"#, r#"{"id":5,"op":"ack","symbol":"KO"}"#]);
        assert_eq!(answers.len(), 6, "and the facts and the first three messages of the symbol");
        let answers = client.answer(r#"{"op":"subscribe","id":6,"symbols":["GE","KO"]}"#, now);
        assert_eq!(answers, [r#"{"op":"split","id":6}"#]);
        assert_eq!(client.answer("ping", now), ["pong"]);
    }

    #[test]
    fn a_symbol_that_is_unsubscribed_moves_no_longer_and_may_be_asked_for_again() {
        let (mut client, start) = asked(100.0);
        assert_eq!(
            client.answer(r#"{"op":"unsubscribe","id":5,"symbols":["AAPL","GE"]}"#, start),
            [r#"{"op":"ack","id":5}"#]
        );
        let sent = client.updates(start.after(Duration::from_millis(900)));
        assert!(sent.len() > 50 && sent.iter().all(|update| update.contains(r#""symbol":"V""#)), "{sent:?}");
        let again = client.answer(r#"{"op":"subscribe","id":6,"symbols":["AAPL"]}"#, start);
        assert_eq!((again.len(), again[0].as_str()), (5, r#"{"op":"ack","id":6}"#));
    }

    #[test]
    fn a_heartbeat_says_how_many_frames_were_sent() {
        let (mut client, start) = asked(100.0);
        let mut data = 6;
        for millis in (0..=2_500).step_by(10) {
            for message in client.due(start.after(Duration::from_millis(millis))).unwrap() {
                match message.strip_prefix(r#"{"op":"heartbeat","sent":"#) {
                    Some(sent) => assert_eq!(sent.trim_end_matches('}').parse(), Ok(data)),
                    None => data += 1,
                }
            }
        }
        assert!(data > 200);
    }
}
