//! How long a worker rests between two rounds: under load, fewer and larger writes.

use std::time::Duration;

/// Experiments.
fn knob(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Decides when the next round may begin.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between the beginnings of two rounds; `None`: as the load has it.
    interval: Option<Duration>,
    /// What the round has taken so far.
    busy: Duration,
    k: f64,
    cap: Duration,
    min: Duration,
}

impl Pace {
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self {
            interval,
            busy: Duration::ZERO,
            k: knob("PACE_K", 1.0),
            cap: Duration::from_secs_f64(knob("PACE_CAP", 10.0) / 1e3),
            min: Duration::from_secs_f64(knob("PACE_MIN", 0.1) / 1e3),
        }
    }

    /// A turn took so long; returns the rest before the next one, if it was its round's last.
    pub(super) fn turn_took(&mut self, took: Duration, is_last: bool) -> Duration {
        self.busy += took;
        if !is_last {
            return Duration::ZERO;
        }
        let busy = std::mem::take(&mut self.busy);
        match self.interval {
            Some(interval) => interval.saturating_sub(busy),
            None => {
                let rest = busy.mul_f64(self.k).min(self.cap);
                if rest < self.min { Duration::ZERO } else { rest }
            }
        }
    }
}
