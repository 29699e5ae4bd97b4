//! Limits how often a line is logged: a line that a venue or a client can cause at will must not fill a disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Admits one line per interval, and counts the lines that it holds back.
#[derive(Debug)]
pub(crate) struct LogLimit {
    interval: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, last: None, held_back: 0 }
    }

    /// Returns, if a line may be logged now, how many were held back since the last one.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now - last < self.interval) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// A [`LogLimit`] for a line that many tasks log. A std mutex is enough: it is held for a comparison.
#[derive(Debug)]
pub(crate) struct SharedLogLimit(Mutex<LogLimit>);

impl SharedLogLimit {
    pub(crate) fn new(interval: Duration) -> Self {
        Self(Mutex::new(LogLimit::new(interval)))
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
}
