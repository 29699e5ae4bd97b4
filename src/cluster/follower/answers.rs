//! How a follower takes the answers to its asks.

use super::{
    Cause, Follower, PROBE_AGAIN, PROBE_EVERY, REPAIR_MAX, Stage,
    book::Book,
    event::{Action, AskId},
    request::Request,
    table::Table,
};
use crate::cluster::{
    clock::Boot,
    message::{Head, Kind, Message},
    token::Token,
};
use bytes::Bytes;
use std::time::Duration;

/// How long the next batch of an owner may take that has answered, once its successor has said that it has none.
const LATE_MAX: Duration = Duration::from_millis(500);

impl Follower {
    pub(super) fn take_answer(
        &mut self,
        id: AskId,
        bytes: Bytes,
        now: Boot,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        let message = match Message::open(&bytes) {
            Ok(message) => message,
            Err(error) => return self.counts.drop(error),
        };
        let head = message.head;
        let is_owners = self.token == Some(head.token);
        if !is_owners && !self.is_of_former(&head) {
            // Another owner: its own messages come, too, and show the way.
            self.counts.fenced += u64::from(self.floor > Some(head.token));
            self.floor = self.floor.max(Some(head.token));
            return;
        }
        let asked = match &mut self.stage {
            _ if self.probes.iter().any(|(probe, _)| *probe == id) => self.take_probe(id),
            Stage::Asking(asking) => asking.request.hear(id, now),
            Stage::Repairing(repairing) => repairing.request.hear(id, now),
            Stage::Cold | Stage::Live | Stage::Opening => None,
        };
        let Some(asked) = asked else { return };
        // The others are batches as they were sent before.
        let has_time = matches!(head.kind, Kind::Beat | Kind::Snapshot | Kind::End | Kind::Gone | Kind::Busy);
        if has_time && is_owners && asked >= self.asked_from {
            self.freshness.answered(asked, head.sent, now);
        }
        match (&mut self.stage, head.kind) {
            (stage, Kind::Beat) => {
                // It shows the shard as a live beat does.
                if matches!(stage, Stage::Live) && head.batch + 1 == self.next {
                    self.freshness.applied(head.sent, now, now);
                }
                self.next_probe = now.after(if self.freshness.is_anchored() { PROBE_EVERY } else { PROBE_AGAIN });
            }
            (Stage::Asking(asking), Kind::Snapshot) => {
                asking.parts.add(head.batch, bytes.clone(), self.buffer.room());
            }
            (Stage::Asking(_), Kind::End) => self.end_snapshot(head.count, head.batch, now, actions),
            (Stage::Asking(asking), _) => asking.request = Request::pause(&mut self.asks, now),
            (Stage::Repairing(repairing), Kind::Batch | Kind::Opening) => {
                repairing.is_answered = true;
                self.take_missing(&message, now, book, actions);
            }
            (Stage::Repairing(repairing), Kind::Busy) => repairing.request = Request::pause(&mut self.asks, now),
            // The one before answers, and is not done yet, unless it has ended by now: it says so with an end.
            (Stage::Repairing(repairing), Kind::Gone) if repairing.is_answered => {
                repairing.until = repairing.until.min(now.after(LATE_MAX));
            }
            // More is missing than was when it was asked.
            (Stage::Repairing(repairing), Kind::End) if self.next > repairing.from => self.repair_on(now, actions),
            (Stage::Repairing(_), Kind::End | Kind::Gone) => self.ask(Cause::Gone, now, actions),
            (Stage::Repairing(_), Kind::Snapshot) | (Stage::Cold | Stage::Live | Stage::Opening, _) => {}
        }
    }

    /// Whether the message answers for the batches that the owner before had and its successor has not.
    fn is_of_former(&self, head: &Head) -> bool {
        let is_its = |(token, _): &(Token, Table)| *token == head.token;
        matches!(head.kind, Kind::Batch | Kind::Opening | Kind::End | Kind::Busy)
            && self.former.as_ref().is_some_and(is_its)
    }

    /// When an ask for a beat was sent that has its answer now. Those before it have none any more.
    fn take_probe(&mut self, id: AskId) -> Option<Boot> {
        while let Some((probe, at)) = self.probes.pop_front() {
            if probe == id {
                return Some(at);
            }
        }
        None
    }

    /// Applies a batch that was missing.
    pub(super) fn take_missing(
        &mut self,
        message: &Message<'_>,
        now: Boot,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        if message.head.batch != self.next {
            self.counts.duplicates += u64::from(message.head.batch < self.next);
            return;
        }
        if !self.apply_next(message, book) {
            return self.ask(Cause::Damage, now, actions);
        }
        if let Stage::Repairing(repairing) = &mut self.stage {
            repairing.until = now.after(REPAIR_MAX);
        }
        if self.buffer.first().is_some_and(|first| first <= self.next) {
            let shown = self.buffer.newest();
            if self.apply_kept(book) {
                self.counts.filled += 1;
                self.become_live(Cause::Filled, shown, false, now, book, actions);
            } else {
                self.ask(Cause::Damage, now, actions);
            }
        }
    }
}
