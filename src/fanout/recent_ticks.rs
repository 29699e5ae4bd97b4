//! The ticks of a symbol that a stream that keeps up may still lack.

use crate::{
    cache::{SymbolState, Tick, WorkerMask},
    market::{Part, Parts},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// How many ticks are read at once for a stream that resumes: of hundreds of symbols, most bring few.
pub(super) const OLDER_AT_A_TIME: usize = 16;

/// A worker's copy of the young end of a symbol's ring: pointers to its newest ticks, without a hole in their versions.
///
/// It saves a lock per stream and write. It holds at least the newest tick, and all that are younger than `max_lag`: a
/// stream further behind gets the newest tick anyway.
pub(super) struct RecentTicks {
    ticks: VecDeque<Arc<Tick>>,
    /// The tick that was dropped last, while a stream wants patches: it may be the one before the next that is sent.
    dropped: Option<Arc<Tick>>,
    /// How many streams want patches.
    patched: u32,
    /// The version up to which [`RecentTicks::refresh`] has reported changes. A join may have brought newer ticks,
    /// which the other streams are not marked for yet.
    reported: u64,
    /// Before this time [`RecentTicks::trim`] ignores the age of ticks: the stream that joined last starts at one.
    keep_until: Instant,
}

/// The limits of a worker's recent ticks, and of a stream's lag.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecentLimits {
    pub(super) max_lag: Duration,
    pub(super) count: usize,
}

/// Where a stream stands in a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The version of the first tick that was not sent.
    pub(super) next: u64,
    /// The version of the newest tick when the stream joined. The stream gets that tick, or a newer one, whatever parts
    /// it wants.
    pub(super) initial: u64,
}

/// How a stream reads a symbol's recent ticks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadPolicy {
    pub(super) now: Instant,
    pub(super) max_lag: Duration,
    /// When the stream was opened.
    pub(super) joined: Instant,
    /// The parts whose change makes the symbol due.
    pub(super) parts: Parts,
    /// Whether it only ever wants the newest.
    pub(super) newest_only: bool,
    /// Whether a tick may come as a patch.
    pub(super) patches: bool,
    /// Whether ticks are compressed.
    pub(super) compresses: bool,
}

impl RecentTicks {
    /// No tick yet: the first stream is about to join.
    pub(super) fn new(now: Instant) -> Self {
        Self { ticks: VecDeque::new(), dropped: None, patched: 0, reported: 0, keep_until: now }
    }

    /// A stream wants patches. From now on the tick that a stream was sent last is at hand when it is sent the next,
    /// however long the symbol was quiet in between.
    pub(super) fn keep_for_patches(&mut self) {
        self.patched += 1;
    }

    /// A stream that wanted patches has left. Behind the last one no tick is kept for them.
    pub(super) fn unkeep_for_patches(&mut self) {
        self.patched -= 1;
        if self.patched == 0 {
            self.dropped = None;
        }
    }

    /// The tick of this version, if it is at hand.
    pub(super) fn get(&self, version: u64) -> Option<&Arc<Tick>> {
        match version.checked_sub(self.ticks[0].version) {
            Some(index) => self.ticks.get(usize::try_from(index).ok()?),
            None => self.dropped.as_ref().filter(|dropped| dropped.version == version),
        }
    }

    /// The tick that this one [follows](Tick::follows), if it is at hand.
    pub(super) fn before(&self, tick: &Tick) -> Option<&Arc<Tick>> {
        self.get(tick.version.checked_sub(1)?).filter(|before| tick.follows(before))
    }

    /// A stream joins, which starts at the newest tick.
    pub(super) fn join(
        &mut self,
        state: &SymbolState,
        worker: WorkerMask,
        parts: Parts,
        now: Instant,
        limits: RecentLimits,
    ) {
        let is_first = self.ticks.is_empty();
        state.join(worker, parts, &mut self.ticks);
        if is_first {
            self.reported = self.newest().version;
        }
        self.keep_until = now + limits.max_lag;
        self.trim(now, limits);
    }

    /// The tick before this version, if it is after `after`, of the newest one's generation, and not too old to be
    /// replayed. The ring is read some ticks at a time.
    pub(super) fn replayed(
        &mut self,
        state: &SymbolState,
        version: u64,
        after: u64,
        now: Instant,
    ) -> Option<&Arc<Tick>> {
        if version > self.newest().version {
            return None; // the stream starts behind it
        }
        if self.ticks[0].version == version && self.ticks[0].id.n > after {
            state.read_older(OLDER_AT_A_TIME, &mut self.ticks);
        }
        let index = usize::try_from(version.checked_sub(self.ticks[0].version + 1)?).ok()?;
        let generation = self.newest().generation;
        let is_missed = |tick: &&Arc<Tick>| tick.generation == generation && tick.id.n > after;
        self.ticks.get(index).filter(is_missed).filter(|tick| !state.is_outdated(tick, now))
    }

    /// Reads older ticks, from this version on: some at a time, up to the first that is too old for their stream. Where
    /// a stream lacks that one, it gets the newest alone.
    pub(super) fn read_from(&mut self, state: &SymbolState, version: u64, is_young: impl Fn(&Tick) -> bool) {
        while self.ticks[0].version > version && is_young(&self.ticks[0]) {
            let held = self.ticks.len();
            let missing = usize::try_from(self.ticks[0].version - version).unwrap_or(usize::MAX);
            state.read_older(missing.min(OLDER_AT_A_TIME), &mut self.ticks);
            if self.ticks.len() == held {
                return; // the ring goes no further
            }
        }
    }

    /// Reads what is new; returns the parts that have changed since the last time.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Instant, limits: RecentLimits) -> Parts {
        self.catch_up(state, now, limits);
        let newest = self.newest();
        let changed = Part::ALL.into_iter().filter(|&part| newest.changed_at(part) > self.reported).collect();
        self.reported = newest.version;
        changed
    }

    /// Reads what is new, and reports no change.
    pub(super) fn catch_up(&mut self, state: &SymbolState, now: Instant, limits: RecentLimits) {
        state.read_new(&mut self.ticks);
        self.trim(now, limits);
    }

    pub(super) fn newest(&self) -> &Arc<Tick> {
        self.ticks.back().expect("there is a tick once a stream has joined")
    }

    /// The ticks that a stream still lacks, oldest first. A stream that keeps up gets every tick that it wants: the
    /// oldest of them is here, and younger than `max_lag`, counted from its publishing or the stream's join. Any other
    /// stream gets the newest tick alone, whatever it changed.
    pub(super) fn pending(&self, cursor: Cursor, policy: ReadPolicy) -> impl Iterator<Item = &Arc<Tick>> {
        let is_due = self.newest().last_change(policy.parts).max(cursor.initial) >= cursor.next;
        let first = if is_due { self.first_in_order(cursor, policy) } else { None };
        let skipped = match (is_due, first) {
            (false, _) => self.ticks.len(),
            (true, None) => self.ticks.len() - 1,
            (true, Some(first)) => first,
        };
        let alone = first.is_none();
        self.ticks.range(skipped..).filter(move |tick| alone || cursor.wants(tick, policy))
    }

    /// Where the ticks that the stream wants begin, if it keeps up: it lost none of them, and the oldest is young.
    fn first_in_order(&self, cursor: Cursor, policy: ReadPolicy) -> Option<usize> {
        let oldest = &self.ticks[0];
        let is_lost = cursor.next < oldest.version && cursor.last_wanted_before(oldest, policy) >= cursor.next;
        if policy.newest_only || is_lost {
            return None;
        }
        let start = usize::try_from(cursor.next.saturating_sub(oldest.version)).ok()?;
        let mut wanted = self.ticks.iter().enumerate().skip(start).filter(|(_, tick)| cursor.wants(tick, policy));
        let (first, tick) = wanted.next()?;
        (policy.now.saturating_duration_since(tick.published.max(policy.joined)) <= policy.max_lag).then_some(first)
    }

    /// How many ticks it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.ticks.len()
    }

    fn trim(&mut self, now: Instant, limits: RecentLimits) {
        let hold = now <= self.keep_until; // as long as the newest stream's starting point counts as young
        while self.ticks.len() > 1 {
            let lag = now.saturating_duration_since(self.ticks[0].published);
            if self.ticks.len() <= limits.count.max(1) && (hold || lag <= limits.max_lag) {
                break;
            }
            let dropped = self.ticks.pop_front();
            if self.patched > 0 {
                self.dropped = dropped;
            }
        }
    }
}

impl Cursor {
    fn wants(self, tick: &Tick, policy: ReadPolicy) -> bool {
        tick.changed.intersects(policy.parts) || tick.version == self.initial
    }

    /// The last tick before this one that the stream wants, or has got.
    fn last_wanted_before(self, tick: &Tick, policy: ReadPolicy) -> u64 {
        let initial = if self.initial < tick.version { self.initial } else { 0 };
        tick.last_change_before(policy.parts).max(initial)
    }
}

#[cfg(test)]
#[path = "recent_ticks_tests.rs"]
mod tests;
