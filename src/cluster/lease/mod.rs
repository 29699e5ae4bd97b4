//! The lease of one shard: which node owns it, and until when. A pure machine of events and actions.
//!
//! ```text
//! Watching ──claim──► Claiming ──written──► Owning ◄──written── suspended
//!    ▲                   │ conflict           │  ── HOLD passed ──►  │
//!    └───────────────────┴─ higher token ─────┴──── TAKE passed ─────┘   Owning ──hand over──► Handing ──► Left
//! ```
//!
//! The lease is a key of a store that can compare and set. An owner owns for `hold` from the *sending* of its last
//! successful write; the others claim once they have known of the same revision for `take`, which is longer. They
//! learn of it after it was sent, so two never own at once as long as clocks run at similar rates. Delays only lengthen
//! the wait. Where the store loses writes, two may own for a moment: terms only rise, all nodes take the higher token,
//! and the lower one leaves when it hears of it.
//!
//! The task around it sends the requests, connects to the venue, and asks [`Lease::publishing`] before it takes
//! updates and again before it publishes: only a look at the clock shows that the time is up.

mod answers;
mod claim;
mod event;
mod knowledge;
mod requests;
mod timing;
mod validity;
mod value;

pub use event::{Action, Event, LeaveReason, ReadAnswer, Standing, Start, WriteAnswer};
pub use timing::LeaseTiming;
pub use validity::Validity;
pub use value::{FORMER_MAX, Former, LeaseState, LeaseValue, VALUE_BYTES_MAX, ValueError};

use super::{
    clock::{Boot, Moment},
    names::{Instance, NodeName},
    token::Token,
};
use knowledge::Knowledge;
use rand::{SeedableRng, rngs::SmallRng};
use requests::{Pending, Sent};
use std::{collections::VecDeque, time::Duration};
use timing::{POLL, RENEW, RETRY};

/// A known bug, for the simulation that has to find it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlantedFault {
    /// A write counts from its answer.
    CountsFromAnswer,
    /// A successor goes on with the epoch of an owner that did not hand over.
    KeepsEpoch,
    /// An owner is not told that its lease was not renewed in time.
    NeverSuspends,
}

/// The lease of one shard, as one node sees it.
#[derive(Debug)]
pub struct Lease {
    node: NodeName,
    instance: Instance,
    timing: LeaseTiming,
    fault: Option<PlantedFault>,
    /// Draws epochs.
    random: SmallRng,
    knowledge: Knowledge,
    /// Not before the first [`Event::Standing`].
    standing: Option<Standing>,
    stage: Stage,
    /// The node stops: it claims nothing.
    withdraws: bool,
    /// Counts reads and writes; a write's number is the `beat` of its value.
    requests: u64,
    pending: Option<Pending>,
    /// When the next request is due, if none is pending.
    next_at: Boot,
    /// When the last read was sent.
    read_at: Option<Boot>,
    /// Before this the node does not claim.
    claim_from: Boot,
    /// Writes whose answers have not come, oldest first.
    unanswered: VecDeque<Sent>,
    /// The revision for which batches were asked.
    caught_up_for: Option<u64>,
}

#[derive(Debug)]
enum Stage {
    Watching,
    /// A claim was sent; its number.
    Claiming(u64),
    Owning(Tenure),
    Handing(Tenure, Handing),
    Left,
}

/// What an owner has.
#[derive(Debug)]
struct Tenure {
    token: Token,
    former: Former,
    /// What the next write expects; `None` if the key was lost.
    revision: Option<u64>,
    /// When the newest write that succeeded was sent.
    counts_from: Moment,
    /// How much more the wall clock has counted since, as of the last event.
    lost: Duration,
    suspended: bool,
    /// The last write failed: its outcome is to be read first.
    in_doubt: bool,
}

#[derive(Debug)]
struct Handing {
    state: LeaseState,
    stays: bool,
}

impl Lease {
    /// The lease of a node that has just started. The seed draws its epochs: it must differ from start to start.
    pub fn new(node: NodeName, instance: Instance, timing: LeaseTiming, seed: u64, now: Moment) -> Self {
        Self {
            node,
            instance,
            timing,
            fault: None,
            random: SmallRng::seed_from_u64(seed),
            knowledge: Knowledge::new(now.boot),
            standing: None,
            stage: Stage::Watching,
            withdraws: false,
            requests: 0,
            pending: None,
            next_at: now.boot,
            read_at: None,
            claim_from: now.boot,
            unanswered: VecDeque::new(),
            caught_up_for: None,
        }
    }

    /// The same lease with a bug.
    #[doc(hidden)]
    pub fn with_fault(self, fault: PlantedFault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// The token under which the node may publish right now. An owner asks before it reads from the venue's socket, and
    /// again before it publishes.
    pub fn publishing(&self, now: Moment) -> Option<Token> {
        self.validity().filter(|validity| validity.holds(now)).map(|validity| validity.token)
    }

    /// Until when the node may publish, for whatever has to look at the clock by itself; `None` if it may not. It
    /// changes with each event.
    pub fn validity(&self) -> Option<Validity> {
        match &self.stage {
            Stage::Owning(tenure) if !tenure.suspended => {
                Some(Validity { token: tenure.token, counts_from: tenure.counts_from, hold: self.timing.hold })
            }
            _ => None,
        }
    }

    /// Who owns the shard as far as the node knows; `None` if it is not read or has no owner.
    pub fn owner(&self) -> Option<NodeName> {
        match &self.stage {
            Stage::Owning(_) | Stage::Handing(..) => Some(self.node.clone()),
            Stage::Watching | Stage::Claiming(_) | Stage::Left => self.knowledge.owner(),
        }
    }

    /// The token that the node holds, even if it is suspended.
    pub fn held(&self) -> Option<Token> {
        match &self.stage {
            Stage::Owning(tenure) => Some(tenure.token),
            _ => None,
        }
    }

    /// The newest revision that the node knows: an owner's goes into its messages.
    pub fn revision(&self) -> Option<u64> {
        match &self.stage {
            Stage::Owning(Tenure { revision: Some(revision), .. }) => Some(*revision),
            _ => self.knowledge.revision(),
        }
    }

    /// The highest token that the node knows.
    pub fn highest(&self) -> Option<Token> {
        self.knowledge.highest()
    }

    /// The token of the lease as it was read last, and the epochs before; `None` while a newer one is named.
    pub fn former(&self) -> Option<(Token, &Former)> {
        self.knowledge.former()
    }

    /// Which other node wrote the lease, and how long it lasts there, if that differs from this node's configuration.
    /// All wait for the longer time, so that two never own at once.
    pub fn other_length(&self) -> Option<(NodeName, Duration)> {
        let differs = |(node, lease): &&(NodeName, Duration)| {
            *node != self.node && lease.as_millis() != u128::from(self.timing.take_ms())
        };
        self.knowledge.lease().filter(differs).cloned()
    }

    /// How long the lease is still valid, zero if it is not.
    pub fn valid_for(&self, now: Moment) -> Duration {
        match &self.stage {
            Stage::Owning(tenure) => self.timing.hold.saturating_sub(now.longest_since(tenure.counts_from)),
            _ => Duration::ZERO,
        }
    }

    /// Whether the node has withdrawn from the shard and has nothing left to do.
    pub fn has_left(&self) -> bool {
        matches!(self.stage, Stage::Left)
    }

    /// Takes an event; says what to do, in this order.
    pub fn on(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Due => {}
            Event::Read { request, answer } => self.read_answered(request, answer, now, &mut actions),
            Event::Write { request, answer } => self.write_answered(request, answer, now, &mut actions),
            Event::Heard { token, revision } => {
                self.knowledge.heard(token, revision, now.boot);
                self.outranked_by(token, &mut actions);
            }
            Event::Announced { revision, value } => {
                let token = value.token;
                self.knowledge.written(revision, value, now.boot);
                self.outranked_by(token, &mut actions);
            }
            Event::Standing(standing) => self.standing = Some(standing),
            Event::Unable => self.standing = None,
            Event::HandOver { to, last, stays } => self.hand_over(to, last, stays, now),
            Event::Withdraw => self.withdraws = true,
        }
        self.settle(now, &mut actions);
        actions
    }

    /// When time alone changes something; `None` once the node has left.
    pub fn due(&self) -> Option<Boot> {
        let next = self.pending.map_or(self.next_at, |pending| pending.until);
        match &self.stage {
            Stage::Left => None,
            Stage::Watching => Some(self.claim_due().map_or(next, |at| next.min(at))),
            Stage::Claiming(_) => Some(next),
            Stage::Owning(tenure) | Stage::Handing(tenure, _) => {
                let counts_from = tenure.counts_from.boot;
                let hold = self.timing.hold.saturating_sub(tenure.lost);
                let lasts = if tenure.suspended { self.timing.take } else { hold };
                Some(next.min(counts_from.after(lasts)))
            }
        }
    }

    /// Does what the time asks for.
    fn settle(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.expire(now, actions);
        if self.pending.is_some_and(|pending| pending.until <= now.boot) {
            self.unanswered_request(now);
        }
        match &self.stage {
            Stage::Watching => self.watch(now, actions),
            Stage::Claiming(_) | Stage::Owning(_) | Stage::Handing(..) if self.is_idle_at(now.boot) => {
                if self.is_in_doubt() {
                    self.read(now, actions);
                } else {
                    self.renew(now, actions);
                }
            }
            _ => {}
        }
    }

    fn is_idle_at(&self, now: Boot) -> bool {
        self.pending.is_none() && self.next_at <= now
    }

    /// Whether the outcome of a write has to be read.
    fn is_in_doubt(&self) -> bool {
        match &self.stage {
            Stage::Owning(tenure) | Stage::Handing(tenure, _) => tenure.in_doubt,
            Stage::Claiming(_) => true,
            Stage::Watching | Stage::Left => false,
        }
    }

    /// Suspends, resumes or leaves, by the clock.
    fn expire(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let timing = self.timing;
        let (Stage::Owning(tenure) | Stage::Handing(tenure, _)) = &mut self.stage else { return };
        // By this clock alone: a wall clock that was set must not cost the connection to the venue.
        if now.boot.since(tenure.counts_from.boot) >= timing.take {
            return self.leave(LeaveReason::Expired, actions);
        }
        let since = now.longest_since(tenure.counts_from);
        tenure.lost = since.saturating_sub(now.boot.since(tenure.counts_from.boot));
        let is_valid = since < timing.hold;
        if is_valid != tenure.suspended {
            return;
        }
        tenure.suspended = !is_valid;
        if !is_valid && self.pending.is_none() {
            self.next_at = now.boot;
        }
        if matches!(self.stage, Stage::Owning(_)) && self.fault != Some(PlantedFault::NeverSuspends) {
            actions.push(if is_valid { Action::Resume } else { Action::Suspend });
        }
    }

    /// Leaves if the token is higher than the own one, or than the one that is being claimed.
    fn outranked_by(&mut self, token: Token, actions: &mut Vec<Action>) {
        match &self.stage {
            Stage::Owning(tenure) | Stage::Handing(tenure, _) if token > tenure.token => self.give_way(token, actions),
            Stage::Claiming(request) if self.sent(*request).is_none_or(|sent| token > sent.value.token) => {
                self.stage = Stage::Watching;
            }
            _ => {}
        }
    }

    /// Another node owns under this token, which is higher than the own one.
    ///
    /// An epoch goes on only by a grant. So a token of the same epoch is the successor's, and the write that granted it
    /// was applied, though its answer has not come.
    fn give_way(&mut self, token: Token, actions: &mut Vec<Action>) {
        if let Stage::Handing(tenure, Handing { state: LeaseState::Granted { to, .. }, stays }) = &self.stage
            && token.epoch == tenure.token.epoch
        {
            actions.push(Action::TakenOver { by: to.clone() });
            self.stage = if *stays { Stage::Watching } else { Stage::Left };
        } else {
            self.leave(LeaveReason::Outranked, actions);
        }
    }

    fn leave(&mut self, reason: LeaveReason, actions: &mut Vec<Action>) {
        actions.push(Action::Leave(reason));
        self.stage = match &self.stage {
            Stage::Handing(_, Handing { stays: false, .. }) => Stage::Left,
            _ => Stage::Watching,
        };
    }

    fn hand_over(&mut self, to: Option<NodeName>, last: u64, stays: bool, now: Moment) {
        self.withdraws |= !stays;
        let state = match to {
            Some(to) => LeaseState::Granted { to, last },
            None => LeaseState::Free { last },
        };
        self.stage = match std::mem::replace(&mut self.stage, Stage::Watching) {
            Stage::Owning(tenure) => Stage::Handing(tenure, Handing { state, stays }),
            other => other,
        };
        if self.pending.is_none() {
            self.next_at = now.boot;
        }
    }

    /// Writes the owner's value once more, or the value with which it leaves.
    fn renew(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let (tenure, state) = match &self.stage {
            Stage::Owning(tenure) => (tenure, LeaseState::Held),
            Stage::Handing(tenure, handing) => (tenure, handing.state.clone()),
            _ => return,
        };
        let (token, former, expected) = (tenure.token, tenure.former.clone(), tenure.revision);
        self.write(token, former, state, expected, None, now, actions);
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod claim_tests;
#[cfg(test)]
mod owner_tests;
#[cfg(test)]
mod exclusion_tests;
