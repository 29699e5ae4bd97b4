//! The decoder of header blocks (RFC 7541, sections 5 and 6).

use super::{Malformed, huffman, table::Table};

/// The size of a table before a peer knows that the other wants another (RFC 9113, section 6.5.2).
const INITIAL_BYTES: usize = 4_096;

/// Decodes all header blocks of a connection, in their order.
///
/// The peer may use a table of 4,096 bytes until it has acknowledged that there is none. A peer that follows the RFC
/// then reduces its table to 0 with its next block, and the entries go, with their memory. Some never do (older Go
/// clients): both sides keep the table, up to the 4,096 bytes, since the entries go only with the peer's own size
/// update. RFC 9113, section 4.3.1, would end the connection, and with it streams that know of nothing.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: Table,
    /// The largest size that a size update may set.
    update_max: usize,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self { table: Table::new(INITIAL_BYTES), update_max: INITIAL_BYTES }
    }

    /// The peer knows that the table has 0 bytes: no size update may ask for more.
    pub(crate) fn acknowledged(&mut self) {
        self.update_max = 0;
        self.table.shrink();
    }

    /// Decodes one block, and hands over each field.
    ///
    /// # Errors
    /// The block is malformed, or `field` returned an error: the decoder is out of step with its peer from then on.
    pub(crate) fn decode<Error: From<Malformed>>(
        &mut self,
        block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut block = Block(block);
        let mut name = Vec::new();
        let mut value = Vec::new();
        let mut may_resize = true;
        while let Some(first) = block.0.first().copied() {
            if first & 0xe0 == 0x20 {
                let bytes_max = block.integer(5)?;
                if !may_resize || bytes_max > self.update_max {
                    return Err(Malformed.into());
                }
                self.table.set_bytes_max(bytes_max);
                continue;
            }
            may_resize = false;
            if first & 0x80 != 0 {
                let (name, value) = self.table.get(block.integer(7)?).ok_or(Malformed)?;
                field(name, value)?;
                continue;
            }
            // Without indexing, and never indexed, differ for proxies only.
            let is_indexed = first & 0x40 != 0;
            let index = block.integer(if is_indexed { 6 } else { 4 })?;
            name.clear();
            if index == 0 {
                block.string(&mut name)?;
            } else {
                name.extend_from_slice(self.table.get(index).ok_or(Malformed)?.0);
            }
            value.clear();
            block.string(&mut value)?;
            field(&name, &value)?;
            if is_indexed {
                self.table.insert(&name, &value);
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn with_table(bytes_max: usize) -> Self {
        Self { table: Table::new(bytes_max), update_max: bytes_max }
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Table {
        &self.table
    }
}

/// What is left of a block.
struct Block<'a>(&'a [u8]);

impl Block<'_> {
    /// An integer in the low `prefix` bits of the next byte, and in those that follow if it does not fit (section 5.1).
    /// Four of them hold any length or index that can be valid here.
    fn integer(&mut self, prefix: u32) -> Result<usize, Malformed> {
        let mask = (1_usize << prefix) - 1;
        let mut value = usize::from(self.byte()?) & mask;
        if value < mask {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// Appends a string (section 5.2).
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let is_huffman = self.0.first().ok_or(Malformed)? & 0x80 != 0;
        let length = self.integer(7)?;
        let (string, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        if is_huffman {
            return huffman::decode(string, out);
        }
        out.extend_from_slice(string);
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*byte)
    }
}
