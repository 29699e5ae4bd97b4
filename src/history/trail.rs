//! The points of one symbol.

use super::{excerpt::Excerpt, point::Point, rank::Rank};
use crate::{cache::Tick, market::UnixMicros};
use std::{collections::VecDeque, time::Duration};

/// A point in memory.
pub const POINT_BYTES: usize = size_of::<Point>();
const _: () = assert!(POINT_BYTES == 48);

/// A trail without its points: itself, and its entry in the order of eviction.
pub const TRAIL_BYTES: usize = size_of::<Trail>() + 48;

/// A trail begins with room for so many points.
const POINTS_FIRST: usize = 8;

/// The points of one symbol, oldest first and at most one in each span; never empty.
#[derive(Debug)]
pub(super) struct Trail {
    points: VecDeque<Point>,
    /// Of the newest point's tick.
    version: u64,
    rank: Rank,
}

/// What a trail needs to take a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It has the tick already.
    Nothing,
    /// The place of its newest point, or a free one.
    Place,
    /// So many bytes more.
    Bytes(usize),
}

impl Trail {
    /// What a trail takes that begins.
    pub(super) const BYTES_FIRST: usize = TRAIL_BYTES + POINTS_FIRST * POINT_BYTES;

    /// A trail that begins with a tick.
    pub(super) fn new(tick: &Tick, span: u32, rank: Rank) -> Self {
        let mut points = VecDeque::new();
        points.reserve_exact(POINTS_FIRST);
        points.push_back(Point::new(tick, span));
        Self { points, version: tick.version, rank }
    }

    pub(super) fn rank(&self) -> Rank {
        self.rank
    }

    pub(super) fn set_rank(&mut self, rank: Rank) {
        self.rank = rank;
    }

    /// What it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        TRAIL_BYTES + self.points.capacity() * POINT_BYTES
    }

    /// Drops the points before the last one that is not after span `last`: that one still held when the next began.
    pub(super) fn expire(&mut self, last: u32) {
        while self.points.len() > 1 && self.points[1].span() <= last {
            self.points.pop_front();
        }
        // A symbol that is quiet keeps no room for a busy time.
        if self.points.len() <= self.points.capacity() / 4 && self.points.capacity() > POINTS_FIRST {
            self.points.shrink_to((self.points.len() * 2).max(POINTS_FIRST));
        }
    }

    /// What it needs to take a tick that was published in this span.
    pub(super) fn needs(&self, tick: &Tick, span: u32, points_max: usize) -> Needs {
        let capacity = self.points.capacity();
        if tick.version <= self.version {
            Needs::Nothing
        } else if span <= self.newest().span() || self.points.len() < capacity || capacity >= points_max {
            Needs::Place
        } else {
            Needs::Bytes((capacity + capacity / 2).min(points_max).saturating_sub(capacity) * POINT_BYTES)
        }
    }

    /// Makes room for so many bytes of points.
    pub(super) fn grow(&mut self, bytes: usize) {
        let free = self.points.capacity() - self.points.len();
        self.points.reserve_exact(free + bytes / POINT_BYTES);
    }

    /// Takes a newer tick. Without a free place, the oldest point makes way.
    pub(super) fn take(&mut self, tick: &Tick, span: u32) {
        self.version = tick.version;
        // Two threads may publish: the later tick's time may be a little earlier.
        let span = span.max(self.newest().span());
        let point = Point::new(tick, span);
        if span == self.newest().span() {
            self.points.pop_back();
        } else if self.points.len() == self.points.capacity() {
            self.points.pop_front();
        }
        self.points.push_back(point);
    }

    fn newest(&self) -> &Point {
        self.points.back().expect("a trail is never empty")
    }

    /// At most `count` points of what was shown from `since` on.
    pub(super) fn excerpt(&self, since: Option<UnixMicros>, count: usize, every: Duration) -> Excerpt {
        // From the newest back: the clock may have been set back since older ones.
        let is_before = |point: &Point| since.is_some_and(|since| point.time() <= since);
        let first = self.points.iter().rposition(is_before).unwrap_or(0);
        Excerpt::new(self.points.range(first..), count, every)
    }
}
