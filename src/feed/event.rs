//! The events that a session takes, and the actions that it asks for.

use super::DisconnectReason;
use crate::venue::{Message, Played, Request};
use std::time::Duration;

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// [`Session::deadline`] has passed.
    Due,
    /// A websocket is open; these requests go first.
    Connected(Vec<Request>),
    /// These requests follow from the message that comes next.
    Ask(Vec<Request>),
    /// The list has changed: these requests tell the venue.
    Change(Vec<Request>),
    /// The list has changed, and only another connection can tell the venue.
    Replace,
    /// From now on silence is an outage, or, with `false`, normal.
    Watch(bool),
    /// The mute symbols are all halted, so their silence is normal.
    AllHalted,
    /// A websocket ping or pong arrived: the other end of the connection lives.
    Pong,
    /// A frame arrived that cannot be read: the venue lives.
    Unreadable,
    /// A message was read.
    Message(Message),
    /// The connection that was replaced has ended, or does not take a ping.
    PredecessorEnded(DisconnectReason),
    /// The connection, or the attempt to connect, has ended.
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// How long the venue wants no further attempt.
        retry_after: Option<Duration>,
    },
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing; wait for the next event, [`Event::Due`] among them.
    Nothing,
    /// Open a websocket.
    Connect,
    /// Send this text frame.
    Send(String),
    /// Send the venue's own ping.
    SendPing(&'static str),
    /// Send a websocket ping.
    Ping,
    /// All requests are answered, and something was granted: the feed is live. It comes again where a refusal follows.
    Live {
        /// The ids of the requests that were refused since it came last.
        refused: Vec<u64>,
        /// Those among them that the venue refused without naming them, or by its silence.
        unanswered: Vec<u64>,
    },
    /// The venue does not answer the request with this id, which ends subscriptions.
    Unanswered(u64),
    /// No data came for too long: the symbols are stale, unless all are halted.
    Mute,
    /// Tell the sink what a recording says.
    Played(Played),
    /// Drop the connection, if there is one. The session waits by itself before it connects again.
    Leave {
        /// Why.
        reason: DisconnectReason,
        /// How long it will wait.
        retry_in: Duration,
    },
    /// Keep the connection as the predecessor of the next one, which the session asks for by itself.
    Rotate {
        /// Why.
        reason: DisconnectReason,
        /// How long it will wait.
        retry_in: Duration,
    },
    /// Drop the connection that was to succeed, or the attempt at it: the predecessor serves on. The session waits by
    /// itself before it connects again.
    Retry {
        /// Why.
        reason: DisconnectReason,
        /// How long it will wait.
        retry_in: Duration,
    },
    /// Send the predecessor a websocket ping, or the venue's own.
    PingPredecessor(Option<&'static str>),
    /// Drop the predecessor.
    DropPredecessor {
        /// Why data may be missing; `None` where the successor has taken over without a gap.
        gap: Option<DisconnectReason>,
    },
}

/// Why a connection is left, and what is known of when to come back.
pub(super) struct Ending {
    pub(super) reason: DisconnectReason,
    pub(super) retry_after: Option<Duration>,
}

impl From<DisconnectReason> for Ending {
    fn from(reason: DisconnectReason) -> Self {
        Self { reason, retry_after: None }
    }
}
