//! Ticks that a stream did not get.

/// Ticks that a stream did not get, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missed {
    /// Its transport was full.
    pub lag: u64,
    /// Its own options left them out.
    pub options: u64,
    /// The gateway was too slow for its own ring.
    pub ring: u64,
}

impl Missed {
    /// The ticks of all causes.
    pub fn total(&self) -> u64 {
        self.lag + self.options + self.ring
    }

    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.lag += other.lag;
        self.options += other.options;
        self.ring += other.ring;
    }
}
