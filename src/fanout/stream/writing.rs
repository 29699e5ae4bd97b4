//! Writing: how one write moves a stream's cursors and changes its room.

use super::{CloseReason, Missed, Phase, Stream, Symbols};
use crate::{
    fanout::{
        cursors::{Plan, Planned},
        recent_ticks::ReadPolicy,
        transport::{Taken, Transport},
        written::Written,
    },
    market::Now,
    wire::stored,
};
use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use std::{
    io, mem,
    time::{Duration, Instant},
};

impl<T: Transport> Stream<T> {
    /// Writes all that the stream still lacks, as far as one write goes and the transport takes it; or nothing, where
    /// the client has to be [greeted](Stream::greet) again before.
    ///
    /// `sent` is called for each tick of which a byte was taken, with the moment since when it was due, and whether the
    /// transport had room all that time.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn write(
        &mut self,
        symbols: &Symbols,
        now: Now,
        max_lag: Duration,
        mut sent: impl FnMut(Instant, bool),
    ) -> Result<Written, CloseReason> {
        let had_room = self.room.full_since().is_none();
        // No tick yet: the tail of a block, and an event, do not wait.
        let holds_ticks = now.instant < self.not_before && !self.is_urgent;
        let mut plan = Plan::new();
        let more = holds_ticks || self.cursors.plan(symbols, self.policy(now, max_lag), &mut plan);
        if plan.iter().any(|planned| planned.tick.generation > self.generation) {
            return Ok(Written { starts_over: true, ..Written::default() });
        }
        if plan.is_empty() && self.tail.is_empty() && self.event().is_none() {
            if !more {
                self.cursors.caught_up();
                self.is_urgent = false;
                self.room.leave_unused(); // the stream lacks nothing
            }
            return Ok(Written { more, ..Written::default() });
        }
        let event = self.event().cloned();
        let before_ticks = self.tail.len() + event.as_ref().map_or(0, Bytes::len);
        let taken = self.offer(event.as_ref(), plan.iter().map(|planned| planned.frame), now)?;
        let missed = self.advance(taken.bytes, event, &plan, |since| sent(since, had_room));
        self.missed.add(missed);
        let is_first = !plan.is_empty() && taken.bytes > before_ticks && !mem::replace(&mut self.has_ticked, true);
        self.note_write(taken, now);
        if !holds_ticks && !more {
            self.keep_rate(symbols, now);
            if !self.is_full() {
                self.cursors.caught_up();
            }
        }
        if more && !self.is_full() {
            self.cursors.taken_whole();
        }
        let first_tick = is_first.then(|| now.instant.saturating_duration_since(self.joined));
        let more = more && !self.is_full();
        Ok(Written { bytes: taken.bytes, missed, first_tick, more, starts_over: false })
    }

    /// Offers a heartbeat, unless the stream is about to send something else; returns how many bytes were taken.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn write_heartbeat(
        &mut self,
        heartbeat: impl FnOnce() -> Bytes,
        now: Now,
    ) -> Result<Option<usize>, CloseReason> {
        if !self.tail.is_empty() || self.event().is_some() || matches!(self.phase, Phase::Lingering { .. }) {
            self.last_write = now.instant; // the tail of a block, or an event, proves the same
            return Ok(None);
        }
        self.early_by_millis = 0;
        self.write_block(&heartbeat(), now).map(Some)
    }

    /// The transport reports room; returns whether the stream has any: the transport may still hold bytes, and be full.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn room_reported(&mut self) -> Result<bool, CloseReason> {
        let has_room = self.transport.flush().map_err(|error| self.failed(&error))?;
        if has_room {
            self.room.report();
        }
        Ok(has_room)
    }

    /// Whether the transport holds bytes that wait for a flush.
    pub(in crate::fanout) fn holds_bytes(&self) -> bool {
        self.transport.holds_bytes()
    }

    /// Sends what the transport holds; returns whether all of it went out. If not, the transport is full.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn flush(&mut self, now: Now) -> Result<bool, CloseReason> {
        let is_out = self.transport.flush().map_err(|error| self.failed(&error))?;
        if !is_out && !self.is_full() {
            self.room.written(false, true, now.instant);
            self.lag();
        }
        Ok(is_out)
    }

    /// Why it ends where its transport fails. A client that leaves after its goodbye does what it was asked to.
    fn failed(&self, error: &io::Error) -> CloseReason {
        match self.phase {
            Phase::Lingering { .. } => self.farewell_reason(),
            _ => CloseReason::from(error),
        }
    }

    /// Offers a block of the stream's own, a heartbeat or a goodbye, behind the tail of the block before; returns how
    /// many bytes were taken. A block that is not begun is dropped: it is only worth sending now.
    pub(super) fn write_block(&mut self, block: &Bytes, now: Now) -> Result<usize, CloseReason> {
        let tail_before = self.tail.len();
        let stored = (self.options.compresses() && !block.is_empty()).then(|| stored(block));
        let block = stored.as_ref().unwrap_or(block);
        let taken = self.offer(Some(block).filter(|block| !block.is_empty()), [], now)?;
        if taken.bytes > tail_before {
            self.tail = block.slice(taken.bytes - tail_before..);
        } else {
            self.tail.advance(taken.bytes);
        }
        self.note_write(taken, now);
        Ok(taken.bytes)
    }

    /// Offers the tail of the block that was begun last, a block behind it, and ticks behind that.
    pub(super) fn offer<'a>(
        &'a mut self,
        block: Option<&'a Bytes>,
        ticks: impl IntoIterator<Item = &'a Bytes>,
        now: Now,
    ) -> Result<Taken, CloseReason> {
        // These, and most often a tick or two, cost no allocation. A push takes fewer instructions than `extend`.
        let mut blocks = SmallVec::<[&Bytes; 5]>::new();
        if !self.tail.is_empty() {
            blocks.push(&self.tail);
        }
        if let Some(block) = block {
            blocks.push(block);
        }
        for tick in ticks {
            blocks.push(tick);
        }
        self.transport.try_write(&blocks, now.instant).map_err(|error| CloseReason::from(&error))
    }

    /// An event of the stream's own as its body has it.
    pub(super) fn encoded(&self, event: Bytes) -> Bytes {
        if self.options.compresses() { stored(&event) } else { event }
    }

    fn policy(&self, now: Now, max_lag: Duration) -> ReadPolicy {
        ReadPolicy {
            now: now.instant,
            max_lag,
            joined: self.joined,
            parts: self.options.parts(),
            newest_only: self.options.interval().is_some(),
            patches: self.options.patches(),
            compresses: self.options.compresses(),
        }
    }

    /// Moves the cursors over the frames that were taken, and keeps the tail of the block that was cut.
    pub(super) fn advance(
        &mut self,
        taken: usize,
        event: Option<Bytes>,
        plan: &[Planned<'_>],
        mut sent: impl FnMut(Instant),
    ) -> Missed {
        let mut missed = Missed::default();
        let of_tail = taken.min(self.tail.len());
        self.tail.advance(of_tail);
        let mut left = taken - of_tail;
        if let Some(event) = event
            && left > 0
        {
            self.event_begun();
            let of_event = left.min(event.len());
            self.tail = event.slice(of_event..);
            left -= of_event;
        }
        for planned in plan {
            if left == 0 {
                break;
            }
            missed.add(self.cursors.sent(planned, &self.options));
            self.ticks += 1;
            // A tick that the stream's own `max_rate` holds back is not late; without one, that is since it joined.
            sent(planned.tick.published.max(self.not_before));
            let of_frame = left.min(planned.frame.len());
            self.tail = planned.frame.slice(of_frame..);
            left -= of_frame;
        }
        missed
    }

    /// Notes what came of a write.
    pub(super) fn note_write(&mut self, taken: Taken, now: Now) {
        self.bytes += taken.bytes as u64;
        if taken.bytes > 0 {
            self.last_write = now.instant;
        }
        self.room.written(taken.bytes > 0, taken.full, now.instant);
        if taken.full {
            self.lag();
        }
    }

    /// The transport is full: what the stream lacks from now on, it lacks for that.
    fn lag(&mut self) {
        self.cursors.full();
        if let Some(changes) = &mut self.changes {
            changes.removed.iter_mut().for_each(|removed| removed.slot.lag());
        }
    }

    /// All that the stream lacked is written, or about to be: the next write is an interval away. A status that the
    /// transport had no room for goes as soon as it has.
    fn keep_rate(&mut self, symbols: &Symbols, now: Now) {
        self.is_urgent = self.is_urgent && self.is_full() && self.cursors.lack_status(symbols);
        if let Some(interval) = self.options.interval() {
            self.not_before = now.instant + interval;
        }
        if let Some(changes) = &mut self.changes {
            changes.paced_at = Some(now.instant);
        }
    }
}
