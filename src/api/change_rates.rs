//! How often streams are changed. A request over the rate is refused before its body is parsed.

use super::error::ApiError;
use crate::{auth::Subject, fanout::StreamAddress};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a stream may be changed.
const CHANGE_EVERY: Duration = Duration::from_millis(100);
/// How many changes may come at once.
const CHANGES_AT_ONCE: u32 = 20;
/// The most streams whose changes are not paid for. A change is paid for within 2 s, so that one address does not get
/// there: it would take 32,768 requests a second.
const UNPAID_MAX: usize = 65_536;
/// A table of fewer entries is not swept.
const SWEPT_MIN: usize = 1_024;

/// Whose rate a request counts to: the stream's, as far as this subject changes it. So a client that only knows a
/// stream's name keeps its owner from nothing.
type Payer = (StreamAddress, Option<Subject>);

/// The changes of all streams.
#[derive(Default)]
pub(super) struct ChangeRates(Mutex<Unpaid>);

/// Held for a look-up, or now and then for a sweep.
#[derive(Default)]
struct Unpaid {
    /// When the changes so far are paid for: each costs [`CHANGE_EVERY`].
    paid_at: HashMap<Payer, Instant>,
    /// How many entries the last sweep left, and when it was.
    swept: usize,
    swept_at: Option<Instant>,
}

impl ChangeRates {
    /// Counts a request to change a stream.
    ///
    /// # Errors
    /// [`ApiError::TooManyChanges`] of this stream, [`ApiError::ChangesBusy`]: too many of all.
    pub(super) fn count(&self, stream: StreamAddress, subject: Option<Subject>, now: Instant) -> Result<(), ApiError> {
        // A panic ends the process, so a poisoned lock is never seen.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count((stream, subject), now)
    }
}

impl Unpaid {
    fn count(&mut self, payer: Payer, now: Instant) -> Result<(), ApiError> {
        self.sweep(now);
        let is_full = self.paid_at.len() >= UNPAID_MAX;
        let paid_at = match self.paid_at.get(&payer) {
            None if is_full => return Err(ApiError::ChangesBusy),
            before => before.map_or(now, |before| now.max(*before)),
        };
        if paid_at.saturating_duration_since(now) > CHANGE_EVERY * (CHANGES_AT_ONCE - 1) {
            return Err(ApiError::TooManyChanges);
        }
        self.paid_at.insert(payer, paid_at + CHANGE_EVERY);
        Ok(())
    }

    /// Forgets what is paid for: whenever the table has doubled, and while it is full as often as a change is paid for.
    fn sweep(&mut self, now: Instant) {
        let count = self.paid_at.len();
        let is_long_ago = || self.swept_at.is_none_or(|at| now.saturating_duration_since(at) >= CHANGE_EVERY);
        if count >= (2 * self.swept).max(SWEPT_MIN) || (count >= UNPAID_MAX && is_long_ago()) {
            self.paid_at.retain(|_, paid_at| *paid_at > now);
            self.swept = self.paid_at.len();
            self.swept_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{auth::SubjectKey, cache::WorkerIndex};

    fn stream(key: u64) -> StreamAddress {
        StreamAddress { worker: WorkerIndex::new(0).unwrap(), key }
    }

    #[test]
    fn rule_10_a_stream_takes_twenty_changes_at_once_and_ten_a_second() {
        let start = Instant::now();
        let rates = ChangeRates::default();
        for _ in 0..CHANGES_AT_ONCE {
            assert_eq!(rates.count(stream(1), None, start), Ok(()));
        }
        assert_eq!(rates.count(stream(1), None, start), Err(ApiError::TooManyChanges));
        assert_eq!(rates.count(stream(2), None, start), Ok(()), "another stream");
        let other = SubjectKey::new([1; 32]).subject("u17");
        assert_eq!(rates.count(stream(1), Some(other), start), Ok(()), "another subject");
        let mut counted = 0;
        for millis in 1..=10_000 {
            counted += u32::from(rates.count(stream(1), None, start + Duration::from_millis(millis)).is_ok());
        }
        assert_eq!(counted, 100);
        let later = start + Duration::from_secs(60);
        let burst = (0..100).filter(|_| rates.count(stream(1), None, later).is_ok()).count();
        assert_eq!(burst, 20, "quiet saves up no more than that");
    }

    #[test]
    fn rule_10_only_so_many_streams_owe_changes_and_those_that_have_paid_are_forgotten() {
        let start = Instant::now();
        let mut unpaid = Unpaid::default();
        let count = |unpaid: &mut Unpaid, key: usize, now| unpaid.count((stream(key as u64), None), now);
        for key in 0..UNPAID_MAX {
            assert_eq!(count(&mut unpaid, key, start), Ok(()));
        }
        assert_eq!(count(&mut unpaid, UNPAID_MAX, start), Err(ApiError::ChangesBusy));
        assert_eq!(count(&mut unpaid, 0, start), Ok(()), "one of those");
        assert_eq!(count(&mut unpaid, UNPAID_MAX, start + CHANGE_EVERY), Ok(()));
        assert_eq!(unpaid.paid_at.len(), 2, "the stream that owes another, and the newest");
        for key in 0..10 * SWEPT_MIN {
            let now = start + CHANGE_EVERY * (2 + key as u32);
            assert_eq!(count(&mut unpaid, key, now), Ok(()));
            assert!(unpaid.paid_at.len() <= SWEPT_MIN, "though it is far from full");
        }
    }
}
