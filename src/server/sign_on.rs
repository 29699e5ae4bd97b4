//! What a listener needs to know what its clients may read.

use super::{problem::Problem, request::Rights};
use crate::config::Config;
use futures_util::future::BoxFuture;
use http::request::Parts;

/// Reads and verifies the credentials of requests.
pub(crate) trait SignOn: Send + Sync {
    /// What the client of a request may read. It is asked before the request is routed, and only where clients sign on.
    ///
    /// # Errors
    /// The answer to a request whose credentials do not count.
    fn rights<'a>(&'a self, head: &'a Parts, config: &'a Config) -> BoxFuture<'a, Result<Rights, Problem>>;
}
