//! A stream: its transport, its cursors, and what one write does to both.

use super::{
    cursors::{Cursors, Plan, Planned},
    options::Options,
    recent_ticks::ReadPolicy,
    schedule::{Armed, Deadlines},
    symbols::Symbols,
    transport::{CloseReason, Transport},
};
use crate::{market::Now, wire::StreamName};
use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use std::{
    mem,
    time::{Duration, Instant},
};

slotmap::new_key_type! {
    /// A stream within its worker; never used again for another one.
    pub(super) struct StreamKey;
}

/// One client's open stream.
pub(super) struct Stream<T> {
    pub(super) name: StreamName,
    pub(super) transport: T,
    pub(super) cursors: Cursors,
    pub(super) options: Options,
    pub(super) deadlines: Deadlines,
    /// What the schedule holds of it.
    pub(super) armed: Armed,
    /// In which queue it waits to be written.
    pub(super) queued: Option<WriteQueue>,
    /// In which queue it waited last.
    pub(super) lane: WriteQueue,
    /// The transport is full: nothing is written until it says that there is room.
    pub(super) blocked: bool,
    /// By when it must have taken its last bytes, once it is to end.
    pub(super) leaves_by: Option<Instant>,
    /// Its goodbye is begun: nothing comes after it.
    pub(super) says_goodbye: bool,
    /// Its last bytes are out: only the client's leaving is awaited.
    pub(super) lingers: bool,
    pub(super) missed: Missed,
    /// Bytes that its transport took.
    pub(super) bytes: u64,
    /// Its place in the table's order.
    pub(super) place: u32,
    /// Before this moment its own `max_rate` allows no write, but for a change of a status.
    not_before: Instant,
    /// A tick was written.
    has_ticked: bool,
    /// A status has changed.
    is_urgent: bool,
    pub(super) joined: Instant,
    /// What is left of the block that was begun last.
    rest: Bytes,
    _permit: Box<dyn Send>,
}

/// The queues of streams to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteQueue {
    Cold,
    Hot,
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
    /// How long the stream waited for its first tick, if this write brought it.
    pub(super) first_tick: Option<Duration>,
    /// There is more, which this write had no room for.
    pub(super) more: bool,
}

/// What a new stream brings beside its transport and cursors.
pub(super) struct StreamInit {
    pub(super) name: StreamName,
    pub(super) head: Bytes,
    pub(super) options: Options,
    /// By how much its first heartbeat comes early.
    pub(super) phase: Duration,
    pub(super) permit: Box<dyn Send>,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(transport: T, cursors: Cursors, first: StreamInit, now: Now) -> Self {
        Self {
            name: first.name,
            transport,
            cursors,
            options: first.options,
            deadlines: Deadlines::new(now.instant, first.phase),
            armed: Armed::default(),
            queued: None,
            lane: WriteQueue::Cold,
            blocked: false,
            leaves_by: None,
            says_goodbye: false,
            lingers: false,
            missed: Missed::default(),
            bytes: 0,
            place: 0,
            not_before: now.instant,
            has_ticked: false,
            is_urgent: false,
            joined: now.instant,
            rest: first.head,
            _permit: first.permit,
        }
    }

    /// When it may be written, if not now: what its own `max_rate` asks for. The rest of a block waits for nothing, and
    /// nor does a status.
    pub(super) fn must_wait(&self, now: Now) -> Option<Instant> {
        (now.instant < self.not_before && !self.is_urgent && self.rest.is_empty()).then_some(self.not_before)
    }

    /// Whether a block was begun and not ended.
    pub(super) fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// A status has changed: it is written at once.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// Writes all that the stream still lacks, as far as one write goes and the transport takes it.
    ///
    /// `sent` is told of each tick of which a byte was taken: since when it was due, and whether the transport had room
    /// all that time.
    pub(super) fn write(
        &mut self,
        symbols: &Symbols,
        now: Now,
        max_lag: Duration,
        mut sent: impl FnMut(Instant, bool),
    ) -> Result<Written, CloseReason> {
        let had_room = self.deadlines.full_since.is_none();
        let only_rest = now.instant < self.not_before && !self.is_urgent;
        let mut plan = Plan::new();
        let more = only_rest || self.cursors.plan(symbols, self.policy(now, max_lag), &mut plan);
        if plan.is_empty() && self.rest.is_empty() {
            if !more {
                self.cursors.caught_up();
                self.is_urgent = false;
                self.deadlines.full_since = None; // it has room, and lacks nothing
            }
            return Ok(Written { more, ..Written::default() });
        }
        let rest_before = self.rest.len();
        let (offered, taken) = self.offer(plan.iter().map(|planned| planned.frame))?;
        let missed = self.advance(taken, &plan, |since| sent(since, had_room));
        self.missed.add(missed);
        let is_first = !plan.is_empty() && taken > rest_before && !mem::replace(&mut self.has_ticked, true);
        self.note_write(taken, offered, now);
        if !only_rest && !more {
            self.keep_rate(now);
            if !self.blocked {
                self.cursors.caught_up();
            }
        }
        if more && !self.blocked {
            self.cursors.taken_whole();
        }
        let first_tick = is_first.then(|| now.instant.saturating_duration_since(self.joined));
        Ok(Written { bytes: taken, missed, first_tick, more: more && !self.blocked })
    }

    /// Offers a block of the stream's own, a heartbeat or a goodbye, behind what is left of the one before; returns how
    /// many bytes were taken. Of a block that is not begun, nothing is kept: it is news of this moment only.
    pub(super) fn write_block(&mut self, block: &Bytes, now: Now) -> Result<usize, CloseReason> {
        let of_rest = self.rest.len();
        let (offered, taken) = self.offer(Some(block).filter(|block| !block.is_empty()))?;
        if taken > of_rest {
            self.rest = block.slice(taken - of_rest..);
        } else {
            self.rest.advance(taken);
        }
        self.note_write(taken, offered, now);
        Ok(taken)
    }

    /// Offers the goodbye, or what is left of it; returns how many bytes were taken.
    pub(super) fn write_goodbye(&mut self, goodbye: &Bytes, now: Now) -> Result<usize, CloseReason> {
        if self.says_goodbye {
            return self.write_block(&Bytes::new(), now);
        }
        let of_rest = self.rest.len();
        let taken = self.write_block(goodbye, now)?;
        self.says_goodbye = taken > of_rest;
        Ok(taken)
    }

    /// Offers what is left of the block that was begun last, and blocks behind it; returns how many bytes were offered, and how many
    /// taken.
    fn offer<'a>(&'a mut self, more: impl IntoIterator<Item = &'a Bytes>) -> Result<(usize, usize), CloseReason> {
        let rest = Some(&self.rest).filter(|rest| !rest.is_empty());
        // The rest, and most often a tick or two: these cost no allocation.
        let blocks: SmallVec<[&Bytes; 5]> = rest.into_iter().chain(more).collect();
        let offered = blocks.iter().map(|block| block.len()).sum();
        let taken = self.transport.try_write(&blocks).map_err(|error| CloseReason::from(&error))?;
        Ok((offered, taken))
    }

    fn policy(&self, now: Now, max_lag: Duration) -> ReadPolicy {
        ReadPolicy {
            now: now.instant,
            max_lag,
            joined: self.joined,
            parts: self.options.parts(),
            newest_only: self.options.interval.is_some(),
        }
    }

    /// Moves the cursors over what was taken, and keeps the rest of the block that was cut.
    fn advance(&mut self, taken: usize, plan: &[Planned<'_>], mut sent: impl FnMut(Instant)) -> Missed {
        let mut missed = Missed::default();
        let of_rest = taken.min(self.rest.len());
        self.rest.advance(of_rest);
        let mut left = taken - of_rest;
        for planned in plan {
            if left == 0 {
                break;
            }
            missed.add(self.cursors.sent(planned, &self.options));
            // Nobody waits for what its own `max_rate` holds back; without one, that is since it joined.
            sent(planned.tick.published.max(self.not_before));
            let of_frame = left.min(planned.frame.len());
            self.rest = planned.frame.slice(of_frame..);
            left -= of_frame;
        }
        missed
    }

    /// Less than all was taken: the transport is full, and since when is what the stall timeout counts from.
    fn note_write(&mut self, taken: usize, offered: usize, now: Now) {
        self.bytes += taken as u64;
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

    /// All that was lacking is written, or about to be: the next write is an interval away.
    fn keep_rate(&mut self, now: Now) {
        self.is_urgent = false;
        if let Some(interval) = self.options.interval {
            self.not_before = now.instant + interval;
        }
    }
}
