//! A routed request, as a route's function gets it.

use super::{problem::Quoted, request_error::RequestError};
use http::HeaderMap;

/// The parameters of a query, decoded, in order.
pub(crate) type Parameters = Vec<(String, String)>;

/// What a route's function sees of a request.
pub(crate) struct Request {
    /// The decoded last segment of the path, where the route's pattern leaves it open; otherwise empty. A sequence that
    /// is not UTF-8 becomes U+FFFD, which no symbol contains.
    pub(crate) segment: String,
    /// The query. Parameters that the route does not know are ignored: v1 grows by adding.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
}

/// A request's query.
#[derive(Debug, Default)]
pub(crate) struct Query(Parameters);

impl From<Parameters> for Query {
    fn from(parameters: Parameters) -> Self {
        Self(parameters)
    }
}

impl Query {
    /// The first value of a parameter.
    pub(crate) fn first(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may come more than once, in order.
    pub(crate) fn all<'a>(&'a self, wanted: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// How many entries a list is to have, by `limit=`.
    ///
    /// # Errors
    /// [`RequestError::BadLimit`].
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, RequestError> {
        let Some(value) = self.first("limit") else { return Ok(default) };
        let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| RequestError::BadLimit { value: Quoted::new(value), max })
    }
}
