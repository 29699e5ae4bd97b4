//! What a connection has to do with the limits of its listener, and what it answers.

use crate::cache::WorkerIndex;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use std::{net::IpAddr, sync::Arc, time::Instant};

/// The permits of connections without streams, and of their requests.
pub trait ConnectionPermits: Send + Sync {
    /// What a request holds until its answer is written, if so many are not under way yet. It must not block.
    fn request(&self, peer: IpAddr) -> Option<Box<dyn Send>>;

    /// A permit for a connection of this peer whose last stream has ended, if one is free. It must not block.
    fn permit(&self, peer: IpAddr) -> Option<Box<dyn ConnectionPermit>>;
}

/// What a connection without streams holds.
pub trait ConnectionPermit: Send {
    /// A worker has the connection under this address, where [`WorkerPool::give_way`] reaches it.
    ///
    /// [`WorkerPool::give_way`]: crate::fanout::WorkerPool::give_way
    fn held_by(&mut self, connection: ConnectionAddress);

    /// Notes what the connection does. Of a new permit it is not known before.
    fn becomes(&mut self, activity: Activity);
}

/// What a connection without streams does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It waits for a request.
    Idle,
    /// It answers requests.
    Answering,
    /// Its client does not read the rest of an answer. Further requests change nothing, nor does an answer of which
    /// the client reads a part.
    Blocked,
}

/// A connection, as other threads know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionAddress {
    pub(in crate::fanout) worker: WorkerIndex,
    pub(in crate::fanout) token: u64,
}

/// A whole answer.
pub struct H2Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body; empty also for a HEAD request.
    pub body: Bytes,
    /// Held until the answer is written.
    pub permit: Box<dyn Send>,
}

/// The answers that are to end because requests are refused for want of their permits.
#[derive(Clone)]
pub struct UnreadAnswers {
    /// Those that their clients have not read since then.
    pub since: Instant,
    /// Whose, by the other end of the socket.
    pub whose: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}
