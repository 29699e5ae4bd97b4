//! The actions that a session asks for: connecting, sending, leaving.

use super::Connection;
use crate::{
    feed::{
        ConnectResult, DisconnectReason, Sink,
        dial::{Socket, SocketError},
        event::{Action, Event},
    },
    market::{FeedSymbol, Now, Parts, Reason},
    telemetry::labels::Label,
    venue::Played,
};
use futures_util::SinkExt;
use std::time::{Duration, SystemTime};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;

impl<S: Sink> Connection<S> {
    pub(super) fn failed(&mut self, error: &SocketError) -> Event {
        self.reporter.explain(Some(&error.to_string()));
        self.denied = error.denied();
        Event::Disconnected { reason: error.reason(), retry_after: error.retry_after(SystemTime::now()) }
    }

    /// Does what the session asks for; returns what came of it, where that is known at once.
    pub(super) async fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Nothing => None,
            Action::Connect => {
                self.connect();
                None
            }
            Action::Send(text) => self.send(Frame::text(text)).await,
            Action::SendPing(text) => self.send(Frame::text(text)).await,
            Action::Ping => self.send(Frame::Ping(Default::default())).await,
            Action::Live { refused, unanswered } => {
                for id in unanswered {
                    self.venue.unanswered(id);
                }
                self.live(&refused)
            }
            Action::Unanswered(id) => {
                self.venue.unanswered(id);
                None
            }
            Action::Mute => self.mute(),
            Action::Played(played) => {
                self.played(played);
                None
            }
            Action::Rotate { reason, retry_in } => {
                self.rotate(reason, retry_in);
                None
            }
            Action::Retry { reason, retry_in } => {
                self.retry(reason, retry_in).await;
                None
            }
            Action::PingPredecessor(text) => self.ping_predecessor(text).await,
            Action::DropPredecessor { gap } => {
                self.drop_predecessor(gap).await;
                None
            }
            Action::Leave { reason, retry_in } => {
                self.leave(reason, retry_in).await;
                None
            }
        }
    }

    fn connect(&mut self) {
        if self.key.has_changed().unwrap_or(false) {
            self.key.mark_unchanged();
            self.venue = self.another_venue();
        }
        self.limit_messages();
        let dialer = self.dialer.clone();
        let url = self.venue.url().to_owned();
        self.attempt = Some(Box::pin(async move { dialer.open(&url).await }));
    }

    pub(super) fn opened(&mut self, opened: Result<Socket, SocketError>) -> Event {
        self.attempt = None;
        self.snapshots.reset();
        let result = if opened.is_ok() { ConnectResult::Connected } else { ConnectResult::Failed };
        self.counters.connect(result);
        match opened {
            Ok(socket) => {
                self.reporter.connected(self.venue.url(), &self.dialer.tried());
                self.socket = Some(socket);
                let now = Now::read();
                self.succeed(now);
                if let Some(recorder) = &mut self.recorder {
                    recorder.opened(now);
                }
                if let (Some(longest), Some(at)) = (self.lifetime, self.rotate_at) {
                    self.session.replace_after(longest.min(at.wait(now.unix)));
                }
                self.tell_venue();
                Event::Connected(self.venue.open())
            }
            Err(error) => {
                self.reporter.tried(self.dialer.tried());
                self.failed(&error)
            }
        }
    }

    async fn send(&mut self, frame: Frame) -> Option<Event> {
        let socket = self.socket.as_mut()?;
        match timeout(self.timing.send, socket.send(frame)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(self.failed(&error.into())),
            Err(_) => Some(Event::Disconnected { reason: DisconnectReason::Stuck, retry_after: None }),
        }
    }

    /// The venue has answered all requests: publishes what it refuses. It is an end where no symbol is granted.
    fn live(&mut self, requests: &[u64]) -> Option<Event> {
        let refused = self.refused();
        if self.places.len() > 0 && refused.len() == self.places.len() && !self.session.is_changed() {
            // Each request may be granted in part, and still no symbol in all of its requests.
            return Some(Event::Disconnected { reason: DisconnectReason::Refused, retry_after: None });
        }
        let now = Now::read();
        self.counters.up();
        if self.predecessor.is_some() {
            // What it refuses is published when the predecessor no longer serves.
            self.session.granted(&refused, now.instant);
        } else {
            self.sink.refused(&refused, now);
        }
        self.unheard.subscribed(Some(now));
        let is_told = self.session.is_changed() && self.refused_symbols == refused.len() && requests.is_empty();
        self.refused_symbols = refused.len();
        if !is_told {
            self.reporter.subscribed(self.is_closed(), requests.len(), refused.len(), now);
        }
        None
    }

    /// No data came for too long.
    fn mute(&mut self) -> Option<Event> {
        if self.sink.is_halted() {
            return Some(Event::AllHalted);
        }
        let now = Now::read();
        self.sink.mute(Parts::ALL, now);
        self.snapshots.start_over(|place| self.places.is_taken(place));
        self.reporter.mute(now);
        None
    }

    /// What a recording says, though the connection to its player lives.
    fn played(&mut self, played: Played) {
        let now = Now::read();
        match played {
            Played::Hole => {}
            Played::Lost(reason) => self.sink.outage(reason, now),
            Played::StartsOver => self.sink.start_over(now),
            Played::Ended => {
                self.sink.outage(Reason::Ended, now);
                self.unheard.watch(false, now.instant);
                self.reporter.ended();
            }
        }
    }

    /// Must come before every other step of leaving, or an old price would be shown as live. A failed attempt makes
    /// nothing stale, but the venue may have refused every symbol.
    fn mark_outage(&mut self, reason: DisconnectReason, now: Now) {
        if let Some(refused) = self.all_refused(reason) {
            self.sink.refused(&refused, now);
        }
        if self.socket.is_some() {
            self.sink.outage(outage_reason(reason), now);
        }
    }

    /// Every symbol with the reason for its refusal, where the venue denies access or has refused all symbols.
    fn all_refused(&mut self, reason: DisconnectReason) -> Option<Vec<(FeedSymbol, Reason)>> {
        let for_all = |reason| self.places.taken().map(|symbol| (symbol, reason)).collect();
        if let Some(denied) = self.denied {
            self.denied = None;
            return Some(for_all(denied));
        }
        if reason != DisconnectReason::Refused {
            return None;
        }
        let refused = self.refused();
        Some(if refused.len() == self.places.len() { refused } else { for_all(Reason::NotGranted) })
    }

    /// Drops the attempt to connect, if there is one.
    pub(super) fn give_up_attempt(&mut self) {
        if self.attempt.take().is_some() {
            self.counters.connect(ConnectResult::Failed); // it took too long
            self.reporter.explain(Some(&self.dialer.waits_for()));
            self.reporter.tried(self.dialer.tried());
        }
    }

    async fn leave(&mut self, reason: DisconnectReason, retry_in: Duration) {
        let now = Now::read();
        self.counters.disconnected(reason);
        self.give_up_attempt();
        self.unheard.subscribed(None);
        self.mark_outage(reason, now);
        self.reporter.left(reason, retry_in, now);
        self.publish();
        self.close(reason.label()).await;
    }

    pub(super) fn publish(&mut self) {
        self.batch.shrink();
        if let Some((dropped, micros)) = self.counters.publish_implausible() {
            self.reporter.implausible_times(dropped, micros, Now::read());
        }
        if let Some(micros) = self.counters.old_times() {
            self.reporter.old_times(micros, Now::read());
        }
        self.reporter.count(self.counters.publish(&mut self.batch.errors, Now::read()));
    }

    /// Ends the connection, if there is one: sends a close frame, if the venue takes one.
    pub(super) async fn close(&mut self, why: &'static str) {
        // What was read and not taken would look newer than the outage.
        self.held = None;
        self.batch.updates.clear();
        self.close_socket(why).await;
    }

    pub(super) async fn close_socket(&mut self, why: &'static str) {
        self.snapshots.reset();
        if let Some(mut socket) = self.socket.take() {
            if let Some(recorder) = &mut self.recorder {
                recorder.closed(why, Now::read());
            }
            // A venue that does not take the close frame is gone anyway.
            let _ = timeout(self.timing.close, socket.close(None)).await;
        }
    }
}

/// Why the symbols are stale when a connection ends for this reason.
pub(super) fn outage_reason(reason: DisconnectReason) -> Reason {
    match reason {
        DisconnectReason::NoData => Reason::Mute,
        DisconnectReason::Gap => Reason::Gap,
        reason if reason.is_planned() => Reason::Reconnect,
        _ => Reason::ConnectionLost,
    }
}
