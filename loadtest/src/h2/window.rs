//! The windows of flow control: how much a server may send, and when a client gives bytes back.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// A browser that updates by time does so when it takes data and its last update is this old, as Chromium does.
const UPDATE_AFTER: Duration = Duration::from_secs(5);
/// The window that each connection begins with, whatever the settings say.
pub(super) const INITIAL: u32 = 65_535;
/// The largest window.
pub(super) const MAX: u32 = (1 << 31) - 1;

/// The windows of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Windows {
    /// The window of each stream, in bytes.
    pub stream: u32,
    /// The window of the connection, in bytes.
    pub connection: u32,
    /// When taken bytes are given back.
    pub updates: Updates,
}

/// When a client gives taken bytes back to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Updates {
    /// When they are half of the window, or 5 s after the last time, as Chromium does.
    #[default]
    ByTime,
    /// When they are a third of the window, as Firefox does.
    ByVolume,
}

impl Default for Windows {
    /// Chromium's.
    fn default() -> Self {
        Self { stream: 6 * 1024 * 1024, connection: 15 * 1024 * 1024, updates: Updates::ByTime }
    }
}

impl Windows {
    /// Whether a client may have such windows: a connection cannot have less than it begins with.
    pub fn are_possible(&self) -> bool {
        (1..=MAX).contains(&self.stream) && (INITIAL..=MAX).contains(&self.connection)
    }
}

/// One window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    size: u32,
    /// What the server may still send.
    left: u32,
    /// Taken by the page, and not given back yet.
    taken: u32,
    updated: Instant,
}

impl Window {
    pub(super) fn new(size: u32, now: Instant) -> Self {
        Self { size, left: size, taken: 0, updated: now }
    }

    /// Counts bytes that have arrived; `None` if the server was not allowed to send them.
    pub(super) fn arrive(&mut self, bytes: u32) -> Option<()> {
        self.left = self.left.checked_sub(bytes)?;
        Some(())
    }

    /// Counts bytes that the page has taken; returns how many to give back now.
    pub(super) fn take(&mut self, bytes: u32, updates: Updates, now: Instant) -> Option<u32> {
        self.taken += bytes;
        let is_due = match updates {
            Updates::ByTime => self.taken > self.size / 2 || now.duration_since(self.updated) >= UPDATE_AFTER,
            Updates::ByVolume => self.taken > self.size / 3,
        };
        if !is_due || self.taken == 0 {
            return None;
        }
        self.updated = now;
        self.left += self.taken;
        Some(std::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back_by_volume_and_by_time() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (updates, taken) in [
            (Updates::ByVolume, [(200, 60, None), (200, 60, Some(400)), (10, 999, None)]),
            (Updates::ByTime, [(200, 4, None), (200, 5, Some(400)), (501, 6, Some(501))]),
        ] {
            let mut window = Window::new(1_000, start);
            for (bytes, second, expected) in taken {
                window.arrive(bytes).unwrap();
                assert_eq!(window.take(bytes, updates, at(second)), expected, "{updates:?} at {second} s");
            }
        }
    }

    #[test]
    fn a_server_may_not_send_more_than_the_window() {
        let now = Instant::now();
        let mut window = Window::new(100, now);
        assert_eq!([window.arrive(100), window.arrive(1)], [Some(()), None]);
        assert_eq!(window.take(100, Updates::ByVolume, now), Some(100));
        assert_eq!([window.arrive(100), window.arrive(1)], [Some(()), None]);
    }
}
