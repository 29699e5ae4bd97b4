//! The lines on their way to standard error. A pipe whose reader has stopped blocks a write for as long as it likes, so
//! a thread of its own writes, from a queue with a limit: a thread that logs never waits for the reader
//! (docs/decisions/0043-log.md).

use std::{
    io::{self, Write},
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, ThreadId},
    time::Duration,
};
use tracing_subscriber::fmt::MakeWriter;

/// The most bytes of lines that wait, beside as many that are being written: some 5,000 lines. A reader that pauses for
/// seconds loses none, and one that has stopped costs 2 MiB.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// The most bytes of a write, but for a longer line (`PIPE_BUF`): the kernel never mixes such a write with those of
/// another process.
const WRITE_BYTES: usize = 4096;
/// What a buffer keeps after a flood.
const BUFFER_BYTES: usize = 64 << 10;
/// At the end: how long a write may take nothing, and how often it is waited for.
const FLUSH_WAIT: Duration = Duration::from_millis(300);
const FLUSH_WAITS: u32 = 3;

/// Lines between the threads that log and the one that writes.
#[derive(Debug)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// Lines came, or all were written.
    changed: Condvar,
    /// The thread that writes.
    writer: OnceLock<ThreadId>,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    /// How many writes have ended.
    writes: u64,
    /// Lines that were dropped since the last notice.
    untold: u64,
}

impl LogQueue {
    pub(super) const fn new() -> Self {
        let state = State { waiting: Vec::new(), is_writing: false, writes: 0, untold: 0 };
        let state = Mutex::new(state);
        Self { state, changed: Condvar::new(), writer: OnceLock::new(), dropped: AtomicU64::new(0) }
    }

    /// Queues lines, or drops them if the queue is full. There is always room for a notice of those.
    pub(super) fn push(&self, lines: &[u8]) {
        let mut state = self.state();
        if state.waiting.len() + lines.len() > WAITING_BYTES_MAX && !self.is_writer() {
            return self.drop_lines(&mut state, lines);
        }
        drop(state);
        self.push_last(lines);
    }

    /// Queues the last lines of a process, for which there is always room.
    pub(super) fn push_last(&self, lines: &[u8]) {
        self.state().waiting.extend_from_slice(lines);
        self.changed.notify_all();
    }

    /// Whether this is the thread that writes.
    pub(super) fn is_writer(&self) -> bool {
        self.writer.get() == Some(&thread::current().id())
    }

    /// Writes what comes, for ever. `tell` logs how many lines were dropped, once lines are taken
    /// again.
    pub(super) fn write_to(&self, mut out: impl Write, tell: impl Fn(u64)) {
        let _ = self.writer.set(thread::current().id());
        let mut lines = Vec::new();
        loop {
            self.take(&mut lines);
            let mut is_taken = true;
            for part in Parts(&lines) {
                is_taken = out.write_all(part).is_ok();
                self.wrote(part, is_taken);
            }
            let untold = if is_taken { mem::take(&mut self.state().untold) } else { 0 };
            // Behind the lines that wait: those that were dropped came after them.
            if untold > 0 {
                tell(untold);
            }
            self.state().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits until all lines are written; not for a reader that takes nothing, and not for long for a slow one.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        for _ in 0..FLUSH_WAITS {
            let before = state.writes;
            let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
            let waited = self.changed.wait_timeout_while(state, FLUSH_WAIT, is_busy);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if !timeout.timed_out() || state.writes == before {
                return;
            }
        }
    }

    /// How many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits for lines, and swaps them with an empty buffer.
    fn take(&self, lines: &mut Vec<u8>) {
        lines.clear();
        lines.shrink_to(BUFFER_BYTES);
        let waited = self.changed.wait_while(self.state(), |state| state.waiting.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut state.waiting, lines);
        state.is_writing = true;
    }

    fn wrote(&self, part: &[u8], is_taken: bool) {
        let mut state = self.state();
        state.writes += 1;
        if !is_taken {
            self.drop_lines(&mut state, part);
        }
    }

    fn drop_lines(&self, state: &mut State, lines: &[u8]) {
        let count = lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        state.untold += count;
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LogQueue {
    /// Takes a whole event: the subscriber writes each at once.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.push(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the subscriber writes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntoQueue(pub &'static LogQueue);

impl MakeWriter<'_> for IntoQueue {
    type Writer = &'static LogQueue;

    fn make_writer(&self) -> Self::Writer {
        self.0
    }
}

/// Lines in parts of whole lines, each of at most [`WRITE_BYTES`] or a single longer line.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_end = |byte: &u8| *byte == b'\n';
        let most = &self.0[..self.0.len().min(WRITE_BYTES)];
        let end = most.iter().rposition(is_end).or_else(|| self.0.iter().position(is_end));
        let (part, rest) = self.0.split_at(end.map_or(self.0.len(), |end| end + 1));
        self.0 = rest;
        (!part.is_empty()).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    /// A reader that takes each write when it is told how: whether it succeeds.
    struct Reader {
        wrote_tx: mpsc::Sender<Vec<u8>>,
        goes_rx: mpsc::Receiver<bool>,
    }

    impl Write for Reader {
        fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
            let goes = self.goes_rx.recv().unwrap_or(false);
            if !goes {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.wrote_tx.send(lines.to_vec()).map_or(Err(io::ErrorKind::BrokenPipe.into()), |()| Ok(lines.len()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A queue, what its reader has taken, and whether it may take the next write.
    fn queue() -> (Arc<LogQueue>, mpsc::Receiver<Vec<u8>>, mpsc::Sender<bool>) {
        let (wrote_tx, wrote_rx) = mpsc::channel();
        let (goes_tx, goes_rx) = mpsc::channel();
        let queue = Arc::new(LogQueue::new());
        let writing = queue.clone();
        thread::spawn(move || {
            let tell = |dropped| writing.push(format!("dropped {dropped}\n").as_bytes());
            writing.write_to(Reader { wrote_tx, goes_rx }, tell);
        });
        (queue, wrote_rx, goes_tx)
    }

    /// The next write. Without one the test fails, though late.
    fn next(wrote_rx: &mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
        wrote_rx.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// A line of so many bytes.
    fn line(bytes: usize) -> Vec<u8> {
        [vec![b'x'; bytes - 1], b"\n".to_vec()].concat()
    }

    #[test]
    fn rule_10_lines_beyond_the_limit_are_dropped_and_told_once_behind_those_that_waited() {
        let (queue, wrote_rx, goes_tx) = queue();
        queue.push(b"first\n");
        // Only the first line is being written from here on: the limit is for those that wait.
        while !queue.state().is_writing {
            thread::yield_now();
        }
        for _ in 0..WAITING_BYTES_MAX / WRITE_BYTES + 3 {
            queue.push(&line(WRITE_BYTES));
        }
        assert_eq!((queue.dropped(), queue.state().waiting.len()), (3, WAITING_BYTES_MAX));
        (0..WAITING_BYTES_MAX / WRITE_BYTES + 2).for_each(|_| goes_tx.send(true).unwrap());
        assert_eq!(next(&wrote_rx), b"first\n");
        assert!((0..WAITING_BYTES_MAX / WRITE_BYTES).all(|_| next(&wrote_rx) == line(WRITE_BYTES)));
        assert_eq!(next(&wrote_rx), b"dropped 3\n");
    }

    #[test]
    fn lines_that_the_reader_refuses_are_counted_and_told_once_it_takes_some_again() {
        let (queue, wrote_rx, goes_tx) = queue();
        queue.push(b"lost\nlost\n");
        goes_tx.send(false).unwrap();
        while queue.dropped() < 2 {
            thread::yield_now();
        }
        queue.push(b"seen\n");
        (0..2).for_each(|_| goes_tx.send(true).unwrap());
        assert_eq!([next(&wrote_rx), next(&wrote_rx)], [b"seen\n".to_vec(), b"dropped 2\n".to_vec()]);
    }

    #[test]
    fn a_flush_ends_with_the_last_line_or_with_a_reader_that_takes_nothing() {
        let (queue, wrote_rx, goes_tx) = queue();
        queue.flush();
        for number in 0..100 {
            goes_tx.send(true).unwrap();
            queue.push(format!("{number}\n").as_bytes());
        }
        queue.flush();
        let wrote = wrote_rx.try_iter().collect::<Vec<_>>().concat();
        assert_eq!(wrote.split(|byte| *byte == b'\n').count(), 101);
        let (stuck, _wrote_rx, _goes_tx) = self::queue();
        stuck.push(b"never taken\n");
        stuck.flush();
        assert_eq!((stuck.state().writes, stuck.dropped()), (0, 0));
    }

    #[test]
    fn lines_are_written_whole_and_many_at_a_time() {
        let lines =
            [line(10), line(WRITE_BYTES - 11), line(2), line(WRITE_BYTES * 3), line(1), b"rest".to_vec()].concat();
        let parts: Vec<_> = Parts(&lines).map(<[u8]>::len).collect();
        assert_eq!(parts, [WRITE_BYTES - 1, 2, WRITE_BYTES * 3, 1, 4]);
        assert_eq!(Parts(&lines).collect::<Vec<_>>().concat(), lines);
        assert_eq!(Parts(b"").next(), None);
    }
}
