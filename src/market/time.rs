//! Time, always passed in: nothing behind the edges reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment by the calendar, in µs since 1970-01-01T00:00:00Z: all times of the wire, and all that venues give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// 1990-01-01: a venue's time before it is none (zeros and defaults land in 1970).
    const EARLIEST: Self = Self(631_152_000_000_000);
    /// How far a venue's clock may run ahead of ours before its time is none.
    const AHEAD_MAX_MICROS: i64 = 60_000_000;

    /// The moment, if a venue can mean it: neither before 1990 nor over a minute ahead of `now`.
    pub fn plausible(self, now: Self) -> Option<Self> {
        (self >= Self::EARLIEST && self.0 <= now.0.saturating_add(Self::AHEAD_MAX_MICROS)).then_some(self)
    }
}

/// One reading of both clocks: the monotonic one for what is to be done when, the calendar for what is told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and ages inside the process.
    pub instant: Instant,
    /// For everything that leaves it.
    pub unix: UnixMicros,
}

impl Now {
    /// Reads the clocks. Only the edges call this: the tasks, the worker threads, the command line.
    pub fn read() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix: UnixMicros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)) }
    }

    /// This moment, `later` on: how tests and simulations let time pass.
    pub fn after(self, later: Duration) -> Self {
        let micros = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
        Self { instant: self.instant + later, unix: UnixMicros(self.unix.0.saturating_add(micros)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1990_or_over_a_minute_ahead_is_none() {
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
