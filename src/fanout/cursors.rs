//! Where a stream stands in each of its symbols, and so what to send next: pure.

use super::{options::Options, stream::Missed, symbols::Symbols, window::View};
use crate::{cache::Tick, market::Parts};
use bytes::Bytes;
use std::{collections::BinaryHeap, mem, time::Instant};

/// The most blocks of one write, with the rest of the one before: what one system call takes.
const BLOCKS_MAX: usize = 1024;
/// A write offers no more bytes than this, and goes on in the next one: what a stream may take while others wait.
const WRITE_BYTES_MAX: usize = 64 * 1024;
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

/// Where a stream stands in each of its symbols.
pub(super) struct Cursors {
    slots: Box<[Slot]>,
    look: Look,
    /// The first of the marked slots, each of which names the next.
    marked: u32,
    /// The slot that was written last.
    last: u32,
}

/// One symbol of a stream.
pub(super) struct Slot {
    /// The `seq` of the first tick that was not sent.
    next: u64,
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
    pub(super) fn new(symbol: u32, subscriber: u32, next: u64) -> Self {
        Self { next, symbol, subscriber, link: UNMARKED, begun: false, lagged: false }
    }
}

impl Cursors {
    pub(super) fn new(slots: Box<[Slot]>) -> Self {
        let last = slots.len() as u32 - 1;
        Self { slots, look: Look::All, marked: END, last }
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
        self.slots[slot as usize].next <= seq
    }

    /// For each slot that lacks a tick of these parts, when the oldest of them was published that its ring still holds.
    pub(super) fn unsent(&self, symbols: &Symbols, parts: Parts) -> impl Iterator<Item = Instant> {
        self.slots.iter().filter_map(move |slot| symbols.get(slot.symbol).state.oldest_from(slot.next, parts))
    }

    /// A symbol has changed.
    pub(super) fn mark(&mut self, slot: u32) {
        let link = &mut self.slots[slot as usize].link;
        if self.look == Look::Marked && *link == UNMARKED {
            *link = self.marked;
            self.marked = slot;
        }
    }

    /// Of a new stream, cuts what is older than the newest tick of each symbol to the newest that fit `bytes`.
    ///
    /// The ticks of all symbols are merged from their newest ends, so only what is replayed is looked at.
    pub(super) fn cut_replay(&mut self, symbols: &Symbols, options: &Options, bytes: usize) {
        let mut older: Vec<_> =
            self.slots.iter().map(|slot| symbols.get(slot.symbol).window.older_down_to(slot.next).peekable()).collect();
        let mut newest_first = BinaryHeap::new();
        for (slot, ticks) in older.iter_mut().enumerate() {
            newest_first.extend(ticks.peek().map(|tick| (tick.n, slot)));
        }
        let mut left = bytes;
        while let Some((_, slot)) = newest_first.pop() {
            let Some(tick) = older[slot].next() else { continue };
            if tick.changed.intersects(options.parts()) {
                let state = &symbols.get(self.slots[slot].symbol).state;
                let Some(rest) = left.checked_sub(state.frame(tick).len()) else {
                    self.slots[slot].next = tick.seq + 1;
                    // It does not fit, so nothing older may come: ticks of other symbols end here too.
                    for (other, ticks) in older.iter_mut().enumerate().filter(|(other, _)| *other != slot) {
                        if let Some(tick) = ticks.peek() {
                            self.slots[other].next = tick.seq + 1;
                        }
                    }
                    return;
                };
                left = rest;
            }
            newest_first.extend(older[slot].peek().map(|tick| (tick.n, slot)));
        }
    }

    /// Lists what the stream lacks, in the order in which it is to be sent; returns whether there is more than listed.
    pub(super) fn plan<'a>(&mut self, symbols: &'a Symbols, view: View, plan: &mut Vec<Planned<'a>>) -> bool {
        let count = self.slots.len() as u32;
        match self.look {
            Look::Marked => {
                while self.marked != END {
                    let slot = self.marked;
                    self.marked = mem::replace(&mut self.slots[slot as usize].link, UNMARKED);
                    self.plan_slot(slot, symbols, view, plan);
                }
            }
            Look::All => (0..count).for_each(|slot| self.plan_slot(slot, symbols, view, plan)),
            Look::Around => {
                for step in 1..=count {
                    self.plan_slot((self.last + step) % count, symbols, view, plan);
                }
            }
        }
        if self.look != Look::Around && plan.len() > 1 {
            plan.sort_unstable_by_key(|planned| planned.tick.n);
        }
        let more = cut_to_one_write(plan);
        if more && self.look == Look::Marked {
            self.look = Look::All; // the marks are used up
        }
        more
    }

    /// Lists what one slot lacks.
    fn plan_slot<'a>(&self, slot: u32, symbols: &'a Symbols, view: View, plan: &mut Vec<Planned<'a>>) {
        let Slot { next, symbol, begun, .. } = self.slots[slot as usize];
        let symbol = symbols.get(symbol);
        let pending = symbol.window.pending(next, begun, view);
        plan.extend(pending.map(|tick| Planned { slot, tick, frame: symbol.state.frame(tick) }));
    }

    /// A tick was sent, at least its first byte; returns what was skipped before it, by cause.
    pub(super) fn sent(&mut self, planned: &Planned<'_>, options: &Options) -> Missed {
        let slot = &mut self.slots[planned.slot as usize];
        let skipped = planned.tick.seq - slot.next;
        let mut missed = Missed::default();
        match (slot.begun, slot.lagged) {
            (false, _) => {}
            (true, true) => missed.lag = skipped,
            (true, false) if options.leave_out() => missed.options = skipped,
            (true, false) => missed.ring = skipped,
        }
        slot.next = planned.tick.seq + 1;
        (slot.begun, slot.lagged) = (true, false);
        self.last = planned.slot;
        missed
    }

    /// The transport takes no more: until it does, nothing is marked, and then all slots are looked at.
    pub(super) fn full(&mut self) {
        while self.marked != END {
            self.marked = mem::replace(&mut self.slots[self.marked as usize].link, UNMARKED);
        }
        self.look = Look::Around;
        self.slots.iter_mut().for_each(|slot| slot.lagged = true);
    }

    /// Nothing is lacking: from now on, marks say what is.
    pub(super) fn caught_up(&mut self) {
        self.look = Look::Marked;
    }
}

/// Cuts a plan to what one write carries, at least one block; returns whether something was cut off.
fn cut_to_one_write(plan: &mut Vec<Planned<'_>>) -> bool {
    let mut bytes = 0;
    let fits = plan.iter().take(BLOCKS_MAX - 1).take_while(|planned| {
        let fits = bytes == 0 || bytes + planned.frame.len() <= WRITE_BYTES_MAX;
        bytes += planned.frame.len();
        fits
    });
    let count = fits.count();
    let more = count < plan.len();
    plan.truncate(count);
    more
}
