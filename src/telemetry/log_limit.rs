//! Limits how often a line is logged: a line that a venue or a client can cause at will must not fill a disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Admits a burst of lines, then one per interval, and counts the lines that it holds back.
#[derive(Debug)]
pub(crate) struct LogLimit {
    interval: Duration,
    /// How many lines pass at once after a rest of as many intervals.
    burst: u32,
    /// When the burst is whole again.
    whole_at: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    pub(crate) fn new(interval: Duration) -> Self {
        Self::with_burst(interval, 1)
    }

    /// As [`LogLimit::new`], with this many lines at once.
    pub(crate) fn with_burst(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, whole_at: None, held_back: 0 }
    }

    /// Returns, if a line may be logged now, how many were held back since the last one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        let whole_at = self.whole_at.map_or(now, |at| at.max(now));
        if whole_at - now > self.interval * (self.burst - 1) {
            self.held_back += 1;
            return None;
        }
        self.whole_at = Some(whole_at + self.interval);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// A [`LogLimit`] for a line that many tasks log. A std mutex is enough: it is held for a comparison.
#[derive(Debug)]
pub(crate) struct SharedLogLimit(Mutex<LogLimit>);

impl SharedLogLimit {
    pub(crate) fn new(interval: Duration) -> Self {
        Self::with_burst(interval, 1)
    }

    /// As [`LogLimit::with_burst`].
    pub(crate) fn with_burst(interval: Duration, burst: u32) -> Self {
        Self(Mutex::new(LogLimit::with_burst(interval, burst)))
    }

    /// As [`LogLimit::admit`].
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_9_lines_are_limited_and_those_held_back_are_counted() {
        let mut limit = LogLimit::new(Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.admit(at(0)), Some(0));
        assert_eq!([limit.admit(at(1)), limit.admit(at(9))], [None, None]);
        assert_eq!(limit.admit(at(10)), Some(2));
        assert_eq!([limit.admit(at(19)), limit.admit(at(20))], [None, Some(1)]);
    }

    #[test]
    fn rule_9_a_burst_of_lines_passes_and_the_next_one_only_after_a_rest() {
        let mut limit = LogLimit::with_burst(Duration::from_secs(1), 3);
        let start = Instant::now();
        let mut at = |millis| limit.admit(start + Duration::from_millis(millis));
        assert_eq!([at(0), at(0), at(0), at(0), at(999)], [Some(0), Some(0), Some(0), None, None]);
        assert_eq!([at(1_000), at(1_000)], [Some(2), None]);
        assert_eq!([at(60_000), at(60_000), at(60_000), at(60_000)], [Some(1), Some(0), Some(0), None]);
    }
}
