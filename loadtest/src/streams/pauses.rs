//! How late the streams' thread is by its own fault: a due time that comes again and again, and how late the thread
//! gets to it. A thread that reads for too long is late, and so is one that gets no core.

use crate::measure::Histogram;
use std::time::{Duration, Instant};

/// How often the time comes.
const INTERVAL: Duration = Duration::from_millis(5);
/// How much later than asked a wait ends on an idle machine: the kernel waits for whole milliseconds.
const WAKE_LATE: Duration = Duration::from_millis(1);

/// The pauses of a thread.
pub(super) struct Pauses {
    next: Instant,
    late: Histogram,
}

impl Pauses {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now + INTERVAL, late: Histogram::default() }
    }

    /// How long until the time comes.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.next.saturating_duration_since(now)
    }

    /// Notes how late it is, if the time has come.
    pub(super) fn note(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        let late = (now - self.next).saturating_sub(WAKE_LATE);
        self.late.record_paused(late.as_micros() as u64, INTERVAL.as_micros() as u64);
        self.next = now + INTERVAL;
    }

    /// Forgets what was noted so far.
    pub(super) fn reset(&mut self) {
        self.late.reset();
    }

    pub(super) fn late(self) -> Histogram {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Asked;

    #[test]
    fn a_thread_that_comes_late_counts_for_all_that_waited() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut pauses = Pauses::new(begun);
        assert_eq!(pauses.left(at(2)), Duration::from_millis(3));
        // Early, in time, within the kernel's millisecond, and 12 ms late behind it.
        for millis in [2, 5, 11, 29] {
            pauses.note(at(millis));
        }
        let late = pauses.late().percentiles(Asked::default()).unwrap();
        // 12, 7 and 2 ms, beside two that are in time.
        assert_eq!((late.count, late.min, late.max / 1_000), (5, 0, 12), "{late:?}");
    }
}
