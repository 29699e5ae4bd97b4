//! A worker's streams, and who of them waits for what: to be written, or for a moment.

use super::{
    cursors::Slot,
    schedule::Schedule,
    stream::{Stream, StreamKey, WriteQueue},
    symbols::{Subscribed, Symbols},
    transport::Transport,
};
use crate::market::{Now, Part, Parts};
use slotmap::SlotMap;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// All streams of a worker.
pub(super) struct StreamTable<T> {
    pub(super) streams: SlotMap<StreamKey, Stream<T>>,
    /// The same, so that a walk over all can rest and go on.
    order: Vec<StreamKey>,
    queues: Queues,
    schedule: Schedule<StreamKey>,
    stall_timeout: Duration,
}

/// Who waits to be written.
#[derive(Default)]
struct Queues {
    /// Streams that were marked by a symbol with few subscribers.
    small: VecDeque<StreamKey>,
    /// Streams that were marked by symbols with many: the running round, and behind it who of them has room again.
    large: VecDeque<StreamKey>,
    /// How many of `large` are the running round. Who comes meanwhile is not of it: a round that streams could join would
    /// never end, and the next one is what all others wait for.
    round: usize,
    large_is_next: bool,
}

impl<T: Transport> StreamTable<T> {
    pub(super) fn new(stall_timeout: Duration) -> Self {
        Self {
            streams: SlotMap::with_key(),
            order: Vec::new(),
            queues: Queues::default(),
            schedule: Schedule::new(),
            stall_timeout,
        }
    }

    /// Adds a stream, which is made with its key.
    pub(super) fn insert(&mut self, make: impl FnOnce(StreamKey) -> Stream<T>) -> StreamKey {
        let key = self.streams.insert_with_key(make);
        self.streams[key].place = self.order.len() as u32;
        self.order.push(key);
        key
    }

    /// Takes a stream out; the last in order takes its place.
    pub(super) fn remove(&mut self, key: StreamKey) -> Option<Stream<T>> {
        let stream = self.streams.remove(key)?;
        self.order.swap_remove(stream.place as usize);
        if let Some(&moved) = self.order.get(stream.place as usize) {
            self.streams[moved].place = stream.place;
        }
        Some(stream)
    }

    /// How many streams there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The stream at a place.
    pub(super) fn at(&self, place: usize) -> (StreamKey, &Stream<T>) {
        let key = self.order[place];
        (key, &self.streams[key])
    }

    /// Whether the round of streams that large symbols have marked is written.
    pub(super) fn round_is_over(&self) -> bool {
        self.queues.round == 0
    }

    /// Makes a round of all who wait by now because of a large symbol.
    pub(super) fn begin_round(&mut self) {
        self.queues.round = self.queues.large.len();
    }

    /// Whether nobody waits to be written.
    pub(super) fn rests(&self) -> bool {
        self.queues.small.is_empty() && self.queues.large.is_empty()
    }

    /// When the next deadline is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.schedule.next()
    }

    /// Marks a changed symbol in each stream that wants what changed, and queues those that may be written.
    pub(super) fn mark_all(&mut self, symbol: &Subscribed, changed: Parts, lane: WriteQueue, now: Now) {
        let status = changed.contains(Part::Status).then(|| symbol.recent.newest().last_change(Parts::STATUS));
        for subscriber in symbol.subscribers.iter().filter(|subscriber| subscriber.parts.intersects(changed)) {
            let stream = &mut self.streams[subscriber.stream];
            stream.cursors.mark(subscriber.slot);
            if status.is_some_and(|seq| stream.cursors.lacks(subscriber.slot, seq)) {
                stream.hurry();
            }
            self.queue(subscriber.stream, lane, now);
        }
    }

    /// Marks what of a stream's symbols waits for the next round, which the stream will not live to see.
    pub(super) fn mark_waiting(&mut self, key: StreamKey, symbols: &Symbols, now: Now) {
        let stream = &mut self.streams[key];
        let (parts, slots) = (stream.options.parts(), stream.cursors.slots().iter().enumerate());
        let waits = |slot: &Slot| symbols.get(slot.symbol).waits_for_round.intersects(parts);
        let waiting: Vec<usize> = slots.filter(|(_, slot)| waits(slot)).map(|(place, _)| place).collect();
        waiting.iter().for_each(|&place| stream.cursors.mark(place as u32));
        if !waiting.is_empty() {
            self.queue(key, WriteQueue::Cold, now);
        }
    }

    /// Queues a stream that lacks something, unless it is full, or has to wait for its `max_rate`.
    pub(super) fn queue(&mut self, key: StreamKey, lane: WriteQueue, now: Now) {
        let stream = &mut self.streams[key];
        if stream.blocked || stream.lingers {
            return;
        }
        if let Some(at) = stream.must_wait(now) {
            stream.deadlines.write = Some(at);
            stream.deadlines.full_since = None; // it has room, and waits by its own choice
            self.arm(key);
        } else {
            self.queues.add(key, stream, lane);
        }
    }

    /// The next stream to write, from both queues in turn.
    pub(super) fn next(&mut self) -> Option<StreamKey> {
        loop {
            let (key, lane) = self.queues.next()?;
            // An entry of a stream that is gone, or has passed to the other queue, is void.
            if let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.queued == Some(lane)) {
                stream.queued = None;
                stream.deadlines.write = None;
                if !stream.blocked {
                    return Some(key); // else a heartbeat has filled it meanwhile: it is queued again when it has room
                }
            }
        }
    }

    /// The next stream whose deadline is due. It is to be armed again.
    pub(super) fn next_due(&mut self, now: Now) -> Option<StreamKey> {
        loop {
            let (at, key) = self.schedule.pop(now.instant)?;
            if self.streams.get_mut(key).is_some_and(|stream| stream.armed.popped(at)) {
                return Some(key);
            }
        }
    }

    /// Sees that the schedule has an entry for a stream's earliest deadline, or for an earlier moment.
    pub(super) fn arm(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let at = stream.deadlines.next(stream.options.heartbeat, self.stall_timeout);
        if stream.armed.wants(at) {
            self.schedule.add(at, key);
        }
    }
}

impl Queues {
    /// One that waits in the round and is marked by a small symbol passes it.
    fn add<T>(&mut self, key: StreamKey, stream: &mut Stream<T>, lane: WriteQueue) {
        match (stream.queued, lane) {
            (None, WriteQueue::Hot) => self.large.push_back(key),
            (None | Some(WriteQueue::Hot), WriteQueue::Cold) => self.small.push_back(key),
            (Some(_), WriteQueue::Hot) | (Some(WriteQueue::Cold), WriteQueue::Cold) => return,
        }
        stream.queued = Some(lane);
        stream.lane = lane;
    }

    fn next(&mut self) -> Option<(StreamKey, WriteQueue)> {
        self.large_is_next = !self.large_is_next;
        let large = |queues: &mut Self| {
            let key = queues.large.pop_front()?;
            queues.round = queues.round.saturating_sub(1);
            Some((key, WriteQueue::Hot))
        };
        let small = |queues: &mut Self| Some((queues.small.pop_front()?, WriteQueue::Cold));
        if self.large_is_next { large(self).or_else(|| small(self)) } else { small(self).or_else(|| large(self)) }
    }
}
