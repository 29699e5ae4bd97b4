//! Until when an owner may publish, for whatever has to look at the clock by itself.

use super::super::{clock::Moment, token::Token};
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
}
