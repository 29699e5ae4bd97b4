//! A node that does not own the shard: it reads the lease, and claims it when it may.

use super::{
    super::{
        clock::{Boot, Moment},
        token::Token,
    },
    Action, Lease, LeaseState, POLL, PlantedFault, RETRY, Stage, Start,
    knowledge::{Basis, former},
};
use crate::wire::Epoch;
use rand::RngExt;

impl Lease {
    /// When the node may claim.
    pub(super) fn claim_due(&self) -> Option<Boot> {
        let standing = self.standing.filter(|_| !self.withdraws)?;
        let at = self.knowledge.claim_at(&self.node, self.instance, self.timing, standing)?;
        if !self.knowledge.is_unread() {
            return Some(at.max(self.claim_from));
        }
        // A claim needs the value. Reads keep a distance.
        self.pending.is_none().then(|| self.read_at.map_or(at, |read_at| at.max(read_at.after(RETRY))))
    }

    /// Claims, asks for what a claim needs, or reads.
    pub(super) fn watch(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.withdraws {
            self.stage = Stage::Left;
            self.pending = None;
            return;
        }
        self.catch_up(actions);
        if self.claim_due().is_some_and(|at| at <= now.boot) {
            if let Some(basis) = self.standing.and_then(|standing| self.knowledge.basis(&self.node, standing, now.wall))
            {
                // A read that is pending may take long and could not stop the claim.
                return self.claim(basis, now, actions);
            }
            if self.pending.is_none() {
                self.next_at = now.boot;
            }
        }
        if self.is_idle_at(now.boot) {
            self.next_at = now.boot.after(POLL);
            self.read(now, actions);
        }
    }

    /// Asks for the batches that a shard's successor lacks, once.
    fn catch_up(&mut self, actions: &mut Vec<Action>) {
        let lacks = self.standing.and_then(|standing| self.knowledge.lacks(&self.node, standing));
        if let Some((epoch, batch)) = lacks
            && self.caught_up_for != self.knowledge.revision()
        {
            self.caught_up_for = self.knowledge.revision();
            actions.push(Action::CatchUp { epoch, batch });
        }
    }

    fn claim(&mut self, basis: Basis, now: Moment, actions: &mut Vec<Action>) {
        let mut after = basis.after;
        if self.fault == Some(PlantedFault::KeepsEpoch) {
            after = after.or(self.standing.and_then(|standing| standing.applied).map(|(_, batch)| batch));
        }
        let (epoch, former, start) = match (basis.epoch, after) {
            (Some(epoch), Some(batch)) => (epoch, basis.former, Start::After(batch)),
            (before, _) => (Epoch::new(self.random.random()), former(before, &basis.former), Start::NewEpoch),
        };
        let token = Token { term: basis.term, epoch };
        let request = self.write(token, former, LeaseState::Held, basis.expected, Some(start), now, actions);
        self.stage = Stage::Claiming(request);
        self.next_at = now.boot;
    }
}
