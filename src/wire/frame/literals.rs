//! The bytes of an event that are not in the dictionary, by tables of Huffman codes that are always the same.
//!
//! A table of an event's own takes 14 to 19 bytes, if the general compressor makes it, and these take 9 and 11: they
//! have only what numbers are made of.

use super::bits::Bits;

/// A table: how a frame describes it (RFC 8878, section 4.2.1), and by byte the code and its length in bits.
///
/// A description is its length, then the weights of all bytes up to `8`. That of `9` follows from them.
struct Table {
    description: &'static [u8],
    codes: [(u8, u8); 256],
}

/// For literals that are digits.
static DIGITS: Table =
    Table { description: &[8, 0xe0, 0x31, 0x3f, 0x7f, 0x7e, 0x8a, 0xc2, 0x70], codes: codes(&[b"4689", b"012357"], 4) };
/// For those that are of numbers and ids.
static NUMBERS: Table = Table {
    description: &[10, 0xe0, 0x01, 0xde, 0xfb, 0xee, 0x7b, 0xdf, 0xc3, 0x6c, 0x52],
    codes: codes(&[b"-.", b"46789", b"01235"], 5),
};
/// The most literals of a section whose head has three bytes.
const LITERALS_MAX: usize = 1023;
/// The most of a section without a table whose head has one byte. So many and more are shorter with one.
const RAW_MAX: usize = 31;
/// The type of a section with a table; that of one as it is is 0.
const COMPRESSED: u32 = 2;

/// Codes count up from the longest ones, in the order of the bytes; the bytes of each weight have one bit less than
/// those of the one before.
const fn codes(weights: &[&[u8]], longest: u8) -> [(u8, u8); 256] {
    let mut codes = [(0, 0); 256];
    let (mut next, mut weight) = (0_u8, 0);
    while weight < weights.len() {
        let mut place = 0;
        while place < weights[weight].len() {
            codes[weights[weight][place] as usize] = (next >> weight, longest - weight as u8);
            next += 1 << weight;
            place += 1;
        }
        weight += 1;
    }
    codes
}

impl Table {
    fn code(&self, byte: u8) -> (u8, u8) {
        self.codes[usize::from(byte)]
    }

    fn has(&self, byte: u8) -> bool {
        self.code(byte).1 > 0
    }
}

/// Whether a table has a byte.
pub(super) fn is_known(byte: u8) -> bool {
    NUMBERS.has(byte)
}

/// Appends the section of literals; returns whether it can be written: there may be too many, and others than those
/// of the tables.
pub(super) fn write(literals: &[u8], out: &mut Vec<u8>) -> bool {
    if literals.len() > LITERALS_MAX || !literals.iter().copied().all(is_known) {
        return false;
    }
    let table = if literals.iter().all(|byte| DIGITS.has(*byte)) { &DIGITS } else { &NUMBERS };
    let bits: usize = literals.iter().map(|byte| usize::from(table.code(*byte).1)).sum();
    // The last bit marks the end.
    let compressed = table.description.len() + bits / 8 + 1;
    let count = literals.len() as u32;
    // The head of a compressed section is two bytes longer. Some decoders take one that is as long as its literals for
    // these themselves.
    if literals.len() <= RAW_MAX && literals.len() <= compressed + 1 {
        // The count has the upper 5 bits.
        out.push((count << 3) as u8);
        out.extend_from_slice(literals);
        return true;
    }
    // Two numbers of 10 bits each, and one stream.
    let head = COMPRESSED | count << 4 | (compressed as u32) << 14;
    out.extend_from_slice(&head.to_le_bytes()[..3]);
    out.extend_from_slice(table.description);
    let mut stream = Bits::default();
    for byte in literals.iter().rev() {
        let (code, length) = table.code(*byte);
        stream.push(out, u32::from(code), u32::from(length));
    }
    stream.end(out);
    true
}
