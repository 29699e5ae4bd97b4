//! What a listener gives a worker, and what it gets: connections, and their requests.

use super::{
    client::{ConnectionPermit, ConnectionPermits},
    io::H2Io,
    stream::H2Stream,
};
use crate::h2::{Limits, RequestBody};
use http::request::Parts;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// A connection that a worker is to take over: its TLS handshake is done, and ALPN's choice is HTTP/2.
pub struct NewConnection {
    /// Its bytes.
    pub io: Box<dyn H2Io>,
    /// What the client sent behind its handshake.
    pub input: Vec<u8>,
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// The limits of its frames.
    pub limits: Limits,
    /// How long it may live without a stream, and how long what a client begins may take.
    pub head_timeout: Duration,
    /// How long an answer may take.
    pub write_timeout: Duration,
    /// Its permit, which it holds while it has no stream.
    pub permit: Box<dyn ConnectionPermit>,
    /// Where its requests go.
    pub requests: Arc<dyn Requests>,
}

/// Where the requests of connections go.
pub trait Requests: ConnectionPermits {
    /// Takes a request over; it must not block. The request is answered by [`WorkerPool::answer`] or
    /// [`WorkerPool::open_on`].
    ///
    /// # Errors
    /// As many requests are under way as the limit allows.
    ///
    /// [`WorkerPool::answer`]: crate::fanout::WorkerPool::answer
    /// [`WorkerPool::open_on`]: crate::fanout::WorkerPool::open_on
    fn take(&self, request: H2Request) -> Result<(), Refused>;
}

/// A request that is refused: the client may repeat it.
#[derive(Debug)]
pub struct Refused;

/// A request, and the stream that its answer goes to.
pub struct H2Request {
    /// Its head, like that of a request of HTTP/1.1.
    pub head: Box<Parts>,
    /// Its body.
    pub body: RequestBody,
    /// The other end of the socket.
    pub peer: IpAddr,
    /// Where the answer goes.
    pub stream: H2Stream,
}
