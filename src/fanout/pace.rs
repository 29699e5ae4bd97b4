//! When a worker takes changes, and how long it pauses once it has caught up: as its load grows, it makes fewer rounds
//! and larger writes. docs/decisions/0005-rounds.md says why; docs/performance.md, "Rests and intervals", has the
//! measurements.

use std::{
    mem,
    time::{Duration, Instant},
};

/// A pause is so many times as long as the round before it.
const PAUSE_PER_ROUND: u32 = 2;
/// The longest pause that the load makes.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// A shorter pause is skipped: the kernel's timers are not that exact, and it would save nothing.
const PAUSE_MIN: Duration = Duration::from_micros(100);

/// When a worker wants its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There is more to do.
    No,
    /// At this moment, or as soon as something happens.
    Until(Instant),
    /// When something happens.
    Forever,
}

/// Decides when the next round may begin. A round is all turns from a pause to the turn that leaves nothing to do.
#[derive(Debug)]
pub(super) enum Pace {
    /// The load decides.
    Load {
        /// How long the running round has taken so far.
        busy: Duration,
    },
    /// The worker takes changes once in an interval, however long it takes to write them.
    Fixed {
        interval: Duration,
        /// The end of the interval that began when the worker took changes last.
        end: Option<Instant>,
    },
}

impl Pace {
    /// With a fixed interval; `None`: the load decides.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        interval.map_or(Self::Load { busy: Duration::ZERO }, |interval| Self::Fixed { interval, end: None })
    }

    /// Whether the worker may take changes now.
    pub(super) fn may_take(&self, now: Instant) -> bool {
        !matches!(self, Self::Fixed { end: Some(end), .. } if now < *end)
    }

    /// The worker has taken changes.
    pub(super) fn changes_taken(&mut self, now: Instant) {
        if let Self::Fixed { interval, end } = self {
            *end = Some(now + *interval);
        }
    }

    /// How long to pause after a turn that began at `began` and took so long: not at all while there is more to do.
    pub(super) fn pause_after(&mut self, began: Instant, took: Duration, wait: Wait) -> Duration {
        let caught_up = wait != Wait::No;
        match self {
            Self::Load { busy } => {
                *busy += took;
                let pause = if caught_up { mem::take(busy) * PAUSE_PER_ROUND } else { Duration::ZERO };
                Some(pause.min(PAUSE_MAX)).filter(|pause| *pause >= PAUSE_MIN).unwrap_or_default()
            }
            Self::Fixed { end: Some(end), .. } if caught_up => end.saturating_duration_since(began + took),
            Self::Fixed { .. } => Duration::ZERO,
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
    fn a_pause_grows_with_the_round_before_it_up_to_its_limit() {
        for (took, pause) in [(0, 0), (49, 0), (50, 100), (300, 600), (5_000, 10_000), (80_000, 10_000)] {
            let pauses = Pace::new(None).pause_after(Instant::now(), micros(took), Wait::Forever);
            assert_eq!(pauses, micros(pause), "after {took} µs");
        }
    }

    #[test]
    fn a_round_is_all_turns_since_the_last_pause() {
        let mut pace = Pace::new(None);
        let now = Instant::now();
        pace.changes_taken(now);
        assert!(pace.may_take(now), "changes are taken in every turn");
        assert_eq!(pace.pause_after(now, micros(1_000), Wait::No), Duration::ZERO);
        assert_eq!(pace.pause_after(now, micros(1_000), Wait::No), Duration::ZERO);
        assert_eq!(pace.pause_after(now, micros(500), Wait::Forever), micros(5_000));
        assert_eq!(pace.pause_after(now, micros(500), Wait::Forever), micros(1_000));
    }

    #[test]
    fn in_an_interval_changes_are_taken_once_whether_they_are_all_written_or_not() {
        let mut pace = Pace::new(Some(micros(20_000)));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        pace.changes_taken(at(0));
        assert_eq!(pace.pause_after(at(0), micros(3_000), Wait::No), Duration::ZERO);
        assert!(!pace.may_take(at(3)));
        assert_eq!(pace.pause_after(at(3), micros(5_000), Wait::Forever), micros(12_000));
        assert!(!pace.may_take(at(19)) && pace.may_take(at(20)));
        pace.changes_taken(at(20));
        assert_eq!(pace.pause_after(at(20), micros(19_000), Wait::No), Duration::ZERO);
        assert!(!pace.may_take(at(39)));
        assert_eq!(pace.pause_after(at(39), micros(4_000), Wait::No), Duration::ZERO);
        assert!(pace.may_take(at(43)), "the next interval may begin in the middle of a long round");
    }

    #[test]
    fn an_interval_begins_when_changes_are_taken_and_not_in_quiet() {
        let mut pace = Pace::new(Some(micros(20_000)));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(pace.may_take(at(0)));
        assert_eq!(pace.pause_after(at(0), micros(100), Wait::Forever), Duration::ZERO, "a turn that found nothing");
        assert!(pace.may_take(at(1)));
        pace.changes_taken(at(1));
        assert!(!pace.may_take(at(20)) && pace.may_take(at(90)));
        assert_eq!(pace.pause_after(at(90), micros(100), Wait::Forever), Duration::ZERO);
    }

    #[test]
    fn an_interval_of_0_holds_nothing_back() {
        let mut pace = Pace::new(Some(Duration::ZERO));
        let now = Instant::now();
        pace.changes_taken(now);
        assert!(pace.may_take(now));
        assert_eq!(pace.pause_after(now, micros(300), Wait::Forever), Duration::ZERO);
    }
}
