//! The windows that a client gives us (RFC 9113, section 5.2 and 6.9), and whether it still reads.

use std::time::{Duration, Instant};

/// The windows that both sides begin with.
pub(super) const INITIAL_WINDOW: u32 = 65_535;
/// No window may be larger.
pub(super) const WINDOW_MAX: i64 = (1 << 31) - 1;
/// Smaller DATA frames are not worth their head and a record. A shorter block is.
const WORTHWHILE_BYTES: usize = 1_024;
/// Browsers update a window at the latest so long after their last update, if their page takes data (Chromium: 5 s).
const PROBE_AFTER: Duration = Duration::from_millis(5_500);
/// How long after a probe the update may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// A stream with less than this unread costs its neighbours nothing.
const UNREAD_MAX: u32 = 64 * 1_024;
/// A stream with fewer unread bytes than so many times its last update is not held: some clients update by volume, and
/// by a small part of a large window (.NET: an eighth).
const UPDATES_UNREAD: u32 = 2;

/// A window grew beyond its limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The window of the connection.
#[derive(Debug)]
pub(super) struct Window(i64);

impl Window {
    pub(super) fn new(bytes: u32) -> Self {
        Self(i64::from(bytes))
    }

    /// The bytes that may be sent; below zero there are none.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.0).unwrap_or(0)
    }

    pub(super) fn take(&mut self, bytes: usize) {
        self.0 -= bytes as i64;
    }

    /// Adds what may be negative.
    pub(super) fn add(&mut self, bytes: i64) -> Result<(), Overflow> {
        let sum = self.0 + bytes;
        if sum > WINDOW_MAX {
            return Err(Overflow);
        }
        self.0 = sum;
        Ok(())
    }
}

/// A stream's window, and what tells whether somebody reads the stream.
///
/// The streams of a browser share the connection's window. A tab that does not read would use it up, and stop the other
/// tabs: its unread bytes must be limited long before its own window is full. A client whose updates come by time, not
/// by volume, shows that it reads by an update within 5 s; the reader check holds its stream if that does not come.
#[derive(Debug)]
pub(super) struct Flow {
    window: Window,
    /// Sent since the last update.
    unread: u32,
    /// The size of the last update.
    last_update: u32,
    /// The bytes that the next write needs, if the last one was blocked; otherwise 0.
    wanted: u16,
    /// An update of less than a quarter of the initial window was seen: this client updates by time.
    is_prompt: bool,
    /// When the last update came, or the stream began.
    updated: Instant,
    /// The first write after which an update by time must come.
    probe: Option<Instant>,
}

/// What a stream may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    Bytes(usize),
    Held,
    StreamWindow,
    ConnectionWindow,
}

impl Flow {
    pub(super) fn new(window: u32, now: Instant) -> Self {
        Self {
            window: Window::new(window),
            unread: 0,
            last_update: 0,
            wanted: 0,
            is_prompt: false,
            updated: now,
            probe: None,
        }
    }

    pub(super) fn unread(&self) -> u32 {
        self.unread
    }

    /// Notes that a write of this many bytes did not fit.
    pub(super) fn block(&mut self, wanted: usize) {
        self.wanted = wanted.clamp(1, WORTHWHILE_BYTES) as u16;
    }

    pub(super) fn unblock(&mut self) {
        self.wanted = 0;
    }

    /// What may be sent, if the next block has `wanted` bytes; 0: what the last blocked write wanted. `initial` is the
    /// window that new streams get: a client with a small one gets small frames.
    pub(super) fn allowance(&self, wanted: usize, connection: &Window, initial: u32, now: Instant) -> Allowance {
        let wanted = if wanted == 0 { usize::from(self.wanted) } else { wanted };
        let least = worthwhile(wanted, initial);
        if self.is_held(now) {
            Allowance::Held
        } else if self.window.room() < least {
            Allowance::StreamWindow
        } else if connection.room() < least {
            Allowance::ConnectionWindow
        } else {
            Allowance::Bytes(self.window.room().min(connection.room()))
        }
    }

    /// Whether a blocked write can go on; says so once.
    pub(super) fn wakes(&mut self, connection: &Window, initial: u32, now: Instant) -> bool {
        let wakes = self.wanted > 0 && matches!(self.allowance(0, connection, initial, now), Allowance::Bytes(_));
        if wakes {
            self.unblock();
        }
        wakes
    }

    fn is_held(&self, now: Instant) -> bool {
        self.is_prompt
            && self.unread > UNREAD_MAX.max(self.last_update.saturating_mul(UPDATES_UNREAD))
            && self.probe.is_some_and(|probe| now.saturating_duration_since(probe) >= PROBE_TIMEOUT)
    }

    /// Notes what was sent.
    pub(super) fn sent(&mut self, bytes: usize, reader_check: bool, now: Instant) {
        self.window.take(bytes);
        self.unread = self.unread.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if reader_check && self.probe.is_none() && now.saturating_duration_since(self.updated) >= PROBE_AFTER {
            self.probe = Some(now);
        }
    }

    /// Notes a WINDOW_UPDATE.
    pub(super) fn update(&mut self, increment: u32, initial: u32, now: Instant) -> Result<(), Overflow> {
        self.window.add(i64::from(increment))?;
        if self.is_held(now) {
            // Its owner waits, whether it has tried to write or only looked.
            self.wanted = self.wanted.max(1);
        }
        self.is_prompt |= increment < initial / 4;
        self.unread = 0;
        self.last_update = increment;
        self.updated = now;
        self.probe = None;
        Ok(())
    }

    /// The client changed the initial window, so this one changes too, also to below zero.
    pub(super) fn adjust(&mut self, difference: i64) -> Result<(), Overflow> {
        self.window.add(difference)
    }
}

/// The fewest bytes to send if the next block has `wanted`. A client whose windows are small updates them at half.
pub(super) fn worthwhile(wanted: usize, initial: u32) -> usize {
    wanted.min(WORTHWHILE_BYTES).min((initial as usize / 2).max(1)).max(1)
}
