//! Until when an owner may publish, for whatever has to look at the clock by itself.

use super::super::{clock::Moment, token::Token};
use crate::market::UnixMicros;
use std::time::Duration;

/// Until when an owner may publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The shard's token.
    pub token: Token,
    /// When the newest write that succeeded was sent.
    pub counts_from: Moment,
    /// It is valid for this long, by each of the two clocks.
    pub hold: Duration,
}

impl Validity {
    /// Whether the owner may publish now.
    pub fn holds(&self, now: Moment) -> bool {
        now.longest_since(self.counts_from) < self.hold
    }

    /// When it ends: as soon as one of the two clocks shows this.
    pub fn until(self) -> Moment {
        let hold = i64::try_from(self.hold.as_micros()).unwrap_or(i64::MAX);
        let wall = UnixMicros(self.counts_from.wall.0.saturating_add(hold));
        Moment { boot: self.counts_from.boot.after(self.hold), wall }
    }
}
