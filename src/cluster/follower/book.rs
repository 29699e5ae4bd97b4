//! Where a follower's ticks go: the node's own states of the shard's symbols.

use super::freshness::CutOff;
use crate::{cluster::message::Tick, wire::Epoch};

/// A symbol of the shard that this node has, by its place in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

/// The newest tick that a symbol has from an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Have {
    /// The epoch of its number.
    pub epoch: Epoch,
    /// Its number; 0 for a symbol that has not had a tick in this epoch.
    pub seq: u64,
}

/// How a tick follows the one that a symbol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the next one.
    Next,
    /// Ticks of the same epoch between the two are lost: the symbol's ring starts over. The tick is full.
    Jump {
        /// How many.
        missed: u64,
    },
    /// It is of another epoch, or the symbol's first: the ring starts over. The tick is full.
    Epoch,
}

/// The node's states of the shard's symbols. Its places are `0..len`.
///
/// A state holds what the owner said, apart from what the node shows while it is cut off: a tick stands on the former.
pub trait Book {
    /// How many places there are.
    fn len(&self) -> u32;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a symbol; `None` if this node does not have it.
    fn find(&self, name: &str) -> Option<Place>;

    /// The newest tick that the symbol has from an owner, which may be this node itself; `None` before the first, and
    /// while the owner does not have the symbol.
    fn have(&self, place: Place) -> Option<Have>;

    /// Merges a tick of this epoch into the symbol's state, with [`Tick::merge_into`], and publishes it.
    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, step: Step);

    /// The owner does not have the symbol: it waits for data, and [has](Self::have) nothing.
    fn absent(&mut self, place: Place);

    /// The symbols are stale from now on, and so are the ticks that the book takes.
    fn cut_off(&mut self, reason: CutOff);

    /// The symbols are again, or for the first time, as the owner says.
    fn restore(&mut self);
}

/// What becomes of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The book takes it.
    Take(Step),
    /// The book has it, or a newer one.
    Old,
    /// The tick on which it stands is missing.
    Hole,
}

/// Judges a tick of this epoch by what the book has. A symbol's `seq` only rises within an epoch, and a tick that is
/// not full stands on the one before it.
pub(super) fn judge(have: Option<Have>, epoch: Epoch, tick: &Tick<'_>) -> Judgement {
    let is_full = tick.full.is_some();
    match have.filter(|have| have.epoch == epoch) {
        None if is_full => Judgement::Take(Step::Epoch),
        None => Judgement::Hole,
        Some(have) if tick.seq <= have.seq => Judgement::Old,
        Some(have) if tick.seq - have.seq == 1 => Judgement::Take(Step::Next),
        Some(have) if is_full => Judgement::Take(Step::Jump { missed: tick.seq - have.seq - 1 }),
        Some(_) => Judgement::Hole,
    }
}
