//! The section of sequences (RFC 8878, section 3.1.1.3.2), with the distributions that every decoder knows.

use super::{bits::Bits, states::Distribution};
use std::sync::LazyLock;

/// Some bytes as they are, then some that were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// How many literals.
    pub(super) literals: u32,
    /// How many bytes are repeated, at least 3.
    pub(super) length: u32,
    /// As the format numbers distances: up to 3 one of the last, else the distance and 3 more.
    pub(super) distance: u32,
}

/// The most sequences of a section whose head is one byte.
const SEQUENCES_MAX: usize = 127;
/// The shortest match.
pub(super) const MATCH_MIN: u32 = 3;

static LITERALS: LazyLock<Distribution> = LazyLock::new(|| {
    const SHARES: [i16; 36] = [
        4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
    ];
    Distribution::new(&SHARES, 6)
});
static LENGTHS: LazyLock<Distribution> = LazyLock::new(|| {
    let mut shares = [1; 53];
    shares[1..9].copy_from_slice(&[4, 3, 2, 2, 2, 2, 2, 2]);
    shares[46..].fill(-1);
    Distribution::new(&shares, 6)
});
static DISTANCES: LazyLock<Distribution> = LazyLock::new(|| {
    let mut shares = [1; 29];
    shares[6..9].fill(2);
    shares[24..].fill(-1);
    Distribution::new(&shares, 5)
});

/// A code, and the bits that follow it.
type Code = (u8, u32);

/// The code of a number of literals.
fn of_literals(count: u32) -> Code {
    match count {
        0..16 => (count as u8, 0),
        16..24 => (16 + ((count - 16) >> 1) as u8, 1),
        24..32 => (20 + ((count - 24) >> 2) as u8, 2),
        32..48 => (22 + ((count - 32) >> 3) as u8, 3),
        48..64 => (24, 4),
        64.. => (19 + count.ilog2() as u8, count.ilog2()),
    }
}

/// The code of a match's length, less the shortest one.
fn of_length(length: u32) -> Code {
    match length {
        0..32 => (length as u8, 0),
        32..40 => (32 + ((length - 32) >> 1) as u8, 1),
        40..48 => (36 + ((length - 40) >> 2) as u8, 2),
        48..64 => (38 + ((length - 48) >> 3) as u8, 3),
        64..96 => (40 + ((length - 64) >> 4) as u8, 4),
        96..128 => (42, 5),
        128.. => (36 + length.ilog2() as u8, length.ilog2()),
    }
}

/// Appends the section of sequences; returns whether it can be written: there may be none, or too many.
pub(super) fn write(sequences: &[Sequence], out: &mut Vec<u8>) -> bool {
    let Some((last, others)) = sequences.split_last() else { return false };
    if sequences.len() > SEQUENCES_MAX {
        return false;
    }
    // The second byte chooses the known distribution for all three.
    out.extend_from_slice(&[sequences.len() as u8, 0]);
    let mut bits = Bits::default();
    let codes = |sequence: &Sequence| {
        let distance = sequence.distance.ilog2();
        (of_literals(sequence.literals), (distance as u8, distance), of_length(sequence.length - MATCH_MIN))
    };
    // Each group of numbers begins at a multiple of its size, so their lowest bits are what follows the code.
    let low = |value: u32, bits: u32| value & ((1 << bits) - 1);
    let follow = |sequence: &Sequence, bits: &mut Bits, out: &mut Vec<u8>| {
        let (literals, distance, length) = codes(sequence);
        bits.push(out, low(sequence.literals, literals.1), literals.1);
        bits.push(out, low(sequence.length - MATCH_MIN, length.1), length.1);
        bits.push(out, low(sequence.distance, distance.1), distance.1);
    };
    let (literals, distance, length) = codes(last);
    let mut literals = LITERALS.first(literals.0);
    let mut distance = DISTANCES.first(distance.0);
    let mut length = LENGTHS.first(length.0);
    follow(last, &mut bits, out);
    for sequence in others.iter().rev() {
        let (next_literals, next_distance, next_length) = codes(sequence);
        DISTANCES.push(&mut distance, next_distance.0, &mut bits, out);
        LENGTHS.push(&mut length, next_length.0, &mut bits, out);
        LITERALS.push(&mut literals, next_literals.0, &mut bits, out);
        follow(sequence, &mut bits, out);
    }
    LENGTHS.end(length, &mut bits, out);
    DISTANCES.end(distance, &mut bits, out);
    LITERALS.end(literals, &mut bits, out);
    bits.end(out);
    true
}
