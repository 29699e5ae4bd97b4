//! A stream: where it stands in each of its symbols, and so what to send next.

use super::{
    schedule::Deadlines,
    symbols::Symbols,
    transport::{Closed, Transport},
};
use crate::{cache::Tick, market::Now};
use bytes::{Buf, Bytes};
use std::time::{Duration, Instant};

slotmap::new_key_type! {
    /// A stream within its worker; never used again for another one.
    pub(super) struct StreamKey;
}

/// The most blocks of one write, with the rest of the one before: what one system call takes.
const BLOCKS_MAX: usize = 1024;
/// A write offers no more bytes than this, and goes on in the next one: what a stream may take while others wait.
const WRITE_BYTES_MAX: usize = 64 * 1024;
/// Not in the list of marked slots.
const UNMARKED: u32 = u32::MAX;
/// The end of that list.
const END: u32 = u32::MAX - 1;

/// One client's open stream.
pub(super) struct Stream<T> {
    pub(super) transport: T,
    pub(super) cursors: Cursors,
    pub(super) deadlines: Deadlines,
    /// What the schedule holds its live entry for.
    pub(super) armed: Instant,
    pub(super) heartbeat: Duration,
    /// In which queue it waits to be written.
    pub(super) queued: Option<Lane>,
    /// In which queue it waited last.
    pub(super) lane: Lane,
    /// The transport is full: nothing is written until it says that there is room.
    pub(super) blocked: bool,
    /// Its last bytes are out: only the client's leaving is awaited.
    pub(super) lingers: bool,
    pub(super) missed: Missed,
    joined: Instant,
    /// What is left of the block that was begun last.
    rest: Bytes,
    _permit: Box<dyn Send>,
}

/// The queues of streams to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Small,
    Large,
}

/// Ticks that a stream did not get, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missed {
    /// Its transport was full.
    pub lag: u64,
    /// Its own options left them out.
    pub options: u64,
    /// Neither: the gateway was too slow for its own ring.
    pub ring: u64,
}

impl Missed {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.lag + self.options + self.ring
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.lag += other.lag;
        self.options += other.options;
        self.ring += other.ring;
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) missed: Missed,
    /// There is more, which this write had no room for.
    pub(super) more: bool,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(transport: T, cursors: Cursors, opening: First, now: Now) -> Self {
        Self {
            transport,
            cursors,
            deadlines: Deadlines { full_since: None, last_write: now.instant, phase: opening.phase, end: None },
            armed: now.instant,
            heartbeat: opening.heartbeat,
            queued: None,
            lane: Lane::Small,
            blocked: false,
            lingers: false,
            missed: Missed::default(),
            joined: now.instant,
            rest: opening.head,
            _permit: opening.permit,
        }
    }

    /// Writes all that the stream still lacks, as far as one write goes and the transport takes it.
    ///
    /// `plan` is a list to work with, kept over many writes. `sent` is told of each tick of which a byte was taken: since
    /// when the stream could have had it.
    pub(super) fn write<'a>(
        &mut self,
        symbols: &'a Symbols,
        plan: &mut Vec<Planned<'a>>,
        now: Now,
        max_lag: Duration,
        mut sent: impl FnMut(Instant),
    ) -> Result<Written, Closed> {
        let more = self.cursors.plan(symbols, View { joined: self.joined, now: now.instant, max_lag }, plan);
        let rest = Some(&self.rest).filter(|rest| !rest.is_empty());
        let blocks: Vec<&Bytes> = rest.into_iter().chain(plan.iter().map(|planned| planned.frame)).collect();
        if blocks.is_empty() {
            self.cursors.caught_up();
            return Ok(Written::default());
        }
        let offered: usize = blocks.iter().map(|block| block.len()).sum();
        let taken = self.transport.try_write(&blocks).map_err(|error| Closed::from(&error))?;
        let missed = self.advance(taken, plan, &mut sent);
        self.missed.add(missed);
        self.note_write(taken, offered, now);
        if !self.blocked && !more {
            self.cursors.caught_up();
        }
        Ok(Written { bytes: taken, missed, more: more && !self.blocked })
    }

    /// Offers a block of the stream's own, a heartbeat or a goodbye; returns how many bytes were taken.
    ///
    /// Only to a stream that lacks nothing. If none of it is taken it is dropped: it is news of this moment only.
    pub(super) fn write_block(&mut self, block: &Bytes, now: Now) -> Result<usize, Closed> {
        debug_assert!(self.rest.is_empty(), "a stream that keeps up has no rest");
        let taken = self.transport.try_write(&[block]).map_err(|error| Closed::from(&error))?;
        if taken > 0 {
            self.rest = block.slice(taken..);
        }
        self.note_write(taken, block.len(), now);
        Ok(taken)
    }

    /// Moves the cursors over what was taken, and keeps the rest of the block that was cut.
    fn advance(&mut self, taken: usize, plan: &[Planned<'_>], sent: &mut impl FnMut(Instant)) -> Missed {
        let mut missed = Missed::default();
        let of_rest = taken.min(self.rest.len());
        self.rest.advance(of_rest);
        let mut left = taken - of_rest;
        for planned in plan {
            if left == 0 {
                break;
            }
            missed.add(self.cursors.sent(planned));
            sent(planned.tick.published.max(self.joined));
            let of_frame = left.min(planned.frame.len());
            self.rest = planned.frame.slice(of_frame..);
            left -= of_frame;
        }
        missed
    }

    /// Less than all was taken: the transport is full, and since when is what the stall timeout counts from.
    fn note_write(&mut self, taken: usize, offered: usize, now: Now) {
        if taken > 0 {
            self.deadlines.last_write = now.instant;
            self.deadlines.full_since = None;
        }
        self.blocked = taken < offered;
        if self.blocked {
            self.deadlines.full_since.get_or_insert(now.instant);
            self.cursors.full();
        }
    }
}

/// What a new stream brings beside its transport and symbols.
pub(super) struct First {
    pub(super) head: Bytes,
    pub(super) heartbeat: Duration,
    pub(super) phase: Duration,
    pub(super) permit: Box<dyn Send>,
}

/// A tick that a write offers.
pub(super) struct Planned<'a> {
    slot: u32,
    tick: &'a Tick,
    frame: &'a Bytes,
}

/// From where and when a stream looks at its symbols.
#[derive(Debug, Clone, Copy)]
struct View {
    joined: Instant,
    now: Instant,
    max_lag: Duration,
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

    /// A symbol has changed.
    pub(super) fn mark(&mut self, slot: u32) {
        let link = &mut self.slots[slot as usize].link;
        if self.look == Look::Marked && *link == UNMARKED {
            *link = self.marked;
            self.marked = slot;
        }
    }

    /// Lists what the stream lacks, in the order in which it is to be sent; returns whether there is more than listed.
    fn plan<'a>(&mut self, symbols: &'a Symbols, view: View, plan: &mut Vec<Planned<'a>>) -> bool {
        plan.clear();
        match self.look {
            Look::Marked => {
                while self.marked != END {
                    let slot = self.marked;
                    self.marked = std::mem::replace(&mut self.slots[slot as usize].link, UNMARKED);
                    self.plan_slot(slot, symbols, view, plan);
                }
            }
            Look::All => {
                for slot in 0..self.slots.len() as u32 {
                    self.plan_slot(slot, symbols, view, plan);
                }
            }
            Look::Around => {
                let count = self.slots.len() as u32;
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
        let Slot { next, symbol, .. } = self.slots[slot as usize];
        let symbol = symbols.get(symbol);
        let pending = symbol.window.pending(next, view.joined, view.now, view.max_lag);
        plan.extend(pending.map(|tick| Planned { slot, tick, frame: symbol.state.frame(tick) }));
    }

    /// A tick was sent, at least its first byte; returns what was skipped before it.
    fn sent(&mut self, planned: &Planned<'_>) -> Missed {
        let slot = &mut self.slots[planned.slot as usize];
        let skipped = planned.tick.seq - slot.next;
        let missed = match (slot.begun, slot.lagged) {
            (false, _) => Missed::default(),
            (true, true) => Missed { lag: skipped, ..Missed::default() },
            (true, false) => Missed { ring: skipped, ..Missed::default() },
        };
        slot.next = planned.tick.seq + 1;
        (slot.begun, slot.lagged) = (true, false);
        self.last = planned.slot;
        missed
    }

    /// The transport takes no more: until it does, nothing is marked, and then all slots are looked at.
    fn full(&mut self) {
        while self.marked != END {
            self.marked = std::mem::replace(&mut self.slots[self.marked as usize].link, UNMARKED);
        }
        self.look = Look::Around;
        self.slots.iter_mut().for_each(|slot| slot.lagged = true);
    }

    /// Nothing is lacking: from now on, marks say what is.
    fn caught_up(&mut self) {
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
