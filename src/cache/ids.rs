//! Dense indices of the gateway's symbols and workers, each of a type of its own.

use std::fmt;

/// The most workers: a [`WorkerMask`](super::WorkerMask) has a bit for each.
pub const WORKERS_MAX: usize = 64;

/// A state of the gateway: a number that no other state has as long as it lives. They are dense, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(u32);

impl SymbolId {
    /// The state at this place of a list of all states.
    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a cache holds fewer symbols than a u32 counts"))
    }

    /// The state's place in a list of all states.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A worker of the pool, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(u8);

impl WorkerIndex {
    /// The worker at this place, if it is below [`WORKERS_MAX`].
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|_| index < WORKERS_MAX).map(Self)
    }

    /// The first `count` workers, at most [`WORKERS_MAX`].
    pub fn first(count: usize) -> impl Iterator<Item = Self> {
        (0..count).map_while(Self::new)
    }

    /// The worker's place in a list of all workers.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for WorkerIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
