//! Why a request is rejected, whichever listener it came to.

use super::problem::{Problem, Quoted};
use http::{HeaderValue, Method, StatusCode, header};

/// What is wrong with a request. The message is the document's `detail`: it says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("limit={value} is not a number from 1 to {max}.")]
    BadLimit { value: Quoted, max: usize },
    #[error("{name} is not a parameter of this path. It takes {takes}.{hint}")]
    UnknownParameter { name: Quoted, hint: String, takes: String },
    #[error("Give {name} once: it takes one value.")]
    RepeatedParameter { name: &'static str },
    #[error("Send the request without a body: this path takes none, or its length is not announced.")]
    Body,
    #[error("Send exactly one Host header, with the name that this gateway is reached by.")]
    BadHost,
    #[error("This gateway does not answer to the name {host}. The operator adds names to `hosts` under [server].")]
    UnknownHost { host: Quoted },
    #[error("There is nothing at this path.{} The routes are {routes}.", hint(*meant, *elsewhere))]
    NotFound { routes: String, meant: Option<&'static str>, elsewhere: Option<&'static str> },
    #[error("Use GET: nothing here can be written to.")]
    MethodNotAllowed,
    #[error("Use POST.")]
    PostOnly,
    #[error("Use {}.", list(methods, " or "))]
    NotOf { methods: &'static [Method] },
    #[error("Shorten path and query to {limit} bytes; split a list of symbols over several requests.")]
    UriTooLong { limit: usize },
}

/// The names of methods.
fn list(methods: &[Method], between: &str) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(between)
}

/// The value of `Allow`.
pub(super) fn allow(methods: &[Method]) -> HeaderValue {
    HeaderValue::try_from(format!("{}, OPTIONS", list(methods, ", "))).expect("names of methods are a header's value")
}

/// What a person may have meant.
fn hint(meant: Option<&str>, elsewhere: Option<&str>) -> String {
    let meant = meant.map(|path| format!(" Did you mean {path}?"));
    let elsewhere = elsewhere.map(|place| format!(" {place}"));
    elsewhere.or(meant).unwrap_or_default()
}

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        let (status, kind, title) = match &error {
            RequestError::BadLimit { .. } => (StatusCode::BAD_REQUEST, "bad-limit", "Bad limit"),
            RequestError::UnknownParameter { .. } => {
                (StatusCode::BAD_REQUEST, "unknown-parameter", "Unknown parameter")
            }
            RequestError::RepeatedParameter { .. } => {
                (StatusCode::BAD_REQUEST, "repeated-parameter", "Repeated parameter")
            }
            RequestError::Body => (StatusCode::BAD_REQUEST, "body", "A body where none is taken"),
            RequestError::BadHost => (StatusCode::BAD_REQUEST, "bad-host", "Bad Host header"),
            RequestError::UnknownHost { .. } => (StatusCode::MISDIRECTED_REQUEST, "unknown-host", "Unknown host"),
            RequestError::NotFound { .. } => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            RequestError::MethodNotAllowed | RequestError::PostOnly | RequestError::NotOf { .. } => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            RequestError::UriTooLong { .. } => (StatusCode::URI_TOO_LONG, "uri-too-long", "Path and query too long"),
        };
        let header = match &error {
            RequestError::MethodNotAllowed => Some((header::ALLOW, allow(&[Method::GET, Method::HEAD]))),
            RequestError::PostOnly => Some((header::ALLOW, allow(&[Method::POST]))),
            RequestError::NotOf { methods } => Some((header::ALLOW, allow(methods))),
            _ => None,
        };
        let limit = matches!(error, RequestError::UriTooLong { .. }).then_some("head_bytes");
        Self { limit, header, ..Self::new(status, kind, title, error.to_string()) }
    }
}
