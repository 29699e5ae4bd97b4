//! What the requests of a connection have become: streams, or answers on their way.

use super::client::H2Answer;
use crate::h2::{LastFound, StreamId};
use std::time::Instant;

/// The requests that are not over, in the order of their numbers.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<Row>,
    last_found: LastFound,
    streams: u32,
    answers: u32,
    held: u32,
}

struct Row {
    id: StreamId,
    state: State,
}

/// What a request has become.
pub(super) enum State {
    /// It is being answered.
    Asked,
    /// A stream of the worker.
    Stream(StreamRow),
    /// A whole answer.
    Answer(Box<Answer>),
}

/// A stream of the worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamRow {
    /// Its key.
    pub(super) key: u64,
    /// Whether it waits for room of the I/O.
    pub(super) waits: bool,
    /// Whether the reader check holds it back.
    is_held: bool,
}

/// A whole answer, as far as it is not written.
pub(super) struct Answer {
    pub(super) answer: H2Answer,
    /// Whether its head is written.
    pub(super) has_head: bool,
    /// When its client's time is over.
    pub(super) by: Instant,
    /// Since when it waits for its client. Only its end changes that.
    pub(super) unread_since: Option<Instant>,
}

impl Rows {
    fn find(&self, id: StreamId) -> Option<usize> {
        self.last_found.search(&self.rows, id, |row| row.id)
    }

    /// How many of them are streams.
    pub(super) fn streams(&self) -> usize {
        self.streams as usize
    }

    /// How many streams the reader check holds back.
    pub(super) fn held(&self) -> usize {
        self.held as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A request has come. One with a body may come behind a later one without.
    pub(super) fn asked(&mut self, id: StreamId) {
        if let Err(place) = self.rows.binary_search_by_key(&id, |row| row.id) {
            self.rows.insert(place, Row { id, state: State::Asked });
        }
    }

    /// Whether a request is being answered.
    pub(super) fn is_asked(&self, id: StreamId) -> bool {
        self.find(id).is_some_and(|place| matches!(self.rows[place].state, State::Asked))
    }

    /// A request that is being answered becomes something else; `false`: it is over.
    pub(super) fn becomes(&mut self, id: StreamId, state: State) -> bool {
        let Some(place) = self.find(id).filter(|&place| matches!(self.rows[place].state, State::Asked)) else {
            return false;
        };
        self.streams += u32::from(matches!(state, State::Stream(_)));
        self.answers += u32::from(matches!(state, State::Answer(_)));
        self.rows[place].state = state;
        true
    }

    /// A request is over.
    pub(super) fn remove(&mut self, id: StreamId) -> Option<State> {
        let place = self.find(id)?;
        let state = self.rows.remove(place).state;
        match &state {
            State::Asked => {}
            State::Stream(stream) => {
                self.streams -= 1;
                self.held -= u32::from(stream.is_held);
            }
            State::Answer(_) => self.answers -= 1,
        }
        if self.rows.is_empty() {
            self.rows = Vec::new();
        }
        Some(state)
    }

    /// A stream that is not over.
    pub(super) fn stream(&self, id: StreamId) -> Option<StreamRow> {
        match self.rows[self.find(id)?].state {
            State::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    /// Notes whether a stream waits for room of the I/O.
    pub(super) fn set_waits(&mut self, id: StreamId, waits: bool) {
        if let Some(place) = self.find(id)
            && let State::Stream(stream) = &mut self.rows[place].state
        {
            stream.waits = waits;
        }
    }

    /// Notes whether the reader check holds a stream back.
    pub(super) fn set_held(&mut self, id: StreamId, is_held: bool) {
        if let Some(place) = self.find(id)
            && let State::Stream(stream) = &mut self.rows[place].state
        {
            self.held = self.held + u32::from(is_held) - u32::from(stream.is_held);
            stream.is_held = is_held;
        }
    }

    /// The keys of the streams.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.rows.iter().filter_map(|row| match row.state {
            State::Stream(stream) => Some(stream.key),
            _ => None,
        })
    }

    /// The answers that are not written whole.
    pub(super) fn answers(&mut self) -> impl Iterator<Item = (StreamId, &mut Answer)> {
        // Each turn asks for them, and most connections have streams alone.
        let rows = if self.answers == 0 { &mut [] } else { &mut self.rows[..] };
        rows.iter_mut().filter_map(|row| match &mut row.state {
            State::Answer(answer) => Some((row.id, &mut **answer)),
            _ => None,
        })
    }

    /// Notes that all answers wait for their client.
    pub(super) fn await_readers(&mut self, now: Instant) {
        for (_, answer) in self.answers() {
            answer.unread_since.get_or_insert(now);
        }
    }

    /// The answers that have waited for their client since then.
    pub(super) fn unread_since(&mut self, then: Instant) -> Vec<StreamId> {
        let is_unread = |answer: &Answer| answer.unread_since.is_some_and(|since| since <= then);
        self.answers().filter(|(_, answer)| is_unread(answer)).map(|(id, _)| id).collect()
    }

    /// When the first answer's time is over.
    pub(super) fn answer_deadline(&self) -> Option<Instant> {
        let rows = if self.answers == 0 { &[] } else { &self.rows[..] };
        let answers = rows.iter().filter_map(|row| match &row.state {
            State::Answer(answer) => Some(answer.by),
            _ => None,
        });
        answers.min()
    }
}

impl StreamRow {
    pub(super) fn new(key: u64) -> Self {
        Self { key, waits: false, is_held: false }
    }
}
