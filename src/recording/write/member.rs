//! The members of a file: each a gzip stream of its own, so that a file opens up to its last whole member.

use crate::market::UnixMicros;
use flate2::{Compression, write::GzEncoder};
use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

/// The longest that a line waits for the end of its member: a crash loses no more.
const AGE_MAX: Duration = Duration::from_secs(10);
/// The most bytes of lines in a member, unless one line alone is longer.
pub(super) const BYTES_MAX: usize = 1 << 20;

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// An hour of UTC, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hour(i64);

impl Hour {
    pub(super) fn of(time: UnixMicros) -> Self {
        Self(time.0.div_euclid(MICROS_PER_HOUR))
    }

    pub(super) fn begins(self) -> UnixMicros {
        UnixMicros(self.0.saturating_mul(MICROS_PER_HOUR))
    }

    /// Of the day.
    pub(super) fn of_day(self) -> i64 {
        self.0.rem_euclid(24)
    }
}

/// A member that is being made, in memory.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) hour: Hour,
    began: Instant,
    encoder: GzEncoder<Vec<u8>>,
    bytes: usize,
    frames: u64,
}

impl Member {
    pub(super) fn new(hour: Hour, began: Instant) -> Self {
        Self { hour, began, encoder: GzEncoder::new(Vec::new(), Compression::default()), bytes: 0, frames: 0 }
    }

    /// Whether it ends before a line of this hour and length.
    pub(super) fn ends_before(&self, hour: Hour, length: usize) -> bool {
        self.hour != hour || self.bytes + length > BYTES_MAX
    }

    /// Whether its first line has waited for long enough.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= AGE_MAX
    }

    pub(super) fn push(&mut self, line: &[u8], is_frame: bool) -> io::Result<()> {
        self.bytes += line.len();
        self.frames += u64::from(is_frame);
        self.encoder.write_all(line)
    }

    /// The finished member, and how many frames it holds.
    pub(super) fn finish(self) -> io::Result<(Vec<u8>, u64)> {
        Ok((self.encoder.finish()?, self.frames))
    }
}

/// A member of one line.
pub(super) fn of_line(line: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(line.as_bytes())?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_ends_with_its_hour_its_age_or_its_size() {
        let began = Instant::now();
        let mut member = Member::new(Hour(7), began);
        assert!(!member.ends_before(Hour(7), BYTES_MAX));
        assert!(member.ends_before(Hour(8), 1));
        assert!(member.ends_before(Hour(6), 1), "the clock was set back");
        member.push(&[b'x'; 1_000], true).unwrap();
        assert!(!member.ends_before(Hour(7), BYTES_MAX - 1_000));
        assert!(member.ends_before(Hour(7), BYTES_MAX - 999));
        assert!(!member.is_due(began + AGE_MAX - Duration::from_millis(1)));
        assert!(member.is_due(began + AGE_MAX));
    }
}
