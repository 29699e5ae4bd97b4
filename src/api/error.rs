//! Why a client's request for symbols or a stream is rejected.

use crate::{
    access::Refusal,
    market::SymbolError,
    server::{Problem, Quoted, RequestError},
};
use http::StatusCode;

/// What is wrong with a request. The message is the document's `detail`: it says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    #[error("Name at least one symbol: ?symbols=AAPL,MSFT. GET /v1/symbols lists them.")]
    NoSymbols,
    #[error("{name} is not a symbol: {why}.")]
    BadSymbol { name: Quoted, why: SymbolError },
    #[error("Ask for at most {limit} symbols at a time; split the list over several requests.")]
    TooManySymbols { limit: usize },
    #[error("No feed has any of these symbols. GET /v1/symbols lists those that can be asked for.")]
    NoneKnown,
    #[error("{name}={value} is out of range or malformed. It takes {takes}.")]
    BadOption { name: &'static str, value: Quoted, takes: &'static str },
    #[error("Accept text/event-stream: a stream has no other format. GET /v1/quotes answers with JSON.")]
    NotAcceptable,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let (status, kind, title) = match &error {
            ApiError::Request(error) => return error.clone().into(),
            ApiError::Refused(refusal) => {
                refusal.count();
                return (*refusal).into();
            }
            ApiError::NoSymbols => (StatusCode::BAD_REQUEST, "no-symbols", "No symbols"),
            ApiError::BadSymbol { .. } => (StatusCode::BAD_REQUEST, "bad-symbol", "Not a symbol"),
            ApiError::TooManySymbols { .. } => (StatusCode::BAD_REQUEST, "too-many-symbols", "Too many symbols"),
            ApiError::NoneKnown => (StatusCode::NOT_FOUND, "no-such-symbol", "No such symbol"),
            ApiError::BadOption { .. } => (StatusCode::BAD_REQUEST, "bad-option", "Bad option"),
            ApiError::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, "not-acceptable", "Not acceptable"),
        };
        let limit = matches!(error, ApiError::TooManySymbols { .. }).then_some("symbols_per_stream");
        Self { status, kind, title, detail: error.to_string(), limit, header: None }
    }
}
