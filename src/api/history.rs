//! `/v1/history/{symbol}`: what charts begin with.

use super::{error::ApiError, selection::Selection, stream_params::bad_option};
use crate::{
    history::{History, Point},
    market::UnixMicros,
    server::{Parameter, Query, Response, Rights, json},
};
use http::{HeaderValue, header};
use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

pub(super) const PARAMETERS: [Parameter; 2] = [Parameter::Scalar("since"), Parameter::Scalar("points")];
/// How many points there are unless the client says: as many as a trail has by default, and some more.
const POINTS: usize = 1_000;
/// How many a client may ask for: about 300 KB.
const POINTS_RANGE: RangeInclusive<usize> = 1..=5_000;
/// Room for one point, in bytes: most are shorter.
const POINT_BYTES: usize = 64;

/// The part of a trail that a client asks for.
pub(super) struct HistoryParams {
    since: Option<UnixMicros>,
    points: usize,
}

impl HistoryParams {
    /// Reads it from the query.
    ///
    /// # Errors
    /// [`ApiError::BadOption`], which says what the option takes.
    pub(super) fn new(query: &Query) -> Result<Self, ApiError> {
        let since = query.first("since").map(|text| {
            let since = text.parse().ok().filter(|micros| *micros >= 0).map(UnixMicros);
            since.ok_or_else(|| bad_option("since", text, "a time in microseconds since 1970"))
        });
        let points = query.first("points").map(|text| {
            let points = text.parse().ok().filter(|points| POINTS_RANGE.contains(points));
            points.ok_or_else(|| bad_option("points", text, "a number from 1 to 5000"))
        });
        Ok(Self { since: since.transpose()?, points: points.transpose()?.unwrap_or(POINTS) })
    }

    /// How many points the answer may have.
    pub(super) fn points(&self) -> usize {
        self.points
    }
}

/// The points of the one symbol that is selected.
pub(super) fn history(
    selection: &Selection,
    params: &HistoryParams,
    rights: &Rights,
    history: &History,
    now: Instant,
) -> Response {
    // A selection has at least one.
    let state = &selection.known[0];
    let epoch = state.shard().epoch();
    let excerpt = history.request(state, params.since, params.points, now);
    let mut out = Vec::with_capacity(POINT_BYTES * (excerpt.points.len() + 2));
    out.extend_from_slice(format!("{{\"symbol\":\"{}\",\"epoch\":\"{epoch}\"", state.symbol()).as_bytes());
    if let Some(origin) = state.newest().snapshot.origin.name() {
        out.extend_from_slice(format!(",\"origin\":\"{origin}\"").as_bytes());
    }
    out.extend_from_slice(format!(",\"every\":{},\"points\":[", excerpt.every.as_micros()).as_bytes());
    for (index, point) in excerpt.points.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_point(&mut out, point);
    }
    out.extend_from_slice(b"]}");
    let mut response = json(out);
    allow_caching(&mut response, history.every(), rights);
    response
}

/// A point as a list: time, price, bid, ask, trades, state.
fn write_point(out: &mut Vec<u8>, point: &Point) {
    out.push(b'[');
    out.extend_from_slice(itoa::Buffer::new().format(point.time().0).as_bytes());
    for number in [point.price(), point.bid(), point.ask()] {
        out.push(b',');
        match number {
            Some(number) => number.write_to(out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b',');
    out.extend_from_slice(itoa::Buffer::new().format(point.trades()).as_bytes());
    out.extend_from_slice(b",\"");
    out.extend_from_slice(point.state().name().as_bytes());
    out.extend_from_slice(b"\"]");
}

/// For how long a client that signs on may use an answer again: its rights may end meanwhile.
const OWN_CACHING_MAX: Duration = Duration::from_secs(1);

/// Until the next point the answer is nearly the same; where clients sign on, for the same client.
fn allow_caching(response: &mut Response, every: Duration, rights: &Rights) {
    let is_for_all = matches!(rights, Rights::All);
    let seconds = if is_for_all { every } else { every.min(OWN_CACHING_MAX) }.as_secs();
    if seconds == 0 {
        return;
    }
    let who = if is_for_all { "public" } else { "private" };
    let value = HeaderValue::try_from(format!("{who}, max-age={seconds}"));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, value.expect("words and digits are a header's value"));
    if !is_for_all {
        headers.append(header::VARY, HeaderValue::from_static("authorization, cookie"));
    }
}
