//! The owner's side of a shard: what is published, what is kept, and what is answered.
//!
//! Pure. It stands behind a mutex that ingest and the shard's task share: ingest appends ticks under the lock of their
//! symbol, so whatever holds the tape takes no symbol's lock. [`ShardNode`](super::shard::ShardNode) decides who owns
//! the shard; the tape only knows how long that is valid, because ingest looks at the clock before it takes updates,
//! and the tape does again before a message leaves.
//!
//! There is one queue, the history. What is to be published is the part of it behind a cursor.

use super::{
    batch::{NewTick, OpenBatch},
    clock::{Boot, Moment},
    history::{Answer, Answers, HISTORY_AGE_MAX, History, SnapshotWriter},
    lease::{Start, Validity},
    message::{Ask, Beat, Sender, write_beat},
    token::Token,
};
use crate::{feed::FeedState, market::UnixMicros};
use bytes::Bytes;
use std::time::Duration;

/// An owner that has published nothing for so long publishes a beat.
pub const BEAT: Duration = Duration::from_millis(250);
/// An owner that publishes batches all the time publishes a beat so long after the last one: beats alone say how its
/// feed and its wall clock are.
pub const BEAT_AMONG_BATCHES: Duration = Duration::from_secs(1);

/// An owner that did not look at the tape for so long was stopped.
const STOPPED: Duration = Duration::from_millis(400);
/// After a stop it publishes nothing for so long: a message would say that the shard is as of now, while what the venue
/// sent meanwhile still waits in the socket.
pub const WAKING: Duration = Duration::from_millis(250);

/// A message that the connection had no room for is published again after this.
pub const ROOM_AGAIN: Duration = Duration::from_millis(1);
/// A connection that has had no room for so long is too slow: what waits is skipped, and followers ask for it.
pub const ROOM_MAX: Duration = Duration::from_secs(1);

/// The batches of a shard's owner.
#[derive(Debug)]
pub struct Tape {
    token: Token,
    table: u32,
    open: OpenBatch,
    history: History,
    answers: Answers,
    /// `None` while nothing may be published.
    validity: Option<Validity>,
    revision: u64,
    connected: bool,
    feed: FeedState,
    /// The first batch that was neither published nor skipped.
    next: u64,
    /// While the connection has no room: since when, and when to try again.
    no_room: Option<(Boot, Boot)>,
    /// Whether the messages that were taken last end with a beat.
    ends_with_beat: bool,
    /// When the newest message was published.
    published_at: Option<Boot>,
    /// When the newest beat was, and before the first one, the first batch.
    beat_at: Option<Boot>,
    /// When the owner last looked at the clock here.
    looked_at: Option<Moment>,
    /// Until when nothing is published after a stop.
    waking_until: Option<Boot>,
    /// The last batch of the owner before in this epoch, 0 if it began with this one.
    before: u64,
    /// Since when this one owns.
    began: Option<Boot>,
    /// Since when another node owns the shard.
    retired: Option<Boot>,
}

impl Tape {
    /// The tape of an owner with a table of `table` symbols, whose batches begin at `start`. A batch that is not full
    /// is sealed once `window` has passed since the last sealing.
    pub fn new(token: Token, table: u32, start: Start, window: Duration) -> Self {
        let last = if let Start::After(batch) = start { batch } else { 0 };
        Self {
            token,
            table,
            open: OpenBatch::new(token, table, last, window),
            history: History::new(token.epoch, last),
            answers: Answers::default(),
            validity: None,
            revision: 0,
            connected: false,
            feed: FeedState::Connecting,
            next: last + 1,
            no_room: None,
            ends_with_beat: false,
            published_at: None,
            beat_at: None,
            looked_at: None,
            waking_until: None,
            before: last,
            began: None,
            retired: None,
        }
    }

    /// The same with smaller limits of the history and of a batch, for a simulation.
    #[doc(hidden)]
    pub fn with_limits(self, history_bytes: usize, batch_ticks: u16) -> Self {
        let (open, history) = (self.open.with_ticks_max(batch_ticks), self.history.with_bytes_max(history_bytes));
        Self { open, history, ..self }
    }

    /// Writes the opening of a new epoch, before ingest has the tape. `each_symbol` calls the function that it is given
    /// with each symbol's newest tick.
    pub fn open(&mut self, each_symbol: impl FnOnce(&mut dyn FnMut(&NewTick<'_>)), now: Boot) {
        for sealed in self.open.open(each_symbol, self.revision, now) {
            self.history.push(&sealed, now);
        }
    }

    /// What the lease says by now: until when the owner may publish, and the newest revision.
    pub fn set_lease(&mut self, validity: Option<Validity>, revision: Option<u64>) {
        self.validity = validity.filter(|validity| validity.token == self.token && self.retired.is_none());
        self.revision = revision.unwrap_or(self.revision);
    }

    /// Whether the live connection is up. What becomes due while it is down is skipped: followers ask for it.
    pub fn set_connected(&mut self, connected: bool) {
        self.connected = connected;
    }

    /// How the feed is doing, for the beats.
    pub fn set_feed(&mut self, feed: FeedState) {
        self.feed = feed;
    }

    /// The token under which the shard is owned.
    pub fn token(&self) -> Token {
        self.token
    }

    /// The number of the batch that was sealed last; 0 before the first of an epoch.
    pub fn last(&self) -> u64 {
        self.open.last()
    }

    /// Who sends a message now, for answers.
    pub fn sender(&self, now: Boot) -> Sender {
        Sender { token: self.token, revision: self.revision, table: self.table, sent: now }
    }

    /// Until when the owner may publish; `None` while nothing may be published.
    pub fn validity(&self) -> Option<Validity> {
        self.validity
    }

    /// Whether the owner may read from the venue's socket and publish. Ingest asks before it takes updates.
    pub fn may_take(&self, now: Moment) -> bool {
        self.validity.is_some_and(|validity| validity.holds(now))
    }

    /// Appends a tick. A batch that is full is sealed before.
    pub fn push(&mut self, tick: &NewTick<'_>, now: Boot) {
        if self.open.is_full() {
            self.seal(now);
        }
        self.open.push(tick);
    }

    /// Seals the open batch, unless it is empty. Before an owner leaves it seals even what it may not publish any more:
    /// its clients may have seen it, and its successor asks for it.
    pub fn seal(&mut self, now: Boot) {
        if let Some(sealed) = self.open.seal(self.revision, now) {
            self.history.push(&sealed, now);
        }
    }

    /// The messages that are left of a snapshot. Before its end the open batch is sealed, so that each tick that was
    /// read is in one of the batches up to that of the end.
    pub fn end_snapshot(&mut self, writer: SnapshotWriter, now: Boot) -> Vec<Bytes> {
        self.seal(now);
        writer.finish(self.last(), &self.sender(now))
    }

    /// The messages that are to be published now, in this order: batches, and a beat if there is none, or the last one
    /// is old.
    pub fn take(&mut self, now: Moment) -> Vec<Bytes> {
        self.began.get_or_insert(now.boot);
        self.history.sweep(now.boot);
        if !self.is_current(now) {
            self.no_room = None;
            return Vec::new();
        }
        if self.open.due().is_some_and(|due| due <= now.boot) {
            self.seal(now.boot);
        }
        if self.no_room.is_some_and(|(_, again)| again > now.boot) {
            return Vec::new();
        }
        let (from, last) = (self.next.max(self.history.first()), self.last());
        self.next = last + 1;
        if !self.connected {
            self.no_room = None;
            return Vec::new();
        }
        let batches = self.history.get(self.token.epoch, from, last);
        let mut messages: Vec<Bytes> = batches.into_iter().flatten().cloned().collect();
        let is_silent = messages.is_empty();
        if !is_silent {
            self.beat_at.get_or_insert(now.boot);
        }
        // The time of one among batches wakes none: they come.
        let due = if is_silent { self.beat_due() } else { self.beat_among_batches_due() };
        // What waits for room comes first.
        self.ends_with_beat = due <= now.boot && self.no_room.is_none();
        if self.ends_with_beat {
            // Behind the batches: it names the last one, and a follower asks for those that it does not have.
            messages.push(write_beat(&self.beat(now.wall), last, &self.sender(now.boot)));
            self.beat_at = Some(now.boot);
        }
        if !messages.is_empty() {
            self.published_at = Some(now.boot);
        }
        messages
    }

    /// The connection has taken all messages of a [`Tape::take`] that returned some, but for `left` at the end, for
    /// which it has no room. Returns how many of them are skipped; [`Tape::take`] returns the others again.
    pub fn published(&mut self, left: usize, now: Boot) -> usize {
        let since = self.no_room.take().map_or(now, |(since, _)| since);
        // A beat is the last message, and not sent again: the next one says more.
        let beats = usize::from(left > 0 && self.ends_with_beat);
        let batches = left - beats;
        if batches == 0 || now.since(since) >= ROOM_MAX {
            return left;
        }
        self.next -= batches as u64;
        self.no_room = Some((since, now.after(ROOM_AGAIN)));
        beats
    }

    /// Whether the owner may say that the shard is as of now: it may publish, and was not stopped just before.
    fn is_current(&mut self, now: Moment) -> bool {
        if self.looked_at.replace(now).is_some_and(|looked_at| now.longest_since(looked_at) >= STOPPED) {
            self.waking_until = Some(now.boot.after(WAKING));
        }
        self.waking_until = self.waking_until.filter(|until| *until > now.boot);
        self.may_take(now) && self.waking_until.is_none()
    }

    /// When [`Tape::take`] has something; `None` while nothing may be published.
    pub fn due(&self) -> Option<Boot> {
        self.validity?;
        let again = self.no_room.map_or(Boot(0), |(_, again)| again);
        let unsent = (self.connected && self.next <= self.last()).then_some(again);
        let beat = self.connected.then(|| self.beat_due());
        let due = unsent.into_iter().chain(beat).chain(self.open.due()).min();
        let due = due.map(|due| due.max(again));
        due.max(self.waking_until.filter(|_| due.is_some()))
    }

    fn beat_due(&self) -> Boot {
        self.published_at.map_or(Boot(0), |at| at.after(BEAT))
    }

    fn beat_among_batches_due(&self) -> Boot {
        self.beat_at.map_or(Boot(0), |at| at.after(BEAT_AMONG_BATCHES))
    }

    fn beat(&self, wall: UnixMicros) -> Beat {
        Beat { wall, feed: self.feed }
    }

    /// Answers what a follower asks for; `None` if it is to be left without an answer. See [`Answer`] for which of them
    /// are counted until [`Tape::answered`].
    pub fn answer(&mut self, mut ask: Ask, now: Moment) -> Option<Answer> {
        if self.retired.is_some() {
            // The next owner answers, but for the batches that only this one has.
            let Ask::History { epoch, from, to } = ask else { return None };
            let to = to.min(self.last());
            if self.is_over(now.boot) || self.history.get(epoch, from, to).is_none() {
                return None;
            }
            ask = Ask::History { epoch, from, to };
        }
        if ask == Ask::Beat && !self.is_current(now) {
            return None;
        }
        let (beat, sender) = (self.beat(now.wall), self.sender(now.boot));
        match self.answers.answer(ask, &self.history, &beat, &sender) {
            Answer::Messages(messages) if self.has_owner_before(ask, now.boot) => Some(Answer::Later(messages)),
            answer => Some(answer),
        }
    }

    /// Whether the owner before answers, unless it has ended: it has a batch that this one never had.
    fn has_owner_before(&self, ask: Ask, now: Boot) -> bool {
        let is_young = self.began.is_none_or(|began| now.since(began) < HISTORY_AGE_MAX);
        is_young && matches!(ask, Ask::History { epoch, from, .. } if epoch == self.token.epoch && from <= self.before)
    }

    /// How many bytes the history holds.
    pub fn bytes(&self) -> usize {
        self.history.bytes()
    }

    /// A counted answer was sent, or given up.
    pub fn answered(&mut self) {
        self.answers.done();
    }

    /// Another node follows as the owner: the tape only answers for the batches that it has.
    pub fn retire(&mut self, now: Boot) {
        self.validity = None;
        self.retired = Some(now);
    }

    /// Whether a retired tape is of no use any more.
    pub fn is_over(&self, now: Boot) -> bool {
        self.retired.is_some_and(|retired| now.since(retired) >= HISTORY_AGE_MAX)
    }
}

#[cfg(test)]
#[path = "tape_tests.rs"]
mod tests;
