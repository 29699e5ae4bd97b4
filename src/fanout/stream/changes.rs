//! What a stream keeps for its changes: pure.

use crate::fanout::{change::ChangeRefused, cursors::Removed, unlisted::Unlisted};
use bytes::Bytes;
use std::time::Instant;

/// What a stream keeps for its changes.
#[derive(Default)]
pub(super) struct Changes {
    /// The highest number of a change.
    rev: u64,
    /// What its client named beside the symbols that it carries: a change that does not mention the list repeats it.
    pub(super) unlisted: Unlisted,
    /// When ticks were written last, as far as that paces the next: from the first change on.
    pub(super) paced_at: Option<Instant>,
    /// The event of the newest change, as long as the transport has not taken a byte of it.
    pub(super) event: Option<Bytes>,
    /// The slots that were removed since an event was begun: the client still believes to have them. One that is added
    /// again goes on where it was, as its client sees no removal. So they are never more than one list has.
    pub(super) removed: Vec<Removed>,
}

impl Changes {
    pub(super) fn new(unlisted: Unlisted) -> Self {
        Self { unlisted, ..Self::default() }
    }

    /// The number that a change has.
    ///
    /// # Errors
    /// It comes too late.
    pub(super) fn number(&self, rev: Option<u64>) -> Result<u64, ChangeRefused> {
        match rev {
            Some(rev) if rev <= self.rev => Err(ChangeRefused::OldRevision { last: self.rev }),
            rev => Ok(rev.unwrap_or(self.rev)),
        }
    }

    /// A change is carried out: its event is to go out, in the place of one that was not begun.
    pub(super) fn carried_out(&mut self, rev: u64, unlisted: Unlisted, event: Bytes) {
        self.rev = rev;
        self.unlisted = unlisted;
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
    fn a_number_must_rise_once_its_change_is_carried_out() {
        let mut changes = Changes::default();
        assert_eq!(changes.number(Some(3)), Ok(3));
        assert_eq!(changes.number(Some(3)), Ok(3), "the one before was not carried out");
        changes.carried_out(3, Unlisted::default(), Bytes::new());
        assert_eq!(changes.number(Some(3)), Err(ChangeRefused::OldRevision { last: 3 }));
        assert_eq!(changes.number(Some(0)), Err(ChangeRefused::OldRevision { last: 3 }));
        assert_eq!(changes.number(None), Ok(3));
        assert_eq!(changes.number(Some(4)), Ok(4));
    }
}
