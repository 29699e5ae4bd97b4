//! How long a ready socket waits for the streams' thread: a timer of the kernel is one more socket of its poll. It gets
//! ready every few milliseconds, takes its place in the queue behind all that were ready before it, and shows how late
//! the thread gets there. A thread that reads for too long is late, and so is one that gets no core.

use crate::measure::Lateness;
use mio::{Interest, Registry, Token, unix::SourceFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

/// The timer's token. Connections are counted from 0.
pub(super) const TIMER: Token = Token(usize::MAX);
/// How often the timer gets ready.
const INTERVAL: Duration = Duration::from_millis(5);
/// The most times of one pause that are recorded: a minute of them.
const TIMES_MAX: u64 = 12_000;

/// The pauses of a thread.
pub(super) struct Pauses {
    timer: OwnedFd,
    times: Times,
}

/// The times at which the timer gets ready, and how late each was noticed.
struct Times {
    next: Instant,
    late: Lateness,
}

impl Pauses {
    /// Starts the timer.
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
        let next = Instant::now() + INTERVAL;
        let times = Itimerspec { it_interval: interval, it_value: interval };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &times)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self { timer, times: Times { next, late: Lateness::default() } })
    }

    /// The thread gets to the timer: notes how late it is, at `now` in µs since 1970.
    pub(super) fn note(&mut self, now: i64) {
        let mut count = [0; 8];
        if rustix::io::read(&self.timer, &mut count).is_ok() {
            self.times.note(u64::from_ne_bytes(count), Instant::now(), now);
        }
    }

    /// What was noted so far, by phases.
    pub(super) fn late(&mut self) -> &mut Lateness {
        &mut self.times.late
    }
}

impl Times {
    /// The timer has been ready so many times since it was last looked at; each would have waited until now.
    fn note(&mut self, count: u64, now: Instant, now_micros: i64) {
        for _ in 0..count.min(TIMES_MAX) {
            let late = now.saturating_duration_since(self.next).as_micros() as i64;
            self.late.record(now_micros - late, late);
            self.next += INTERVAL;
        }
        self.next += INTERVAL * u32::try_from(count.saturating_sub(TIMES_MAX)).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Asked;

    #[test]
    fn a_thread_that_comes_late_counts_for_all_that_waited() {
        let begun = Instant::now();
        let mut times = Times { next: begun + INTERVAL, late: Lateness::default() };
        times.late.begin_load(0);
        // In time, a millisecond late, and then late for three of them.
        for (count, millis) in [(1, 5), (1, 11), (3, 29)] {
            times.note(count, begun + Duration::from_millis(millis), 1_000_000);
        }
        let late = times.late.load.percentiles(Asked::default()).unwrap();
        // 0 and 1 ms; 14, 9 and 4 ms.
        assert_eq!((late.count, late.min, late.p50 / 1_000, late.max / 1_000), (5, 0, 4, 14), "{late:?}");
        assert_eq!(times.next, begun + Duration::from_millis(30));
    }

    #[test]
    fn a_timer_waits_behind_what_was_ready_before_it() {
        let mut poll = mio::Poll::new().unwrap();
        let mut pauses = Pauses::new(poll.registry()).unwrap();
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, None).unwrap();
        assert!(events.iter().all(|event| event.token() == TIMER) && !events.is_empty());
        pauses.note(1_000_000);
        assert!(pauses.late().opening.count() >= 1);
    }
}
