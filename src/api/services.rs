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
use tokio::net::TcpStream;

/// What the API stands on.
#[derive(Clone)]
pub struct Services {
    /// Where symbols and quotes are read.
    pub cache: Arc<Cache>,
    /// Where admitted streams go.
    pub streams: Arc<dyn StreamSink<TcpStream>>,
    /// How many connections and streams may be open.
    pub permits: Permits,
    /// Set while the gateway ends its streams: new ones are answered with `bye`.
    pub draining: Arc<AtomicBool>,
}

/// Takes over admitted streams on connections of one kind of I/O: in a gateway the worker pool.
pub trait StreamSink<I>: Send + Sync {
    /// Takes over a stream with its I/O, on which nothing of the answer is written yet.
    ///
    /// # Errors
    /// The system's, where it refuses what the connection needs; the connection is closed then.
    fn open(&self, io: I, stream: NewStream) -> io::Result<()>;
}

impl StreamSink<TcpStream> for WorkerPool {
    fn open(&self, socket: TcpStream, stream: NewStream) -> io::Result<()> {
        Self::open(self, socket.into_std()?, stream)
    }
}
