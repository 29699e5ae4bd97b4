//! Messages over core NATS.

use super::link::{Link, ROOM_WAIT};
use crate::cluster::bus::{
    Answer, Answers, Broker, Bus, Connection, Incoming, LinkCounts, ReplyTo, Sent, Subject, Subscription,
};
use async_nats::{StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::sync::Arc;
use tokio::{sync::watch, time::timeout};

/// A node's access to its brokers.
#[derive(Debug, Clone)]
pub struct NatsBus {
    live: Arc<Link>,
    control: Arc<Link>,
}

/// Messages of a subject. It survives reconnects.
#[derive(Debug)]
pub struct NatsSubscription(Option<Subscriber>);

/// The answers to an ask.
#[derive(Debug)]
pub struct NatsAnswers {
    /// `None` once none can follow.
    inbox: Option<Subscriber>,
    /// The ask was not sent, and the caller has not been told.
    not_sent: bool,
}

impl NatsBus {
    pub(super) fn new(live: Arc<Link>, control: Arc<Link>) -> Self {
        Self { live, control }
    }

    fn link(&self, connection: Connection) -> &Link {
        match connection {
            Connection::Live => &self.live,
            Connection::Control => &self.control,
        }
    }
}

impl Bus for NatsBus {
    type Subscription = NatsSubscription;
    type Answers = NatsAnswers;

    fn publish(&self, subject: &Subject, payload: Bytes) -> Sent {
        self.link(subject.connection()).publish(subject.as_str(), payload)
    }

    async fn subscribe(&self, subject: &Subject) -> NatsSubscription {
        let client = &self.link(subject.connection()).client;
        // It fails only once the client is closed, and then all that it could bring has ended.
        NatsSubscription(client.subscribe(subject.as_str().to_owned()).await.ok())
    }

    async fn reply(&self, to: &ReplyTo, payload: Bytes) -> Sent {
        self.control.answer(to.as_str(), payload).await
    }

    async fn ask(&self, subject: &Subject, payload: Bytes) -> NatsAnswers {
        let client = &self.control.client;
        let ask = async {
            let inbox = client.new_inbox();
            let subscriber = client.subscribe(inbox.clone()).await.ok()?;
            client.publish_with_reply(subject.as_str().to_owned(), inbox, payload).await.ok()?;
            Some(subscriber)
        };
        let inbox = if self.control.is_connected() { timeout(ROOM_WAIT, ask).await.ok().flatten() } else { None };
        NatsAnswers { not_sent: inbox.is_none(), inbox }
    }

    async fn flush(&self, connection: Connection) -> bool {
        let link = self.link(connection);
        link.is_connected() && matches!(timeout(ROOM_WAIT, link.client.flush()).await, Ok(Ok(())))
    }

    fn connected(&self, connection: Connection) -> watch::Receiver<bool> {
        self.link(connection).connected()
    }

    fn counts(&self, connection: Connection) -> LinkCounts {
        self.link(connection).counts()
    }

    fn broker(&self, connection: Connection) -> Option<Broker> {
        self.link(connection).broker()
    }
}

impl Subscription for NatsSubscription {
    async fn next(&mut self) -> Option<Incoming> {
        let message = self.0.as_mut()?.next().await?;
        let reply = message.reply.map(|reply| ReplyTo::new(&reply));
        Some(Incoming { payload: message.payload, reply })
    }
}

impl Answers for NatsAnswers {
    async fn next(&mut self) -> Option<Answer> {
        if std::mem::take(&mut self.not_sent) {
            return Some(Answer::NotSent);
        }
        let message = self.inbox.as_mut()?.next().await?;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            self.inbox = None;
            return Some(Answer::NoSubscriber);
        }
        Some(Answer::Payload(message.payload))
    }
}
