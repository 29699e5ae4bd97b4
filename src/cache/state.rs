//! One symbol's shared state.

use super::{
    cut_off::CutOff,
    facts::KnownFacts,
    have::Have,
    ids::SymbolId,
    interest::{Demand, Interest},
    marks::Marks,
    published::Published,
    ring::Ring,
    shard::Shard,
    shared::Shared,
    sharers::Sharers,
    sources::Sources,
    tick::Tick,
    worker_mask::WorkerMask,
};
use crate::{
    market::{Facts, Guards, Now, Origin, Part, Parts, Reason, Snapshot, Symbol, Tier},
    wire::{Dictionary, EventId, TickFields, patch_frame, stored, tick_frame},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// What a state is of.
pub(super) struct Listed {
    pub(super) symbol: Symbol,
    pub(super) feed: Arc<str>,
    pub(super) origin: Origin,
    /// How late its prices are at least, in seconds; `None`: they are live.
    pub(super) delay: Option<NonZero<u32>>,
}

/// A symbol's state, shared by its feed and by all workers with streams that want it.
pub struct SymbolState {
    id: SymbolId,
    symbol: Symbol,
    feed: Arc<str>,
    /// How late its prices are at least, in seconds; `None`: they are live.
    delay: Option<NonZero<u32>>,
    shard: Arc<Shard>,
    /// Its place among the states of its shard.
    place: u32,
    shared: Arc<Shared>,
    marks: Marks,
    sharers: Sharers,
    pub(super) facts: KnownFacts,
    /// A std mutex: held for a merge or for a copy of pointers, never across an await or a system call.
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    /// What is known of the symbol: what the venue has said, or, where another node owns the shard, its owner.
    pub(super) snapshot: Snapshot,
    pub(super) guards: Guards,
    pub(super) ring: Ring,
    pub(super) interest: Interest,
    /// The `seq` that last changed each part, where a tap or an owner tells it.
    pub(super) changed_at: [u64; Part::ALL.len()],
    /// While the shard's owner does not have the symbol: the newest number that this node knows of it.
    pub(super) absent: Option<Box<Have>>,
    /// While the symbol is cut off from its owner.
    pub(super) cut_off: Option<Box<CutOff>>,
    /// What each of its two feeds says, where it has two.
    pub(super) sources: Option<Box<Sources>>,
    /// The feed that is shown, where it has two.
    pub(super) source: Option<Arc<str>>,
}

impl SymbolState {
    /// A symbol that waits for data, or is refused.
    pub(super) fn new(id: SymbolId, listed: Listed, shard: Arc<Shard>, refused: Option<Reason>, now: Now) -> Self {
        let Listed { symbol, feed, origin, delay } = listed;
        let shared = shard.shared().clone();
        let mut snapshot = Snapshot::waiting(origin, now.unix);
        snapshot.set_refused(refused, now);
        let n = shard.first_n(now);
        let first = Arc::new(Tick {
            snapshot,
            source: None,
            version: 0,
            seq: n,
            id: EventId { epoch: shard.epoch(), n },
            generation: shard.generation(),
            kind: Parts::NONE,
            changed: Parts::NONE,
            prior: [0; Part::ALL.len()],
            published: now.instant,
            time: now.unix,
            frame: OnceLock::new(),
            patch: OnceLock::new(),
            compressed: OnceLock::new(),
        });
        let cut_off = CutOff { said: first.clone(), reason: Reason::NoOwner, since: now };
        let inner = Inner {
            snapshot,
            guards: Guards::default(),
            ring: Ring::new(first),
            interest: Interest::default(),
            changed_at: [0; Part::ALL.len()],
            absent: None,
            cut_off: shard.is_cut_off().then(|| Box::new(cut_off)),
            sources: None,
            source: None,
        };
        let place = shard.next_place();
        let (marks, sharers, facts) = Default::default();
        Self { id, symbol, feed, delay, shard, place, shared, marks, sharers, facts, inner: Mutex::new(inner) }
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

    /// The feed that speaks of it; where it has two, its primary.
    pub fn feed(&self) -> Arc<str> {
        self.feed.clone()
    }

    /// The same, borrowed.
    pub(super) fn feed_name(&self) -> &str {
        &self.feed
    }

    /// The shard whose numbers it has.
    pub fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// As [`Cache::generation`](super::Cache::generation).
    pub fn generation(&self) -> u32 {
        self.shared.generation()
    }

    /// Its place among the states of its shard, in the order of their registration, from 0.
    pub fn place(&self) -> u32 {
        self.place
    }

    /// What is known of it besides its prices.
    pub fn facts(&self) -> Arc<Facts> {
        self.facts.get()
    }

    /// Takes over what was said of it besides its prices. What was not said stays.
    pub fn learn(&self, said: &Facts) {
        self.facts.learn(said);
    }

    /// Which workers already know that it has changed.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The streams that share what it costs to compress a tick.
    pub fn sharers(&self) -> &Sharers {
        &self.sharers
    }

    /// Adds a worker's interest in some parts, and brings `recent`, the ticks that the worker already holds, up to the
    /// newest one. A new stream of that worker starts just before the newest tick, so that tick is the first it gets.
    ///
    /// Both happen under one lock: no tick can fall between the snapshot and what comes next.
    pub fn join(&self, worker: WorkerMask, parts: Parts, recent: &mut VecDeque<Arc<Tick>>) {
        let mut inner = self.lock();
        let was_wanted = inner.interest.is_wanted_here();
        inner.interest.add(worker, parts);
        if !was_wanted {
            self.shard.wants().note(self.place);
        }
        let next = recent.back().map_or(inner.ring.newest().version, |newest| newest.version + 1);
        append(&inner.ring, next, recent);
    }

    /// Puts up to `count` ticks before the oldest of `recent`, as far as the ring goes, without a hole.
    pub fn read_older(&self, count: usize, recent: &mut VecDeque<Arc<Tick>>) {
        let Some(oldest) = recent.front().map(|oldest| oldest.version) else { return };
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
        let mut inner = self.lock();
        inner.interest.remove(worker, parts, now.instant);
        if !inner.interest.is_wanted_here() {
            self.shard.wants().note(self.place);
        }
    }

    /// Notes whether streams of other nodes want it: then its ring is kept as if a stream of this node did.
    pub fn set_wanted_elsewhere(&self, is_wanted: bool, now: Now) {
        self.lock().interest.set_wanted_elsewhere(is_wanted, now.instant);
    }

    /// Whether a stream of this node wants it.
    pub fn is_wanted_here(&self) -> bool {
        self.lock().interest.is_wanted_here()
    }

    /// Whether streams want it, of this node or of others, or did.
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
        let next = recent.back().map_or(0, |newest| newest.version + 1);
        append(&self.lock().ring, next, recent);
    }

    /// When the oldest tick from this version on that changed one of these parts was published, as far as the ring
    /// holds it.
    pub fn oldest_from(&self, version: u64, parts: Parts) -> Option<Instant> {
        let inner = self.lock();
        inner.ring.from(version).find(|tick| tick.changed.intersects(parts)).map(|tick| tick.published)
    }

    /// The newest tick.
    pub fn newest(&self) -> Arc<Tick> {
        self.lock().ring.newest().clone()
    }

    /// The newest tick, if it is newer than this version.
    pub fn newest_after(&self, version: u64) -> Option<Arc<Tick>> {
        let inner = self.lock();
        let newest = inner.ring.newest();
        (newest.version > version).then(|| newest.clone())
    }

    /// A tick's frame. The first caller that asks for it encodes it, outside the lock.
    pub fn frame<'a>(&self, tick: &'a Tick) -> &'a Bytes {
        tick.frame.get_or_init(|| {
            self.shared.count_frame();
            let id = (tick.id.n > 0).then_some(tick.id);
            tick_frame(self.fields(tick), id)
        })
    }

    /// A tick as a patch on the one that it [follows](Tick::follows). The first caller that asks for it encodes it,
    /// outside the lock.
    pub fn patch<'a>(&self, tick: &'a Tick, before: &Tick) -> &'a Bytes {
        debug_assert!(tick.follows(before), "a patch is made on the tick before");
        tick.patch.get_or_init(|| {
            self.shared.count_patch();
            let id = (tick.id.n > 0).then_some(tick.id);
            Box::new(patch_frame(self.fields(before), self.fields(tick), id))
        })
    }

    /// A tick's frame, or its patch on `before`, for streams that compress. The first caller that asks for it makes it,
    /// outside the lock: with a dictionary it is compressed, and without one stored as it is.
    pub fn compressed<'a>(&self, tick: &'a Tick, before: Option<&Tick>, dictionary: Option<&Dictionary>) -> &'a Bytes {
        let forms = tick.compressed.get_or_init(Box::default);
        let form = if before.is_some() { &forms.patch } else { &forms.whole };
        if let Some(small) = form.small.get() {
            return small;
        }
        let plain = || match before {
            Some(before) => self.patch(tick, before),
            None => self.frame(tick),
        };
        let store = || {
            self.shared.count_stored();
            stored(plain())
        };
        let Some(dictionary) = dictionary else { return form.stored.get_or_init(store) };
        form.small.get_or_init(|| {
            let Some(small) = dictionary.compress(plain()) else { return store() };
            self.shared.count_compressed();
            small
        })
    }

    /// How late its prices are at least, in seconds; `None`: they are live.
    pub fn delay_seconds(&self) -> Option<u64> {
        self.delay.map(|delay| u64::from(delay.get()))
    }

    /// The fields of a tick, for the encoder.
    pub fn fields<'a>(&'a self, tick: &'a Tick) -> TickFields<'a> {
        let Tick { seq, kind, snapshot, source, .. } = tick;
        let delay_seconds = self.delay_seconds();
        TickFields {
            symbol: &self.symbol,
            seq: *seq,
            changed: *kind,
            delay_seconds,
            source: source.as_deref(),
            snapshot,
        }
    }

    /// How many ticks the ring holds.
    pub fn ring_len(&self) -> usize {
        self.lock().ring.len()
    }

    /// Adds a tick, the newest from now on.
    pub(super) fn push(&self, inner: &mut Inner, tick: Tick) -> Published {
        let changed = tick.changed;
        let limits = self.shared.ring;
        if inner.interest.has_been_empty_for(limits.age, tick.published) {
            inner.ring.keep_only(tick);
        } else {
            inner.ring.push(tick, limits);
        }
        Published::Tick { interest: inner.interest.in_parts(changed) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SymbolState {
    /// Another symbol may have its id from now on.
    fn drop(&mut self) {
        self.shared.ids.give_back(self.id, &self.symbol, self.tier());
    }
}

fn append(ring: &Ring, next: u64, recent: &mut VecDeque<Arc<Tick>>) {
    let mut ticks = ring.from(next).peekable();
    if ticks.peek().is_some_and(|first| first.version > next) {
        recent.clear();
    }
    recent.extend(ticks.cloned());
}
