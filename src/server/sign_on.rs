//! What a listener needs to know what its clients may read.

use super::{problem::Problem, request::Rights};
use crate::config::Config;
use futures_util::future::BoxFuture;
use http::request::Parts;

/// Which credentials a route counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// None: it answers all, and says nothing that needs a right.
    Nothing,
    /// A token in `Authorization`, and no other: a page must prove that it holds the token itself.
    Bearer,
    /// The same, from a page that may use the cookie: it is given one.
    BearerForCookie,
    /// A token in `Authorization` or in the cookie.
    Token,
    /// The same, or a ticket in the query.
    TokenOrTicket,
}

/// Reads and verifies the credentials of requests.
pub(crate) trait SignOn: Send + Sync {
    /// What the client of a request may read, by the credentials that its route asks for. It is asked before the
    /// request is routed, and only where clients sign on.
    ///
    /// # Errors
    /// The answer to a request whose credentials do not count.
    fn rights<'a>(&'a self, head: &'a Parts, asks: Asks, config: &'a Config) -> BoxFuture<'a, Result<Rights, Problem>>;
}
