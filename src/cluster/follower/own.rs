//! How a follower rests while its node owns the shard, and goes on afterwards.

use super::{Follower, PROBE_EVERY, Stage};
use crate::cluster::{clock::Boot, message::Message, token::Token};

impl Follower {
    /// No message of a lower token counts, as after [`Event::Lease`](super::Event::Lease).
    pub fn fence(&mut self, below: Token) {
        self.floor = self.floor.max(Some(below));
    }

    /// Follows from the beginning, as a node that has owned the shard and lost it. The book is cut off. What it has
    /// counted, the highest token and the state of the connection stay.
    pub fn start_over(&mut self) {
        self.token = None;
        self.stage = Stage::Cold;
        self.buffer.clear();
        self.table.clear();
        self.former = None;
        self.freshness.start_over();
        self.heard = None;
        self.probes.clear();
    }

    /// Follows behind `last`, the last batch of this node itself, which owned the shard under the token until `now`.
    /// The book is as the node published it, and `shown` unless it is cut off.
    pub fn follow_self(&mut self, token: Token, last: u64, shown: bool, now: Boot) {
        self.start_over();
        (self.floor, self.token) = (self.floor.max(Some(token)), Some(token));
        (self.stage, self.next) = (Stage::Live, last + 1);
        self.freshness.owned(shown, now);
        self.next_probe = now.after(PROBE_EVERY);
    }

    /// A clock has lost time: the answers to what was asked before show the owner's clock further behind than it is,
    /// and what is old as new.
    pub(super) fn ask_for_clock(&mut self, now: Boot) {
        self.probes.clear();
        (self.next_probe, self.asked_from) = (now, now);
    }

    /// What an owner does with a live message of another node: the message's token and revision if the token is
    /// higher than its own. Any other message is counted: as fenced only where it is another owner's. Its own
    /// comes back once a broker that was mute hands it on, though the connection asks for none.
    pub fn outranked_by(&mut self, bytes: &[u8], own: Token) -> Option<(Token, u64)> {
        match Message::open(bytes) {
            Ok(message) if message.head.token > own => Some((message.head.token, message.head.revision)),
            Ok(message) => {
                let is_own = message.head.token == own;
                let count = if is_own { &mut self.counts.duplicates } else { &mut self.counts.fenced };
                *count += 1;
                None
            }
            Err(error) => {
                self.counts.drop(error);
                None
            }
        }
    }
}
