//! How much a client may send behind its request.

use std::time::{Duration, Instant};

/// The most bytes that a client may send behind its request within [`INPUT_SPAN`]. It has nothing to say, but some
/// clients send keep-alive bytes for as long as the stream lives.
const INPUT_BYTES_MAX: usize = 16 * 1024;
const INPUT_SPAN: Duration = Duration::from_secs(60);

/// How much a client has sent lately.
#[derive(Default)]
pub(super) struct Input {
    bytes: usize,
    /// When the current span began, if anything came at all.
    since: Option<Instant>,
}

impl Input {
    /// Counts bytes that the client sent; returns whether they are too many.
    pub(super) fn is_too_much(&mut self, bytes: usize, now: Instant) -> bool {
        let since = self.since.filter(|&since| now.saturating_duration_since(since) < INPUT_SPAN);
        self.bytes = bytes + since.map_or(0, |_| self.bytes);
        self.since = since.or(Some(now));
        self.bytes > INPUT_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_a_client_may_send_a_little_for_ever_but_not_much_at_once() {
        let start = Instant::now();
        let mut input = Input::default();
        let mut at = |seconds, bytes| input.is_too_much(bytes, start + Duration::from_secs(seconds));
        assert!((0..100_000).all(|second| !at(second, 200)), "200 bytes a second, for a day");
        assert!(!at(200_000, INPUT_BYTES_MAX));
        assert!(at(200_059, 1));
        assert!(!at(200_060, INPUT_BYTES_MAX));
        assert!(at(200_060, 1));
    }
}
