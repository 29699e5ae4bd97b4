//! What a connection remembers between two frames, and what it says about a stream.

use super::{ConnectionError, Event, Reason};
use std::time::Instant;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The preface is not complete.
    Preface,
    /// The client's first frame is awaited, which must be SETTINGS.
    Settings,
    Open,
    /// The connection has failed.
    Over,
}

/// What a stream's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It was never used.
    Idle,
    Open,
    /// It is over for us; what the client sent before it knew is thrown away.
    Discarded,
    /// It came behind the last stream that GOAWAY named.
    Unserved,
    /// The client ended it, or left it out.
    Closed,
}

/// Where replies and events go.
pub(super) struct Sink<'a> {
    pub(super) now: Instant,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) events: &'a mut Vec<Event>,
}

/// A header block whose end did not come yet.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) start: BlockStart,
    pub(super) bytes: Vec<u8>,
    pub(super) continuations: u8,
    pub(super) began: Instant,
}

/// What the HEADERS frame says of its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockStart {
    pub(super) id: u32,
    pub(super) end_stream: bool,
    /// It claims to depend on itself, which is a mistake of the stream.
    pub(super) depends_on_itself: bool,
}

impl Block {
    pub(super) fn new(start: BlockStart, now: Instant) -> Self {
        Self { start, bytes: Vec::new(), continuations: 0, began: now }
    }

    pub(super) fn add(&mut self, fragment: &[u8], bytes_max: u32) -> Result<(), ConnectionError> {
        if self.bytes.len() + fragment.len() > bytes_max as usize {
            return Err(ConnectionError::calm(Reason::HeaderBlock));
        }
        self.bytes.extend_from_slice(fragment);
        Ok(())
    }
}
