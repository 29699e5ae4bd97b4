//! What may be logged of what came from outside, and how often.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// Bytes from outside as a log line may show them: escaped, so that they forge no line and no colour, and cut.
pub(super) struct Excerpt<'a>(pub(super) &'a [u8]);

/// Enough to recognise a message by.
const EXCERPT_BYTES_MAX: usize = 160;

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(EXCERPT_BYTES_MAX)];
        write!(f, "{}", shown.escape_ascii())?;
        if shown.len() < self.0.len() {
            write!(f, "… ({} bytes)", self.0.len())?;
        }
        Ok(())
    }
}

/// Lets one line through per span, and counts those that it holds back.
#[derive(Debug)]
pub(super) struct LogLimit {
    every: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl LogLimit {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: None, held_back: 0 }
    }

    /// Whether a line may be written: if so, how many were held back since the last.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now - last < self.every) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_can_forge_no_line() {
        assert_eq!(Excerpt(b"a\r\n\x1b[31m\"\xff").to_string(), "a\\r\\n\\x1b[31m\\\"\\xff");
        let long = Excerpt(&[b'x'; 1_000]).to_string();
        assert_eq!(long, format!("{}… (1000 bytes)", "x".repeat(EXCERPT_BYTES_MAX)));
    }

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
