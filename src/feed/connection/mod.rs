//! The task of a connection: it does the I/O that its session asks for, gives frames to the venue, and its updates to
//! the sink.
//!
//! It waits only for its socket and its clock, and always polls the socket, so that pongs leave. While it sends a
//! frame or closes a connection it does nothing else, for [`Timing::send`] and [`Timing::close`] at most.

mod actions;
mod frames;
mod listing;
mod predecessor;
mod snapshots;

use super::{
    AccountPace, FeedMetrics, Sink, Timing,
    counters::FeedCounters,
    dial::{Dialer, Socket, SocketError},
    event::{Action, Event},
    hours::HoursWatch,
    pacer::{ConnectPacer, staggered},
    places::Places,
    reporter::Reporter,
    rotation::Overlaps,
    session::Session,
    status::StatusWriter,
    unheard::{Unheard, UnheardWatch},
};
use crate::{
    config::DailyMinute,
    dial::Dialing,
    market::{Now, Phase, Reason, Schedule},
    recording::Recorder,
    venue::{Batch, Credentials, Ping, Rules, Venue},
};
use futures_util::StreamExt;
pub(super) use listing::{MessageLimit, Relisting};
use predecessor::Predecessor;
use snapshots::{Asked, SnapshotTask};
use std::{
    collections::VecDeque,
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Interval, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

/// Why a recorded connection ends where the gateway does.
const STOPPED: &str = "stopped";

/// What a socket brings next; `None` where it has ended.
type NextFrame = Option<Result<Frame, Error>>;

/// Makes the venue's side of another connection, whose list is empty.
pub(super) type NewVenue = Box<dyn Fn() -> Box<dyn Venue> + Send>;

/// Opens a socket. The session's deadline bounds it.
type Attempt = Pin<Box<dyn Future<Output = Result<Socket, SocketError>> + Send>>;

/// The task of one connection of a feed.
pub(super) struct Connection<S: Sink> {
    venue: Box<dyn Venue>,
    /// For a connection that begins while another one is still read.
    new_venue: NewVenue,
    /// The feed's key, which may change.
    key: watch::Receiver<Option<Credentials>>,
    session: Session,
    sink: S,
    timing: Timing,
    dialer: Dialer,
    /// A connection that is being opened.
    attempt: Option<Attempt>,
    /// The longest age of a connection.
    lifetime: Option<Duration>,
    rotate_at: Option<DailyMinute>,
    socket: Option<Socket>,
    /// The connection that serves on until this one has taken over.
    predecessor: Option<Predecessor>,
    /// Reused from batch to batch.
    batch: Batch,
    snapshots: SnapshotTask,
    /// The events of the last frame that the session has not taken yet.
    events: VecDeque<Event>,
    /// A frame that came just as the sink no longer took updates.
    held: Option<NextFrame>,
    counters: FeedCounters,
    publish: Interval,
    hours: HoursWatch,
    /// Whether the feed is closed, as the sink was told last; `None` before the first look at the calendar.
    closed: Option<bool>,
    /// Why the venue denies access, if the last message said so.
    denied: Option<Reason>,
    /// The list, and its changes. Without a sender, the connection ends.
    places: Places,
    relistings: mpsc::Receiver<Relisting<S::Target>>,
    /// How many of them were applied.
    applied: watch::Sender<u64>,
    /// How many symbols the venue refuses, as the log was told last.
    refused_symbols: usize,
    /// The longest message that the open socket takes, and of how many symbols.
    message_limit: MessageLimit,
    /// Whether the venue lets another connection of the feed's overlap.
    overlaps: Overlaps,
    reporter: Reporter,
    unheard: UnheardWatch,
    /// Where the feed is recorded.
    recorder: Option<Recorder>,
}

/// While the sink takes no updates, it is asked again this often.
const HELD: Duration = Duration::from_millis(10);

/// What a feed's task waits for.
enum Input<T> {
    Due,
    Hours,
    Publish,
    Opened(Box<Result<Socket, SocketError>>),
    /// The sink took no updates for a while.
    Held,
    /// The list changes; `None`: the connection is needed no longer.
    Relist(Option<Relisting<T>>),
    /// The sink takes updates again: these were read before.
    HandOn,
    Snapshot(Asked),
    Frame(NextFrame),
    /// The predecessor's.
    OldFrame(NextFrame),
}

/// The settings of one connection of a feed.
pub(super) struct ConnectionSetup<T> {
    /// The feed's name, with the number of the connection where there are several.
    pub(super) name: String,
    pub(super) new_venue: NewVenue,
    pub(super) key: watch::Receiver<Option<Credentials>>,
    /// Whether the venue lets a connection serve on until the next one has taken over.
    pub(super) overlaps: Overlaps,
    /// The first list.
    pub(super) first: Relisting<T>,
    pub(super) relistings: mpsc::Receiver<Relisting<T>>,
    /// Counts the lists that were taken.
    pub(super) applied: watch::Sender<u64>,
    /// The connection before this one wants no attempt before then.
    pub(super) not_before: Option<Instant>,
    /// When it is replaced, instead of as late as the venue allows.
    pub(super) rotate_at: Option<DailyMinute>,
    /// Whether the data are old on purpose.
    pub(super) is_delayed: bool,
    pub(super) schedule: Schedule,
    pub(super) timing: Timing,
    pub(super) dialing: Dialing,
    pub(super) pace: AccountPace,
    pub(super) message_limit: MessageLimit,
    pub(super) pacer: ConnectPacer,
    /// The place of the connection among those of its feed.
    pub(super) place: usize,
    /// How many connections the feed may have.
    pub(super) connections: usize,
    pub(super) metrics: FeedMetrics,
    pub(super) status: StatusWriter,
    pub(super) recorder: Option<Recorder>,
}

impl<S: Sink> Connection<S> {
    /// Must be called within a tokio runtime.
    pub(super) fn new(setup: ConnectionSetup<S::Target>, sink: S) -> Self {
        let now = Instant::now();
        let venue = (setup.new_venue)();
        let rules = venue.rules();
        let rules = Rules {
            lifetime: rules
                .lifetime
                .map(|lifetime| staggered(setup.timing.lifetime.unwrap_or(lifetime), setup.place, setup.connections)),
            ping: rules.ping.map(|ping| Ping { every: setup.timing.venue_ping.unwrap_or(ping.every), ..ping }),
            heartbeat_timeout: rules.heartbeat_timeout.map(|timeout| setup.timing.venue_heartbeat.unwrap_or(timeout)),
            ..rules
        };
        let mut publish = interval(setup.timing.publish_every);
        publish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let snapshots = SnapshotTask::new(&setup);
        let session = Session::new(setup.timing, rules, setup.first.patience, setup.pacer, rand::random(), now);
        let mut connection = Self {
            counters: FeedCounters::new(setup.metrics, setup.is_delayed, setup.status.counts()),
            session: session.not_before(setup.not_before),
            hours: HoursWatch::new(setup.schedule, now),
            closed: None,
            denied: None,
            places: Places::default(),
            refused_symbols: 0,
            applied: setup.applied,
            relistings: setup.relistings,
            snapshots,
            dialer: Dialer::new(setup.dialing, setup.message_limit.of(&[])),
            message_limit: setup.message_limit,
            overlaps: setup.overlaps,
            attempt: None,
            lifetime: rules.lifetime,
            rotate_at: setup.rotate_at,
            socket: None,
            predecessor: None,
            batch: Batch::default(),
            events: VecDeque::new(),
            held: None,
            publish,
            unheard: UnheardWatch::new(setup.timing.unheard_after),
            reporter: Reporter::new(setup.name, setup.status),
            recorder: setup.recorder,
            venue,
            new_venue: setup.new_venue,
            key: setup.key,
            sink,
            timing: setup.timing,
        };
        // Nothing is open yet, so nothing follows from it.
        connection.relist(setup.first);
        connection
    }

    /// Keeps the feed up until `shutdown` turns true, its sender is gone, or that of the list's changes.
    /// Returns from when on another attempt may be made.
    pub(super) async fn run(mut self, mut shutdown: watch::Receiver<bool>) -> Option<Instant> {
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = self.keep_up() => {}
        }
        // The end of the gateway is not an outage of the market, so the sink is not called.
        self.close_both(STOPPED).await;
        self.counters.down();
        self.publish();
        self.reporter.stopped();
        self.session.waits_until()
    }

    /// Ends once the connection is needed no longer. It may be dropped at any await: all state is in `self`.
    async fn keep_up(&mut self) {
        loop {
            self.look_for_last_frames().await;
            let input = self.input().await;
            self.session.set_overlaps(self.overlaps.are_allowed());
            let mut action = match input {
                Input::Relist(None) => return,
                Input::Relist(Some(relisting)) => {
                    self.relist(relisting);
                    Action::Nothing
                }
                Input::Due => self.session.on(Event::Due, Instant::now()),
                Input::Hours => {
                    self.look_at_hours();
                    continue;
                }
                Input::Publish => {
                    let now = Now::read();
                    self.publish();
                    self.sink.due(now);
                    self.look_for_unheard(now);
                    continue;
                }
                Input::Opened(opened) => {
                    let event = self.opened(*opened);
                    self.session.on(event, Instant::now())
                }
                Input::Held => continue,
                Input::HandOn => {
                    self.hand_on(Now::read());
                    continue;
                }
                Input::Snapshot(asked) => {
                    self.take_snapshot(asked, Now::read());
                    continue;
                }
                Input::Frame(frame) => {
                    self.gave_way();
                    self.take_ready(frame)
                }
                Input::OldFrame(frame) => self.take_predecessor(frame),
            };
            loop {
                while let Some(event) = self.perform(action).await {
                    action = self.session.on(event, Instant::now());
                }
                action = if self.events.is_empty() {
                    self.tell_venue_if_due()
                } else {
                    self.session.on_all(&mut self.events, Instant::now())
                };
                if action == Action::Nothing && self.events.is_empty() {
                    break;
                }
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.unwrap_or(false)
    }

    async fn input(&mut self) -> Input<S::Target> {
        let due = sleep_until(self.session.deadline().into());
        let hours = sleep_until(self.hours.deadline().into());
        let opened = async {
            match &mut self.attempt {
                Some(attempt) => attempt.await,
                None => std::future::pending().await,
            }
        };
        // What is not read yet waits in the socket: with the next frame `take_ready` asks.
        let old_held = self.predecessor.as_ref().is_some_and(|old| old.held.is_some());
        let has_held = self.held.is_some() || old_held || self.snapshots.has_kept() || !self.batch.updates.is_empty();
        let may_take = !has_held || self.sink.may_take();
        let frame = async {
            if !may_take {
                sleep(HELD).await;
                return Input::Held;
            }
            if !self.batch.updates.is_empty() {
                return Input::HandOn;
            }
            if let Some(held) = self.held.take() {
                return Input::Frame(held);
            }
            next_frame(&mut self.predecessor, &mut self.socket).await
        };
        // The clock comes first: a flood of frames must not put off a deadline.
        tokio::select! {
            biased;
            () = hours => Input::Hours,
            () = due => Input::Due,
            _ = self.publish.tick() => Input::Publish,
            relisting = self.relistings.recv() => Input::Relist(relisting),
            asked = self.snapshots.next(may_take, self.session.is_mute()) => Input::Snapshot(asked),
            opened = opened => Input::Opened(Box::new(opened)),
            frame = frame => frame,
        }
    }

    fn look_for_unheard(&mut self, now: Now) {
        if let Some(since) = self.unheard.due(now.instant) {
            let listed_by = now.unix.before(self.timing.unheard_after);
            self.reporter.unheard(self.sink.unheard(since, listed_by), now);
        } else if !self.unheard.is_on(now.instant) {
            self.reporter.unheard(Unheard::default(), now);
        }
    }

    fn look_at_hours(&mut self) {
        let now = Now::read();
        let Some(phase) = self.hours.look(now) else { return };
        let closed = phase == Phase::Closed;
        let before = self.closed.replace(closed);
        if before != Some(closed) {
            // The first phase, too: the symbols may be as another owner of a cluster's shard left them.
            self.sink.closed(closed, now);
        }
        if before.unwrap_or(false) != closed {
            self.reporter.hours(closed, now);
        }
        // It never ends a connection, so there is nothing to do: outside its hours a feed stays connected, as before
        // them.
        self.session.on(Event::Watch(phase == Phase::Busy), now.instant);
        self.unheard.watch(phase == Phase::Busy, now.instant);
    }
}

/// The next frame of both connections. The predecessor's goes first: what it brings is older.
async fn next_frame<T>(predecessor: &mut Option<Predecessor>, socket: &mut Option<Socket>) -> Input<T> {
    let gives_way = predecessor.as_ref().is_some_and(Predecessor::gives_way);
    let old = async {
        match predecessor {
            Some(old) => match old.held.take() {
                Some(held) => held,
                None => old.socket.next().await,
            },
            None => std::future::pending().await,
        }
    };
    let new = async {
        match socket {
            Some(socket) => socket.next().await,
            None => std::future::pending().await,
        }
    };
    if gives_way {
        return tokio::select! {
            biased;
            frame = new => Input::Frame(frame),
            frame = old => Input::OldFrame(frame),
        };
    }
    tokio::select! {
        biased;
        frame = old => Input::OldFrame(frame),
        frame = new => Input::Frame(frame),
    }
}

#[cfg(test)]
mod tests;
