//! A worker's streams, and what each of them waits for: to be written, or for a moment.

use super::{
    schedule::{Armed, Schedule},
    stream::Stream,
    stream_key::StreamKey,
    symbols::{Subscribed, Symbols},
    transport::Transport,
    write_queues::{Queued, WriteQueue, WriteQueues},
};
use crate::market::{Now, Part, Parts};
use slotmap::SlotMap;
use std::time::{Duration, Instant};

/// All streams of a worker.
pub(super) struct StreamTable<T> {
    entries: SlotMap<StreamKey, Entry<T>>,
    /// The same streams in an order, so that a walk over all of them can pause and go on.
    order: Vec<StreamKey>,
    queues: WriteQueues,
    schedule: Schedule<StreamKey>,
    stall_timeout: Duration,
}

/// A stream, and what the table holds of it elsewhere.
struct Entry<T> {
    stream: Stream<T>,
    armed: Armed,
    /// Its place in the order.
    position: u32,
    queued: Queued,
}

impl<T: Transport> StreamTable<T> {
    pub(super) fn new(stall_timeout: Duration) -> Self {
        Self {
            entries: SlotMap::with_key(),
            order: Vec::new(),
            queues: WriteQueues::default(),
            schedule: Schedule::new(),
            stall_timeout,
        }
    }

    /// Adds a stream, which is made with its key.
    pub(super) fn insert(&mut self, make: impl FnOnce(StreamKey) -> Stream<T>) -> StreamKey {
        let position = self.order.len() as u32;
        let key = self.entries.insert_with_key(|key| Entry {
            stream: make(key),
            armed: Armed::default(),
            position,
            queued: Queued::new(),
        });
        self.order.push(key);
        key
    }

    /// Takes a stream out. The last stream in the order takes its place there.
    pub(super) fn remove(&mut self, key: StreamKey) -> Option<Stream<T>> {
        let entry = self.entries.remove(key)?;
        self.order.swap_remove(entry.position as usize);
        if let Some(&moved) = self.order.get(entry.position as usize) {
            self.entries[moved].position = entry.position;
        }
        Some(entry.stream)
    }

    /// How many streams there are.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The stream at a place in the order.
    pub(super) fn at(&self, position: usize) -> (StreamKey, &Stream<T>) {
        let key = self.order[position];
        (key, &self.entries[key].stream)
    }

    /// All streams, with their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamKey, &Stream<T>)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.stream))
    }

    /// The keys of all streams.
    pub(super) fn keys(&self) -> Vec<StreamKey> {
        self.entries.keys().collect()
    }

    /// A stream that may be gone.
    pub(super) fn get(&self, key: StreamKey) -> Option<&Stream<T>> {
        Some(&self.entries.get(key)?.stream)
    }

    /// A stream that may be gone.
    pub(super) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream<T>> {
        Some(&mut self.entries.get_mut(key)?.stream)
    }

    /// A stream that is open.
    pub(super) fn stream(&mut self, key: StreamKey) -> &mut Stream<T> {
        &mut self.entries[key].stream
    }

    /// Whether the round of streams that hot symbols have marked is written.
    pub(super) fn round_is_over(&self) -> bool {
        self.queues.round_is_over()
    }

    /// Makes a round of all streams that wait because of a hot symbol.
    pub(super) fn begin_round(&mut self) {
        self.queues.begin_round();
    }

    /// Whether no stream waits to be written.
    pub(super) fn is_idle(&self) -> bool {
        self.queues.is_empty()
    }

    /// When the next deadline is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.schedule.next()
    }

    /// Marks a changed symbol in each stream that wants what changed, and queues the streams that may be written.
    pub(super) fn mark_all(&mut self, symbol: &Subscribed, changed: Parts, queue: WriteQueue, now: Now) {
        let status = changed.contains(Part::Status).then(|| symbol.recent.newest().last_change(Parts::STATUS));
        for subscriber in symbol.subscribers.iter().filter(|subscriber| subscriber.parts.intersects(changed)) {
            self.stream(subscriber.stream).mark(subscriber.slot, status);
            self.queue(subscriber.stream, queue, now);
        }
    }

    /// Marks the symbols of a stream that have changes waiting for the next round: the stream will be gone by then.
    pub(super) fn mark_waiting(&mut self, key: StreamKey, symbols: &Symbols, now: Now) {
        if self.stream(key).mark_waiting(symbols) {
            self.queue(key, WriteQueue::Cold, now);
        }
    }

    /// Queues a stream that lacks something, unless it is full, or has to wait for its `max_rate`.
    pub(super) fn queue(&mut self, key: StreamKey, queue: WriteQueue, now: Now) {
        let entry = &mut self.entries[key];
        if !entry.stream.takes_writes() {
            return;
        }
        if entry.stream.must_wait(now) {
            entry.stream.wait();
            self.arm(key);
        } else {
            self.queues.add(key, &mut entry.queued, queue);
        }
    }

    /// Queues a stream that lacks something where it waited last.
    pub(super) fn queue_again(&mut self, key: StreamKey, now: Now) {
        let queue = self.entries[key].queued.last();
        self.queue(key, queue, now);
    }

    /// Whether a stream waits to be written.
    pub(super) fn is_queued(&self, key: StreamKey) -> bool {
        self.entries[key].queued.is_queued()
    }

    /// Takes a stream out of its queue.
    pub(super) fn withdraw(&mut self, key: StreamKey) {
        self.entries[key].queued.withdraw();
    }

    /// The next stream to write, from both queues in turn.
    pub(super) fn next(&mut self) -> Option<StreamKey> {
        loop {
            let next = self.queues.next()?;
            let Some(entry) = self.entries.get_mut(next.key) else { continue };
            if entry.queued.taken(next) {
                entry.stream.stop_waiting();
                if !entry.stream.is_full() {
                    return Some(next.key); // else a heartbeat has filled it meanwhile: it is queued again when it has room
                }
            }
        }
    }

    /// Takes a stream out of its queue to be written before its turn; returns whether it waits in one and has room.
    pub(super) fn take_queued(&mut self, key: StreamKey) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.queued.is_queued()) else { return false };
        entry.queued.withdraw();
        entry.stream.stop_waiting();
        !entry.stream.is_full()
    }

    /// The next stream whose deadline is due. The caller must arm it again.
    pub(super) fn next_due(&mut self, now: Now) -> Option<StreamKey> {
        loop {
            let (at, key) = self.schedule.pop(now.instant)?;
            if self.entries.get_mut(key).is_some_and(|entry| entry.armed.popped(at)) {
                return Some(key);
            }
        }
    }

    /// Makes sure that the schedule has an entry for a stream's earliest deadline, or an earlier one.
    pub(super) fn arm(&mut self, key: StreamKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let at = entry.stream.next_deadline(self.stall_timeout);
        if entry.armed.wants(at) {
            self.schedule.add(at, key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client_transport::ClientTransport;
    use super::*;

    /// The budget of an idle stream is 1 KiB, with its cursors and the queues' and the schedule's entries.
    #[test]
    fn rule_10_an_entry_of_an_idle_stream_is_small() {
        let bytes = size_of::<Entry<ClientTransport>>();
        assert!(bytes <= 416, "{bytes} bytes");
    }
}
