//! When updates are due.

use super::recording::Recording;
use std::{sync::Arc, time::Duration};

/// The updates that a venue sends, and when. Rates are updates per second of all symbols together. What changes over
/// time begins with [`Venue::begin_load`](super::Venue::begin_load).
#[derive(Debug, Clone)]
pub enum Load {
    /// Nothing.
    Quiet,
    /// A constant rate.
    Steady {
        /// Updates per second.
        rate: f64,
    },
    /// A rate that changes linearly, then stays constant.
    Ramp {
        /// Updates per second at first.
        from: f64,
        /// Updates per second in the end.
        to: f64,
        /// The duration of the change.
        over: Duration,
    },
    /// A constant rate with periodic bursts, as when a market opens.
    Bursts {
        /// Updates per second between bursts.
        rate: f64,
        /// The multiple of that rate during a burst.
        factor: f64,
        /// From the start of one burst to the start of the next; the first starts at once.
        every: Duration,
        /// The duration of a burst, at most `every`.
        lasts: Duration,
    },
    /// A rate that changes linearly in stages, from 0, and stays at that of the last one.
    Stages {
        /// Updates per second at the end of each, and how long it takes.
        stages: Vec<(f64, Duration)>,
    },
    /// A recording of a real market.
    Recording {
        /// The recording.
        recording: Arc<Recording>,
        /// The multiple of its own speed; `None`: as fast as it can be sent.
        speed: Option<f64>,
        /// Whether it starts over at its end.
        looped: bool,
    },
}

impl Load {
    /// Whether it changes over time, so that it must not begin before there is anything that reads it.
    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Quiet | Self::Steady { .. })
    }

    /// When the `n`-th update is due after the load's start, counted from 0; `None` after the last.
    pub(super) fn due(&self, n: u64) -> Option<Duration> {
        let count = n as f64;
        let seconds = match self {
            Self::Quiet => return None,
            Self::Steady { rate } => count / rate,
            Self::Ramp { from, to, over } => ramp(count, *from, *to, over.as_secs_f64()),
            Self::Bursts { rate, factor, every, lasts } => {
                bursts(count, *rate, *factor, every.as_secs_f64(), lasts.min(every).as_secs_f64())
            }
            Self::Stages { stages } => in_stages(count, stages)?,
            Self::Recording { recording, speed, looped } => {
                let (round, frame) = recording.place(n, *looped)?;
                let own = recording.length.as_secs_f64() * round as f64 + recording.updates[frame].at.as_secs_f64();
                speed.map_or(0.0, |speed| own / speed)
            }
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// The count grows as `from t + (to - from) t² / 2 over`, then linearly.
fn ramp(count: f64, from: f64, to: f64, over: f64) -> f64 {
    let in_ramp = (from + to) / 2.0 * over;
    if count >= in_ramp {
        return over + (count - in_ramp) / to;
    }
    let slope = (to - from) / over;
    // The root of slope/2 t² + from t - count, in the form that stays exact as the slope approaches 0.
    2.0 * count / (from + (from * from + 2.0 * slope * count).max(0.0).sqrt()).max(f64::MIN_POSITIVE)
}

/// `None`: the last stage has ended at 0, and all its updates are before.
fn in_stages(count: f64, stages: &[(f64, Duration)]) -> Option<f64> {
    let (mut rate, mut begin, mut left) = (0.0, 0.0, count);
    for (to, over) in stages {
        let over = over.as_secs_f64();
        let in_stage = (rate + to) / 2.0 * over;
        if left < in_stage {
            return Some(begin + ramp(left, rate, *to, over));
        }
        (rate, begin, left) = (*to, begin + over, left - in_stage);
    }
    (rate > 0.0).then(|| begin + left / rate)
}

fn bursts(count: f64, rate: f64, factor: f64, every: f64, lasts: f64) -> f64 {
    let in_burst = rate * factor * lasts;
    let in_cycle = in_burst + rate * (every - lasts);
    let cycles = (count / in_cycle).floor();
    let rest = count - cycles * in_cycle;
    let within = if rest < in_burst { rest / (rate * factor) } else { lasts + (rest - in_burst) / rate };
    cycles * every + within
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(load: &Load, n: u64) -> f64 {
        load.due(n).map_or(f64::NAN, |due| due.as_secs_f64())
    }

    #[test]
    fn updates_are_due_at_the_rate() {
        let s = Duration::from_secs;
        let steady = Load::Steady { rate: 100.0 };
        let ramp = Load::Ramp { from: 0.0, to: 100.0, over: s(10) };
        let flat = Load::Ramp { from: 100.0, to: 100.0, over: s(10) };
        let bursts = Load::Bursts { rate: 10.0, factor: 10.0, every: s(5), lasts: s(1) };
        let hold = Load::Stages { stages: vec![(100.0, s(10)), (100.0, s(10)), (20.0, s(0)), (20.0, s(5))] };
        // 100 in the burst, 40 in the rest of its cycle.
        let table = [
            (&steady, 0, 0.0),
            (&steady, 250, 2.5),
            (&ramp, 0, 0.0),
            (&ramp, 125, 5.0),
            (&ramp, 500, 10.0),
            (&ramp, 700, 12.0),
            (&flat, 250, 2.5),
            (&bursts, 50, 0.5),
            (&bursts, 100, 1.0),
            (&bursts, 120, 3.0),
            (&bursts, 140, 5.0),
            (&bursts, 190, 5.5),
            // 500 in the ramp, 1,000 held, and then a step down.
            (&hold, 0, 0.0),
            (&hold, 125, 5.0),
            (&hold, 700, 12.0),
            (&hold, 1_500, 20.0),
            (&hold, 1_520, 21.0),
            (&hold, 1_620, 26.0),
        ];
        for (load, n, wanted) in table {
            assert!((seconds(load, n) - wanted).abs() < 1e-6, "{load:?} {n}: {}", seconds(load, n));
        }
        assert_eq!(Load::Quiet.due(0), None);
        // Up and down again: nothing is due behind the end.
        let hill = Load::Stages { stages: vec![(10.0, s(10)), (0.0, s(10))] };
        assert!((seconds(&hill, 50) - 10.0).abs() < 1e-6 && (seconds(&hill, 99) - 18.586).abs() < 1e-3);
        assert_eq!(hill.due(100), None);
    }

    #[test]
    fn due_times_never_decrease() {
        let s = Duration::from_secs;
        for load in [
            Load::Ramp { from: 1.0, to: 1_000.0, over: s(3) },
            Load::Ramp { from: 1_000.0, to: 1.0, over: s(3) },
            Load::Stages { stages: vec![(1_000.0, s(3)), (0.0, s(1)), (0.0, s(1)), (10.0, s(1)), (500.0, s(0))] },
            Load::Bursts { rate: 33.0, factor: 7.0, every: s(2), lasts: s(1) },
        ] {
            let dues: Vec<_> = (0..5_000).map(|n| load.due(n)).collect();
            assert!(dues.is_sorted(), "{load:?}");
        }
    }
}
