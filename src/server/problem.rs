//! Why a request is not answered, as a problem document (RFC 9457) that says what to change.

use super::{
    request_id::{self, RequestId},
    response::Response,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::fmt;

/// How many characters of a client's string a problem repeats.
const QUOTED_CHARACTERS_MAX: usize = 40;

/// A problem. Each layer makes it from its own error enum, which decides status, kind and title in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The answer's status.
    pub(crate) status: StatusCode,
    /// The last part of the document's `type`. Clients compare it, so it never changes.
    pub(crate) kind: &'static str,
    /// The document's `title`: the same for every problem of this kind.
    pub(crate) title: &'static str,
    /// The document's `detail`: what to change.
    pub(crate) detail: String,
    /// The key of the limit that the request is over: the log names it, for the operator who may raise it.
    pub(crate) limit: Option<&'static str>,
    /// A header that this answer needs beside those of every answer.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
    /// Why the request's credentials do not count, for the log.
    pub(crate) refused: Option<Box<Refused>>,
}

/// Why credentials do not count. It holds nothing of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The label of the metric.
    pub(crate) reason: &'static str,
    /// The claim of the token that it is about.
    pub(crate) claim: Option<&'static str>,
    /// What the configuration expects that claim to be.
    pub(crate) expected: Option<String>,
}

impl Problem {
    /// A problem without a limit, a header of its own, or credentials that do not count.
    pub(crate) fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: String) -> Self {
        Self { status, kind, title, detail, limit: None, header: None, refused: None }
    }

    /// The answer with the document.
    pub(super) fn into_response(self, id: RequestId) -> Response {
        let document = serde_json::json!({
            "type": format!("urn:tickfan:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "request_id": id.to_string(),
        });
        let mut response = Response::new(document.to_string().into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.header);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(request_id::HEADER, id.header());
        response
    }
}

/// A string from a client, truncated to a length that a person can read, its control characters replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quoted(String);

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        Self::up_to(text, QUOTED_CHARACTERS_MAX)
    }

    /// With a limit of its own.
    pub(crate) fn up_to(text: &str, characters_max: usize) -> Self {
        let mut characters = text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character });
        let mut quoted: String = characters.by_ref().take(characters_max).collect();
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
