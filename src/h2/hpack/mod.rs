//! Header compression (RFC 7541): the decoder, and the heads of answers.

mod decoder;
mod encoder;
mod huffman;
mod static_table;
mod table;

pub(super) use decoder::Decoder;
pub(super) use encoder::{encode_field, encode_status, encode_table_size};

/// A header block that cannot be decoded. Whatever follows it cannot be decoded either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
