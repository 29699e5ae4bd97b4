//! The owner's recent batches, and its answers to what followers ask for.
//!
//! Pure: the task around it sends the messages. Snapshots are read while ingest goes on; a follower merges them with
//! the batches by `seq`.

use super::{
    batch::{NewTick, Sealed},
    clock::Boot,
    message::{Ask, Beat, Draft, Finish, Kind, Sender, write_beat, write_busy, write_end, write_gone},
};
use crate::wire::Epoch;
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// How long a batch is kept: a follower that was cut off for longer needs a snapshot anyway.
pub const HISTORY_AGE_MAX: Duration = Duration::from_secs(10);
/// How many bytes of batches are kept.
pub const HISTORY_BYTES_MAX: usize = 32 << 20;
/// How many asks are answered at a time.
pub const ANSWERS_MAX: usize = 4;
/// An owner that goes on behind another one says after so long that it does not have the batches of that one, which
/// answers for them itself: a follower takes the first end.
pub const OWNER_BEFORE_FIRST: Duration = Duration::from_millis(300);
/// What a batch costs besides its bytes.
const ENTRY_BYTES: usize = size_of::<(Boot, Bytes)>();

/// The newest batches of an epoch, without a hole.
#[derive(Debug)]
pub struct History {
    epoch: Epoch,
    /// The number of the first one that is kept; if there is none, of the next.
    first: u64,
    batches: VecDeque<(Boot, Bytes)>,
    bytes: usize,
    bytes_max: usize,
}

impl History {
    /// The history of an owner whose last batch was `last`, 0 if it begins the epoch.
    pub fn new(epoch: Epoch, last: u64) -> Self {
        Self { epoch, first: last + 1, batches: VecDeque::new(), bytes: 0, bytes_max: HISTORY_BYTES_MAX }
    }

    /// The same with a smaller limit, for a simulation.
    #[doc(hidden)]
    pub fn with_bytes_max(self, bytes_max: usize) -> Self {
        Self { bytes_max, ..self }
    }

    /// Keeps a batch, and drops what is too old or too much by now.
    ///
    /// # Panics
    /// If it is not the batch after the last one.
    pub fn push(&mut self, sealed: &Sealed, now: Boot) {
        assert_eq!(sealed.number, self.last() + 1, "batches are sealed in order");
        self.bytes += sealed.bytes.len() + ENTRY_BYTES;
        self.batches.push_back((now, sealed.bytes.clone()));
        self.sweep(now);
    }

    /// Drops what is too old or too much by now. A push does the same, but a quiet shard has none.
    pub fn sweep(&mut self, now: Boot) {
        while let Some((sealed, bytes)) = self.batches.front()
            && (self.bytes > self.bytes_max || now.since(*sealed) > HISTORY_AGE_MAX)
        {
            self.bytes -= bytes.len() + ENTRY_BYTES;
            self.batches.pop_front();
            self.first += 1;
        }
    }

    /// The number of the oldest batch; if there is none, of the next.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of the batch that was sealed last; 0 before the first of an epoch.
    pub fn last(&self) -> u64 {
        self.first + self.batches.len() as u64 - 1
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batches `from` to `to` of an epoch; `None` if one of them is not here.
    pub fn get(&self, epoch: Epoch, from: u64, to: u64) -> Option<impl ExactSizeIterator<Item = &Bytes>> {
        let place = |number: u64| usize::try_from(number.checked_sub(self.first)?).ok();
        let (from, to) = (place(from)?, place(to)?);
        if epoch != self.epoch || to >= self.batches.len() || from > to {
            return None;
        }
        Some(self.batches.range(from..=to).map(|(_, bytes)| bytes))
    }
}

/// The messages that answer an ask, or what is needed to make them.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// These, in this order.
    Messages(Vec<Bytes>),
    /// These, after [`OWNER_BEFORE_FIRST`].
    Later(Vec<Bytes>),
    /// Those that a [`SnapshotWriter`] makes. Its place among the answers is taken until [`Answers::done`].
    Snapshot,
    /// These, in this order, and then [`Answers::done`]: they may take long to send.
    History(Vec<Bytes>),
}

/// Answers what followers ask for, [`ANSWERS_MAX`] at a time.
#[derive(Debug, Default)]
pub struct Answers {
    open: usize,
}

impl Answers {
    /// Answers an ask.
    pub fn answer(&mut self, ask: Ask, history: &History, beat: &Beat, sender: &Sender) -> Answer {
        let last = history.last();
        match ask {
            Ask::Beat => Answer::Messages(vec![write_beat(beat, last, sender)]),
            Ask::Snapshot | Ask::History { .. } if self.open >= ANSWERS_MAX => {
                Answer::Messages(vec![write_busy(last, sender)])
            }
            Ask::Snapshot => {
                self.open += 1;
                Answer::Snapshot
            }
            Ask::History { epoch, from, to } => match history.get(epoch, from, to) {
                None => Answer::Messages(vec![write_gone(last, sender)]),
                Some(batches) => {
                    self.open += 1;
                    // A follower counts the batches by their numbers; an answer beyond the count of a head is one of
                    // more than a thousand batches a second.
                    let count = u16::try_from(batches.len()).unwrap_or(u16::MAX);
                    Answer::History(batches.cloned().chain([write_end(count, last, sender)]).collect())
                }
            },
        }
    }

    /// An answer is sent, or given up.
    pub fn done(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

/// Makes the messages of a snapshot. Each has the number of the batch that was sealed last before any of its symbols
/// was read: whatever the follower gets behind that batch is newer.
#[derive(Debug)]
pub struct SnapshotWriter {
    draft: Draft,
    /// The last batch that was sealed before the draft's first symbol was read.
    batch: u64,
    /// How many messages are complete.
    count: u16,
    symbols_max: u16,
}

impl Default for SnapshotWriter {
    fn default() -> Self {
        Self { draft: Draft::default(), batch: 0, count: 0, symbols_max: u16::MAX }
    }
}

impl SnapshotWriter {
    /// One with fewer symbols in each message, for a simulation.
    #[doc(hidden)]
    pub fn with_symbols_max(symbols_max: u16) -> Self {
        Self { symbols_max, ..Self::default() }
    }

    /// Prepares for symbols that are read from now on. `last` is the number of the batch that was sealed last.
    pub fn prepare(&mut self, last: u64) {
        if self.draft.count() == 0 {
            self.batch = last;
        }
    }

    /// Appends a symbol that was read since the last [`SnapshotWriter::prepare`]. Returns a message if one is complete.
    pub fn push(&mut self, symbol: &NewTick<'_>, sender: &Sender) -> Option<Bytes> {
        self.draft.push(&symbol.full());
        let is_full = self.draft.is_full() || self.draft.count() >= self.symbols_max;
        is_full.then(|| self.finish_message(sender))
    }

    /// The messages that are left: the last symbols, if there are any, and the end of the answer. `last` is the number
    /// of the batch that was sealed last, and all that was read is in batches up to it.
    pub fn finish(mut self, last: u64, sender: &Sender) -> Vec<Bytes> {
        let mut messages = Vec::new();
        if self.draft.count() > 0 || self.count == 0 {
            self.prepare(last);
            messages.push(self.finish_message(sender));
        }
        messages.push(write_end(self.count, last, sender));
        messages
    }

    fn finish_message(&mut self, sender: &Sender) -> Bytes {
        let finish = Finish { kind: Kind::Snapshot, batch: self.batch, is_first: self.count == 0, is_last: false };
        self.count += 1;
        self.draft.finish(&finish, sender)
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
