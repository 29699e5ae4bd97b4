//! What the owner of a shard sees of its ticks, so that it can pass them on.

use crate::market::{Guards, Part, Parts, Snapshot, Symbol};

/// Takes each tick that this node makes of a symbol, under the symbol's lock: it must be quick, and call nothing of the
/// cache.
pub trait Tap {
    /// A symbol has a tick.
    fn tick(&self, tick: &Tapped<'_>);
}

/// A tick, as the owner of its shard has it.
#[derive(Debug, Clone, Copy)]
pub struct Tapped<'a> {
    /// The symbol's place among those of its shard, from 0.
    pub index: u32,
    /// The symbol.
    pub name: &'a Symbol,
    /// Its number among the symbol's ticks; 0 for a symbol that has not had one.
    pub seq: u64,
    /// Its number among the shard's ticks; 0 for `seq` 0.
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
