//! Writes numbers, decimals and times.

use crate::market::{Decimal, UnixMicros};

/// Writes fields one after the other into a buffer that has room for all of them.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    /// How many bytes were written.
    pub(super) fn len(&self) -> usize {
        self.at
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out[self.at] = byte;
        self.at += 1;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
    pub(super) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// A number of either sign: small ones are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.varint(zigzag(value));
    }

    pub(super) fn time(&mut self, time: UnixMicros, base: u64) {
        self.signed(time.0.wrapping_sub(base.cast_signed()));
    }

    /// A byte with the scale and the length of the mantissa, and the mantissa, the lowest byte first. The length stands
    /// in front: neither side has to look at each byte.
    pub(super) fn decimal(&mut self, decimal: Decimal) {
        let (mantissa, scale) = decimal.mantissa_and_scale();
        let mantissa = zigzag(mantissa);
        let length = (8 - mantissa.leading_zeros() as usize / 8).max(1);
        let field: &mut [u8; 9] = self.out[self.at..].first_chunk_mut().expect("the buffer has room for all fields");
        field[0] = scale | ((length - 1) << 5) as u8;
        field[1..].copy_from_slice(&mantissa.to_le_bytes());
        self.at += 1 + length;
    }
}

fn zigzag(value: i64) -> u64 {
    (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned()
}
