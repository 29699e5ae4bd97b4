//! One symbol's shared state.

use super::{
    ids::SymbolId,
    interest::{Demand, Interest},
    marks::Marks,
    published::Published,
    ring::Ring,
    shared::Shared,
    tick::Tick,
    worker_mask::WorkerMask,
};
use crate::{
    market::{Guards, Now, Origin, Part, Parts, Reason, Snapshot, Symbol, Tier, Update},
    wire::{EventId, TickFields, tick_frame},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// A symbol's state, shared by its feed and by all workers with streams that want it.
pub struct SymbolState {
    id: SymbolId,
    symbol: Symbol,
    feed: Arc<str>,
    /// How late its prices are at least, in seconds; `None`: they are live.
    delay: Option<NonZero<u32>>,
    shared: Arc<Shared>,
    marks: Marks,
    /// A std mutex: held for a merge or for a copy of pointers, never across an await or a system call.
    inner: Mutex<Inner>,
}

struct Inner {
    snapshot: Snapshot,
    guards: Guards,
    ring: Ring,
    interest: Interest,
}

impl SymbolState {
    pub(super) fn new(
        id: SymbolId,
        symbol: Symbol,
        feed: Arc<str>,
        origin: Origin,
        delay: Option<NonZero<u32>>,
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
            time: now.unix,
            frame: OnceLock::new(),
        };
        let inner = Inner {
            snapshot,
            guards: Guards::default(),
            ring: Ring::new(Arc::new(first)),
            interest: Interest::default(),
        };
        Self { id, symbol, feed, delay, shared, marks: Marks::default(), inner: Mutex::new(inner) }
    }

    /// Which symbol of the gateway it is.
    pub fn id(&self) -> SymbolId {
        self.id
    }

    /// Its name.
    pub fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Whether its prices are live or delayed.
    pub fn tier(&self) -> Tier {
        if self.delay.is_some() { Tier::Delayed } else { Tier::Live }
    }

    /// The feed that speaks of it.
    pub fn feed(&self) -> Arc<str> {
        self.feed.clone()
    }

    /// Which workers already know that it has changed.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Merges an update that was received `now`. An update that changes anything becomes the symbol's next tick.
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

    /// Makes all known parts but the status stale from `now` on: its connection has an outage.
    pub fn outage(&self, reason: Reason, now: Now) -> Published {
        self.set(now, |snapshot, guards| snapshot.outage(reason, guards, now))
    }

    /// Prepares for data that are older than what came before.
    pub fn start_over(&self, now: Now) -> Published {
        self.set(now, |snapshot, guards| snapshot.start_over(guards, now))
    }

    /// Makes these parts stale from `now` on, though the connection lives.
    pub fn mark_stale(&self, parts: Parts, reason: Reason, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.mark_stale(parts, reason, now))
    }

    /// Closes the symbol as its feed's hours end, or opens it as they begin.
    pub fn set_closed(&self, closed: bool, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_closed(closed, now))
    }

    /// Notes why the venue refuses the symbol; `None`: it does not.
    pub fn set_refused(&self, refused: Option<Reason>, now: Now) -> Published {
        self.set(now, |snapshot, _| snapshot.set_refused(refused, now))
    }

    /// Shows a live snapshot of the symbol in this delayed state of it, some time after its parts `changed`. `is_heard`
    /// says whether data have come since the snapshot that was shown before: then this is when they were received, for
    /// a client of this state. The venue's times stay.
    pub fn show(&self, live: &Snapshot, changed: Parts, is_heard: bool, now: Now) -> Published {
        self.set(now, |snapshot, _| {
            let Snapshot { recv, origin, .. } = *snapshot;
            *snapshot = *live;
            snapshot.recv = if is_heard { Some(now.unix) } else { recv };
            snapshot.origin = origin;
            changed
        })
    }

    /// Adds a worker's interest in some parts, and brings `recent`, the ticks that the worker already holds, up to the
    /// newest one. A new stream of that worker starts just before the newest tick, so that tick is the first it gets.
    ///
    /// Both happen under one lock: no tick can fall between the snapshot and what comes next.
    pub fn join(&self, worker: WorkerMask, parts: Parts, recent: &mut VecDeque<Arc<Tick>>) {
        let mut inner = self.lock();
        inner.interest.add(worker, parts);
        let next = recent.back().map_or(inner.ring.newest().seq, |newest| newest.seq + 1);
        append(&inner.ring, next, recent);
    }

    /// Puts up to `count` ticks before the oldest of `recent`, as far as the ring goes, without a hole.
    pub fn read_older(&self, count: usize, recent: &mut VecDeque<Arc<Tick>>) {
        let Some(oldest) = recent.front().map(|oldest| oldest.seq) else { return };
        let inner = self.lock();
        for tick in inner.ring.before(oldest).take(count) {
            recent.push_front(tick.clone());
        }
    }

    /// Whether a tick is too old to be replayed, unless it is the newest. The ring may still hold such a tick.
    pub fn is_outdated(&self, tick: &Tick, now: Instant) -> bool {
        self.shared.ring.is_outdated(tick, now)
    }

    /// Takes back a worker's interest in some parts.
    pub fn leave(&self, worker: WorkerMask, parts: Parts, now: Now) {
        self.lock().interest.remove(worker, parts, now.instant);
    }

    /// Whether streams want it, or did.
    pub fn demand(&self) -> Demand {
        self.lock().interest.demand()
    }

    /// Drops the ticks that are too old to be replayed. A publish does the same, but a quiet symbol has none.
    pub(super) fn sweep(&self, now: Now) {
        self.lock().ring.drop_outdated(now.instant, self.shared.ring);
    }

    /// Appends to `recent` the ticks that are newer than its newest. Where the ring no longer holds all of them,
    /// `recent` starts over with the ring's oldest, so that it has no hole.
    pub fn read_new(&self, recent: &mut VecDeque<Arc<Tick>>) {
        let next = recent.back().map_or(0, |newest| newest.seq + 1);
        append(&self.lock().ring, next, recent);
    }

    /// When the oldest tick from `seq` on that changed one of these parts was published, as far as the ring holds it.
    pub fn oldest_from(&self, seq: u64, parts: Parts) -> Option<Instant> {
        let inner = self.lock();
        inner.ring.from(seq).find(|tick| tick.changed.intersects(parts)).map(|tick| tick.published)
    }

    /// The newest tick.
    pub fn newest(&self) -> Arc<Tick> {
        self.lock().ring.newest().clone()
    }

    /// The newest tick, if it is not this one.
    pub fn newest_after(&self, seq: u64) -> Option<Arc<Tick>> {
        let inner = self.lock();
        let newest = inner.ring.newest();
        (newest.seq > seq).then(|| newest.clone())
    }

    /// A tick's frame. The first caller that asks for it encodes it, outside the lock.
    pub fn frame<'a>(&self, tick: &'a Tick) -> &'a Bytes {
        tick.frame.get_or_init(|| {
            self.shared.count_frame();
            let id = (tick.n > 0).then_some(EventId { epoch: self.shared.epoch, n: tick.n });
            tick_frame(self.fields(tick), id)
        })
    }

    /// How late its prices are at least, in seconds; `None`: they are live.
    pub fn delay_seconds(&self) -> Option<u64> {
        self.delay.map(|delay| u64::from(delay.get()))
    }

    /// The fields of a tick, for the encoder.
    pub fn fields<'a>(&'a self, tick: &'a Tick) -> TickFields<'a> {
        let Tick { seq, changed, snapshot, .. } = tick;
        let delay_seconds = self.delay_seconds();
        TickFields { symbol: &self.symbol, seq: *seq, changed: *changed, delay_seconds, snapshot }
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
        let n = self.shared.next_n();
        let seq = inner.ring.newest().seq + 1;
        let prior = Part::ALL.map(|part| inner.ring.newest().last_change(Parts::from_iter([part])));
        let tick = Arc::new(Tick {
            snapshot: inner.snapshot,
            seq,
            n,
            changed,
            prior,
            published: now.instant,
            time: now.unix,
            frame: OnceLock::new(),
        });
        let limits = self.shared.ring;
        if inner.interest.has_been_empty_for(limits.age, now.instant) {
            inner.ring.keep_only(tick);
        } else {
            inner.ring.push(tick, limits);
        }
        Published::Tick { interest: inner.interest.in_parts(changed) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(ring: &Ring, next: u64, recent: &mut VecDeque<Arc<Tick>>) {
    let mut ticks = ring.from(next).peekable();
    if ticks.peek().is_some_and(|first| first.seq > next) {
        recent.clear();
    }
    recent.extend(ticks.cloned());
}
