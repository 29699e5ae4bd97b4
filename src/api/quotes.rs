//! `/v1/quotes`: the newest tick of each symbol, as of the request.

use super::selection::Selection;
use crate::{
    cache::Cache,
    market::UnixMicros,
    server::{Response, json},
    wire::write_tick,
};

/// Room for one quote, in bytes: most are shorter.
const QUOTE_BYTES: usize = 512;

/// The newest tick of each symbol, as a stream would send it.
pub(super) fn quotes(selection: &Selection, cache: &Cache, now: UnixMicros) -> Response {
    let mut out = Vec::with_capacity(QUOTE_BYTES * (selection.known.len() + 1));
    out.extend_from_slice(format!("{{\"epoch\":\"{}\",\"now\":{},\"quotes\":[", cache.epoch(), now.0).as_bytes());
    for (index, state) in selection.known.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_tick(&mut out, state.fields(&state.newest()));
    }
    out.extend_from_slice(b"],\"unknown\":[");
    for (index, symbol) in selection.unknown.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(symbol.as_str().as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"]}");
    json(out)
}
