//! How a connection waits, and how it ends.

use super::{Connection, ConnectionEnd, Rows};
use crate::{
    fanout::{h2::client::Activity, transport::Ready},
    h2::{self, ErrorCode, LastStream},
};
use std::{
    mem,
    time::{Duration, Instant},
};

/// How long the last bytes may take, and the client to close its side behind them: a socket that is closed with unread
/// input resets the connection, and the client may lose the last bytes.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// How many bytes of input are dropped meanwhile.
const DROPPED_BYTES_MAX: usize = 64 * 1024;
/// How long a connection that has to give way may take to end.
const LEAVING_MAX: Duration = Duration::from_millis(250);

/// How far a connection is on its way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// The gateway drains: the client knows, and the connection ends with its last stream.
    Draining,
    /// New streams are ignored, and the connection ends with its last stream.
    Leaving {
        end: ConnectionEnd,
        cut_at: Option<Instant>,
    },
    /// The last frame is on its way. What the client still sends is dropped.
    Closing {
        end: ConnectionEnd,
        by: Instant,
        dropped: usize,
    },
    /// Our side is closed.
    Lingering {
        end: ConnectionEnd,
        by: Instant,
        dropped: usize,
    },
    /// Nothing is left to do.
    Over {
        end: ConnectionEnd,
    },
}

impl Phase {
    /// Why the connection can no longer be written to.
    pub(super) fn end(self) -> Option<ConnectionEnd> {
        match self {
            Self::Open | Self::Draining | Self::Leaving { .. } => None,
            Self::Closing { end, .. } | Self::Lingering { end, .. } | Self::Over { end } => Some(end),
        }
    }

    fn deadline(self) -> Option<Instant> {
        match self {
            Self::Open | Self::Draining | Self::Over { .. } => None,
            Self::Leaving { cut_at, .. } => cut_at,
            Self::Closing { by, .. } | Self::Lingering { by, .. } => Some(by),
        }
    }
}

/// What a worker has to know of a connection after a turn.
#[derive(Debug, Clone, Copy)]
pub(in crate::fanout) struct Settled {
    /// Whether it has more to write at once.
    pub(in crate::fanout) has_more: bool,
    /// How many of its streams the reader check holds back.
    pub(in crate::fanout) held: usize,
    /// When it asks for attention.
    pub(in crate::fanout) deadline: Option<Instant>,
    /// Why it is over.
    pub(in crate::fanout) over: Option<ConnectionEnd>,
}

impl Connection {
    /// Whether its client's requests are read.
    pub(super) fn is_open(&self) -> bool {
        self.phase.end().is_none()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over { .. })
    }

    /// The client has closed its side.
    pub(super) fn left(&mut self) {
        match self.phase {
            Phase::Lingering { end, .. } => self.phase = Phase::Over { end },
            _ => self.abort(ConnectionEnd::Left),
        }
    }

    /// Ends it at once; its streams have to learn why.
    pub(in crate::fanout) fn abort(&mut self, end: ConnectionEnd) {
        if let Ok(io) = self.output.io() {
            io.abort();
        }
        self.phase = Phase::Over { end: self.phase.end().unwrap_or(end) };
        self.forget_all();
    }

    /// Ends it in order, behind the frames that wait.
    pub(super) fn close(&mut self, end: ConnectionEnd, now: Instant) {
        if self.permit.is_none() && lingers(end) {
            self.permit = self.permits.permit(self.peer.ip());
        }
        if !matches!(self.phase, Phase::Leaving { .. }) {
            self.protocol.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut self.output.frames);
        }
        self.phase = Phase::Closing { end, by: self.last_bytes_from(end, now) + time_to_leave(end), dropped: 0 };
        self.forget_all();
    }

    /// From when on the last bytes have their time. While the gateway drains, a client that takes nothing has had it.
    fn last_bytes_from(&self, end: ConnectionEnd, now: Instant) -> Instant {
        self.output.full_since().filter(|_| end == ConnectionEnd::Shutdown).unwrap_or(now)
    }

    /// New streams are ignored; it ends with its last stream, or at `cut_at`.
    pub(super) fn leave(&mut self, end: ConnectionEnd, cut_at: Option<Instant>) {
        if let Phase::Open | Phase::Draining = self.phase {
            self.protocol.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut self.output.frames);
            self.phase = Phase::Leaving { end, cut_at };
        }
    }

    /// It has to make room for another connection, unless it has streams by now.
    pub(in crate::fanout) fn give_way(&mut self, now: Instant) {
        if self.rows.streams() == 0 {
            self.leave(ConnectionEnd::GaveWay, Some(now + LEAVING_MAX));
        }
    }

    /// Ends the answers that its client has not read since then: their permits are wanted. They count as resets by the
    /// client. Returns whether there were any.
    pub(in crate::fanout) fn end_unread(&mut self, since: Instant, now: Instant) -> bool {
        let unread = if self.is_open() { self.rows.unread_since(since) } else { Vec::new() };
        for &id in &unread {
            self.rows.remove(id);
            if let Err(error) = self.protocol.cancel(id, now, &mut self.output.frames) {
                self.close(ConnectionEnd::Limit(error.reason), now);
                break;
            }
        }
        !unread.is_empty()
    }

    /// The gateway drains.
    pub(in crate::fanout) fn drain(&mut self) {
        if self.phase == Phase::Open {
            self.protocol.go_away(LastStream::Max, ErrorCode::NO_ERROR, &mut self.output.frames);
            self.phase = Phase::Draining;
        }
    }

    /// Drops input that comes after the last frame.
    pub(super) fn drop_input(&mut self, bytes: usize) {
        match &mut self.phase {
            Phase::Closing { dropped, .. } => *dropped += bytes,
            Phase::Lingering { end, dropped, .. } => {
                *dropped += bytes;
                if *dropped > DROPPED_BYTES_MAX {
                    self.phase = Phase::Over { end: *end };
                }
            }
            _ => {}
        }
    }

    /// Whether the last frame is on its way, and as much input is dropped as may be: the rest waits in the kernel.
    pub(super) fn drops_no_more(&self) -> bool {
        matches!(self.phase, Phase::Closing { dropped, .. } if dropped > DROPPED_BYTES_MAX)
    }

    /// No stream and no answer is left.
    fn forget_all(&mut self) {
        let keys = self.rows.keys().map(|key| Ready { key, readable: true, writable: false });
        self.news.extend(keys);
        self.rows = Rows::default();
        self.bodies = Vec::new();
        self.waiting = Vec::new();
    }

    /// Does what deadlines ask for.
    pub(in crate::fanout) fn keep_deadline(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        match self.phase {
            Phase::Over { .. } => return,
            // What is left has nothing worth waiting for.
            Phase::Lingering { end, .. } if is_due(self.end_deadline()) => {
                self.phase = Phase::Over { end };
                return;
            }
            Phase::Closing { end, .. } | Phase::Leaving { end, .. } if is_due(self.end_deadline()) => {
                return self.abort(end);
            }
            _ => {}
        }
        if is_due(self.full_deadline()) {
            return self.abort(ConnectionEnd::Stalled);
        }
        if !self.is_open() {
            return;
        }
        self.expire_answers(now);
        if is_due(self.begun_deadline())
            && let Some(before) = now.checked_sub(self.timeouts.head)
            && let Err(error) = self.expire_bodies(before, now)
        {
            return self.close(ConnectionEnd::Limit(error.reason), now);
        }
        if is_due(self.idle_deadline()) {
            self.close(ConnectionEnd::Idle, now);
        }
    }

    fn expire_bodies(&mut self, before: Instant, now: Instant) -> Result<(), h2::ConnectionError> {
        self.protocol.expire(before, now, &mut self.output.frames)?;
        self.permit_bodies(now)
    }

    /// Ends a turn: takes further what needs no input, and sends.
    pub(in crate::fanout) fn settle(&mut self, now: Instant) -> Settled {
        let mut has_more = false;
        if self.is_open() {
            has_more = self.write_answers(now);
            if !has_more {
                self.rows.await_readers(now);
            }
            self.hold_permit(has_more);
            if self.is_worn() {
                self.leave(ConnectionEnd::Worn, None);
            }
            self.end_if_done(now);
        }
        self.send(now);
        if let Phase::Closing { end, by, dropped } = self.phase
            && self.output.is_empty()
        {
            match self.output.io().and_then(|io| io.finish()) {
                Ok(true) if self.permit.is_none() || !lingers(end) || dropped > DROPPED_BYTES_MAX => {
                    self.phase = Phase::Over { end };
                }
                Ok(true) => self.phase = Phase::Lingering { end, by, dropped },
                Ok(false) => {} // again when there is room
                Err(_) => self.abort(end),
            }
        }
        if self.is_over() {
            // A request that is still being answered keeps the connection, but neither its socket nor its permit.
            self.output.release();
            self.permit = None;
        }
        let is_idle = self.is_open() && self.is_idle();
        self.idle_since = self.idle_since.or(Some(now)).filter(|_| is_idle);
        let over = if let Phase::Over { end } = self.phase { Some(end) } else { None };
        Settled { has_more, held: self.rows.held(), deadline: self.deadline(), over }
    }

    /// A connection without streams holds a permit.
    fn hold_permit(&mut self, has_more: bool) {
        if self.rows.streams() > 0 {
            self.permit = None;
            return;
        }
        let mut is_new = false;
        if self.permit.is_none() && self.phase == Phase::Open {
            self.permit = self.permits.permit(self.peer.ip());
            self.activity = Activity::Idle;
            is_new = true;
            match &mut self.permit {
                Some(permit) => permit.held_by(self.address),
                None => self.leave(ConnectionEnd::NoPermit, None),
            }
        }
        let activity = self.activity(has_more);
        let has_changed = activity != mem::replace(&mut self.activity, activity);
        if (is_new || has_changed)
            && let Some(permit) = &mut self.permit
        {
            permit.becomes(activity);
        }
    }

    /// What it does without a stream. Answers that are not written whole wait for their client, unless there is more to
    /// write at once. Once they have waited, only their end changes that.
    fn activity(&self, has_more: bool) -> Activity {
        let has_answers = self.rows.answer_deadline().is_some();
        if self.rows.is_empty() {
            Activity::Idle
        } else if has_answers && (!has_more || self.activity == Activity::Blocked) {
            Activity::Blocked
        } else {
            Activity::Answering
        }
    }

    /// Whether it has neither a stream nor a request, nor one whose body still comes.
    fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.protocol.streams() == 0
    }

    fn end_if_done(&mut self, now: Instant) {
        if self.phase == Phase::Draining && self.rows.streams() == 0 {
            self.leave(ConnectionEnd::Shutdown, Some(now + LINGER));
        }
        if let Phase::Leaving { end, .. } = self.phase
            && self.rows.is_empty()
        {
            self.close(end, now);
        }
    }

    /// When it asks for attention.
    fn deadline(&self) -> Option<Instant> {
        let mut deadlines = [self.end_deadline(), self.full_deadline(), None, None, None];
        if self.is_open() {
            deadlines[2] = self.rows.answer_deadline();
            deadlines[3] = self.begun_deadline();
            deadlines[4] = self.idle_deadline();
        }
        deadlines.into_iter().flatten().min()
    }

    /// When a connection that ends is cut off. One that has a stream by now ends with its last.
    fn end_deadline(&self) -> Option<Instant> {
        self.phase.deadline().filter(|_| self.rows.streams() == 0)
    }

    /// When a client that takes nothing is cut off.
    fn full_deadline(&self) -> Option<Instant> {
        let has_streams = self.rows.streams() > 0;
        let patience = if has_streams { self.timeouts.stall } else { self.timeouts.write };
        self.output.full_since().map(|since| since + patience)
    }

    /// When what the client has begun has to be whole.
    fn begun_deadline(&self) -> Option<Instant> {
        self.protocol.waits_since().map(|since| since + self.timeouts.head)
    }

    /// When a connection without a stream ends. A request may have come since it was last settled.
    fn idle_deadline(&self) -> Option<Instant> {
        self.idle_since.filter(|_| self.is_idle()).map(|since| since + self.timeouts.head)
    }
}

/// How long the last bytes may take.
fn time_to_leave(end: ConnectionEnd) -> Duration {
    if lingers(end) { LINGER } else { LEAVING_MAX }
}

/// Whether the client has time to close its side. Another one waits for the place of a connection that gives way.
fn lingers(end: ConnectionEnd) -> bool {
    end != ConnectionEnd::GaveWay
}
