//! One connection: what its owner calls. `receive` reads what the client sends.

use super::{
    ConnectionError, ErrorCode, Event, LastStream, Limits, Reason, Room, StreamId,
    flow::{Allowance, INITIAL_WINDOW, Window, worthwhile},
    frame::{self, HEAD_BYTES, PAYLOAD_MAX},
    guard::Guard,
    head::is_connection_specific,
    hpack::{Decoder, encode_field, encode_status, encode_table_size},
    state::{Block, Progress, Sink},
    stream::{Closed, Streams},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use std::{
    mem,
    time::{Duration, Instant},
};

/// How long a client may keep a table of header fields. Most of its requests come at the start; then their streams stay
/// open, and the table would only take memory. Some clients, h2spec among them, do not expect a table of 0 from the
/// start.
const TABLE_TIME: Duration = Duration::from_secs(5);

pub(super) const HEADER_TABLE_SIZE: u16 = 0x1;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;
/// In GOAWAY: more streams may come.
const LAST_MAX: u32 = (1 << 31) - 1;

/// The server's side of one HTTP/2 connection. All that must be sent is appended to `out`, whose sent bytes the caller
/// removes from its front.
#[derive(Debug)]
pub struct Connection {
    pub(super) limits: Limits,
    pub(super) progress: Progress,
    /// The bytes of an incomplete frame, or of the preface.
    pub(super) pending: Vec<u8>,
    /// When it began.
    began: Instant,
    /// When it began to wait for the rest of `pending`, or of the preface.
    pub(super) pending_since: Instant,
    /// Our SETTINGS that the client has not acknowledged.
    pub(super) acks_due: u8,
    /// The last of them takes away the client's table.
    pub(super) has_shrunk_table: bool,
    pub(super) decoder: Decoder,
    /// The client has set a size for our table, which we do not use. The next head says so.
    pub(super) owes_table_size: bool,
    /// The header block that is incomplete.
    pub(super) block: Option<Box<Block>>,
    pub(super) streams: Streams,
    pub(super) closed: Closed,
    /// The highest stream that the client began.
    pub(super) last: u32,
    /// The last stream that is served, once GOAWAY said so.
    pub(super) last_served: Option<u32>,
    /// What we may send on all streams.
    pub(super) window: Window,
    /// The windows of several streams may have grown since [`Connection::wake`].
    pub(super) has_grown: bool,
    /// What we may send on a new stream.
    pub(super) initial_window: u32,
    /// What the client may send on all streams.
    pub(super) receive_window: u32,
    pub(super) guard: Guard,
}

impl Connection {
    /// A connection that has received nothing yet; its SETTINGS go to `out`.
    pub fn new(limits: Limits, now: Instant, out: &mut Vec<u8>) -> Self {
        let settings =
            [(MAX_CONCURRENT_STREAMS, limits.streams), (MAX_HEADER_LIST_SIZE, limits.head_bytes.saturating_mul(2))];
        frame::write_settings(&settings, out);
        Self {
            limits,
            progress: Progress::Preface,
            pending: Vec::new(),
            began: now,
            pending_since: now,
            acks_due: 1,
            has_shrunk_table: false,
            decoder: Decoder::new(),
            owes_table_size: false,
            block: None,
            streams: Streams::default(),
            closed: Closed::default(),
            last: 0,
            last_served: None,
            window: Window::new(INITIAL_WINDOW),
            has_grown: false,
            initial_window: INITIAL_WINDOW,
            receive_window: INITIAL_WINDOW,
            guard: Guard::new(now),
        }
    }

    /// Reads what the client sent, cut anywhere. Replies go to `out`, and what happened to `events`. Call it with
    /// `out` as it waits to be sent: replies are limited by its length. [`Connection::wake`] follows.
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
        let read = self.read_input(input, &mut Sink { now, out, events });
        read.map_err(|error| self.fail(error, out))
    }

    /// Counts what came of TLS, with so many bytes of frames in it; [`Connection::receive`] takes those. Records that
    /// carry nothing, and changes of keys, have a limit as frames have.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub fn sealed(
        &mut self,
        sealed: usize,
        plain: usize,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectionError> {
        self.guard.sealed(sealed, plain, now).map_err(|error| self.fail(error, out))
    }

    /// Reports the blocked streams that new settings, or a larger window of the connection, let go on. Call it once the
    /// input of a turn is read: it looks at all streams.
    pub fn wake(&mut self, now: Instant, events: &mut Vec<Event>) {
        if !mem::take(&mut self.has_grown) {
            return;
        }
        for stream in self.streams.iter_mut() {
            if stream.flow.wakes(&self.window, self.initial_window, now) {
                events.push(Event::Room { stream: StreamId(stream.id) });
            }
        }
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
        let Some(stream) = self.streams.get_mut(id.0).filter(|stream| stream.is_known() && !stream.is_answered) else {
            return false;
        };
        stream.is_answered = true;
        stream.request_bytes = 0;
        let start = out.len();
        self.begin_head(status.as_str(), out);
        for (name, value) in fields {
            if !is_connection_specific(name) {
                encode_field(name.as_str(), value.as_bytes(), value.is_sensitive(), out);
            }
        }
        frame_head_block(id.0, end, start, out);
        if end {
            self.close(id.0, out);
        }
        true
    }

    /// Begins the head of an answer. Decoders insist on the new size of a table that they have made smaller, even if no
    /// entry is in it (RFC 7541, section 4.2).
    pub(super) fn begin_head(&mut self, status: &str, out: &mut Vec<u8>) {
        if mem::take(&mut self.owes_table_size) {
            encode_table_size(0, out);
        }
        encode_status(status, out);
    }

    /// Writes one DATA frame: the first bytes of `blocks`, at most `limit` and 16,384, within both windows; returns how
    /// many. It takes none if it could take fewer than 1,024 bytes and less than the first block. Where a window or the
    /// reader check kept it from taking all, [`Event::Room`] follows; [`Connection::room`] says which.
    pub fn data(&mut self, id: StreamId, blocks: &[&Bytes], limit: usize, now: Instant, out: &mut Vec<u8>) -> usize {
        let Some(stream) = self.streams.get_mut(id.0).filter(|stream| stream.is_answered) else { return 0 };
        let lengths = blocks.iter().map(|block| block.len());
        let Some(first) = lengths.clone().find(|length| *length > 0) else { return 0 };
        let offered = lengths.sum::<usize>().min(limit).min(PAYLOAD_MAX);
        if offered < worthwhile(first, self.initial_window) {
            return 0;
        }
        let Allowance::Bytes(allowed) = stream.flow.allowance(first, &self.window, self.initial_window, now) else {
            stream.flow.block(first);
            return 0;
        };
        if !self.has_shrunk_table && now.saturating_duration_since(self.began) >= TABLE_TIME {
            self.has_shrunk_table = true;
            self.acks_due += 1;
            frame::write_settings(&[(HEADER_TABLE_SIZE, 0)], out);
        }
        let taken = offered.min(allowed);
        if taken < offered {
            stream.flow.block(offered - taken);
        } else {
            stream.flow.unblock();
        }
        stream.flow.sent(taken, self.limits.reader_check, now);
        self.window.take(taken);
        self.guard.data_sent(taken, taken >= first);
        write_data(id.0, blocks, taken, out);
        taken
    }

    /// Ends the answer behind the bytes that [`Connection::data`] took; no window is needed. The stream does not exist
    /// any longer. An answer whose head was not written is reset.
    pub fn finish(&mut self, id: StreamId, out: &mut Vec<u8>) {
        let Some(stream) = self.streams.get(id.0) else { return };
        if !stream.is_answered {
            return self.reset(id, ErrorCode::INTERNAL_ERROR, out);
        }
        frame::write_head(0, frame::DATA, frame::END_STREAM, id.0, out);
        self.close(id.0, out);
    }

    /// Ends a stream at once. The stream does not exist any longer.
    pub fn reset(&mut self, id: StreamId, code: ErrorCode, out: &mut Vec<u8>) {
        if let Some(stream) = self.streams.remove(id.0) {
            frame::write_reset(id.0, code, out);
            self.closed.add(id.0, stream.has_ended);
        }
    }

    /// Refuses a request: nothing was done for it, and the client may repeat it. It counts as a reset.
    ///
    /// # Errors
    /// As [`Connection::receive`]: the client's resets and refused requests are too many.
    pub fn refuse(&mut self, id: StreamId, now: Instant, out: &mut Vec<u8>) -> Result<(), ConnectionError> {
        self.reset_counted(id, ErrorCode::REFUSED_STREAM, now, out)
    }

    /// Ends a stream whose client let us work for nothing. It counts as a reset.
    ///
    /// # Errors
    /// As [`Connection::refuse`].
    pub fn cancel(&mut self, id: StreamId, now: Instant, out: &mut Vec<u8>) -> Result<(), ConnectionError> {
        self.reset_counted(id, ErrorCode::CANCEL, now, out)
    }

    fn reset_counted(
        &mut self,
        id: StreamId,
        code: ErrorCode,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectionError> {
        if self.streams.get(id.0).is_none() {
            return Ok(());
        }
        self.reset(id, code, out);
        self.guard.reset(self.limits.streams, now).map_err(|error| self.fail(error, out))
    }

    /// Announces the end of the connection, first with [`LastStream::Max`], later with [`LastStream::Seen`].
    pub fn go_away(&mut self, last: LastStream, code: ErrorCode, out: &mut Vec<u8>) {
        if self.is_over() {
            return;
        }
        let last = match last {
            LastStream::Max if self.last_served.is_none() => LAST_MAX,
            // A second announcement may not name a higher stream.
            LastStream::Max | LastStream::Seen => *self.last_served.get_or_insert(self.last),
        };
        frame::write_go_away(last, code, out);
    }

    /// Whether a stream can be written now.
    pub fn room(&self, id: StreamId, now: Instant) -> Room {
        let Some(stream) = self.streams.get(id.0).filter(|stream| stream.is_answered) else { return Room::Closed };
        match stream.flow.allowance(0, &self.window, self.initial_window, now) {
            Allowance::Bytes(bytes) => Room::Bytes(bytes),
            Allowance::Held => Room::Held,
            Allowance::StreamWindow => Room::StreamWindow,
            Allowance::ConnectionWindow => Room::ConnectionWindow,
        }
    }

    /// The stream that was sent most bytes without a WINDOW_UPDATE since: to reset it gives back the largest part of
    /// the connection's window.
    pub fn most_unread(&self) -> Option<StreamId> {
        let answered = self.streams.iter().filter(|stream| stream.is_answered);
        answered.max_by_key(|stream| stream.flow.unread()).map(|stream| StreamId(stream.id))
    }

    /// How many streams are open, those with an unfinished body among them.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Since when the connection waits for the rest of something that the client began: the preface with its settings,
    /// a frame, a header block, or a request's body; the oldest.
    pub fn waits_since(&self) -> Option<Instant> {
        let body = self.streams.oldest_unfinished().map(|(_, began)| began);
        [self.connection_waits_since(), body].into_iter().flatten().min()
    }

    /// How many requests have an unfinished body.
    pub fn unfinished(&self) -> usize {
        self.streams.unfinished().len()
    }

    /// Refuses the newest request with an unfinished body.
    ///
    /// # Errors
    /// As [`Connection::refuse`].
    pub fn refuse_unfinished(&mut self, now: Instant, out: &mut Vec<u8>) -> Result<(), ConnectionError> {
        let newest = self.streams.unfinished().last().map(|(id, _)| *id);
        newest.map_or(Ok(()), |id| self.refuse(StreamId(id), now, out))
    }

    /// Gives up waiting for what was begun before `before`: resets streams with an unfinished body, as if their client
    /// had done so.
    ///
    /// # Errors
    /// As [`Connection::receive`]: the preface, a frame or a header block did not come in time, or the resets are too
    /// many.
    pub fn expire(&mut self, before: Instant, now: Instant, out: &mut Vec<u8>) -> Result<(), ConnectionError> {
        if self.connection_waits_since().is_some_and(|since| since < before) {
            return Err(self.fail(ConnectionError::calm(Reason::TimedOut), out));
        }
        while let Some((id, _)) = self.streams.oldest_unfinished().filter(|(_, began)| *began < before) {
            self.cancel(StreamId(id), now, out)?;
        }
        Ok(())
    }

    fn connection_waits_since(&self) -> Option<Instant> {
        let waits = !self.pending.is_empty() || !self.has_settings();
        let pending = waits.then_some(self.pending_since).filter(|_| !self.is_over());
        let block = self.block.as_ref().map(|block| block.began);
        [pending, block].into_iter().flatten().min()
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Over)
    }

    /// The answer is complete. A client that still sends its request is told to stop (RFC 9113, section 8.1).
    fn close(&mut self, id: u32, out: &mut Vec<u8>) {
        if let Some(stream) = self.streams.remove(id) {
            if !stream.has_ended {
                frame::write_reset(id, ErrorCode::NO_ERROR, out);
            }
            self.closed.add(id, stream.has_ended);
        }
    }

    /// Ends the connection, and gives its memory back.
    fn fail(&mut self, error: ConnectionError, out: &mut Vec<u8>) -> ConnectionError {
        frame::write_go_away(self.last_served.unwrap_or(self.last), error.code, out);
        self.progress = Progress::Over;
        self.pending = Vec::new();
        self.decoder = Decoder::new();
        self.block = None;
        self.streams = Streams::default();
        self.closed = Closed::default();
        error
    }
}

/// Puts a head block, which `out` has from `start` on, into frames.
fn frame_head_block(id: u32, end: bool, start: usize, out: &mut Vec<u8>) {
    let block = out.split_off(start);
    let mut fragments = block.chunks(PAYLOAD_MAX).peekable();
    let mut kind = frame::HEADERS;
    let mut flags = if end { frame::END_STREAM } else { 0 };
    while let Some(fragment) = fragments.next() {
        if fragments.peek().is_none() {
            flags |= frame::END_HEADERS;
        }
        frame::write_head(fragment.len(), kind, flags, id, out);
        out.extend_from_slice(fragment);
        kind = frame::CONTINUATION;
        flags = 0;
    }
}

fn write_data(id: u32, blocks: &[&Bytes], bytes: usize, out: &mut Vec<u8>) {
    out.reserve(HEAD_BYTES + bytes);
    frame::write_head(bytes, frame::DATA, 0, id, out);
    let mut left = bytes;
    for block in blocks {
        let taken = &block[..block.len().min(left)];
        out.extend_from_slice(taken);
        left -= taken.len();
        if left == 0 {
            break;
        }
    }
}
