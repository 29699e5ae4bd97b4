//! A worker: the streams that it owns, and the one step that serves them.

use super::{
    counts::Counts,
    cursors::{Cursors, Slot},
    inbox::Inbox,
    pace::{Pace, Wait},
    pool::NewStream,
    recent_ticks::RecentLimits,
    schedule::Due,
    slowest::SlowestQuery,
    stream::{Missed, Stream, StreamInit, StreamKey, WriteQueue},
    stream_table::StreamTable,
    symbols::{Subscriber, Symbols},
    transport::{CloseMode, CloseReason, Ready, Transport},
};
use crate::{
    cache::SymbolState,
    market::{Now, Parts},
    wire::{self, Bye},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use slotmap::{Key, KeyData};
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

/// Writes between two looks at inbox, readiness and deadlines: about a millisecond.
const WRITES_PER_TURN: usize = 256;
/// Symbols that new streams may join between two of these looks: as long again.
const JOINS_PER_TURN: usize = 1_024;
/// A stream of fewer symbols costs as much as one of so many.
const JOINS_PER_STREAM_MIN: usize = 16;
/// How long the write of what a stream lacks may take before its goodbye is tried again.
const LAST_WRITE: Duration = Duration::from_millis(1);
/// How long a client may take to make room for the last bytes, and then to close its side.
const LINGER: Duration = Duration::from_secs(1);
/// When a client of a stopping gateway comes back, in milliseconds: spread, so that the next one sees no storm.
const RETRY_AFTER_SHUTDOWN_MILLIS: std::ops::Range<u64> = 1_000..10_000;

/// What a worker's inbox holds.
pub type WorkerInbox<T> = Inbox<Arc<SymbolState>, Command<T>>;

/// What the gateway asks of a worker.
pub enum Command<T> {
    /// Take over a stream.
    Open(T, NewStream),
    /// End all streams, each at a random moment within this time; new ones at once.
    Drain(Duration),
    /// Say which streams are slowest.
    SlowestQuery(SlowestQuery),
}

/// What a worker is bounded by.
#[derive(Debug, Clone, Copy)]
pub struct WorkerLimits {
    /// How far a stream may be behind before it coalesces.
    pub max_lag: Duration,
    /// The most ticks of one symbol that the worker looks back.
    pub ring: usize,
    /// How long a stream may take no byte before it is closed.
    pub stall_timeout: Duration,
    /// How long changes are gathered; `None`: as the load has it.
    pub flush_interval: Option<Duration>,
}

/// Owns streams outright, without locks, and serves them turn by turn. It reads no clock and does no I/O but through
/// its transports.
pub struct Worker<T> {
    inbox: Arc<WorkerInbox<T>>,
    limits: WorkerLimits,
    symbols: Symbols,
    table: StreamTable<T>,
    pace: Pace,
    /// Large symbols that have changed since the running round began: they are marked when it ends, once for all their
    /// ticks.
    next_round: Vec<usize>,
    counts: Counts,
    random: SmallRng,
    drains: bool,
    /// What operators asked, the oldest first: as many as there are operators.
    reviews: VecDeque<SlowestQuery>,
    /// Lists that the inbox's are swapped with.
    changed: Vec<Arc<SymbolState>>,
    commands: Vec<Command<T>>,
    /// What was asked for and not done yet, in that order.
    asked: VecDeque<Command<T>>,
}

impl<T: Transport> Worker<T> {
    /// A worker without streams. `index` is its bit among those of all workers.
    pub fn new(index: u32, inbox: Arc<WorkerInbox<T>>, limits: WorkerLimits, seed: u64) -> Self {
        let window = RecentLimits { max_lag: limits.max_lag, count: limits.ring };
        Self {
            inbox,
            limits,
            symbols: Symbols::new(1 << index, window, limits.flush_interval.is_some()),
            table: StreamTable::new(limits.stall_timeout),
            pace: Pace::new(limits.flush_interval),
            next_round: Vec::new(),
            counts: Counts::default(),
            random: SmallRng::seed_from_u64(seed),
            drains: false,
            reviews: VecDeque::new(),
            changed: Vec::new(),
            commands: Vec::new(),
            asked: VecDeque::new(),
        }
    }

    /// One step: takes the inbox, marks the streams of changed symbols, opens new ones, hears what happened to transports, writes a batch
    /// of marked streams, keeps deadlines.
    pub fn turn(&mut self, now: Now, ready: &[Ready]) -> Wait {
        self.take_inbox(now);
        self.obey(now);
        for &ready in ready {
            self.hear(ready, now);
        }
        self.write_batch(now);
        self.keep_deadlines(now);
        self.review(now);
        self.counts.streams = self.table.len() as u64;
        let owes_nothing = self.asked.is_empty() && self.reviews.is_empty();
        if self.table.rests() && self.next_round.is_empty() && owes_nothing {
            self.table.next_deadline().map_or(Wait::Forever, Wait::Until)
        } else {
            Wait::No
        }
    }

    /// Counts how long the turn of `now` took, since a worker reads no clock; returns how long it rests before the next.
    pub fn rest(&mut self, now: Now, took: Duration, wait: Wait) -> Duration {
        self.counts.turns.record(took);
        self.pace.rest(now.instant, took, wait)
    }

    /// What it has done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether its work is over: it drains, and no stream is left.
    pub fn is_done(&self) -> bool {
        self.drains && self.asked.is_empty() && self.table.len() == 0
    }

    /// The ticks that each open stream has missed so far, by the stream's key.
    pub fn missed(&self) -> impl Iterator<Item = (u64, Missed)> {
        self.table.streams.iter().map(|(key, stream)| (key.data().as_ffi(), stream.missed))
    }

    fn take_inbox(&mut self, now: Now) {
        let (mut changed, mut commands) = (mem::take(&mut self.changed), mem::take(&mut self.commands));
        let takes_changes = self.drains || self.pace.may_take(now.instant);
        self.inbox.take(takes_changes.then_some(&mut changed), &mut commands);
        if !changed.is_empty() {
            self.pace.changes_taken(now.instant);
        }
        for state in changed.drain(..) {
            self.take_change(&state, now);
        }
        self.asked.extend(commands.drain(..));
        (self.changed, self.commands) = (changed, commands);
    }

    /// Does what was asked for, as far as one turn goes: a storm of connects must not keep those who are here waiting.
    fn obey(&mut self, now: Now) {
        let mut joins_left = JOINS_PER_TURN;
        while joins_left > 0
            && let Some(command) = self.asked.pop_front()
        {
            match command {
                Command::Open(transport, opening) => {
                    joins_left = joins_left.saturating_sub(opening.symbols.len().max(JOINS_PER_STREAM_MIN));
                    self.open(transport, opening, now);
                }
                Command::Drain(window) => self.drain(window, now),
                Command::SlowestQuery(review) => self.reviews.push_back(review),
            }
        }
    }

    /// Marks the streams of a changed symbol; those of a large one wait for the running round to end.
    fn take_change(&mut self, state: &SymbolState, now: Now) {
        let Some((symbol, changed)) = self.symbols.refresh(state, now) else { return };
        if !symbol.is_large() {
            return self.table.mark_all(symbol, changed, WriteQueue::Cold, now);
        }
        if symbol.waits_for_round.is_empty() && !changed.is_empty() {
            self.next_round.push(state.index());
        }
        symbol.waits_for_round = symbol.waits_for_round.union(changed);
    }

    fn begin_round(&mut self, now: Now) {
        for index in mem::take(&mut self.next_round) {
            let Some(symbol) = self.symbols.find(index) else { continue };
            let changed = mem::replace(&mut symbol.waits_for_round, Parts::NONE);
            self.table.mark_all(symbol, changed, WriteQueue::Hot, now);
        }
        self.table.begin_round();
    }

    fn open(&mut self, transport: T, opening: NewStream, now: Now) {
        let NewStream { name, head, symbols, options, resume, permit } = opening;
        let phase = options.heartbeat.mul_f64(self.random.random_range(0.0..1.0));
        let slots = &mut self.symbols;
        let key = self.table.insert(|key| {
            let slot = |(slot, state): (usize, &Arc<SymbolState>)| {
                let subscriber = Subscriber { stream: key, slot: slot as u32, parts: options.parts() };
                let start = slots.subscribe(state, subscriber, now);
                Slot::new(state.index() as u32, start.subscriber, start.cursor)
            };
            let mut cursors = Cursors::new(symbols.iter().enumerate().map(slot).collect());
            if let Some(resume) = resume {
                cursors.replay(slots, options.parts(), resume, now);
            }
            Stream::new(transport, cursors, StreamInit { name, head, options, phase, permit }, now)
        });
        self.counts.opened += 1;
        let stream = &mut self.table.streams[key];
        if stream.transport.attach(key.data().as_ffi()).is_err() {
            return self.end(key, CloseReason::Error, now);
        }
        if self.drains {
            stream.deadlines.end = Some(now.instant);
        }
        self.table.arm(key);
        self.table.queue(key, WriteQueue::Cold, now);
        // It may have become ready before it was attached under a key that anybody knows.
        self.hear(Ready { key: key.data().as_ffi(), readable: true, writable: false }, now);
    }

    fn hear(&mut self, ready: Ready, now: Now) {
        let key = StreamKey::from(KeyData::from_ffi(ready.key));
        let Some(stream) = self.table.streams.get_mut(key) else { return };
        if ready.readable
            && let Err(gone) = stream.transport.drain_input(now.instant)
        {
            let why = if stream.lingers { CloseReason::Shutdown } else { CloseReason::from(&gone) };
            return self.end(key, why, now);
        }
        if ready.writable && stream.blocked {
            stream.blocked = false;
            self.counts.full -= 1;
            if stream.leaves_by.is_some() {
                return self.write_goodbye(key, now);
            }
            let lane = stream.lane;
            self.table.queue(key, lane, now);
        }
    }

    fn write_batch(&mut self, now: Now) {
        if self.table.round_is_over() {
            self.begin_round(now);
        }
        let mut ended = Vec::new();
        for _ in 0..WRITES_PER_TURN {
            let Some(key) = self.table.next() else { break };
            let stream = &mut self.table.streams[key];
            let gathers = self.limits.flush_interval.is_some();
            if stream.options.leave_out() || (gathers && stream.deadlines.full_since.is_some()) {
                self.symbols.catch_up(stream.cursors.slots().iter().map(|slot| slot.symbol), now);
            }
            let counts = &mut self.counts;
            let sent = |since, had_room| counts.count_tick(now.instant.saturating_duration_since(since), had_room);
            match stream.write(&self.symbols, now, self.limits.max_lag, sent) {
                Ok(written) => {
                    counts.count_write(written.bytes, written.missed);
                    written.first_tick.into_iter().for_each(|wait| counts.first_tick.record(wait));
                    counts.full += u64::from(stream.blocked);
                    let lane = stream.lane;
                    if written.more {
                        self.table.queue(key, lane, now);
                    }
                    self.table.arm(key);
                }
                Err(why) => ended.push((key, why)),
            }
        }
        for (key, why) in ended {
            self.end(key, why, now);
        }
    }

    fn keep_deadlines(&mut self, now: Now) {
        while let Some(key) = self.table.next_due(now) {
            let stream = &mut self.table.streams[key];
            match stream.deadlines.due(now.instant, stream.options.heartbeat, self.limits.stall_timeout) {
                Due::Nothing => {}
                Due::Write => {
                    stream.deadlines.write = None;
                    let lane = stream.lane;
                    self.table.queue(key, lane, now);
                }
                Due::Heartbeat => self.write_heartbeat(key, now),
                Due::Stalled => self.end(key, CloseReason::Stalled, now),
                Due::End => self.say_goodbye(key, now),
            }
            self.table.arm(key);
        }
    }

    fn write_heartbeat(&mut self, key: StreamKey, now: Now) {
        let stream = &mut self.table.streams[key];
        if stream.has_rest() || stream.lingers {
            stream.deadlines.last_write = now.instant; // the rest of a block is about to say the same
            return;
        }
        stream.deadlines.phase = Duration::ZERO;
        match stream.write_block(&wire::heartbeat(now.unix), now) {
            Ok(bytes) => {
                self.counts.count_write(bytes, Missed::default());
                self.counts.full += u64::from(stream.blocked);
            }
            Err(why) => self.end(key, why, now),
        }
    }

    /// Ends a stream: what it lacks is written if there is room, then its goodbye, as soon as there is. Only who takes
    /// neither in time is cut off.
    fn say_goodbye(&mut self, key: StreamKey, now: Now) {
        if self.table.streams[key].leaves_by.is_none() {
            self.table.mark_waiting(key, &self.symbols, now);
        }
        let stream = &mut self.table.streams[key];
        let leaves_by = *stream.leaves_by.get_or_insert(now.instant + LINGER);
        let is_over = leaves_by <= now.instant;
        if is_over && (stream.blocked || stream.lingers) {
            return self.end(key, CloseReason::Shutdown, now);
        }
        stream.deadlines.end = Some(leaves_by);
        if stream.blocked {
            return; // the next room is for the goodbye
        }
        if !is_over && (stream.queued.is_some() || stream.deadlines.write.take().is_some()) {
            // What it lacks comes first, whatever its `max_rate`.
            stream.hurry();
            stream.deadlines.end = Some(now.instant + LAST_WRITE);
            return self.table.queue(key, WriteQueue::Cold, now);
        }
        self.write_goodbye(key, now);
    }

    fn write_goodbye(&mut self, key: StreamKey, now: Now) {
        let retry = Duration::from_millis(self.random.random_range(RETRY_AFTER_SHUTDOWN_MILLIS));
        let stream = &mut self.table.streams[key];
        stream.queued = None; // whatever it still lacks, this is its last word
        match stream.write_goodbye(&wire::bye(Bye::Shutdown, retry), now) {
            Ok(bytes) => self.counts.count_write(bytes, Missed::default()),
            Err(why) => return self.end(key, why, now),
        }
        self.counts.full += u64::from(stream.blocked);
        if !stream.blocked {
            stream.transport.close(CloseMode::Finish);
            stream.lingers = true;
            stream.leaves_by = Some(now.instant + LINGER);
        }
        stream.deadlines.end = stream.leaves_by;
    }

    fn drain(&mut self, window: Duration, now: Now) {
        self.drains = true;
        self.take_inbox(now); // what was being gathered, before anybody's goodbye
        let keys: Vec<StreamKey> = self.table.streams.keys().collect();
        for key in keys {
            let end = now.instant + window.mul_f64(self.random.random_range(0.0..1.0));
            self.table.streams[key].deadlines.end = Some(end);
            self.table.arm(key);
        }
    }

    /// Goes on with what an operator asked, by one slice.
    fn review(&mut self, now: Now) {
        if let Some(review) = self.reviews.front_mut()
            && review.go_on(&self.table, &self.symbols, now)
            && let Some(review) = self.reviews.pop_front()
        {
            review.answer(&self.table, &self.symbols, &self.counts, now);
        }
    }

    fn end(&mut self, key: StreamKey, why: CloseReason, now: Now) {
        let Some(mut stream) = self.table.remove(key) else { return };
        // What lingers has said all; of any other, nothing may stay in the kernel.
        stream.transport.close(if stream.lingers { CloseMode::Finish } else { CloseMode::Abort });
        self.counts.full -= u64::from(stream.blocked);
        self.counts.closed[why as usize] += 1;
        for slot in stream.cursors.slots() {
            if let Some(moved) = self.symbols.unsubscribe(slot.symbol, slot.subscriber, now)
                && let Some(neighbour) = self.table.streams.get_mut(moved.stream)
            {
                neighbour.cursors.moved(moved.slot, slot.subscriber);
            }
        }
    }
}
