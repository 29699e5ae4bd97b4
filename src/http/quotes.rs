//! The answers that are no stream: quotes and symbols, as of the moment of the request.

use super::{
    problem::{Problem, Quoted},
    stream_request::{Query, Selection},
};
use crate::{cache::Cache, market::UnixMicros, wire::write_tick};
use http::{HeaderValue, header};
use warp::reply::Response;

/// How many symbols are listed unless the client says.
const SYMBOLS_LISTED: usize = 100;
/// How many are listed at most: about 60 KB.
const SYMBOLS_LISTED_MAX: usize = 1_000;
/// Room for one quote, in bytes: most are shorter.
const QUOTE_BYTES: usize = 512;

/// The newest tick of each symbol, as a stream would send it.
pub(crate) fn quotes(selection: &Selection, cache: &Cache, now: UnixMicros) -> Response {
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

/// The symbols that start with `prefix=`, by name, `limit=` of them.
///
/// # Errors
/// [`Problem::BadLimit`].
pub(crate) fn symbols(query: &Query, cache: &Cache) -> Result<Response, Problem> {
    let limit = limit(query, SYMBOLS_LISTED, SYMBOLS_LISTED_MAX)?;
    let (listed, more) = cache.list(&parameter(query, "prefix").unwrap_or_default().to_ascii_uppercase(), limit);
    let lines: Vec<_> = listed
        .iter()
        .map(|state| {
            let quote_state = state.newest().snapshot.state().name();
            serde_json::json!({"symbol": state.symbol().as_str(), "feed": &*state.feed(), "state": quote_state})
        })
        .collect();
    Ok(json(serde_json::json!({"symbols": lines, "more": more}).to_string()))
}

/// How many entries a list is to have, by `limit=`.
///
/// # Errors
/// [`Problem::BadLimit`].
pub(crate) fn limit(query: &Query, default: usize, max: usize) -> Result<usize, Problem> {
    parameter(query, "limit").map_or(Ok(default), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| Problem::BadLimit { text: Quoted::new(text), max })
    })
}

fn parameter<'a>(query: &'a Query, wanted: &str) -> Option<&'a str> {
    query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// An answer of JSON.
pub(crate) fn json(body: impl Into<bytes::Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
