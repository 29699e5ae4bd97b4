//! A connection's output: frames of all its streams gather here and leave as few records.

use super::io::H2Io;
use crate::tls::RECORD_BYTES_MAX;
use std::{cell::RefCell, io, mem, time::Instant};

/// The least and the most bytes of a record after the I/O was full: twice the last one that it took whole. What the I/O
/// holds can no longer be conflated; docs/decisions/0006-sockets.md has the same limits for one stream.
const CATCH_UP_BYTES_MIN: usize = 1024 + FRAME_HEADER_BYTES; // HTTP/2 cuts no block to a smaller frame
const CATCH_UP_BYTES_MAX: usize = 4 * 1024;
/// What comes before the payload of a frame.
const FRAME_HEADER_BYTES: usize = 9;

/// How many buffers a worker keeps, and how large one of them is at most. A turn writes some 25 connections that carry
/// ten streams each before it sends.
const SPARES_MAX: usize = 32;
const SPARE_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

thread_local! {
    /// Empty buffers of a worker's connections: a record has a tick of each stream, and to let its buffer grow by those
    /// would cost more than to seal it.
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Frames that wait to be sent, and the I/O below.
pub(super) struct Output {
    /// `None` once the connection is over.
    io: Option<Box<dyn H2Io>>,
    /// The frames. It owns no memory while it is empty.
    pub(super) frames: Vec<u8>,
    /// Since when the I/O is full.
    full_since: Option<Instant>,
    /// The most bytes of a record.
    record_bytes_max: usize,
}

impl Output {
    pub(super) fn new(io: Box<dyn H2Io>) -> Self {
        Self { io: Some(io), frames: Vec::new(), full_since: None, record_bytes_max: RECORD_BYTES_MAX }
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
        *self = Self { io: None, frames: Vec::new(), full_since: None, record_bytes_max: RECORD_BYTES_MAX };
    }

    /// Since when the I/O is full. While it is, no frame of a stream is added.
    pub(super) fn full_since(&self) -> Option<Instant> {
        self.full_since
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.full_since.is_none()
    }

    /// Gets ready for frames of streams.
    pub(super) fn gather(&mut self) {
        if self.frames.capacity() == 0 {
            self.frames = SPARES.with_borrow_mut(|spares| spares.pop().unwrap_or_default());
        }
    }

    /// How many bytes of payload the record under way has room for, in one frame more.
    pub(super) fn room(&self) -> usize {
        self.record_bytes_max.saturating_sub(self.frames.len() + FRAME_HEADER_BYTES)
    }

    /// Sends all that waits at the end of a turn, as [`Output::send`]. Records may be large again once one leaves whole
    /// that the streams did not fill: a filled one is followed by others, for which the I/O may have no room.
    ///
    /// # Errors
    /// Those of [`H2Io::send`].
    pub(super) fn settle(&mut self, now: Instant) -> io::Result<bool> {
        let is_left_unfilled =
            self.full_since.is_none() && (1..=self.record_bytes_max / 2).contains(&self.frames.len());
        let has_room = self.send(now)?;
        if is_left_unfilled && has_room {
            self.record_bytes_max = RECORD_BYTES_MAX;
        }
        Ok(has_room)
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
                self.record_bytes_max = CATCH_UP_BYTES_MIN;
            } else if self.record_bytes_max < RECORD_BYTES_MAX {
                self.record_bytes_max = (2 * record.len()).clamp(self.record_bytes_max, CATCH_UP_BYTES_MAX);
            }
        }
        if sent == self.frames.len() {
            keep(mem::take(&mut self.frames));
        } else {
            self.frames.drain(..sent);
        }
        Ok(self.full_since.is_none())
    }
}

/// Keeps a buffer for the next connection that has something to send, where there is reason to.
fn keep(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > SPARE_BYTES_MAX {
        return;
    }
    SPARES.with_borrow_mut(|spares| {
        if spares.len() < SPARES_MAX {
            buffer.clear();
            spares.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::{tcp::Received, transport::TransportError};
    use std::sync::{Arc, Mutex};

    /// Takes so many records more, and notes their lengths. It may hold one that it did not take.
    #[derive(Clone, Default)]
    struct Narrow(Arc<Mutex<(usize, Vec<usize>, bool)>>);

    impl Narrow {
        fn takes(&self, records: usize) {
            self.0.lock().unwrap().0 = records;
        }

        fn last(&self) -> usize {
            self.longest_of(1)
        }

        /// Of so many that came last.
        fn longest_of(&self, count: usize) -> usize {
            *self.0.lock().unwrap().1.iter().rev().take(count).max().unwrap()
        }
    }

    impl H2Io for Narrow {
        fn attach(&mut self, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
            let (left, records, is_holding) = &mut *self.0.lock().unwrap();
            records.push(bytes.len());
            *is_holding = *left == 0;
            *left = left.saturating_sub(1);
            Ok(!*is_holding)
        }

        fn flush(&mut self) -> io::Result<bool> {
            let (left, _, is_holding) = &mut *self.0.lock().unwrap();
            *is_holding &= *left == 0;
            Ok(!*is_holding)
        }

        fn receive(&mut self, _: &mut Vec<u8>) -> Result<Received, TransportError> {
            Ok(Received::Nothing)
        }

        fn finish(&mut self) -> io::Result<bool> {
            Ok(true)
        }

        fn abort(&mut self) {}
    }

    /// Writes frames as a stream that has much to say: as long as there is room, sending each record that is full.
    fn write_all(output: &mut Output, mut bytes: usize, now: Instant) {
        while bytes > 0 {
            let frame = bytes.min(300);
            if output.room() < frame && !output.send(now).unwrap() {
                return;
            }
            output.frames.extend(vec![7; frame]);
            bytes -= frame;
        }
    }

    #[test]
    fn rule_10_few_buffers_are_kept_and_no_large_ones() {
        for bytes in (0..2 * SPARES_MAX).map(|_| 100).chain([SPARE_BYTES_MAX + 1]) {
            keep(vec![7; bytes]);
        }
        SPARES.with_borrow(|spares| {
            assert_eq!(spares.len(), SPARES_MAX);
            assert!(spares.iter().all(|spare| spare.is_empty() && spare.capacity() <= SPARE_BYTES_MAX));
        });
    }

    #[test]
    fn a_connection_without_frames_owns_no_buffer() {
        let narrow = Narrow::default();
        narrow.takes(9);
        let mut output = Output::new(Box::new(narrow));
        output.gather();
        write_all(&mut output, 900, Instant::now());
        assert!(output.settle(Instant::now()).unwrap());
        assert_eq!(output.frames.capacity(), 0);
    }

    #[test]
    fn after_the_io_was_full_a_record_is_small_until_the_streams_leave_one_unfilled() {
        let narrow = Narrow::default();
        let mut output = Output::new(Box::new(narrow.clone()));
        let now = Instant::now();
        write_all(&mut output, 12_000, now);
        assert!(!output.settle(now).unwrap());
        assert_eq!(narrow.last(), 12_000, "it was not full before");
        for _ in 0..3 {
            narrow.takes(1);
            assert!(output.settle(now).unwrap());
            write_all(&mut output, 12_000, now);
            assert!(!output.settle(now).unwrap(), "it takes one record");
            assert!(narrow.last() <= 2 * CATCH_UP_BYTES_MIN);
            output.frames.clear();
        }
        narrow.takes(99);
        assert!(output.settle(now).unwrap());
        write_all(&mut output, 12_000, now);
        output.send(now).unwrap();
        assert!(narrow.longest_of(3) <= CATCH_UP_BYTES_MAX, "it was not idle");
        narrow.takes(9);
        assert!(output.settle(now).unwrap());
        write_all(&mut output, 300, now);
        assert!(output.settle(now).unwrap());
        write_all(&mut output, 12_000, now);
        assert!(output.settle(now).unwrap());
        assert_eq!(narrow.last(), 12_000, "the streams had no more to say before");
    }
}
