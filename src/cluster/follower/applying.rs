//! How a message's ticks get into the book.

use super::{
    Follower, PlantedFault, Step,
    book::{Book, Have, Judgement, judge},
    table::Entry,
};
use crate::{
    cluster::message::{Kind, Message, Tick},
    wire::Epoch,
};
use bytes::Bytes;

impl Follower {
    /// Applies the next batch. Returns false if it cannot be applied as a whole: then it counts as missing. What was
    /// taken of it stays, and does no harm: a symbol takes each tick once.
    pub(super) fn apply_next(&mut self, message: &Message<'_>, book: &mut impl Book) -> bool {
        let is_applied = self.apply(message, book);
        if is_applied {
            self.next = message.head.batch + 1;
            self.counts.batches += 1;
        }
        is_applied
    }

    /// Applies the parts of a snapshot. Returns false if one cannot be applied.
    pub(super) fn apply_snapshot(&mut self, parts: &[Bytes], book: &mut impl Book) -> bool {
        parts.iter().all(|bytes| Message::open(bytes).is_ok_and(|message| self.apply(&message, book)))
    }

    /// Applies the batches that were kept behind the one that was applied last, or behind a snapshot. Returns false if
    /// one cannot be applied.
    pub(super) fn apply_kept(&mut self, book: &mut impl Book) -> bool {
        let Some((batches, next)) = self.buffer.drain() else { return false };
        let apply = |bytes: &Bytes| Message::open(bytes).is_ok_and(|message| self.apply_next(&message, book));
        let are_applied = batches.iter().all(apply);
        if are_applied {
            self.next = next;
        }
        are_applied
    }

    /// Takes each tick that is new. Returns false at one that stands on a tick that is missing, or whose symbol was not
    /// named.
    pub(super) fn apply(&mut self, message: &Message<'_>, book: &mut impl Book) -> bool {
        debug_assert!(message.head.kind != Kind::Beat);
        let epoch = message.head.token.epoch;
        for tick in message.ticks() {
            let table = match &mut self.former {
                Some((former, table)) if *former == message.head.token => table,
                _ if self.token == Some(message.head.token) => &mut self.table,
                _ => return false,
            };
            if let Some(full) = tick.full {
                table.name(tick.index, book.find(full.name));
            }
            let place = match table.get(tick.index) {
                Entry::Unnamed => return false,
                Entry::Unknown => {
                    self.counts.unknown += 1;
                    continue;
                }
                Entry::Known(place) => place,
            };
            match self.judge(book.have(place), epoch, &tick) {
                Judgement::Take(step) => {
                    if let Step::Jump { missed } = step {
                        self.counts.lost += missed;
                    }
                    self.counts.ticks += 1;
                    book.take(place, epoch, &tick, step);
                }
                Judgement::Old => {}
                Judgement::Hole => return false,
            }
        }
        true
    }

    fn judge(&self, have: Option<Have>, epoch: Epoch, tick: &Tick<'_>) -> Judgement {
        let judgement = judge(have, epoch, tick);
        if judgement == Judgement::Old && self.fault == Some(PlantedFault::MergesWithoutSeq) {
            return Judgement::Take(Step::Next);
        }
        judgement
    }
}
