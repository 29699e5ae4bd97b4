//! The cache's metrics.

use super::catalog::CACHE_UPDATES;
use metrics::Counter;

/// Counts updates by their result.
#[derive(Clone)]
pub struct CacheMetrics {
    ticks: Counter,
    unchanged: Counter,
    late: Counter,
    hidden: Counter,
}

impl CacheMetrics {
    /// Registers them with the installed recorder.
    pub fn register() -> Self {
        Self {
            ticks: CACHE_UPDATES.handle(["tick".into()]),
            unchanged: CACHE_UPDATES.handle(["unchanged".into()]),
            late: CACHE_UPDATES.handle(["late".into()]),
            hidden: CACHE_UPDATES.handle(["hidden".into()]),
        }
    }

    /// Counts a batch.
    pub fn count(&self, ticks: u64, unchanged: u64, late: u64, hidden: u64) {
        self.ticks.increment(ticks);
        self.unchanged.increment(unchanged);
        self.late.increment(late);
        self.hidden.increment(hidden);
    }
}
