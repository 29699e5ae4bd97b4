//! An HTTP/2 connection with an open stream whose windows are as large as they can be.

use bytes::Bytes;
use http::StatusCode;
use std::time::Instant;
use tickfan::h2::{Connection, Event, Limits, StreamId};

/// The preface, SETTINGS with the largest window for each stream, the same for the connection, and a GET.
const CLIENT: &[&[u8]] = &[
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff",
    b"\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0",
    b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x87\x84\x41\x09localhost",
];

/// A connection, and what it would send.
pub struct Http2 {
    connection: Connection,
    stream: StreamId,
    now: Instant,
    out: Vec<u8>,
}

impl Http2 {
    /// A connection whose stream has sent its head.
    pub fn new() -> Self {
        let now = Instant::now();
        let mut out = Vec::new();
        let limits = Limits { streams: 100, head_bytes: 16_384, body_bytes: 16_384, reader_check: true };
        let mut connection = Connection::new(limits, now, &mut out);
        let mut events = Vec::new();
        connection.receive(&CLIENT.concat(), now, &mut out, &mut events).expect("a client that is right");
        let Some(Event::Request { stream, .. }) = events.pop() else { panic!("a request") };
        assert!(connection.respond(stream, StatusCode::OK, [], false, &mut out));
        Self { connection, stream, now, out }
    }

    /// Writes a frame; returns the bytes of all blocks that it took.
    pub fn write(&mut self, blocks: &[&Bytes]) -> usize {
        self.out.clear();
        self.connection.data(self.stream, blocks, 16_384, self.now, &mut self.out)
    }
}
