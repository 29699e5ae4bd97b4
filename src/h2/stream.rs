//! The streams of a connection.

use super::{
    flow::{Flow, INITIAL_WINDOW},
    guard::UNFINISHED_BODIES_MAX,
    head::Head,
    last_found::LastFound,
};
use std::time::Instant;

/// An open stream. Its memory is budgeted: below 150 bytes.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    /// Its request, as long as the body is incomplete, and its receiver does not know of it.
    unfinished: Option<Box<Unfinished>>,
    /// The bytes of its request, until the answer.
    pub(super) request_bytes: u32,
    /// The client has ended it. Otherwise the rest of a body still comes.
    pub(super) has_ended: bool,
    /// The head of the answer was written.
    pub(super) is_answered: bool,
    pub(super) flow: Flow,
    /// What the client may still send.
    pub(super) receive_window: u32,
}

/// A request without the end of its body.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
    pub(super) began: Instant,
}

impl Stream {
    pub(super) fn new(id: u32, has_ended: bool, window: u32, now: Instant) -> Self {
        Self {
            id,
            unfinished: None,
            request_bytes: 0,
            has_ended,
            is_answered: false,
            flow: Flow::new(window, now),
            receive_window: INITIAL_WINDOW,
        }
    }

    /// The same stream, whose body is still to come.
    pub(super) fn with_unfinished(self, unfinished: Unfinished) -> Self {
        Self { unfinished: Some(Box::new(unfinished)), ..self }
    }

    pub(super) fn unfinished(&mut self) -> Option<&mut Unfinished> {
        self.unfinished.as_deref_mut()
    }

    /// Whether the receiver of the connection's events has its request.
    pub(super) fn is_known(&self) -> bool {
        self.unfinished.is_none()
    }
}

/// The open streams, in the order of their ids, which is the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    last_found: LastFound,
    /// Those whose body is incomplete, and since when: each turn of a connection asks for the oldest.
    unfinished: Vec<(u32, Instant)>,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Stream> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Stream> {
        self.list.iter_mut()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Stream> {
        self.place(id).map(|place| &self.list[place])
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.place(id).map(|place| &mut self.list[place])
    }

    /// Adds the newest. Most connections have one stream, so room is not made for four at once.
    pub(super) fn push(&mut self, stream: Stream) {
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(self.list.len().max(1));
        }
        if let Some(unfinished) = &stream.unfinished {
            self.unfinished.push((stream.id, unfinished.began));
        }
        self.list.push(stream);
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let place = self.place(id)?;
        let stream = self.list.remove(place);
        if self.list.len() * 4 <= self.list.capacity() {
            self.list.shrink_to(self.list.len() * 2);
        }
        if !stream.is_known() {
            self.forget_unfinished(id);
        }
        Some(stream)
    }

    /// The receiver of the connection's events is about to get a stream's request, unless it has it.
    pub(super) fn take_unfinished(&mut self, id: u32) -> Option<Unfinished> {
        let unfinished = self.get_mut(id)?.unfinished.take()?;
        self.forget_unfinished(id);
        Some(*unfinished)
    }

    fn forget_unfinished(&mut self, id: u32) {
        self.unfinished.retain(|(other, _)| *other != id);
        if self.unfinished.is_empty() {
            self.unfinished = Vec::new(); // most connections never have a body again
        }
    }

    /// Whether one more request may have an unfinished body.
    pub(super) fn may_gather(&self) -> bool {
        self.unfinished.len() < UNFINISHED_BODIES_MAX
    }

    /// The streams whose body is incomplete, and since when, the oldest first.
    pub(super) fn unfinished(&self) -> &[(u32, Instant)] {
        &self.unfinished
    }

    /// The stream that waits longest for the rest of its body, and since when.
    pub(super) fn oldest_unfinished(&self) -> Option<(u32, Instant)> {
        self.unfinished.first().copied()
    }

    /// The bytes of the requests whose bodies are incomplete.
    pub(super) fn unfinished_bytes(&self) -> usize {
        let streams = self.unfinished.iter().filter_map(|(id, _)| self.get(*id));
        streams.map(|stream| stream.request_bytes as usize).sum()
    }

    /// The bytes of the requests without an answer.
    pub(super) fn request_bytes(&self) -> usize {
        self.list.iter().map(|stream| stream.request_bytes as usize).sum()
    }

    fn place(&self, id: u32) -> Option<usize> {
        self.last_found.search(&self.list, id, |stream| stream.id)
    }
}

/// How many ended streams are remembered.
const ENDED: usize = 8;
/// How many streams are remembered whose rest is still thrown away. A client that has more than this in flight, all
/// refused or answered before their end, loses the connection.
const DISCARDED_MAX: usize = 256;

/// The streams that are not open any longer, as far as frames for them may still come.
#[derive(Debug, Default)]
pub(super) struct Closed {
    /// Streams that were reset while the client had not ended them: what it sent meanwhile is thrown away.
    discarded: Vec<u32>,
    /// The newest that the client itself ended, so that a frame behind the end can be told from a stream that was never
    /// begun.
    ended: [u32; ENDED],
    next: usize,
}

impl Closed {
    /// The stream is over on our side.
    pub(super) fn add(&mut self, id: u32, has_ended: bool) {
        if has_ended { self.end(id) } else { self.discard(id) }
    }

    fn discard(&mut self, id: u32) {
        if self.discarded.len() == DISCARDED_MAX {
            self.discarded.remove(0);
        }
        self.discarded.push(id);
    }

    /// The client has ended the stream.
    pub(super) fn end(&mut self, id: u32) {
        self.discarded.retain(|other| *other != id);
        self.ended[self.next] = id;
        self.next = (self.next + 1) % ENDED;
    }

    pub(super) fn is_discarded(&self, id: u32) -> bool {
        self.discarded.contains(&id)
    }

    pub(super) fn has_ended(&self, id: u32) -> bool {
        self.ended.contains(&id)
    }
}

#[cfg(test)]
impl Streams {
    pub(super) fn capacity(&self) -> usize {
        self.list.capacity()
    }
}
