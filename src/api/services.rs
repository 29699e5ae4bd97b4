//! What the API needs of the rest of the gateway.

use crate::{
    access::Keys,
    cache::Cache,
    demand::OnDemand,
    fanout::{Change, ChangeReply, NewStream, StreamAddress, WorkerPool},
    history::History,
    limits::Permits,
    tls::Session,
    wire::StreamName,
};
use rustls::ServerConfig;
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
    /// The feeds on demand, where there are some.
    pub on_demand: Option<Arc<OnDemand>>,
    /// What charts begin with, where the gateway keeps it.
    pub history: Option<Arc<History>>,
    /// Where admitted streams go.
    pub streams: Arc<dyn StreamSink>,
    /// How many connections and streams may be open.
    pub permits: Permits,
    /// Set while the gateway ends its streams: new ones are answered with `bye`.
    pub draining: Arc<AtomicBool>,
    /// What the listener for https needs, if there is one.
    pub tls: Option<TlsServices>,
    /// The keys that verify tokens, where clients sign on.
    pub keys: Option<Arc<dyn Keys>>,
}

/// What the listener for https needs.
#[derive(Clone)]
pub struct TlsServices {
    /// The certificates and protocols.
    pub config: Arc<ServerConfig>,
    /// Where connections go that speak HTTP/2, if clients may.
    pub http2: Option<Arc<WorkerPool>>,
}

/// Takes over admitted streams: in a gateway the worker pool.
pub trait StreamSink: Send + Sync {
    /// Takes over a stream with its socket, on which nothing of the answer is written yet.
    ///
    /// # Errors
    /// The system's, where it refuses what the connection needs; the connection is closed then.
    fn open(&self, socket: TcpStream, stream: NewStream) -> io::Result<()>;

    /// Takes over a stream of a TLS connection, on which `unsent` must go out first.
    ///
    /// # Errors
    /// As [`StreamSink::open`].
    fn open_tls(&self, socket: TcpStream, session: Session, unsent: Vec<u8>, stream: NewStream) -> io::Result<()>;

    /// Changes an open stream, and says so to `reply`.
    fn change(&self, stream: StreamAddress, name: StreamName, change: Change, reply: Box<dyn ChangeReply>);
}

impl StreamSink for WorkerPool {
    fn open(&self, socket: TcpStream, stream: NewStream) -> io::Result<()> {
        Self::open(self, socket.into_std()?, stream)
    }

    fn open_tls(&self, socket: TcpStream, session: Session, unsent: Vec<u8>, stream: NewStream) -> io::Result<()> {
        Self::open_tls(self, socket.into_std()?, session, unsent, stream)
    }

    fn change(&self, stream: StreamAddress, name: StreamName, change: Change, reply: Box<dyn ChangeReply>) {
        Self::change(self, stream, name, change, reply);
    }
}
