//! What the cluster needs of a broker: a bus for messages, and a store for leases. Two traits, so that tests can have
//! both in memory.
//!
//! The bus delivers at most once, and in order from one sender to one receiver. It keeps nothing: what cannot be sent
//! now is dropped, because a tick that is sent later would look as if it were new. A node has two connections, so that
//! a lease's renewal never stands behind ticks.

use super::{
    lease::{LeaseValue, ReadAnswer, WriteAnswer},
    names::{NodeName, ShardName},
};
use bytes::Bytes;
use std::{fmt, future::Future, sync::Arc};
use tokio::sync::watch;

/// As many messages of a subscription, or answers of an ask, wait to be read. More are dropped.
pub const SUBSCRIPTION_MESSAGES_MAX: usize = 1_024;

/// One of a node's two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Connection {
    /// It carries the shards' live messages.
    Live,
    /// It carries leases, asks with their answers, and what nodes say of themselves.
    Control,
}

impl Connection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Live, Self::Control];

    /// The name, for metrics and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Control => "control",
        }
    }
}

/// The broker at the other end of a connection, as it names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Broker {
    /// Its name.
    pub name: String,
    /// The address on which it listens.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// The address of messages. [`Subjects`] makes them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    text: Arc<str>,
    connection: Connection,
}

impl Subject {
    /// The subject as the broker knows it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The connection that carries it.
    pub fn connection(&self) -> Connection {
        self.connection
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The subjects of one cluster, all under `tickfan.<cluster>.`.
#[derive(Debug, Clone)]
pub struct Subjects {
    prefix: Arc<str>,
}

impl Subjects {
    /// The subjects of the cluster of this name, which is one part of a subject: `[a-z0-9-]{1,32}`.
    pub fn new(cluster: &str) -> Self {
        Self { prefix: format!("tickfan.{cluster}").into() }
    }

    fn subject(&self, kind: &str, name: &str, connection: Connection) -> Subject {
        Subject { text: format!("{}.{kind}.{name}", self.prefix).into(), connection }
    }

    /// Where a shard's owner publishes batches and beats.
    pub fn live(&self, shard: &ShardName) -> Subject {
        self.subject("live", shard.as_str(), Connection::Live)
    }

    /// Where a shard's owner is asked for history, a snapshot or a beat.
    pub fn ask(&self, shard: &ShardName) -> Subject {
        self.subject("ask", shard.as_str(), Connection::Control)
    }

    /// Where nodes say which of a shard's symbols their streams want.
    pub fn want(&self, shard: &ShardName) -> Subject {
        self.subject("want", shard.as_str(), Connection::Control)
    }

    /// Where a node reports on itself.
    pub fn node(&self, node: &NodeName) -> Subject {
        self.subject("node", node.as_str(), Connection::Control)
    }

    /// A node's report, on the connection that does not send it: to subscribe only. What comes back to the node itself
    /// shows that messages pass from one connection to the other.
    pub fn echo(&self, node: &NodeName) -> Subject {
        self.subject("node", node.as_str(), Connection::Live)
    }

    /// All nodes' reports: to subscribe only.
    pub fn all_nodes(&self) -> Subject {
        self.subject("node", "*", Connection::Control)
    }

    /// Where a node is asked to take over a shard.
    pub fn give(&self, node: &NodeName) -> Subject {
        self.subject("give", node.as_str(), Connection::Control)
    }
}

/// Where the answers to a message go.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReplyTo(Arc<str>);

impl ReplyTo {
    /// The address that the bus has given to an ask.
    pub fn new(address: &str) -> Self {
        Self(address.into())
    }

    /// The address as the broker knows it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of a message.
#[must_use = "a dropped message is not sent later"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was given to the connection. It may still be lost with it.
    Sent,
    /// The connection is down, or has not taken what came before: the message is dropped.
    Dropped,
}

/// What a connection has counted since the node's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// How often it was made, the first time included.
    pub connects: u64,
    /// Messages that were dropped because their subscription was full.
    pub overflows: u64,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its bytes.
    pub payload: Bytes,
    /// Where its answers go, if its sender waits for some.
    pub reply: Option<ReplyTo>,
}

/// What comes back for an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An answer; more may follow.
    Payload(Bytes),
    /// No node has subscribed to the subject: no answer follows.
    NoSubscriber,
    /// The ask was dropped, since the connection is down: no answer follows.
    NotSent,
}

/// Messages of a subject. Dropping it ends the subscription.
pub trait Subscription: Send + 'static {
    /// The next message; `None` once the connection has been closed for good. A lost connection only makes a hole: the
    /// subscription goes on with the next connection.
    ///
    /// # Cancel safety
    /// No message is lost.
    fn next(&mut self) -> impl Future<Output = Option<Incoming>> + Send;
}

/// The answers to one ask. The caller knows which one is the last, and for how long it waits; dropping this ends the
/// ask.
pub trait Answers: Send + 'static {
    /// The next answer; `None` once none can follow.
    ///
    /// # Cancel safety
    /// No answer is lost.
    fn next(&mut self) -> impl Future<Output = Option<Answer>> + Send;
}

/// A node's access to the bus. Clones share its connections.
///
/// A node does not hear on a connection what it publishes on the same one.
pub trait Bus: Clone + Send + Sync + 'static {
    /// The messages of a subject.
    type Subscription: Subscription;
    /// The answers to an ask.
    type Answers: Answers;

    /// Publishes, without waiting.
    fn publish(&self, subject: &Subject, payload: Bytes) -> Sent;

    /// Subscribes. Waits while the connection has no room for the request, at the start until the broker is there.
    fn subscribe(&self, subject: &Subject) -> impl Future<Output = Self::Subscription> + Send;

    /// Answers. Waits while the connection has no room, a second at most, so that a long answer is sent as fast as the
    /// connection takes it, and little of it is ahead of a lease's renewal.
    fn reply(&self, to: &ReplyTo, payload: Bytes) -> impl Future<Output = Sent> + Send;

    /// Asks all that have subscribed to a subject.
    fn ask(&self, subject: &Subject, payload: Bytes) -> impl Future<Output = Self::Answers> + Send;

    /// Waits until all that was published before on this connection has been written to its socket, a second at most;
    /// returns whether it has.
    fn flush(&self, connection: Connection) -> impl Future<Output = bool> + Send;

    /// Whether this connection is up, and each change of it.
    fn connected(&self, connection: Connection) -> watch::Receiver<bool>;

    /// What this connection has counted.
    fn counts(&self, connection: Connection) -> LinkCounts;

    /// The broker at the other end of this connection while it is up, where it has a name.
    fn broker(&self, connection: Connection) -> Option<Broker>;
}

/// The store of leases: a key for each shard, which can be compared and set. Clones share its connection.
pub trait Leases: Clone + Send + Sync + 'static {
    /// Reads a shard's lease. The answer may be older than the newest value.
    fn read(&self, shard: &ShardName) -> impl Future<Output = ReadAnswer> + Send;

    /// Writes a shard's lease if its newest revision is the expected one; `None` expects that there is none.
    fn write(
        &self,
        shard: &ShardName,
        expected: Option<u64>,
        value: &LeaseValue,
    ) -> impl Future<Output = WriteAnswer> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subject_names_its_cluster_and_has_its_connection() {
        let subjects = Subjects::new("prod");
        let (shard, node) = ("us-stocks.0".parse().unwrap(), "gw-1".parse().unwrap());
        for (subject, text, connection) in [
            (subjects.live(&shard), "tickfan.prod.live.us-stocks.0", Connection::Live),
            (subjects.ask(&shard), "tickfan.prod.ask.us-stocks.0", Connection::Control),
            (subjects.want(&shard), "tickfan.prod.want.us-stocks.0", Connection::Control),
            (subjects.node(&node), "tickfan.prod.node.gw-1", Connection::Control),
            (subjects.all_nodes(), "tickfan.prod.node.*", Connection::Control),
            (subjects.echo(&node), "tickfan.prod.node.gw-1", Connection::Live),
            (subjects.give(&node), "tickfan.prod.give.gw-1", Connection::Control),
        ] {
            assert_eq!((subject.as_str(), subject.connection()), (text, connection));
        }
    }
}
