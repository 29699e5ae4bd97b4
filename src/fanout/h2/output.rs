//! A connection's output: frames of all its streams gather here and leave as few records.

use super::io::H2Io;
use crate::tls::RECORD_BYTES_MAX;
use std::{io, time::Instant};

/// Where the I/O was full and has not taken a smaller record whole since, no record is larger. What the I/O holds can
/// no longer be conflated; docs/decisions/0006-sockets.md has the same limit for one stream.
const THIN_BYTES_MAX: usize = 4 * 1024;
/// What comes before the payload of a frame.
const FRAME_HEADER_BYTES: usize = 9;

/// Frames that wait to be sent, and the I/O below.
pub(super) struct Output {
    /// `None` once the connection is over.
    io: Option<Box<dyn H2Io>>,
    /// The frames. It owns no memory while it is empty.
    pub(super) frames: Vec<u8>,
    /// Since when the I/O is full.
    full_since: Option<Instant>,
    /// Whether records are small.
    is_thin: bool,
}

impl Output {
    pub(super) fn new(io: Box<dyn H2Io>) -> Self {
        Self { io: Some(io), frames: Vec::new(), full_since: None, is_thin: false }
    }

    /// The I/O.
    ///
    /// # Errors
    /// The connection is over.
    pub(super) fn io(&mut self) -> io::Result<&mut Box<dyn H2Io>> {
        self.io.as_mut().ok_or(io::ErrorKind::NotConnected.into())
    }

    /// Whether the I/O must end soon.
    pub(super) fn is_worn(&self) -> bool {
        self.io.as_ref().is_some_and(|io| io.is_worn())
    }

    /// Closes the connection.
    pub(super) fn release(&mut self) {
        *self = Self { io: None, frames: Vec::new(), full_since: None, is_thin: false };
    }

    /// Since when the I/O is full. While it is, no frame of a stream is added.
    pub(super) fn full_since(&self) -> Option<Instant> {
        self.full_since
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.full_since.is_none()
    }

    /// How many bytes of payload the record under way has room for, in one frame more.
    pub(super) fn room(&self) -> usize {
        self.record_bytes_max().saturating_sub(self.frames.len() + FRAME_HEADER_BYTES)
    }

    fn record_bytes_max(&self) -> usize {
        if self.is_thin { THIN_BYTES_MAX } else { RECORD_BYTES_MAX }
    }

    /// Sends all that waits; returns whether the I/O has room.
    ///
    /// # Errors
    /// Those of [`H2Io::send`].
    pub(super) fn send(&mut self, now: Instant) -> io::Result<bool> {
        let io = self.io.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        // An alert, or the answer to a change of keys, may wait below, of which nothing here knows.
        if !io.flush()? {
            self.full_since.get_or_insert(now);
            return Ok(false);
        }
        self.full_since = None;
        let mut sent = 0;
        // Replies and heads come on top of the frames that `room` admits: there may be more than a record.
        while sent < self.frames.len() && self.full_since.is_none() {
            let record = &self.frames[sent..self.frames.len().min(sent + RECORD_BYTES_MAX)];
            sent += record.len();
            if !io.send(record)? {
                self.full_since = Some(now);
                self.is_thin = true;
            } else if record.len() < THIN_BYTES_MAX {
                self.is_thin = false;
            }
        }
        if sent == self.frames.len() {
            self.frames = Vec::new();
        } else {
            self.frames.drain(..sent);
        }
        Ok(self.full_since.is_none())
    }
}
