//! How a route answers, and what of it goes out.

use super::{problem::Problem, response::Response};
use http::StatusCode;

/// How a route answers a request. `S` is what it takes to open a stream; on a listener without streams it has no
/// values.
pub(crate) enum Answer<S> {
    /// With all of it at once. hyper writes it.
    Whole(Response),
    /// With a problem document, which the request handler writes: it knows the request's id.
    Problem(Problem),
    /// With a stream on the request's own connection, if it is admitted.
    Stream(S),
}

impl<S> Answer<S> {
    /// A whole answer, or why there is none.
    pub(crate) fn whole<E: Into<Problem>>(answer: Result<Response, E>) -> Self {
        answer.map_or_else(|problem| Self::Problem(problem.into()), Self::Whole)
    }
}

/// What goes out on a request's connection.
pub(crate) enum Outcome<A> {
    /// A whole answer: hyper writes it, and reads the next request.
    Whole(Response),
    /// A whole answer in the place of a stream: where a stream takes its connection with it, the connection ends with
    /// this answer too.
    InsteadOfStream(Response),
    /// An admitted stream: hyper lets go of the connection, and nothing of the answer is written yet.
    Stream(A),
}

impl<A> Outcome<A> {
    /// The status that the client sees.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Whole(response) | Self::InsteadOfStream(response) => response.status(),
            Self::Stream(_) => StatusCode::OK,
        }
    }
}
