//! The metrics of a delay line.

use crate::telemetry::catalog::{DELAY_NOTES, DELAY_STEP, DELAY_STEP_DOUBLED};
use metrics::{Counter, Gauge};
use std::time::Duration;

/// What operators see of a line.
#[derive(Clone)]
pub struct DelayMetrics {
    notes: Gauge,
    step: Gauge,
    doubled: Counter,
}

impl DelayMetrics {
    /// Registers those of a feed's line with the installed recorder.
    pub fn register(feed: &str) -> Self {
        let feed = || [feed.to_owned().into()];
        let metrics = Self {
            notes: DELAY_NOTES.handle(feed()),
            step: DELAY_STEP.handle(feed()),
            doubled: DELAY_STEP_DOUBLED.handle(feed()),
        };
        metrics.doubled.increment(0);
        metrics
    }

    pub(super) fn publish(&self, notes: usize, step: Duration) {
        self.notes.set(notes as f64);
        self.step.set(step.as_secs_f64());
    }

    pub(super) fn doubled(&self) {
        self.doubled.increment(1);
    }
}
