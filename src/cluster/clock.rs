//! The clocks of a cluster's machines, which are always passed in.

use crate::market::UnixMicros;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// A moment in µs of `CLOCK_BOOTTIME`, which counts the time in which the machine is suspended and never steps.
///
/// Moments of two machines cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot(pub u64);

impl Boot {
    /// The moment `later` on.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// One reading of both clocks of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For deadlines.
    pub boot: Boot,
    /// The wall clock, which may step. It also counts the time in which a virtual machine was stopped from outside.
    pub wall: UnixMicros,
}

impl Moment {
    /// Reads both clocks. Only tasks call this.
    pub fn read() -> Self {
        Self { boot: Boot(micros(ClockId::Boottime)), wall: UnixMicros(micros(ClockId::Realtime).cast_signed()) }
    }

    /// The time since an earlier reading, by the clock that counted more.
    ///
    /// `CLOCK_BOOTTIME` does not count the time in which a virtual machine is stopped from outside; the wall clock
    /// does once it is set again. A wall clock that is set forward makes the time look longer, never shorter.
    pub fn longest_since(self, earlier: Self) -> Duration {
        let wall = u64::try_from(self.wall.0.saturating_sub(earlier.wall.0)).unwrap_or_default();
        self.boot.since(earlier.boot).max(Duration::from_micros(wall))
    }
}

fn micros(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_counted_more_gives_the_time_since_a_reading() {
        let reading = |boot, wall| Moment { boot: Boot(boot), wall: UnixMicros(wall) };
        let earlier = reading(1_000, 50_000);
        for (now, micros) in [
            (reading(1_000, 50_000), 0),
            (reading(1_700, 50_600), 700),
            (reading(1_600, 50_700), 700),
            (reading(1_600, 10_000), 600),
            (reading(900, 49_000), 0),
            (reading(1_001, i64::MIN), 1),
        ] {
            assert_eq!(now.longest_since(earlier), Duration::from_micros(micros), "{now:?}");
        }
    }

    #[test]
    fn moments_saturate() {
        assert_eq!(Boot(5).after(Duration::MAX), Boot(u64::MAX));
        assert_eq!(Boot(5).since(Boot(6)), Duration::ZERO);
        assert_eq!(Boot(6).after(Duration::from_micros(4)).since(Boot(6)), Duration::from_micros(4));
    }
}
