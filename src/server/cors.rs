//! Which sites' pages may read the answers. Credentials are allowed to listed origins alone, and only where clients
//! sign on.

use super::{request_id, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts, uri::Authority};

/// The methods of all routes.
const REQUEST_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS");
/// The headers that a page may send beside those that need no permission: a polyfill or a fetch-based client sends the
/// id itself, and its credentials.
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("last-event-id, cache-control, authorization, content-type, traceparent");
/// The headers that a page may read beside those that need no permission.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-request-id, retry-after");
/// The entry of the list that stands for every origin.
const ANY: &str = "*";
/// How long a browser may cache the permission, in seconds: two hours, the most that Chromium accepts.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// The origins whose pages may read the answers, as a browser writes them: `https://app.example.com`, or
/// `https://*.example.com` for every name below. `*` lets the pages of all others read them, without credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cors<'a>(pub(crate) &'a [String]);

impl Cors<'_> {
    /// Adds the headers that say whether the page may read the answer, and its request's id. `credentials`: clients
    /// sign on, so a listed page may send its cookie along.
    pub(crate) fn permit(self, origin: Option<&HeaderValue>, credentials: bool, answer: &mut HeaderMap) {
        if answer.contains_key(request_id::HEADER) {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        let has_any = self.0.iter().any(|origin| origin == ANY);
        if !has_any || self.0.iter().any(|origin| origin != ANY) {
            // Also if the origin is not listed: a shared cache must not give one origin's answer to another.
            answer.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = origin.filter(|origin| is_listed(origin, self.0)) {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            if credentials {
                answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        } else if has_any {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static(ANY));
        }
    }

    /// The origin of a page that asks for something and may not read the answer, for the log: its browser shows it to
    /// the page's author alone. A page of this gateway sends its origin with methods that write, and Chromium also with
    /// requests for module scripts.
    pub(crate) fn refused(self, head: &Parts) -> Option<&str> {
        let origin = head.headers.get(header::ORIGIN);
        let origin = origin.filter(|_| matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS))?;
        let is_own = head.headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
            || is_ours(origin, &head.headers, &head.uri);
        let is_permitted = is_own || self.0.iter().any(|listed| listed == ANY) || is_listed(origin, self.0);
        if is_permitted { None } else { Some(origin.to_str().unwrap_or("not ASCII")) }
    }

    /// The answer to `OPTIONS`: the methods of the path, and the headers that a page may send.
    pub(crate) fn preflight(allowed: HeaderValue) -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, allowed);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, REQUEST_METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        headers.insert(header::VARY, PREFLIGHT_VARY);
        response
    }
}

/// Whether an origin is one of those listed, or a name below one of them. Origins are compared as strings, as the
/// browser compares the answer's.
pub(crate) fn is_listed(origin: &HeaderValue, listed: &[String]) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    // `*` stands for all without their credentials: it lists none.
    listed.iter().filter(|entry| *entry != ANY).any(|entry| match entry.split_once("*") {
        Some((scheme, parent)) => {
            let label = origin.strip_prefix(scheme).and_then(|rest| rest.strip_suffix(parent));
            label.is_some_and(|label| !label.is_empty() && label.bytes().all(is_of_a_name))
        }
        None => entry == origin,
    })
}

/// Whether an origin has the name and the port that the request was sent to. Its scheme may be that of a proxy.
pub(crate) fn is_ours(origin: &HeaderValue, headers: &HeaderMap, uri: &Uri) -> bool {
    let Some((_, origin)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(uri.authority().map(Authority::as_str));
    host.is_some_and(|host| host.eq_ignore_ascii_case(origin))
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
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
            (&["*", app], Some(app), Some(app), true),
            (&["*", app], Some("https://any.example"), Some("*"), true),
            (&["https://*.example.com", "*"], None, Some("*"), true),
            (&[app], Some(app), Some(app), true),
            (&["https://*.example.com"], Some(app), Some(app), true),
            (&["https://*.example.com"], Some("https://a.b.example.com"), Some("https://a.b.example.com"), true),
            (&["https://*.example.com"], Some("https://example.com"), None, true),
            (&["https://*.example.com"], Some("https://.example.com"), None, true),
            (&["https://*.example.com"], Some("http://app.example.com"), None, true),
            (&["https://*.example.com"], Some("https://app.example.com:8443"), None, true),
            (&["https://*.example.com"], Some("https://evil.example/.example.com"), None, true),
            (&["https://*.example.com"], Some("https://evilexample.com"), None, true),
            (
                &["https://*.example.com:8443"],
                Some("https://app.example.com:8443"),
                Some("https://app.example.com:8443"),
                true,
            ),
            (&[app], Some("https://app.example.com.evil.example"), None, true),
            (&[app], Some("http://app.example.com"), None, true),
            (&[app], Some("null"), None, true),
            (&[app], None, None, true),
            (&[], Some(app), None, true),
        ] {
            let listed = listed.iter().map(ToString::to_string).collect::<Vec<_>>();
            let cors = Cors(&listed);
            let mut answer = HeaderMap::new();
            let origin = origin.map(HeaderValue::from_static);
            cors.permit(origin.as_ref(), false, &mut answer);
            assert_eq!(answer.get("access-control-allow-origin").map(|value| value.to_str().unwrap()), permitted);
            assert_eq!(answer.contains_key("vary"), varies, "{listed:?}");
            assert!(!answer.contains_key("access-control-allow-credentials"));
            assert!(!answer.contains_key("access-control-expose-headers"));
            let mut answer = HeaderMap::new();
            answer.insert("x-request-id", HeaderValue::from_static("5f"));
            cors.permit(origin.as_ref(), true, &mut answer);
            let may_send_cookies = permitted.is_some_and(|permitted| permitted != "*");
            assert_eq!(answer.contains_key("access-control-allow-credentials"), may_send_cookies, "{listed:?}");
            assert_eq!(answer["access-control-expose-headers"], "x-request-id, retry-after");
            let is_one_of_them = origin.is_some_and(|origin| is_listed(&origin, &listed));
            assert_eq!(is_one_of_them, may_send_cookies, "{listed:?}");
        }
    }

    #[test]
    fn a_page_that_may_not_read_the_answer_is_told_to_the_operator() {
        const APP: &str = "https://app.example.com";
        let app = ("origin", APP);
        let own = ("host", "app.example.com");
        let same_origin = ("sec-fetch-site", "same-origin");
        for (listed, method, fields, refused) in [
            (&["https://other.example.com"][..], Method::OPTIONS, &[app][..], Some(APP)),
            (&["https://other.example.com"], Method::GET, &[app], Some(APP)),
            (&[], Method::OPTIONS, &[app], Some(APP)),
            (&[], Method::GET, &[app, ("host", "app.example.com:8443"), ("sec-fetch-site", "same-site")], Some(APP)),
            // The gateway's own page may post, and loads module scripts.
            (&[], Method::POST, &[app], None),
            (&[], Method::GET, &[app, own], None),
            (&[], Method::GET, &[app, ("host", "behind.a.proxy"), same_origin], None),
            (&[], Method::GET, &[own], None),
            (&["*"], Method::OPTIONS, &[app], None),
            (&["https://*.example.com"], Method::OPTIONS, &[app], None),
        ] {
            let listed = listed.iter().map(ToString::to_string).collect::<Vec<_>>();
            let mut request = http::Request::builder().method(&method);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(Cors(&listed).refused(&head), refused, "{listed:?} {method} {fields:?}");
        }
    }
}
