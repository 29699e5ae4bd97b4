//! Where a stream stands in each of its symbols, and so what to send next: pure.

use super::{
    options::Options,
    pool::Resume,
    recent_ticks::{Cursor, ReadPolicy},
    stream::Missed,
    symbols::{Subscribed, Symbols},
};
use crate::{
    cache::Tick,
    market::{Now, Parts},
};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{collections::BinaryHeap, mem, sync::Arc, time::Instant};

/// A write offers no more bytes of ticks than this, and goes on in the next one: what a stream may take while others wait.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// What a transport that was full is offered at least, and at most: half of the last offer that it did not take whole, twice
/// the last that it did. What waits behind an offer is planned when there is room again, and is of that moment then; but a
/// fast client is not to cost a call for every few ticks.
const CATCH_UP_BYTES_MIN: u32 = 1024;
const CATCH_UP_BYTES_MAX: u32 = 4 * 1024;
/// A replay looks at no more ticks than this of parts that the stream does not want, which cost no bytes.
const REPLAY_UNWANTED_MAX: usize = 4_096;
/// Not in the list of marked slots.
const UNMARKED: u32 = u32::MAX;
/// The end of that list.
const END: u32 = u32::MAX - 1;

/// A tick that a write offers.
pub(super) struct Planned<'a> {
    slot: u32,
    pub(super) tick: &'a Tick,
    pub(super) frame: &'a Bytes,
}

/// What a write offers, in its order. Most offer a tick or two: those cost no allocation.
pub(super) type Plan<'a> = SmallVec<[Planned<'a>; 4]>;

/// Where a stream stands in each of its symbols.
pub(super) struct Cursors {
    slots: Box<[Slot]>,
    look: Look,
    /// The first of the marked slots, each of which names the next.
    marked: u32,
    /// The slot that was written last.
    last: u32,
    /// What is offered at a time while all slots are looked at in turn.
    catch_up_bytes: u32,
}

/// One symbol of a stream.
pub(super) struct Slot {
    cursor: Cursor,
    /// [`SymbolState::index`](crate::cache::SymbolState::index).
    pub(super) symbol: u32,
    /// Its place among the symbol's subscribers.
    pub(super) subscriber: u32,
    /// The next marked slot, or that this one is not marked.
    link: u32,
    /// Something was sent of it: before that there is no hole that the client could see.
    begun: bool,
    /// The transport was full since this symbol was sent last.
    lagged: bool,
}

/// Which slots the next write looks at, and in what order it sends what they lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Those that were marked, in order of `n`.
    Marked,
    /// All, in order of `n`: the first write, or more than one write could carry.
    All,
    /// All, slot by slot, from the one after the last that was written: the transport was full, and no symbol may
    /// always come first.
    Around,
}

impl Slot {
    pub(super) fn new(symbol: u32, subscriber: u32, cursor: Cursor) -> Self {
        Self { cursor, symbol, subscriber, link: UNMARKED, begun: false, lagged: false }
    }
}

impl Cursors {
    pub(super) fn new(slots: Box<[Slot]>) -> Self {
        let last = slots.len() as u32 - 1;
        Self { slots, look: Look::All, marked: END, last, catch_up_bytes: CATCH_UP_BYTES_MIN }
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// A subscriber's place in its symbol's list has changed.
    pub(super) fn moved(&mut self, slot: u32, subscriber: u32) {
        self.slots[slot as usize].subscriber = subscriber;
    }

    /// Whether a tick was not sent yet.
    pub(super) fn lacks(&self, slot: u32, seq: u64) -> bool {
        self.slots[slot as usize].cursor.next <= seq
    }

    /// For each slot that lacks a tick of these parts, when the oldest of them was published that its ring still holds.
    pub(super) fn unsent(&self, symbols: &Symbols, parts: Parts) -> impl Iterator<Item = Instant> {
        self.slots.iter().filter_map(move |slot| symbols.get(slot.symbol).state.oldest_from(slot.cursor.next, parts))
    }

    /// A symbol has changed.
    pub(super) fn mark(&mut self, slot: u32) {
        let link = &mut self.slots[slot as usize].link;
        if self.look == Look::Marked && *link == UNMARKED {
            *link = self.marked;
            self.marked = slot;
        }
    }

    /// Moves the cursors of a new stream back over the ticks that its client has missed: of all symbols together, the
    /// newest that fit its bytes.
    ///
    /// The symbols' ticks are merged from their newest ends, so that only what is replayed is looked at.
    pub(super) fn replay(&mut self, symbols: &mut Symbols, parts: Parts, resume: Resume, now: Now) {
        let mut newest_first = BinaryHeap::new();
        for slot in 0..self.slots.len() {
            newest_first.extend(self.replayed(slot, symbols, resume, now).map(|tick| (tick.n, slot)));
        }
        let (mut bytes_left, mut unwanted_left) = (resume.bytes, REPLAY_UNWANTED_MAX);
        while let Some((_, slot)) = newest_first.pop() {
            let Some(tick) = self.replayed(slot, symbols, resume, now).cloned() else { continue };
            let (left, cost) = if tick.changed.intersects(parts) {
                let state = &symbols.get(self.slots[slot].symbol).state;
                (&mut bytes_left, state.frame(&tick).len())
            } else {
                (&mut unwanted_left, 1)
            };
            // Where one does not fit, nothing older may come, of any symbol.
            let Some(rest) = left.checked_sub(cost) else { return };
            *left = rest;
            self.slots[slot].cursor.next = tick.seq;
            newest_first.extend(self.replayed(slot, symbols, resume, now).map(|tick| (tick.n, slot)));
        }
    }

    /// The tick before a slot's cursor, if its client has missed it.
    fn replayed<'a>(&self, slot: usize, symbols: &'a mut Symbols, resume: Resume, now: Now) -> Option<&'a Arc<Tick>> {
        let Slot { cursor, symbol, .. } = self.slots[slot];
        let Subscribed { state, recent, .. } = symbols.find(symbol as usize)?;
        recent.replayed(state, cursor.next, resume.after, now.instant)
    }

    /// Lists what the stream lacks, in the order in which it is to be sent; returns whether there is more than listed.
    pub(super) fn plan<'a>(&mut self, symbols: &'a Symbols, policy: ReadPolicy, plan: &mut Plan<'a>) -> bool {
        let count = self.slots.len() as u32;
        match self.look {
            Look::Marked => {
                while self.marked != END {
                    let slot = self.marked;
                    self.marked = mem::replace(&mut self.slots[slot as usize].link, UNMARKED);
                    plan.extend(self.lacking(slot, symbols, policy));
                }
            }
            Look::All => (0..count).for_each(|slot| plan.extend(self.lacking(slot, symbols, policy))),
            Look::Around => return self.plan_around(symbols, policy, plan),
        }
        if plan.len() > 1 {
            plan.sort_unstable_by_key(|planned| planned.tick.n);
        }
        let more = cut(plan, WRITE_BYTES_MAX);
        if more && self.look == Look::Marked {
            self.look = Look::All; // the marks are used up
        }
        more
    }

    /// Lists a little of what all slots lack, from the one after the last that was written; returns whether there is more.
    fn plan_around<'a>(&self, symbols: &'a Symbols, policy: ReadPolicy, plan: &mut Plan<'a>) -> bool {
        let count = self.slots.len() as u32;
        let mut bytes_left = self.catch_up_bytes as usize;
        let slots = (1..=count).map(|step| (self.last + step) % count);
        for planned in slots.flat_map(|slot| self.lacking(slot, symbols, policy)) {
            if planned.frame.len() > bytes_left && !plan.is_empty() {
                return true;
            }
            bytes_left = bytes_left.saturating_sub(planned.frame.len());
            plan.push(planned);
        }
        false
    }

    /// What one slot lacks, oldest first.
    fn lacking<'a>(
        &self,
        slot: u32,
        symbols: &'a Symbols,
        policy: ReadPolicy,
    ) -> impl Iterator<Item = Planned<'a>> + use<'a> {
        let Slot { cursor, symbol, .. } = self.slots[slot as usize];
        let symbol = symbols.get(symbol);
        let pending = symbol.recent.pending(cursor, policy);
        pending.map(move |tick| Planned { slot, tick, frame: symbol.state.frame(tick) })
    }

    /// A tick was sent, at least its first byte; returns what was skipped before it, by cause.
    pub(super) fn sent(&mut self, planned: &Planned<'_>, options: &Options) -> Missed {
        let slot = &mut self.slots[planned.slot as usize];
        let skipped = planned.tick.seq - slot.cursor.next;
        let mut missed = Missed::default();
        match (slot.begun, slot.lagged) {
            (false, _) => {}
            (true, true) => missed.lag = skipped,
            (true, false) if options.leave_out() => missed.options = skipped,
            (true, false) => missed.ring = skipped,
        }
        slot.cursor.next = planned.tick.seq + 1;
        (slot.begun, slot.lagged) = (true, false);
        self.last = planned.slot;
        missed
    }

    /// The transport takes no more: until it does, nothing is marked, and then all slots are looked at.
    pub(super) fn full(&mut self) {
        while self.marked != END {
            self.marked = mem::replace(&mut self.slots[self.marked as usize].link, UNMARKED);
        }
        if self.look == Look::Around {
            self.catch_up_bytes = (self.catch_up_bytes / 2).max(CATCH_UP_BYTES_MIN);
        }
        self.look = Look::Around;
        self.slots.iter_mut().for_each(|slot| slot.lagged = true);
    }

    /// The transport took all that it was offered, and there is more.
    pub(super) fn taken_whole(&mut self) {
        if self.look == Look::Around {
            self.catch_up_bytes = (self.catch_up_bytes * 2).min(CATCH_UP_BYTES_MAX);
        }
    }

    /// Nothing is lacking: from now on, marks say what is.
    pub(super) fn caught_up(&mut self) {
        self.look = Look::Marked;
    }
}

/// Cuts a plan to so many bytes, but at least one block; returns whether something was cut off.
fn cut(plan: &mut Plan<'_>, bytes_max: usize) -> bool {
    let mut bytes = 0;
    let fits = plan.iter().take_while(|planned| {
        let fits = bytes == 0 || bytes + planned.frame.len() <= bytes_max;
        bytes += planned.frame.len();
        fits
    });
    let count = fits.count();
    let more = count < plan.len();
    plan.truncate(count);
    more
}

#[cfg(test)]
mod tests {
    use super::super::{
        recent_ticks::{OLDER_AT_A_TIME, RecentLimits},
        stream::StreamKey,
        symbols::Subscriber,
    };
    use super::*;
    use crate::{
        cache::{Cache, RingLimits},
        market::{Origin, Part, TradeUpdate, Update},
        wire::Epoch,
    };
    use std::{collections::VecDeque, time::Duration};

    /// How many ticks the windows of 100 symbols with 200 trades each hold once a stream has resumed before them all.
    fn looked_at(parts: Parts, bytes: usize) -> usize {
        const SYMBOLS: usize = 100;
        let (now, age) = (Now::read(), Duration::from_secs(10));
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 256, age });
        let mut symbols = Symbols::new(1, RecentLimits { max_lag: age, count: 256 }, false);
        let trade = Update { trade: Some(TradeUpdate::default()), ..Update::default() };
        let mut slots = Vec::new();
        for slot in 0..SYMBOLS {
            let state = cache.register(format!("S{slot}").parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
            state.join(2, Parts::ALL, &mut VecDeque::new()); // some other worker has wanted it all along
            (0..200).for_each(|_| _ = state.publish(&trade, now));
            let subscriber = Subscriber { stream: StreamKey::default(), slot: slot as u32, parts };
            slots.push(Slot::new(slot as u32, 0, symbols.subscribe(&state, subscriber, now).cursor));
        }
        Cursors::new(slots.into()).replay(&mut symbols, parts, Resume { after: 0, bytes }, now);
        (0..SYMBOLS).map(|slot| symbols.get(slot as u32).recent.len()).sum()
    }

    #[test]
    fn rule_10_a_replay_looks_at_few_ticks_whatever_rings_hold_and_parts_are_wanted() {
        let at_least = 100 * (1 + OLDER_AT_A_TIME);
        assert_eq!(looked_at(Parts::ALL, 0), at_least);
        for (parts, bytes, more) in [
            (Parts::ALL, 64 * 1024, 64 * 1024 / 100),
            (Parts::from_iter([Part::Stats, Part::Status]), 64 * 1024, REPLAY_UNWANTED_MAX),
        ] {
            let looked_at = looked_at(parts, bytes);
            assert!((at_least..=at_least + more + OLDER_AT_A_TIME).contains(&looked_at), "{looked_at} ticks");
        }
    }
}
