//! The bytes of an event that are not in the dictionary, by a table of Huffman codes that is always the same.
//!
//! A table of an event's own takes 14 to 19 bytes (the compressor's choice), this one 11: it has only what numbers are
//! made of, and the digits have about the same length.

use super::bits::Bits;

/// How a table is described (RFC 8878, section 4.2.1): one byte for the length, then the weights of all bytes up to `8`.
/// That of `9` follows from them.
const DESCRIPTION: [u8; 11] = [10, 0xe0, 0x01, 0xde, 0xfb, 0xee, 0x7b, 0xdf, 0xc3, 0x6c, 0x52];
/// The longest code, in bits.
const LOG: u8 = 5;
/// What is written: by byte a code and its length; bytes without a code have length 0.
const CODES: [(u8, u8); 256] = codes();
/// The most literals of a section whose head has three bytes.
const LITERALS_MAX: usize = 1023;
/// The types of a section: as they are, and with a table.
const RAW: u32 = 0;
const COMPRESSED: u32 = 2;

/// The weight of a byte: a code has `LOG + 1` bits less its weight.
const fn weight(byte: u8) -> u8 {
    match byte {
        b'0'..=b'3' | b'5' => 3,
        b'4' | b'6'..=b'9' => 2,
        b'-' | b'.' => 1,
        _ => 0,
    }
}

/// Codes count up from the longest to the shortest, in the order of the bytes.
const fn codes() -> [(u8, u8); 256] {
    let mut codes = [(0, 0); 256];
    let (mut next, mut of) = (0_u8, 1);
    while of <= 3 {
        let mut byte = 0;
        while byte < 256 {
            if weight(byte as u8) == of {
                codes[byte] = (next >> (of - 1), LOG + 1 - of);
                next += 1 << (of - 1);
            }
            byte += 1;
        }
        of += 1;
    }
    codes
}

/// Whether the table has a byte.
pub(super) fn is_known(byte: u8) -> bool {
    CODES[usize::from(byte)].1 > 0
}

/// Appends the section of literals; returns whether it can be written: there may be too many, and others than those
/// of the table.
pub(super) fn write(literals: &[u8], out: &mut Vec<u8>) -> bool {
    if literals.len() > LITERALS_MAX || !literals.iter().copied().all(is_known) {
        return false;
    }
    let bits: usize = literals.iter().map(|byte| usize::from(CODES[usize::from(*byte)].1)).sum();
    // The last bit marks the end.
    let compressed = DESCRIPTION.len() + bits / 8 + 1;
    let count = literals.len() as u32;
    if literals.len() <= compressed {
        // The count has 5 bits, or 12.
        match u8::try_from(count << 3) {
            Ok(head) => out.push(head),
            Err(_) => out.extend_from_slice(&(RAW | 1 << 2 | count << 4).to_le_bytes()[..2]),
        }
        out.extend_from_slice(literals);
        return true;
    }
    // Two numbers of 10 bits each, and one stream.
    let head = COMPRESSED | count << 4 | (compressed as u32) << 14;
    out.extend_from_slice(&head.to_le_bytes()[..3]);
    out.extend_from_slice(&DESCRIPTION);
    let mut stream = Bits::default();
    for byte in literals.iter().rev() {
        let (code, length) = CODES[usize::from(*byte)];
        stream.push(out, u32::from(code), u32::from(length));
    }
    stream.end(out);
    true
}
