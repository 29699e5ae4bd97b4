//! An owner whose feed fails: when it gives the shard away, and for how long it does not take it back.
//!
//! Whether a venue can be reached may depend on the node: its network, its address, its keys. So the shard moves, but
//! with a pause. Where the feed fails on all nodes, each of them tries it once, and the last one keeps the shard until
//! the time of another has passed.

use crate::{cluster::clock::Boot, feed::FeedState};
use std::time::Duration;

/// An owner whose feed has failed for so long gives the shard away.
pub const FEED_FAILED_MAX: Duration = Duration::from_secs(30);
/// A node whose feed failed for so long does not take the shard from another one for so long.
pub const AVOIDED: Duration = Duration::from_secs(600);
/// A feed that is up for so long is mended: what was before does not count any more.
const STEADY: Duration = Duration::from_secs(30);
/// While no other node takes the shard, the owner asks again as often.
const AGAIN: Duration = Duration::from_secs(10);

/// The feed of one shard on one node.
#[derive(Debug, Default)]
pub(super) struct FeedTrouble {
    /// From when on the feed of this owner counts as failed, unless it is up.
    counts_from: Option<Boot>,
    /// Since when it is up.
    up_since: Option<Boot>,
    /// When the owner asks the others.
    ask_at: Option<Boot>,
    /// Operators were told that no other node takes the shard.
    pub(super) is_told: bool,
    avoided_until: Option<Boot>,
}

impl FeedTrouble {
    /// The node owns the shard, and its feed begins.
    pub(super) fn begin(&mut self) {
        *self = Self { avoided_until: self.avoided_until, ..Self::default() };
    }

    /// The owner's feed has this state.
    pub(super) fn on_state(&mut self, state: FeedState, now: Boot) {
        match state {
            FeedState::Live | FeedState::Mute | FeedState::Quiet => {
                self.up_since.get_or_insert(now);
            }
            // An attempt that is under way says nothing.
            FeedState::Connecting => {}
            FeedState::Failed => {
                if self.is_steady(now) {
                    *self = Self::default();
                }
                // A venue that drops each connection after a moment is none that can be reached.
                self.up_since = None;
                if self.counts_from.is_none() {
                    self.count_from(now.after(FEED_FAILED_MAX));
                }
            }
        }
    }

    fn is_steady(&self, now: Boot) -> bool {
        self.up_since.is_some_and(|since| now.since(since) >= STEADY)
    }

    /// The owner's feed has ended by itself: it would be of no use to wait.
    pub(super) fn on_end(&mut self, now: Boot) {
        self.up_since = None;
        self.count_from(now);
    }

    fn count_from(&mut self, at: Boot) {
        self.counts_from = Some(at);
        self.ask_at = Some(at);
    }

    /// When the owner is to ask the others.
    pub(super) fn due(&self) -> Option<Boot> {
        self.ask_at.filter(|_| self.up_since.is_none())
    }

    /// The owner asks the others now.
    pub(super) fn asks(&mut self, now: Boot) {
        self.ask_at = Some(now.after(AGAIN));
    }

    /// The node does not own the shard any more.
    pub(super) fn end(&mut self, now: Boot) {
        let has_failed = self.fails(now);
        if self.is_steady(now) {
            self.avoided_until = None;
        }
        self.begin();
        if has_failed {
            self.avoided_until = Some(now.after(AVOIDED));
        }
    }

    /// Whether the feed fails, or lately failed.
    pub(super) fn is_there(&self, now: Boot) -> bool {
        let is_avoided = self.avoided_until.is_some_and(|until| now < until) && !self.is_steady(now);
        is_avoided || self.fails(now)
    }

    fn fails(&self, now: Boot) -> bool {
        self.up_since.is_none() && self.counts_from.is_some_and(|from| from <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Boot {
        Boot(seconds * 1_000_000)
    }

    #[test]
    fn a_feed_counts_as_failed_after_30_s_unless_it_was_up_as_long() {
        let mut trouble = FeedTrouble::default();
        trouble.begin();
        for (state, seconds, due) in [
            (FeedState::Connecting, 1, None),
            (FeedState::Failed, 2, Some(at(32))),
            (FeedState::Live, 10, None),
            (FeedState::Live, 20, None),
            (FeedState::Failed, 40, Some(at(70))),
            (FeedState::Connecting, 50, Some(at(70))),
            (FeedState::Failed, 55, Some(at(70))),
            (FeedState::Mute, 56, None),
            (FeedState::Failed, 57, Some(at(70))),
        ] {
            trouble.on_state(state, at(seconds));
            assert_eq!(trouble.due(), due, "{seconds}");
        }
        assert!(!trouble.is_there(at(69)) && trouble.is_there(at(70)));
        trouble.asks(at(70));
        assert_eq!(trouble.due(), Some(at(80)));
        trouble.on_state(FeedState::Quiet, at(81));
        assert!(!trouble.is_there(at(81)) && trouble.due().is_none());
    }

    #[test]
    fn a_node_whose_feed_failed_is_avoided_for_ten_minutes_or_until_its_feed_is_up() {
        let mut trouble = FeedTrouble::default();
        trouble.on_state(FeedState::Failed, at(0));
        trouble.end(at(29));
        assert!(!trouble.is_there(at(29)), "it may have been the venue");
        trouble.on_state(FeedState::Failed, at(30));
        trouble.end(at(60));
        assert_eq!((trouble.due(), trouble.is_there(at(659)), trouble.is_there(at(660))), (None, true, false));
        trouble.begin();
        assert!(trouble.is_there(at(100)), "no other node could own");
        trouble.on_state(FeedState::Mute, at(101));
        assert!(trouble.is_there(at(130)) && !trouble.is_there(at(131)));
        trouble.on_end(at(200));
        assert_eq!((trouble.due(), trouble.is_there(at(200))), (Some(at(200)), true));
        trouble.end(at(201));
        assert!(trouble.is_there(at(800)));
    }
}
