//! The body of a request: read before the request is routed, on the few routes that take one.

use super::{
    problem::{Problem, Quoted},
    request_error::RequestError,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;

/// The longest body of a request.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;
/// How much of the reader's message a problem repeats: it may quote the client's own words.
const READER_CHARACTERS_MAX: usize = 200;

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RequestBody {
    /// All of it; empty if there is none.
    Whole(Bytes),
    /// It is longer than [`BODY_BYTES_MAX`], and was not read.
    TooLong,
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

/// What is wrong with a body. The message is the document's `detail`: it says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("Send a body of at most {BODY_BYTES_MAX} bytes.")]
    TooLong,
    #[error("Send JSON, with the header content-type: application/json.")]
    NotJson,
    #[error("The body is not what this path takes: {0}.")]
    Bad(Quoted),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (status, kind, title) = match error {
            BodyError::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", "Body too long"),
            BodyError::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "Not JSON"),
            BodyError::Bad(_) => (StatusCode::BAD_REQUEST, "bad-body", "Bad body"),
        };
        // A body that is not read to its end cannot be told from the next request.
        let closes = matches!(error, BodyError::TooLong);
        let header = closes.then(|| (header::CONNECTION, HeaderValue::from_static("close")));
        Self { status, kind, title, detail: error.to_string(), limit: None, header }
    }
}

impl RequestBody {
    /// Reads JSON.
    ///
    /// # Errors
    /// [`BodyError`]: it is too long, it is not announced as JSON, or it is not a `T`, with the place.
    pub(crate) fn json<T: DeserializeOwned>(&self, headers: &HeaderMap) -> Result<T, BodyError> {
        let Self::Whole(body) = self else { return Err(BodyError::TooLong) };
        if !is_json(headers) {
            return Err(BodyError::NotJson);
        }
        let bad = |error: serde_json::Error| BodyError::Bad(Quoted::up_to(&error.to_string(), READER_CHARACTERS_MAX));
        serde_json::from_slice(body).map_err(bad)
    }
}

/// Whether a request announces a body. On HTTP/1.1 one that is not empty must have a length.
pub(super) fn is_announced(head: &Parts, body: &impl Body) -> bool {
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let has_length = lengths.any(|length| length.as_bytes() != b"0");
    has_length || head.headers.contains_key(header::TRANSFER_ENCODING) || !body.is_end_stream()
}

/// Reads a body to its end, if there is one.
///
/// # Errors
/// Its length is not known, or it does not arrive in time.
pub(super) async fn read<B>(head: &Parts, body: B, within: Duration) -> Result<RequestBody, Problem>
where
    B: Body<Data = Bytes> + Send,
{
    if body.is_end_stream() {
        return Ok(RequestBody::default());
    }
    if head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(RequestError::Body.into());
    }
    match body.size_hint().exact() {
        None => return Err(RequestError::Body.into()),
        Some(length) if length > BODY_BYTES_MAX as u64 => return Ok(RequestBody::TooLong),
        Some(_) => {}
    }
    match timeout(within, body.collect()).await {
        Ok(Ok(collected)) => Ok(RequestBody::Whole(collected.to_bytes())),
        // The client has left, and gets no answer.
        Ok(Err(_)) | Err(_) => Err(RequestError::LateBody.into()),
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
    use http::Request;
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
        for (length, is_whole) in [(0, true), (BODY_BYTES_MAX, true), (BODY_BYTES_MAX + 1, false)] {
            let (head, body) = Request::new(Full::new(Bytes::from(vec![b' '; length]))).into_parts();
            let read = read(&head, body, Duration::from_secs(9)).await.unwrap();
            assert_eq!(matches!(read, RequestBody::Whole(body) if body.len() == length), is_whole, "{length}");
        }
        let (head, body) = Request::new(Empty::<Bytes>::new()).into_parts();
        assert!(!is_announced(&head, &body));
    }
}
