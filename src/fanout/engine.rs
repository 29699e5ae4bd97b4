//! The workers seen from outside: where streams are opened and changed symbols are announced.

use crate::{cache::SymbolState, config, market::Now};
use bytes::Bytes;
use std::{io, net::TcpStream, sync::Arc, time::Duration};

/// A stream to be opened.
pub struct Opening {
    /// The first bytes to go out, ahead of all frames: the head of the answer and the `hello` block.
    pub head: Bytes,
    /// What it carries: each symbol once, at least one.
    pub symbols: Box<[Arc<SymbolState>]>,
    /// How long it is silent before it gets a `heartbeat`.
    pub heartbeat: Duration,
    /// Held as long as the stream lives: its permit.
    pub permit: Box<dyn Send>,
}

/// The worker threads.
pub struct Engine {}

impl Engine {
    /// Starts the workers.
    ///
    /// # Errors
    /// What the system says where it has no thread or descriptor to give.
    pub fn start(_config: &config::Fanout) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Hands a client's socket to the worker with the fewest streams, which writes to it until it closes.
    ///
    /// # Errors
    /// What the system says where it cannot watch the socket; the socket is closed then.
    pub fn open(&self, _socket: TcpStream, _opening: Opening) -> io::Result<()> {
        Ok(())
    }

    /// Begins to end all streams, each at a random moment within `window`. New streams end at once.
    pub fn drain(&self, _window: Duration, _now: Now) {}
}
