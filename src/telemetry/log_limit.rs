//! How often the same may be logged: what a venue or a client can cause at will must not fill a disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lets one line through per span, and counts those that it holds back.
#[derive(Debug)]
pub(crate) struct LogLimit {
    every: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    pub(crate) fn new(every: Duration) -> Self {
        Self { every, last: None, held_back: 0 }
    }

    /// Whether a line may be written: if so, how many were held back since the last.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now - last < self.every) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// The same for a line that many tasks write. A std mutex: held for a comparison.
#[derive(Debug)]
pub(crate) struct SharedLogLimit(Mutex<LogLimit>);

impl SharedLogLimit {
    pub(crate) fn new(every: Duration) -> Self {
        Self(Mutex::new(LogLimit::new(every)))
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
    fn rule_9_lines_are_limited_and_those_held_back_are_told() {
        let (mut limit, start) = (LogLimit::new(Duration::from_secs(10)), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(limit.admit(at(0)), Some(0));
        assert_eq!([limit.admit(at(1)), limit.admit(at(9))], [None, None]);
        assert_eq!(limit.admit(at(10)), Some(2));
        assert_eq!([limit.admit(at(19)), limit.admit(at(20))], [None, Some(1)]);
    }
}
