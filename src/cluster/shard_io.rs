//! What a shard's task asks of the bus and of the leases: each request is a task of its own, whose answer comes into
//! the shard's inbox.

use super::{
    bus::{Answer, Answers, Bus, Connection, Incoming, Leases, ReplyTo, Sent, Subjects, Subscription},
    follower::{AskId, PROBES_MAX},
    lease::{LeaseValue, ReadAnswer, WriteAnswer},
    message::{Ask, Kind},
    names::ShardName,
    report::Traffic,
    shard::Event,
    wants::WantsMessage,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

/// As many inputs wait for the task of a shard. A sender of more waits, or drops what may be lost.
pub(super) const INBOX_MAX: usize = 256;
/// A read or a write of the lease takes no longer: the lease's machine has given it up by then.
const LEASE_REQUEST_MAX: Duration = Duration::from_secs(2);
/// Without an answer for so long, an ask is over: the follower has given it up by then.
const ANSWER_IDLE_MAX: Duration = Duration::from_secs(2);
/// As many asks and answers of a shard run at a time. More asks are not made, and more are not answered.
pub(super) const ASKS_MAX: usize = 64;

/// What comes to the task of a shard, besides live messages and the time.
#[derive(Debug)]
pub(super) enum Input {
    /// An event of the shard's machine.
    Machine(Event),
    /// A follower asks.
    Asked(ReplyTo, Bytes),
    /// An answer that takes one of the places was sent or given up. The number says of which tenure.
    Answered(u64),
    /// The connection to the venue is closed; the number says which one.
    FeedClosed(u64),
    /// The connection to the venue has ended by itself.
    FeedEnded {
        /// Which one.
        feed: u64,
        /// Why.
        why: String,
    },
    /// A feed was stopped, and has ended.
    FeedStopped,
    /// The last batch is on its way.
    Flushed {
        /// Which connection's.
        feed: u64,
        /// Its number.
        last: u64,
    },
    /// What a node wants.
    Wants(WantsMessage),
}

/// The requests of a shard.
pub(super) struct ShardIo<B, L> {
    shard: ShardName,
    bus: B,
    leases: L,
    subjects: Subjects,
    inbox: mpsc::Sender<Input>,
    traffic: Arc<Traffic>,
    requests: JoinSet<()>,
    asks: JoinSet<()>,
    /// The follower's asks: for the rest, and for beats. A new one takes the place of the oldest.
    asking: [VecDeque<AbortHandle>; 2],
    /// Forwards what followers ask, while the node answers.
    listening: Option<AbortHandle>,
}

impl<B: Bus, L: Leases> ShardIo<B, L> {
    pub(super) fn new(
        shard: ShardName,
        bus: B,
        leases: L,
        subjects: Subjects,
        inbox: mpsc::Sender<Input>,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            shard,
            bus,
            leases,
            subjects,
            inbox,
            traffic,
            requests: JoinSet::new(),
            asks: JoinSet::new(),
            asking: [VecDeque::new(), VecDeque::new()],
            listening: None,
        }
    }

    pub(super) fn bus(&self) -> &B {
        &self.bus
    }

    /// What the shard's messages have cost.
    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    pub(super) fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    pub(super) fn read(&mut self, request: u64) {
        let leases = self.leases.clone();
        let shard = self.shard.clone();
        self.request(async move {
            let answer = timeout(LEASE_REQUEST_MAX, leases.read(&shard)).await.unwrap_or(ReadAnswer::Failed);
            Input::Machine(Event::Read { request, answer })
        });
    }

    pub(super) fn write(&mut self, request: u64, expected: Option<u64>, value: LeaseValue) {
        let leases = self.leases.clone();
        let shard = self.shard.clone();
        let traffic = self.traffic.clone();
        self.request(async move {
            let written = timeout(LEASE_REQUEST_MAX, leases.write(&shard, expected, &value)).await;
            let answer = written.unwrap_or(WriteAnswer::Unknown);
            traffic.count_write(answer);
            Input::Machine(Event::Write { request, answer })
        });
    }

    /// Asks the shard's owner.
    pub(super) fn ask(&mut self, id: AskId, ask: Ask) {
        let place = usize::from(ask == Ask::Beat);
        let subject = self.subjects.ask(&self.shard);
        let forwards = forward_answers(self.bus.clone(), subject, id, ask, self.inbox.clone());
        let Some(handle) = self.spawn(forwards) else { return };
        self.asking[place].push_back(handle);
        if self.asking[place].len() > [1, PROBES_MAX][place]
            && let Some(oldest) = self.asking[place].pop_front()
        {
            oldest.abort();
        }
    }

    /// Answers a follower after a while, one message after the other, and says so with `then`. Returns whether it does:
    /// it does not where too many answers are on their way.
    #[must_use]
    pub(super) fn answer(&mut self, to: ReplyTo, messages: Vec<Bytes>, after: Duration, then: Option<Input>) -> bool {
        let bus = self.bus.clone();
        let inbox = self.inbox.clone();
        let answers = async move {
            if !after.is_zero() {
                sleep(after).await;
            }
            for message in messages {
                if bus.reply(&to, message).await == Sent::Dropped {
                    break;
                }
            }
            if let Some(then) = then {
                // The task that has ended needs no answer.
                let _ = inbox.send(then).await;
            }
        };
        self.spawn(answers).is_some()
    }

    /// Runs until its end; what it returns comes into the inbox. The machine makes few of them at a time.
    pub(super) fn request(&mut self, request: impl Future<Output = Input> + Send + 'static) {
        while self.requests.try_join_next().is_some() {}
        let inbox = self.inbox.clone();
        self.requests.spawn(async move {
            let _ = inbox.send(request.await).await;
        });
    }

    /// Runs an ask or an answer until its end, unless as many as may do.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        while self.asks.try_join_next().is_some() {}
        (self.asks.len() < ASKS_MAX).then(|| self.asks.spawn(task))
    }

    /// Subscribes to what followers ask.
    pub(super) fn listen(&mut self) {
        self.stop_listening();
        let subject = self.subjects.ask(&self.shard);
        let bus = self.bus.clone();
        let inbox = self.inbox.clone();
        self.listening = Some(self.requests.spawn(async move {
            let mut asks = bus.subscribe(&subject).await;
            while let Some(Incoming { payload, reply }) = asks.next().await {
                let Some(reply) = reply else { continue };
                if inbox.send(Input::Asked(reply, payload)).await.is_err() {
                    return;
                }
            }
        }));
    }

    pub(super) fn stop_listening(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }

    /// Subscribes to what the nodes want of the shard.
    pub(super) fn learn_wants(&mut self) {
        let subject = self.subjects.want(&self.shard);
        let bus = self.bus.clone();
        let inbox = self.inbox.clone();
        let traffic = self.traffic.clone();
        self.requests.spawn(async move {
            let mut wants = bus.subscribe(&subject).await;
            while let Some(Incoming { payload, .. }) = wants.next().await {
                let message = match WantsMessage::from_json(&payload) {
                    Ok(message) => message,
                    Err(error) => {
                        // The node's next list makes it good, unless that is of another version, too.
                        traffic.other_version.fetch_add(u64::from(error.is_version()), Ordering::Relaxed);
                        continue;
                    }
                };
                if inbox.send(Input::Wants(message)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Waits until what was published has left, and says so.
    pub(super) fn flush(&mut self, feed: u64, last: u64, limit: Duration) {
        let bus = self.bus.clone();
        self.request(async move {
            // Whatever has not left by then, the successor asks for.
            let _ = timeout(limit, bus.flush(Connection::Live)).await;
            Input::Flushed { feed, last }
        });
    }
}

/// Asks, and passes the answers on until the last one.
async fn forward_answers<B: Bus>(
    bus: B,
    subject: super::bus::Subject,
    id: AskId,
    ask: Ask,
    inbox: mpsc::Sender<Input>,
) {
    let mut answers = bus.ask(&subject, ask.encode().into()).await;
    loop {
        let event = match timeout(ANSWER_IDLE_MAX, answers.next()).await {
            Ok(Some(Answer::Payload(bytes))) => Event::Answer(id, bytes),
            Ok(Some(Answer::NoSubscriber | Answer::NotSent)) => Event::Unanswered(id),
            Ok(None) | Err(_) => return,
        };
        let is_last = match &event {
            // Not one that is gone: the owner before may still answer. The follower's next ask ends this one.
            Event::Answer(_, bytes) => matches!(Kind::of(bytes), Some(Kind::Beat | Kind::End | Kind::Busy)),
            _ => true,
        };
        if inbox.send(Input::Machine(event)).await.is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::memory::{MemoryBroker, MemoryLeases},
        *,
    };

    #[tokio::test]
    async fn rule_10_a_shard_has_64_asks_and_answers_at_a_time() {
        let (inbox, _inbox_rx) = mpsc::channel(INBOX_MAX);
        let (bus, leases) = (MemoryBroker::default().connect(), MemoryLeases::default());
        let shard: ShardName = "x.0".parse().unwrap();
        let mut io = ShardIo::new(shard, bus, leases, Subjects::new("test"), inbox, Arc::default());
        let first = io.spawn(std::future::pending()).unwrap();
        for _ in 1..ASKS_MAX {
            assert!(io.spawn(std::future::pending()).is_some());
        }
        assert!(io.spawn(std::future::pending()).is_none());
        first.abort();
        io.asks.join_next().await.unwrap().unwrap_err();
        assert!(io.spawn(std::future::pending()).is_some());
    }

    /// A store that does not answer.
    #[derive(Clone)]
    struct Hangs;

    impl Leases for Hangs {
        async fn read(&self, _: &ShardName) -> ReadAnswer {
            std::future::pending().await
        }

        async fn write(&self, _: &ShardName, _: Option<u64>, _: &LeaseValue) -> WriteAnswer {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn rule_10_a_request_without_an_answer_ends_by_itself() {
        let (inbox, mut inbox_rx) = mpsc::channel(INBOX_MAX);
        let broker = MemoryBroker::default();
        let shard: ShardName = "x.0".parse().unwrap();
        let subjects = Subjects::new("test");
        let _asks = broker.connect().subscribe(&subjects.ask(&shard)).await;
        let mut io = ShardIo::new(shard, broker.connect(), Hangs, subjects, inbox, Arc::default());
        io.ask(AskId(1), Ask::Snapshot);
        io.read(7);
        let failed = Event::Read { request: 7, answer: ReadAnswer::Failed };
        assert!(matches!(inbox_rx.recv().await, Some(Input::Machine(event)) if event == failed));
        io.asks.join_next().await.unwrap().unwrap();
        assert!(inbox_rx.try_recv().is_err(), "the follower knows by itself that no answer came");
    }
}
