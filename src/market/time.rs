//! Time, which is always passed in: only the edges read a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A calendar time in µs since 1970-01-01T00:00:00Z: every time on the wire, and every time of a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// 1990-01-01. An earlier time of a venue does not count: zeros and defaults land in 1970.
    const EARLIEST: Self = Self(631_152_000_000_000);
    /// How far a venue's clock may run ahead of ours before its time does not count.
    const AHEAD_MAX_MICROS: i64 = 60_000_000;

    /// Returns the time if a venue can mean it: not before 1990, and at most a minute ahead of `now`.
    pub fn plausible(self, now: Self) -> Option<Self> {
        (self >= Self::EARLIEST && self.0 <= now.0.saturating_add(Self::AHEAD_MAX_MICROS)).then_some(self)
    }

    /// The time so much earlier.
    pub fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// One reading of both clocks: the monotonic one for deadlines, the calendar for the wire and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and ages inside the process.
    pub instant: Instant,
    /// For everything that leaves the process.
    pub unix: UnixMicros,
}

impl Now {
    /// Reads the clocks. Only the edges call this: the tasks, the worker threads, the command line.
    pub fn read() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix: UnixMicros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)) }
    }

    /// The moment of a time of the wall clock, by the clock that never steps; at the earliest now.
    pub fn instant_of(self, at: UnixMicros) -> Instant {
        let left = u64::try_from(at.0.saturating_sub(self.unix.0)).unwrap_or_default();
        self.instant + Duration::from_micros(left)
    }

    /// The reading `later` on: tests and simulations let time pass with it.
    pub fn after(self, later: Duration) -> Self {
        let micros = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
        Self { instant: self.instant + later, unix: UnixMicros(self.unix.0.saturating_add(micros)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1990_or_over_a_minute_ahead_does_not_count() {
        let now = UnixMicros(1_732_283_045_000_000);
        for (micros, plausible) in [
            (now.0, true),
            (0, false),
            (-1, false),
            (631_151_999_999_999, false),
            (631_152_000_000_000, true),
            (now.0 + 60_000_000, true),
            (now.0 + 60_000_001, false),
            (i64::MAX, false),
        ] {
            assert_eq!(UnixMicros(micros).plausible(now).is_some(), plausible, "{micros}");
        }
    }
}
