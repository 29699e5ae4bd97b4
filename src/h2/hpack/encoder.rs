//! The heads of answers: fields of the static table, literals that no table keeps, and the size of our table.

use super::static_table::{FIELDS, STATUS};

/// The first byte of a literal that a table may not keep.
const WITHOUT_INDEXING: u8 = 0x00;
/// The same, for proxies too: the value is a secret.
const NEVER_INDEXED: u8 = 0x10;
const INDEXED: u8 = 0x80;
const TABLE_SIZE: u8 = 0x20;

/// Appends the size of our table, which can only stand at the beginning of a head.
pub(crate) fn encode_table_size(bytes: usize, out: &mut Vec<u8>) {
    integer(TABLE_SIZE, 5, bytes, out);
}

/// Appends `:status`.
pub(crate) fn encode_status(status: &str, out: &mut Vec<u8>) {
    match FIELDS.iter().position(|field| *field == (":status", status)) {
        Some(place) => integer(INDEXED, 7, place + 1, out),
        None => {
            integer(WITHOUT_INDEXING, 4, STATUS, out);
            string(status.as_bytes(), out);
        }
    }
}

/// Appends a field.
pub(crate) fn encode_field(name: &str, value: &[u8], is_secret: bool, out: &mut Vec<u8>) {
    out.push(if is_secret { NEVER_INDEXED } else { WITHOUT_INDEXING });
    string(name.as_bytes(), out);
    string(value, out);
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    integer(0, 7, bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn integer(first: u8, prefix: u32, value: usize, out: &mut Vec<u8>) {
    let mask = (1_usize << prefix) - 1;
    if value < mask {
        out.push(first | value as u8);
        return;
    }
    out.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
