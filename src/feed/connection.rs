//! The task of a connection: it does the I/O that its session asks for, gives frames to the venue, and its updates to
//! the sink.
//!
//! It waits only for its socket and its clock, and always polls the socket, so that pongs leave. While it sends a
//! frame or closes a connection it does nothing else, for [`Timing::send`] and [`Timing::close`] at most.

use super::{
    ConnectResult, DisconnectReason, FeedMetrics, MessageKind, Sink, Timing,
    counters::FeedCounters,
    event::{Action, Event},
    hours::HoursWatch,
    reporter::Reporter,
    session::Session,
    socket::{self, Dialer, Socket},
    status::StatusWriter,
};
use crate::{
    market::{FeedSymbol, Now, Origin, Phase, Reason, Schedule},
    telemetry::labels::Label,
    venue::{Batch, Failure, Message, Ping, Rules, Venue},
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::{
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

/// The most messages whose updates are handed on together. A long burst goes out in batches, a single message at once.
const MESSAGES_PER_BATCH: usize = 64;

/// Opens a socket. The session's deadline bounds it.
type Attempt = Pin<Box<dyn Future<Output = Result<Socket, Error>> + Send>>;

/// The task of one connection of a feed.
pub(super) struct Connection<S> {
    venue: Box<dyn Venue>,
    session: Session,
    sink: S,
    timing: Timing,
    dialer: Dialer,
    /// A connection that is being opened.
    attempt: Option<Attempt>,
    socket: Option<Socket>,
    /// Reused from batch to batch.
    batch: Batch,
    counters: FeedCounters,
    publish: Interval,
    hours: HoursWatch,
    /// Whether the sink takes the feed for closed.
    closed: bool,
    /// Why the venue denies access, if the last message said so.
    denied: Option<Reason>,
    /// How many symbols the connection has.
    symbols: usize,
    reporter: Reporter,
}

/// What a feed's task waits for.
enum Input {
    Due,
    Hours,
    Publish,
    Opened(Box<Result<Socket, Error>>),
    Frame(Option<Result<Frame, Error>>),
}

/// The settings of one connection of a feed.
pub(super) struct ConnectionSetup {
    /// The feed's name, with the number of the connection where there are several.
    pub(super) name: String,
    pub(super) venue: Box<dyn Venue>,
    pub(super) origin: Origin,
    pub(super) schedule: Schedule,
    /// Instead of the venue's own limit.
    pub(super) mute_after: Option<Duration>,
    pub(super) symbols: usize,
    pub(super) timing: Timing,
    pub(super) message_bytes_max: usize,
    pub(super) metrics: FeedMetrics,
    pub(super) status: StatusWriter,
}

impl<S: Sink> Connection<S> {
    /// Must be called within a tokio runtime.
    pub(super) fn new(setup: ConnectionSetup, sink: S) -> Self {
        let now = Instant::now();
        let rules = setup.venue.rules();
        let rules = Rules {
            mute_after: setup.mute_after.or(rules.mute_after),
            ping: rules.ping.map(|ping| Ping { every: setup.timing.venue_ping.unwrap_or(ping.every), ..ping }),
            heartbeat_timeout: rules.heartbeat_timeout.map(|timeout| setup.timing.venue_heartbeat.unwrap_or(timeout)),
            ..rules
        };
        let mut publish = interval(setup.timing.publish_every);
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            counters: FeedCounters::new(setup.metrics, setup.origin),
            session: Session::new(setup.timing, rules, rand::random(), now),
            hours: HoursWatch::new(setup.schedule, now),
            closed: false,
            denied: None,
            symbols: setup.symbols,
            dialer: Dialer::new(setup.message_bytes_max),
            attempt: None,
            socket: None,
            batch: Batch::default(),
            publish,
            reporter: Reporter::new(setup.name, setup.status),
            venue: setup.venue,
            sink,
            timing: setup.timing,
        }
    }

    /// Keeps the feed up until `shutdown` turns true, or its sender is gone.
    pub(super) async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = self.keep_up() => {}
        }
        // The end of the gateway is not an outage of the market, so the sink is not called.
        self.close().await;
        self.counters.down();
        self.publish();
        self.reporter.stopped();
    }

    /// Never ends by itself. It may be dropped at any await: all state is in `self`.
    async fn keep_up(&mut self) {
        loop {
            let mut action = match self.input().await {
                Input::Due => self.session.on(Event::Due, Instant::now()),
                Input::Hours => {
                    self.look_at_hours();
                    continue;
                }
                Input::Publish => {
                    self.publish();
                    continue;
                }
                Input::Opened(opened) => {
                    let event = self.opened(*opened);
                    self.session.on(event, Instant::now())
                }
                Input::Frame(frame) => self.take_ready(frame),
            };
            while let Some(event) = self.perform(action).await {
                action = self.session.on(event, Instant::now());
            }
        }
    }

    async fn input(&mut self) -> Input {
        let due = sleep_until(self.session.deadline().into());
        let hours = sleep_until(self.hours.deadline().into());
        let opened = async {
            match &mut self.attempt {
                Some(attempt) => attempt.await,
                None => std::future::pending().await,
            }
        };
        let frame = async {
            match &mut self.socket {
                Some(socket) => socket.next().await,
                None => std::future::pending().await,
            }
        };
        // The clock comes first: a flood of frames must not put off a deadline.
        tokio::select! {
            biased;
            () = hours => Input::Hours,
            () = due => Input::Due,
            _ = self.publish.tick() => Input::Publish,
            opened = opened => Input::Opened(Box::new(opened)),
            frame = frame => Input::Frame(frame),
        }
    }

    fn look_at_hours(&mut self) {
        let now = Now::read();
        let Some(phase) = self.hours.look(now) else { return };
        let closed = phase == Phase::Closed;
        if std::mem::replace(&mut self.closed, closed) != closed {
            self.sink.closed(closed, now);
            self.reporter.hours(closed, now);
        }
        // It never ends a connection, so there is nothing to do: outside its hours a feed stays connected, as before
        // them.
        self.session.on(Event::Watch(phase == Phase::Busy), now.instant);
    }

    /// Takes the frame that came and all that are ready behind it, and hands on their updates at once.
    fn take_ready(&mut self, first: Option<Result<Frame, Error>>) -> Action {
        let now = Now::read();
        if let Some(Ok(frame @ (Frame::Text(_) | Frame::Binary(_)))) = &first {
            self.reporter.message(bytes_of(frame), now);
        }
        let mut action = self.take(first, now);
        for _ in 1..MESSAGES_PER_BATCH {
            let Some(socket) = self.socket.as_mut().filter(|_| action == Action::Nothing) else { break };
            // It leaves no waker behind, and needs none: the socket is polled again before the task sleeps.
            let Some(frame) = socket.next().now_or_never() else { break };
            action = self.take(frame, now);
        }
        self.counters.batch(&self.batch.updates, std::mem::take(&mut self.batch.ineligible), now);
        if !self.batch.updates.is_empty() {
            self.sink.updates(&self.batch.updates, now);
            self.batch.updates.clear();
        }
        action
    }

    fn take(&mut self, frame: Option<Result<Frame, Error>>, now: Now) -> Action {
        let event = match frame {
            Some(Ok(Frame::Text(text))) => self.read(text.as_bytes(), now),
            Some(Ok(Frame::Binary(bytes))) => self.read(&bytes, now),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Event::Pong,
            Some(Ok(Frame::Close(why))) => {
                let why = why.map(|why| format!("{} {}", u16::from(why.code), why.reason));
                self.reporter.explain(why.as_deref());
                Event::Disconnected { reason: DisconnectReason::Closed, retry_after: None }
            }
            Some(Err(error)) => self.failed(&error),
            None => Event::Disconnected { reason: DisconnectReason::Closed, retry_after: None },
        };
        self.session.on(event, now.instant)
    }

    fn read(&mut self, frame: &[u8], now: Now) -> Event {
        let dropped_before = self.batch.errors.total();
        let read = self.venue.read(frame, &mut self.batch);
        if let Err(reason) = read {
            self.batch.errors.count(reason);
            self.reporter.trouble(reason.label(), frame, now);
        } else if self.batch.errors.total() > dropped_before {
            self.reporter.trouble("fields were dropped", frame, now);
        }
        if !self.batch.requests.is_empty() {
            let asked = self.session.on(Event::Ask(std::mem::take(&mut self.batch.requests)), now.instant);
            debug_assert_eq!(asked, Action::Nothing, "what is asked for waits for its turn");
        }
        for answer in std::mem::take(&mut self.batch.answers) {
            // The last answer of the frame is its message, so none before it can end the connection or complete the
            // subscription.
            let action = self.session.on(Event::Message(answer), now.instant);
            debug_assert_eq!(action, Action::Nothing, "the message of the frame is its last answer");
        }
        let Ok(message) = read else { return Event::Unreadable };
        match message {
            Message::Data => {}
            Message::Other => self.counters.message(MessageKind::Other),
            Message::Refused(_) => {
                self.counters.message(MessageKind::Control);
                self.reporter.trouble("a request was refused", frame, now);
            }
            Message::Failed(failure) => {
                self.counters.message(MessageKind::Control);
                self.reporter.failure(frame, now);
                self.denied = match failure {
                    Failure::Fatal(reason) => Some(reason),
                    Failure::Passing { .. } => None,
                };
            }
            Message::Acknowledged(_)
            | Message::Superseded(_)
            | Message::Control
            | Message::Closing
            | Message::Gap => self.counters.message(MessageKind::Control),
        }
        Event::Message(message)
    }

    fn failed(&mut self, error: &Error) -> Event {
        self.reporter.explain(Some(&error.to_string()));
        self.denied = socket::denied(error);
        Event::Disconnected { reason: socket::disconnect_reason(error), retry_after: socket::retry_after(error) }
    }

    /// Does what the session asks for; returns what came of it, where that is known at once.
    async fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Nothing => None,
            Action::Connect => {
                self.connect();
                None
            }
            Action::Send(text) => self.send(Frame::text(text)).await,
            Action::SendPing(text) => self.send(Frame::text(text)).await,
            Action::Ping => self.send(Frame::Ping(Default::default())).await,
            Action::Live { refused } => {
                self.counters.up();
                self.live(&refused);
                None
            }
            Action::Leave { reason, retry_in } => {
                self.leave(reason, retry_in).await;
                None
            }
        }
    }

    fn connect(&mut self) {
        let dialer = self.dialer.clone();
        let url = self.venue.url().to_owned();
        self.attempt = Some(Box::pin(async move { dialer.open(&url).await }));
    }

    fn opened(&mut self, opened: Result<Socket, Error>) -> Event {
        self.attempt = None;
        let result = if opened.is_ok() { ConnectResult::Connected } else { ConnectResult::Failed };
        self.counters.connect(result);
        match opened {
            Ok(socket) => {
                self.reporter.connected(self.venue.url());
                self.socket = Some(socket);
                Event::Connected(self.venue.open())
            }
            Err(error) => self.failed(&error),
        }
    }

    async fn send(&mut self, frame: Frame) -> Option<Event> {
        let socket = self.socket.as_mut()?;
        match timeout(self.timing.send, socket.send(frame)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(self.failed(&error)),
            Err(_) => Some(Event::Disconnected { reason: DisconnectReason::Stuck, retry_after: None }),
        }
    }

    fn live(&mut self, requests: &[u64]) {
        let refused = self.venue.refused();
        let now = Now::read();
        self.sink.refused(&refused, now);
        self.reporter.subscribed(self.closed, requests.len(), refused.len(), now);
    }

    /// Must come before every other step of leaving, or an old price would be shown as live. A failed attempt makes nothing stale, but the
    /// venue may have refused every symbol.
    fn mark_outage(&mut self, reason: DisconnectReason, now: Now) {
        let all_requests_refused = (reason == DisconnectReason::Refused).then_some(Reason::NotGranted);
        if let Some(reason) = self.denied.take().or(all_requests_refused) {
            let refused: Vec<_> = FeedSymbol::all(self.symbols).map(|symbol| (symbol, reason)).collect();
            self.sink.refused(&refused, now);
        }
        if self.socket.is_some() {
            let reason = match reason {
                DisconnectReason::NoData => Reason::Mute,
                DisconnectReason::Gap => Reason::Gap,
                DisconnectReason::Lifetime | DisconnectReason::Closing => Reason::Reconnect,
                _ => Reason::ConnectionLost,
            };
            self.sink.outage(reason, now);
        }
    }

    async fn leave(&mut self, reason: DisconnectReason, retry_in: Duration) {
        let now = Now::read();
        self.counters.disconnected(reason);
        if self.attempt.take().is_some() {
            self.counters.connect(ConnectResult::Failed); // it took too long
        }
        self.mark_outage(reason, now);
        self.reporter.left(reason, retry_in, now);
        self.publish();
        self.close().await;
    }

    fn publish(&mut self) {
        self.reporter.count(self.counters.publish(&mut self.batch.errors, Now::read()));
    }

    /// Sends a close frame, if the venue takes one.
    async fn close(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            // A venue that does not take the close frame is gone anyway.
            let _ = timeout(self.timing.close, socket.close(None)).await;
        }
    }
}

/// The bytes of a message.
fn bytes_of(frame: &Frame) -> &[u8] {
    match frame {
        Frame::Text(text) => text.as_bytes(),
        Frame::Binary(bytes) => bytes,
        _ => &[],
    }
}
