//! Reports the events of a connection to operators: a log line each, and the status on the admin listener.

use super::{
    DisconnectReason, FeedState, SnapshotResult, Unheard,
    dial::without_query,
    status::{FeedCounts, StatusWriter},
};
use crate::{
    market::{Now, Part, Parts, Symbol},
    telemetry::LogLimit,
};
use std::time::Duration;
use tracing::{error, info, warn};

/// Bad messages may arrive at the rate of good ones; a log line for each could fill the disk.
const MESSAGE_LOG_EVERY: Duration = Duration::from_secs(10);
/// Symbols stay unheard for long, and the alert repeats it.
const UNHEARD_LOG_EVERY: Duration = Duration::from_secs(3_600);
/// A wrong clock goes on until somebody sets it.
const CLOCK_LOG_EVERY: Duration = Duration::from_secs(60);
/// How much of a message a line shows, in characters: enough to recognise it by.
const MESSAGE_CHARACTERS_MAX: usize = 160;

/// How much of an explanation of our own a line shows: it may quote an address or a certificate.
const WHY_CHARACTERS_MAX: usize = 400;

/// The log lines and the status of a connection. Bytes of the venue are redacted: in a line at once, in the status
/// when it is read.
pub(super) struct Reporter {
    name: String,
    status: StatusWriter,
    /// Whether no data have come since the connection, or one before it, was mute.
    is_mute: bool,
    messages: LogLimit,
    clock: LogLimit,
    unheard: LogLimit,
    /// Whether the last request for snapshots failed.
    lacks_snapshots: bool,
    /// Details of the failure that is about to be logged.
    detail: Option<String>,
    /// The addresses of the attempt that is about to be logged, with what came of each.
    tried: Option<String>,
}

impl Reporter {
    pub(super) fn new(name: String, status: StatusWriter) -> Self {
        Self {
            name,
            status,
            is_mute: false,
            messages: LogLimit::new(MESSAGE_LOG_EVERY),
            clock: LogLimit::new(CLOCK_LOG_EVERY),
            unheard: LogLimit::new(UNHEARD_LOG_EVERY),
            lacks_snapshots: false,
            detail: None,
            tried: None,
        }
    }

    pub(super) fn connected(&mut self, url: &str, tried: &str) {
        let url = without_query(url);
        info!(feed = self.name, url, tried, "connected");
        self.status.connected(url);
        self.status.tried(tried);
        self.detail = None;
        self.tried = None;
    }

    pub(super) fn subscribed(&mut self, closed: bool, refused_requests: usize, refused_symbols: usize, now: Now) {
        if self.is_mute && !closed {
            self.is_stale(now);
        } else {
            self.status.set(FeedState::granted(closed), None, now.unix);
        }
        if refused_requests + refused_symbols == 0 {
            info!(feed = self.name, "subscribed");
        } else {
            warn!(
                feed = self.name,
                refused_requests, refused_symbols, "subscribed, but some symbols or requests were refused"
            );
        }
    }

    pub(super) fn hours(&mut self, closed: bool, now: Now) {
        info!(feed = self.name, closed, "the feed's trading hours");
        // Outside of them no data are expected.
        self.is_mute &= !closed;
        self.status.set_closed(closed, now.unix);
    }

    pub(super) fn mute(&mut self, now: Now) {
        warn!(feed = self.name, "mute: the connection lives, but no data come; its symbols are stale");
        self.is_mute = true;
        self.is_stale(now);
    }

    fn is_stale(&self, now: Now) {
        self.status.set(FeedState::Mute, Some("no data come".to_owned()), now.unix);
    }

    /// Data came.
    pub(super) fn data(&mut self, closed: bool, now: Now) {
        if std::mem::take(&mut self.is_mute) {
            self.status.set(FeedState::granted(closed), None, now.unix);
        }
    }

    pub(super) fn ended(&self) {
        info!(feed = self.name, "the recording has ended; its symbols are stale");
    }

    pub(super) fn part_mute(&self, parts: Parts) {
        let parts = parts.iter().map(Part::name).collect::<Vec<_>>().join(",");
        warn!(feed = self.name, parts, "mute: these data have stopped while others flow; they are stale");
    }

    /// What came of a request for the latest state of symbols. Of failures in a row the first is told.
    pub(super) fn snapshot(&mut self, result: SnapshotResult, why: &str) {
        let has_failed = result != SnapshotResult::Read;
        if has_failed && !self.lacks_snapshots {
            let why = self.status.redactor.show(why.as_bytes(), why.len(), WHY_CHARACTERS_MAX);
            warn!(feed = self.name, %result, why, "no snapshot of the latest state: symbols wait for the stream");
        }
        self.lacks_snapshots = has_failed;
    }

    /// The symbols without data since the connection subscribed, and none where it is too early to say.
    pub(super) fn unheard(&mut self, unheard: Unheard, now: Now) {
        if unheard.count > 0
            && let Some(held_back) = self.unheard.admit(now.instant)
        {
            let symbols = unheard.examples.iter().map(Symbol::as_str).collect::<Vec<_>>().join(",");
            warn!(feed = self.name, count = unheard.count, symbols, held_back, "not heard since subscribe");
        }
        self.status.unheard(unheard);
    }

    /// Keeps the last message.
    pub(super) fn message(&mut self, bytes: &[u8], now: Now) {
        self.status.message(bytes, now.unix);
    }

    /// Publishes the counts since the start.
    pub(super) fn count(&mut self, counts: &FeedCounts) {
        self.status.count(counts);
    }

    /// Keeps a bad message for operators, and logs it at a limited rate.
    pub(super) fn trouble(&mut self, what: &'static str, frame: &[u8], now: Now) {
        self.status.trouble(what, frame, now.unix);
        if let Some(held_back) = self.messages.admit(now.instant) {
            let frame = self.redact(frame);
            warn!(feed = self.name, what, frame, held_back, "bad message");
        }
    }

    /// Times of the venue were dropped; the last one differs so much from our clock.
    pub(super) fn implausible_times(&mut self, dropped: u64, micros: i64, now: Now) {
        if let Some(held_back) = self.clock.admit(now.instant) {
            let venue_ahead_seconds = micros.saturating_neg() / 1_000_000;
            warn!(
                feed = self.name,
                dropped,
                venue_ahead_seconds,
                held_back,
                "dropped the venue's times: check this host's clock, and the unit of the venue's"
            );
        }
    }

    /// The venue's times are so far behind our clock.
    pub(super) fn old_times(&mut self, micros: i64, now: Now) {
        if let Some(held_back) = self.clock.admit(now.instant) {
            let venue_behind_seconds = micros / 1_000_000;
            warn!(
                feed = self.name,
                venue_behind_seconds,
                held_back,
                "the venue's times are old: check this host's clock, and the line to the venue"
            );
        }
    }

    /// The venue ends the connection with this message.
    pub(super) fn failure(&mut self, frame: &[u8], now: Now) {
        self.status.trouble("the venue reported a failure", frame, now.unix);
        self.detail = Some(self.redact(frame));
    }

    /// Why the connection is about to end, if that is known.
    pub(super) fn explain(&mut self, why: Option<&str>) {
        self.detail = why.map(|why| self.status.redactor.show(why.as_bytes(), why.len(), WHY_CHARACTERS_MAX));
    }

    /// The addresses that the attempt tried, before it is logged.
    pub(super) fn tried(&mut self, tried: String) {
        self.status.tried(&tried);
        self.tried = Some(tried).filter(|tried| !tried.is_empty());
    }

    pub(super) fn left(&mut self, reason: DisconnectReason, retry_in: Duration, now: Now) {
        self.status.waits_until(now.after(retry_in).unix);
        let mut detail = self.detail.take().unwrap_or_default();
        if reason == DisconnectReason::Oversize {
            detail.push_str("; raise `venue_message_bytes` in [limits]");
        }
        let tried = self.tried.take();
        if reason.is_planned() {
            info!(feed = self.name, %reason, ?retry_in, "replacing the connection");
            return;
        }
        let why = format!("{reason} {detail}").trim_end().to_owned();
        self.status.set(FeedState::Failed, Some(why), now.unix);
        match reason {
            DisconnectReason::Denied => {
                error!(feed = self.name, detail, ?retry_in, "access denied: check the key and the account");
            }
            DisconnectReason::ConnectionLimit => warn!(
                feed = self.name,
                %reason,
                detail,
                ?retry_in,
                "the account has no connection left: look for another program with the same key"
            ),
            _ => warn!(feed = self.name, %reason, detail, tried, ?retry_in, "not connected"),
        }
    }

    /// The connection serves on until the next one has taken over.
    pub(super) fn rotates(&mut self, reason: DisconnectReason, retry_in: Duration) {
        info!(feed = self.name, %reason, ?retry_in, "replacing the connection, which serves on until then");
    }

    /// The connection that was to succeed is lost, or the attempt at it.
    pub(super) fn lost_successor(&mut self, reason: DisconnectReason, retry_in: Duration) {
        let detail = self.detail.take().unwrap_or_default();
        let tried = self.tried.take();
        warn!(feed = self.name, %reason, detail, tried, ?retry_in, "not replaced yet: the old connection serves on");
    }

    /// The connection that was replaced is dropped: its successor has taken over, or data may be missing.
    pub(super) fn rotated(&mut self, gap: Option<DisconnectReason>, is_live: bool, now: Now) {
        let Some(reason) = gap else {
            info!(feed = self.name, "replaced the connection without a gap");
            return;
        };
        warn!(feed = self.name, %reason, is_live, "the old connection is gone before the next one has taken over");
        if !is_live {
            self.status.set(FeedState::Failed, Some(format!("{reason} before the next connection was up")), now.unix);
        }
    }

    fn redact(&self, bytes: &[u8]) -> String {
        self.status.redactor.show(bytes, bytes.len(), MESSAGE_CHARACTERS_MAX)
    }

    pub(super) fn stopped(&self) {
        info!(feed = self.name, "feed stopped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{feed::FeedStatus, market::UnixMicros};
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[test]
    fn a_feed_is_mute_from_a_silence_until_data_come_or_its_hours_end() {
        let (mut writers, status) = FeedStatus::new(1, Vec::new(), UnixMicros(0));
        let mut reporter = Reporter::new("x".to_owned(), writers.remove(0));
        let now = Now::read();
        let left = |reporter: &mut Reporter, reason| reporter.left(reason, Duration::ZERO, now);
        let is = |expected| {
            let report = status.report();
            assert_eq!(report.state, expected);
            assert_eq!(report.reason.is_some(), matches!(expected, FeedState::Mute | FeedState::Failed));
        };
        reporter.subscribed(false, 0, 0, now);
        reporter.data(false, now);
        is(FeedState::Live);
        reporter.mute(now);
        is(FeedState::Mute);
        left(&mut reporter, DisconnectReason::NoData);
        is(FeedState::Failed);
        reporter.subscribed(false, 0, 0, now);
        is(FeedState::Mute);
        left(&mut reporter, DisconnectReason::Lifetime);
        is(FeedState::Mute);
        reporter.data(false, now);
        is(FeedState::Live);
        reporter.mute(now);
        reporter.hours(true, now);
        is(FeedState::Quiet);
        reporter.subscribed(true, 0, 0, now);
        is(FeedState::Quiet);
        reporter.hours(false, now);
        is(FeedState::Live);
    }
    /// What is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_says_what_to_look_for_and_the_status_when_the_feed_tries_again() {
        let (mut writers, status) = FeedStatus::new(1, Vec::new(), UnixMicros(0));
        let mut reporter = Reporter::new("x".to_owned(), writers.remove(0));
        let now = Now::read();
        let mut line = |reason, retry_in| {
            let lines = Lines::default();
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer({
                let lines = lines.clone();
                move || lines.clone()
            });
            let log = log.finish();
            tracing::subscriber::with_default(log, || reporter.left(reason, retry_in, now));
            assert_eq!(status.report().next_attempt, Some(now.after(retry_in).unix));
            let bytes = std::mem::take(&mut *lines.0.lock().unwrap());
            String::from_utf8(bytes).unwrap()
        };
        let minute = Duration::from_secs(60);
        let crowded = line(DisconnectReason::ConnectionLimit, minute);
        assert!(crowded.contains("look for another program with the same key") && crowded.contains("60s"), "{crowded}");
        let denied = line(DisconnectReason::Denied, 4 * minute);
        assert!(denied.contains("check the key and the account") && denied.contains("240s"), "{denied}");
        let closed = line(DisconnectReason::Closed, Duration::ZERO);
        assert!(closed.contains("not connected") && closed.contains("closed"), "{closed}");
        reporter.connected("ws://127.0.0.1:9", "");
        assert_eq!(status.report().next_attempt, None);
    }
}
