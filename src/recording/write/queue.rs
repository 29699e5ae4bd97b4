//! The queue between the connections of a feed and the thread that writes. Whatever does not fit is dropped and
//! counted: the lock is held for a copy or a swap, never for the disk.

use crate::market::Now;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The most bytes that wait to be written, of all connections of a feed: a disk that stalls for two seconds costs a
/// feed of 16 MB/s no frame.
pub const QUEUE_BYTES: usize = 32 << 20;

/// The thread is woken for so many bytes; for fewer it comes by itself, so that few frames cost the feed a system call.
const WAKE_BYTES: usize = 1 << 20;

/// Room that the queue keeps for the next batch, in bytes.
const KEPT_BYTES: usize = 2 * WAKE_BYTES;

/// What a line of a recording says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A text frame.
    Text,
    /// A binary frame.
    Binary,
    /// A connection began.
    Opened,
    /// It ended, for this reason.
    Closed(&'static str),
    /// So many frames were dropped here.
    Dropped(u64),
    /// No line: the symbols from now on, for the next head.
    List,
}

/// A line to write, without the bytes of its frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) connection: usize,
    pub(super) at: Now,
    pub(super) what: What,
    length: usize,
}

/// What one push may add beside its frame: the frame's entry, and all that [`Unsaid`] holds.
const ENTRIES_PER_PUSH: usize = 4;

/// Lines in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Lines {
    entries: Vec<Entry>,
    /// The bytes of all frames, one behind the other.
    bytes: Vec<u8>,
}

impl Lines {
    pub(super) fn push(&mut self, connection: usize, what: What, bytes: &[u8], at: Now) {
        self.entries.push(Entry { connection, at, what, length: bytes.len() });
        self.bytes.extend_from_slice(bytes);
    }

    /// Each line with the bytes of its frame.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Entry, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.entries.iter().map(move |entry| {
            let (bytes, behind) = rest.split_at(entry.length);
            rest = behind;
            (entry, bytes)
        })
    }

    /// The memory that they take, in bytes.
    fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    /// Empties them for the next batch, and gives back the memory of a burst.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.entries.shrink_to(KEPT_BYTES / size_of::<Entry>());
        self.bytes.shrink_to(KEPT_BYTES);
    }
}

/// What a connection has yet to say, since it did not fit into the queue. A connection that came and went meanwhile
/// leaves only the number of its frames.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Unsaid {
    closed: Option<&'static str>,
    opened: bool,
    dropped: u64,
}

impl Unsaid {
    fn add(&mut self, what: What) {
        match what {
            What::Text | What::Binary => self.dropped += 1,
            What::Dropped(count) => self.dropped += count,
            // The next change of the list says it.
            What::List => {}
            What::Opened => self.opened = true,
            What::Closed(_) if self.opened => self.opened = false,
            What::Closed(reason) => self.closed = Some(reason),
        }
    }

    /// All of it, in the order in which a reader needs it: the frames are missing right before the next one.
    fn take(&mut self) -> impl Iterator<Item = What> {
        let Self { closed, opened, dropped } = std::mem::take(self);
        let dropped = (dropped > 0).then_some(What::Dropped(dropped));
        [closed.map(What::Closed), opened.then_some(What::Opened), dropped].into_iter().flatten()
    }
}

/// The queue of one feed.
#[derive(Debug)]
pub(super) struct Queue {
    /// A std mutex: it is held for a copy, and a feed's connections share one thread.
    state: Mutex<State>,
    wake: Condvar,
    bytes_max: usize,
}

#[derive(Debug)]
struct State {
    lines: Lines,
    /// How many recorders may still push.
    recorders: usize,
    /// Nothing is written any more.
    has_ended: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize, recorders: usize) -> Self {
        let state = State { lines: Lines::default(), recorders, has_ended: false };
        Self { state: Mutex::new(state), wake: Condvar::new(), bytes_max }
    }

    /// Adds a line, behind what the connection has yet to say. False where it does not fit: then it is unsaid too.
    pub(super) fn push(&self, connection: usize, unsaid: &mut Unsaid, what: What, bytes: &[u8], now: Now) -> bool {
        let mut state = self.lock();
        if state.has_ended {
            return true;
        }
        let before = state.lines.size();
        if before + bytes.len() + ENTRIES_PER_PUSH * size_of::<Entry>() > self.bytes_max {
            unsaid.add(what);
            return false;
        }
        for earlier in unsaid.take() {
            state.lines.push(connection, earlier, &[], now);
        }
        state.lines.push(connection, what, bytes, now);
        if before < WAKE_BYTES && state.lines.size() >= WAKE_BYTES {
            self.wake.notify_one();
        }
        true
    }

    /// Another recorder begins.
    pub(super) fn join(&self) {
        self.lock().recorders += 1;
    }

    /// A recorder ends. What it has yet to say goes in over the limit: it is three lines at most.
    pub(super) fn leave(&self, connection: usize, unsaid: &mut Unsaid, last: Option<Now>) {
        let mut state = self.lock();
        if let Some(now) = last.filter(|_| !state.has_ended) {
            for earlier in unsaid.take() {
                state.lines.push(connection, earlier, &[], now);
            }
        }
        state.recorders -= 1;
        if state.recorders == 0 {
            self.wake.notify_one();
        }
    }

    /// Waits for `rest` at most, then takes all lines, and says whether they are the last. `emptied` takes their place.
    pub(super) fn take(&self, rest: Duration, emptied: Lines) -> (Lines, bool) {
        let sleeps = |state: &mut State| state.lines.size() < WAKE_BYTES && state.recorders > 0;
        let waited = self.wake.wait_timeout_while(self.lock(), rest, sleeps);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (std::mem::replace(&mut state.lines, emptied), state.recorders == 0)
    }

    /// Drops all lines, and all that come later.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        state.lines = Lines::default();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queue: &Queue) -> Vec<(What, Vec<u8>)> {
        let (lines, _) = queue.take(Duration::ZERO, Lines::default());
        lines.iter().map(|(entry, bytes)| (entry.what, bytes.to_vec())).collect()
    }

    #[test]
    fn rule_10_a_full_queue_drops_frames_and_says_how_many_where_they_are_missing() {
        let queue = Queue::new(2_000, 1);
        let now = Now::read();
        let mut unsaid = Unsaid::default();
        let mut push = |what, bytes: &[u8]| queue.push(0, &mut unsaid, what, bytes, now);
        assert!(push(What::Opened, b""));
        assert!(push(What::Text, &[b'a'; 1_500]));
        for _ in 0..3 {
            assert!(!push(What::Text, &[b'b'; 1_500]));
        }
        assert_eq!(taken(&queue).len(), 2);
        assert!(push(What::Binary, b"c"));
        assert_eq!(taken(&queue), [(What::Dropped(3), vec![]), (What::Binary, b"c".to_vec())]);
    }

    #[test]
    fn rule_10_frames_without_bytes_fill_a_queue_too() {
        let queue = Queue::new(10_000, 1);
        let mut unsaid = Unsaid::default();
        let fitted = (0..10_000).filter(|_| queue.push(0, &mut unsaid, What::Text, b"", Now::read())).count();
        assert!(fitted * size_of::<Entry>() <= 10_000 && fitted > 100, "{fitted}");
        assert_eq!(unsaid, Unsaid { dropped: 10_000 - fitted as u64, ..Unsaid::default() });
    }

    #[test]
    fn the_ends_and_beginnings_that_did_not_fit_are_said_later() {
        use What::{Closed, Dropped, Opened, Text};
        let cases: [(&[What], &[What]); 5] = [
            (&[Text, Closed("io"), Opened, Text], &[Closed("io"), Opened, Dropped(2)]),
            (&[Closed("io")], &[Closed("io")]),
            (&[Opened, Text, Closed("io")], &[Dropped(1)]),
            (&[Closed("io"), Opened, Text, Closed("gap"), Opened], &[Closed("io"), Opened, Dropped(1)]),
            (&[], &[]),
        ];
        for (added, said) in cases {
            let mut unsaid = Unsaid::default();
            added.iter().for_each(|&what| unsaid.add(what));
            assert_eq!(unsaid.take().collect::<Vec<_>>(), said, "{added:?}");
        }
    }

    #[test]
    fn the_last_recorder_says_what_is_left_and_ends_the_queue() {
        let queue = Queue::new(1_000, 2);
        let now = Now::read();
        let mut unsaid = Unsaid { dropped: 7, ..Unsaid::default() };
        queue.leave(0, &mut unsaid, Some(now));
        queue.leave(1, &mut Unsaid::default(), None);
        // It would wait for an hour if a recorder were left.
        let (lines, is_last) = queue.take(Duration::from_secs(3_600), Lines::default());
        assert!(is_last);
        assert_eq!(lines.iter().map(|(entry, _)| entry.what).collect::<Vec<_>>(), [What::Dropped(7)]);
    }

    #[test]
    fn a_megabyte_wakes_the_thread_before_its_time() {
        let queue = Queue::new(QUEUE_BYTES, 1);
        let mut unsaid = Unsaid::default();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| queue.take(Duration::from_secs(3_600), Lines::default()));
            while !waits.is_finished() {
                queue.push(0, &mut unsaid, What::Text, &[b'x'; 100_000], Now::read());
                std::thread::yield_now();
            }
        });
    }

    #[test]
    fn a_recording_that_has_ended_takes_no_memory_and_counts_no_drops() {
        let queue = Queue::new(1_000, 1);
        let mut unsaid = Unsaid::default();
        queue.push(0, &mut unsaid, What::Text, b"x", Now::read());
        queue.end();
        assert!(queue.push(0, &mut unsaid, What::Text, &[b'x'; 10_000], Now::read()));
        assert_eq!((taken(&queue), unsaid), (Vec::new(), Unsaid::default()));
    }
}
