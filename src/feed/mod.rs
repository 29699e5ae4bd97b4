//! Feeds: the connections to venues, kept up for ever.
//!
//! [`Feed::run`] is the task. A pure session decides what a connection does next, the venue reads its bytes, and the
//! [`Sink`] takes the updates. A feed with more symbols than one connection carries has several, each with its own
//! session.

mod backoff;
mod counters;
mod dial;
mod discard;
mod disconnect;
mod event;
mod hours;
mod link;
mod metrics;
mod pacer;
mod redactor;
mod reporter;
mod rotation;
mod session;
mod silence;
mod state;
mod status;
mod timing;
mod unheard;
mod trial;
mod connection;

pub use discard::Discard;
pub use disconnect::DisconnectReason;
pub use metrics::{ConnectResult, FeedMetrics, MessageKind, RotationResult, UpGauge};
pub use state::FeedState;
pub use status::{FeedCounts, FeedReport, FeedStatus, Note};
pub use timing::Timing;
pub use trial::Trial;
pub use unheard::Unheard;

use crate::{
    config,
    dial::{Dialing, LookUp},
    market::{FeedSymbol, Now, Origin, Parts, Reason, Symbol, UnixMicros, Update},
    recording::Recorder,
    venue::{self, ListedSymbol, LocalServer, Secret, Setup, StartServer, Venue, VenueError},
};
use connection::{Connection, ConnectionSetup, NewVenue};
use pacer::ConnectPacer;
use silence::Patience;
use status::StatusWriter;
use std::{io, ops::Range, sync::Arc};
use tokio::{sync::watch, task::JoinSet};

/// Takes the updates of one connection. It never waits, so nothing behind it can slow the reading of a venue.
pub trait Sink: Send {
    /// Whether it takes updates right now. While it does not, its connection reads nothing from the socket, and keeps
    /// what it has read already.
    fn may_take(&self) -> bool {
        true
    }

    /// Takes the updates of all messages that were ready, in the venue's order, received `now`.
    fn updates(&mut self, updates: &[Update], now: Now);

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

    /// The symbols that have had no data since then, except those that the venue refuses or that are closed.
    fn unheard(&self, since: UnixMicros) -> Unheard;

    /// The feed's hours have ended, or, where `closed` is false, begun. Each run says first how they are.
    fn closed(&mut self, closed: bool, now: Now);

    /// The symbols that the venue refuses, and why. All others are granted.
    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], now: Now);

    /// Some time has passed, about a second: what depends on time alone may be due.
    fn due(&mut self, _: Now) {}
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

/// A feed whose settings fit its venue, and that does not run yet.
#[derive(Debug)]
pub struct Feed {
    config: config::Feed,
    /// Instead of what the venue needs.
    message_bytes_max: Option<usize>,
    timing: Timing,
    dialing: Dialing,
    writers: Vec<StatusWriter>,
    status: FeedStatus,
    /// One for each connection, or none.
    recorders: Vec<Recorder>,
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
            venue(config, config.url.as_deref(), range.clone())?;
        }
        let (writers, status) = FeedStatus::new(ranges.len(), secrets(config), now.unix);
        let message_bytes_max = limits.venue_message_bytes;
        Ok(Self {
            config: config.clone(),
            message_bytes_max,
            timing: Timing::default(),
            dialing: dial::dialing(config),
            writers,
            status,
            recorders: Vec::new(),
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

    /// The same feed, which is recorded: there is a recorder for each of its connections.
    pub fn with_recorders(self, recorders: Vec<Recorder>) -> Self {
        assert_eq!(recorders.len(), self.writers.len(), "each connection has a recorder");
        Self { recorders, ..self }
    }

    /// The same feed, to run once more when this one has ended: it writes the same status. It is not recorded.
    pub fn again(&self) -> Self {
        Self {
            config: self.config.clone(),
            message_bytes_max: self.message_bytes_max,
            timing: self.timing,
            dialing: self.dialing.clone(),
            writers: self.writers.clone(),
            status: self.status.clone(),
            recorders: Vec::new(),
        }
    }

    /// Notes that the feed does not run, and why: its verdict is open.
    pub fn rest(&self, why: &str, now: Now) {
        for writer in &self.writers {
            writer.set(FeedState::Connecting, Some(why.to_owned()), now.unix);
        }
    }

    /// Notes that the feed has ended by itself, and why.
    pub fn fail(&self, why: &str, now: Now) {
        for writer in &self.writers {
            writer.set(FeedState::Failed, Some(why.to_owned()), now.unix);
        }
    }

    /// The feed's status, from now on and while it runs.
    pub fn status(&self) -> FeedStatus {
        self.status.clone()
    }

    /// Keeps the feed up until `shutdown` turns true, or its sender is gone. Each of the config's connections has a
    /// sink, in the same order. A feed without an address runs its venue's local server, if there is one.
    ///
    /// # Errors
    /// The local server cannot start. An outage of a venue is not an error.
    pub async fn run<S: Sink + 'static>(
        self,
        sinks: Vec<S>,
        metrics: FeedMetrics,
        shutdown: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let spec = self.config.venue;
        let server = start_server(&self.config)?;
        let url = server.as_ref().map(|server| server.url.clone()).or_else(|| self.config.url.clone());
        let ranges: Vec<_> = self.config.connections().collect();
        assert_eq!(sinks.len(), ranges.len(), "each connection has a sink");
        let pacer = ConnectPacer::new(self.timing.between_connects.unwrap_or(spec.between_connects));
        // A server of our own sends each connection a market or a recording from its start.
        // All of a feed's connections may overlap at once, and none may be more than the venue accepts.
        let overlaps = server.is_none() && 2 * ranges.len() <= spec.connections_max;
        let config = Arc::new(self.config);
        let mut recorders = self.recorders.into_iter();
        let mut connections = JoinSet::new();
        for ((place, range), (writer, sink)) in ranges.iter().enumerate().zip(self.writers.into_iter().zip(sinks)) {
            let symbols = &config.symbols[range.clone()];
            let message_bytes_max = self.message_bytes_max.unwrap_or_else(|| spec.message_bytes_max(symbols));
            let setup = ConnectionSetup {
                name: if ranges.len() == 1 { config.name.clone() } else { format!("{}/{}", config.name, place + 1) },
                new_venue: new_venue(config.clone(), url.clone(), range.clone()),
                overlaps,
                rotate_at: config.rotate_at,
                is_delayed: config.playback.is_some() || config.origin() == Origin::Delayed,
                schedule: config.schedule.clone(),
                patience: Patience { mute_after: config.mute_limit(), part_mute_after: config.part_mute_after },
                symbols: range.len(),
                timing: self.timing,
                dialing: self.dialing.clone(),
                message_bytes_max,
                pacer: pacer.clone(),
                place,
                connections: ranges.len(),
                metrics: metrics.clone(),
                status: writer,
                recorder: recorders.next(),
            };
            connections.spawn(Connection::new(setup, sink).run(shutdown.clone()));
        }
        match server {
            Some(server) => tokio::select! {
                () = server.serve => Err(io::Error::other("the local server has ended")),
                ended = all_ended(connections) => ended,
            },
            None => all_ended(connections).await,
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
    let credentials = config.credentials.iter().flat_map(|all| std::iter::once(&all.key).chain(&all.secret)).cloned();
    credentials.chain(config.proxy.iter().flat_map(config::Proxy::secrets)).collect()
}

/// Waits until all connections have ended.
async fn all_ended(mut connections: JoinSet<()>) -> io::Result<()> {
    while let Some(ended) = connections.join_next().await {
        ended.map_err(io::Error::other)?;
    }
    Ok(())
}

/// Makes the venue's side of a connection of a feed that was checked, as often as it connects while another one serves.
fn new_venue(config: Arc<config::Feed>, url: Option<String>, symbols: Range<usize>) -> NewVenue {
    Box::new(move || {
        venue(&config, url.as_deref(), symbols.clone())
            .expect("the settings were checked when the feed was made, and a local server has a valid address")
    })
}

/// The venue's side of the connection that carries these symbols of the feed.
fn venue(config: &config::Feed, url: Option<&str>, symbols: Range<usize>) -> Result<Box<dyn Venue>, VenueError> {
    let setup = Setup {
        url,
        symbols: &config.symbols[symbols],
        credentials: config.credentials.as_ref(),
        playback: config.playback.as_ref(),
    };
    venue::new(config.venue, &setup)
}
