//! The place bytes go: all that a worker knows of a client.

use bytes::Bytes;
use std::{io, net::SocketAddr, time::Instant};

/// A client's end of a stream. Nothing in it blocks.
pub trait Transport {
    /// From now on, readiness of this transport is reported to its worker under `key`.
    ///
    /// # Errors
    /// What the system says where it cannot watch it.
    fn attach(&mut self, key: u64) -> io::Result<()>;

    /// Offers blocks in order; returns how many bytes were taken. The stream keeps the rest of a block that was cut (at
    /// first the head) and offers it before all else; every block not yet begun may be replaced. Less than all is full:
    /// one [`Ready`] follows when there is room. A transport holds at most 16 KiB above its socket.
    ///
    /// # Errors
    /// The client is gone. Full is no error.
    fn try_write(&mut self, blocks: &[&Bytes]) -> io::Result<usize>;

    /// Reads and drops what the client sent.
    ///
    /// # Errors
    /// [`TransportError`]: it left, or it sent too much.
    fn drain_input(&mut self, now: Instant) -> Result<(), TransportError>;

    /// Ends it. After [`CloseMode::Finish`] its input is still drained until the client is gone too.
    fn close(&mut self, how: CloseMode);

    /// Who is at the other end, where that can be told.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// How a transport ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseMode {
    /// What was taken goes out first.
    Finish,
    /// All is thrown away, in the kernel too.
    Abort,
}

/// Something happened to a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The key it is attached under.
    pub key: u64,
    /// There may be input, or the client left.
    pub readable: bool,
    /// There may be room.
    pub writable: bool,
}

/// Why a client can no longer be written to.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// It closed the connection.
    #[error("the client left")]
    Left,
    /// It sent more behind its request than a stream's client has to say.
    #[error("the client sent too much")]
    TooMuchInput,
    /// The connection broke.
    #[error(transparent)]
    Broken(#[from] io::Error),
}

/// Why a stream ended: a label, so a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed the connection.
    Left,
    /// It took no byte for the stall timeout.
    Stalled,
    /// It acknowledged nothing for as long, says the kernel.
    Timeout,
    /// The gateway stops.
    Shutdown,
    /// It sent too much behind its request.
    Input,
    /// The connection broke in another way.
    Error,
}

impl CloseReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Left, Self::Stalled, Self::Timeout, Self::Shutdown, Self::Input, Self::Error];

    /// The label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Stalled => "stalled",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
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
    fn from(gone: &TransportError) -> Self {
        match gone {
            TransportError::Left => Self::Left,
            TransportError::TooMuchInput => Self::Input,
            TransportError::Broken(error) => error.into(),
        }
    }
}
