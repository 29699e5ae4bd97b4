//! Which sites' pages may read the answers. Credentials are never allowed: the gateway has none to check.

use super::response::{METHODS, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The headers that a page may send beside those that need no permission: a polyfill or a fetch-based client sends the
/// id itself.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("last-event-id, cache-control");
/// How long a browser may cache the permission, in seconds: two hours, the most that Chromium accepts.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// The origins whose pages may read the answers.
#[derive(Debug, Clone)]
pub(crate) enum Cors {
    /// All.
    Any,
    /// These, as a browser writes them: `https://app.example.com`.
    Only(Vec<HeaderValue>),
}

impl Cors {
    /// `*` among them allows every origin. An origin that no browser can send is left out: it could never match.
    pub(crate) fn new(origins: &[String]) -> Self {
        if origins.iter().any(|origin| origin == "*") {
            return Self::Any;
        }
        Self::Only(
            origins.iter().filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok()).collect(),
        )
    }

    /// Adds the headers that say whether the page may read the answer.
    pub(crate) fn permit(&self, origin: Option<&HeaderValue>, answer: &mut HeaderMap) {
        match self {
            Self::Any => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Self::Only(origins) => {
                // Also if the origin is not listed: a shared cache must not give one origin's answer to another.
                answer.append(header::VARY, HeaderValue::from_static("origin"));
                if let Some(origin) = origin.filter(|origin| origins.contains(origin)) {
                    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
    }

    /// The answer to `OPTIONS`: the methods and headers that a page may send.
    pub(crate) fn preflight() -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        headers.insert(header::VARY, PREFLIGHT_VARY);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_permitted_only_if_it_is_listed_whole() {
        let app = "https://app.example.com";
        for (listed, origin, permitted, varies) in [
            (&["*"][..], Some("https://any.example"), Some("*"), false),
            (&["*"], None, Some("*"), false),
            (&[app], Some(app), Some(app), true),
            (&["https://app.example.com/"], Some(app), Some(app), true),
            (&[app], Some("https://app.example.com.evil.example"), None, true),
            (&[app], Some("http://app.example.com"), None, true),
            (&[app], Some("null"), None, true),
            (&[app], None, None, true),
            (&[], Some(app), None, true),
        ] {
            let cors = Cors::new(&listed.iter().map(ToString::to_string).collect::<Vec<_>>());
            let mut answer = HeaderMap::new();
            cors.permit(origin.map(HeaderValue::from_static).as_ref(), &mut answer);
            assert_eq!(answer.get("access-control-allow-origin").map(|value| value.to_str().unwrap()), permitted);
            assert_eq!(answer.contains_key("vary"), varies, "{listed:?}");
            assert!(!answer.contains_key("access-control-allow-credentials"));
        }
    }
}
