//! The frames of a connection: the venue reads them, the session learns what they were, the sink takes their updates.

use super::{Connection, NextFrame};
use crate::{
    feed::{
        DisconnectReason, MessageKind, Sink,
        event::{Action, Event},
        rotation::Side,
    },
    market::{Now, Overlap, Parts},
    recording,
    telemetry::labels::Label,
    venue::{DecodeError, Failure, Message, Played, Rules},
};
use futures_util::{FutureExt, StreamExt};
use tokio_tungstenite::tungstenite::{Message as Frame, protocol::CloseFrame};

/// The most messages whose updates are handed on together. A long burst goes out in batches, a single message at once.
pub(super) const MESSAGES_PER_BATCH: usize = 64;

impl<S: Sink> Connection<S> {
    /// Takes the frame that came and all that are ready behind it, and hands on their updates at once.
    pub(super) fn take_ready(&mut self, first: NextFrame) -> Action {
        if !self.sink.may_take() {
            self.held = Some(first);
            return Action::Nothing;
        }
        let now = Now::read();
        self.keep_message(&first, now);
        let mut action = self.take(first, now);
        for _ in 1..MESSAGES_PER_BATCH {
            if self.batch.is_full() {
                self.hand_on(now);
                if self.batch.is_full() {
                    break;
                }
            }
            let Some(socket) = self.socket.as_mut().filter(|_| action == Action::Nothing) else { break };
            // It leaves no waker behind, and needs none: the socket is polled again before the task sleeps.
            let Some(frame) = socket.next().now_or_never() else { break };
            action = self.take(frame, now);
        }
        self.hand_on(now);
        action
    }

    /// Keeps the frame for operators, if it is a message.
    pub(super) fn keep_message(&mut self, frame: &NextFrame, now: Now) {
        if let Some(Ok(frame @ (Frame::Text(_) | Frame::Binary(_)))) = frame {
            self.reporter.message(bytes_of(frame), now);
        }
    }

    /// Hands on the updates that were read. If the sink does not take them now, they wait until it does.
    pub(super) fn hand_on(&mut self, now: Now) {
        if self.sink.may_take() {
            self.hand_on_anyway(now);
        }
    }

    pub(super) fn hand_on_anyway(&mut self, now: Now) {
        self.drop_unlisted();
        self.counters.batch(&self.batch.updates, std::mem::take(&mut self.batch.ineligible), now);
        if !self.batch.updates.is_empty() {
            self.sink.updates(&self.batch.updates, now);
            self.reporter.data(self.is_closed(), now);
            self.judge_parts(now);
            self.batch.updates.clear();
        }
    }

    /// Hands on what was said of symbols besides their prices: rarely anything.
    pub(super) fn hand_on_facts(&mut self) {
        if !self.batch.facts.is_empty() {
            self.sink.facts(std::mem::take(&mut self.batch.facts));
        }
    }

    /// Makes the parts stale that have stopped while others flow.
    fn judge_parts(&mut self, now: Now) {
        if !self.session.minds_parts() {
            return;
        }
        let heard = self.batch.updates.iter().fold(Parts::NONE, |heard, update| heard.union(update.parts()));
        let silent = self.session.parts(heard, now.instant);
        if silent.is_empty() {
            return;
        }
        if self.sink.is_halted() {
            self.session.on(Event::AllHalted, now.instant);
            return;
        }
        self.sink.mute(silent, now);
        self.reporter.part_mute(silent);
    }

    /// Records a frame, where the feed is recorded.
    pub(super) fn record(&mut self, frame: &NextFrame, now: Now) {
        if let Some(recorder) = &mut self.recorder {
            match frame {
                Some(Ok(Frame::Text(text))) => recorder.frame(recording::Frame::Text(text.as_bytes()), now),
                Some(Ok(Frame::Binary(bytes))) => recorder.frame(recording::Frame::Binary(bytes), now),
                _ => {}
            }
        }
    }

    fn take(&mut self, frame: NextFrame, now: Now) -> Action {
        self.record(&frame, now);
        let event = match frame {
            Some(Ok(Frame::Text(text))) => self.read(text.as_bytes(), now),
            Some(Ok(Frame::Binary(bytes))) => self.read(&bytes, now),
            Some(Ok(Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Event::Pong,
            Some(Ok(Frame::Close(why))) => self.closed(why),
            Some(Err(error)) => self.failed(&error.into()),
            None => Event::Disconnected { reason: DisconnectReason::Closed, retry_after: None },
        };
        if self.events.is_empty() {
            return self.session.on(event, now.instant);
        }
        self.events.push_back(event);
        self.session.on_all(&mut self.events, now.instant)
    }

    /// The venue closes the connection: some do so for a newer one of the account.
    fn closed(&mut self, why: Option<CloseFrame>) -> Event {
        let code = why.as_ref().map_or(Rules::NO_CLOSE_CODE, |why| why.code.into());
        let words = why.map(|why| format!("{code} {}", why.reason));
        self.reporter.explain(words.as_deref());
        let retry_after = self.venue.rules().evicted(code);
        let reason = retry_after.map_or(DisconnectReason::Closed, |_| DisconnectReason::ConnectionLimit);
        Event::Disconnected { reason, retry_after }
    }

    /// Reads a frame and returns its last event; earlier ones go into the queue. What one slice of a long frame says is
    /// handed on before the next is read, so that memory does not grow with the frame.
    fn read(&mut self, frame: &[u8], now: Now) -> Event {
        let mut event = self.read_slice(frame, now);
        while self.batch.read_on > 0 {
            let repeats = matches!(event, Event::Message(Message::Data)) && !self.events.is_empty();
            if !repeats {
                self.events.push_back(event);
            }
            // A frame that was begun is read to its end, and memory must not grow with it.
            self.hand_on_anyway(now);
            event = self.read_slice(frame, now);
        }
        event
    }

    fn read_slice(&mut self, frame: &[u8], now: Now) -> Event {
        let dropped_before = self.dropped();
        let before = self.batch.updates.len();
        let read = self.venue.read(frame, &mut self.batch);
        if self.predecessor.is_some() {
            self.batch.updates[before..].iter_mut().for_each(|update| update.overlap = Overlap::Successor);
            self.session.heard(Side::Successor, &self.batch.updates[before..], now.instant);
        }
        self.count_read(&read, dropped_before, frame, now);
        self.hand_on_facts();
        if let Some(newest) = self.batch.requests.iter().map(|request| request.id).max() {
            self.places.rest_until(newest);
            self.events.push_back(Event::Ask(std::mem::take(&mut self.batch.requests)));
        }
        self.snapshots.schedule.want(self.batch.snapshots.drain(..));
        for answer in std::mem::take(&mut self.batch.answers) {
            self.note_failure(answer, frame, now);
            self.events.push_back(Event::Message(answer));
        }
        if std::mem::take(&mut self.batch.refuses_symbol) {
            self.reporter.trouble("a symbol was refused", frame, now);
        }
        let Ok(message) = read else { return Event::Unreadable };
        match message {
            Message::Data => {}
            Message::Other => self.counters.message(MessageKind::Other),
            Message::Played(Played::Hole) => self.counters.message(MessageKind::Hole),
            Message::Refused(_) => {
                self.counters.message(MessageKind::Control);
                self.reporter.trouble("a request was refused", frame, now);
            }
            Message::Failed(_)
            | Message::Acknowledged(_)
            | Message::Superseded(_)
            | Message::Control
            | Message::Closing
            | Message::Played(Played::Lost(_) | Played::StartsOver | Played::Ended)
            | Message::Gap => self.counters.message(MessageKind::Control),
        }
        self.note_failure(message, frame, now);
        Event::Message(message)
    }

    /// What was dropped so far, but for data of removed symbols: those are not a mistake.
    pub(super) fn dropped(&self) -> u64 {
        self.batch.errors.total() - self.batch.errors.of(DecodeError::RemovedSymbol)
    }

    /// Counts what could not be read of a frame.
    pub(super) fn count_read(
        &mut self,
        read: &Result<Message, DecodeError>,
        dropped_before: u64,
        frame: &[u8],
        now: Now,
    ) {
        if let Err(reason) = read {
            self.batch.errors.count(*reason);
            if *reason != DecodeError::RemovedSymbol {
                self.reporter.trouble(reason.label(), frame, now);
            }
        } else if self.dropped() > dropped_before {
            self.reporter.trouble("fields were dropped", frame, now);
        }
    }

    /// Keeps why the venue ends the connection, for when the session leaves it.
    fn note_failure(&mut self, message: Message, frame: &[u8], now: Now) {
        let Message::Failed(failure) = message else { return };
        self.reporter.failure(frame, now);
        self.denied = match failure {
            Failure::Fatal(reason) => Some(reason),
            Failure::Passing { .. } | Failure::ConnectionLimit { .. } => None,
        };
    }
}

/// The bytes of a message.
fn bytes_of(frame: &Frame) -> &[u8] {
    match frame {
        Frame::Text(text) => text.as_bytes(),
        Frame::Binary(bytes) => bytes,
        _ => &[],
    }
}
