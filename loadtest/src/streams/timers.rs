//! The scheduled tasks of the streams.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// A scheduled task of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Connect.
    Connect,
    /// Read the next bytes of a slow reader.
    Read,
    /// Leave, to come back later.
    Leave,
}

/// All scheduled tasks by time. Each is for one connection of its stream: the caller ignores those of an earlier
/// generation.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32, u32, Task)>>,
}

impl Timers {
    /// Schedules a task.
    pub(super) fn add(&mut self, at: Instant, stream: u32, generation: u32, task: Task) {
        self.heap.push(Reverse((at, stream, generation, task)));
    }

    /// When the next task is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next task if it is due: its stream, generation and kind.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(u32, u32, Task)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, stream, generation, task))| (stream, generation, task))
    }
}
