//! A worker's symbols, and which of its streams want each.

use super::{
    options::Options,
    recent_ticks::{Cursor, RecentLimits, RecentTicks},
    stream_key::StreamKey,
};
use crate::{
    cache::{SymbolId, SymbolState, Tick, WorkerMask},
    market::{Now, Part, Parts},
    wire::Dictionary,
};
use std::{mem, sync::Arc, time::Instant};

/// A symbol with more subscribers than this is hot: its streams are written in rounds of their own, between which the
/// streams of cold symbols pass.
const COLD_SUBSCRIBERS_MAX: usize = 256;

/// A stream that wants a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subscriber {
    pub(super) stream: StreamKey,
    /// Which of the stream's slots the symbol has.
    pub(super) slot: u32,
    /// The parts whose change makes the symbol due for the stream.
    pub(super) parts: Parts,
    /// Whether a tick may come as a patch.
    pub(super) patches: bool,
    /// Whether it gets each tick of its parts compressed, and so shares the cost with all that do.
    pub(super) shares: bool,
}

impl Subscriber {
    /// A stream with these options that has the symbol in this slot.
    pub(super) fn new(stream: StreamKey, slot: u32, options: &Options) -> Self {
        let shares = options.compresses() && options.interval().is_none();
        Self { stream, slot, parts: options.parts(), patches: options.patches(), shares }
    }
}

/// A symbol that some stream of this worker wants.
pub(super) struct Subscribed {
    pub(super) state: Arc<SymbolState>,
    pub(super) recent: RecentTicks,
    pub(super) subscribers: Vec<Subscriber>,
    /// How many subscribers want each part.
    wanted: [u32; Part::ALL.len()],
    /// The parts that have changed and wait for the running round to end.
    pub(super) waits_for_round: Parts,
}

impl Subscribed {
    fn new(state: Arc<SymbolState>, now: Now) -> Self {
        Self {
            state,
            recent: RecentTicks::new(now.instant),
            subscribers: Vec::new(),
            wanted: [0; Part::ALL.len()],
            waits_for_round: Parts::NONE,
        }
    }

    /// Whether its streams are written in rounds.
    pub(super) fn is_hot(&self) -> bool {
        self.subscribers.len() > COLD_SUBSCRIBERS_MAX
    }

    /// Where a stream begins that is greeted, or joins after a greeting of this generation: with the newest tick. If
    /// that is of an epoch that the greeting has left behind, with the one that follows, which is about to come.
    pub(super) fn start(&self, generation: u32) -> Cursor {
        let newest = self.recent.newest();
        let of_shard = self.state.shard().generation();
        let is_left_behind = newest.generation < of_shard && of_shard <= generation;
        Cursor { next: newest.version + u64::from(is_left_behind), initial: newest.version }
    }

    /// A subscriber that wanted patches, or did not, now does, or does not.
    fn patch(&mut self, did: bool, does: bool) {
        match (did, does) {
            (false, true) => self.recent.keep_for_patches(),
            (true, false) => self.recent.unkeep_for_patches(),
            _ => {}
        }
    }

    /// A subscriber shares the cost of compressing from now on.
    fn share(&self, subscriber: Subscriber) {
        if subscriber.shares {
            self.state.sharers().join(subscriber.parts, subscriber.patches);
        }
    }

    /// It no longer does.
    fn unshare(&self, subscriber: Subscriber) {
        if subscriber.shares {
            self.state.sharers().leave(subscriber.parts, subscriber.patches);
        }
    }

    /// One subscriber less wants these parts.
    fn unwant(&mut self, parts: Parts, worker: WorkerMask, now: Now) {
        for part in parts.iter() {
            self.wanted[part as usize] -= 1;
        }
        let unwanted: Parts = parts.iter().filter(|&part| self.wanted[part as usize] == 0).collect();
        if !unwanted.is_empty() {
            self.state.leave(worker, unwanted, now);
        }
    }

    /// The parts that waited for a round, which now begins.
    pub(super) fn take_waiting(&mut self) -> Parts {
        mem::replace(&mut self.waits_for_round, Parts::NONE)
    }
}

/// How ticks are compressed.
pub(super) struct Compression {
    pub(super) dictionary: Arc<Dictionary>,
    /// How many streams, of all workers, must share a tick before it is compressed.
    pub(super) min_streams: usize,
}

/// All symbols that streams of this worker want.
pub(super) struct Symbols {
    worker: WorkerMask,
    limits: RecentLimits,
    /// Whether changes are gathered before the worker takes them.
    gathers: bool,
    compression: Option<Compression>,
    by_id: Vec<Option<Box<Subscribed>>>,
}

/// A subscriber's place in its symbol's list, and where it starts.
pub(super) struct Joined {
    pub(super) subscriber: u32,
    pub(super) cursor: Cursor,
}

impl Symbols {
    /// No symbols yet. `worker` is the set of this worker alone.
    pub(super) fn new(worker: WorkerMask, limits: RecentLimits, gathers: bool) -> Self {
        Self { worker, limits, gathers, compression: None, by_id: Vec::new() }
    }

    /// A stream's body is compressed: what its ticks are compressed with from now on.
    pub(super) fn compress(&mut self, compression: Compression) {
        self.compression.get_or_insert(compression);
    }

    /// The dictionary for a tick, whole or as a patch; `None`: too few streams share what it costs.
    pub(super) fn dictionary_for(&self, state: &SymbolState, tick: &Tick, is_patch: bool) -> Option<&Dictionary> {
        let compression = self.compression.as_ref()?;
        let sharers = state.sharers().count(tick.changed, is_patch);
        (sharers as usize >= compression.min_streams).then_some(&*compression.dictionary)
    }

    /// A symbol that some stream wants.
    pub(super) fn get(&self, id: SymbolId) -> &Subscribed {
        self.by_id[id.index()].as_ref().expect("a stream's symbols are subscribed as long as it lives")
    }

    /// A symbol, if some stream still wants it. Its mark may have been on the way when the last one left.
    pub(super) fn find(&mut self, id: SymbolId) -> Option<&mut Subscribed> {
        self.by_id.get_mut(id.index())?.as_deref_mut()
    }

    /// Reads what is new of a changed symbol; returns which parts have changed. The mark is taken back even if no
    /// stream wants the symbol any more: otherwise the next stream would never learn of a change.
    pub(super) fn refresh(&mut self, state: &SymbolState, now: Now) -> Option<(&mut Subscribed, Parts)> {
        let worker = self.worker;
        let limits = self.limits;
        state.marks().take(worker, move || {
            let symbol = self.find(state.id())?;
            let changed = symbol.recent.refresh(state, now.instant, limits);
            Some((symbol, changed))
        })
    }

    /// Reads the ticks of symbols that have not reached this worker's inbox: none of its streams wants their parts, or
    /// the worker has yet to take them. A tick that a stream gets alone must be the newest.
    pub(super) fn catch_up(&mut self, symbols: impl Iterator<Item = SymbolId>, now: Now) {
        let limits = self.limits;
        let gathers = self.gathers;
        for id in symbols {
            if let Some(symbol) = self.find(id).filter(|symbol| gathers || symbol.wanted.contains(&0)) {
                symbol.recent.catch_up(&symbol.state, now.instant, limits);
            }
        }
    }

    /// Reads the newest ticks of all these symbols.
    pub(super) fn read_new(&mut self, symbols: impl Iterator<Item = SymbolId>, now: Now) {
        let limits = self.limits;
        for id in symbols {
            if let Some(symbol) = self.find(id) {
                symbol.recent.catch_up(&symbol.state, now.instant, limits);
            }
        }
    }

    /// Adds a subscriber, whose stream was greeted in this generation.
    pub(super) fn subscribe(
        &mut self,
        state: &Arc<SymbolState>,
        subscriber: Subscriber,
        generation: u32,
        now: Now,
    ) -> Joined {
        let index = state.id().index();
        if self.by_id.len() <= index {
            self.by_id.resize_with(index + 1, || None);
        }
        let symbol = self.by_id[index].get_or_insert_with(|| Box::new(Subscribed::new(state.clone(), now)));
        symbol.recent.join(state, self.worker, subscriber.parts, now.instant, self.limits);
        symbol.patch(false, subscriber.patches);
        symbol.share(subscriber);
        symbol.subscribers.push(subscriber);
        for part in subscriber.parts.iter() {
            symbol.wanted[part as usize] += 1;
        }
        Joined { subscriber: symbol.subscribers.len() as u32 - 1, cursor: symbol.start(generation) }
    }

    /// Gives a subscriber another slot and other parts. No tick of a part that it gains is lost to it.
    pub(super) fn resubscribe(&mut self, id: SymbolId, place: u32, subscriber: Subscriber, now: Now) {
        let symbol = self.by_id[id.index()].as_mut().expect("a stream's symbols are subscribed as long as it lives");
        let before = mem::replace(&mut symbol.subscribers[place as usize], subscriber);
        let gained = subscriber.parts.without(before.parts);
        if !gained.is_empty() {
            symbol.recent.join(&symbol.state, self.worker, gained, now.instant, self.limits);
        }
        symbol.patch(before.patches, subscriber.patches);
        symbol.unshare(before);
        symbol.share(subscriber);
        for part in gained.iter() {
            symbol.wanted[part as usize] += 1;
        }
        symbol.unwant(before.parts.without(subscriber.parts), self.worker, now);
    }

    /// Reads the ticks of a symbol from this version on, as far as a stream that was opened then may still get them.
    pub(super) fn read_from(&mut self, id: SymbolId, version: u64, opened: Instant, now: Now) {
        let max_lag = self.limits.max_lag;
        if let Some(symbol) = self.find(id) {
            let age = |tick: &Tick| now.instant.saturating_duration_since(tick.published.max(opened));
            symbol.recent.read_from(&symbol.state, version, |tick| age(tick) <= max_lag);
        }
    }

    /// Takes a subscriber out; returns the one that has its place now, if any.
    pub(super) fn unsubscribe(&mut self, id: SymbolId, subscriber: u32, now: Now) -> Option<Subscriber> {
        let symbol = self.by_id[id.index()].as_mut().expect("a stream unsubscribes each of its symbols once");
        let left = symbol.subscribers.swap_remove(subscriber as usize);
        symbol.patch(left.patches, false);
        symbol.unshare(left);
        symbol.unwant(left.parts, self.worker, now);
        let moved = symbol.subscribers.get(subscriber as usize).copied();
        if symbol.subscribers.is_empty() {
            self.by_id[id.index()] = None;
        }
        moved
    }
}
