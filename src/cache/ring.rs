//! The newest ticks of a symbol.

use super::tick::{Numbers, Tick};
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

/// The newest ticks of a symbol.
///
/// What a publish needs to know of its ticks stands in the ring itself. Of many symbols each is touched seldom: a tick
/// behind a pointer has left the processor's caches, and a publish would wait for it.
pub(super) struct Ring {
    /// Oldest first and without a hole in their versions; never empty.
    ticks: VecDeque<Kept>,
    /// Those of the newest one.
    numbers: Numbers,
}

/// A tick in a ring.
struct Kept {
    /// When it was published.
    since: Instant,
    tick: Arc<Tick>,
}

impl RingLimits {
    /// Whether a tick is too old by now, unless it is the newest.
    pub(super) fn is_outdated(self, tick: &Tick, now: Instant) -> bool {
        self.is_over(tick.published, now)
    }

    fn is_over(self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) > self.age
    }
}

impl Ring {
    pub(super) fn new(first: Arc<Tick>) -> Self {
        Self { numbers: first.numbers(), ticks: VecDeque::from([Kept::new(first)]) }
    }

    /// The numbers of the newest tick.
    pub(super) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    pub(super) fn newest(&self) -> &Arc<Tick> {
        &self.ticks.back().expect("a ring is never empty").tick
    }

    /// Adds the newest tick, and drops the ticks beyond the limits. A full ring so goes round: the new tick takes the
    /// place of the oldest one.
    pub(super) fn push(&mut self, tick: Tick, limits: RingLimits) {
        let now = tick.published;
        self.numbers = tick.numbers();
        let is_full = self.ticks.len() >= limits.count.max(1);
        let is_outdated = self.is_oldest_outdated(now, limits);
        let oldest = if is_full || is_outdated { self.ticks.pop_front() } else { None };
        self.ticks.push_back(Kept::in_place_of(oldest, tick));
        if is_outdated || self.ticks.len() == 2 {
            self.drop_outdated(now, limits);
        }
    }

    /// Drops the ticks that are too old by now.
    pub(super) fn drop_outdated(&mut self, now: Instant, limits: RingLimits) {
        while self.is_oldest_outdated(now, limits) {
            self.ticks.pop_front();
        }
        if self.ticks.len() == 1 {
            self.ticks.shrink_to(1); // a symbol that is quiet keeps no room for a burst
        }
    }

    /// Replaces all that it holds: no stream reads this symbol, or its numbers begin.
    pub(super) fn keep_only(&mut self, tick: Tick) {
        self.numbers = tick.numbers();
        let newest = self.ticks.pop_back();
        self.ticks.clear();
        self.ticks.push_back(Kept::in_place_of(newest, tick));
        self.ticks.shrink_to(1);
    }

    fn is_oldest_outdated(&self, now: Instant, limits: RingLimits) -> bool {
        self.ticks.len() > 1 && limits.is_over(self.ticks[0].since, now)
    }

    /// The ticks from this version on, or all where the ring has dropped some of those.
    pub(super) fn from(&self, version: u64) -> impl Iterator<Item = &Arc<Tick>> {
        self.ticks.range(self.place_of(version)..).map(|kept| &kept.tick)
    }

    /// The ticks before this version, newest first.
    pub(super) fn before(&self, version: u64) -> impl Iterator<Item = &Arc<Tick>> {
        self.ticks.range(..self.place_of(version)).rev().map(|kept| &kept.tick)
    }

    pub(super) fn len(&self) -> usize {
        self.ticks.len()
    }

    /// The place of this version, or the nearest one.
    fn place_of(&self, version: u64) -> usize {
        let from_end = (self.numbers.version + 1).saturating_sub(version);
        self.ticks.len() - usize::try_from(from_end).unwrap_or(usize::MAX).min(self.ticks.len())
    }
}

impl Kept {
    fn new(tick: Arc<Tick>) -> Self {
        Self { since: tick.published, tick }
    }

    /// A tick in the memory of one that the ring drops, if nothing else holds that one.
    fn in_place_of(dropped: Option<Self>, tick: Tick) -> Self {
        if let Some(Self { tick: mut place, .. }) = dropped
            && let Some(old) = Arc::get_mut(&mut place)
        {
            *old = tick;
            return Self::new(place);
        }
        Self::new(Arc::new(tick))
    }
}
