//! The replies that operators get about the slowest streams.

use super::super::{
    ClientSide, CloseMode, Command, NewStream, Options, Ready, ResponseHead, Taken, TransportError, Unlisted, Wait,
    Worker, WorkerInbox, WorkerLimits,
};
use super::*;
use crate::{
    cache::{Cache, RingLimits, SymbolState, WorkerMask},
    market::{Field, Origin, TradeUpdate, Update},
    telemetry::Histogram,
    wire::Epoch,
};
use bytes::Bytes;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Takes a number of bytes and no more.
#[derive(Clone, Default)]
struct Bounded {
    bytes: Arc<AtomicUsize>,
    key: Arc<AtomicU64>,
}

impl Transport for Bounded {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.key.store(key, Relaxed);
        Ok(())
    }

    fn start(&mut self, _: &ResponseHead, hello: Bytes) -> Bytes {
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let offered: usize = blocks.iter().map(|block| block.len()).sum();
        let room = self.bytes.load(Relaxed);
        let taken = room.min(offered);
        self.bytes.store(room - taken, Relaxed);
        Ok(Taken { bytes: taken, full: taken < offered })
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        Ok(ClientSide::Open)
    }

    fn close(&mut self, _: CloseMode) {}
}

fn worker() -> WorkerIndex {
    WorkerIndex::new(0).unwrap()
}

struct Fixture {
    now: Now,
    state: Arc<SymbolState>,
    inbox: Arc<WorkerInbox<Bounded>>,
    worker: Worker<Bounded>,
}

impl Fixture {
    fn new() -> Self {
        let now = Now::read();
        let age = Duration::from_secs(60);
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 64, age });
        let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
        let inbox: Arc<WorkerInbox<Bounded>> = Arc::default();
        let limits = WorkerLimits {
            max_lag: Duration::from_millis(250),
            ring: 64,
            stall_timeout: age,
            flush_interval: None,
            compress_min_streams: 1,
        };
        let worker = Worker::new(worker(), inbox.clone(), limits, 1);
        Self { now, state, inbox, worker }
    }

    fn open(&mut self, number: u64, room: usize) -> Bounded {
        self.open_with(number, room, Options::new(Duration::from_secs(60)))
    }

    fn open_with(&mut self, number: u64, bytes: usize, options: Options) -> Bounded {
        let room = Bounded { bytes: Arc::new(bytes.into()), ..Bounded::default() };
        let stream = NewStream {
            name: StreamName::new(number),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: ResponseHead::default(),
            hello: Box::new(Bytes::from_static(b"head")),
            symbols: [self.state.clone()].into(),
            unlisted: Unlisted::default(),
            options,
            dictionary: None,
            resume: None,
            generation: 0,
            has_rights: false,
            until: None,
            permit: Box::new(()),
        };
        let _ = self.inbox.send(Command::Open(room.clone(), stream));
        room
    }

    /// Lets time pass, then publishes a trade, then lets the worker turn until it is idle.
    fn trade_after(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
        let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
        self.state.publish(&Update { trade: Some(trade), ..Update::default() }, self.now);
        self.state.marks().set(WorkerMask::only(worker()));
        let _ = self.inbox.announce(&mut vec![self.state.clone()]);
        self.turn_after(Duration::ZERO, &[]);
    }

    /// Lets time pass, and the worker turn until it is idle.
    fn turn_after(&mut self, wait: Duration, ready: &[Ready]) {
        self.now = self.now.after(wait);
        self.worker.turn(self.now, ready);
        while self.worker.turn(self.now, &[]) == Wait::No {}
    }

    /// Asks for the slowest streams; returns the reply and how many turns it took.
    fn query(&mut self, limit: usize, until: Instant) -> (SlowestStreams, usize) {
        let (reply_tx, reply_rx) = mpsc::channel();
        let _ = self.inbox.send(Command::SlowestQuery(SlowestQuery::new(worker(), limit, until, reply_tx)));
        for turns in 1.. {
            self.worker.turn(self.now, &[] as &[Ready]);
            if let Ok(reply) = reply_rx.try_recv() {
                return (reply, turns);
            }
        }
        unreachable!("the loop has no end but its return")
    }
}

#[test]
fn the_slowest_come_first_with_what_they_lack() {
    let mut fixture = Fixture::new();
    for (number, room) in [(1, usize::MAX), (2, 4), (3, usize::MAX), (4, 10)] {
        fixture.open(number, room);
    }
    for _ in 0..3 {
        fixture.trade_after(Duration::from_secs(1));
    }
    fixture.open(5, 0);
    fixture.trade_after(Duration::from_secs(1));
    let (reply, _) = fixture.query(3, fixture.now.instant + Duration::from_secs(1));
    assert_eq!((reply.worker, reply.looked_at), (worker(), 5));
    let [first, second, third] = reply.slowest.as_slice() else { panic!("{reply:?}") };
    let names = [first, second, third].map(|stream| stream.name);
    assert!(names[..2].contains(&StreamName::new(2)) && names[..2].contains(&StreamName::new(4)), "{names:?}");
    assert_eq!(first.oldest_unsent, Some(Duration::from_secs(3)));
    assert_eq!((third.name, third.oldest_unsent), (StreamName::new(5), Some(Duration::ZERO)));
    assert_eq!((first.bytes, first.symbols_total), (if names[0] == StreamName::new(2) { 4 } else { 10 }, 1));
    assert_eq!(first.symbols[0].as_str(), "AAPL");
}

/// A histogram of times in milliseconds.
fn histogram(times: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    for &time in times {
        histogram.record(Duration::from_millis(time));
    }
    histogram
}

#[test]
fn a_tick_that_waits_for_its_client_is_not_a_late_delivery() {
    let millis = Duration::from_millis;
    let mut fixture = Fixture::new();
    fixture.open_with(1, usize::MAX, Options::new(Duration::from_secs(60)).every(millis(250)));
    fixture.trade_after(Duration::ZERO);
    fixture.trade_after(millis(10));
    assert_eq!(fixture.worker.counts().delivery, histogram(&[0]), "the second is held back");
    fixture.turn_after(millis(243), &[]);
    assert_eq!(fixture.worker.counts().delivery, histogram(&[0, 3]), "it is counted from when it was due");

    let mut fixture = Fixture::new();
    let room = fixture.open(1, 4);
    fixture.trade_after(Duration::ZERO);
    room.bytes.store(usize::MAX, Relaxed);
    let ready = Ready { key: room.key.load(Relaxed), readable: false, writable: true };
    fixture.turn_after(millis(700), &[ready]);
    fixture.trade_after(millis(1));
    let (reply, _) = fixture.query(1, fixture.now.instant + Duration::from_secs(1));
    let Counts { ticks, delivery, delivery_when_full, .. } = reply.counts;
    assert_eq!((ticks, delivery, delivery_when_full), (2, histogram(&[0]), histogram(&[700])));
}

#[test]
fn rule_10_a_turn_looks_at_a_slice_and_a_query_ends_in_time() {
    let mut fixture = Fixture::new();
    let count = 3 * LOOKS_PER_TURN;
    for number in 0..count as u64 {
        fixture.open(number, usize::MAX);
    }
    fixture.trade_after(Duration::from_secs(1));
    let (reply, turns) = fixture.query(20, fixture.now.instant + Duration::from_secs(1));
    assert_eq!((reply.looked_at, reply.slowest.len(), turns), (count, 20, 3));
    let (reply, turns) = fixture.query(20, fixture.now.instant);
    assert_eq!((reply.looked_at, turns), (0, 1), "its time is over: it answers with what it has");
}

#[test]
fn a_stream_that_moved_during_the_walk_is_reported_once_with_its_slower_rank() {
    let key = |number: u64| StreamKey::from(slotmap::KeyData::from_ffi(1 << 32 | number));
    let rank = |seconds| Rank { oldest_unsent: Some(Duration::from_secs(seconds)), missed: 0 };
    let kept = [(rank(1), key(1)), (rank(2), key(2)), (rank(3), key(1))].map(Reverse);
    assert_eq!(slowest_first(kept.into_iter().collect()), [(rank(3), key(1)), (rank(2), key(2))]);
}
