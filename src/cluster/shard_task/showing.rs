//! What the task of a shard tells operators and the other tasks of its node.

use super::ShardTask;
use crate::{
    cluster::{
        bus::{Bus, Leases},
        clock::Moment,
        follower::Follower,
        owned_feed::OwnedFeed,
        report::{Role, Transition},
    },
    market::Now,
};
use tracing::warn;

impl<B: Bus, L: Leases, F: OwnedFeed> ShardTask<B, L, F> {
    /// Notes what the node does as an owner.
    pub(super) fn note(&self, to: &'static str, cause: &str) {
        self.note_as(Role::Owner, to, cause);
    }

    pub(super) fn note_as(&self, role: Role, to: &'static str, cause: &str) {
        let now = Now::read();
        let transition = Transition {
            at: now.unix,
            role,
            shard: self.shard.clone(),
            to,
            cause: cause.to_owned(),
            token: self.machine.lease().highest(),
            revision: self.machine.lease().revision(),
        };
        self.journal.note(transition, now.instant);
    }

    /// Notes that another node has become the owner. That this one has is noted as it begins.
    fn note_owner(&mut self) {
        let before = std::mem::replace(&mut self.owner, self.facts.owner.clone());
        // That of the owner before is not this one's.
        self.facts.clock_ahead_micros = None;
        if let (Some(owner), Some(before)) = (&self.owner, before)
            && !self.facts.owns
        {
            self.note_as(Role::Follower, "owned elsewhere", &format!("by {owner}; was by {before}"));
        }
    }

    /// Tells operators once of a node whose configuration says another `lease`.
    fn look_at_lease(&mut self) {
        let other = self.machine.lease().other_length();
        if other != self.other_lease {
            if let Some((node, length)) = &other {
                warn!(
                    shard = %self.shard, %node, lease = ?length,
                    "another node has another `lease`; the others wait for the longer one of the two"
                );
            }
            self.other_lease = other;
        }
    }

    pub(super) fn show(&mut self, now: Moment) {
        self.look_at_lease();
        let machine = &self.machine;
        let follower: &Follower = machine.follower();
        let facts = &mut self.facts;
        facts.owns = machine.owns();
        facts.publishes = machine.publishing(now).is_some();
        facts.hands_over = machine.hands_over();
        facts.synced = machine.is_synced();
        facts.feed_fails = machine.feed_fails(now);
        facts.fresh = machine.is_fresh();
        facts.has_left = machine.has_left();
        facts.token = machine.lease().highest();
        facts.revision = machine.lease().revision();
        facts.owner = machine.lease().owner();
        facts.state = machine.state();
        facts.follower = Some(follower.state());
        facts.valid_for = machine.lease().valid_for(now);
        facts.counts = follower.counts().clone();
        facts.wanted = self.wants.wanted();
        facts.batch = match &self.tenure {
            Some(tenure) if facts.owns => tenure.outlet.tape().last(),
            _ => follower.applied().map_or(0, |(_, batch)| batch),
        };
        if facts.owns {
            facts.feed = Some(self.feed.state());
            facts.clock_ahead_micros = None;
        }
        if self.facts.owner.is_some() && self.facts.owner != self.owner {
            self.note_owner();
        }
        let facts = &self.facts;
        self.facts_tx.send_if_modified(|shown| {
            let differs = facts.differs_much(shown);
            shown.clone_from(facts);
            if differs {
                self.changed.notify_one();
            }
            differs
        });
    }
}
