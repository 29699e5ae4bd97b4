//! Feeds: one connection to a venue each, kept up for ever.
//!
//! [`Feed::run`] is the task. What it does next is decided by a pure session, what bytes mean by the venue; where the
//! updates go is the [`Sink`]'s concern.

mod backoff;
mod connection;
mod redactor;
mod hours;
mod counters;
mod disconnect;
mod metrics;
mod reporter;
mod session;
pub mod simulator;
mod socket;
mod status;
mod timing;
mod random_walk;

pub use disconnect::DisconnectReason;
pub use metrics::{ConnectResult, FeedMetrics, MessageKind};
pub use status::{FeedCounts, FeedReport, FeedState, FeedStatus, Note};
pub use timing::Timing;

use crate::{
    config::{self, VenueKind},
    market::{Now, Reason, Update},
    venue::{self, VenueError},
};
use connection::Connection;
use simulator::Simulator;
use status::StatusWriter;
use std::io;
use tokio::sync::watch;

/// Where a feed's updates go. It never waits: nothing behind it can slow the reading of a venue.
pub trait Sink: Send {
    /// Takes the updates of all messages that were ready, in the venue's order, received `now`.
    fn updates(&mut self, updates: &[Update], now: Now);

    /// Takes note of an outage: all of the feed's symbols are stale until their own next updates.
    fn outage(&mut self, reason: Reason, now: Now);

    /// Takes note that the feed's hours have ended, or, where `closed` is false, begun.
    fn closed(&mut self, closed: bool, now: Now);

    /// Takes note of which symbols the venue refuses, by index, and why. All others are granted.
    fn refused(&mut self, refused: &[(u32, Reason)], now: Now);
}

/// A feed whose configuration was found to fit its venue, and that does not run yet.
#[derive(Debug)]
pub struct Feed {
    config: config::Feed,
    message_bytes_max: usize,
    timing: Timing,
    writer: StatusWriter,
    status: FeedStatus,
}

impl Feed {
    /// Checks a feed's configuration against its venue. Nothing is connected yet.
    ///
    /// # Errors
    /// [`VenueError`] says what does not fit.
    pub fn new(config: &config::Feed, limits: &config::Limits, now: Now) -> Result<Self, VenueError> {
        venue::new(config)?;
        let (writer, status) = FeedStatus::new(config.credentials.as_ref(), now.unix);
        let message_bytes_max = limits.venue_message_bytes;
        Ok(Self { config: config.clone(), message_bytes_max, timing: Timing::default(), writer, status })
    }

    /// The same feed with other waits.
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// How it is doing, from now on and while it runs.
    pub fn status(&self) -> FeedStatus {
        self.status.clone()
    }

    /// Keeps the feed up until `shutdown` turns true, or its sender is gone. A simulated venue without an address runs inside.
    ///
    /// # Errors
    /// Only the built-in simulator's: no socket of the loopback could be had. An outage of a venue is none.
    pub async fn run(
        mut self,
        sink: impl Sink,
        metrics: FeedMetrics,
        shutdown: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let mut simulator = None;
        if self.config.venue == VenueKind::Sim && self.config.url.is_none() {
            let bound = Simulator::bind(self.config.rate, rand::random()).await?;
            self.config.url = Some(format!("ws://{}", bound.address()?));
            simulator = Some(bound.run(shutdown.clone()));
        }
        let venue =
            venue::new(&self.config).expect("it was checked when the feed was made, and the loopback is an address");
        let (timing, message_bytes_max, writer) = (self.timing, self.message_bytes_max, self.writer);
        let connection = Connection::new(self.config, venue, sink, timing, message_bytes_max, metrics, writer);
        match simulator {
            Some(simulator) => {
                tokio::join!(simulator, connection.run(shutdown));
            }
            None => connection.run(shutdown).await,
        }
        Ok(())
    }
}
