//! The status of a feed: its state, and for operators its last messages and its counts.

use super::{
    ConnectResult, DisconnectReason, FeedState, MessageKind, RotationResult, SnapshotResult, Unheard,
    redactor::Redactor,
    state::{Board, worst},
};
use crate::{
    market::UnixMicros,
    telemetry::labels::Tally,
    venue::{DecodeError, Secret},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// How many messages, and how many bad ones, are kept: enough to recognise a protocol by.
const NOTES_MAX: usize = 8;
/// How much of a message is kept and shown, in bytes.
const NOTE_BYTES_MAX: usize = 240;

/// A handle to a feed's status, for any number of readers.
#[derive(Debug, Clone)]
pub struct FeedStatus {
    state_rx: watch::Receiver<FeedState>,
    board: Arc<Board>,
    journals: Arc<[Mutex<Journal>]>,
    redactor: Arc<Redactor>,
}

/// What one connection of a feed writes of itself.
#[derive(Debug, Clone)]
pub(super) struct StatusWriter {
    /// The place of the connection among those of its feed.
    place: usize,
    board: Arc<Board>,
    journals: Arc<[Mutex<Journal>]>,
    /// Makes bytes of the venue fit to be shown.
    pub(super) redactor: Arc<Redactor>,
}

/// What a connection keeps for operators. A std mutex: held for a copy of some hundred bytes, never across an await.
#[derive(Debug, Default)]
struct Journal {
    url: String,
    tried: String,
    since: UnixMicros,
    reason: Option<String>,
    next_attempt: Option<UnixMicros>,
    last_message: Option<UnixMicros>,
    counts: FeedCounts,
    messages: VecDeque<Kept>,
    troubles: VecDeque<Kept>,
    unheard: Unheard,
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
    /// Planned changes of connection.
    pub rotations: Tally<RotationResult>,
    /// Requests for the latest state of symbols.
    pub snapshots: Tally<SnapshotResult>,
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
    /// When that connection tries again, unless it is open.
    pub next_attempt: Option<UnixMicros>,
    /// The address, without its query; empty before the first connection.
    pub url: String,
    /// The network addresses that the last attempt tried, with what came of each.
    pub tried: String,
    /// The number of connections.
    pub connections: usize,
    /// How many of them are live, mute or quiet.
    pub connections_up: usize,
    /// When the venue's last message came, a second late at most.
    pub last_message: Option<UnixMicros>,
    /// What it counted, a second late at most.
    pub counts: FeedCounts,
    /// Some of the last messages, the newest last: the first of each batch.
    pub messages: Vec<Note>,
    /// The last messages that something was wrong with, the newest last.
    pub troubles: Vec<Note>,
    /// The symbols that have had no data for minutes though they are subscribed.
    pub unheard: Unheard,
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
    /// The status of a feed with this many connections, all still [`FeedState::Connecting`], and a writer for each.
    #[cfg(test)]
    pub(super) fn new(connections: usize, secrets: Vec<Secret>, now: UnixMicros) -> (Vec<StatusWriter>, Self) {
        Self::with_room(connections, connections, secrets, now)
    }

    /// The status of a feed with this many connections, all still [`FeedState::Connecting`], and writers for so many in
    /// all, which may come and go. The secrets are never shown.
    pub(super) fn with_room(
        connections: usize,
        room: usize,
        secrets: Vec<Secret>,
        now: UnixMicros,
    ) -> (Vec<StatusWriter>, Self) {
        let room = room.max(connections);
        let redactor = Arc::new(Redactor::new(&secrets));
        let journal = || Mutex::new(Journal { since: now, ..Journal::default() });
        let journals: Arc<[_]> = (0..room).map(|_| journal()).collect();
        let (board, state_rx) = Board::new(connections, room);
        let board = Arc::new(board);
        let writer = |place| StatusWriter {
            place,
            board: board.clone(),
            journals: journals.clone(),
            redactor: redactor.clone(),
        };
        ((0..room).map(writer).collect(), Self { state_rx, board, journals, redactor })
    }

    /// What keeps secrets out of what is shown.
    pub(super) fn redactor(&self) -> Arc<Redactor> {
        self.redactor.clone()
    }

    /// The state right now: that of the worst connection.
    pub fn state(&self) -> FeedState {
        *self.state_rx.borrow()
    }

    /// Whether the feed can serve: `Failed` only where all of its connections have failed.
    pub fn verdict(&self) -> FeedState {
        let states: Vec<FeedState> = self.board.states().iter().flatten().copied().collect();
        if states.contains(&FeedState::Connecting) {
            return FeedState::Connecting;
        }
        let up: Vec<FeedState> = states.iter().copied().filter(|state| *state != FeedState::Failed).collect();
        if up.is_empty() { worst(states) } else { worst(up) }
    }

    /// How many symbols have had no data for minutes though they are subscribed.
    pub fn unheard(&self) -> usize {
        self.journals.iter().map(|journal| lock(journal).unheard.count).sum()
    }

    /// Waits until the state is this one; at once if it is. Returns false where the feed has ended without it.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn reached(&mut self, state: FeedState) -> bool {
        self.state_rx.wait_for(|current| *current == state).await.is_ok()
    }

    /// Waits until the feed is up or has failed; returns which.
    ///
    /// # Cancel safety
    /// Nothing is lost if it is dropped.
    pub async fn decided(&mut self) -> FeedState {
        let decided = self.state_rx.wait_for(|state| *state != FeedState::Connecting).await;
        decided.map_or(FeedState::Failed, |state| *state)
    }

    /// All that operators may know: sums and the newest of all connections; since when and why of the worst one. Where
    /// several are the worst, the one that has been so for longest counts.
    pub fn report(&self) -> FeedReport {
        let states = self.board.states();
        let state = worst(states.iter().flatten().copied());
        let mut report = FeedReport {
            state,
            since: UnixMicros::default(),
            reason: None,
            next_attempt: None,
            url: String::new(),
            tried: String::new(),
            connections: states.iter().flatten().count(),
            connections_up: states.iter().flatten().filter(|state| state.is_up()).count(),
            last_message: None,
            counts: FeedCounts::default(),
            messages: Vec::new(),
            troubles: Vec::new(),
            unheard: Unheard::default(),
        };
        let mut oldest = None;
        let has_none = report.connections == 0;
        for (journal, connection) in self.journals.iter().zip(&states) {
            let journal = lock(journal);
            if has_none {
                report.since = report.since.max(journal.since);
            } else if *connection == Some(state) && oldest.is_none_or(|oldest| journal.since < oldest) {
                oldest = Some(journal.since);
                report.since = journal.since;
                report.reason.clone_from(&journal.reason);
                report.next_attempt = journal.next_attempt;
                report.tried.clone_from(&journal.tried);
            }
            if !journal.url.is_empty() {
                report.url.clone_from(&journal.url);
            }
            report.last_message = report.last_message.max(journal.last_message);
            report.unheard.merge(&journal.unheard);
            report.counts.merge(&journal.counts);
            report.messages.extend(journal.messages.iter().map(|kept| kept.show(&self.redactor)));
            report.troubles.extend(journal.troubles.iter().map(|kept| kept.show(&self.redactor)));
        }
        newest(&mut report.messages);
        newest(&mut report.troubles);
        report
    }
}

impl FeedCounts {
    fn merge(&mut self, other: &Self) {
        self.connects.merge(&other.connects);
        self.disconnects.merge(&other.disconnects);
        self.rotations.merge(&other.rotations);
        self.snapshots.merge(&other.snapshots);
        self.messages.merge(&other.messages);
        self.decode_errors.merge(&other.decode_errors);
        self.at = self.at.max(other.at);
    }
}

/// Leaves the newest, oldest first.
fn newest(notes: &mut Vec<Note>) {
    notes.sort_by_key(|note| note.at);
    notes.drain(..notes.len().saturating_sub(NOTES_MAX));
}

impl StatusWriter {
    fn journal(&self) -> &Mutex<Journal> {
        &self.journals[self.place]
    }

    fn state(&self) -> Option<FeedState> {
        self.board.states()[self.place]
    }

    /// Whether there is such a connection.
    pub(super) fn is_open(&self) -> bool {
        self.state().is_some()
    }

    /// The connection is opened, once more or for the first time.
    pub(super) fn begin(&self, now: UnixMicros) {
        if !self.is_open() {
            self.set(FeedState::Connecting, None, now);
        }
    }

    /// The connection has no symbols any more, and is closed.
    pub(super) fn end(&self, now: UnixMicros) {
        let mut journal = lock(self.journal());
        *journal = Journal {
            since: now,
            counts: std::mem::take(&mut journal.counts),
            last_message: journal.last_message,
            ..Journal::default()
        };
        drop(journal);
        self.board.set(self.place, None);
    }

    /// A websocket is open.
    pub(super) fn connected(&self, url: &str) {
        let mut journal = lock(self.journal());
        url.clone_into(&mut journal.url);
        journal.next_attempt = None;
    }

    /// The connection waits until this moment.
    pub(super) fn waits_until(&self, next_attempt: UnixMicros) {
        lock(self.journal()).next_attempt = Some(next_attempt);
    }

    /// An attempt has tried these network addresses.
    pub(super) fn tried(&self, tried: &str) {
        tried.clone_into(&mut lock(self.journal()).tried);
    }

    /// The state from now on, with its reason unless it is live. The reason is fit to be shown.
    pub(super) fn set(&self, state: FeedState, reason: Option<String>, now: UnixMicros) {
        let mut journal = lock(self.journal());
        journal.reason = reason;
        // The journal first: a reader that the state wakes finds its time.
        if self.state() != Some(state) {
            journal.since = now;
        }
        drop(journal);
        self.board.set(self.place, Some(state));
    }

    /// The feed's hours have ended, or begun: that changes only what it is while connected.
    pub(super) fn set_closed(&self, closed: bool, now: UnixMicros) {
        if self.state().is_some_and(FeedState::is_up) {
            self.set(FeedState::granted(closed), None, now);
        }
    }

    /// A message came: one per batch, so that a flood costs a copy now and then.
    pub(super) fn message(&self, bytes: &[u8], now: UnixMicros) {
        let mut journal = lock(self.journal());
        journal.last_message = Some(now);
        keep(&mut journal.messages, "", bytes, now);
    }

    /// A message came that something is wrong with.
    pub(super) fn trouble(&self, what: &'static str, bytes: &[u8], now: UnixMicros) {
        keep(&mut lock(self.journal()).troubles, what, bytes, now);
    }

    /// The symbols that have had no data since the connection subscribed.
    pub(super) fn unheard(&self, unheard: Unheard) {
        lock(self.journal()).unheard = unheard;
    }

    /// What was counted before this run of the connection.
    pub(super) fn counts(&self) -> FeedCounts {
        lock(self.journal()).counts.clone()
    }

    /// All that was counted so far.
    pub(super) fn count(&self, counts: &FeedCounts) {
        lock(self.journal()).counts.clone_from(counts);
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
    fn show(&self, redactor: &Redactor) -> Note {
        Note { at: self.at, what: self.what, text: redactor.show(&self.bytes, self.whole, NOTE_BYTES_MAX) }
    }
}

fn lock(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
