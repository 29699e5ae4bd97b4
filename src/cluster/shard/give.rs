//! How an owner leaves its shard to another node, and how a node is asked to follow.

use super::{Action, CLOSE_MAX, GiveCause, GiveFailure, Owning, ShardNode, UNHEARD_MAX};
use crate::cluster::{
    clock::{Boot, Moment},
    follower::Book,
    give::{Give, GiveMessage, GiveSays, Step},
    lease,
    names::NodeName,
};

impl GiveCause {
    /// Whether the node stays, and may own the shard again.
    fn stays(self) -> bool {
        self != Self::Stop
    }

    /// Whether any node that has the state is better than none.
    fn takes_any(self) -> bool {
        matches!(self, Self::Stop | Self::Unheard)
    }
}

/// How far a hand-over has come.
#[derive(Debug)]
pub(super) enum Leaving {
    /// Nodes are asked.
    Asking { give: Give, due: Boot, why: GiveCause, insists: bool },
    /// The feed is being closed.
    Closing { to: Option<NodeName>, stays: bool, until: Boot },
    /// The lease is being written; the last batch, unless the feed was not closed in time, and when that was.
    Handing { last: Option<u64>, closed: Boot },
}

impl Leaving {
    pub(super) fn due(&self) -> Option<Boot> {
        match self {
            Self::Asking { due, .. } => Some(*due),
            Self::Closing { until, .. } => Some(*until),
            Self::Handing { .. } => None,
        }
    }
}

impl ShardNode {
    /// Begins to give the shard away, if the node owns it.
    pub(super) fn give_away(&mut self, to: Option<NodeName>, why: GiveCause, now: Moment, actions: &mut Vec<Action>) {
        if let Some(Owning { leaving: leaving @ Some(Leaving::Asking { .. }), .. }) = &mut self.owning
            && why == GiveCause::Stop
        {
            // More nodes may be asked now, and each of them with insistence.
            *leaving = None;
        }
        let failure = match &self.owning {
            None => Some(GiveFailure::NotOwner),
            Some(owning) => owning.leaving.as_ref().map(|_| GiveFailure::Running),
        };
        if let Some(failure) = failure {
            self.fail(why, failure, actions);
        } else {
            self.begin_to_give(to, why, now, actions);
        }
    }

    fn begin_to_give(&mut self, to: Option<NodeName>, why: GiveCause, now: Moment, actions: &mut Vec<Action>) {
        let Some(owning) = &mut self.owning else { return };
        let insists = why.takes_any() || to.is_some();
        let best_first = match (to, &self.rank) {
            (Some(to), _) => vec![to],
            (None, Some((_, successors))) if why == GiveCause::FewerSymbols => successors.fuller.clone(),
            (None, Some((_, successors))) => {
                let last_resort = if insists { &successors.last_resort[..] } else { &[] };
                successors.good.iter().chain(last_resort).cloned().collect()
            }
            (None, None) => Vec::new(),
        };
        let mut give = Give::new(best_first);
        let step = give.due(now.boot);
        owning.leaving = Some(Leaving::Asking { give, due: now.boot, why, insists });
        self.step(step, now, actions);
    }

    /// Does what the time asks for.
    pub(super) fn settle_leaving(&mut self, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        let can_publish = self.can_publish();
        match self.owning.as_mut().map(|owning| &mut owning.leaving) {
            Some(leaving @ Some(Leaving::Asking { why: GiveCause::FeedFails, .. })) if self.trouble.due().is_none() => {
                // It is up meanwhile.
                *leaving = None;
            }
            Some(None) if self.unheard_at.is_some_and(|at| at <= now.boot) => {
                self.unheard_at = Some(now.boot.after(UNHEARD_MAX));
                self.give_away(None, GiveCause::Unheard, now, actions);
            }
            // The others would not hear the question.
            Some(None) if can_publish && self.trouble.due().is_some_and(|at| at <= now.boot) => {
                self.trouble.asks(now.boot);
                self.give_away(None, GiveCause::FeedFails, now, actions);
            }
            Some(None) if can_publish && self.fewer.due().is_some_and(|at| at <= now.boot) => {
                self.fewer.restart(now.boot);
                self.give_away(None, GiveCause::FewerSymbols, now, actions);
            }
            Some(Some(Leaving::Asking { give, due, .. })) if *due <= now.boot => {
                let step = give.due(now.boot);
                self.step(step, now, actions);
            }
            Some(Some(Leaving::Closing { until, .. })) if *until <= now.boot => {
                self.feed_closed(None, now, book, actions);
            }
            _ => {}
        }
    }

    fn step(&mut self, step: Step, now: Moment, actions: &mut Vec<Action>) {
        let stops = self.stops;
        let Some(leaving) = self.owning.as_mut().map(|owning| &mut owning.leaving) else { return };
        let Some(Leaving::Asking { give, due, why, insists }) = leaving else { return };
        let (why, insists) = (*why, *insists);
        match step {
            Step::Ask(node) => {
                // The dialogue has just begun to wait for it.
                if let Step::Wait(until) = give.due(now.boot) {
                    *due = until;
                }
                self.send_give(node, GiveSays::Ask { insists }, actions);
            }
            Step::Wait(until) => *due = until,
            Step::Successor(None) if why.stays() && !stops => {
                let is_refused = give.is_refused();
                *leaving = None;
                if is_refused || why != GiveCause::FeedFails {
                    self.fail(why, GiveFailure::NotReady, actions);
                }
            }
            Step::Successor(to) => {
                *leaving = Some(Leaving::Closing { to, stays: why.stays(), until: now.boot.after(CLOSE_MAX) });
                actions.push(Action::CloseFeed(if stops { GiveCause::Stop } else { why }));
            }
        }
    }

    /// The feed is closed behind this batch; `None` if that took too long.
    pub(super) fn feed_closed(
        &mut self,
        last: Option<u64>,
        now: Moment,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        let stops = self.stops;
        let Some(leaving) = self.owning.as_mut().and_then(|owning| owning.leaving.as_mut()) else { return };
        let Leaving::Closing { to, stays, .. } = leaving else { return };
        let stays = *stays && !stops;
        // Where the last batch is not known, a successor must not go on with the epoch.
        let to = to.take().filter(|_| last.is_some());
        *leaving = Leaving::Handing { last, closed: now.boot };
        let last = last.unwrap_or_default();
        self.tell_lease(lease::Event::HandOver { to, last, stays }, now, book, actions);
    }

    /// The lease says that the shard is given away, to this node if it was granted.
    pub(super) fn handed_over(
        &mut self,
        to: Option<NodeName>,
        now: Moment,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        let Some(owning) = self.owning.take() else { return };
        self.trouble.end(now.boot);
        let Owning { token, suspended, leaving: Some(Leaving::Handing { last, closed }) } = &owning else {
            return self.start_over(&owning, book, actions);
        };
        actions.push(Action::HandedOver { to, is_clean: last.is_some() });
        match last {
            Some(last) => self.follower.follow_self(*token, *last, !suspended, *closed),
            None => self.start_over(&owning, book, actions),
        }
    }

    /// Takes a message of the dialogue.
    pub(super) fn take_give(
        &mut self,
        message: GiveMessage,
        now: Moment,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        if message.shard != self.config.shard {
            return;
        }
        match message.says {
            GiveSays::Ask { insists } => {
                let is_fit = insists || !self.trouble.is_there(now.boot);
                let says = if is_fit && self.can_follow() { GiveSays::Ready } else { GiveSays::Busy };
                self.send_give(message.from, says, actions);
            }
            GiveSays::Ready | GiveSays::Busy => {
                let leaving = self.owning.as_mut().and_then(|owning| owning.leaving.as_mut());
                if let Some(Leaving::Asking { give, .. }) = leaving {
                    let step = give.answered(&message.from, message.says == GiveSays::Ready, now.boot);
                    self.step(step, now, actions);
                }
            }
            GiveSays::Granted { revision, value } => {
                self.tell_lease(lease::Event::Announced { revision, value }, now, book, actions);
            }
        }
    }

    /// Whether the node could follow the owner: it could publish, and lacks at most what the owner's history has.
    /// It need not be fresh: an owner that cannot publish gives its shard away, too.
    fn can_follow(&self) -> bool {
        !self.owns() && !self.stops && self.can_publish() && self.follower.applied().is_some()
    }

    pub(super) fn send_give(&self, to: NodeName, says: GiveSays, actions: &mut Vec<Action>) {
        let message = GiveMessage { from: self.config.node.clone(), shard: self.config.shard.clone(), says };
        actions.push(Action::SendGive { to, message });
    }

    /// Tells operators what becomes of their request, and once that a feed fails on all nodes. What the node itself has
    /// begun, it tries again.
    fn fail(&mut self, why: GiveCause, failure: GiveFailure, actions: &mut Vec<Action>) {
        match why {
            GiveCause::Operator => actions.push(Action::GiveFailed(failure)),
            GiveCause::FeedFails if !std::mem::replace(&mut self.trouble.is_told, true) => {
                actions.push(Action::GiveFailed(GiveFailure::FeedFails));
            }
            GiveCause::FeedFails | GiveCause::Stop | GiveCause::Unheard | GiveCause::FewerSymbols => {}
        }
    }
}
