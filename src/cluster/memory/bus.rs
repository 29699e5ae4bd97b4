//! The bus: one broker, nodes with two connections each, and the faults that a test asks for.

use super::super::bus::{
    Answer, Answers, Broker, Bus, Connection, Incoming, LinkCounts, ReplyTo, SUBSCRIPTION_MESSAGES_MAX, Sent, Subject,
    Subscription,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, watch};

/// As many messages can be held back on one connection. More are dropped.
const HELD_MAX: usize = 65_536;

/// A broker in memory. Clones are the same broker.
///
/// A message is delivered while it is published, so messages of one sender reach each receiver in order.
#[derive(Debug, Clone, Default)]
pub struct MemoryBroker {
    state: Arc<Mutex<State>>,
}

/// A node's access to a [`MemoryBroker`].
#[derive(Debug, Clone)]
pub struct MemoryBus {
    broker: MemoryBroker,
    node: usize,
}

/// Messages of a subject.
#[derive(Debug)]
pub struct MemorySubscription {
    broker: MemoryBroker,
    id: u64,
    queue: mpsc::Receiver<Incoming>,
}

/// The answers to an ask.
#[derive(Debug)]
pub struct MemoryAnswers {
    /// Why none come.
    fails_with: Option<Answer>,
    inbox: MemorySubscription,
}

#[derive(Debug, Default)]
struct State {
    /// For each node its connections, by [`Connection`].
    nodes: Vec<[Link; 2]>,
    subscriptions: Vec<Entry>,
    next_id: u64,
}

#[derive(Debug)]
struct Link {
    up: watch::Sender<bool>,
    /// What comes waits here while the link is held.
    held: Option<VecDeque<(u64, Incoming)>>,
    /// What it publishes is lost on its way.
    loses: bool,
    counts: LinkCounts,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    node: usize,
    connection: Connection,
    subject: Arc<str>,
    queue: mpsc::Sender<Incoming>,
}

impl Link {
    fn new() -> Self {
        let counts = LinkCounts { connects: 1, overflows: 0 };
        Self { up: watch::Sender::new(true), held: None, loses: false, counts }
    }
}

impl MemoryBroker {
    /// Connects a node.
    pub fn connect(&self) -> MemoryBus {
        let mut state = self.state();
        state.nodes.push([Link::new(), Link::new()]);
        MemoryBus { broker: self.clone(), node: state.nodes.len() - 1 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, node: usize, connection: Connection, subject: Option<&str>) -> MemorySubscription {
        let (sender, queue) = mpsc::channel(SUBSCRIPTION_MESSAGES_MAX);
        let mut state = self.state();
        state.next_id += 1;
        let id = state.next_id;
        let subject = subject.map_or_else(|| format!("_INBOX.{id}").into(), Arc::from);
        state.subscriptions.push(Entry { id, node, connection, subject, queue: sender });
        drop(state);
        MemorySubscription { broker: self.clone(), id, queue }
    }
}

impl State {
    fn link(&mut self, node: usize, connection: Connection) -> &mut Link {
        &mut self.nodes[node][connection as usize]
    }

    /// Delivers a message of a node to all others that have subscribed. Returns what became of it, and to how many it
    /// went.
    fn publish(&mut self, from: (usize, Connection), subject: &str, message: &Incoming) -> (Sent, usize) {
        let link = self.link(from.0, from.1);
        if !*link.up.borrow() {
            return (Sent::Dropped, 0);
        }
        if link.loses {
            // As if some had got it: an ask waits in vain.
            return (Sent::Sent, usize::MAX);
        }
        let mut reached = 0;
        for place in 0..self.subscriptions.len() {
            let entry = &self.subscriptions[place];
            let (id, node, connection) = (entry.id, entry.node, entry.connection);
            let is_own = (node, connection) == from;
            let link = &mut self.nodes[node][connection as usize];
            if is_own || !is_matched(&entry.subject, subject) || !*link.up.borrow() {
                continue;
            }
            reached += 1;
            match &mut link.held {
                Some(held) if held.len() < HELD_MAX => held.push_back((id, message.clone())),
                Some(_) => {}
                // A full queue drops the message, as a broker's client does.
                None => link.counts.overflows += u64::from(entry.queue.try_send(message.clone()).is_err()),
            }
        }
        (Sent::Sent, reached)
    }
}

/// Whether a subject matches one to which somebody has subscribed, whose last part may be `*`.
fn is_matched(subscribed: &str, subject: &str) -> bool {
    match subscribed.strip_suffix('*') {
        Some(prefix) => subject.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('.')),
        None => subscribed == subject,
    }
}

impl MemoryBus {
    /// Takes a connection down or up. While it is down, what is published to its subscriptions is lost, and so is what
    /// was held back. Subscriptions stay.
    pub fn set_connected(&self, connection: Connection, is_up: bool) {
        let mut state = self.broker.state();
        let link = state.link(self.node, connection);
        if !link.up.send_replace(is_up) && is_up {
            link.counts.connects += 1;
        }
        if !is_up && let Some(held) = &mut link.held {
            held.clear();
        }
    }

    /// Holds back what comes to this node on a connection, until [`MemoryBus::release`].
    pub fn hold(&self, connection: Connection) {
        self.broker.state().link(self.node, connection).held.get_or_insert_default();
    }

    /// Delivers in order what was held back, and holds no longer.
    pub fn release(&self, connection: Connection) {
        let mut state = self.broker.state();
        for (id, message) in state.link(self.node, connection).held.take().unwrap_or_default() {
            if let Some(entry) = state.subscriptions.iter().find(|entry| entry.id == id) {
                drop(entry.queue.try_send(message));
            }
        }
    }

    /// Whether what this node sends on a connection is lost on its way. The node does not learn of it.
    pub fn set_losing(&self, connection: Connection, loses: bool) {
        self.broker.state().link(self.node, connection).loses = loses;
    }

    fn send(&self, connection: Connection, subject: &str, payload: Bytes, reply: Option<ReplyTo>) -> (Sent, usize) {
        self.broker.state().publish((self.node, connection), subject, &Incoming { payload, reply })
    }
}

impl Bus for MemoryBus {
    type Subscription = MemorySubscription;
    type Answers = MemoryAnswers;

    fn publish(&self, subject: &Subject, payload: Bytes) -> Sent {
        self.send(subject.connection(), subject.as_str(), payload, None).0
    }

    async fn subscribe(&self, subject: &Subject) -> MemorySubscription {
        self.broker.subscribe(self.node, subject.connection(), Some(subject.as_str()))
    }

    async fn reply(&self, to: &ReplyTo, payload: Bytes) -> Sent {
        self.send(Connection::Control, to.as_str(), payload, None).0
    }

    async fn ask(&self, subject: &Subject, payload: Bytes) -> MemoryAnswers {
        let inbox = self.broker.subscribe(self.node, Connection::Control, None);
        let reply = ReplyTo::new(&format!("_INBOX.{}", inbox.id));
        let fails_with = match self.send(Connection::Control, subject.as_str(), payload, Some(reply)) {
            (Sent::Dropped, _) => Some(Answer::NotSent),
            (Sent::Sent, 0) => Some(Answer::NoSubscriber),
            (Sent::Sent, _) => None,
        };
        MemoryAnswers { fails_with, inbox }
    }

    async fn flush(&self, connection: Connection) -> bool {
        *self.broker.state().link(self.node, connection).up.borrow()
    }

    fn connected(&self, connection: Connection) -> watch::Receiver<bool> {
        self.broker.state().link(self.node, connection).up.subscribe()
    }

    fn counts(&self, connection: Connection) -> LinkCounts {
        self.broker.state().link(self.node, connection).counts
    }

    fn broker(&self, _: Connection) -> Option<Broker> {
        None
    }
}

impl Subscription for MemorySubscription {
    async fn next(&mut self) -> Option<Incoming> {
        self.queue.recv().await
    }
}

impl Drop for MemorySubscription {
    fn drop(&mut self) {
        self.broker.state().subscriptions.retain(|entry| entry.id != self.id);
    }
}

impl Answers for MemoryAnswers {
    async fn next(&mut self) -> Option<Answer> {
        match self.fails_with.take() {
            Some(answer) => {
                self.inbox.queue.close();
                Some(answer)
            }
            None => Some(Answer::Payload(self.inbox.queue.recv().await?.payload)),
        }
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
