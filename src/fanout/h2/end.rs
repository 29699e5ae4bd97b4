//! Why a connection ended.

use crate::{fanout::transport::TransportError, h2};
use std::io::{self, ErrorKind};

/// Why a connection ended: a metric's label, so a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The client closed it.
    Left,
    /// It had no stream for `head_timeout`.
    Idle,
    /// The gateway stops.
    Shutdown,
    /// It gave way to another connection.
    GaveWay,
    /// Its last stream ended, and no permit was free for a connection without streams.
    NoPermit,
    /// The client took no byte in time.
    Stalled,
    /// The kernel reports that the client acknowledged nothing.
    Timeout,
    /// The keys of its TLS 1.2 session could not be used any longer.
    Worn,
    /// The socket or the TLS session broke.
    Error,
    /// The client broke HTTP/2, or reached one of its limits.
    Limit(h2::Reason),
}

impl ConnectionEnd {
    /// The label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Idle => "idle",
            Self::Shutdown => "shutdown",
            Self::GaveWay => "gave_way",
            Self::NoPermit => "no_permit",
            Self::Stalled => "stalled",
            Self::Timeout => "timeout",
            Self::Worn => "worn",
            Self::Error => "error",
            Self::Limit(reason) => reason.label(),
        }
    }

    /// Why the streams of the connection can no longer be written to.
    pub(super) fn of_streams(self) -> TransportError {
        match self {
            Self::Left | Self::Idle | Self::Shutdown | Self::GaveWay | Self::NoPermit | Self::Worn => {
                TransportError::Left
            }
            Self::Stalled => TransportError::Stalled,
            Self::Timeout => io::Error::from(ErrorKind::TimedOut).into(),
            Self::Error => io::Error::from(ErrorKind::Other).into(),
            Self::Limit(_) => TransportError::TooMuchInput,
        }
    }
}

impl From<&TransportError> for ConnectionEnd {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::Left => Self::Left,
            TransportError::Broken(error) => error.into(),
            TransportError::Stalled | TransportError::TooMuchInput => Self::Error,
        }
    }
}

impl From<&io::Error> for ConnectionEnd {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof => Self::Left,
            ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Error,
        }
    }
}
