use super::*;
use crate::{
    cache::{Cache, RingLimits},
    cluster::{
        batch::BATCH_TICKS_MAX,
        bus::{Answers as _, Broker, Connection, Incoming, LinkCounts, Subjects, Subscription as _},
        history::{ANSWERS_MAX, Answer},
        lease::Validity,
        memory::{MemoryAnswers, MemoryBroker, MemoryBus, MemoryLeases, MemorySubscription},
        message::{Kind, Message},
        shard_io::ASKS_MAX,
        support::{OwnSymbol, each, token},
    },
    market::{Now, Origin},
    wire::Epoch,
};
use futures_util::FutureExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, watch};

/// A bus whose connection has room for so many messages at a time.
#[derive(Clone)]
struct Narrow {
    bus: MemoryBus,
    room: Arc<AtomicUsize>,
}

impl Bus for Narrow {
    type Subscription = MemorySubscription;
    type Answers = MemoryAnswers;

    fn publish(&self, subject: &Subject, payload: Bytes) -> Sent {
        let has_room = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(1));
        if has_room.is_ok() { self.bus.publish(subject, payload) } else { Sent::Dropped }
    }

    async fn subscribe(&self, subject: &Subject) -> MemorySubscription {
        self.bus.subscribe(subject).await
    }

    async fn reply(&self, to: &ReplyTo, payload: Bytes) -> Sent {
        self.bus.reply(to, payload).await
    }

    async fn ask(&self, subject: &Subject, payload: Bytes) -> MemoryAnswers {
        self.bus.ask(subject, payload).await
    }

    async fn flush(&self, connection: Connection) -> bool {
        self.bus.flush(connection).await
    }

    fn connected(&self, connection: Connection) -> watch::Receiver<bool> {
        self.bus.connected(connection)
    }

    fn counts(&self, connection: Connection) -> LinkCounts {
        self.bus.counts(connection)
    }

    fn broker(&self, _: Connection) -> Option<Broker> {
        None
    }
}

fn opened<B: Bus>(bus: B, symbols: usize) -> (Arc<Outlet<B>>, Arc<Traffic>) {
    let mut tape = Tenure::<B>::tape(token(1, 1), symbols, Start::NewEpoch, Duration::ZERO);
    let now = Moment::read();
    tape.set_lease(Some(Validity { token: token(1, 1), counts_from: now, hold: Duration::from_secs(60) }), Some(1));
    tape.set_connected(true);
    let own: Vec<_> = (0..symbols).map(|place| OwnSymbol::new(place as u32, &format!("S{place}"))).collect();
    tape.open(each(&own), now.boot);
    let live = Subjects::new("test").live(&"x.0".parse().unwrap());
    let traffic = Arc::<Traffic>::default();
    (Tenure::new(1, tape, bus, live, traffic.clone(), Arc::default()).outlet, traffic)
}

fn drain(live: &mut MemorySubscription) -> Vec<u64> {
    let mut batches = Vec::new();
    while let Some(Some(Incoming { payload, .. })) = live.next().now_or_never() {
        batches.push(Message::open(&payload).unwrap().head.batch);
    }
    batches
}

#[tokio::test]
async fn an_opening_that_the_connection_has_no_room_for_is_sent_whole_and_in_order() {
    let broker = MemoryBroker::default();
    let (owner, follower) = (broker.connect(), broker.connect());
    let mut live = follower.subscribe(&Subjects::new("test").live(&"x.0".parse().unwrap())).await;
    let bus = Narrow { bus: owner, room: Arc::default() };
    let (outlet, traffic) = opened(bus.clone(), 6 * usize::from(BATCH_TICKS_MAX));
    let last = outlet.tape().last();
    assert!(last >= 6, "{last} batches");
    let mut came = Vec::new();
    let mut now = Moment::read();
    while came.len() < last as usize {
        bus.room.store(2, Ordering::Relaxed);
        outlet.send(now);
        came.extend(drain(&mut live));
        bus.room.store(2, Ordering::Relaxed);
        outlet.send(now);
        assert!(drain(&mut live).is_empty(), "ingest does not try again at once");
        assert!(
            came.len() as u64 == last
                || outlet.due().is_some_and(|due| due == now.boot.after(Duration::from_millis(1)))
        );
        now.boot = now.boot.after(Duration::from_millis(1));
    }
    assert_eq!(came, (1..=last).collect::<Vec<_>>());
    assert_eq!(traffic.refused.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn rule_10_a_connection_that_has_no_room_for_a_second_skips_however_often_ingest_comes() {
    let bus = Narrow { bus: MemoryBroker::default().connect(), room: Arc::default() };
    let (outlet, traffic) = opened(bus, 1);
    let begins = Moment::read();
    for step in 0..=2_010 {
        outlet.send(Moment { boot: begins.boot.after(Duration::from_micros(500 * step)), ..begins });
    }
    assert_eq!(traffic.refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_snapshot_ends_with_the_tenure_before_symbols_of_another_owner_are_in_it() {
    for closes_after in [0, 1, 2] {
        let broker = MemoryBroker::default();
        let (owner, follower) = (broker.connect(), broker.connect());
        let subject = Subjects::new("test").ask(&"x.0".parse().unwrap());
        let mut asks = owner.subscribe(&subject).await;
        let mut answers = follower.ask(&subject, Ask::Snapshot.encode().into()).await;
        let to = asks.next().await.unwrap().reply.unwrap();
        let (outlet, _) = opened(owner, 2 * SLICE);
        let cache = Cache::new(Epoch::from_bits(1).unwrap(), RingLimits { count: 8, age: Duration::from_secs(10) });
        let shard = cache.add_shard("x.0".into(), Epoch::from_bits(9).unwrap()).unwrap();
        let register = |place: usize| {
            let symbol = format!("S{place}").parse().unwrap();
            cache.register_in(&shard, symbol, "x".into(), Origin::Sim, Now::read()).unwrap()
        };
        let symbols: Arc<[_]> = (0..2 * SLICE).map(register).collect();
        let mut sends = Box::pin(send_snapshot(outlet.clone(), symbols, outlet_bus(&broker), to));
        // Each turn reads a slice.
        for _ in 0..closes_after {
            assert_eq!(sends.as_mut().now_or_never(), None);
        }
        outlet.close();
        sends.await;
        let mut kinds = Vec::new();
        while let Some(Some(crate::cluster::bus::Answer::Payload(bytes))) = answers.next().now_or_never() {
            kinds.push(Kind::of(&bytes));
        }
        assert!(!kinds.contains(&Some(Kind::End)), "after {closes_after} slices: {kinds:?}");
    }
}

fn outlet_bus(broker: &MemoryBroker) -> MemoryBus {
    broker.connect()
}

/// A tenure, whose bus reaches no other node, and an ask for its first batch.
fn tenure(number: u64) -> (Tenure<MemoryBus>, Ask) {
    let (outlet, _) = opened(MemoryBroker::default().connect(), 1);
    (Tenure { number, outlet }, Ask::History { epoch: token(1, 1).epoch, from: 1, to: 1 })
}

/// Whether the owner has a place for another answer.
fn has_place(tenure: &Tenure<MemoryBus>, ask: Ask) -> bool {
    matches!(tenure.outlet.tape().answer(ask, Moment::read()), Some(Answer::History(_)))
}

#[tokio::test]
async fn rule_10_an_answer_that_is_not_even_begun_takes_no_place_however_full_all_is() {
    let (tenure, ask) = tenure(1);
    let (inbox, _inbox_rx) = mpsc::channel(1);
    inbox.try_send(Input::FeedStopped).unwrap();
    let bus = MemoryBroker::default().connect();
    let shard = "x.0".parse().unwrap();
    let subjects = Subjects::new("test");
    let mut io = ShardIo::new(shard, bus, MemoryLeases::default(), subjects, inbox, Arc::default());
    (0..ASKS_MAX).for_each(|_| drop(io.spawn(std::future::pending()).unwrap()));
    let symbols: Arc<[Arc<SymbolState>]> = Arc::new([]);
    for _ in 0..=ANSWERS_MAX {
        tenure.answer(&ask.encode().into(), ReplyTo::new("_INBOX.1"), &symbols, Moment::read(), &mut io);
    }
    assert!(has_place(&tenure, ask));
}

#[tokio::test]
async fn an_answer_of_the_tenure_before_frees_no_place_of_this_one() {
    let (tenure, ask) = tenure(2);
    (0..ANSWERS_MAX).for_each(|_| assert!(has_place(&tenure, ask)));
    tenure.answered(1);
    assert!(!has_place(&tenure, ask));
    tenure.answered(2);
    assert!(has_place(&tenure, ask));
}
