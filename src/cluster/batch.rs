//! The owner's open batch: ticks are appended as they come, and sealed as a message.
//!
//! The ingest of the shard appends; whatever seals passes the sealed batch to the [history](super::history) and to the
//! sender, and waits for neither. A batch is sealed when it is full, or when the window has passed since the last
//! sealing: a tick after silence leaves at once, and under load many share a message.

use super::{
    clock::Boot,
    message::{Draft, Finish, Form, Kind, OwnTick, Sender},
    token::Token,
};
use crate::market::{Guards, Part, Parts, Snapshot, Symbol};
use bytes::Bytes;
use std::time::Duration;

/// The most ticks of a batch.
pub const BATCH_TICKS_MAX: u16 = 512;
/// A batch of so many bytes is sealed.
pub const BATCH_BYTES_MAX: usize = 48 << 10;

/// A batch that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number within the epoch.
    pub number: u64,
    /// The message.
    pub bytes: Bytes,
}

/// A tick of the owner, for its batch.
#[derive(Debug, Clone, Copy)]
pub struct NewTick<'a> {
    /// The symbol's place in the owner's table.
    pub index: u32,
    /// The symbol.
    pub name: &'a Symbol,
    /// Its number among the symbol's ticks; 0 for a symbol that has not had one.
    pub seq: u64,
    /// Its number among the shard's ticks.
    pub n: u64,
    /// The parts that it changed.
    pub changed: Parts,
    /// The `seq` before this one that last changed each part, by [`Part`].
    pub prior: [u64; Part::ALL.len()],
    /// The symbol's state after the tick before it.
    pub before: &'a Snapshot,
    /// The symbol's state after it.
    pub snapshot: &'a Snapshot,
    /// The order guards that go with that state.
    pub guards: &'a Guards,
}

impl NewTick<'_> {
    /// The tick with all that it stands on.
    pub(super) fn full(&self) -> OwnTick<'_> {
        OwnTick { form: Form::Full { name: self.name, prior: self.prior }, ..self.changed() }
    }

    fn changed(&self) -> OwnTick<'_> {
        let Self { index, seq, n, changed, before, snapshot, guards, .. } = *self;
        OwnTick { index, seq, n, changed, snapshot, guards, form: Form::Changed { before } }
    }
}

/// The open batch of a shard's owner.
#[derive(Debug)]
pub struct OpenBatch {
    token: Token,
    window: Duration,
    draft: Draft,
    /// The number of the batch that was sealed last; 0 before the first of an epoch.
    last: u64,
    sealed_at: Option<Boot>,
    /// For each place of the owner's table, whether a batch of this term has named its symbol.
    is_named: Vec<bool>,
    ticks_max: u16,
}

impl OpenBatch {
    /// The batches of an owner with a table of `table` symbols, behind the batch `last` of its epoch, 0 if it begins
    /// the epoch. A batch that is not full is sealed once `window` has passed since the last sealing.
    pub fn new(token: Token, table: u32, last: u64, window: Duration) -> Self {
        let is_named = vec![false; table as usize];
        let (draft, ticks_max) = (Draft::default(), BATCH_TICKS_MAX);
        Self { token, window, draft, last, sealed_at: None, is_named, ticks_max }
    }

    /// The same with smaller batches, for a simulation.
    #[doc(hidden)]
    pub fn with_ticks_max(self, ticks_max: u16) -> Self {
        Self { ticks_max, ..self }
    }

    /// The number of the batch that was sealed last.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Appends a tick. The first of a symbol in this term is full: it tells which symbol the index means.
    ///
    /// # Panics
    /// If the index is beyond the table.
    pub fn push(&mut self, tick: &NewTick<'_>) {
        let is_first = !std::mem::replace(&mut self.is_named[tick.index as usize], true);
        self.draft.push(&if is_first { tick.full() } else { tick.changed() });
    }

    /// Whether it has to be sealed before the next tick.
    pub fn is_full(&self) -> bool {
        self.draft.count() >= self.ticks_max || self.draft.length() >= BATCH_BYTES_MAX
    }

    /// When it has to be sealed; `None` while it is empty.
    pub fn due(&self) -> Option<Boot> {
        if self.draft.count() == 0 {
            return None;
        }
        if self.is_full() {
            return Some(Boot(0));
        }
        Some(self.sealed_at.map_or(Boot(0), |sealed| sealed.after(self.window)))
    }

    /// Seals it, unless it is empty.
    pub fn seal(&mut self, revision: u64, now: Boot) -> Option<Sealed> {
        (self.draft.count() > 0).then(|| self.seal_as(Kind::Batch, false, false, revision, now))
    }

    /// Begins the epoch: batches that have all symbols of the owner, each in a full tick. There is always one.
    /// `each_symbol` calls the function that it is given for each of them: a symbol may be locked meanwhile.
    ///
    /// # Panics
    /// If the epoch has a batch already, or an index is beyond the table.
    pub fn open(
        &mut self,
        each_symbol: impl FnOnce(&mut dyn FnMut(&NewTick<'_>)),
        revision: u64,
        now: Boot,
    ) -> Vec<Sealed> {
        assert!(self.last == 0 && self.draft.count() == 0, "an opening begins its epoch");
        let mut batches = Vec::new();
        each_symbol(&mut |symbol| {
            if self.is_full() {
                batches.push(self.seal_as(Kind::Opening, batches.is_empty(), false, revision, now));
            }
            self.is_named[symbol.index as usize] = true;
            self.draft.push(&symbol.full());
        });
        batches.push(self.seal_as(Kind::Opening, batches.is_empty(), true, revision, now));
        batches
    }

    fn seal_as(&mut self, kind: Kind, is_first: bool, is_last: bool, revision: u64, now: Boot) -> Sealed {
        self.last += 1;
        self.sealed_at = Some(now);
        let sender = Sender { token: self.token, revision, table: self.is_named.len() as u32, sent: now };
        let bytes = self.draft.finish(&Finish { kind, batch: self.last, is_first, is_last }, &sender);
        Sealed { number: self.last, bytes }
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
