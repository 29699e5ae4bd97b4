//! What a connection says to its owner, and what it must know from it.

use super::ErrorCode;
use bytes::Bytes;
use http::request::Parts;

/// The number of a stream. Those of clients are odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) u32);

impl StreamId {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// The limits that the configuration sets. The others are constants of `guard`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Streams open at a time; one more is refused. So is a request with which those without an answer would have over
    /// 256 KiB; an unfinished body counts as the longest.
    pub streams: u32,
    /// Bytes of an encoded header block. Decoded it may have twice as many, each field counting 32 bytes more than its
    /// name and value.
    pub head_bytes: u32,
    /// Bytes of a request's body. At most eight requests at a time may have an unfinished body; one more is refused.
    pub body_bytes: u32,
    /// Whether [`Room::Held`] exists.
    pub reader_check: bool,
}

/// What happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// A whole request came. It is answered with [`super::Connection::respond`]. Like a request of HTTP/1.1, the head
    /// has a `host` field, and its URI is the path and the query; the version is HTTP/2.
    Request {
        /// Its stream.
        stream: StreamId,
        /// Its head.
        head: Box<Parts>,
        /// Its body.
        body: RequestBody,
    },
    /// A stream that was blocked or held may be written again. [`super::Connection::wake`] reports it too.
    Room {
        /// Which.
        stream: StreamId,
    },
    /// A stream of an earlier request ended without a call: the client reset it, or made a mistake. The stream does not
    /// exist any longer.
    Reset {
        /// Which.
        stream: StreamId,
        /// The code that the client sent or was sent.
        code: ErrorCode,
    },
    /// The client will open no more streams. Those that are open go on.
    GoAway {
        /// Its reason.
        code: ErrorCode,
    },
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// All of it; it may be empty.
    Whole(Bytes),
    /// It has more than [`Limits::body_bytes`], and is thrown away. The answer is 413.
    TooLong,
}

/// Whether a stream can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Both windows have room for so many bytes.
    Bytes(usize),
    /// The stream is not open, or its head was not written yet.
    Closed,
    /// The stream's reader has stopped reading: [`Event::Room`] follows its next WINDOW_UPDATE.
    Held,
    /// The stream's window lacks room, and perhaps the connection's too.
    StreamWindow,
    /// Only the connection's window lacks room.
    ConnectionWindow,
}

/// What a GOAWAY says about new streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStream {
    /// New streams are still served: a warning, 2³¹ − 1 on the wire.
    Max,
    /// Streams behind the newest seen so far are ignored, so that the client may repeat their requests elsewhere.
    Seen,
}
