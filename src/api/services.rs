//! What the API needs of the rest of the gateway.

use crate::{
    cache::Cache,
    fanout::{NewStream, WorkerPool},
    limits::Permits,
};
use std::{
    io,
    sync::{Arc, atomic::AtomicBool},
};

/// What the API stands on.
#[derive(Clone)]
pub struct Services {
    /// Where symbols and quotes are read.
    pub cache: Arc<Cache>,
    /// Where admitted streams go.
    pub streams: Arc<dyn StreamSink>,
    /// How many connections and streams may be open.
    pub permits: Permits,
    /// Set while the gateway ends its streams: new ones are answered with `bye`.
    pub draining: Arc<AtomicBool>,
}

/// Takes over admitted streams: in a gateway the worker pool.
pub trait StreamSink: Send + Sync {
    /// Takes over a stream with its socket, which is non-blocking and on which nothing of the answer is written yet.
    ///
    /// # Errors
    /// The system's, where it refuses what the socket needs; the socket is closed then.
    fn open(&self, socket: std::net::TcpStream, stream: NewStream) -> io::Result<()>;
}

impl StreamSink for WorkerPool {
    fn open(&self, socket: std::net::TcpStream, stream: NewStream) -> io::Result<()> {
        Self::open(self, socket, stream)
    }
}
