//! Header compression (RFC 7541): the decoder, and the literals of answers.

mod decoder;
mod encoder;
mod huffman;
mod static_table;
mod table;

pub(super) use decoder::{Decoder, Malformed};
pub(super) use encoder::{encode_field, encode_status};

#[cfg(test)]
mod tests;
