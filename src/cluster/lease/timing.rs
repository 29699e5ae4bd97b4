//! How long a lease lasts, for its owner and for the others, and the waits around it.

use std::time::Duration;

/// An owner writes its lease this often.
pub(super) const RENEW: Duration = Duration::from_millis(500);
/// After a write or a read that failed, the next one.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// A request that has no answer by then counts as unanswered.
pub(super) const WAIT: Duration = Duration::from_millis(1_500);
/// A node that does not own the shard reads its lease this often.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// A node claims a shard that has no lease once it has been up for this long: by then it has received the reports of
/// the others.
pub(super) const UP: Duration = Duration::from_secs(2);
/// While messages of the owner arrive, a claim waits for as long a silence.
pub(super) const QUIET: Duration = Duration::from_secs(2);
/// Between the claims of one node and the next best.
pub(super) const RANK: Duration = Duration::from_millis(300);
/// A node that never had the shard's state leaves it to others for this long.
pub(super) const UNSYNCED: Duration = Duration::from_secs(2);
/// The others leave a granted shard to its successor for this long.
pub(super) const GRANTED: Duration = Duration::from_secs(1);
/// A successor tries to get the last batches for this long. Then it starts a new epoch.
pub(super) const CATCH_UP: Duration = Duration::from_millis(500);

/// How long a lease lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTiming {
    /// An owner owns for this long from the sending of its last successful write.
    pub hold: Duration,
    /// The others claim after this long from learning of that write. The owner closes its connection to the venue then.
    pub take: Duration,
}

impl LeaseTiming {
    /// The timing of a lease of this length, 5 s to 60 s by the configuration.
    ///
    /// The owner stops a ninth before the others claim, and at least 1 s: clocks may run at rates that differ by 11 %.
    pub fn new(lease: Duration) -> Self {
        Self { hold: lease.saturating_sub((lease / 9).max(Duration::from_secs(1))), take: lease }
    }

    /// How long the others wait, in ms, as the lease's value says it.
    pub(super) fn take_ms(self) -> u64 {
        u64::try_from(self.take.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_stops_a_ninth_and_a_second_before_the_others_claim() {
        for (take, hold) in [(5_000, 4_000), (9_000, 8_000), (18_000, 16_000), (60_000, 53_333)] {
            let timing = LeaseTiming::new(Duration::from_millis(take));
            assert_eq!(timing.take, Duration::from_millis(take));
            assert_eq!(timing.hold.as_millis(), hold);
        }
    }
}
