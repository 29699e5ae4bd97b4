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
}

/// Both queues. Entries are not searched for: an entry of a stream that is gone, or has passed to the other queue, is
/// void.
#[derive(Default)]
pub(super) struct WriteQueues {
    cold: VecDeque<StreamKey>,
    /// The running round, and behind it the streams of the next one.
    hot: VecDeque<StreamKey>,
    /// How many entries of `hot` are the running round. A stream that is queued meanwhile belongs to the next round:
    /// otherwise a round might never end, and all other streams wait for the next one.
    round: usize,
    hot_is_next: bool,
}

impl Queued {
    /// A stream that waits in neither queue.
    pub(super) fn new() -> Self {
        Self { now: None, last: WriteQueue::Cold }
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

    /// An entry of the stream comes out of a queue; returns whether it counts.
    pub(super) fn taken_from(&mut self, queue: WriteQueue) -> bool {
        let counts = self.now == Some(queue);
        if counts {
            self.now = None;
        }
        counts
    }
}

impl WriteQueues {
    /// Adds a stream. One that waits in the round and is marked by a cold symbol passes the round.
    pub(super) fn add(&mut self, key: StreamKey, queued: &mut Queued, queue: WriteQueue) {
        match (queued.now, queue) {
            (None, WriteQueue::Hot) => self.hot.push_back(key),
            (None | Some(WriteQueue::Hot), WriteQueue::Cold) => self.cold.push_back(key),
            (Some(_), WriteQueue::Hot) | (Some(WriteQueue::Cold), WriteQueue::Cold) => return,
        }
        queued.now = Some(queue);
        queued.last = queue;
    }

    /// The next entry, from both queues in turn.
    pub(super) fn next(&mut self) -> Option<(StreamKey, WriteQueue)> {
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

    fn next_hot(&mut self) -> Option<(StreamKey, WriteQueue)> {
        let key = self.hot.pop_front()?;
        self.round = self.round.saturating_sub(1);
        Some((key, WriteQueue::Hot))
    }

    fn next_cold(&mut self) -> Option<(StreamKey, WriteQueue)> {
        Some((self.cold.pop_front()?, WriteQueue::Cold))
    }
}
