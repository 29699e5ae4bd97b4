//! What a listener gives a worker, and what it gets: connections, and their requests.

use super::{
    client::{ConnectionPermit, ConnectionPermits},
    io::H2Io,
    stream::H2Stream,
};
use crate::{
    fanout::tcp::Received,
    h2::{self, ErrorCode, LastStream, Limits, RequestBody},
};
use http::request::Parts;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// How much input of a connection that is sent away is dropped. A socket that is closed with unread input resets the
/// connection, and the client may lose the last bytes.
const DROPPED_BYTES_MAX: usize = 64 * 1024;

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

impl NewConnection {
    /// Tells the client that none of its requests is served here, and closes the connection: its worker has ended.
    ///
    /// # Errors
    /// The client is gone.
    pub(in crate::fanout) fn send_away(mut self, now: Instant) -> io::Result<()> {
        let mut out = Vec::new();
        let mut protocol = h2::Connection::new(self.limits, now, &mut out);
        protocol.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut out);
        self.io.send(&out)?;
        self.io.finish()?;
        let mut dropped = Vec::new();
        while dropped.len() < DROPPED_BYTES_MAX && matches!(self.io.receive(&mut dropped), Ok(Received::Bytes(_))) {}
        Ok(())
    }
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
