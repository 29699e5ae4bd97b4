//! What a stream does at a later moment.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Connect.
    Connect,
    /// Read the next bytes of a slow reader.
    Read,
    /// Leave, to come back later.
    Leave,
}

/// All that is to be done later, by time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32, u32, Task)>>,
}

impl Timers {
    /// A stream does something at a time, unless it is in another generation then.
    pub(super) fn add(&mut self, at: Instant, stream: u32, generation: u32, task: Task) {
        self.heap.push(Reverse((at, stream, generation, task)));
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes what is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(u32, u32, Task)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, stream, generation, task))| (stream, generation, task))
    }
}
