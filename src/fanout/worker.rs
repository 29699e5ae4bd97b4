//! A worker: the streams that it owns, and the one step that serves them.

use super::{
    counts::Counts,
    engine::Opening,
    inbox::Inbox,
    schedule::{Due, Schedule},
    stream::{Cursors, First, Lane, Missed, Slot, Stream, StreamKey},
    symbols::{Subscriber, Symbols},
    transport::{Close, Closed, Ready, Transport},
    window::WindowLimits,
};
use crate::{
    cache::SymbolState,
    market::Now,
    wire::{self, Bye},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use slotmap::{Key, KeyData, SlotMap};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// Writes between two looks at inbox, readiness and deadlines: about a millisecond.
const WRITES_PER_TURN: usize = 256;
/// How long a client may take to close its side after the last byte.
const LINGER: Duration = Duration::from_secs(1);
/// When a client of a stopping gateway comes back, in milliseconds: spread, so that the next one sees no storm.
const RETRY_AFTER_SHUTDOWN_MILLIS: std::ops::Range<u64> = 1_000..10_000;

/// What a worker's inbox holds.
pub type WorkerInbox<T> = Inbox<Arc<SymbolState>, Command<T>>;

/// What the gateway asks of a worker.
pub enum Command<T> {
    /// Take over a stream.
    Open(T, Opening),
    /// End all streams, each at a random moment within this time; new ones at once.
    Drain(Duration),
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
}

/// When a worker wants its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There is more to do.
    No,
    /// At this moment, or as soon as something happens.
    Until(Instant),
    /// When something happens.
    Forever,
}

/// Owns streams outright, without locks, and serves them turn by turn. It reads no clock and does no I/O but through
/// its transports.
pub struct Worker<T> {
    inbox: Arc<WorkerInbox<T>>,
    limits: WorkerLimits,
    symbols: Symbols,
    streams: SlotMap<StreamKey, Stream<T>>,
    queues: Queues,
    schedule: Schedule<StreamKey>,
    counts: Counts,
    random: SmallRng,
    drains: bool,
    changed: Vec<Arc<SymbolState>>,
    commands: Vec<Command<T>>,
}

/// Who waits to be written.
#[derive(Default)]
struct Queues {
    /// Streams that were marked by a symbol with few subscribers, or have room again.
    small: VecDeque<StreamKey>,
    /// The running round: streams that were marked by symbols with many.
    large: VecDeque<StreamKey>,
    /// Large symbols that have changed since the round began: they are marked when it ends, once for all their ticks.
    next_round: Vec<usize>,
    large_is_next: bool,
}

impl<T: Transport> Worker<T> {
    /// A worker without streams. `index` is its bit among those of all workers.
    pub fn new(index: u32, inbox: Arc<WorkerInbox<T>>, limits: WorkerLimits, seed: u64) -> Self {
        let window = WindowLimits { max_lag: limits.max_lag, count: limits.ring };
        Self {
            inbox,
            limits,
            symbols: Symbols::new(1 << index, window),
            streams: SlotMap::with_key(),
            queues: Queues::default(),
            schedule: Schedule::new(),
            counts: Counts::default(),
            random: SmallRng::seed_from_u64(seed),
            drains: false,
            changed: Vec::new(),
            commands: Vec::new(),
        }
    }

    /// One step: takes the inbox, marks the streams of changed symbols, hears what happened to transports, writes a batch
    /// of marked streams, keeps deadlines.
    pub fn turn(&mut self, now: Now, ready: &[Ready]) -> Wait {
        self.take_inbox(now);
        for &ready in ready {
            self.hear(ready, now);
        }
        self.write_batch(now);
        self.keep_deadlines(now);
        self.counts.streams = self.streams.len() as u64;
        if self.queues.are_empty() { self.schedule.next().map_or(Wait::Forever, Wait::Until) } else { Wait::No }
    }

    /// What it has done so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether its work is over: it drains, and no stream is left.
    pub fn is_done(&self) -> bool {
        self.drains && self.streams.is_empty()
    }

    /// The ticks that each open stream has missed so far, by the stream's key.
    pub fn missed(&self) -> impl Iterator<Item = (u64, Missed)> {
        self.streams.iter().map(|(key, stream)| (key.data().as_ffi(), stream.missed))
    }

    fn take_inbox(&mut self, now: Now) {
        let (mut changed, mut commands) = (std::mem::take(&mut self.changed), std::mem::take(&mut self.commands));
        self.inbox.take(&mut changed, &mut commands);
        for state in changed.drain(..) {
            self.take_change(&state, now);
        }
        for command in commands.drain(..) {
            match command {
                Command::Open(transport, opening) => self.open(transport, opening, now),
                Command::Drain(window) => self.drain(window, now),
            }
        }
        (self.changed, self.commands) = (changed, commands);
    }

    /// Marks the streams of a changed symbol; those of a large one wait for the running round to end.
    fn take_change(&mut self, state: &SymbolState, now: Now) {
        let Some(symbol) = self.symbols.refresh(state, now) else { return };
        if !symbol.is_large() {
            mark_all(&symbol.subscribers, Lane::Small, &mut self.streams, &mut self.queues);
        } else if !symbol.waits_for_round {
            symbol.waits_for_round = true;
            self.queues.next_round.push(state.index());
        }
    }

    fn begin_round(&mut self) {
        for index in std::mem::take(&mut self.queues.next_round) {
            let Some(symbol) = self.symbols.find(index) else { continue };
            symbol.waits_for_round = false;
            mark_all(&symbol.subscribers, Lane::Large, &mut self.streams, &mut self.queues);
        }
    }

    fn open(&mut self, transport: T, opening: Opening, now: Now) {
        let Opening { head, symbols, heartbeat, permit } = opening;
        let phase = heartbeat.mul_f64(self.random.random_range(0.0..1.0));
        let slots = &mut self.symbols;
        let key = self.streams.insert_with_key(|key| {
            let slot = |(slot, state): (usize, &Arc<SymbolState>)| {
                let start = slots.subscribe(state, Subscriber { stream: key, slot: slot as u32 }, now);
                Slot::new(state.index() as u32, start.subscriber, start.next)
            };
            let cursors = Cursors::new(symbols.iter().enumerate().map(slot).collect());
            Stream::new(transport, cursors, First { head, heartbeat, phase, permit }, now)
        });
        self.counts.opened += 1;
        let stream = &mut self.streams[key];
        if stream.transport.attach(key.data().as_ffi()).is_err() {
            return self.end(key, Closed::Error, now);
        }
        if self.drains {
            stream.deadlines.end = Some(now.instant);
        }
        stream.armed = stream.deadlines.next(heartbeat, self.limits.stall_timeout);
        self.schedule.add(stream.armed, key);
        self.queues.add(key, stream, Lane::Small);
        // It may have become ready before it was attached under a key that anybody knows.
        self.hear(Ready { key: key.data().as_ffi(), readable: true, writable: false }, now);
    }

    fn hear(&mut self, ready: Ready, now: Now) {
        let key = StreamKey::from(KeyData::from_ffi(ready.key));
        let Some(stream) = self.streams.get_mut(key) else { return };
        if ready.readable
            && let Err(gone) = stream.transport.drain_input()
        {
            let why = if stream.lingers { Closed::Shutdown } else { Closed::from(&gone) };
            return self.end(key, why, now);
        }
        if ready.writable && stream.blocked {
            stream.blocked = false;
            self.counts.full -= 1;
            self.queues.add(key, stream, stream.lane);
        }
    }

    fn write_batch(&mut self, now: Now) {
        if self.queues.large.is_empty() {
            self.begin_round();
        }
        let mut ended = Vec::new();
        let mut plan = Vec::new();
        for _ in 0..WRITES_PER_TURN {
            let Some((key, stream)) = self.queues.next(&mut self.streams) else { break };
            let counts = &mut self.counts;
            let sent = |since| counts.count_tick(now.instant.saturating_duration_since(since));
            match stream.write(&self.symbols, &mut plan, now, self.limits.max_lag, sent) {
                Ok(written) => {
                    self.counts.count_write(written.bytes, written.missed);
                    if written.more {
                        self.queues.add(key, stream, stream.lane);
                    }
                    settle(key, stream, &mut self.counts, &mut self.schedule, self.limits.stall_timeout);
                }
                Err(why) => ended.push((key, why)),
            }
        }
        drop(plan);
        for (key, why) in ended {
            self.end(key, why, now);
        }
    }

    fn keep_deadlines(&mut self, now: Now) {
        while let Some((at, key)) = self.schedule.pop(now.instant) {
            let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.armed == at) else { continue };
            match stream.deadlines.due(now.instant, stream.heartbeat, self.limits.stall_timeout) {
                Due::Nothing => {}
                Due::Heartbeat => self.write_heartbeat(key, now),
                Due::Stalled => self.end(key, Closed::Stalled, now),
                Due::End => self.say_goodbye(key, now),
            }
            if let Some(stream) = self.streams.get_mut(key) {
                stream.armed = stream.deadlines.next(stream.heartbeat, self.limits.stall_timeout);
                self.schedule.add(stream.armed, key);
            }
        }
    }

    fn write_heartbeat(&mut self, key: StreamKey, now: Now) {
        let stream = &mut self.streams[key];
        if stream.queued.is_some() || stream.lingers {
            stream.deadlines.last_write = now.instant; // what waits to be written says the same
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

    /// Ends a stream that can still read with a `bye`, and any other without.
    fn say_goodbye(&mut self, key: StreamKey, now: Now) {
        let stream = &mut self.streams[key];
        if stream.blocked || stream.queued.is_some() || stream.lingers {
            return self.end(key, Closed::Shutdown, now);
        }
        let retry = Duration::from_millis(self.random.random_range(RETRY_AFTER_SHUTDOWN_MILLIS));
        let taken = stream.write_block(&wire::bye(Bye::Shutdown, retry), now);
        self.counts.full += u64::from(stream.blocked);
        match taken {
            Ok(bytes) if !stream.blocked => self.counts.count_write(bytes, Missed::default()),
            Ok(_) => return self.end(key, Closed::Shutdown, now),
            Err(why) => return self.end(key, why, now),
        }
        stream.transport.close(Close::Finish);
        stream.lingers = true;
        stream.deadlines.end = Some(now.instant + LINGER);
    }

    fn drain(&mut self, window: Duration, now: Now) {
        self.drains = true;
        for (key, stream) in &mut self.streams {
            let end = now.instant + window.mul_f64(self.random.random_range(0.0..1.0));
            stream.deadlines.end = Some(end);
            stream.armed = stream.deadlines.next(stream.heartbeat, self.limits.stall_timeout);
            self.schedule.add(stream.armed, key);
        }
    }

    fn end(&mut self, key: StreamKey, why: Closed, now: Now) {
        let Some(mut stream) = self.streams.remove(key) else { return };
        // What lingers has said all; of any other, nothing may stay in the kernel.
        stream.transport.close(if stream.lingers { Close::Finish } else { Close::Abort });
        self.counts.full -= u64::from(stream.blocked);
        self.counts.closed[why as usize] += 1;
        for slot in stream.cursors.slots() {
            if let Some(moved) = self.symbols.unsubscribe(slot.symbol, slot.subscriber, now)
                && let Some(neighbour) = self.streams.get_mut(moved.stream)
            {
                neighbour.cursors.moved(moved.slot, slot.subscriber);
            }
        }
    }
}

/// Marks a changed symbol in each of its streams, and queues those that can be written to.
fn mark_all<T>(
    subscribers: &[Subscriber],
    lane: Lane,
    streams: &mut SlotMap<StreamKey, Stream<T>>,
    queues: &mut Queues,
) {
    for subscriber in subscribers {
        let stream = &mut streams[subscriber.stream];
        stream.cursors.mark(subscriber.slot);
        if !stream.blocked && !stream.lingers {
            queues.add(subscriber.stream, stream, lane);
        }
    }
}

/// After a write: counts a stream that became full, and moves its entry in the schedule if something is due earlier now.
fn settle<T>(
    key: StreamKey,
    stream: &mut Stream<T>,
    counts: &mut Counts,
    schedule: &mut Schedule<StreamKey>,
    stall_timeout: Duration,
) {
    counts.full += u64::from(stream.blocked);
    let next = stream.deadlines.next(stream.heartbeat, stall_timeout);
    if next < stream.armed {
        stream.armed = next;
        schedule.add(next, key);
    }
}

impl Queues {
    fn are_empty(&self) -> bool {
        self.small.is_empty() && self.large.is_empty() && self.next_round.is_empty()
    }

    /// Queues a stream. One that waits in the round and is marked by a small symbol passes it.
    fn add<T>(&mut self, key: StreamKey, stream: &mut Stream<T>, lane: Lane) {
        match (stream.queued, lane) {
            (None, Lane::Large) => self.large.push_back(key),
            (None | Some(Lane::Large), Lane::Small) => self.small.push_back(key),
            (Some(_), Lane::Large) | (Some(Lane::Small), Lane::Small) => return,
        }
        stream.queued = Some(lane);
        stream.lane = lane;
    }

    /// The next stream to write, from both queues in turn.
    fn next<'a, T>(
        &mut self,
        streams: &'a mut SlotMap<StreamKey, Stream<T>>,
    ) -> Option<(StreamKey, &'a mut Stream<T>)> {
        let key = loop {
            self.large_is_next = !self.large_is_next;
            let (key, lane) = match (self.large_is_next, self.small.is_empty(), self.large.is_empty()) {
                (_, true, true) => return None,
                (true, _, false) | (false, true, false) => (self.large.pop_front()?, Lane::Large),
                (true, false, true) | (false, false, _) => (self.small.pop_front()?, Lane::Small),
            };
            // An entry of a stream that is gone, or has passed to the other queue, is void.
            if streams.get(key).is_some_and(|stream| stream.queued == Some(lane)) {
                break key;
            }
        };
        let stream = streams.get_mut(key)?;
        stream.queued = None;
        Some((key, stream))
    }
}
