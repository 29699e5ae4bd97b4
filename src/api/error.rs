//! Why a client's request for symbols or a stream is rejected.

use crate::{
    access::Refusal,
    market::SymbolError,
    server::{BodyError, Problem, Quoted, RequestError},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

/// What is wrong with a request. The message is the document's `detail`: it says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    #[error("Name at least one symbol: ?symbols=AAPL,MSFT. GET /v1/symbols lists them.")]
    NoSymbols,
    #[error("Name at least one symbol: {{\"symbols\":[\"AAPL\",\"MSFT\"]}}. To end the stream, close its connection.")]
    EmptyList,
    #[error("{name} is not a symbol: {why}.")]
    BadSymbol { name: Quoted, why: SymbolError },
    #[error("Ask for at most {limit} symbols at a time; split the list over several requests.")]
    TooManySymbols { limit: usize },
    #[error("No feed has any of these symbols. GET /v1/symbols lists those that can be asked for.")]
    NoneKnown,
    #[error(
        "No stream has any of these symbols right now. A feed subscribes them when one asks: GET /v1/stream?symbols=…"
    )]
    NotSubscribed,
    #[error("{name}={value} is out of range or malformed. It takes {takes}.")]
    BadOption { name: &'static str, value: Quoted, takes: &'static str },
    #[error("Accept text/event-stream: a stream has no other format. GET /v1/quotes answers with JSON.")]
    NotAcceptable,
    #[error("Accept this file as it is, or in gzip, br or zstd: Accept-Encoding rules all of these out.")]
    NoCoding,
    #[error("This gateway keeps no history. Its operator turns it on by `keep` under [history].")]
    NoHistory,
    #[error(
        "This gateway does not have the dictionary, or compresses no streams. GET /v1/dictionary leads to the one that it has."
    )]
    NoDictionary,
    #[error("This gateway does not have the stream. Open a new one.")]
    NoSuchStream,
    #[error("This stream has had change {last}. Send the whole list with a higher rev.")]
    OldRevision { last: u64 },
    #[error("Change a stream at most 10 times a second.")]
    TooManyChanges,
    #[error("All streams together, or those of this client, have as many symbols as they may. Ask for fewer.")]
    NoRoomForList,
    #[error("More of your streams are open than these credentials allow. Close some first.")]
    TooManyStreams,
    #[error("Too many changes are under way. Try again in a second.")]
    ChangesBusy,
    #[error("The stream's worker did not answer in time. The change may still come; send it again with a higher rev.")]
    NoReply,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// When a client that has done nothing wrong may try again.
fn retry_after(error: &ApiError) -> Option<(HeaderName, HeaderValue)> {
    let seconds = match error {
        ApiError::TooManyChanges | ApiError::ChangesBusy | ApiError::NoReply => "1",
        ApiError::NoRoomForList | ApiError::TooManyStreams => "10",
        _ => return None,
    };
    Some((header::RETRY_AFTER, HeaderValue::from_static(seconds)))
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let (status, kind, title) = match &error {
            ApiError::Request(error) => return error.clone().into(),
            ApiError::Body(error) => return error.clone().into(),
            ApiError::Refused(refusal) => {
                refusal.count();
                return (*refusal).into();
            }
            ApiError::NoSymbols | ApiError::EmptyList => (StatusCode::BAD_REQUEST, "no-symbols", "No symbols"),
            ApiError::BadSymbol { .. } => (StatusCode::BAD_REQUEST, "bad-symbol", "Not a symbol"),
            ApiError::TooManySymbols { .. } => (StatusCode::BAD_REQUEST, "too-many-symbols", "Too many symbols"),
            ApiError::NoneKnown | ApiError::NotSubscribed => {
                (StatusCode::NOT_FOUND, "no-such-symbol", "No such symbol")
            }
            ApiError::BadOption { .. } => (StatusCode::BAD_REQUEST, "bad-option", "Bad option"),
            ApiError::NotAcceptable | ApiError::NoCoding => {
                (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable")
            }
            ApiError::NoHistory => (StatusCode::NOT_FOUND, "no-history", "No history"),
            ApiError::NoDictionary => (StatusCode::NOT_FOUND, "no-such-dictionary", "No such dictionary"),
            ApiError::NoSuchStream => (StatusCode::NOT_FOUND, "no-such-stream", "No such stream"),
            ApiError::OldRevision { .. } => (StatusCode::CONFLICT, "old-revision", "Old revision"),
            ApiError::TooManyChanges => (StatusCode::TOO_MANY_REQUESTS, "too-many-changes", "Too many changes"),
            ApiError::NoRoomForList => (StatusCode::TOO_MANY_REQUESTS, "too-many-subscriptions", "Too many symbols"),
            ApiError::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "too-many-streams", "Too many streams"),
            ApiError::ChangesBusy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
            ApiError::NoReply => (StatusCode::SERVICE_UNAVAILABLE, "no-reply", "No reply"),
        };
        let limit = matches!(error, ApiError::TooManySymbols { .. }).then_some("symbols_per_stream");
        Self { limit, header: retry_after(&error), ..Self::new(status, kind, title, error.to_string()) }
    }
}
