//! What others may know of a feed at any moment: its state, and for operators what it last heard and counted.

use super::{ConnectResult, DisconnectReason, MessageKind, redactor::Excerpts};
use crate::{config::Credentials, market::UnixMicros, telemetry::labels::Tally, venue::DecodeError};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// How many messages, and how many troubles, are kept: enough to see what a venue speaks like.
const NOTES_MAX: usize = 8;
/// How much of a message is kept and shown, in bytes.
const NOTE_BYTES_MAX: usize = 240;

/// How a feed is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedState {
    /// The first attempt is still under way: there is no verdict yet.
    Connecting,
    /// Connected, and the venue has granted what was asked for. A planned change of connection leaves it so.
    Live,
    /// The same outside the feed's hours, when nothing is expected to come.
    Quiet,
    /// The last attempt or connection failed; the next one will come.
    Failed,
}

impl FeedState {
    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Quiet => "quiet",
            Self::Failed => "failed",
        }
    }

    /// Of a feed that the venue has granted what it asked for.
    pub(super) fn granted(closed: bool) -> Self {
        if closed { Self::Quiet } else { Self::Live }
    }
}

/// A handle to a feed's state, for any number of readers.
#[derive(Debug, Clone)]
pub struct FeedStatus {
    state_rx: watch::Receiver<FeedState>,
    journal: Arc<Mutex<Journal>>,
    excerpts: Arc<Excerpts>,
}

/// What a feed's task writes of itself.
#[derive(Debug)]
pub(super) struct StatusWriter {
    state_tx: watch::Sender<FeedState>,
    journal: Arc<Mutex<Journal>>,
    /// How what comes from the venue may be shown.
    pub(super) excerpts: Arc<Excerpts>,
}

/// What is kept for operators. A std mutex: held for a copy of some hundred bytes, never across an await.
#[derive(Debug, Default)]
struct Journal {
    url: String,
    since: UnixMicros,
    reason: Option<String>,
    last_message: Option<UnixMicros>,
    counts: FeedCounts,
    messages: VecDeque<Kept>,
    troubles: VecDeque<Kept>,
}

/// Bytes from outside, not yet fit to be shown.
#[derive(Debug)]
struct Kept {
    at: UnixMicros,
    what: &'static str,
    bytes: Vec<u8>,
    whole: usize,
}

/// All that a feed has counted since the start.
#[derive(Debug, Clone, Default)]
pub struct FeedCounts {
    /// Attempts to connect.
    pub connects: Tally<ConnectResult>,
    /// Connections and attempts that ended.
    pub disconnects: Tally<DisconnectReason>,
    /// Updates and messages.
    pub messages: Tally<MessageKind>,
    /// What could not be read.
    pub decode_errors: Tally<DecodeError>,
    /// Up to when all this was counted.
    pub at: UnixMicros,
}

/// A feed as operators see it.
#[derive(Debug)]
pub struct FeedReport {
    /// How it is doing.
    pub state: FeedState,
    /// Since when.
    pub since: UnixMicros,
    /// Why the last connection or attempt ended, unless it is live.
    pub reason: Option<String>,
    /// Where it connects to, without query; empty before the first connection.
    pub url: String,
    /// When the venue's last message came, a second late at most.
    pub last_message: Option<UnixMicros>,
    /// What it counted, a second late at most.
    pub counts: FeedCounts,
    /// Some of the last messages, the newest last: the first of each batch.
    pub messages: Vec<Note>,
    /// The last messages that something was wrong with, the newest last.
    pub troubles: Vec<Note>,
}

/// A message as it may be shown: escaped, cut, without secrets.
#[derive(Debug, PartialEq, Eq)]
pub struct Note {
    /// When it came.
    pub at: UnixMicros,
    /// What was wrong with it; empty where nothing was.
    pub what: &'static str,
    /// Its beginning.
    pub text: String,
}

impl FeedStatus {
    /// A status that is still [`FeedState::Connecting`], and what sets it. What the venue knows us by is never shown.
    pub(super) fn new(credentials: Option<&Credentials>, now: UnixMicros) -> (StatusWriter, Self) {
        let excerpts = Arc::new(Excerpts::new(credentials));
        let journal = Arc::new(Mutex::new(Journal { since: now, ..Journal::default() }));
        let (state_tx, state_rx) = watch::channel(FeedState::Connecting);
        let writer = StatusWriter { state_tx, journal: journal.clone(), excerpts: excerpts.clone() };
        (writer, Self { state_rx, journal, excerpts })
    }

    /// The state right now.
    pub fn state(&self) -> FeedState {
        *self.state_rx.borrow()
    }

    /// Waits until the state is this one; at once if it is. Returns false where the feed has ended without it.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn reached(&mut self, state: FeedState) -> bool {
        self.state_rx.wait_for(|current| *current == state).await.is_ok()
    }

    /// All that operators may know.
    pub fn report(&self) -> FeedReport {
        let journal = lock(&self.journal);
        let notes = |kept: &VecDeque<Kept>| kept.iter().map(|kept| kept.show(&self.excerpts)).collect();
        FeedReport {
            state: self.state(),
            since: journal.since,
            reason: journal.reason.clone(),
            url: journal.url.clone(),
            last_message: journal.last_message,
            counts: journal.counts.clone(),
            messages: notes(&journal.messages),
            troubles: notes(&journal.troubles),
        }
    }
}

impl StatusWriter {
    /// A websocket is open.
    pub(super) fn connected(&self, url: &str) {
        url.clone_into(&mut lock(&self.journal).url);
    }

    /// The state from now on, with its reason unless it is live. The reason is fit to be shown.
    pub(super) fn set(&self, state: FeedState, reason: Option<String>, now: UnixMicros) {
        let mut journal = lock(&self.journal);
        journal.reason = reason;
        // In the journal first: who is woken by the state finds its time.
        if *self.state_tx.borrow() != state {
            journal.since = now;
        }
        drop(journal);
        self.state_tx.send_replace(state);
    }

    /// The feed's hours have ended, or begun: that changes only what it is while connected.
    pub(super) fn set_closed(&self, closed: bool, now: UnixMicros) {
        let state = *self.state_tx.borrow();
        if matches!(state, FeedState::Live | FeedState::Quiet) {
            self.set(FeedState::granted(closed), None, now);
        }
    }

    /// A message came: one per batch, so that a flood costs a copy now and then.
    pub(super) fn message(&self, bytes: &[u8], now: UnixMicros) {
        let mut journal = lock(&self.journal);
        journal.last_message = Some(now);
        keep(&mut journal.messages, "", bytes, now);
    }

    /// A message came that something is wrong with.
    pub(super) fn trouble(&self, what: &'static str, bytes: &[u8], now: UnixMicros) {
        keep(&mut lock(&self.journal).troubles, what, bytes, now);
    }

    /// All that was counted so far.
    pub(super) fn count(&self, counts: &FeedCounts) {
        lock(&self.journal).counts.clone_from(counts);
    }
}

/// Takes the place of the oldest, and its buffer.
fn keep(kept: &mut VecDeque<Kept>, what: &'static str, bytes: &[u8], at: UnixMicros) {
    let oldest = if kept.len() == NOTES_MAX { kept.pop_front() } else { None };
    let mut buffer = oldest.map(|oldest| oldest.bytes).unwrap_or_default();
    buffer.clear();
    buffer.extend_from_slice(&bytes[..bytes.len().min(NOTE_BYTES_MAX)]);
    kept.push_back(Kept { at, what, bytes: buffer, whole: bytes.len() });
}

impl Kept {
    fn show(&self, excerpts: &Excerpts) -> Note {
        Note { at: self.at, what: self.what, text: excerpts.show(&self.bytes, self.whole, NOTE_BYTES_MAX) }
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn rig() -> (StatusWriter, FeedStatus) {
        let credentials = Credentials { key: Secret::new("PKTEST"), secret: Secret::new("hu\"sh") };
        FeedStatus::new(Some(&credentials), UnixMicros(1))
    }

    #[test]
    fn rule_10_the_last_messages_are_few_short_escaped_and_without_secrets() {
        let (writer, status) = rig();
        for number in 0..20 {
            writer.message(format!("{number}\n").as_bytes(), UnixMicros(number));
        }
        let texts: Vec<_> = status.report().messages.into_iter().map(|note| note.text).collect();
        assert_eq!(texts, (12..20).map(|number| format!("{number}\\n")).collect::<Vec<_>>());

        writer.message("x".repeat(1_000).as_bytes(), UnixMicros(20));
        let long = status.report().messages.pop().unwrap().text;
        assert_eq!(long, format!("{}… (1000 bytes)", "x".repeat(NOTE_BYTES_MAX)));

        for before in [0, 10, NOTE_BYTES_MAX - 3] {
            let echo = format!("{}{{\"key\":\"PKTEST\",\"secret\":\"hu\"sh\"}}", "x".repeat(before));
            writer.trouble("echo", echo.as_bytes(), UnixMicros(21));
            let note = status.report().troubles.pop().unwrap();
            assert!(!note.text.contains("PKT") && !note.text.contains("sh\""), "{note:?}");
        }
    }

    #[test]
    fn a_state_lasts_since_it_changed_and_its_reason_is_the_last() {
        let (writer, status) = rig();
        let seen = || {
            let report = status.report();
            (report.state, report.since.0, report.reason)
        };
        assert_eq!(seen(), (FeedState::Connecting, 1, None));
        writer.set(FeedState::Failed, Some("io".into()), UnixMicros(2));
        writer.set(FeedState::Failed, Some("tls".into()), UnixMicros(3));
        assert_eq!(seen(), (FeedState::Failed, 2, Some("tls".into())));
        writer.set(FeedState::Live, None, UnixMicros(4));
        assert_eq!(seen(), (FeedState::Live, 4, None));
    }
}
