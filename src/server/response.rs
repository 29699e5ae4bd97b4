//! A whole answer.

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::Full;

/// A whole answer: its body is in memory, so its length is known.
pub(crate) type Response = http::Response<Full<Bytes>>;

/// A whole answer of HTML that loads nothing.
pub(crate) fn html(body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}

/// A whole answer of JSON.
pub(crate) fn json(body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
