//! The actions that a session asks for: connecting, sending, leaving.

use super::Connection;
use crate::{
    feed::{
        ConnectResult, DisconnectReason, Sink,
        event::{Action, Event},
        socket::{self, Socket},
    },
    market::{FeedSymbol, Now, Reason},
};
use futures_util::SinkExt;
use std::time::Duration;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message as Frame};

impl<S: Sink> Connection<S> {
    pub(super) fn failed(&mut self, error: &Error) -> Event {
        self.reporter.explain(Some(&error.to_string()));
        self.denied = socket::denied(error);
        Event::Disconnected { reason: socket::disconnect_reason(error), retry_after: socket::retry_after(error) }
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
            Action::Live { refused } => {
                self.counters.up();
                self.live(&refused);
                None
            }
            Action::Leave { reason, retry_in } => {
                self.leave(reason, retry_in).await;
                None
            }
        }
    }

    fn connect(&mut self) {
        let dialer = self.dialer.clone();
        let url = self.venue.url().to_owned();
        self.attempt = Some(Box::pin(async move { dialer.open(&url).await }));
    }

    pub(super) fn opened(&mut self, opened: Result<Socket, Error>) -> Event {
        self.attempt = None;
        let result = if opened.is_ok() { ConnectResult::Connected } else { ConnectResult::Failed };
        self.counters.connect(result);
        match opened {
            Ok(socket) => {
                self.reporter.connected(self.venue.url());
                self.socket = Some(socket);
                Event::Connected(self.venue.open())
            }
            Err(error) => self.failed(&error),
        }
    }

    async fn send(&mut self, frame: Frame) -> Option<Event> {
        let socket = self.socket.as_mut()?;
        match timeout(self.timing.send, socket.send(frame)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(self.failed(&error)),
            Err(_) => Some(Event::Disconnected { reason: DisconnectReason::Stuck, retry_after: None }),
        }
    }

    fn live(&mut self, requests: &[u64]) {
        let refused = self.venue.refused();
        let now = Now::read();
        self.sink.refused(&refused, now);
        self.reporter.subscribed(self.closed, requests.len(), refused.len(), now);
    }

    /// Must come before every other step of leaving, or an old price would be shown as live. A failed attempt makes nothing stale, but the
    /// venue may have refused every symbol.
    fn mark_outage(&mut self, reason: DisconnectReason, now: Now) {
        let all_requests_refused = (reason == DisconnectReason::Refused).then_some(Reason::NotGranted);
        if let Some(reason) = self.denied.take().or(all_requests_refused) {
            let refused: Vec<_> = FeedSymbol::all(self.symbols).map(|symbol| (symbol, reason)).collect();
            self.sink.refused(&refused, now);
        }
        if self.socket.is_some() {
            let reason = match reason {
                DisconnectReason::NoData => Reason::Mute,
                DisconnectReason::Gap => Reason::Gap,
                DisconnectReason::Lifetime | DisconnectReason::Closing => Reason::Reconnect,
                _ => Reason::ConnectionLost,
            };
            self.sink.outage(reason, now);
        }
    }

    async fn leave(&mut self, reason: DisconnectReason, retry_in: Duration) {
        let now = Now::read();
        self.counters.disconnected(reason);
        if self.attempt.take().is_some() {
            self.counters.connect(ConnectResult::Failed); // it took too long
        }
        self.mark_outage(reason, now);
        self.reporter.left(reason, retry_in, now);
        self.publish();
        self.close().await;
    }

    pub(super) fn publish(&mut self) {
        self.reporter.count(self.counters.publish(&mut self.batch.errors, Now::read()));
    }

    /// Sends a close frame, if the venue takes one.
    pub(super) async fn close(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            // A venue that does not take the close frame is gone anyway.
            let _ = timeout(self.timing.close, socket.close(None)).await;
        }
    }
}
