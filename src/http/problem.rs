//! What is wrong with a request, as a problem document (RFC 9457) that says what to change.

use super::request_id::{self, RequestId};
use crate::market::SymbolError;
use http::{HeaderValue, StatusCode, header};
use std::fmt;
use warp::reply::Response;

/// The methods that every route answers.
pub(crate) const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// How much of a client's text a problem repeats, in characters.
const QUOTED_CHARACTERS_MAX: usize = 40;

/// Why a request is not answered. Its text is the document's `detail`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("Name at least one symbol: ?symbols=AAPL,MSFT. GET /v1/symbols lists them.")]
    NoSymbols,
    #[error("{text} is no symbol: {why}.")]
    BadSymbol { text: Quoted, why: SymbolError },
    #[error("Ask for at most {limit} symbols at a time; split the list over several requests.")]
    TooManySymbols { limit: usize },
    #[error("No feed has any of these symbols. GET /v1/symbols lists those that can be asked for.")]
    NoneKnown,
    #[error("limit={text} is not a number from 1 to {max}.")]
    BadLimit { text: Quoted, max: usize },
    #[error("{name}={text} is not what it takes: {takes}.")]
    BadOption { name: &'static str, text: Quoted, takes: &'static str },
    #[error("Send no body: no route takes one.")]
    Body,
    #[error("Send exactly one Host header, with the name that this gateway is reached by.")]
    BadHost,
    #[error("This gateway does not answer to the name {host}. The operator adds names to `hosts` under [server].")]
    UnknownHost { host: Quoted },
    #[error("There is nothing at this path. See /v1/stream, /v1/quotes and /v1/symbols.")]
    NotFound,
    #[error("Use GET: nothing here can be written to.")]
    MethodNotAllowed,
    #[error("Accept text/event-stream: a stream comes as nothing else. GET /v1/quotes answers with JSON.")]
    NotAcceptable,
    #[error("Shorten path and query to {limit} bytes; split the list of symbols over several requests.")]
    UriTooLong { limit: usize },
}

impl Problem {
    /// The status, the last part of the document's `type`, and the title.
    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoSymbols => (StatusCode::BAD_REQUEST, "no-symbols", "No symbols"),
            Self::BadSymbol { .. } => (StatusCode::BAD_REQUEST, "bad-symbol", "Not a symbol"),
            Self::TooManySymbols { .. } => (StatusCode::BAD_REQUEST, "too-many-symbols", "Too many symbols"),
            Self::BadOption { .. } => (StatusCode::BAD_REQUEST, "bad-option", "Bad option"),
            Self::BadLimit { .. } => (StatusCode::BAD_REQUEST, "bad-limit", "Bad limit"),
            Self::Body => (StatusCode::BAD_REQUEST, "body", "A body where none is taken"),
            Self::BadHost => (StatusCode::BAD_REQUEST, "bad-host", "Bad Host header"),
            Self::NoneKnown => (StatusCode::NOT_FOUND, "no-such-symbol", "No such symbol"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable"),
            Self::UriTooLong { .. } => (StatusCode::URI_TOO_LONG, "uri-too-long", "Path and query too long"),
            Self::UnknownHost { .. } => (StatusCode::MISDIRECTED_REQUEST, "unknown-host", "Unknown host"),
        }
    }

    /// The last part of the document's `type`.
    pub(super) fn kind(&self) -> &'static str {
        self.class().1
    }

    /// The answer that tells it, but for the document: that holds the request's id, and whoever knows it
    /// [writes](Self::write_to) it.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::default();
        *response.status_mut() = self.class().0;
        let headers = response.headers_mut();
        match self {
            Self::MethodNotAllowed => drop(headers.insert(header::ALLOW, METHODS)),
            // Where a body of unknown length follows, the next request cannot be told from it.
            Self::Body => drop(headers.insert(header::CONNECTION, HeaderValue::from_static("close"))),
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }

    /// Writes the document into the answer.
    pub(super) fn write_to(&self, response: &mut Response, id: RequestId) {
        let (status, kind, title) = self.class();
        let document = serde_json::json!({
            "type": format!("urn:tickfan:problem:{kind}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.to_string(),
            "request_id": id.to_string(),
        });
        *response.body_mut() = document.to_string().into();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(request_id::HEADER, id.header());
    }
}

/// A client's text, cut to a length that a person can read and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quoted(String);

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        let mut characters = text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character });
        let mut quoted: String = characters.by_ref().take(QUOTED_CHARACTERS_MAX).collect();
        if characters.next().is_some() {
            quoted.push('…');
        }
        Self(quoted)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{201c}{}\u{201d}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_text_is_quoted_short_and_without_control_characters() {
        for (text, quoted) in [
            ("aa pl", "“aa pl”".to_owned()),
            ("a\r\nevent: x\0", "“a\u{fffd}\u{fffd}event: x\u{fffd}”".to_owned()),
            (&"ä".repeat(40), format!("“{}”", "ä".repeat(40))),
            (&"ä".repeat(41), format!("“{}…”", "ä".repeat(40))),
        ] {
            assert_eq!(Quoted::new(text).to_string(), quoted);
        }
    }
}
