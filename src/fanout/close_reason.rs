//! Why a stream ended.

use super::transport::TransportError;
use std::io;

/// Why a stream ended: a metric's label, so a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed the connection.
    Left,
    /// The client took no byte for the stall timeout.
    Stalled,
    /// The client kept the window of an HTTP/2 stream closed, or did not move it, for the stall timeout.
    Window,
    /// The kernel reports that the client acknowledged nothing for the stall timeout.
    Timeout,
    /// The gateway stops.
    Shutdown,
    /// Its client's rights ended.
    Expired,
    /// Its client's new rights left none of its symbols.
    Denied,
    /// The client sent too much behind its request.
    Input,
    /// The connection broke in another way.
    Error,
}

impl CloseReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Left,
        Self::Stalled,
        Self::Window,
        Self::Timeout,
        Self::Shutdown,
        Self::Expired,
        Self::Denied,
        Self::Input,
        Self::Error,
    ];

    /// Whether the gateway or the network ended the stream against its client's will.
    pub(super) fn is_cut_off(self) -> bool {
        !matches!(self, Self::Left | Self::Shutdown | Self::Expired | Self::Denied)
    }

    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Stalled => "stalled",
            Self::Window => "window",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
            Self::Expired => "expired",
            Self::Denied => "denied",
            Self::Input => "input",
            Self::Error => "error",
        }
    }
}

impl From<&io::Error> for CloseReason {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Self::Left,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Error,
        }
    }
}

impl From<&TransportError> for CloseReason {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::Left => Self::Left,
            TransportError::Stalled => Self::Stalled,
            TransportError::TooMuchInput => Self::Input,
            TransportError::Broken(error) => error.into(),
        }
    }
}
