//! The cache's metrics.

use super::names;
use metrics::{Counter, counter};

/// What came of updates.
#[derive(Clone)]
pub struct CacheMetrics {
    ticks: Counter,
    unchanged: Counter,
    late: Counter,
}

impl CacheMetrics {
    /// Registers them with the installed recorder.
    pub fn register() -> Self {
        let result = |result: &'static str| counter!(names::CACHE_UPDATES, "result" => result);
        Self { ticks: result("tick"), unchanged: result("unchanged"), late: result("late") }
    }

    /// Counts a batch.
    pub fn count(&self, ticks: u64, unchanged: u64, late: u64) {
        self.ticks.increment(ticks);
        self.unchanged.increment(unchanged);
        self.late.increment(late);
    }
}
