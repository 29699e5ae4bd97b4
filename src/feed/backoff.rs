//! How long to wait before the next attempt: exponential, with full jitter and a cap. Pure: the random number is
//! passed in.

use std::time::Duration;

/// Waits that grow while attempts fail. Full jitter spreads the clients of a venue that comes back over the whole span.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// The first wait is up to `first`, each further one up to twice as long, none longer than `max`.
    pub(super) fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, failures: 0 }
    }

    /// Counts a failure; returns the wait before the next attempt. `random` is evenly spread over 0 to 1.
    pub(super) fn fail(&mut self, random: f64) -> Duration {
        let longest = self.first.saturating_mul(2_u32.saturating_pow(self.failures)).min(self.max);
        self.failures = self.failures.saturating_add(1);
        // A random number out of its range must not become a panic or a wait without end.
        let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 1.0 };
        longest.mul_f64(random)
    }

    /// All is well again: the next failure counts as the first.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIRST: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(60);

    #[test]
    fn waits_double_up_to_the_cap_and_restart_after_a_reset() {
        let mut backoff = Backoff::new(FIRST, MAX);
        let waits: Vec<_> = (0..8).map(|_| backoff.fail(1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        for _ in 0..100 {
            assert_eq!(backoff.fail(1.0), MAX);
        }
        backoff.reset();
        assert_eq!(backoff.fail(0.5), FIRST / 2);
        assert_eq!(backoff.fail(0.0), Duration::ZERO, "the jitter is full");
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_cap(random in any::<f64>(), failures in 0_u32..80) {
            let mut backoff = Backoff::new(FIRST, MAX);
            for _ in 0..failures {
                backoff.fail(0.0);
            }
            prop_assert!(backoff.fail(random) <= MAX);
        }
    }
}
