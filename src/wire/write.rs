//! A field of a JSON object, with its key: one function for each type of value. `key` is `,"name":`; a value that is
//! not known leaves no trace.

use crate::market::{Decimal, Parts, Symbol, UnixMicros};

pub(super) fn symbol(out: &mut Vec<u8>, key: &str, value: &Symbol) {
    out.extend_from_slice(key.as_bytes());
    string(out, value.as_str());
}

pub(super) fn count(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

pub(super) fn micros(out: &mut Vec<u8>, key: &str, value: Option<UnixMicros>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(itoa::Buffer::new().format(value.0).as_bytes());
    }
}

pub(super) fn decimal(out: &mut Vec<u8>, key: &str, value: Option<Decimal>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        value.write_to(out);
    }
}

pub(super) fn word(out: &mut Vec<u8>, key: &str, value: Option<&'static str>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        string(out, value);
    }
}

pub(super) fn feed(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.extend_from_slice(key.as_bytes());
        string(out, value);
    }
}

/// A value that is not known any longer.
pub(super) fn null(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"null");
}

pub(super) use word as open_word;

pub(super) fn words(out: &mut Vec<u8>, key: &str, parts: Parts) {
    if parts.is_empty() {
        return;
    }
    out.extend_from_slice(key.as_bytes());
    for (index, part) in parts.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[" } else { b"," });
        string(out, part.name());
    }
    out.push(b']');
}

/// `value` holds nothing that JSON escapes: it is a symbol, the name of a feed, or a word of a closed set.
fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}
