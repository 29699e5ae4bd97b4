//! What the tests of a connection share: a client that writes frames, and reads what comes back as text.

use super::{
    Connection, ConnectionError, Event, Limits, RequestBody, StreamId,
    frame::{self, FrameHead, HEAD_BYTES},
    hpack::encode_field,
};
use bytes::Bytes;
use http::StatusCode;
use std::time::{Duration, Instant};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const LIMITS: Limits = Limits { streams: 100, head_bytes: 16_384, body_bytes: 16_384, reader_check: true };

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
/// Both.
pub(crate) const ENDS: u8 = 0x5;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITY: u8 = 0x20;

/// A frame of any type.
pub(crate) fn raw(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_head(payload.as_ref().len(), kind, flags, stream, &mut bytes);
    bytes.extend_from_slice(payload.as_ref());
    bytes
}

pub(crate) fn data(stream: u32, flags: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    raw(0x0, flags, stream, payload)
}

pub(crate) fn headers(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    raw(0x1, flags, stream, block)
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    raw(0x3, 0, stream, code.to_be_bytes())
}

pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_settings(values, &mut bytes);
    bytes
}

pub(crate) fn settings_ack() -> Vec<u8> {
    raw(0x4, 0x1, 0, [])
}

pub(crate) fn ping(opaque: &[u8; 8]) -> Vec<u8> {
    raw(0x6, 0, 0, opaque)
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    raw(0x8, 0, stream, increment.to_be_bytes())
}

pub(crate) fn continuation(stream: u32, flags: u8, block: impl AsRef<[u8]>) -> Vec<u8> {
    raw(0x9, flags, stream, block)
}

/// A header block of literals.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        encode_field(name, value.as_bytes(), false, &mut block);
    }
    block
}

/// The fields of a request with more at its end.
pub(crate) fn fields<'a>(method: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let mut fields = vec![(":method", method), (":scheme", "https"), (":path", "/"), (":authority", "localhost")];
    fields.extend(more);
    block(&fields)
}

pub(crate) fn get() -> Vec<u8> {
    fields("GET", &[])
}

pub(crate) fn post() -> Vec<u8> {
    fields("POST", &[])
}

/// A whole request without a body.
pub(crate) fn request(stream: u32) -> Vec<u8> {
    headers(stream, ENDS, get())
}

/// The other side of a connection.
pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) out: Vec<u8>,
    pub(super) events: Vec<Event>,
    pub(super) now: Instant,
}

impl Client {
    /// Nothing was sent, and the server's SETTINGS were read.
    pub(super) fn before_preface(limits: Limits) -> Self {
        let now = Instant::now();
        let mut out = Vec::new();
        let connection = Connection::new(limits, now, &mut out);
        Self { connection, out: Vec::new(), events: Vec::new(), now }
    }

    /// Both sides have acknowledged the other's settings.
    pub(super) fn with_limits(limits: Limits) -> Self {
        let mut client = Self::before_preface(limits);
        client.send(PREFACE).unwrap();
        client.send(settings(&[])).unwrap();
        client.send(settings_ack()).unwrap();
        client.out.clear();
        client
    }

    pub(super) fn new() -> Self {
        Self::with_limits(LIMITS)
    }

    /// A client with windows for the stream and the connection, and the answered stream 1.
    pub(super) fn streaming(stream_window: u32, connection_window: u32) -> Self {
        let mut client = Self::new();
        client.send(settings(&[(0x4, stream_window)])).unwrap();
        client.open(1);
        let missing = connection_window.checked_sub(65_535);
        if let Some(increment) = missing.filter(|increment| *increment > 0) {
            client.send(window_update(0, increment)).unwrap();
        }
        client.out.clear();
        client.events.clear();
        client
    }

    /// Sends a request, and has it answered with a head.
    pub(super) fn open(&mut self, stream: u32) {
        self.send(request(stream)).unwrap();
        assert!(self.respond(stream, false));
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), ConnectionError> {
        self.connection.receive(bytes.as_ref(), self.now, &mut self.out, &mut self.events)?;
        self.connection.wake(self.now, &mut self.events);
        Ok(())
    }

    pub(super) fn respond(&mut self, stream: u32, end: bool) -> bool {
        self.connection.respond(StreamId(stream), StatusCode::OK, [], end, &mut self.out)
    }

    pub(super) fn refuse(&mut self, stream: u32) -> Result<(), ConnectionError> {
        self.connection.refuse(StreamId(stream), self.now, &mut self.out)
    }

    /// Offers one block, without a limit of its own.
    pub(super) fn write(&mut self, stream: u32, bytes: usize) -> usize {
        let block = Bytes::from(vec![b'x'; bytes]);
        self.connection.data(StreamId(stream), &[&block], usize::MAX, self.now, &mut self.out)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// The frames that the server sent since the last call.
    pub(super) fn replies(&mut self) -> String {
        spell(&std::mem::take(&mut self.out)).join(", ")
    }

    /// The events since the last call.
    pub(super) fn happened(&mut self) -> String {
        let events: Vec<String> = self.events.drain(..).map(|event| tell(&event)).collect();
        events.join(", ")
    }
}

/// Frames as text.
pub(crate) fn spell(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some(head) = FrameHead::read(bytes) {
        let payload = &bytes[HEAD_BYTES..HEAD_BYTES + head.length];
        let number = |place: usize| u32::from_be_bytes(payload[place..place + 4].try_into().unwrap());
        let code = |place: usize| super::ErrorCode(number(place));
        let (kind, flags, stream) = (bytes[3], bytes[4], head.stream);
        bytes = &bytes[HEAD_BYTES + head.length..];
        let end = if flags & END_STREAM != 0 { " end" } else { "" };
        frames.push(match kind {
            0x0 => format!("DATA {stream} {}{end}", head.length),
            0x1 if payload == b"\x08\x03100" => format!("CONTINUE {stream}"),
            0x1 if flags & END_HEADERS == 0 => format!("HEADERS {stream} begin{end}"),
            0x1 => format!("HEADERS {stream}{end}"),
            0x3 => format!("RST {stream} {}", code(0)),
            0x4 if flags == 1 => "ACK".to_owned(),
            0x6 if flags == 1 => format!("PONG {}", String::from_utf8_lossy(payload)),
            0x7 => format!("GOAWAY {} {}", number(0), code(4)),
            0x8 => format!("WINDOW {stream} {}", number(0)),
            0x9 => format!("CONTINUATION {stream} flags {flags}"),
            _ => format!("frame {kind} flags {flags} stream {stream}: {payload:?}"),
        });
    }
    assert!(bytes.is_empty(), "the last frame is cut");
    frames
}

pub(super) fn tell(event: &Event) -> String {
    match event {
        Event::Request { stream, head, body } => {
            let body = match body {
                RequestBody::Whole(body) if body.is_empty() => String::new(),
                RequestBody::Whole(body) => format!(" with {}", body.len()),
                RequestBody::TooLong => " too long".to_owned(),
            };
            format!("{} {}{body}", head.method, stream.0)
        }
        Event::Room { stream } => format!("room {}", stream.0),
        Event::Reset { stream, code } => format!("reset {} {code}", stream.0),
        Event::GoAway { code } => format!("going away {code}"),
    }
}
