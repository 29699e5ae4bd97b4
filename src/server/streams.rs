//! What a listener needs to answer with streams.

use super::{answer::Outcome, response::Response};
use crate::telemetry::ClientName;
use std::convert::Infallible;

/// Opens a listener's streams.
///
/// A request for a stream passes it twice: [`admit`](Self::admit) decides while hyper still holds the connection, and
/// [`open`](OpenStreams::open) takes its I/O over once hyper has let go of it.
pub(crate) trait Streams: Send + Sync + 'static {
    /// What a route answers with where a stream is to be opened.
    type Request: Send + Sync + 'static;
    /// A stream that is admitted: all that it needs but its I/O.
    type Admitted: Send + 'static;

    /// The answer that becomes this stream, without its body. HEAD gets it as it is.
    fn head(&self, request: &Self::Request) -> Response;

    /// Admits a stream, or answers its request as a whole. `head` is [`Streams::head`] with the headers that every
    /// answer has.
    fn admit(&self, request: Self::Request, client: ClientName, head: Response) -> Outcome<Self::Admitted>;
}

/// Streams that can be opened on connections of one kind of I/O.
pub(crate) trait OpenStreams<I>: Streams {
    /// Takes over the I/O of an admitted stream. Nothing of the answer is written on it yet.
    fn open(&self, io: I, stream: Self::Admitted);
}

/// For a listener without streams: its routes cannot make a request for one.
pub(crate) struct NoStreams;

impl Streams for NoStreams {
    type Request = Infallible;
    type Admitted = Infallible;

    fn head(&self, request: &Infallible) -> Response {
        match *request {}
    }

    fn admit(&self, request: Infallible, _: ClientName, _: Response) -> Outcome<Infallible> {
        match request {}
    }
}

impl<I> OpenStreams<I> for NoStreams {
    fn open(&self, _: I, stream: Infallible) {
        match stream {}
    }
}
