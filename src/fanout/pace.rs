//! How long a worker rests once it has caught up: as its load grows, fewer rounds and larger writes.

use std::{mem, time::Duration};

/// A rest is so many times as long as the round before it. docs/decisions/0005-rounds.md has the measurements of this and the next.
const REST_PER_ROUND: u32 = 2;
/// The longest rest that the load makes.
const REST_MAX: Duration = Duration::from_millis(10);
/// A shorter rest is none: the kernel's timers are not that exact, and it would spare nothing.
const REST_MIN: Duration = Duration::from_micros(100);

/// Decides when the next round may begin. A round is all turns from a rest to the one that leaves nothing to do.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between the beginnings of two rounds; `None`: as the load has it.
    interval: Option<Duration>,
    /// What the round has taken so far.
    busy: Duration,
}

impl Pace {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self { interval, busy: Duration::ZERO }
    }

    /// After a turn that took so long: the rest before the next one, which is none while there is more to do.
    pub(super) fn rest(&mut self, took: Duration, caught_up: bool) -> Duration {
        self.busy += took;
        if !caught_up {
            return Duration::ZERO;
        }
        let busy = mem::take(&mut self.busy);
        match self.interval {
            Some(interval) => interval.saturating_sub(busy),
            None => Some(REST_MAX.min(busy * REST_PER_ROUND)).filter(|rest| *rest >= REST_MIN).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn a_rest_grows_with_the_round_before_it_up_to_its_limit() {
        for (took, rest) in [(0, 0), (49, 0), (50, 100), (300, 600), (5_000, 10_000), (80_000, 10_000)] {
            assert_eq!(Pace::new(None).rest(micros(took), true), micros(rest), "after {took} µs");
        }
    }

    #[test]
    fn a_round_is_all_turns_since_the_last_rest() {
        let mut pace = Pace::new(None);
        assert_eq!(pace.rest(micros(1_000), false), Duration::ZERO);
        assert_eq!(pace.rest(micros(1_000), false), Duration::ZERO);
        assert_eq!(pace.rest(micros(500), true), micros(5_000));
        assert_eq!(pace.rest(micros(500), true), micros(1_000));
    }

    #[test]
    fn an_interval_is_from_beginning_to_beginning() {
        for (took, rest) in [(0, 20_000), (5_000, 15_000), (20_000, 0), (90_000, 0)] {
            assert_eq!(Pace::new(Some(micros(20_000))).rest(micros(took), true), micros(rest), "after {took} µs");
        }
        assert_eq!(Pace::new(Some(Duration::ZERO)).rest(micros(300), true), Duration::ZERO);
    }
}
