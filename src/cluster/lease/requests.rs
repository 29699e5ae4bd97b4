//! The requests to the store: one waits for its answer, and writes whose answers may still come are remembered.

use super::{
    super::{
        clock::{Boot, Moment},
        token::Token,
    },
    Action, Former, Lease, LeaseState, LeaseValue, Start,
    timing::WAIT,
};

/// As many writes without an answer are remembered. Each waits for [`WAIT`], so older ones are too old to count.
pub(super) const UNANSWERED_MAX: usize = 16;

#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) request: u64,
    pub(super) is_read: bool,
    pub(super) until: Boot,
}

/// A write that was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) value: LeaseValue,
    pub(super) at: Moment,
    /// Where the batches begin, if it is a claim.
    pub(super) claims: Option<Start>,
}

impl Lease {
    #[expect(clippy::too_many_arguments, reason = "a value's members, each of its own type")]
    pub(super) fn write(
        &mut self,
        token: Token,
        former: Former,
        state: LeaseState,
        expected: Option<u64>,
        claims: Option<Start>,
        now: Moment,
        actions: &mut Vec<Action>,
    ) -> u64 {
        self.requests += 1;
        let request = self.requests;
        let (node, instance) = (self.node.clone(), self.instance);
        let lease_ms = Some(self.timing.take_ms());
        let value = LeaseValue { node, instance, token, former, beat: request, lease_ms, state };
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(Sent { value: value.clone(), at: now, claims });
        self.pending = Some(Pending { request, is_read: false, until: now.boot.after(WAIT) });
        actions.push(Action::Write { request, expected, value });
        request
    }

    pub(super) fn read(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.requests += 1;
        let request = self.requests;
        self.pending = Some(Pending { request, is_read: true, until: now.boot.after(WAIT) });
        self.read_at = Some(now.boot);
        actions.push(Action::Read { request });
    }

    /// The write of this number, while its answer has not come.
    pub(super) fn sent(&self, request: u64) -> Option<&Sent> {
        self.unanswered.iter().find(|sent| sent.value.beat == request)
    }
}
