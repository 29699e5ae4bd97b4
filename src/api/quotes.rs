//! `/v1/quotes`: the newest tick of each symbol, as of the request.

use super::selection::Selection;
use crate::{
    cache::Cache,
    market::{Symbol, UnixMicros},
    server::{Response, Rights, json},
    wire::write_tick,
};

/// Room for one quote, in bytes: most are shorter.
const QUOTE_BYTES: usize = 512;

/// The newest tick of each symbol, as a stream would send it.
pub(super) fn quotes(selection: &Selection, rights: &Rights, now: UnixMicros) -> Response {
    let epoch = Cache::epoch_of(&selection.known);
    let mut out = Vec::with_capacity(QUOTE_BYTES * (selection.known.len() + 1));
    out.extend_from_slice(format!("{{\"epoch\":\"{}\",\"now\":{},\"quotes\":[", epoch, now.0).as_bytes());
    for (index, state) in selection.known.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_tick(&mut out, state.fields(&state.newest()));
    }
    out.push(b']');
    write_list(&mut out, "unknown", &selection.unknown);
    if let Rights::Granted(_) = rights {
        write_list(&mut out, "delayed", &selection.delayed());
        write_list(&mut out, "denied", &selection.denied);
    }
    out.push(b'}');
    json(out)
}

fn write_list(out: &mut Vec<u8>, name: &str, symbols: &[Symbol]) {
    out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
    for (index, symbol) in symbols.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(symbol.as_str().as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}
