//! A client's connection: requests out, heads and data of streams in.

use super::{
    ErrorCode,
    event::{BLOCK_BYTES_MAX, ConnectionError, Event, Request},
    frame::{self, FrameHead},
    hpack,
    window::{INITIAL, Window, Windows},
};
use std::time::Instant;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `SETTINGS_HEADER_TABLE_SIZE`: 0, so that heads need no state.
const HEADER_TABLE_SIZE: u16 = 1;
/// `SETTINGS_ENABLE_PUSH`: 0.
const ENABLE_PUSH: u16 = 2;
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW_SIZE: u16 = 4;
/// The highest id of a stream: after it a client needs a new connection.
const ID_MAX: u32 = (1 << 31) - 1;

/// A client's connection.
#[derive(Debug)]
pub struct Client {
    windows: Windows,
    /// Sorted by id.
    streams: Vec<Stream>,
    last_id: u32,
    connection: Window,
    /// The bytes of a frame that is not complete: of a DATA frame, only of what comes before its data.
    partial: Vec<u8>,
    /// The DATA frame whose data are arriving.
    data: Option<Data>,
    /// The stream and the beginning of a header block that is not complete.
    block: Option<(u32, Block)>,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    window: Window,
    /// A second header block has no status: it is a trailer.
    has_head: bool,
    /// A page that is blocked takes no data: its bytes are not given back.
    is_blocked: bool,
    /// Bytes that a blocked page has not taken.
    untaken: u32,
}

#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    ends_stream: bool,
}

#[derive(Debug, Clone, Copy)]
struct Data {
    stream: u32,
    /// Octets of data that are to come.
    left: usize,
    /// Octets of padding after them.
    padding: usize,
    ends_stream: bool,
}

impl Client {
    /// Begins a connection: appends the preface, the settings and the connection's window to `out`.
    pub fn new(windows: Windows, now: Instant, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(PREFACE);
        let settings = [(HEADER_TABLE_SIZE, 0), (ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, windows.stream)];
        let mut payload = Vec::new();
        for (setting, value) in settings {
            payload.extend_from_slice(&setting.to_be_bytes());
            payload.extend_from_slice(&u32::to_be_bytes(value));
        }
        frame::write(frame::SETTINGS, 0, 0, &payload, out);
        if let Some(more) = windows.connection.checked_sub(INITIAL).filter(|more| *more > 0) {
            frame::write(frame::WINDOW_UPDATE, 0, 0, &more.to_be_bytes(), out);
        }
        Self {
            windows,
            streams: Vec::new(),
            last_id: 0,
            connection: Window::new(windows.connection, now),
            partial: Vec::new(),
            data: None,
            block: None,
        }
    }

    /// Requests a stream; returns its id, or `None` if the connection has no ids left.
    pub fn request(&mut self, request: Request<'_>, now: Instant, out: &mut Vec<u8>) -> Option<u32> {
        let id = if self.last_id == 0 { 1 } else { self.last_id + 2 };
        if id > ID_MAX {
            return None;
        }
        self.last_id = id;
        let mut block = Vec::new();
        let pseudo =
            [(":method", "GET"), (":scheme", "https"), (":authority", request.authority), (":path", request.path)];
        for (name, value) in pseudo.iter().chain(request.fields) {
            hpack::write(name, value, &mut block);
        }
        let mut parts = block.chunks(frame::PAYLOAD_MAX).peekable();
        let mut kind = frame::HEADERS;
        let mut flags = frame::END_STREAM;
        while let Some(part) = parts.next() {
            flags |= if parts.peek().is_none() { frame::END_HEADERS } else { 0 };
            frame::write(kind, flags, id, part, out);
            kind = frame::CONTINUATION;
            flags = 0;
        }
        let window = Window::new(self.windows.stream, now);
        self.streams.push(Stream { id, window, has_head: false, is_blocked: false, untaken: 0 });
        Some(id)
    }

    /// Ends a stream that is not wanted any more.
    pub fn cancel(&mut self, id: u32, now: Instant, out: &mut Vec<u8>) {
        if self.forget(id, now, out) {
            frame::write(frame::RST_STREAM, 0, id, &ErrorCode::CANCEL.0.to_be_bytes(), out);
        }
    }

    /// Blocks the page of a stream, or unblocks it: it then takes what has arrived meanwhile.
    pub fn block(&mut self, id: u32, is_blocked: bool, now: Instant, out: &mut Vec<u8>) {
        let Some(stream) = self.stream(id) else { return };
        stream.is_blocked = is_blocked;
        if !is_blocked {
            let untaken = std::mem::take(&mut stream.untaken);
            self.take(id, untaken, now, out);
        }
    }

    /// Reads bytes as they came, cut anywhere. What must be answered goes to `out`, what has happened to `events`.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection cannot go on.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        now: Instant,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), ConnectionError> {
        let mut at = 0;
        while at < bytes.len() {
            if self.data.is_some() {
                at = self.read_data(at, bytes.len(), now, out, events);
                continue;
            }
            let missing = self.frame_length()? - self.partial.len();
            let end = bytes.len().min(at + missing);
            self.partial.extend_from_slice(&bytes[at..end]);
            at = end;
            if self.partial.len() == self.frame_length()? {
                self.read_frame(now, out, events)?;
                self.partial.clear();
            }
        }
        Ok(())
    }

    /// How many octets of the current frame are collected: its head, then all of it, but none of its data.
    fn frame_length(&self) -> Result<usize, ConnectionError> {
        let Some(head) = FrameHead::read(&self.partial) else { return Ok(frame::HEAD) };
        match head {
            FrameHead { length, .. } if length > frame::PAYLOAD_MAX => Err(ConnectionError::FrameSize),
            FrameHead { kind: frame::DATA, .. } => Ok(frame::HEAD + usize::from(head.has(frame::PADDED))),
            FrameHead { length, .. } => Ok(frame::HEAD + length),
        }
    }

    fn read_frame(&mut self, now: Instant, out: &mut Vec<u8>, events: &mut Vec<Event>) -> Result<(), ConnectionError> {
        let partial = std::mem::take(&mut self.partial);
        let Some(head) = FrameHead::read(&partial) else { return Ok(()) };
        let payload = &partial[frame::HEAD..];
        let is_continuation = head.kind == frame::CONTINUATION;
        if is_continuation != self.block.is_some() {
            return Err(ConnectionError::Order);
        }
        match head.kind {
            frame::DATA => self.begin_data(head, payload.first().copied(), now, out, events)?,
            frame::HEADERS => {
                let block = unpadded(head, payload).ok_or(ConnectionError::FrameSize)?;
                self.read_block(
                    head,
                    Block { bytes: block.to_vec(), ends_stream: head.has(frame::END_STREAM) },
                    now,
                    out,
                    events,
                )?;
            }
            frame::CONTINUATION => {
                let block = self.block.take().filter(|(stream, _)| *stream == head.stream);
                let (_, mut block) = block.ok_or(ConnectionError::Order)?;
                block.bytes.extend_from_slice(payload);
                self.read_block(head, block, now, out, events)?;
            }
            frame::RST_STREAM => {
                let code = ErrorCode(number(payload)?);
                if self.forget(head.stream, now, out) {
                    events.push(Event::Reset { stream: head.stream, code });
                }
            }
            frame::SETTINGS if !head.has(frame::ACK) => frame::write(frame::SETTINGS, frame::ACK, 0, &[], out),
            frame::PING if payload.len() != 8 => return Err(ConnectionError::FrameSize),
            frame::PING if !head.has(frame::ACK) => frame::write(frame::PING, frame::ACK, 0, payload, out),
            frame::GOAWAY => {
                let (last, rest) = payload.split_at_checked(4).ok_or(ConnectionError::FrameSize)?;
                let code = ErrorCode(number(rest.get(..4).unwrap_or_default())?);
                events.push(Event::GoAway { last: number(last)? & ID_MAX, code });
            }
            frame::PUSH_PROMISE => return Err(ConnectionError::Order),
            _ => {}
        }
        self.partial = partial; // keeps its allocation
        Ok(())
    }

    fn begin_data(
        &mut self,
        head: FrameHead,
        padding: Option<u8>,
        now: Instant,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), ConnectionError> {
        if head.stream == 0 {
            return Err(ConnectionError::Order);
        }
        self.connection.arrive(head.length as u32).ok_or(ConnectionError::Window)?;
        if let Some(stream) = self.stream(head.stream) {
            stream.window.arrive(head.length as u32).ok_or(ConnectionError::Window)?;
        }
        let overhead = padding.map_or(0, |padding| usize::from(padding) + 1);
        let left = head.length.checked_sub(overhead).ok_or(ConnectionError::FrameSize)?;
        // No page takes the padding.
        self.take(head.stream, overhead as u32, now, out);
        let padding = usize::from(padding.unwrap_or(0));
        let data = Data { stream: head.stream, left, padding, ends_stream: head.has(frame::END_STREAM) };
        self.data = Some(data).filter(|_| !self.end_of_data(data, now, out, events));
        Ok(())
    }

    /// Reads data from `at` on; returns where the rest begins.
    fn read_data(&mut self, at: usize, end: usize, now: Instant, out: &mut Vec<u8>, events: &mut Vec<Event>) -> usize {
        let Some(mut data) = self.data.take() else { return at };
        let length = data.left.min(end - at);
        let mut rest = at + length;
        if length > 0 {
            data.left -= length;
            if self.stream(data.stream).is_some() {
                events.push(Event::Data { stream: data.stream, bytes: at..rest });
            }
            self.take(data.stream, length as u32, now, out);
        }
        if data.left == 0 {
            let skipped = data.padding.min(end - rest);
            data.padding -= skipped;
            rest += skipped;
        }
        self.data = Some(data).filter(|_| !self.end_of_data(data, now, out, events));
        rest
    }

    /// Whether a DATA frame is complete; then its stream may be.
    fn end_of_data(&mut self, data: Data, now: Instant, out: &mut Vec<u8>, events: &mut Vec<Event>) -> bool {
        let is_complete = data.left == 0 && data.padding == 0;
        if is_complete && data.ends_stream && self.forget(data.stream, now, out) {
            events.push(Event::End { stream: data.stream });
        }
        is_complete
    }

    fn read_block(
        &mut self,
        head: FrameHead,
        block: Block,
        now: Instant,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), ConnectionError> {
        if block.bytes.len() > BLOCK_BYTES_MAX {
            return Err(ConnectionError::LongBlock);
        }
        if !head.has(frame::END_HEADERS) {
            self.block = Some((head.stream, block));
            return Ok(());
        }
        // A stream that was cancelled may still be answered.
        let Some(stream) = self.stream(head.stream) else { return Ok(()) };
        if !stream.has_head {
            let read = hpack::read(&block.bytes).ok_or(ConnectionError::Block)?;
            // An interim head, such as 103, comes before the head.
            if read.status >= 200 {
                stream.has_head = true;
                events.push(Event::Head { stream: head.stream, head: read });
            }
        }
        if block.ends_stream && self.forget(head.stream, now, out) {
            events.push(Event::End { stream: head.stream });
        }
        Ok(())
    }

    /// A page has taken bytes of a stream, or they are of no stream: gives them back where that is due.
    fn take(&mut self, id: u32, bytes: u32, now: Instant, out: &mut Vec<u8>) {
        let updates = self.windows.updates;
        if let Some(stream) = self.stream(id) {
            if stream.is_blocked {
                stream.untaken += bytes;
                return;
            }
            if let Some(back) = stream.window.take(bytes, updates, now) {
                frame::write(frame::WINDOW_UPDATE, 0, id, &back.to_be_bytes(), out);
            }
        }
        if let Some(back) = self.connection.take(bytes, updates, now) {
            frame::write(frame::WINDOW_UPDATE, 0, 0, &back.to_be_bytes(), out);
        }
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        let found = self.streams.binary_search_by_key(&id, |stream| stream.id).ok()?;
        self.streams.get_mut(found)
    }

    /// Whether there was such a stream. What its page has not taken is given back to the connection.
    fn forget(&mut self, id: u32, now: Instant, out: &mut Vec<u8>) -> bool {
        let Ok(found) = self.streams.binary_search_by_key(&id, |stream| stream.id) else { return false };
        let stream = self.streams.remove(found);
        if stream.untaken > 0 {
            self.take(id, stream.untaken, now, out);
        }
        true
    }
}

/// The header block of a HEADERS frame, without padding and priority.
fn unpadded(head: FrameHead, mut payload: &[u8]) -> Option<&[u8]> {
    if head.has(frame::PADDED) {
        let padding = usize::from(*payload.split_off_first()?);
        payload = payload.get(..payload.len().checked_sub(padding)?)?;
    }
    if head.has(frame::PRIORITY) {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

/// The number that a payload of four octets is.
fn number(payload: &[u8]) -> Result<u32, ConnectionError> {
    payload.try_into().map(u32::from_be_bytes).map_err(|_| ConnectionError::FrameSize)
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
