//! What a symbol shows while it is cut off from its owner.

use super::tick::Tick;
use crate::market::{Guards, Now, Reason, Snapshot};
use std::sync::Arc;

/// A symbol that is cut off from its owner.
pub(super) struct CutOff {
    /// The owner's last tick. Its version does not count.
    pub(super) said: Arc<Tick>,
    pub(super) reason: Reason,
    pub(super) since: Now,
}

impl CutOff {
    /// Makes what the owner said stale, from the begin of the cut-off on.
    pub(super) fn make_stale(&self, snapshot: &mut Snapshot) {
        snapshot.outage(self.reason, &mut Guards::default(), self.since);
    }
}
