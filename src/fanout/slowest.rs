//! Which of a worker's streams are the slowest: what operators ask, by a message into its inbox.
//!
//! A worker never walks all of its streams at once: a hundred thousand of them would hold up every round for as long as
//! the walk takes. It looks at a slice per turn, and of a stream that is not full only at its counts: what such a stream
//! lacks, this round is about to write. When the time that was given is over, it answers with what it has seen.

use super::{
    counts::Counts,
    stream::{Missed, Stream, StreamKey},
    stream_table::StreamTable,
    symbols::Symbols,
    transport::Transport,
};
use crate::{
    market::{Now, Symbol},
    wire::StreamName,
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

/// What one turn looks at, streams and symbols of full streams together: at a lock of a symbol each, about 0.1 ms.
const LOOKS_PER_TURN: usize = 1024;
/// How many of a stream's symbols are named: enough to recognise a watchlist by.
const SYMBOLS_NAMED_MAX: usize = 8;

/// A question to one worker, and how far its answer is.
pub struct SlowestQuery {
    limit: usize,
    until: Instant,
    worker: usize,
    reply_tx: mpsc::Sender<SlowestStreams>,
    /// The places in the table that are still to be looked at, from their end: streams that move meanwhile come to a lower place,
    /// so none is passed over.
    left: Option<usize>,
    looked_at: usize,
    slowest: BinaryHeap<Reverse<(Rank, StreamKey)>>,
}

/// What makes a stream slower than another: the age of the oldest tick that it lacks, then what it missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    oldest_unsent: Option<Duration>,
    missed: u64,
}

/// A worker's answer.
#[derive(Debug)]
pub struct SlowestStreams {
    /// Which worker.
    pub worker: usize,
    /// How many of its streams it looked at, within its time.
    pub looked_at: usize,
    /// The slowest of them, the slowest first.
    pub slowest: Vec<StreamReport>,
    /// All that it has counted so far.
    pub counts: Counts,
}

/// A stream as operators see it.
#[derive(Debug)]
pub struct StreamReport {
    /// Its name, as its `hello` says.
    pub name: StreamName,
    /// Who reads it, or the proxy before them.
    pub peer: Option<SocketAddr>,
    /// Since when it is open.
    pub open_for: Duration,
    /// Since when its transport takes nothing.
    pub full_for: Option<Duration>,
    /// The age of the oldest tick that it lacks, as far back as the symbol's ring goes; `None` while it keeps up.
    pub oldest_unsent: Option<Duration>,
    /// The ticks that it did not get.
    pub missed: Missed,
    /// The bytes that it got.
    pub bytes: u64,
    /// How many symbols it carries.
    pub symbols_total: usize,
    /// The first of them.
    pub symbols: Vec<Symbol>,
}

impl SlowestQuery {
    /// Asks `worker` for its `limit` slowest streams, as far as it has looked at them by `until`.
    pub fn new(worker: usize, limit: usize, until: Instant, reply_tx: mpsc::Sender<SlowestStreams>) -> Self {
        Self { limit, until, worker, reply_tx, left: None, looked_at: 0, slowest: BinaryHeap::new() }
    }

    /// Looks at the next slice; `true`: it has seen all, or its time is over.
    pub(super) fn go_on<T: Transport>(&mut self, table: &StreamTable<T>, symbols: &Symbols, now: Now) -> bool {
        let mut left = self.left.unwrap_or(usize::MAX).min(table.len());
        let mut looks = 0;
        while left > 0 && looks < LOOKS_PER_TURN && now.instant < self.until {
            left -= 1;
            let (key, stream) = table.at(left);
            let oldest_unsent = oldest_unsent(stream, symbols, now);
            looks += 1 + if stream.blocked { stream.cursors.slots().len() } else { 0 };
            self.looked_at += 1;
            self.keep(Rank { oldest_unsent, missed: stream.missed.lag + stream.missed.ring }, key);
        }
        self.left = Some(left);
        left == 0 || now.instant >= self.until
    }

    fn keep(&mut self, rank: Rank, key: StreamKey) {
        self.slowest.push(Reverse((rank, key)));
        if self.slowest.len() > self.limit {
            self.slowest.pop();
        }
    }

    /// Answers whoever still waits.
    pub(super) fn answer<T: Transport>(self, table: &StreamTable<T>, symbols: &Symbols, counts: &Counts, now: Now) {
        // Sorted by what is reversed, so the slowest come first; one that moved while it was walked may be there twice.
        let mut slowest = self.slowest.into_sorted_vec();
        slowest.dedup_by_key(|Reverse((_, key))| *key);
        let report = |Reverse((rank, key)): Reverse<(Rank, StreamKey)>| {
            table.streams.get(key).map(|stream| report(stream, rank.oldest_unsent, symbols, now))
        };
        let slowest = slowest.into_iter().filter_map(report).collect();
        // Nobody waits any more where the operator has left, or the deadline has passed.
        let (worker, looked_at, counts) = (self.worker, self.looked_at, counts.clone());
        let _ = self.reply_tx.send(SlowestStreams { worker, looked_at, slowest, counts });
    }
}

/// Of a full stream, how old the oldest tick is that it has not got.
fn oldest_unsent<T>(stream: &Stream<T>, symbols: &Symbols, now: Now) -> Option<Duration> {
    if !stream.blocked {
        return None;
    }
    let unsent = stream.cursors.unsent(symbols, stream.options.parts());
    unsent.min().map(|published| now.instant.saturating_duration_since(published.max(stream.joined)))
}

fn report<T: Transport>(
    stream: &Stream<T>,
    oldest_unsent: Option<Duration>,
    symbols: &Symbols,
    now: Now,
) -> StreamReport {
    let slots = stream.cursors.slots();
    StreamReport {
        name: stream.name,
        peer: stream.transport.peer(),
        open_for: now.instant.saturating_duration_since(stream.joined),
        full_for: stream.deadlines.full_since.map(|since| now.instant.saturating_duration_since(since)),
        oldest_unsent,
        missed: stream.missed,
        bytes: stream.bytes,
        symbols_total: slots.len(),
        symbols: slots
            .iter()
            .take(SYMBOLS_NAMED_MAX)
            .map(|slot| symbols.get(slot.symbol).state.symbol().clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        CloseMode, Command, NewStream, Options, Ready, TransportError, Worker, WorkerInbox, WorkerLimits,
    };
    use super::*;
    use crate::{
        cache::{Cache, RingLimits, SymbolState},
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

    /// Takes so many bytes and no more.
    #[derive(Clone, Default)]
    struct Room {
        bytes: Arc<AtomicUsize>,
        key: Arc<AtomicU64>,
    }

    impl Transport for Room {
        fn attach(&mut self, key: u64) -> io::Result<()> {
            self.key.store(key, Relaxed);
            Ok(())
        }

        fn try_write(&mut self, blocks: &[&Bytes]) -> io::Result<usize> {
            let offered = blocks.iter().map(|block| block.len()).sum();
            let room = self.bytes.load(Relaxed);
            self.bytes.store(room - room.min(offered), Relaxed);
            Ok(room.min(offered))
        }

        fn drain_input(&mut self, _: Instant) -> Result<(), TransportError> {
            Ok(())
        }

        fn close(&mut self, _: CloseMode) {}
    }

    struct Fixture {
        now: Now,
        state: Arc<SymbolState>,
        inbox: Arc<WorkerInbox<Room>>,
        worker: Worker<Room>,
    }

    impl Fixture {
        fn new() -> Self {
            let now = Now::read();
            let age = Duration::from_secs(60);
            let cache = Cache::new(Epoch::new(1), RingLimits { count: 64, age });
            let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
            let inbox: Arc<WorkerInbox<Room>> = Arc::default();
            let limits = WorkerLimits {
                max_lag: Duration::from_millis(250),
                ring: 64,
                stall_timeout: age,
                flush_interval: None,
            };
            let worker = Worker::new(0, inbox.clone(), limits, 1);
            Self { now, state, inbox, worker }
        }

        fn open(&mut self, number: u64, room: usize) -> Room {
            self.open_with(number, room, Options::new(Duration::from_secs(60)))
        }

        fn open_with(&mut self, number: u64, bytes: usize, options: Options) -> Room {
            let room = Room { bytes: Arc::new(bytes.into()), ..Room::default() };
            let opening = NewStream {
                name: StreamName::new(number),
                head: Bytes::from_static(b"head"),
                symbols: [self.state.clone()].into(),
                options,
                resume: None,
                permit: Box::new(()),
            };
            let _ = self.inbox.send(Command::Open(room.clone(), opening));
            room
        }

        /// Lets time pass, then a trade come, then the worker turn until it rests.
        fn trade_after(&mut self, wait: Duration) {
            self.now = self.now.after(wait);
            let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
            self.state.publish(&Update { trade: Some(trade), ..Update::default() }, self.now);
            self.state.marks().set(1);
            let _ = self.inbox.announce(&mut vec![self.state.clone()]);
            self.turn_after(Duration::ZERO, &[]);
        }

        /// Lets time pass, and the worker turn until it rests.
        fn turn_after(&mut self, wait: Duration, ready: &[Ready]) {
            self.now = self.now.after(wait);
            self.worker.turn(self.now, ready);
            while self.worker.turn(self.now, &[]) == super::super::Wait::No {}
        }

        /// Asks for some; returns the answer and how many turns it took.
        fn review(&mut self, limit: usize, until: Instant) -> (SlowestStreams, usize) {
            let (reply_tx, reply_rx) = mpsc::channel();
            let _ = self.inbox.send(Command::SlowestQuery(SlowestQuery::new(0, limit, until, reply_tx)));
            for turns in 1.. {
                self.worker.turn(self.now, &[] as &[Ready]);
                if let Ok(reviewed) = reply_rx.try_recv() {
                    return (reviewed, turns);
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
        let (reviewed, _) = fixture.review(3, fixture.now.instant + Duration::from_secs(1));
        assert_eq!((reviewed.worker, reviewed.looked_at), (0, 5));
        let [first, second, third] = reviewed.slowest.as_slice() else { panic!("{reviewed:?}") };
        let names = [first, second, third].map(|stream| stream.name);
        assert!(names[..2].contains(&StreamName::new(2)) && names[..2].contains(&StreamName::new(4)), "{names:?}");
        assert_eq!(first.oldest_unsent, Some(Duration::from_secs(3)));
        assert_eq!((third.name, third.oldest_unsent), (StreamName::new(5), Some(Duration::ZERO)));
        assert_eq!((first.bytes, first.symbols_total), (if names[0] == StreamName::new(2) { 4 } else { 10 }, 1));
        assert_eq!(first.symbols[0].as_str(), "AAPL");
    }

    #[test]
    fn what_a_client_asks_to_wait_or_makes_wait_is_no_late_delivery() {
        let millis = Duration::from_millis;
        let histogram = |times: &[u64]| {
            let mut histogram = Histogram::default();
            times.iter().for_each(|&time| histogram.record(millis(time)));
            histogram
        };
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
        let (reviewed, _) = fixture.review(1, fixture.now.instant + Duration::from_secs(1));
        let Counts { ticks, delivery, delivery_when_full, .. } = reviewed.counts;
        assert_eq!((ticks, delivery, delivery_when_full), (2, histogram(&[0]), histogram(&[700])));
    }

    #[test]
    fn rule_10_a_turn_looks_at_a_slice_and_the_time_is_kept() {
        let mut fixture = Fixture::new();
        let count = 3 * LOOKS_PER_TURN;
        for number in 0..count as u64 {
            fixture.open(number, usize::MAX);
        }
        fixture.trade_after(Duration::from_secs(1));
        let (reviewed, turns) = fixture.review(20, fixture.now.instant + Duration::from_secs(1));
        assert_eq!((reviewed.looked_at, reviewed.slowest.len(), turns), (count, 20, 3));
        let (reviewed, turns) = fixture.review(20, fixture.now.instant);
        assert_eq!((reviewed.looked_at, turns), (0, 1), "its time is over: it answers with what it has");
    }
}
