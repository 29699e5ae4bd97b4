//! The newest ticks of a symbol.

use super::tick::Tick;
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// How much a ring keeps. It always keeps the newest tick.
#[derive(Debug, Clone, Copy)]
pub struct RingLimits {
    /// The most ticks.
    pub count: usize,
    /// The oldest tick.
    pub age: Duration,
}

/// The newest ticks of a symbol, oldest first and without a hole in their versions; never empty.
pub(super) struct Ring(VecDeque<Arc<Tick>>);

impl RingLimits {
    /// Whether a tick is too old by now, unless it is the newest.
    pub(super) fn is_outdated(self, tick: &Tick, now: Instant) -> bool {
        now.saturating_duration_since(tick.published) > self.age
    }
}

impl Ring {
    pub(super) fn new(first: Arc<Tick>) -> Self {
        Self(VecDeque::from([first]))
    }

    pub(super) fn newest(&self) -> &Arc<Tick> {
        self.0.back().expect("a ring is never empty")
    }

    /// Adds the newest tick, and drops the ticks beyond the limits.
    pub(super) fn push(&mut self, tick: Arc<Tick>, limits: RingLimits) {
        let now = tick.published;
        self.0.push_back(tick);
        while self.0.len() > limits.count.max(1) {
            self.0.pop_front();
        }
        self.drop_outdated(now, limits);
    }

    /// Drops the ticks that are too old by now.
    pub(super) fn drop_outdated(&mut self, now: Instant, limits: RingLimits) {
        while self.0.len() > 1 && limits.is_outdated(&self.0[0], now) {
            self.0.pop_front();
        }
        if self.0.len() == 1 {
            self.0.shrink_to(1); // a symbol that is quiet keeps no room for a burst
        }
    }

    /// Replaces all that it holds: no stream reads this symbol, or its numbers begin.
    pub(super) fn keep_only(&mut self, tick: Arc<Tick>) {
        self.0.clear();
        self.0.push_back(tick);
        self.0.shrink_to(1);
    }

    /// The ticks from this version on, or all where the ring has dropped some of those.
    pub(super) fn from(&self, version: u64) -> impl Iterator<Item = &Arc<Tick>> {
        let oldest = self.0.front().expect("a ring is never empty").version;
        let skipped = usize::try_from(version.saturating_sub(oldest)).unwrap_or(usize::MAX).min(self.0.len());
        self.0.range(skipped..)
    }

    /// The ticks before this version, newest first.
    pub(super) fn before(&self, version: u64) -> impl Iterator<Item = &Arc<Tick>> {
        let oldest = self.0.front().expect("a ring is never empty").version;
        let count = usize::try_from(version.saturating_sub(oldest)).unwrap_or(usize::MAX).min(self.0.len());
        self.0.range(..count).rev()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
