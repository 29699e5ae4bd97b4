//! The metrics of a feed: label values and registered handles.

use super::{DisconnectReason, SnapshotResult};
use crate::{
    telemetry::{
        catalog,
        labels::{Counters, labels},
    },
    venue::DecodeError,
};
use metrics::{Counter, Gauge, Histogram, SharedString};
use std::sync::{Arc, Mutex, PoisonError};

labels! {
    /// Label `kind` of [`catalog::FEED_MESSAGES`]: what came of a venue's message.
    pub enum MessageKind {
        /// An update with a trade.
        Trade = "trade",
        /// An update with a bid or ask.
        Quote = "quote",
        /// An update with statistics.
        Stats = "stats",
        /// A trading status, a correction or a cancel.
        Status = "status",
        /// A trade that may not be shown as the last one, by its conditions.
        Ineligible = "ineligible",
        /// An answer to a request, or a notice about the connection.
        Control = "control",
        /// JSON that says nothing that this gateway uses.
        Other = "other",
        /// A place where a recording lacks frames.
        Hole = "hole",
    }
}

labels! {
    /// Label `result` of [`catalog::FEED_CONNECTS`].
    pub enum ConnectResult {
        /// A websocket is open.
        Connected = "connected",
        /// It did not come to one; the reason is in the log, and in [`catalog::FEED_DISCONNECTS`].
        Failed = "failed",
    }
}

labels! {
    /// Label `result` of [`catalog::FEED_ROTATIONS`].
    pub enum RotationResult {
        /// The new connection had taken over before the old one was dropped.
        Seamless = "seamless",
        /// It had not.
        Gap = "gap",
    }
}

/// A feed's gauge: 1 while all of its connections are connected and subscribed, else 0.
#[derive(Debug, Clone)]
pub struct UpGauge {
    gauge: Gauge,
    /// The gauge is set under the lock, so that it cannot show an older count. A std mutex: connections change rarely.
    connections: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    all: usize,
    up: usize,
    /// Whether the feed runs: then it may have no symbols, and no connection.
    runs: bool,
}

impl UpGauge {
    fn new(gauge: Gauge) -> Self {
        gauge.set(0.0);
        Self { gauge, connections: Arc::default() }
    }

    /// Adds a connection that is down.
    pub(super) fn add(&self) {
        self.change(|connections| connections.all += 1);
    }

    /// Takes back a connection that is down, as its run has ended.
    pub(super) fn remove(&self) {
        self.change(|connections| connections.all -= 1);
    }

    /// A connection is up.
    pub(super) fn up(&self) {
        self.change(|connections| connections.up += 1);
    }

    /// A connection that was up is down.
    pub(super) fn down(&self) {
        self.change(|connections| connections.up -= 1);
    }

    /// The feed runs, or no longer does.
    pub(super) fn set_runs(&self, runs: bool) {
        self.change(|connections| connections.runs = runs);
    }

    fn change(&self, change: impl FnOnce(&mut Connections)) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut connections);
        let Connections { all, up, runs } = *connections;
        let all_are_up = (all > 0 || runs) && all == up;
        self.gauge.set(f64::from(u8::from(all_are_up)));
    }
}

/// The registered handles of one feed. Its connections share them.
#[derive(Debug, Clone)]
pub struct FeedMetrics {
    /// 1 while all connections are up, else 0.
    pub up: UpGauge,
    /// Attempts to connect.
    pub connects: Counters<ConnectResult>,
    /// Why connections, or attempts, ended.
    pub disconnects: Counters<DisconnectReason>,
    /// When the last message came, in seconds since 1970.
    pub last_message: Gauge,
    /// Updates and messages by kind.
    pub messages: Counters<MessageKind>,
    /// What could not be read.
    pub decode_errors: Counters<DecodeError>,
    /// Connections that ended after they were up.
    pub gaps: Counter,
    /// Planned changes of connection.
    pub rotations: Counters<RotationResult>,
    /// Requests for the latest state of symbols.
    pub snapshots: Counters<SnapshotResult>,
    /// From the venue's event time to our receive time, in seconds, not below zero.
    pub lag: Histogram,
    /// The same, signed, of the last message.
    pub clock_skew: Gauge,
    /// Times that no venue can mean.
    pub implausible_times: Counter,
}

impl FeedMetrics {
    /// Registers the handles of the feed of this name with the recorder that is installed.
    pub fn register(feed: &str) -> Self {
        let feed = SharedString::from(feed.to_owned());
        Self {
            up: UpGauge::new(catalog::FEED_UP.handle([feed.clone()])),
            connects: Counters::register(|result| catalog::FEED_CONNECTS.handle([feed.clone(), result.into()])),
            disconnects: Counters::register(|reason| catalog::FEED_DISCONNECTS.handle([feed.clone(), reason.into()])),
            last_message: catalog::FEED_LAST_MESSAGE.handle([feed.clone()]),
            messages: Counters::register(|kind| catalog::FEED_MESSAGES.handle([feed.clone(), kind.into()])),
            decode_errors: Counters::register(|reason| {
                catalog::FEED_DECODE_ERRORS.handle([feed.clone(), reason.into()])
            }),
            gaps: catalog::FEED_GAPS.handle([feed.clone()]),
            rotations: Counters::register(|result| catalog::FEED_ROTATIONS.handle([feed.clone(), result.into()])),
            snapshots: Counters::register(|result| catalog::FEED_SNAPSHOTS.handle([feed.clone(), result.into()])),
            lag: catalog::FEED_LAG.handle([feed.clone()]),
            implausible_times: catalog::FEED_IMPLAUSIBLE_TIMES.handle([feed.clone()]),
            clock_skew: catalog::FEED_CLOCK_SKEW.handle([feed]),
        }
    }
}
