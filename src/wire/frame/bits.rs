//! A bit stream of zstd (RFC 8878, section 4.1): a decoder reads it from its end, so what is written last is read
//! first.

/// What does not fill four bytes yet.
#[derive(Debug, Default)]
pub(super) struct Bits {
    pending: u64,
    count: u32,
}

impl Bits {
    /// Appends the lowest bits of a number, at most 32 of them.
    pub(super) fn push(&mut self, out: &mut Vec<u8>, value: u32, bits: u32) {
        self.pending |= u64::from(value) << self.count;
        self.count += bits;
        if self.count >= u32::BITS {
            out.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= u32::BITS;
            self.count -= u32::BITS;
        }
    }

    /// Appends the bit that marks the end, and fills the last byte.
    pub(super) fn end(mut self, out: &mut Vec<u8>) {
        self.push(out, 1, 1);
        let bytes = self.count.div_ceil(u8::BITS) as usize;
        out.extend_from_slice(&self.pending.to_le_bytes()[..bytes]);
    }
}
