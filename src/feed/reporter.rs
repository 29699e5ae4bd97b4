//! What operators are told of a feed: a line in the log for each event of its life, and its status on the admin listener.

use super::{
    DisconnectReason,
    status::{FeedCounts, FeedState, StatusWriter},
};
use crate::{market::Now, telemetry::LogLimit};
use std::time::Duration;
use tracing::{error, info, warn};

/// Bad messages may come at the rate of good ones; a log line each would be an attack on the disk.
const MESSAGE_LOG_EVERY: Duration = Duration::from_secs(10);
/// How much of a message a line shows, in characters: enough to recognise it by.
const MESSAGE_CHARACTERS_MAX: usize = 160;

/// A feed's log lines and status. What a venue says goes into a line only as an excerpt; the status makes one when it is asked.
pub(super) struct Reporter {
    name: String,
    status: StatusWriter,
    messages: LogLimit,
    /// What is known of the failure that is about to be logged.
    detail: Option<String>,
}

impl Reporter {
    pub(super) fn new(name: String, status: StatusWriter) -> Self {
        Self { name, status, messages: LogLimit::new(MESSAGE_LOG_EVERY), detail: None }
    }

    pub(super) fn connected(&mut self, url: &str) {
        // Without its query, where some venues want a key.
        let url = url.split('?').next().unwrap_or_default();
        info!(feed = self.name, url, "connected");
        self.status.connected(url);
        self.detail = None;
    }

    pub(super) fn subscribed(&mut self, closed: bool, refused_requests: usize, refused_symbols: usize, now: Now) {
        self.status.set(FeedState::granted(closed), None, now.unix);
        if refused_requests + refused_symbols == 0 {
            info!(feed = self.name, "subscribed");
        } else {
            warn!(feed = self.name, refused_requests, refused_symbols, "subscribed, but not to all");
        }
    }

    pub(super) fn hours(&mut self, closed: bool, now: Now) {
        info!(feed = self.name, closed, "the feed's hours");
        self.status.set_closed(closed, now.unix);
    }

    /// The last message that came.
    pub(super) fn message(&mut self, bytes: &[u8], now: Now) {
        self.status.message(bytes, now.unix);
    }

    /// What the venue's messages were, since the start.
    pub(super) fn count(&mut self, counts: &FeedCounts) {
        self.status.count(counts);
    }

    /// Something is wrong with a message: it is kept for operators, and logged at a limited rate.
    pub(super) fn trouble(&mut self, what: &'static str, frame: &[u8], now: Now) {
        self.status.trouble(what, frame, now.unix);
        if let Some(held_back) = self.messages.admit(now.instant) {
            let frame = self.excerpt(frame);
            warn!(feed = self.name, what, frame, held_back, "something is wrong with a message");
        }
    }

    /// The venue says why it does not go on.
    pub(super) fn failure(&mut self, frame: &[u8], now: Now) {
        self.status.trouble("the venue reports a failure", frame, now.unix);
        self.detail = Some(self.excerpt(frame));
    }

    /// Why the connection is about to be left, if that is known.
    pub(super) fn explain(&mut self, why: Option<&str>) {
        self.detail = why.map(|why| self.excerpt(why.as_bytes()));
    }

    pub(super) fn left(&mut self, loss: DisconnectReason, retry_in: Duration, now: Now) {
        let detail = self.detail.take().unwrap_or_default();
        if matches!(loss, DisconnectReason::Lifetime | DisconnectReason::Closing) {
            info!(feed = self.name, reason = %loss, ?retry_in, "leaving the connection for a new one");
            return;
        }
        let why = format!("{loss} {detail}").trim_end().to_owned();
        self.status.set(FeedState::Failed, Some(why), now.unix);
        if loss == DisconnectReason::Denied {
            error!(
                feed = self.name,
                detail,
                ?retry_in,
                "the venue does not let us in: look at the key and the account"
            );
        } else {
            warn!(feed = self.name, reason = %loss, detail, ?retry_in, "not connected");
        }
    }

    fn excerpt(&self, bytes: &[u8]) -> String {
        self.status.excerpts.show(bytes, bytes.len(), MESSAGE_CHARACTERS_MAX)
    }

    pub(super) fn stopped(&self) {
        info!(feed = self.name, "feed stopped");
    }
}
