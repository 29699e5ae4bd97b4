//! The streams that wait to be written, in two queues.

use super::stream_key::StreamKey;
use std::collections::VecDeque;

/// The queues of streams to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteQueue {
    /// Streams that a cold symbol has marked: one with few subscribers.
    Cold,
    /// Streams that a hot symbol has marked: one with many.
    Hot,
}

/// Where a stream stands in the queues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    /// In which queue it waits.
    now: Option<WriteQueue>,
    /// In which queue it waited last.
    last: WriteQueue,
    ticket: Ticket,
}

/// Tells the entries of a stream apart: only the one with its newest ticket counts. Far fewer entries of one stream
/// wait than there are tickets.
type Ticket = u16;

/// A stream's entry in a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueEntry {
    pub(super) key: StreamKey,
    ticket: Ticket,
}

/// Both queues. Deletion is lazy: the entry of a stream that is gone, that has passed to the other queue, or that was
/// written before its turn, stays in its queue and is ignored when it comes out.
#[derive(Default)]
pub(super) struct WriteQueues {
    cold: VecDeque<QueueEntry>,
    /// The running round, and behind it the streams of the next one.
    hot: VecDeque<QueueEntry>,
    /// How many entries of `hot` are the running round. A stream that is queued meanwhile belongs to the next round:
    /// otherwise a round might never end, and all other streams wait for the next one.
    round: usize,
    hot_is_next: bool,
}

impl Queued {
    /// A stream that waits in neither queue.
    pub(super) fn new() -> Self {
        Self { now: None, last: WriteQueue::Cold, ticket: 0 }
    }

    /// Whether the stream waits in a queue.
    pub(super) fn is_queued(&self) -> bool {
        self.now.is_some()
    }

    /// In which queue the stream waited last.
    pub(super) fn last(&self) -> WriteQueue {
        self.last
    }

    /// Takes the stream out of its queue.
    pub(super) fn withdraw(&mut self) {
        self.now = None;
    }

    /// An entry of the stream comes out of its queue; returns whether it counts.
    pub(super) fn taken(&mut self, entry: QueueEntry) -> bool {
        let counts = self.is_queued() && entry.ticket == self.ticket;
        if counts {
            self.now = None;
        }
        counts
    }
}

impl WriteQueues {
    /// Adds a stream. One that waits in the round and is marked by a cold symbol passes the round.
    pub(super) fn add(&mut self, key: StreamKey, queued: &mut Queued, queue: WriteQueue) {
        let entries = match (queued.now, queue) {
            (None, WriteQueue::Hot) => &mut self.hot,
            (None | Some(WriteQueue::Hot), WriteQueue::Cold) => &mut self.cold,
            (Some(_), WriteQueue::Hot) | (Some(WriteQueue::Cold), WriteQueue::Cold) => return,
        };
        queued.ticket = queued.ticket.wrapping_add(1);
        entries.push_back(QueueEntry { key, ticket: queued.ticket });
        queued.now = Some(queue);
        queued.last = queue;
    }

    /// The next entry, from both queues in turn.
    pub(super) fn next(&mut self) -> Option<QueueEntry> {
        self.hot_is_next = !self.hot_is_next;
        if self.hot_is_next {
            self.next_hot().or_else(|| self.next_cold())
        } else {
            self.next_cold().or_else(|| self.next_hot())
        }
    }

    /// Whether no stream waits.
    pub(super) fn is_empty(&self) -> bool {
        self.cold.is_empty() && self.hot.is_empty()
    }

    /// Whether all streams of the running round are taken.
    pub(super) fn round_is_over(&self) -> bool {
        self.round == 0
    }

    /// Makes a round of all streams that wait in the hot queue.
    pub(super) fn begin_round(&mut self) {
        self.round = self.hot.len();
    }

    fn next_hot(&mut self) -> Option<QueueEntry> {
        let entry = self.hot.pop_front()?;
        self.round = self.round.saturating_sub(1);
        Some(entry)
    }

    fn next_cold(&mut self) -> Option<QueueEntry> {
        self.cold.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    /// Streams by their keys.
    type Streams = SlotMap<StreamKey, Queued>;

    fn streams(count: usize) -> (Streams, Vec<StreamKey>) {
        let mut streams = Streams::with_key();
        let keys = (0..count).map(|_| streams.insert(Queued::new())).collect();
        (streams, keys)
    }

    /// The next stream, as a worker takes it.
    fn next(queues: &mut WriteQueues, streams: &mut Streams) -> Option<StreamKey> {
        loop {
            let entry = queues.next()?;
            if streams[entry.key].taken(entry) {
                return Some(entry.key);
            }
        }
    }

    #[test]
    fn the_entry_of_a_stream_that_was_written_before_its_turn_never_counts_again() {
        for queue in [WriteQueue::Cold, WriteQueue::Hot] {
            let (mut streams, keys) = streams(2);
            let mut queues = WriteQueues::default();
            for &key in &keys {
                queues.add(key, &mut streams[key], queue);
            }
            streams[keys[0]].withdraw();
            queues.add(keys[0], &mut streams[keys[0]], queue);
            let order: Vec<_> = std::iter::from_fn(|| next(&mut queues, &mut streams)).collect();
            assert_eq!(order, [keys[1], keys[0]], "{queue:?}: it is behind all who waited");
        }
    }

    /// Cold symbols change faster than the worker writes, and the streams of one connection are written together.
    #[test]
    fn rule_3_a_neighbour_of_streams_that_are_written_together_has_its_turn() {
        let (mut streams, keys) = streams(21);
        let (&neighbour, together) = keys.split_last().unwrap();
        let mut queues = WriteQueues::default();
        let mut waited = 0;
        for _ in 0..1_000 {
            for &key in &keys {
                queues.add(key, &mut streams[key], WriteQueue::Cold);
            }
            let first = next(&mut queues, &mut streams).unwrap();
            if first == neighbour {
                waited = 0;
                continue;
            }
            together.iter().for_each(|&key| streams[key].withdraw());
            waited += 1;
            assert!(waited <= 2, "the neighbour starves");
            assert!(queues.cold.len() <= 3 * keys.len(), "the queue grows: {}", queues.cold.len());
        }
    }

    #[test]
    fn a_stream_that_passes_to_the_cold_queue_leaves_no_turn_in_the_round() {
        let (mut streams, keys) = streams(1);
        let mut queues = WriteQueues::default();
        let key = keys[0];
        queues.add(key, &mut streams[key], WriteQueue::Hot);
        queues.add(key, &mut streams[key], WriteQueue::Cold);
        queues.begin_round();
        assert_eq!(next(&mut queues, &mut streams), Some(key));
        assert_eq!(next(&mut queues, &mut streams), None);
        assert!(queues.is_empty() && queues.round_is_over());
    }
}
