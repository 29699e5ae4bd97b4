//! How a follower takes the messages of the live subject.

use super::{Cause, Follower, PlantedFault, Stage, book::Book, event::Action};
use crate::cluster::{
    clock::Boot,
    message::{DecodeError, Head, Kind, Message},
};
use bytes::Bytes;

impl Follower {
    pub(super) fn take_live(&mut self, bytes: Bytes, now: Boot, book: &mut impl Book, actions: &mut Vec<Action>) {
        let message = match Message::open(&bytes) {
            Ok(message) => message,
            Err(error) => return self.counts.drop(error),
        };
        let head = message.head;
        if !matches!(head.kind, Kind::Batch | Kind::Opening | Kind::Beat) {
            return self.counts.drop(DecodeError::Value);
        }
        if self.floor > Some(head.token) && self.fault != Some(PlantedFault::TakesLowerTokens) {
            self.counts.fenced += 1;
            return;
        }
        self.heard = Some((head.token, head.revision));
        if self.token != Some(head.token) {
            self.follow(&head, now, book, actions);
        }
        if self.freshness.heard(head.sent, now) {
            self.ask_for_clock(now);
        }
        match &self.stage {
            Stage::Cold => {}
            // What the lease says of the last batch may be here before the batch itself.
            Stage::Repairing(_) if head.kind == Kind::Batch && head.batch == self.next => {
                self.take_missing(&message, now, book, actions);
                if matches!(self.stage, Stage::Live) {
                    self.freshness.applied(head.sent, now, now);
                }
            }
            Stage::Asking(_) | Stage::Repairing(_) => self.keep(&head, bytes, now),
            Stage::Live => match head.kind {
                Kind::Beat => self.take_beat(&head, now, actions),
                _ if head.batch < self.next => self.counts.duplicates += 1,
                _ if head.batch == self.next => {
                    if self.apply_next(&message, book) {
                        self.freshness.applied(head.sent, now, now);
                    } else {
                        self.ask(Cause::Damage, now, actions);
                        self.keep(&head, bytes, now);
                    }
                }
                _ => {
                    self.buffer.clear();
                    self.keep(&head, bytes, now);
                    self.repair(now, actions);
                }
            },
            Stage::Opening => self.take_opening(&message, bytes.clone(), now, book, actions),
        }
    }

    /// Follows an owner with a higher token.
    fn follow(&mut self, head: &Head, now: Boot, book: &mut impl Book, actions: &mut Vec<Action>) {
        let before = self.token.replace(head.token);
        self.floor = self.floor.max(self.token);
        self.freshness.change_owner();
        self.probes.clear();
        self.next_probe = now;
        let is_same_epoch = before.is_some_and(|before| before.epoch == head.token.epoch);
        let table = std::mem::take(&mut self.table);
        self.former = before.filter(|_| is_same_epoch).map(|before| (before, table));
        if !is_same_epoch {
            // The symbols move to the new epoch one by one. Under its name, those that have not moved yet would be
            // shown with numbers that mean something else there.
            self.freshness.leave_epoch();
            self.settle_freshness(now, book, actions);
        }
        let expected = match self.stage {
            Stage::Live => Some(self.next),
            Stage::Repairing(_) => self.buffer.next(),
            Stage::Cold | Stage::Asking(_) | Stage::Opening => None,
        };
        let next = head.batch.saturating_add(u64::from(head.kind == Kind::Beat));
        if is_same_epoch && expected.is_some_and(|expected| next >= expected) {
            return; // its names come with the first tick of each symbol, and the owner before has what is missing
        }
        self.buffer.clear();
        if head.kind == Kind::Opening && head.is_first && head.batch == 1 {
            self.next = 1;
            return self.enter(Stage::Opening, Cause::Opening, actions);
        }
        let cause = if before.is_none() { Cause::FirstMessage } else { Cause::NewOwner };
        self.ask(cause, now, actions);
    }

    /// Keeps a batch while older ones are missing.
    fn keep(&mut self, head: &Head, bytes: Bytes, now: Boot) {
        if head.kind == Kind::Beat {
            self.buffer.announce(head.batch, Some((head.sent, now)));
        } else if !self.buffer.push(head.batch, head.sent, bytes, now) {
            self.counts.duplicates += 1;
        }
    }

    fn take_beat(&mut self, head: &Head, now: Boot, actions: &mut Vec<Action>) {
        if head.batch >= self.next {
            self.buffer.clear();
            self.buffer.announce(head.batch, Some((head.sent, now)));
            self.repair(now, actions);
        } else if head.batch + 1 == self.next {
            self.freshness.applied(head.sent, now, now);
        }
    }

    fn take_opening(
        &mut self,
        message: &Message<'_>,
        bytes: Bytes,
        now: Boot,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        let head = message.head;
        let cause = match head.kind {
            Kind::Beat if head.batch < self.next => return,
            Kind::Beat => Cause::Hole,
            _ if head.batch < self.next => {
                self.counts.duplicates += 1;
                return;
            }
            Kind::Opening if head.batch == self.next => {
                if self.apply_next(message, book) {
                    if head.is_last {
                        self.become_live(Cause::Opened, Some((head.sent, now)), true, now, book, actions);
                    }
                    return;
                }
                Cause::Damage
            }
            _ => Cause::Hole,
        };
        self.ask(cause, now, actions);
        self.keep(&head, bytes, now);
    }
}
