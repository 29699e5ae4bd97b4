//! The scheduled tasks of the streams.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// A scheduled task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A stream connects.
    Connect,
    /// A stream has to be open by now.
    Timeout,
    /// A slow reader's connection is read.
    Read,
    /// A stream leaves, to come back later.
    Leave,
    /// A stream comes, as its group's stages say; of any generation.
    Come,
    /// A stream goes, as its group's stages say; of any generation.
    Go,
}

/// All scheduled tasks by time. Each is for one generation of its stream or connection: the caller ignores those of an
/// earlier one.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32, u32, Task)>>,
}

impl Timers {
    /// Schedules a task.
    pub(super) fn add(&mut self, at: Instant, of: u32, generation: u32, task: Task) {
        self.heap.push(Reverse((at, of, generation, task)));
    }

    /// When the next task is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next task if it is due: when it was due, whose it is, its generation and its kind.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Instant, u32, u32, Task)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(task)| task)
    }
}
