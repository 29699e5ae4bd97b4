//! When a client's rights end.

use crate::market::{Now, UnixMicros};
use std::time::Instant;

/// When a client's rights end: by the wall clock, which may step, or by the one that does not, whichever is earlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct RightsEnd {
    unix: UnixMicros,
    pub(super) instant: Instant,
}

impl RightsEnd {
    /// Rights that end at a time of the wall clock.
    pub(super) fn at(until: UnixMicros, now: Now) -> Self {
        Self { unix: until, instant: now.instant_of(until) }
    }

    /// Rights that have ended, and stay so if the wall clock is set back.
    pub(super) fn past(now: Now) -> Self {
        Self { unix: UnixMicros(i64::MIN), instant: now.instant }
    }

    /// Whether they have ended.
    pub(super) fn has_come(self, now: Now) -> bool {
        self.unix <= now.unix || self.instant <= now.instant
    }
}
