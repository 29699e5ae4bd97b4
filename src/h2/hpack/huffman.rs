//! The Huffman code of strings (RFC 7541, appendix B). It is canonical: codes of one length are consecutive numbers, in
//! the order of their symbols, so the lengths alone define it.

use super::Malformed;

/// 256 is the end of a string: its first bits pad the last byte, and it may not appear whole.
const SYMBOLS: usize = 257;
const LENGTH_MAX: usize = 30;

/// The bits of each symbol's code.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The codes of one length.
#[derive(Clone, Copy)]
struct Codes {
    length: u32,
    /// The first code that is too high for this length.
    end: u64,
    /// What to add to a code for its place in `ORDER`.
    offset: i64,
}

/// How many lengths have codes.
const USED: usize = {
    let mut used = 0;
    let mut length = 1;
    while length <= LENGTH_MAX {
        used += (count(length) > 0) as usize;
        length += 1;
    }
    used
};

/// The symbols by length, then by value.
const ORDER: [u16; SYMBOLS] = {
    let mut order = [0; SYMBOLS];
    let mut place = 0;
    let mut length = 1;
    while length <= LENGTH_MAX {
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                order[place] = symbol as u16;
                place += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    order
};

/// The lengths that have codes, shortest first.
const CODES: [Codes; USED] = {
    let mut codes = [Codes { length: 0, end: 0, offset: 0 }; USED];
    let mut used = 0;
    let mut first = 0_u64;
    let mut place = 0_i64;
    let mut length = 1;
    while length <= LENGTH_MAX {
        let symbols = count(length);
        first <<= 1;
        if symbols > 0 {
            codes[used] = Codes { length: length as u32, end: first + symbols as u64, offset: place - first as i64 };
            first += symbols as u64;
            place += symbols as i64;
            used += 1;
        }
        length += 1;
    }
    codes
};

const fn count(length: usize) -> usize {
    let mut symbols = 0;
    let mut symbol = 0;
    while symbol < SYMBOLS {
        symbols += (LENGTHS[symbol] as usize == length) as usize;
        symbol += 1;
    }
    symbols
}

/// Appends what a string stands for: at most 8/5 of its length.
///
/// # Errors
/// It contains the end symbol, or its last byte is not padded by the first bits of it.
pub(super) fn decode(string: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    // The low bits that no symbol has used yet: below 30 before each byte.
    let mut bits = 0_u64;
    let mut unused = 0_u32;
    for byte in string {
        bits = bits << 8 | u64::from(*byte);
        unused += 8;
        while let Some((symbol, length)) = first_symbol(bits, unused) {
            out.push(u8::try_from(symbol).map_err(|_| Malformed)?);
            unused -= length;
            bits &= (1 << unused) - 1;
        }
    }
    if unused < 8 && bits == (1 << unused) - 1 { Ok(()) } else { Err(Malformed) }
}

/// The symbol that the unused bits begin with, and the length of its code.
fn first_symbol(bits: u64, unused: u32) -> Option<(u16, u32)> {
    CODES.iter().take_while(|codes| codes.length <= unused).find_map(|codes| {
        let code = bits >> (unused - codes.length);
        (code < codes.end).then(|| (ORDER[(code as i64 + codes.offset) as usize], codes.length))
    })
}

/// A symbol's code and its length.
#[cfg(test)]
pub(super) fn code(symbol: u16) -> (u64, u32) {
    let length = u32::from(LENGTHS[usize::from(symbol)]);
    let codes = CODES.iter().find(|codes| codes.length == length).unwrap();
    let place = ORDER.iter().position(|other| *other == symbol).unwrap() as i64;
    ((place - codes.offset) as u64, length)
}

/// The tests' encoder.
#[cfg(test)]
pub(super) fn encode(string: &[u8]) -> Vec<u8> {
    let mut bits = Vec::new();
    for byte in string {
        let (code, length) = code(u16::from(*byte));
        bits.extend((0..length).rev().map(|bit| (code >> bit & 1) as u8));
    }
    bits.chunks(8).map(|chunk| (0..8).fold(0, |byte, bit| byte << 1 | chunk.get(bit).unwrap_or(&1))).collect()
}
