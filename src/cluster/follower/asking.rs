//! How a follower asks for batches that are missing, or for a snapshot, and takes that.

use super::{
    Action, Asking, BUFFER_AGE_MAX, Cause, Follower, PlantedFault, REPAIR_MAX, Repairing, Stage, book::Book,
    request::Request,
};
use crate::cluster::{clock::Boot, message::Ask};

impl Follower {
    /// Asks for the batches before those in the buffer.
    pub(super) fn repair(&mut self, now: Boot, actions: &mut Vec<Action>) {
        let until = now.after(REPAIR_MAX);
        let Some(request) = self.ask_for_missing(now, actions) else { return };
        let repairing = Repairing { request, from: self.next, is_answered: false, until };
        self.enter(Stage::Repairing(repairing), Cause::Hole, actions);
    }

    /// Asks for the rest of the missing batches.
    pub(super) fn repair_on(&mut self, now: Boot, actions: &mut Vec<Action>) {
        if let Some(request) = self.ask_for_missing(now, actions)
            && let Stage::Repairing(repairing) = &mut self.stage
        {
            (repairing.request, repairing.from, repairing.is_answered) = (request, self.next, false);
        }
    }

    fn ask_for_missing(&mut self, now: Boot, actions: &mut Vec<Action>) -> Option<Request> {
        let (token, first) = (self.token?, self.buffer.first()?);
        let ask = Ask::History { epoch: token.epoch, from: self.next, to: first.checked_sub(1)? };
        Some(Request::send(&mut self.asks, ask, now, actions))
    }

    /// Asks for a snapshot.
    pub(super) fn ask(&mut self, cause: Cause, now: Boot, actions: &mut Vec<Action>) {
        if !matches!(cause, Cause::FirstMessage | Cause::NewOwner) {
            self.counts.replaced += 1;
        }
        let asking = self.ask_for_snapshot(now, actions);
        self.enter(Stage::Asking(asking), cause, actions);
    }

    pub(super) fn ask_for_snapshot(&mut self, now: Boot, actions: &mut Vec<Action>) -> Asking {
        // It names all symbols, and is made after this ask: behind all batches that have come.
        self.table.clear();
        self.former = None;
        self.buffer.let_go();
        Asking::new(Request::send(&mut self.asks, Ask::Snapshot, now, actions))
    }

    /// The end of a snapshot has come: it had so many parts, and no tick behind the batch `last`.
    pub(super) fn end_snapshot(&mut self, count: u16, last: u64, now: Boot, actions: &mut Vec<Action>) {
        let Stage::Asking(asking) = &mut self.stage else { return };
        match std::mem::take(&mut asking.parts).complete(count, last) {
            None => self.ask_later(Cause::Incomplete, now, actions),
            snapshot => {
                asking.request = Request::rest(now.after(BUFFER_AGE_MAX));
                asking.snapshot = snapshot;
            }
        }
    }

    /// If a snapshot is here with the batches of all its ticks, applies all at once.
    pub(super) fn complete(&mut self, now: Boot, book: &mut impl Book, actions: &mut Vec<Action>) {
        let Stage::Asking(asking) = &mut self.stage else { return };
        let Some(snapshot) = asking.snapshot.take() else { return };
        let after = snapshot.first + 1;
        // Without a message since, none can be missing: the subscription is older than the snapshot.
        self.buffer.begin_at(after);
        if self.buffer.first() > Some(after) {
            return self.ask_later(Cause::Unjoined, now, actions);
        }
        if self.buffer.next() <= Some(snapshot.last) && self.fault != Some(PlantedFault::TakesSnapshotsAlone) {
            asking.snapshot = Some(snapshot);
            return;
        }
        let shown = self.buffer.newest();
        if self.apply_snapshot(&snapshot.parts, book) && self.apply_kept(book) {
            return self.become_live(Cause::Complete, shown, true, now, book, actions);
        }
        self.ask_later(Cause::Damage, now, actions);
    }

    /// A snapshot cannot be taken: another one is asked for after a pause.
    fn ask_later(&mut self, cause: Cause, now: Boot, actions: &mut Vec<Action>) {
        self.counts.unjoined += 1;
        let pause = Request::pause(&mut self.asks, now);
        self.enter(Stage::Asking(Asking::new(pause)), cause, actions);
    }
}
