//! One connection.

use super::{ConnectionError, ErrorCode, Event, LastStream, Limits, Room, StreamId};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use std::time::Instant;

/// The server's side of one HTTP/2 connection. All that must be sent is appended to `out`, whose sent bytes the caller
/// removes from its front.
#[derive(Debug)]
pub struct Connection {}

impl Connection {
    /// A connection that has received nothing yet; its SETTINGS go to `out`.
    pub fn new(limits: Limits, now: Instant, out: &mut Vec<u8>) -> Self {
        unimplemented!()
    }

    /// Reads what the client sent, cut anywhere. Replies go to `out`, and what happened to `events`. Call it with
    /// `out` as it waits to be sent: replies are limited by its length.
    ///
    /// # Errors
    /// The connection is over: `out` ends with GOAWAY. From then on the connection reads, writes and reports nothing.
    pub fn receive(
        &mut self,
        input: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), ConnectionError> {
        unimplemented!()
    }

    /// Writes the head of the answer to a request. Fields that HTTP/2 forbids, such as `connection`, are left out.
    /// `end`: the answer has no body. False: the stream is not open any longer, or was answered.
    pub fn respond<'a>(
        &mut self,
        id: StreamId,
        status: StatusCode,
        fields: impl IntoIterator<Item = (&'a HeaderName, &'a HeaderValue)>,
        end: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        unimplemented!()
    }

    /// Writes one DATA frame: the first bytes of `blocks`, at most `limit` and 16,384, within both windows; returns how
    /// many. It takes none if it could take fewer than 1,024 bytes and less than the first block. Where a window or the
    /// reader check kept it from taking all, [`Event::Room`] follows; [`Connection::room`] says which.
    pub fn data(&mut self, id: StreamId, blocks: &[&Bytes], limit: usize, now: Instant, out: &mut Vec<u8>) -> usize {
        unimplemented!()
    }

    /// Ends the answer behind the bytes that [`Connection::data`] took; no window is needed. The stream does not exist
    /// any longer.
    pub fn finish(&mut self, id: StreamId, out: &mut Vec<u8>) {
        unimplemented!()
    }

    /// Ends a stream at once. The stream does not exist any longer.
    pub fn reset(&mut self, id: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
        unimplemented!()
    }

    /// Announces the end of the connection. The second announcement may only say less than the first.
    pub fn go_away(&mut self, last: LastStream, code: ErrorCode, out: &mut Vec<u8>) {
        unimplemented!()
    }

    /// Whether a stream can be written now.
    pub fn room(&self, id: StreamId, now: Instant) -> Room {
        unimplemented!()
    }

    /// The stream that was sent most bytes without a WINDOW_UPDATE since: to reset it gives back the largest part of
    /// the connection's window.
    pub fn most_unread(&self) -> Option<StreamId> {
        unimplemented!()
    }

    /// How many streams are open, those with an unfinished body among them.
    pub fn streams(&self) -> usize {
        unimplemented!()
    }

    /// Since when the connection waits for the rest of something that the client began: the preface with its settings,
    /// a header block, or a request's body; the oldest.
    pub fn waits_since(&self) -> Option<Instant> {
        unimplemented!()
    }

    /// Gives up waiting for what was begun before `before`: resets streams with an unfinished body.
    ///
    /// # Errors
    /// As [`Connection::receive`]: the preface or a header block did not come in time.
    pub fn expire(&mut self, before: Instant, out: &mut Vec<u8>) -> Result<(), ConnectionError> {
        unimplemented!()
    }
}
