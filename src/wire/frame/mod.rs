//! A writer of zstd frames (RFC 8878) for ticks. It knows what a tick is made of, so its frames are shorter than those
//! of a general compressor, and are made in less time; `docs/decisions/0035-compression.md` has the measurements.
//!
//! Any decoder reads them. An event that is unlike those of the dictionary is left to the general compressor.

mod bits;
mod index;
mod lanes;
mod literals;
mod sequences;
mod states;

pub(super) use index::{Index, Marks};
pub use lanes::DICTIONARY_END;
use sequences::Sequence;

/// The head of a frame: its magic, no checksum, no size and no dictionary's id, a window of 128 KiB.
pub(super) const HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, (17 - 10) << 3];
/// The longest block of such a frame.
pub(super) const BLOCK_BYTES_MAX: usize = 128 << 10;
/// What stands before a block.
pub(super) const BLOCK_HEAD_BYTES: usize = 3;
/// The type of a compressed block.
const COMPRESSED: u32 = 2;

/// What an event was taken apart into: kept for the next one.
#[derive(Debug, Default)]
pub(super) struct Parts {
    literals: Vec<u8>,
    sequences: Vec<Sequence>,
}

/// Appends an event as a frame; returns whether it can: what `out` has got else is of no use.
pub(super) fn write(index: &Index, event: &[u8], parts: &mut Parts, out: &mut Vec<u8>) -> bool {
    if event.len() > BLOCK_BYTES_MAX {
        return false;
    }
    let Parts { literals, sequences } = parts;
    literals.clear();
    sequences.clear();
    lanes::compare(index, event, literals, sequences);
    out.extend_from_slice(&HEAD);
    let start = out.len();
    out.extend_from_slice(&[0; BLOCK_HEAD_BYTES]);
    if !literals::write(literals, out) || !sequences::write(sequences, out) {
        return false;
    }
    let bytes = out.len() - start - BLOCK_HEAD_BYTES;
    // The lowest bit marks the last block.
    let head = 1 | COMPRESSED << 1 | (bytes as u32) << 3;
    out[start..start + BLOCK_HEAD_BYTES].copy_from_slice(&head.to_le_bytes()[..BLOCK_HEAD_BYTES]);
    true
}
