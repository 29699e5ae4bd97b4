//! A routed request, as a route's function gets it.

use super::{body::RequestBody, problem::Quoted, request_error::RequestError};
use crate::{
    auth::{Grant, Subject},
    limits::ClientAddress,
    suggest::nearest,
};
use http::{HeaderMap, Method};
use std::sync::Arc;

/// The parameters of a query, decoded, in order.
pub(crate) type Parameters = Vec<(String, String)>;

/// What a route's function sees of a request.
pub(crate) struct Request {
    /// The decoded last segment of the path, where the route's pattern leaves it open; otherwise empty. A sequence that
    /// is not UTF-8 becomes U+FFFD, which no symbol contains.
    pub(crate) segment: String,
    /// The query. A route that reads it [checks](Query::check) first that it knows all parameters.
    pub(crate) query: Query,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body, on a route that takes one.
    pub(crate) body: RequestBody,
    /// The method, for a route that answers several.
    pub(crate) method: Method,
    /// What its client may read.
    pub(crate) rights: Rights,
    /// Its client; `None` in tests.
    pub(crate) client: Option<ClientAddress>,
}

/// What the client of a request may read.
#[derive(Debug, Clone)]
pub(crate) enum Rights {
    /// All: clients do not sign on.
    All,
    /// What the grant says.
    Granted(Arc<Grant>),
    /// It cannot be said yet: the keys that verify its token are not there.
    Unknown,
}

impl Rights {
    /// Whose they are; `None`: of a client that does not sign on.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Granted(grant) => grant.subject,
            Self::All | Self::Unknown => None,
        }
    }
}

/// What other gateways call a token in a query.
const TOKENS: [&str; 6] = ["token", "access_token", "auth_token", "jwt", "bearer", "authorization"];

/// A parameter that a route reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parameter {
    /// It has one value, and comes once.
    Scalar(&'static str),
    /// It is a list, and may come more than once: the lists add up.
    List(&'static str),
    /// Another name for a scalar, which a client library uses. Problems do not offer it.
    Alias(&'static str),
}

impl Parameter {
    fn name(self) -> &'static str {
        let (Self::Scalar(name) | Self::List(name) | Self::Alias(name)) = self;
        name
    }
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
    /// Checks that the route reads every parameter: one that it dropped in silence would change what the client gets.
    ///
    /// # Errors
    /// [`RequestError::UnknownParameter`], [`RequestError::RepeatedParameter`].
    pub(crate) fn check(&self, known: &[Parameter]) -> Result<(), RequestError> {
        let is_unknown = |name: &str| known.iter().all(|parameter| parameter.name() != name);
        if let Some((name, _)) = self.0.iter().find(|(name, _)| is_unknown(name)) {
            let offered = known.iter().filter(|parameter| !matches!(parameter, Parameter::Alias(_)));
            let offered: Vec<_> = offered.map(|parameter| parameter.name()).collect();
            // Some libraries mark a list with brackets: `symbols[]=A&symbols[]=B`.
            let bare = name.split('[').next().unwrap_or_default().trim();
            let meant = nearest(bare, offered.iter().copied());
            let hint = if TOKENS.contains(&name.as_str()) {
                " A token in a URL does not count: send it as `Authorization: Bearer <token>`.".to_owned()
            } else {
                meant.map_or_else(String::new, |meant| format!(" Did you mean {meant}?"))
            };
            let takes = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
            return Err(RequestError::UnknownParameter { name: Quoted::new(name), hint, takes });
        }
        let is_repeated = |parameter: &&Parameter| {
            !matches!(parameter, Parameter::List(_)) && self.all(parameter.name()).nth(1).is_some()
        };
        match known.iter().find(is_repeated) {
            Some(parameter) => Err(RequestError::RepeatedParameter { name: parameter.name() }),
            None => Ok(()),
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_the_query_is_told_where_it_counts_and_is_not_repeated() {
        for name in TOKENS {
            let query =
                Query::from(vec![("symbols".to_owned(), "A".to_owned()), (name.to_owned(), "a.b.c".to_owned())]);
            let error = query.check(&[Parameter::List("symbols")]).unwrap_err().to_string();
            let said = "is not a parameter of this path. It takes symbols. A token in a URL does not count: send it as \
                        `Authorization: Bearer <token>`.";
            assert!(error.contains(said) && !error.contains("a.b.c"), "{error}");
        }
        let query = Query::from(vec![("symbol".to_owned(), "A".to_owned())]);
        let error = query.check(&[Parameter::List("symbols")]).unwrap_err().to_string();
        assert!(error.contains("Did you mean symbols?") && !error.contains("Bearer"), "{error}");
    }
}
