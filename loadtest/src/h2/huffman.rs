//! Huffman-coded strings of header blocks.

use std::sync::LazyLock;

/// How many bits each octet's code has, then the end of string's (RFC 7541, appendix B). The code is canonical: the
/// lengths define it.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
];
/// The end of string, which no string contains.
const END: u16 = 256;
/// The longest code, in bits.
const LENGTH_MAX: usize = 30;

static CODES: LazyLock<Codes> = LazyLock::new(Codes::new);

/// The codes by their lengths.
struct Codes {
    /// All symbols, by length and then by value: the order of their codes.
    symbols: Vec<u16>,
    /// By length: the first code, the number of codes, and the first one's place in `symbols`.
    lengths: [(u32, u32, usize); LENGTH_MAX + 1],
}

impl Codes {
    fn new() -> Self {
        let mut symbols: Vec<u16> = (0..=END).collect();
        symbols.sort_by_key(|&symbol| LENGTHS[usize::from(symbol)]);
        let mut lengths = [(0, 0, 0); LENGTH_MAX + 1];
        let mut code = 0_u32;
        let mut place = 0;
        for (length, entry) in lengths.iter_mut().enumerate().skip(1) {
            code <<= 1;
            let count = LENGTHS.iter().filter(|&&other| usize::from(other) == length).count();
            *entry = (code, count as u32, place);
            code += count as u32;
            place += count;
        }
        Self { symbols, lengths }
    }
}

/// Decodes a string; `None` if it is not one.
pub(super) fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(coded.len() * 8 / 5);
    let mut code = 0_u32;
    let mut length = 0;
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |place| byte >> place & 1)) {
        code = code << 1 | u32::from(bit);
        length += 1;
        let &(first, count, place) = CODES.lengths.get(length)?;
        if let Some(offset) = code.checked_sub(first).filter(|offset| *offset < count) {
            let symbol = CODES.symbols[place + offset as usize];
            decoded.push(u8::try_from(symbol).ok()?);
            code = 0;
            length = 0;
        }
    }
    // The padding is the beginning of the end of string: ones, less than an octet.
    (length < 8 && code == (1 << length) - 1).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_decoded() {
        // RFC 7541, appendix C.4 and C.6.
        for (coded, expected) in [
            (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..], "www.example.com"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f], "custom-key"),
            (&[0x64, 0x02], "302"),
            (&[], ""),
        ] {
            assert_eq!(decode(coded).unwrap(), expected.as_bytes());
        }
    }

    #[test]
    fn padding_that_is_not_the_end_of_string_is_an_error() {
        assert_eq!(decode(&[0x18]), None, "zeros");
        assert_eq!(decode(&[0x64, 0x02, 0xff]), None, "an octet");
        assert_eq!(decode(&[0xff; 4]), None, "the end of string itself");
    }
}
