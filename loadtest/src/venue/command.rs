//! The commands to a venue, and those that it passes on to its connections.

use super::batch::Batch;
use std::{fmt, sync::Arc};

/// Which connections a venue accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// All of them.
    Open,
    /// None: the port is closed.
    Shut,
    /// None: the handshake is answered 403.
    Forbidden,
    /// All of them, but their key is refused. A protocol without keys answers the handshake with 401.
    KeyRefused,
    /// All of them, but only every other symbol is granted: the first, the third and so on.
    Half,
}

/// How a venue sends its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// As they come.
    Steady,
    /// It sends no data, but answers pings.
    Mute,
    /// It neither reads nor writes, while the socket stays open.
    HalfOpen,
    /// Each byte in a segment of its own.
    Drip,
    /// Each message twice.
    Repeat,
    /// The messages of a batch in reverse order.
    Reorder,
}

/// A message that a venue should not send, or bytes that are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// A text message of 300 KiB.
    Oversize,
    /// A binary message of meaningless bytes.
    Binary,
    /// A well-formed message of an unknown kind.
    Unknown,
    /// Truncated JSON.
    Truncated,
    /// A trade whose price is an object.
    WrongType,
    /// Bytes that are not a websocket frame.
    NotAFrame,
    /// A frame that the end of the connection truncates.
    CutFrame,
}

/// A command to a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Changes which connections it accepts. [`Door::Shut`] keeps open connections.
    Door(Door),
    /// Changes how it sends data, on open connections too.
    Flow(Flow),
    /// Sets its clock off by this many µs.
    Clock(i64),
    /// Resets all connections.
    Break,
    /// Loses a message of each connection, where the protocol numbers them: the next one has a number more.
    Lose,
    /// Sends this once on each connection.
    Send(Bad),
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Door(Door::Open) => f.write_str("accepts connections"),
            Self::Door(Door::Shut) => f.write_str("refuses connections"),
            Self::Flow(Flow::Mute) => f.write_str("sends no data"),
            Self::Flow(Flow::Steady) => f.write_str("sends data again"),
            Self::Break => f.write_str("resets all connections"),
            Self::Lose => f.write_str("loses a message"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The current behaviour of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Behaviour {
    pub(super) door: Door,
    pub(super) flow: Flow,
}

/// A command to the connections, which execute them in order.
#[derive(Debug, Clone)]
pub(super) enum ConnectionCommand {
    Send(Arc<Batch>),
    Bad(Bad),
    Break,
    Lose,
}
