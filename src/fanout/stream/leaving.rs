//! How a stream ends: the ticks that it lacks, its goodbye, and the wait for its client to leave.

use super::{CloseReason, Farewell, Phase, RightsEnd, Slot, Stream};
use crate::{
    fanout::{
        missed::Missed,
        open_rights::OpenRights,
        symbols::Symbols,
        transport::{CloseMode, Transport},
    },
    market::{Now, UnixMicros},
    wire::Bye,
};
use bytes::Bytes;
use std::{mem, time::Instant};

impl<T: Transport> Stream<T> {
    /// The gateway drains: the stream is to end at `until`, unless it ends sooner.
    pub(in crate::fanout) fn drain(&mut self, until: Instant) {
        self.phase.drain(until);
    }

    /// Ends the stream at once if its transport must end; returns whether it must.
    pub(in crate::fanout) fn drain_worn(&mut self, now: Now) -> bool {
        let is_worn = self.transport.is_worn();
        if is_worn {
            self.drain(now.instant);
        }
        is_worn
    }

    /// Whether the stream lives until its share of the drain is over.
    pub(in crate::fanout) fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. })
    }

    /// Why it ends, where that is the gateway's decision.
    pub(in crate::fanout) fn farewell_reason(&self) -> CloseReason {
        match self.bye {
            Bye::Expired => CloseReason::Expired,
            Bye::Denied => CloseReason::Denied,
            Bye::Shutdown | Bye::Busy => CloseReason::Shutdown,
        }
    }

    /// What its goodbye says: why its end has begun.
    pub(in crate::fanout) fn bye(&self) -> Bye {
        self.bye
    }

    /// Whether the goodbye takes the stream's next room.
    pub(in crate::fanout) fn is_leaving(&self) -> bool {
        self.phase.is_leaving()
    }

    /// Takes the next step towards the end. `is_queued`: it waits to be written.
    pub(in crate::fanout) fn farewell(&mut self, is_queued: bool, now: Now) -> Farewell {
        let is_full = self.room.is_full();
        self.note_expiry(now);
        let is_expired = self.is_expired(now);
        let lacks_ticks = || !is_expired && (is_queued || mem::take(&mut self.is_waiting));
        let farewell = self.phase.farewell(is_full, lacks_ticks, now.instant);
        if farewell == Farewell::WriteTicks {
            self.is_urgent = true; // whatever its `max_rate`
        }
        farewell
    }

    /// Offers the goodbye, or its tail; returns how many bytes were taken. Once all of it is out, the response is
    /// finished.
    ///
    /// # Errors
    /// The reason to end the stream.
    pub(in crate::fanout) fn write_goodbye(&mut self, goodbye: &Bytes, now: Now) -> Result<usize, CloseReason> {
        let was_begun = matches!(self.phase, Phase::Goodbye { .. });
        let tail_before = self.tail.len();
        let taken = match was_begun {
            true if self.tail.is_empty() => 0, // the transport took all of it, and was full
            true => self.write_block(&Bytes::new(), now)?,
            false => self.write_block(goodbye, now)?,
        };
        let is_begun = was_begun || taken > tail_before;
        let is_out = !self.is_full() && self.flush(now)?;
        if is_out {
            self.transport.close(CloseMode::Finish);
        }
        self.phase.goodbye_offered(is_begun, is_out, now.instant);
        Ok(taken)
    }

    /// The ticks that its client will never get, since its transport is full at its end. Adds them to those that it
    /// missed.
    pub(in crate::fanout) fn give_up(&mut self, symbols: &Symbols) -> Missed {
        let missed = if self.room.is_full() { self.cursors.given_up(symbols) } else { Missed::default() };
        self.missed.add(missed);
        missed
    }

    /// Closes the transport of a stream that is taken out. A stream that has its goodbye ends in order; of any other,
    /// nothing may stay in the kernel.
    pub(in crate::fanout) fn close(&mut self) {
        let mode = match self.phase {
            Phase::Lingering { .. } => CloseMode::Finish,
            _ => CloseMode::Abort,
        };
        self.transport.close(mode);
    }
}

impl<T> Stream<T> {
    /// Whether its client's rights have ended: from then on no tick is written.
    pub(in crate::fanout) fn is_expired(&self, now: Now) -> bool {
        self.rights_end.is_some_and(|end| end.has_come(now))
    }

    /// Its end begins. If that is since its rights end, by either clock, they stay ended: a wall clock that is set back
    /// brings no tick. An end that has begun keeps its reason.
    fn note_expiry(&mut self, now: Now) {
        if self.bye == Bye::Shutdown && self.phase.is_before_end() && self.is_expired(now) {
            self.bye = Bye::Expired;
            self.rights_end = Some(RightsEnd::past(now));
        }
    }

    /// Whether its client has no credentials, and it carries what these rights do not allow. One whose end has begun
    /// keeps its reason.
    pub(in crate::fanout) fn exceeds(&self, rights: &dyn OpenRights, symbols: &Symbols, now: Now) -> bool {
        let is_open = self.has_rights && self.client.subject().is_none();
        let is_allowed = |slot: &Slot| rights.allow(&symbols.get(slot.symbol).state);
        is_open && !self.is_ending() && !self.is_expired(now) && !self.cursors.slots().iter().all(is_allowed)
    }

    /// Its client's rights leave none of its symbols, or less than it carries: only its goodbye is still to come.
    pub(in crate::fanout) fn deny(&mut self, now: Now) {
        self.bye = Bye::Denied;
        self.rights_end = Some(RightsEnd::past(now));
        self.phase.drain(now.instant);
    }

    /// Its client has new rights, which end then.
    pub(super) fn renew(&mut self, until: Option<UnixMicros>, now: Now) {
        self.rights_end = until.map(|until| RightsEnd::at(until, now));
        self.phase.renew(self.rights_end.map(|end| end.instant));
    }
}
