//! What a stream keeps of its changes: pure.

use crate::fanout::{change::ChangeRefused, cursors::Slot};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// How often a stream may be changed.
const CHANGE_EVERY: Duration = Duration::from_millis(100);
/// How many changes may come at once.
const CHANGES_AT_ONCE: u32 = 20;

/// What a stream keeps of its changes. One that is never changed has none.
pub(super) struct Changes {
    /// The highest number of a change.
    rev: u64,
    /// When the changes so far are paid for: each costs [`CHANGE_EVERY`].
    paid_at: Instant,
    /// When ticks were written last, as far as that paces the next: from the first change on.
    pub(super) paced_at: Option<Instant>,
    /// The event of the newest change, as long as the transport has not taken a byte of it.
    pub(super) event: Option<Bytes>,
    /// The slots that were removed since an event was begun: the client still believes to have them. One that is added
    /// again goes on where it was, as its client sees no removal. So they are never more than one list has.
    pub(super) removed: Vec<Slot>,
}

impl Changes {
    pub(super) fn new(now: Instant) -> Self {
        Self { rev: 0, paid_at: now, paced_at: None, event: None, removed: Vec::new() }
    }

    /// Counts a change; returns the number that it has.
    ///
    /// # Errors
    /// It comes too soon, or too late.
    pub(super) fn admit(&mut self, rev: Option<u64>, now: Instant) -> Result<u64, ChangeRefused> {
        let paid_at = self.paid_at.max(now);
        if paid_at.saturating_duration_since(now) > CHANGE_EVERY * (CHANGES_AT_ONCE - 1) {
            return Err(ChangeRefused::TooMany);
        }
        self.paid_at = paid_at + CHANGE_EVERY;
        match rev {
            Some(rev) if rev <= self.rev => Err(ChangeRefused::OldRevision { last: self.rev }),
            rev => Ok(rev.unwrap_or(self.rev)),
        }
    }

    /// A change is carried out: its event is to go out, in the place of one that was not begun.
    pub(super) fn carried_out(&mut self, rev: u64, event: Bytes) {
        self.rev = rev;
        self.event = Some(event);
    }

    /// The transport has taken a byte of the event.
    pub(super) fn event_begun(&mut self) {
        self.event = None;
        self.removed = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_a_stream_takes_twenty_changes_at_once_and_ten_a_second() {
        let start = Instant::now();
        let mut changes = Changes::new(start);
        for _ in 0..CHANGES_AT_ONCE {
            assert_eq!(changes.admit(None, start), Ok(0));
        }
        assert_eq!(changes.admit(None, start), Err(ChangeRefused::TooMany));
        let mut admitted = 0;
        for millis in 1..=10_000 {
            admitted += u32::from(changes.admit(None, start + Duration::from_millis(millis)).is_ok());
        }
        assert_eq!(admitted, 100);
        let later = start + Duration::from_secs(60);
        let burst = (0..100).filter(|_| changes.admit(None, later).is_ok()).count();
        assert_eq!(burst, 20, "quiet saves up no more than that");
    }

    #[test]
    fn a_number_must_rise_once_its_change_is_carried_out() {
        let now = Instant::now();
        let mut changes = Changes::new(now);
        assert_eq!(changes.admit(Some(3), now), Ok(3));
        assert_eq!(changes.admit(Some(3), now), Ok(3), "the one before was not carried out");
        changes.carried_out(3, Bytes::new());
        assert_eq!(changes.admit(Some(3), now), Err(ChangeRefused::OldRevision { last: 3 }));
        assert_eq!(changes.admit(Some(0), now), Err(ChangeRefused::OldRevision { last: 3 }));
        assert_eq!(changes.admit(None, now), Ok(3));
        assert_eq!(changes.admit(Some(4), now), Ok(4));
    }
}
