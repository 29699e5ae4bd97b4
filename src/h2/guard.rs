//! The limits of what a client may make the server do without asking for anything. Each has its own reason.

use super::{ConnectionError, Reason};
use crate::tls::Overhead;
use std::time::{Duration, Instant};

/// The fields of a header block. Browsers send some 20.
pub(super) const FIELDS_MAX: usize = 100;
/// The CONTINUATION frames of a header block. The largest block fits into its HEADERS frame and one more.
pub(super) const CONTINUATIONS_MAX: u8 = 8;
/// The requests of a connection whose bodies are not complete. The owner of all connections limits them too, by
/// [`Connection::unfinished`](super::Connection::unfinished).
pub(super) const UNFINISHED_BODIES_MAX: usize = 8;
/// The bytes of heads and bodies of the requests of a connection that have no answer yet, when one more comes, and of
/// those that have not come whole. With a table, one byte can stand for a field of 4,000.
pub(super) const REQUEST_BYTES_MAX: usize = 256 * 1_024;
/// The bytes in `out` above which a client that makes us reply does not read: 16 KiB of DATA and as much of replies.
pub(super) const OUT_MAX: usize = 32 * 1_024;

/// The time in which frames are counted. The counts begin with it, so twice as many may come around the end of one.
const PERIOD: Duration = Duration::from_secs(10);
/// Resets by the client and by its mistakes, and refused streams: each made work for nothing (Rapid Reset,
/// MadeYouReset). A page that opens and closes a stream each 50 ms stays below.
const RESETS_MAX: u32 = 200;
/// A client that closes a page resets all its streams at once, and may do so twice: as many resets as a connection may
/// have streams, so often, are within the limit too.
const RESETS_PER_STREAM: u32 = 2;
/// Frames that ask for nothing. Browsers send a PING each some seconds, and a PRIORITY a request.
const CONTROL_FRAMES_MAX: u16 = 500;
/// The WINDOW_UPDATE frames that a client may send without having received any DATA.
const WINDOW_UPDATES_FREE: u16 = 1_000;
/// How many more each DATA frame allows: a client updates two windows, and may do so in small steps.
const WINDOW_UPDATES_PER_DATA: u16 = 10;
/// How many it may have saved up: what an old stream has earned is not for a flood.
const WINDOW_UPDATES_MAX: u16 = 10_000;
/// A smaller DATA frame that ends no block was made small by the client's window, and earns it nothing.
const DATA_BYTES_MIN: usize = 64;

/// The counts of a connection.
#[derive(Debug)]
pub(super) struct Guard {
    period_began: Instant,
    resets: u16,
    control_frames: u16,
    window_updates_left: u16,
    overhead: Overhead,
}

impl Guard {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            period_began: now,
            resets: 0,
            control_frames: 0,
            window_updates_left: WINDOW_UPDATES_FREE,
            overhead: Overhead::default(),
        }
    }

    /// Counts a stream that ended for nothing, of a connection that may have so many.
    pub(super) fn reset(&mut self, streams: u32, now: Instant) -> Result<(), ConnectionError> {
        self.begin_period(now);
        self.resets = self.resets.saturating_add(1);
        let most = streams.saturating_mul(RESETS_PER_STREAM).clamp(RESETS_MAX, u32::from(u16::MAX) - 1);
        if u32::from(self.resets) > most { Err(ConnectionError::calm(Reason::Resets)) } else { Ok(()) }
    }

    /// Counts a frame that asks for nothing.
    pub(super) fn control_frame(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.begin_period(now);
        self.control_frames += 1;
        if self.control_frames > CONTROL_FRAMES_MAX {
            return Err(ConnectionError::calm(Reason::ControlFrames));
        }
        Ok(())
    }

    /// Counts bytes of TLS, with so many bytes of frames in them.
    pub(super) fn sealed(&mut self, sealed: usize, plain: usize, now: Instant) -> Result<(), ConnectionError> {
        self.begin_period(now);
        if self.overhead.add(sealed, plain) { Ok(()) } else { Err(ConnectionError::calm(Reason::ControlFrames)) }
    }

    pub(super) fn window_update(&mut self) -> Result<(), ConnectionError> {
        let left = self.window_updates_left.checked_sub(1);
        self.window_updates_left = left.ok_or(ConnectionError::calm(Reason::WindowUpdates))?;
        Ok(())
    }

    /// A DATA frame was sent, with so many bytes.
    pub(super) fn data_sent(&mut self, bytes: usize, ends_block: bool) {
        if bytes >= DATA_BYTES_MIN || ends_block {
            self.window_updates_left = WINDOW_UPDATES_MAX.min(self.window_updates_left + WINDOW_UPDATES_PER_DATA);
        }
    }

    fn begin_period(&mut self, now: Instant) {
        if now.saturating_duration_since(self.period_began) >= PERIOD {
            self.period_began = now;
            self.resets = 0;
            self.control_frames = 0;
            self.overhead = Overhead::default();
        }
    }
}
