//! When a worker takes changes, and how long it pauses once it has caught up: under a heavy load it makes fewer rounds
//! and larger writes. docs/decisions/0005-rounds.md says why; docs/performance.md, "Rests and intervals", has the
//! measurements.

use std::{
    mem,
    time::{Duration, Instant},
};

/// The load is judged over so long.
const WINDOW: Duration = Duration::from_millis(50);

/// A pause is so many times as long as the round before it.
const PAUSE_PER_ROUND: u32 = 2;
/// The longest pause that the load makes.
const PAUSE_MAX: Duration = Duration::from_millis(10);
/// Pauses of this length let so many rounds share a write at most. Streams with a rate of their own, and new ones,
/// write more ticks at a time, whatever the load is.
const SHARED_MAX: f64 = (1 + PAUSE_PER_ROUND) as f64;
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
        load: Load,
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
        interval.map_or(Self::Load { busy: Duration::ZERO, load: Load::default() }, |interval| Self::Fixed {
            interval,
            end: None,
        })
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

    /// How long to pause after a turn that began at `began` and took so long: not at all while there is more to do, or
    /// while the load is light. `written` counts since the worker's start.
    pub(super) fn pause_after(&mut self, began: Instant, took: Duration, wait: Wait, written: Written) -> Duration {
        let caught_up = wait != Wait::No;
        match self {
            Self::Load { busy, load } => {
                load.add(began, took, written);
                *busy += took;
                let pause = if caught_up { mem::take(busy) * PAUSE_PER_ROUND } else { Duration::ZERO };
                Some(pause.min(PAUSE_MAX)).filter(|pause| load.is_heavy && *pause >= PAUSE_MIN).unwrap_or_default()
            }
            Self::Fixed { end: Some(end), .. } if caught_up => end.saturating_duration_since(began + took),
            Self::Fixed { .. } => Duration::ZERO,
        }
    }
}

/// How many ticks and how many writes a worker has made since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Written {
    pub(super) ticks: u64,
    pub(super) writes: u64,
}

/// Whether a worker would be busy for over half of its time if each tick had a write of its own. Pauses let ticks share
/// writes, so the time for which it is busy would not tell by itself: it sinks with the first pause.
#[derive(Debug, Default)]
pub(super) struct Load {
    is_heavy: bool,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    busy: Duration,
    /// Counts at its begin.
    before: Written,
}

impl Load {
    fn add(&mut self, began: Instant, took: Duration, written: Written) {
        let window = self.window.get_or_insert(Window { began, busy: Duration::ZERO, before: Written::default() });
        window.busy += took;
        let elapsed = (began + took).saturating_duration_since(window.began);
        if elapsed >= WINDOW {
            let writes = (written.writes - window.before.writes).max(1);
            let ticks_per_write = (written.ticks - window.before.ticks) as f64 / writes as f64;
            let ticks_per_write = ticks_per_write.clamp(1.0, SHARED_MAX);
            self.is_heavy = window.busy.mul_f64(2.0 * ticks_per_write) > elapsed;
            self.window = Some(Window { began: began + took, busy: Duration::ZERO, before: written });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Turns of `took` each `every` for 150 ms, in each of which so many ticks and writes are made: the last pause.
    fn pause_under(took: u64, every: u64, ticks: u64, writes: u64) -> Duration {
        let (mut pace, start, mut pause) = (Pace::new(None), Instant::now(), Duration::ZERO);
        for turn in 0..150_000 / every {
            let written = Written { ticks: turn * ticks, writes: turn * writes };
            pause = pace.pause_after(start + micros(turn * every), micros(took), Wait::Forever, written);
        }
        pause
    }

    #[test]
    fn under_a_heavy_load_a_pause_grows_with_the_round_before_it_up_to_its_limit() {
        for (took, pause) in [(49, 0), (50, 100), (300, 600), (5_000, 10_000), (8_000, 10_000)] {
            assert_eq!(pause_under(took, took * 3 / 2, 1, 1), micros(pause), "after {took} µs");
        }
    }

    #[test]
    fn a_light_load_makes_no_pauses() {
        for (took, every) in [(300, 900), (1_000, 2_100), (5_000, 50_000)] {
            assert_eq!(pause_under(took, every, 100, 100), Duration::ZERO, "{took} of {every} µs");
        }
    }

    #[test]
    fn what_pauses_save_does_not_end_them() {
        assert_eq!(pause_under(300, 900, 200, 100), micros(600), "without pauses it would be busy for 600 of 900 µs");
        assert_eq!(pause_under(300, 900, 0, 100), Duration::ZERO, "heartbeats");
        assert_eq!(pause_under(300, 9_000, 7_500, 100), Duration::ZERO, "streams with a rate of their own");
    }

    #[test]
    fn the_load_of_the_last_window_decides() {
        let (mut pace, start) = (Pace::new(None), Instant::now());
        let mut at = |millis: u64, took| {
            pace.pause_after(start + micros(millis * 1_000), micros(took), Wait::Forever, Written::default())
        };
        assert_eq!(at(0, 40_000), Duration::ZERO, "the first window is not over");
        assert_eq!(at(45, 5_000), micros(10_000), "a heavy window");
        assert_eq!(at(80, 300), micros(600));
        assert_eq!(at(120, 300), Duration::ZERO, "a light one");
    }

    #[test]
    fn a_round_is_all_turns_since_the_last_pause() {
        let (mut pace, start) = (Pace::new(None), Instant::now());
        let mut at = |millis: u64, took, wait| {
            assert!(pace.may_take(start + micros(millis * 1_000)), "changes are taken in every turn");
            pace.pause_after(start + micros(millis * 1_000), micros(took), wait, Written::default())
        };
        assert_eq!(at(0, 60_000, Wait::Forever), micros(10_000), "a heavy load");
        assert_eq!(at(71, 1_000, Wait::No), Duration::ZERO);
        assert_eq!(at(72, 1_000, Wait::No), Duration::ZERO);
        assert_eq!(at(73, 500, Wait::Forever), micros(5_000));
        assert_eq!(at(79, 500, Wait::Forever), micros(1_000));
    }

    #[test]
    fn in_an_interval_changes_are_taken_once_whether_they_are_all_written_or_not() {
        let mut pace = Pace::new(Some(micros(20_000)));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        pace.changes_taken(at(0));
        assert_eq!(pace.pause_after(at(0), micros(3_000), Wait::No, Written::default()), Duration::ZERO);
        assert!(!pace.may_take(at(3)));
        assert_eq!(pace.pause_after(at(3), micros(5_000), Wait::Forever, Written::default()), micros(12_000));
        assert!(!pace.may_take(at(19)) && pace.may_take(at(20)));
        pace.changes_taken(at(20));
        assert_eq!(pace.pause_after(at(20), micros(19_000), Wait::No, Written::default()), Duration::ZERO);
        assert!(!pace.may_take(at(39)));
        assert_eq!(pace.pause_after(at(39), micros(4_000), Wait::No, Written::default()), Duration::ZERO);
        assert!(pace.may_take(at(43)), "the next interval may begin in the middle of a long round");
    }

    #[test]
    fn an_interval_begins_when_changes_are_taken_and_not_in_quiet() {
        let mut pace = Pace::new(Some(micros(20_000)));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(pace.may_take(at(0)));
        assert_eq!(
            pace.pause_after(at(0), micros(100), Wait::Forever, Written::default()),
            Duration::ZERO,
            "a turn that found nothing"
        );
        assert!(pace.may_take(at(1)));
        pace.changes_taken(at(1));
        assert!(!pace.may_take(at(20)) && pace.may_take(at(90)));
        assert_eq!(pace.pause_after(at(90), micros(100), Wait::Forever, Written::default()), Duration::ZERO);
    }

    #[test]
    fn an_interval_of_0_holds_nothing_back() {
        let mut pace = Pace::new(Some(Duration::ZERO));
        let now = Instant::now();
        pace.changes_taken(now);
        assert!(pace.may_take(now));
        assert_eq!(pace.pause_after(now, micros(300), Wait::Forever, Written::default()), Duration::ZERO);
    }
}
