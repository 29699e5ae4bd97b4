//! What a follower has counted.

use crate::cluster::message::DecodeError;

/// What a follower has counted since it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches that were applied, those of openings too.
    pub batches: u64,
    /// Ticks that the book has taken.
    pub ticks: u64,
    /// Messages of a token lower than one that is known.
    pub fenced: u64,
    /// Batches that came again, and what came back to the owner that had sent it.
    pub duplicates: u64,
    /// Ticks of symbols that this node does not have.
    pub unknown: u64,
    /// Holes in the batches that were filled.
    pub filled: u64,
    /// Holes in the batches, or batches that could not be applied, that a snapshot replaced.
    pub replaced: u64,
    /// Snapshots that came and could not be taken: a part, or a batch behind them, was missing.
    pub unjoined: u64,
    /// Ticks between a symbol's tick and its next, both of one epoch, that never came.
    pub lost: u64,
    /// Messages that could not be read, by [`DecodeError::ALL`].
    dropped: [u64; DecodeError::ALL.len()],
}

impl Counts {
    /// Messages that could not be read for this reason.
    pub fn dropped(&self, error: DecodeError) -> u64 {
        self.dropped[error as usize]
    }

    pub(super) fn drop(&mut self, error: DecodeError) {
        self.dropped[error as usize] += 1;
    }
}
