//! The first bytes of a stream: the head of its answer and its `hello`, or the `bye` of a rejected one.

use super::selection::Selection;
use crate::{
    cache::Cache,
    fanout::{RETRY_MILLIS, ResponseHead},
    market::{Now, Symbol, UnixMicros},
    server::{Response, Rights},
    wire::{Bye, Hello, HelloDraft, HelloRights, StreamName, bye, hello},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long the client of a rejected stream waits before it reconnects, in ms.
const BUSY_RETRY_MILLIS: RangeInclusive<u64> = 5_000..=30_000;

/// The answer that becomes a stream, without its body. HEAD gets it, and a stream's head repeats its headers.
pub(super) fn stream_response() -> Response {
    let mut response = Response::default();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        // A hop that compresses holds ticks back until a block is full: `no-transform` forbids it.
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // Otherwise nginx holds ticks back until a buffer is full.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The head of a stream's response, with the header fields of its answer. The transport writes it.
pub(super) fn response_head(headers: &HeaderMap, now: UnixMicros) -> ResponseHead {
    let now: SystemTime = UNIX_EPOCH + Duration::from_micros(now.0.unsigned_abs());
    let date = HeaderValue::try_from(httpdate::fmt_http_date(now)).expect("a date is a header's value");
    let fields = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    std::iter::once((header::DATE, date)).chain(fields).collect()
}

/// The first block of a stream's body, but for the name by which it is changed.
pub(super) fn hello_draft(name: StreamName, selection: &Selection, rights: &Rights, now: Now) -> HelloDraft {
    let symbols: Vec<Symbol> = selection.known.iter().map(|state| state.symbol().clone()).collect();
    let delayed = selection.delayed();
    hello(&Hello {
        retry: Duration::from_millis(rand::random_range(RETRY_MILLIS)),
        stream: name,
        epoch: Cache::epoch_of(&selection.known),
        now: now.unix,
        symbols: &symbols,
        unknown: &selection.unknown,
        rights: match rights {
            Rights::Granted(grant) => {
                Some(HelloRights { delayed: &delayed, denied: &selection.denied, until: grant.until })
            }
            Rights::All | Rights::Unknown => None,
        },
    })
}

/// The body for a rejected stream. Its status is 200: any other would end a native EventSource for good.
pub(super) fn busy_bytes() -> Bytes {
    bye(Bye::Busy, Duration::from_millis(rand::random_range(BUSY_RETRY_MILLIS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_no_field_of_one_protocol() {
        let head = response_head(stream_response().headers(), UnixMicros(0));
        assert!(head.fields().iter().all(|(name, _)| name != header::CONNECTION));
    }
}
