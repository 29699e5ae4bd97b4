//! Which workers want which parts of a symbol.

use super::worker_mask::WorkerMask;
use crate::market::{Part, Parts};
use std::time::{Duration, Instant};

/// The workers with streams that want a symbol, by part.
#[derive(Debug, Default)]
pub(super) struct Interest {
    by_part: [WorkerMask; Part::ALL.len()],
    /// Whether streams of other nodes want it.
    is_wanted_elsewhere: bool,
    /// Since when no stream of any node wants the symbol, if one ever has.
    unwanted_since: Option<Instant>,
}

/// Whether streams want a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// None ever has.
    Never,
    /// None does; the last one that did left then.
    Until(Instant),
    /// At least one does.
    Now,
}

impl Interest {
    /// Adds a worker's interest in some parts.
    pub(super) fn add(&mut self, worker: WorkerMask, parts: Parts) {
        for part in parts.iter() {
            self.by_part[part as usize] = self.by_part[part as usize].union(worker);
        }
    }

    /// Takes back a worker's interest in some parts.
    pub(super) fn remove(&mut self, worker: WorkerMask, parts: Parts, now: Instant) {
        for part in parts.iter() {
            self.by_part[part as usize] = self.by_part[part as usize].without(worker);
        }
        if self.is_empty() {
            self.unwanted_since = Some(now);
        }
    }

    /// Notes whether streams of other nodes want the symbol.
    pub(super) fn set_wanted_elsewhere(&mut self, is_wanted: bool, now: Instant) {
        let was_wanted = std::mem::replace(&mut self.is_wanted_elsewhere, is_wanted);
        if was_wanted && self.is_empty() {
            self.unwanted_since = Some(now);
        }
    }

    /// Whether a worker of this node wants the symbol.
    pub(super) fn is_wanted_here(&self) -> bool {
        self.by_part != [WorkerMask::NONE; Part::ALL.len()]
    }

    /// The workers that want any of these parts.
    pub(super) fn in_parts(&self, parts: Parts) -> WorkerMask {
        parts.iter().fold(WorkerMask::NONE, |workers, part| workers.union(self.by_part[part as usize]))
    }

    /// Whether no stream of any node wants the symbol, and none has within `age`: then no client can resume on it.
    pub(super) fn has_been_empty_for(&self, age: Duration, now: Instant) -> bool {
        let has_passed = match self.unwanted_since {
            Some(since) => now.saturating_duration_since(since) > age,
            None => true,
        };
        self.is_empty() && has_passed
    }

    /// Whether any stream wants the symbol, of whichever node, or did.
    pub(super) fn demand(&self) -> Demand {
        match self.unwanted_since {
            _ if !self.is_empty() => Demand::Now,
            Some(since) => Demand::Until(since),
            None => Demand::Never,
        }
    }

    fn is_empty(&self) -> bool {
        !self.is_wanted_elsewhere && !self.is_wanted_here()
    }
}
