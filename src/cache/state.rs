//! One symbol's shared state.

use super::{
    Marks, Shared, Tick,
    ring::{Ring, RingLimits},
};
use crate::{
    market::{Guards, Now, Origin, Part, Parts, Reason, Snapshot, Symbol, Update},
    wire::{EventId, TickFields, tick_frame},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering},
    time::Instant,
};

/// A symbol's state, shared by its feed and by all workers with streams that want it.
pub struct SymbolState {
    index: usize,
    symbol: Symbol,
    feed: Arc<str>,
    shared: Arc<Shared>,
    marks: Marks,
    /// A std mutex: held for a merge or for a copy of pointers, never across an await or a system call.
    inner: Mutex<Inner>,
}

struct Inner {
    snapshot: Snapshot,
    guards: Guards,
    ring: Ring,
    /// The workers with streams that want a part of it, a bit each, by [`Part`].
    interest: [u64; Part::ALL.len()],
    /// Since when no worker is interested, if one has ever been.
    unwanted_since: Option<Instant>,
}

/// What came of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// A tick, which these workers want to know of.
    Tick {
        /// A bit per worker.
        interest: u64,
    },
    /// Nothing is new: the venue lives, no more.
    Unchanged,
    /// It is older than what is known.
    Late,
}

impl Inner {
    /// Whether nobody can resume on it: no worker is interested, nor was one within the time that ticks are kept.
    fn is_unwanted(&self, now: Now, limits: RingLimits) -> bool {
        let is_long = |since| now.instant.saturating_duration_since(since) > limits.age;
        self.interest == [0; Part::ALL.len()] && self.unwanted_since.is_none_or(is_long)
    }
}

impl SymbolState {
    pub(super) fn new(
        index: usize,
        symbol: Symbol,
        feed: Arc<str>,
        origin: Origin,
        shared: Arc<Shared>,
        now: Now,
    ) -> Self {
        let snapshot = Snapshot::waiting(origin, now.unix);
        let first = Tick {
            snapshot,
            seq: 0,
            n: 0,
            changed: Parts::NONE,
            prior: [0; Part::ALL.len()],
            published: now.instant,
            frame: OnceLock::new(),
        };
        let inner = Inner {
            snapshot,
            guards: Guards::default(),
            ring: Ring::new(Arc::new(first)),
            interest: [0; Part::ALL.len()],
            unwanted_since: None,
        };
        Self { index, symbol, feed, shared, marks: Marks::default(), inner: Mutex::new(inner) }
    }

    /// Its place in the order of registration: dense, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its name.
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// The feed that speaks of it.
    pub fn feed(&self) -> Arc<str> {
        self.feed.clone()
    }

    /// Which workers already know that it has changed.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Merges an update that was received `now`; if that changes anything, it is the symbol's next tick.
    pub fn publish(&self, update: &Update, now: Now) -> Published {
        let mut inner = self.lock();
        let Inner { snapshot, guards, .. } = &mut *inner;
        let applied = snapshot.apply(update, guards, now);
        if !applied.changed.is_empty() {
            self.push_tick(&mut inner, applied.changed, now)
        } else if applied.late.is_empty() {
            Published::Unchanged
        } else {
            Published::Late
        }
    }

    /// An outage of its feed: what is known is stale from `now` on.
    pub fn outage(&self, reason: Reason, now: Now) -> Published {
        self.set(now, |snapshot, guards| snapshot.outage(reason, guards, now))
    }

    /// Its feed's hours have ended, or begun.
    pub fn set_closed(&self, closed: bool, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_closed(closed, now))
    }

    /// The venue refuses it, or, with `None`, grants it.
    pub fn set_refused(&self, refused: Option<Reason>, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_refused(refused, now))
    }

    /// Adds a worker's interest in some parts, and brings `window`, what the worker already has, up to the newest tick,
    /// before which a new stream of that worker starts.
    ///
    /// Both under one lock: no tick can fall between snapshot and what comes next.
    pub fn join(&self, worker: u64, parts: Parts, window: &mut VecDeque<Arc<Tick>>) {
        let mut inner = self.lock();
        parts.iter().for_each(|part| inner.interest[part as usize] |= worker);
        let next = window.back().map_or(inner.ring.newest().seq, |newest| newest.seq + 1);
        append(&inner.ring, next, window);
    }

    /// Puts up to `count` ticks before the oldest of `window`, as far as the ring goes: a window has no holes.
    pub fn read_older(&self, count: usize, window: &mut VecDeque<Arc<Tick>>) {
        let Some(oldest) = window.front().map(|oldest| oldest.seq) else { return };
        self.lock().ring.before(oldest).take(count).for_each(|tick| window.push_front(tick.clone()));
    }

    /// Whether a tick is too old for those who come back, unless it is the newest, whether the ring has dropped it or not.
    pub fn is_outdated(&self, tick: &Tick, now: Instant) -> bool {
        self.shared.ring.is_outdated(tick, now)
    }

    /// Takes a worker's interest in some parts back.
    pub fn leave(&self, worker: u64, parts: Parts, now: Now) {
        let mut inner = self.lock();
        parts.iter().for_each(|part| inner.interest[part as usize] &= !worker);
        if inner.interest == [0; Part::ALL.len()] {
            inner.unwanted_since = Some(now.instant);
        }
    }

    /// Lets go of what is too old to come again. A publish does the same, but a quiet symbol has none.
    pub(super) fn sweep(&self, now: Now) {
        self.lock().ring.drop_outdated(now.instant, self.shared.ring);
    }

    /// Appends to `window` the ticks that are newer than its newest. Where the ring no longer holds all of them, the
    /// window starts over with what it holds: a window has no holes.
    pub fn read_new(&self, window: &mut VecDeque<Arc<Tick>>) {
        let next = window.back().map_or(0, |newest| newest.seq + 1);
        append(&self.lock().ring, next, window);
    }

    /// When the oldest tick from `seq` on was published that changed one of these parts, as far as the ring holds it.
    pub fn oldest_from(&self, seq: u64, parts: Parts) -> Option<Instant> {
        let inner = self.lock();
        inner.ring.from(seq).find(|tick| tick.changed.intersects(parts)).map(|tick| tick.published)
    }

    /// The newest tick.
    pub fn newest(&self) -> Arc<Tick> {
        self.lock().ring.newest().clone()
    }

    /// A tick's frame, encoded by the first that asks for it, outside the lock.
    pub fn frame<'a>(&self, tick: &'a Tick) -> &'a Bytes {
        tick.frame.get_or_init(|| {
            self.shared.encoded.fetch_add(1, Ordering::Relaxed);
            let id = (tick.n > 0).then_some(EventId { epoch: self.shared.epoch, n: tick.n });
            tick_frame(self.fields(tick), id)
        })
    }

    /// What a tick says.
    pub fn fields<'a>(&'a self, tick: &'a Tick) -> TickFields<'a> {
        TickFields { symbol: &self.symbol, seq: tick.seq, changed: tick.changed, snapshot: &tick.snapshot }
    }

    /// How many ticks the ring holds.
    pub fn ring_len(&self) -> usize {
        self.lock().ring.len()
    }

    fn set(&self, now: Now, set: impl FnOnce(&mut Snapshot, &mut Guards) -> Parts) -> Published {
        let mut inner = self.lock();
        let Inner { snapshot, guards, .. } = &mut *inner;
        let changed = set(snapshot, guards);
        if changed.is_empty() { Published::Unchanged } else { self.push_tick(&mut inner, changed, now) }
    }

    fn push_tick(&self, inner: &mut Inner, changed: Parts, now: Now) -> Published {
        // Drawn under the lock: within a symbol `n` rises with `seq`.
        let n = self.shared.n.fetch_add(1, Ordering::Relaxed) + 1;
        let seq = inner.ring.newest().seq + 1;
        let prior = Part::ALL.map(|part| inner.ring.newest().last_change(Parts::from_iter([part])));
        let (snapshot, published) = (inner.snapshot, now.instant);
        let tick = Arc::new(Tick { snapshot, seq, n, changed, prior, published, frame: OnceLock::new() });
        let limits = self.shared.ring;
        if inner.is_unwanted(now, limits) {
            inner.ring.keep_only(tick);
        } else {
            inner.ring.push(tick, limits);
        }
        let interest = changed.iter().fold(0, |workers, part| workers | inner.interest[part as usize]);
        Published::Tick { interest }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(ring: &Ring, next: u64, window: &mut VecDeque<Arc<Tick>>) {
    let mut ticks = ring.from(next).peekable();
    if ticks.peek().is_some_and(|first| first.seq > next) {
        window.clear();
    }
    window.extend(ticks.cloned());
}

#[cfg(test)]
mod tests {
    use super::super::{Cache, RingLimits};
    use super::*;
    use crate::{
        market::{Field, QuoteUpdate, TradeUpdate},
        wire::Epoch,
    };
    use std::time::Duration;

    const WORKER: u64 = 1 << 3;

    fn state(count: usize, now: Now) -> Arc<SymbolState> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count, age: Duration::from_secs(10) });
        cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap()
    }

    fn trade() -> Update {
        let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
        Update { trade: Some(trade), ..Update::default() }
    }

    fn seqs(window: &VecDeque<Arc<Tick>>) -> Vec<u64> {
        window.iter().map(|tick| tick.seq).collect()
    }

    #[test]
    fn a_join_starts_at_the_newest_and_misses_nothing_after_it() {
        let now = Now::read();
        let (state, mut window) = (state(8, now), VecDeque::new());
        assert_eq!(state.publish(&trade(), now), Published::Tick { interest: 0 });
        state.join(WORKER, Parts::ALL, &mut window);
        assert_eq!(seqs(&window), [1]);
        assert_eq!(state.publish(&trade(), now), Published::Tick { interest: WORKER });
        state.read_new(&mut window);
        assert_eq!(seqs(&window), [1, 2]);
        state.publish(&trade(), now);
        state.join(WORKER, Parts::ALL, &mut window);
        assert_eq!(seqs(&window), [1, 2, 3], "a second stream of the worker finds a whole window");
        state.leave(WORKER, Parts::ALL, now);
        assert_eq!(state.publish(&trade(), now), Published::Tick { interest: 0 });
    }

    #[test]
    fn a_window_goes_back_as_far_as_the_ring_does() {
        let now = Now::read();
        let (state, mut window) = (state(4, now), VecDeque::new());
        state.join(WORKER << 1, Parts::ALL, &mut VecDeque::new());
        (0..6).for_each(|_| _ = state.publish(&trade(), now)); // the ring holds 3 to 6
        state.join(WORKER, Parts::ALL, &mut window);
        state.read_older(2, &mut window);
        assert_eq!(seqs(&window), [4, 5, 6]);
        state.publish(&trade(), now);
        state.join(WORKER, Parts::ALL, &mut window);
        state.read_older(9, &mut window);
        assert_eq!(seqs(&window), [4, 5, 6, 7], "4 is the oldest that there is");
        window.truncate(1);
        (0..6).for_each(|_| _ = state.publish(&trade(), now));
        state.read_older(9, &mut window);
        assert_eq!(seqs(&window), [4], "no hole, however old the window is");
    }

    #[test]
    fn only_workers_that_want_a_changed_part_are_told() {
        let now = Now::read();
        let (state, mut window) = (state(8, now), VecDeque::new());
        let trades = Parts::from_iter([Part::Trade, Part::Status]);
        state.join(1, trades, &mut window);
        state.join(2, Parts::ALL, &mut window);
        let quote = QuoteUpdate { bid: Field::Set("1".parse().unwrap()), ..QuoteUpdate::default() };
        let quote = Update { quote: Some(quote), ..Update::default() };
        assert_eq!(state.publish(&trade(), now), Published::Tick { interest: 0b11 });
        assert_eq!(state.publish(&quote, now), Published::Tick { interest: 0b10 });
        let newest = state.newest();
        assert_eq!(Part::ALL.map(|part| newest.last_change(Parts::from_iter([part]))), [1, 2, 0, 1]);
        assert_eq!((newest.last_change(trades), newest.last_change_before(Parts::ALL)), (1, 1));
        state.leave(2, Parts::ALL, now);
        assert_eq!(state.publish(&trade(), now), Published::Tick { interest: 0b01 });
    }

    #[test]
    fn before_the_first_tick_a_join_finds_seq_0() {
        let now = Now::read();
        let (state, mut window) = (state(8, now), VecDeque::new());
        state.join(WORKER, Parts::ALL, &mut window);
        assert_eq!((seqs(&window), window[0].n), (vec![0], 0));
    }

    #[test]
    fn rule_10_a_ring_is_bounded_by_count_and_age_and_always_has_the_newest() {
        let now = Now::read();
        let (state, mut window) = (state(4, now), VecDeque::new());
        state.join(WORKER, Parts::ALL, &mut window);
        for _ in 0..9 {
            state.publish(&trade(), now);
        }
        state.read_new(&mut window);
        assert_eq!(seqs(&window), [6, 7, 8, 9], "what the ring lost is a hole, and the window starts over");
        state.publish(&trade(), now.after(Duration::from_secs(11)));
        assert_eq!(state.ring_len(), 1);
        assert_eq!(state.newest().seq, 10);
    }

    #[test]
    fn a_symbol_that_nobody_wants_keeps_only_its_newest_tick() {
        let start = Now::read();
        let state = state(100, start);
        let ring_after_50_from = |millis: u64| {
            let publish = |step| state.publish(&trade(), start.after(Duration::from_millis(millis + step)));
            (0..50).for_each(|step| _ = publish(step));
            state.ring_len()
        };
        assert_eq!(ring_after_50_from(0), 1, "nobody has ever wanted it");
        state.join(WORKER, Parts::ALL, &mut VecDeque::new());
        assert_eq!(ring_after_50_from(100), 51);
        state.leave(WORKER, Parts::ALL, start.after(Duration::from_millis(200)));
        assert_eq!(ring_after_50_from(300), 100, "somebody may come back soon");
        assert_eq!(ring_after_50_from(10_201), 1);
    }

    #[test]
    fn rule_11_a_frame_is_encoded_once_and_only_if_wanted() {
        let now = Now::read();
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(10) });
        let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
        state.publish(&trade(), now);
        assert_eq!(cache.frames_encoded(), 0);
        let tick = state.newest();
        let first = state.frame(&tick).clone();
        assert_eq!(first.as_ptr(), state.frame(&tick).as_ptr());
        assert_eq!(cache.frames_encoded(), 1);
    }
}
