//! The predecessor of a connection: it was to be replaced, and is read on until its successor has taken over.

use super::{Connection, NextFrame, frames::MESSAGES_PER_BATCH};
use crate::{
    feed::{
        DisconnectReason, RotationResult, Sink,
        dial::{Socket, SocketError},
        event::{Action, Event},
        rotation::Side,
    },
    market::{Now, Overlap},
    telemetry::labels::Label,
    venue::Venue,
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use std::time::Duration;
use tokio::{
    task::{unconstrained, yield_now},
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message as Frame;

/// So many batches of the predecessor are taken before the successor is read once: what the predecessor still has is
/// older, and the order guards drop it once the successor has brought what is newer. It is more than a stall of seconds
/// leaves unread; an endless flood must not keep the successor from taking over.
const BATCHES_IN_A_ROW_MAX: u32 = 1_000;
/// Why a recorded connection ends where the recording goes on with its successor.
const ROTATED: &str = "rotated";

/// A connection that is read on.
pub(super) struct Predecessor {
    pub(super) venue: Box<dyn Venue>,
    pub(super) socket: Socket,
    /// A frame that came just as the sink no longer took updates.
    pub(super) held: Option<NextFrame>,
    /// The batches that were taken since the successor was read.
    batches: u32,
    /// Whether its frames are recorded: while no successor is open.
    is_recorded: bool,
}

impl Predecessor {
    /// Whether the successor may be read first for once.
    pub(super) fn gives_way(&self) -> bool {
        self.batches >= BATCHES_IN_A_ROW_MAX
    }
}

impl<S: Sink> Connection<S> {
    /// The connection becomes the predecessor of the next one.
    pub(super) fn rotate(&mut self, reason: DisconnectReason, retry_in: Duration) {
        let Some(socket) = self.socket.take() else { return };
        self.tell_replaced_venue();
        let another = self.another_venue();
        let venue = std::mem::replace(&mut self.venue, another);
        let held = self.held.take();
        self.predecessor = Some(Predecessor { venue, socket, held, batches: 0, is_recorded: true });
        self.reporter.rotates(reason, retry_in);
    }

    /// The successor is open: the recording goes on with it.
    pub(super) fn succeed(&mut self, now: Now) {
        if let Some(old) = &mut self.predecessor
            && std::mem::take(&mut old.is_recorded)
            && let Some(recorder) = &mut self.recorder
        {
            recorder.closed(ROTATED, now);
        }
    }

    /// Ends the predecessor: sends a close frame, if the venue takes one.
    pub(super) async fn close_predecessor(&mut self, why: &'static str) {
        let Some(mut old) = self.predecessor.take() else { return };
        if old.is_recorded
            && let Some(recorder) = &mut self.recorder
        {
            recorder.closed(why, Now::read());
        }
        // A venue that does not take the close frame is gone anyway.
        let _ = timeout(self.timing.close, old.socket.close(None)).await;
    }

    /// Ends both connections at once: who stops waits for neither behind the other.
    pub(super) async fn close_both(&mut self, why: &'static str) {
        let old = self.predecessor.take();
        if old.as_ref().is_some_and(|old| old.is_recorded)
            && let Some(recorder) = &mut self.recorder
        {
            recorder.closed(why, Now::read());
        }
        let within = self.timing.close;
        let close_old = async {
            if let Some(mut old) = old {
                let _ = timeout(within, old.socket.close(None)).await;
            }
        };
        tokio::join!(close_old, self.close(why));
    }

    /// The successor was read.
    pub(super) fn gave_way(&mut self) {
        if let Some(old) = &mut self.predecessor {
            old.batches = 0;
        }
    }

    /// Takes a frame of the predecessor and all that are ready behind it, and hands on their updates at once.
    pub(super) fn take_predecessor(&mut self, first: NextFrame) -> Action {
        let Some(old) = &mut self.predecessor else { return Action::Nothing };
        if !self.sink.may_take() {
            old.held = Some(first);
            return Action::Nothing;
        }
        old.batches += 1;
        let now = Now::read();
        self.keep_message(&first, now);
        let mut action = self.read_predecessor(first, now);
        for _ in 1..MESSAGES_PER_BATCH {
            if action != Action::Nothing || self.batch.is_full() {
                break;
            }
            let Some(old) = &mut self.predecessor else { break };
            // It leaves no waker behind, and needs none: the socket is polled again before the task sleeps.
            let Some(frame) = old.socket.next().now_or_never() else { break };
            action = self.read_predecessor(frame, now);
        }
        self.hand_on(now);
        action
    }

    /// Looks whether the predecessor has anything left to read, where it goes once it has not.
    pub(super) async fn look_for_last_frames(&mut self) {
        if !self.session.awaits_last_frames() {
            return;
        }
        // What the socket has received by now is known to the runtime after its next turn.
        yield_now().await;
        let Some(old) = &mut self.predecessor else { return };
        if old.held.is_some() {
            return;
        }
        // It leaves no waker behind, as below, and a task that has had its share of a turn must not look like silence.
        match unconstrained(old.socket.next()).now_or_never() {
            Some(frame) => old.held = Some(frame),
            None => self.session.has_last_frames(),
        }
    }

    fn read_predecessor(&mut self, frame: NextFrame, now: Now) -> Action {
        if self.predecessor.as_ref().is_some_and(|old| old.is_recorded) {
            self.record(&frame, now);
        }
        let event = match frame {
            Some(Ok(Frame::Text(text))) => return self.read_predecessor_frame(text.as_bytes(), now),
            Some(Ok(Frame::Binary(bytes))) => return self.read_predecessor_frame(&bytes, now),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Event::Pong,
            Some(Ok(Frame::Close(_))) | None => {
                Event::Disconnected { reason: DisconnectReason::Closed, retry_after: None }
            }
            Some(Err(error)) => Event::Disconnected { reason: SocketError::from(error).reason(), retry_after: None },
        };
        self.session.on_predecessor(event, now.instant)
    }

    /// Reads a frame in slices, as those of the successor are.
    fn read_predecessor_frame(&mut self, frame: &[u8], now: Now) -> Action {
        loop {
            let dropped_before = self.dropped();
            let Some(old) = &mut self.predecessor else { return Action::Nothing };
            let before = self.batch.updates.len();
            let read = old.venue.read(frame, &mut self.batch);
            self.batch.updates[before..].iter_mut().for_each(|update| update.overlap = Overlap::Predecessor);
            self.session.heard(Side::Predecessor, &self.batch.updates[before..], now.instant);
            self.count_read(&read, dropped_before, frame, now);
            self.hand_on_facts();
            // It asks for nothing any more.
            self.batch.requests.clear();
            self.batch.snapshots.clear();
            self.batch.refuses_symbol = false;
            let answers = std::mem::take(&mut self.batch.answers);
            let last = read.map_or(Event::Unreadable, Event::Message);
            for event in answers.into_iter().map(Event::Message).chain([last]) {
                let action = self.session.on_predecessor(event, now.instant);
                if action != Action::Nothing {
                    // The rest of the frame is not read.
                    self.batch.read_on = 0;
                    return action;
                }
            }
            if self.batch.read_on == 0 {
                return Action::Nothing;
            }
            self.hand_on_anyway(now);
        }
    }

    /// Sends the predecessor a ping. It must not keep the successor waiting for long.
    pub(super) async fn ping_predecessor(&mut self, text: Option<&'static str>) -> Option<Event> {
        let old = self.predecessor.as_mut()?;
        let frame = text.map_or(Frame::Ping(Default::default()), Frame::text);
        match timeout(self.timing.close, old.socket.send(frame)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Event::PredecessorEnded(SocketError::from(error).reason())),
            Err(_) => Some(Event::PredecessorEnded(DisconnectReason::Stuck)),
        }
    }

    /// Drops the predecessor. Where data may be missing, the symbols must be stale before anything else is done.
    pub(super) async fn drop_predecessor(&mut self, gap: Option<DisconnectReason>) {
        if self.predecessor.is_none() {
            return;
        }
        let now = Now::read();
        let is_live = self.session.is_live();
        if let Some(reason) = gap {
            self.counters.disconnected(reason);
            // What was read and not taken would look newer than the outage.
            self.batch.updates.clear();
            self.sink.outage(super::actions::outage_reason(reason), now);
        }
        if is_live {
            self.counters.up();
            self.sink.refused(&self.refused(), now);
        }
        if gap.is_some() || !is_live {
            self.unheard.subscribed(None);
        }
        if is_live {
            // From here on what a lost subscription left stale counts as unheard.
            self.unheard.subscribed(Some(now));
        }
        self.counters.rotated(if gap.is_some() { RotationResult::Gap } else { RotationResult::Seamless });
        self.reporter.rotated(gap, is_live, now);
        self.publish();
        self.close_predecessor(gap.map_or(ROTATED, |reason| reason.label())).await;
    }

    /// Drops the connection that was to succeed, or the attempt at it. Nothing is stale: the predecessor serves on, and
    /// the recording goes on with it.
    pub(super) async fn retry(&mut self, reason: DisconnectReason, retry_in: Duration) {
        self.give_up_attempt();
        // It refuses nothing, as long as another connection serves.
        self.denied = None;
        self.counters.lost_successor(reason);
        self.reporter.lost_successor(reason, retry_in);
        self.held = None;
        let was_open = self.socket.is_some();
        self.close_socket(reason.label()).await;
        if was_open && let (Some(old), Some(recorder)) = (&mut self.predecessor, &mut self.recorder) {
            old.is_recorded = true;
            recorder.opened(Now::read());
        }
    }
}
