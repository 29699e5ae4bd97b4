//! When an entry of a recording is due. Pure: the clock is passed in.

use crate::{recording::UnixNanos, venue::Speed};
use std::time::{Duration, Instant};

/// The longest wait between two entries: a recording with a night in it goes on.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// A machine that slept, or a reader that could not follow, does not get all that it missed at once.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The pace of a recording.
#[derive(Debug)]
pub(super) struct Pace {
    speed: Speed,
    /// The time of the last entry, and when it was due.
    last: Option<(UnixNanos, Instant)>,
}

impl Pace {
    pub(super) fn new(speed: Speed) -> Self {
        Self { speed, last: None }
    }

    /// When the next entry is due, which was recorded at this time. A time that steps back waits for nothing.
    pub(super) fn due(&mut self, at: UnixNanos, now: Instant) -> Instant {
        let Speed::Times(times) = self.speed else { return now };
        let due = match self.last {
            None => now,
            Some((last, due)) => {
                let recorded = Duration::from_nanos(at.saturating_sub(last));
                let wait = Duration::try_from_secs_f64(recorded.as_secs_f64() / times).unwrap_or(PAUSE_MAX);
                (due + wait.min(PAUSE_MAX)).max(now.checked_sub(CATCH_UP).unwrap_or(now))
            }
        };
        self.last = Some((at, due));
        due
    }

    /// The recording begins again.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: UnixNanos = 1_000_000_000;

    /// When entries of these times, in ns, are due, in ms since the first, if each is sent when it is due.
    fn waits(speed: Speed, times: &[UnixNanos]) -> Vec<u128> {
        let start = Instant::now();
        let mut now = start;
        let mut pace = Pace::new(speed);
        let due = |&at: &UnixNanos| {
            now = pace.due(at, now).max(now);
            (now - start).as_millis()
        };
        times.iter().map(due).collect()
    }

    #[test]
    fn entries_keep_their_distance() {
        let times = [5 * SECOND, 5 * SECOND, 6 * SECOND, 8 * SECOND];
        assert_eq!(waits(Speed::Times(1.0), &times), [0, 0, 1_000, 3_000]);
        assert_eq!(waits(Speed::Times(10.0), &times), [0, 0, 100, 300]);
        assert_eq!(waits(Speed::Times(0.5), &times), [0, 0, 2_000, 6_000]);
        assert_eq!(waits(Speed::Max, &times), [0, 0, 0, 0]);
    }

    #[test]
    fn a_time_that_steps_back_waits_for_nothing() {
        let times = [10 * SECOND, 3 * SECOND, 4 * SECOND, 11 * SECOND];
        assert_eq!(waits(Speed::Times(1.0), &times), [0, 0, 1_000, 8_000]);
    }

    #[test]
    fn rule_10_a_pause_has_a_limit() {
        let times = [0, 3_600 * SECOND, 3_601 * SECOND, UnixNanos::MAX];
        assert_eq!(waits(Speed::Times(1.0), &times), [0, 60_000, 61_000, 121_000]);
        assert_eq!(waits(Speed::Times(0.01), &[0, SECOND]), [0, 60_000]);
    }

    #[test]
    fn what_was_missed_is_not_played_at_once() {
        let start = Instant::now();
        let mut pace = Pace::new(Speed::Times(1.0));
        pace.due(0, start);
        let late = start + Duration::from_secs(100);
        assert_eq!(pace.due(SECOND, late), late - CATCH_UP);
        assert_eq!(pace.due(3 * SECOND, late), late + Duration::from_secs(1));
        pace.restart();
        assert_eq!(pace.due(0, late), late);
    }
}
