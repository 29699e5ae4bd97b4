//! The answers of the store to reads and writes, and what stands for them if they do not come.

use super::{
    super::clock::{Boot, Moment},
    Action, Handing, Lease, LeaseState, LeaseValue, LeaveReason, PlantedFault, RENEW, RETRY, ReadAnswer, Sent, Stage,
    Start, Tenure, WriteAnswer,
    knowledge::Content,
};
use std::time::Duration;

impl Lease {
    pub(super) fn read_answered(&mut self, request: u64, answer: ReadAnswer, now: Moment, actions: &mut Vec<Action>) {
        if self.pending.is_none_or(|pending| pending.request != request) {
            return;
        }
        self.pending = None;
        let (revision, content) = match answer {
            ReadAnswer::Found { revision, value } => (Some(revision), Content::of(value)),
            ReadAnswer::Absent => (None, Content::Absent),
            ReadAnswer::Failed => return self.read_failed(now.boot),
        };
        match &self.stage {
            Stage::Owning(_) | Stage::Handing(..) => self.reconcile(revision, content, now, actions),
            Stage::Watching | Stage::Claiming(_) => self.inform(revision, content, now, actions),
            Stage::Left => {}
        }
    }

    pub(super) fn write_answered(&mut self, request: u64, answer: WriteAnswer, now: Moment, actions: &mut Vec<Action>) {
        let was_awaited = self.pending.is_some_and(|pending| pending.request == request);
        if was_awaited {
            self.pending = None;
        }
        match answer {
            WriteAnswer::Written(revision) => {
                if let Some(place) = self.unanswered.iter().position(|sent| sent.value.beat == request)
                    && let Some(sent) = self.unanswered.remove(place)
                {
                    self.written(revision, sent, now, actions);
                }
            }
            WriteAnswer::Conflict => {
                self.unanswered.retain(|sent| sent.value.beat != request);
                if was_awaited {
                    self.refuted(now.boot);
                }
            }
            WriteAnswer::Unknown if was_awaited => self.in_doubt(now.boot),
            WriteAnswer::Unknown => {}
        }
    }

    /// A request has had no answer for so long that it counts as unanswered.
    pub(super) fn unanswered_request(&mut self, now: Moment) {
        match self.pending.take() {
            Some(pending) if pending.is_read => self.read_failed(now.boot),
            _ => self.in_doubt(now.boot),
        }
    }

    fn read_failed(&mut self, now: Boot) {
        self.next_at = now.after(RETRY);
        // A write tells as much as a read.
        if let Stage::Owning(tenure) | Stage::Handing(tenure, _) = &mut self.stage {
            tenure.in_doubt = false;
        }
    }

    fn refuted(&mut self, now: Boot) {
        self.knowledge.refute();
        if matches!(self.stage, Stage::Claiming(_)) {
            self.stage = Stage::Watching;
            self.claim_from = now.after(RETRY);
        }
        self.in_doubt(now);
    }

    /// What became of the last write is to be read, at once.
    fn in_doubt(&mut self, now: Boot) {
        self.next_at = now;
        if let Stage::Owning(tenure) | Stage::Handing(tenure, _) = &mut self.stage {
            tenure.in_doubt = true;
        }
    }

    /// The store has applied a write of this instance.
    fn written(&mut self, revision: u64, sent: Sent, now: Moment, actions: &mut Vec<Action>) {
        self.knowledge.written(revision, sent.value.clone(), now.boot);
        let counts_from = if self.fault == Some(PlantedFault::CountsFromAnswer) { now } else { sent.at };
        match &mut self.stage {
            Stage::Owning(tenure) | Stage::Handing(tenure, _) if tenure.token == sent.value.token => {
                tenure.adopt(revision, counts_from);
                match (&self.stage, &sent.value.state) {
                    (Stage::Handing(..), LeaseState::Held) => self.next_at = now.boot,
                    (Stage::Handing(..), _) => self.handed_over(revision, sent.value, actions),
                    _ => self.next_at = sent.at.boot.after(RENEW).max(now.boot),
                }
            }
            Stage::Watching | Stage::Claiming(_) => self.own(revision, sent, counts_from, now, actions),
            _ => {}
        }
    }

    /// A claim was applied: owns, if it still counts.
    fn own(&mut self, revision: u64, sent: Sent, counts_from: Moment, now: Moment, actions: &mut Vec<Action>) {
        let Some(start) = sent.claims else { return };
        let token = sent.value.token;
        let is_newest = self.knowledge.revision() == Some(revision) && self.knowledge.highest() == Some(token);
        if !is_newest || now.longest_since(counts_from) >= self.timing.hold {
            return;
        }
        let former = sent.value.former;
        let revision = Some(revision);
        let lost = Duration::ZERO;
        let tenure =
            Tenure { token, former: former.clone(), revision, counts_from, lost, suspended: false, in_doubt: false };
        if self.withdraws {
            let last = if let Start::After(batch) = start { batch } else { 0 };
            self.next_at = now.boot;
            self.stage = Stage::Handing(tenure, Handing { state: LeaseState::Free { last }, stays: false });
        } else {
            self.next_at = sent.at.boot.after(RENEW).max(now.boot);
            self.stage = Stage::Owning(tenure);
            actions.push(Action::Own { token, former, start });
        }
    }

    /// An owner's read: its own unanswered write, a loss of the store, or another owner.
    fn reconcile(&mut self, revision: Option<u64>, content: Content, now: Moment, actions: &mut Vec<Action>) {
        self.next_at = now.boot.after(RETRY);
        let (Stage::Owning(tenure) | Stage::Handing(tenure, _)) = &mut self.stage else { return };
        tenure.in_doubt = false;
        tenure.revision = revision;
        let token = tenure.token;
        match content {
            Content::Value(value) if value.instance == self.instance && value.token == token => {
                if let Some(revision) = revision
                    && let Some(place) = self.unanswered.iter().position(|sent| sent.value == value)
                    && let Some(sent) = self.unanswered.remove(place)
                {
                    self.written(revision, sent, now, actions);
                }
            }
            // A lower token is a stale read, or the store has lost the own one: the next write tells.
            Content::Value(LeaseValue { token: other, .. }) if other < token => {}
            Content::Value(_) | Content::OtherVersion => {
                let higher = if let Content::Value(value) = &content { Some(value.token) } else { None };
                self.knowledge.refute();
                self.knowledge.read(revision, content, now.boot);
                match higher {
                    Some(higher) => self.give_way(higher, actions),
                    None => self.leave(LeaveReason::Outranked, actions),
                }
            }
            Content::Absent | Content::Garbage | Content::Unread(_) => {}
        }
        if matches!(self.stage, Stage::Handing(..)) {
            self.next_at = now.boot;
        }
    }

    /// A read of a node that does not own: its own unanswered claim, or what others wrote.
    fn inform(&mut self, revision: Option<u64>, content: Content, now: Moment, actions: &mut Vec<Action>) {
        if let Content::Value(value) = &content
            && let Some(revision) = revision
            && let Some(place) = self.unanswered.iter().position(|sent| sent.value == *value)
            && let Some(sent) = self.unanswered.remove(place)
        {
            self.written(revision, sent, now, actions);
        } else {
            self.knowledge.read(revision, content, now.boot);
        }
        if let Stage::Claiming(_) = self.stage {
            self.stage = Stage::Watching;
            self.claim_from = now.boot.after(RETRY);
        }
    }

    fn handed_over(&mut self, revision: u64, value: LeaseValue, actions: &mut Vec<Action>) {
        let Stage::Handing(_, handing) = &self.stage else { return };
        self.stage = if handing.stays { Stage::Watching } else { Stage::Left };
        actions.push(Action::HandedOver { revision, value });
    }
}

impl Tenure {
    /// Counts from a write that the store has applied, unless a later one counts.
    fn adopt(&mut self, revision: u64, sent: Moment) {
        self.revision = self.revision.max(Some(revision));
        self.in_doubt = false;
        if sent.boot > self.counts_from.boot {
            self.counts_from = sent;
        }
    }
}
