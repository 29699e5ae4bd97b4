//! The body of a request: read before the request is routed, on the few routes that take one.

use super::problem::{Problem, Quoted};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;

/// How much of the reader's message a problem repeats: it may quote the client's own words.
const READER_CHARACTERS_MAX: usize = 200;

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestBody {
    /// All of it; empty if there is none.
    Whole(Bytes),
    /// It is longer than so many bytes, and was not read.
    TooLong(usize),
    /// It did not come whole in time.
    Late,
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// What is wrong with a body. The message is the document's `detail`: it says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("Send a body of at most {0} bytes.")]
    TooLong(usize),
    #[error("Send the whole body at once: it did not arrive in time.")]
    Late,
    #[error("Send JSON, with the header content-type: application/json.")]
    NotJson,
    #[error("The body is not what this path takes: {0}.")]
    Bad(Quoted),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (status, kind, title) = match error {
            BodyError::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", "Body too long"),
            BodyError::Late => (StatusCode::REQUEST_TIMEOUT, "late-body", "Body not in time"),
            BodyError::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "Not JSON"),
            BodyError::Bad(_) => (StatusCode::BAD_REQUEST, "bad-body", "Bad body"),
        };
        let limit = match error {
            BodyError::TooLong(_) => Some("symbols_per_stream"),
            BodyError::Late => Some("head_timeout"),
            BodyError::NotJson | BodyError::Bad(_) => None,
        };
        Self { limit, ..Self::new(status, kind, title, error.to_string()) }
    }
}

impl RequestBody {
    /// How long it is, as far as it was read.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(body) => body.len(),
            Self::TooLong(_) | Self::Late => 0,
        }
    }

    /// Whether it was read to its end. Behind any other no second request can be told from it.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Whole(_))
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`BodyError`]: it is too long or late, it is not announced as JSON, or it is not a `T`, with the place.
    pub(crate) fn json<T: DeserializeOwned>(&self, headers: &HeaderMap) -> Result<T, BodyError> {
        let body = match self {
            Self::Whole(body) => body,
            Self::TooLong(bytes_max) => return Err(BodyError::TooLong(*bytes_max)),
            Self::Late => return Err(BodyError::Late),
        };
        if !is_json(headers) {
            return Err(BodyError::NotJson);
        }
        let bad = |error: serde_json::Error| BodyError::Bad(Quoted::up_to(&error.to_string(), READER_CHARACTERS_MAX));
        serde_json::from_slice(body).map_err(bad)
    }
}

/// In the place of a body that is too long, and was thrown away as it came.
#[derive(Debug)]
pub(crate) struct Discarded;

impl Body for Discarded {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        false
    }

    /// Longer than any limit.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::MAX)
    }
}

/// Whether a request announces a body.
pub(super) fn is_announced(head: &Parts, body: &impl Body) -> bool {
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let has_length = lengths.any(|length| length.as_bytes() != b"0");
    has_length || has_coding(head) || !body.is_end_stream()
}

/// Whether the body of a request of HTTP/1.1 comes in a transfer coding, and so without a length. None is read: proxies
/// disagree on where such a body ends.
pub(super) fn has_coding(head: &Parts) -> bool {
    head.headers.contains_key(header::TRANSFER_ENCODING)
}

/// Reads a body to its end, if there is one of so many bytes at most.
pub(super) async fn read<B>(body: B, bytes_max: usize, within: Duration) -> RequestBody
where
    B: Body<Data = Bytes> + Send,
{
    if body.is_end_stream() {
        return RequestBody::default();
    }
    if body.size_hint().exact().is_none_or(|length| length > bytes_max as u64) {
        return RequestBody::TooLong(bytes_max);
    }
    match timeout(within, body.collect()).await {
        Ok(Ok(collected)) => RequestBody::Whole(collected.to_bytes()),
        // In the first case the client has left, or has closed its side too early.
        Ok(Err(_)) | Err(_) => RequestBody::Late,
    }
}

/// Whether the content type is `application/json`, with or without parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Request};
    use http_body_util::{Empty, Full};
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        size: u8,
    }

    fn json(body: &'static str, content_type: Option<&'static str>) -> Result<Thing, (u16, String)> {
        let mut headers = HeaderMap::new();
        content_type.map(|value| headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value)));
        let read = RequestBody::Whole(body.into()).json(&headers);
        read.map_err(Problem::from).map_err(|problem| (problem.status.as_u16(), problem.detail))
    }

    #[test]
    fn a_body_is_json_of_the_right_form_or_says_where_it_is_not() {
        let json_type = Some("application/json");
        assert_eq!(json("{\"size\":3}", json_type), Ok(Thing { size: 3 }));
        assert_eq!(json("{\"size\":3}", Some("Application/JSON; charset=utf-8")).unwrap().size, 3);
        for content_type in
            [None, Some("text/plain"), Some("application/jsonx"), Some("application/x-www-form-urlencoded")]
        {
            assert_eq!(json("{\"size\":3}", content_type).unwrap_err().0, 415, "{content_type:?}");
        }
        for (body, place) in [
            ("", "line 1 column 0"),
            ("{\"size\":300}", "line 1 column 11"),
            ("{\n\"size\":x}", "line 2 column 8"),
            ("{\"sise\":3}", "`sise`"),
            ("{\"size\":3,\"size\":3}", "duplicate field `size`"),
            ("{\"size\":3} {}", "trailing characters"),
        ] {
            let (status, detail) = json(body, json_type).unwrap_err();
            assert!(status == 400 && detail.contains(place), "{body}: {detail}");
        }
        let (_, detail) = json("{\"a\\u0000\\nb\":3}", json_type).unwrap_err();
        assert!(!detail.contains(['\0', '\n']), "{detail}");
    }

    #[tokio::test]
    async fn rule_10_a_body_is_read_up_to_its_limit() {
        let within = Duration::from_secs(9);
        for length in [0, 1, 999, 1_000] {
            let body = Bytes::from(vec![b' '; length]);
            assert_eq!(read(Full::new(body.clone()), 1_000, within).await, RequestBody::Whole(body));
        }
        let body = Full::new(Bytes::from(vec![b' '; 1_001]));
        assert_eq!(read(body, 1_000, within).await, RequestBody::TooLong(1_000));
        assert_eq!(read(Discarded, usize::MAX - 1, within).await, RequestBody::TooLong(usize::MAX - 1));
        let (head, body) = Request::new(Empty::<Bytes>::new()).into_parts();
        assert!(!is_announced(&head, &body));
    }
}
