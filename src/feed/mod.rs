//! Feeds: the connections to venues, kept up for ever.
//!
//! [`Feed::run`] is the task. A pure session decides what a connection does next, the venue reads its bytes, and the
//! [`Sink`] takes the updates. A feed with more symbols than one connection carries has several, each with its own
//! session.

mod account_pace;
mod backoff;
mod counters;
mod dial;
mod discard;
mod disconnect;
mod event;
mod hourly;
mod hours;
mod key;
mod link;
mod metrics;
mod pacer;
mod placement;
mod places;
mod redactor;
mod reporter;
mod rotation;
mod session;
mod silence;
mod snapshots;
mod state;
mod status;
mod supervisor;
mod timing;
mod unheard;
mod trial;
mod connection;

pub use account_pace::AccountPace;
pub use discard::Discard;
pub use disconnect::DisconnectReason;
pub use key::VenueKey;
pub use metrics::{ConnectResult, FeedMetrics, MessageKind, RotationResult, UpGauge};
pub use snapshots::SnapshotResult;
pub use state::FeedState;
pub use status::{FeedCounts, FeedReport, FeedStatus, Note};
pub use timing::Timing;
pub use trial::Trial;
pub use unheard::Unheard;

use crate::{
    config,
    dial::{Dialing, LookUp},
    market::{Facts, FeedSymbol, Now, Parts, Reason, Symbol, UnixMicros, Update},
    recording::Recorder,
    venue::{self, Credentials, ListedSymbol, LocalServer, Secret, Setup, StartServer, Venue, VenueError},
};
use connection::NewVenue;
use status::StatusWriter;
use std::{io, sync::Arc};
use supervisor::Supervisor;
use tokio::sync::{mpsc, watch};

/// Takes the updates of one connection. It never waits, so nothing behind it can slow the reading of a venue.
pub trait Sink: Send {
    /// What the updates of a symbol change.
    type Target: Send;

    /// A symbol takes this place of the connection's list: its updates are for the target from now on.
    fn add(&mut self, place: FeedSymbol, target: Self::Target, now: Now);

    /// The symbol leaves its place, and is refused: it was removed from the list.
    fn remove(&mut self, place: FeedSymbol, now: Now);

    /// Whether it takes updates right now. While it does not, its connection reads nothing from the socket, and keeps
    /// what it has read already.
    fn may_take(&self) -> bool {
        true
    }

    /// Takes the updates of all messages that were ready, in the venue's order, received `now`.
    fn updates(&mut self, updates: &[Update], now: Now);

    /// What the venue has said of symbols besides their prices, oldest first. It makes no tick.
    fn facts(&mut self, _: Vec<(FeedSymbol, Facts)>) {}

    /// An outage: all symbols of the connection are stale until their own next updates.
    fn outage(&mut self, reason: Reason, now: Now);

    /// What comes from now on is older than what came before, as when a recording is played again: all symbols are
    /// stale until their own next updates, whatever those updates' places in the venue's order.
    fn start_over(&mut self, now: Now);

    /// The connection lives, but these parts of its symbols' data have stopped: they are stale until their own next
    /// updates.
    fn mute(&mut self, parts: Parts, now: Now);

    /// Whether every symbol that the venue does not refuse is halted or closed, so that silence is normal.
    fn is_halted(&self) -> bool;

    /// The symbols that have had no data since then, except those that the venue refuses or that are closed, and those
    /// that were not listed yet by the other time.
    fn unheard(&self, since: UnixMicros, listed_by: UnixMicros) -> Unheard;

    /// The feed's hours have ended, or, where `closed` is false, begun. Each run says first how they are.
    fn closed(&mut self, closed: bool, now: Now);

    /// The symbols that the venue refuses, and why. All others are granted.
    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], now: Now);

    /// Some time has passed, about a second: what depends on time alone may be due.
    fn due(&mut self, _: Now) {}
}

/// Makes the sinks of a feed's connections, which come and go with its list.
pub trait MakeSink: Send {
    /// A connection's.
    type Sink: Sink + 'static;

    /// A sink without symbols.
    fn make(&mut self) -> Self::Sink;

    /// A symbol that no connection carries is refused.
    fn refuse(&mut self, target: &<Self::Sink as Sink>::Target, reason: Reason, now: Now);
}

/// For sinks that do not mind refused symbols.
impl<S: Sink + 'static, F: FnMut() -> S + Send> MakeSink for F {
    type Sink = S;

    fn make(&mut self) -> S {
        self()
    }

    fn refuse(&mut self, _: &S::Target, _: Reason, _: Now) {}
}

/// A change of a feed's list while it runs.
#[derive(Debug)]
pub enum ListChange<T> {
    /// A symbol is added, unless it is listed.
    Add {
        /// The symbol.
        symbol: ListedSymbol,
        /// What its updates change.
        target: T,
    },
    /// A symbol is removed, if it is listed.
    Remove(Symbol),
}

/// For a feed whose list never changes.
pub fn no_changes<T>() -> mpsc::Receiver<Vec<ListChange<T>>> {
    mpsc::channel(1).1
}

/// A feed whose settings fit its venue, and that does not run yet.
#[derive(Debug)]
pub struct Feed {
    config: config::Feed,
    /// Instead of what the venue needs.
    message_bytes_max: Option<usize>,
    timing: Timing,
    dialing: Dialing,
    pace: AccountPace,
    writers: Vec<StatusWriter>,
    status: FeedStatus,
    key: VenueKey,
    /// One for each connection, or none.
    recorders: Vec<Recorder>,
    /// The venue's local server, where it has begun.
    server: Option<LocalServer>,
}

impl Feed {
    /// Checks a feed's settings against its venue. Nothing is connected yet.
    ///
    /// # Errors
    /// [`VenueError`] where they do not fit.
    pub fn new(config: &config::Feed, limits: &config::Limits, now: Now) -> Result<Self, VenueError> {
        let needed = config.connection_count();
        if needed > config.connections_max {
            return Err(VenueError::TooManyConnections {
                count: config.symbols.len(),
                needed,
                max: config.connections_max,
                venue: config.venue.name,
            });
        }
        let ranges: Vec<_> = config.connections().collect();
        for range in &ranges {
            venue(config, config.credentials.as_ref(), config.url.as_deref(), &config.symbols[range.clone()])?;
        }
        let first = if config.symbols.is_empty() { 0 } else { ranges.len() };
        let (writers, status) = FeedStatus::with_room(first, config.connections_max, secrets(config), now.unix);
        let message_bytes_max = limits.venue_message_bytes;
        Ok(Self {
            config: config.clone(),
            message_bytes_max,
            timing: Timing::default(),
            dialing: dial::dialing(config),
            pace: AccountPace::default(),
            writers,
            key: VenueKey::new(config.credentials.clone(), status.redactor()),
            status,
            recorders: Vec::new(),
            server: None,
        })
    }

    /// The same feed with other waits.
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The same feed with another look-up of names.
    pub fn with_look_up(self, look_up: LookUp) -> Self {
        Self { dialing: self.dialing.with_look_up(look_up), ..self }
    }

    /// The same feed, which shares the pace of its requests with others.
    pub fn with_pace(self, pace: AccountPace) -> Self {
        Self { pace, ..self }
    }

    /// The same feed, which is recorded: there is a recorder for each connection of its list.
    pub fn with_recorders(self, recorders: Vec<Recorder>) -> Self {
        assert_eq!(recorders.len(), self.config.connection_count(), "each connection has a recorder");
        Self { recorders, ..self }
    }

    /// The same feed, to run once more when this one has ended: it writes the same status. It is not recorded.
    pub fn again(&self) -> Self {
        Self {
            config: self.config.clone(),
            message_bytes_max: self.message_bytes_max,
            timing: self.timing,
            dialing: self.dialing.clone(),
            pace: self.pace.clone(),
            writers: self.writers.clone(),
            status: self.status.clone(),
            key: self.key.clone(),
            recorders: Vec::new(),
            server: None,
        }
    }

    /// The same feed, whose venue's local server has begun, if it has one: what can fail of [`run`](Self::run). It must
    /// be called within the runtime of the feed.
    ///
    /// # Errors
    /// The local server cannot start.
    pub fn with_server(self) -> io::Result<Self> {
        let server = start_server(&self.config)?;
        Ok(Self { server, ..self })
    }

    /// Notes that the feed does not run, and why: its verdict is open.
    pub fn rest(&self, why: &str, now: Now) {
        for writer in self.open_writers() {
            writer.set(FeedState::Connecting, Some(why.to_owned()), now.unix);
        }
    }

    /// Notes that the feed has ended by itself, and why.
    pub fn fail(&self, why: &str, now: Now) {
        for writer in self.open_writers() {
            writer.set(FeedState::Failed, Some(why.to_owned()), now.unix);
        }
    }

    /// The writers of the connections that there are. Where the list is empty, the first one tells what the feed does.
    fn open_writers(&self) -> impl Iterator<Item = &StatusWriter> {
        let has_none = !self.writers.iter().any(StatusWriter::is_open);
        self.writers
            .iter()
            .enumerate()
            .filter(move |(place, writer)| writer.is_open() || has_none && *place == 0)
            .map(|(_, writer)| writer)
    }

    /// Sets the feed's key, also while it runs.
    pub fn key(&self) -> VenueKey {
        self.key.clone()
    }

    /// The feed's status, from now on and while it runs.
    pub fn status(&self) -> FeedStatus {
        self.status.clone()
    }

    /// Keeps the feed up until `shutdown` turns true, or its sender is gone. Its list begins with the symbols of the
    /// config, each of which has a target, in their order, and then changes. A feed without an address runs its venue's
    /// local server, if there is one: the one that [has begun](Self::with_server), or else another one.
    ///
    /// # Errors
    /// The local server cannot start. An outage of a venue is not an error.
    pub async fn run<M: MakeSink>(
        mut self,
        sinks: M,
        targets: Vec<<M::Sink as Sink>::Target>,
        changes: mpsc::Receiver<Vec<ListChange<<M::Sink as Sink>::Target>>>,
        metrics: FeedMetrics,
        shutdown: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let server = match self.server.take() {
            Some(server) => Some(server),
            None => start_server(&self.config)?,
        };
        let url = server.as_ref().map(|server| server.url.clone()).or_else(|| self.config.url.clone());
        let running = Supervisor::start(self, url, server.is_some(), sinks, targets, metrics, shutdown).run(changes);
        match server {
            Some(server) => tokio::select! {
                () = server.serve => Err(io::Error::other("the local server has ended")),
                ended = running => ended,
            },
            None => running.await,
        }
    }
}

/// Starts the server that a feed without an address connects to, if its venue has one.
fn start_server(config: &config::Feed) -> io::Result<Option<LocalServer>> {
    match (config.venue.local_server, &config.url, &config.playback) {
        (Some(StartServer::Simulator(start)), None, _) => start(&config.options, config.script.clone()).map(Some),
        (Some(StartServer::Player(start)), None, Some(playback)) => start(playback).map(Some),
        _ => Ok(None),
    }
}

/// What no log may show.
fn secrets(config: &config::Feed) -> Vec<Secret> {
    let of_proxy = config.proxy.iter().flat_map(config::Proxy::secrets);
    key::secrets(&config.credentials).into_iter().chain(of_proxy).collect()
}

/// The venue's side of a connection of the feed that carries these symbols.
fn venue(
    config: &config::Feed,
    key: Option<&Credentials>,
    url: Option<&str>,
    symbols: &[ListedSymbol],
) -> Result<Box<dyn Venue>, VenueError> {
    let setup = Setup { url, symbols, credentials: key, playback: config.playback.as_ref() };
    venue::new(config.venue, &setup)
}

/// Makes the venue's side of a connection of a feed that was checked, with an empty list.
fn new_venue(config: Arc<config::Feed>, url: Option<String>, key: VenueKey) -> NewVenue {
    Box::new(move || {
        venue(&config, key.current().as_ref(), url.as_deref(), &[])
            .expect("the settings were checked when the feed was made, and a local server has a valid address")
    })
}

#[cfg(test)]
mod list_tests;
