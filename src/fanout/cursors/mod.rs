//! Where a stream stands in each of its symbols, and so what to send next: pure.

mod relist;
mod replay;

pub(super) use relist::{Moved, Relisted, Removed};

use super::{
    missed::Missed,
    options::Options,
    recent_ticks::{Cursor, ReadPolicy},
    symbols::Symbols,
};
use crate::{
    cache::{SymbolId, Tick},
    market::{Part, Parts},
};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{mem, time::Instant};

/// The most bytes of ticks that one write offers: what a stream may take while others wait. The next write goes on.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// The least and the most bytes that a transport is offered after it was full: half of the last offer that it did not
/// take whole, or twice the last one that it did. A small offer leaves the rest to be planned, with newer ticks, when
/// there is room again. A large offer saves system calls for a fast client.
const CATCH_UP_BYTES_MIN: u32 = 1024;
const CATCH_UP_BYTES_MAX: u32 = 4 * 1024;
/// The link of a slot that is not marked.
const UNMARKED: u32 = u32::MAX;
/// The end of the list of marked slots.
const END: u32 = u32::MAX - 1;

/// A tick that a write offers.
pub(super) struct Planned<'a> {
    slot: u32,
    pub(super) tick: &'a Tick,
    pub(super) frame: &'a Bytes,
}

/// The ticks that a write offers, in their order. Most writes offer a tick or two, which cost no allocation.
pub(super) type Plan<'a> = SmallVec<[Planned<'a>; 4]>;

/// Where a stream stands in each of its symbols.
pub(super) struct Cursors {
    slots: Box<[Slot]>,
    look: Look,
    /// The first of the marked slots, each of which names the next.
    marked: u32,
    /// The slot that was written last.
    last: u32,
    /// How many bytes are offered at a time while all slots are looked at in turn.
    catch_up_bytes: u32,
}

/// One symbol of a stream.
pub(super) struct Slot {
    cursor: Cursor,
    pub(super) symbol: SymbolId,
    /// Its place among the symbol's subscribers.
    pub(super) subscriber: u32,
    /// The next marked slot, [`END`], or [`UNMARKED`].
    link: u32,
    /// Whether a tick of it was sent: before that the client cannot see a hole.
    begun: bool,
    /// Whether the transport was full since a tick of it was sent last.
    lagged: bool,
    /// Whether options that the stream no longer has may have left out ticks since one was sent last.
    left_out: bool,
    /// Whether a change added it, and the client was not told yet.
    is_new: bool,
}

/// Which slots the next write looks at, and in what order it sends what they lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The marked slots, in order of `n`.
    Marked,
    /// All slots, in order of `n`: in the first write, or after a write that could not carry all.
    All,
    /// All slots, one by one, from the slot after the last that was written: the transport was full, and no symbol may
    /// always come first.
    Around,
}

impl Slot {
    pub(super) fn new(symbol: SymbolId, subscriber: u32, cursor: Cursor) -> Self {
        Self { cursor, symbol, subscriber, link: UNMARKED, begun: false, lagged: false, left_out: false, is_new: false }
    }

    /// The transport is full.
    pub(super) fn lag(&mut self) {
        self.lagged = true;
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
    pub(super) fn lacks(&self, slot: u32, version: u64) -> bool {
        self.slots[slot as usize].cursor.next <= version
    }

    /// Whether a status that has changed was not sent yet.
    pub(super) fn lack_status(&self, symbols: &Symbols) -> bool {
        let changed = |slot: &Slot| symbols.get(slot.symbol).recent.newest().changed_at(Part::Status);
        self.slots.iter().any(|slot| slot.cursor.next <= changed(slot))
    }

    /// The client is greeted again: the newest tick of each symbol comes next.
    pub(super) fn start_over(&mut self, symbols: &Symbols, generation: u32) {
        for slot in &mut self.slots {
            *slot = Slot::new(slot.symbol, slot.subscriber, symbols.get(slot.symbol).start(generation));
        }
        self.look_at_all();
    }

    /// For each slot that lacks ticks of these parts, when the oldest of them that its ring still holds was published.
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

    /// Lists the ticks that the stream lacks, in the order to send them; returns whether there are more than listed.
    pub(super) fn plan<'a>(&mut self, symbols: &'a Symbols, policy: ReadPolicy, plan: &mut Plan<'a>) -> bool {
        let count = self.slots.len() as u32;
        match self.look {
            Look::Marked => {
                while self.marked != END {
                    let slot = self.marked;
                    self.marked = mem::replace(&mut self.slots[slot as usize].link, UNMARKED);
                    // For a tick or two, a push takes fewer instructions than `extend`.
                    for planned in self.lacking(slot, symbols, policy) {
                        plan.push(planned);
                    }
                }
            }
            Look::All => (0..count).for_each(|slot| plan.extend(self.lacking(slot, symbols, policy))),
            Look::Around => return self.plan_around(symbols, policy, plan),
        }
        if plan.len() > 1 {
            plan.sort_unstable_by_key(|planned| (planned.tick.id.n, planned.tick.version));
        }
        let more = cut(plan, WRITE_BYTES_MAX);
        if more && self.look == Look::Marked {
            self.look = Look::All; // the marks are used up
        }
        more
    }

    /// Lists a few of the ticks that all slots lack, from the slot after the last that was written; returns whether
    /// there are more.
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

    /// The ticks that one slot lacks, oldest first. One that the client counts as the next after the last that it was
    /// sent comes as a patch, if the stream wants patches.
    fn lacking<'a>(
        &self,
        slot: u32,
        symbols: &'a Symbols,
        policy: ReadPolicy,
    ) -> impl Iterator<Item = Planned<'a>> + use<'a> {
        let Slot { cursor, symbol, begun, .. } = self.slots[slot as usize];
        let symbol = symbols.get(symbol);
        let pending = symbol.recent.pending(cursor, policy);
        let mut patched = (policy.patches && begun).then_some(cursor.next);
        pending.map(move |tick| {
            let before = patched.filter(|&version| version == tick.version).and_then(|_| symbol.recent.before(tick));
            patched = policy.patches.then_some(tick.version + 1);
            let frame = match before {
                before if policy.compresses => {
                    let dictionary = symbols.dictionary_for(&symbol.state, tick, before.is_some());
                    symbol.state.compressed(tick, before.map(|tick| &**tick), dictionary)
                }
                Some(before) => symbol.state.patch(tick, before),
                None => symbol.state.frame(tick),
            };
            Planned { slot, tick, frame }
        })
    }

    /// A tick was sent, at least its first byte; returns the ticks that were skipped before it, by cause.
    pub(super) fn sent(&mut self, planned: &Planned<'_>, options: &Options) -> Missed {
        let slot = &mut self.slots[planned.slot as usize];
        let skipped = planned.tick.version - slot.cursor.next;
        let mut missed = Missed::default();
        match (slot.begun, slot.lagged) {
            (false, _) => {}
            (true, true) => missed.lag = skipped,
            (true, false) if options.leave_out() || slot.left_out => missed.options = skipped,
            (true, false) => missed.ring = skipped,
        }
        slot.cursor.next = planned.tick.version + 1;
        slot.begun = true;
        slot.lagged = false;
        slot.left_out = false;
        self.last = planned.slot;
        missed
    }

    /// The ticks that a stream whose transport is full will not get if it ends now.
    pub(super) fn given_up(&self, symbols: &Symbols) -> Missed {
        let lagged = self.slots.iter().filter(|slot| slot.begun && slot.lagged);
        let unsent =
            |slot: &Slot| (symbols.get(slot.symbol).recent.newest().version + 1).saturating_sub(slot.cursor.next);
        Missed { lag: lagged.map(unsent).sum(), ..Missed::default() }
    }

    /// The transport takes no more. Until it does, nothing is marked; then all slots are looked at.
    pub(super) fn full(&mut self) {
        while self.marked != END {
            self.marked = mem::replace(&mut self.slots[self.marked as usize].link, UNMARKED);
        }
        if self.look == Look::Around {
            self.catch_up_bytes = (self.catch_up_bytes / 2).max(CATCH_UP_BYTES_MIN);
        }
        self.look = Look::Around;
        self.slots.iter_mut().for_each(Slot::lag);
    }

    /// The transport took all that it was offered, and there is more.
    pub(super) fn taken_whole(&mut self) {
        if self.look == Look::Around {
            self.catch_up_bytes = (self.catch_up_bytes * 2).min(CATCH_UP_BYTES_MAX);
        }
    }

    /// The stream lacks nothing: from now on, marks say what it lacks.
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
