//! Where a feed stands in its hours, and when to look again. Pure: the clock is passed in.

use crate::market::{Now, Phase, Schedule, UnixMicros};
use std::time::{Duration, Instant};

/// The longest time between two looks at the calendar: its clock may be set, or run on while the machine sleeps, which
/// the monotonic one does not show.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Follows a feed's schedule.
#[derive(Debug)]
pub(super) struct HoursWatch {
    schedule: Schedule,
    phase: Option<Phase>,
    next_look: Instant,
}

impl HoursWatch {
    /// The first look is due at once.
    pub(super) fn new(schedule: Schedule, now: Instant) -> Self {
        Self { schedule, phase: None, next_look: now }
    }

    /// When to look next.
    pub(super) fn deadline(&self) -> Instant {
        self.next_look
    }

    /// When the hours began that this time falls in, where they have a beginning.
    pub(super) fn opened(&self, now: UnixMicros) -> Option<UnixMicros> {
        self.schedule.opened(now)
    }

    /// Looks at the calendar; returns the phase if it is another one, or the first.
    pub(super) fn look(&mut self, now: Now) -> Option<Phase> {
        let change = self.schedule.next_change(now.unix);
        let wait = change.map_or(LOOK_EVERY, |change| {
            Duration::from_micros(u64::try_from(change.0 - now.unix.0).unwrap_or_default()).min(LOOK_EVERY)
        });
        self.next_look = now.instant + wait;
        let phase = self.schedule.phase(now.unix);
        (self.phase.replace(phase) != Some(phase)).then_some(phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Hours;

    #[test]
    fn each_phase_is_told_once_and_on_time() {
        // Monday 2026-01-05, 00:00 in New York.
        let start = Now { instant: Instant::now(), unix: UnixMicros(1_767_589_200_000_000) };
        let mut watch = HoursWatch::new(Schedule::new(Hours::UsEquities, Vec::new()), start.instant);
        let mut now = start;
        let mut told = Vec::new();
        while now.unix.0 < start.unix.0 + 86_400_000_000 {
            let wait = watch.deadline().saturating_duration_since(now.instant);
            assert!(wait <= LOOK_EVERY);
            now = now.after(wait);
            if let Some(phase) = watch.look(now) {
                told.push((now.instant.duration_since(start.instant).as_secs(), phase));
            }
        }
        let at = |hours: u64, minutes: u64, phase| (hours * 3_600 + minutes * 60, phase);
        assert_eq!(
            told,
            [
                at(0, 0, Phase::Closed),
                at(4, 0, Phase::Quiet),
                at(9, 30, Phase::Busy),
                at(16, 0, Phase::Quiet),
                at(20, 0, Phase::Closed)
            ]
        );
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_within_a_minute() {
        let start = Now { instant: Instant::now(), unix: UnixMicros(1_767_589_200_000_000) };
        let mut watch = HoursWatch::new(Schedule::new(Hours::UsEquities, Vec::new()), start.instant);
        assert_eq!(watch.look(start), Some(Phase::Closed));
        let set = Now { instant: watch.deadline(), unix: UnixMicros(start.unix.0 + 10 * 3_600_000_000) };
        assert_eq!((watch.look(set), set.instant - start.instant), (Some(Phase::Busy), LOOK_EVERY));
    }
}
