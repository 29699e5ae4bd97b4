//! The seam: hyper serves a connection until a request on it is answered with a stream, then lets go of the I/O.
//!
//! Such a request is declined: the service fails, so hyper writes nothing and ends, with all earlier answers flushed.
//! The server of the stream then writes the answer's head as its first bytes. The bytes that the client sent behind
//! that request are never read as HTTP; those that hyper had read are dropped. `tests/it/request_shapes.rs` and
//! `tests/process/hostile/` hold this against hyper.

use super::{
    answer::Outcome, awaited::Awaited, handler::RequestHandler, peer::Peer, places::Place, response::Response,
    shutdown::ShutdownSignal, streams::Streams,
};
use http::{HeaderValue, Request, header};
use hyper::{
    body::Incoming,
    server::conn::http1::{self, Builder},
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until},
};

/// hyper refuses a smaller buffer.
const BUFFER_BYTES_MIN: usize = 8 * 1024;
/// How long an idle connection that has to give way may take to end: a request may have been on its way.
const LEAVING_MAX: Duration = Duration::from_millis(250);

/// What is left of a connection that hyper has served.
pub(super) struct Served<I, A> {
    /// Every whole answer is flushed.
    pub(super) io: I,
    /// How it ended, which says nothing where a stream was admitted.
    pub(super) ended: Ended,
    /// The stream that its last request was answered with.
    pub(super) stream: Option<A>,
}

/// How a connection ended.
pub(super) enum Ended {
    /// hyper ended it.
    ByItself(hyper::Result<()>),
    /// It gave way to another, between two requests.
    GaveWay,
    /// It had to give way in a request.
    Cut,
}

/// Where the declining service leaves the stream for the task that drives the connection. A std mutex: held for a move.
type Handoff<A> = Arc<Mutex<Option<A>>>;

/// HTTP/1.1 as every connection speaks it.
pub(super) fn builder(head_timeout: Duration, head_bytes: usize) -> Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_buf_size(head_bytes.max(BUFFER_BYTES_MIN));
    // A client may close its sending side behind its last request and still wait for the answer.
    builder.half_close(true);
    builder
}

/// Serves a connection to its end, or to its first stream.
pub(super) async fn serve<I, S>(
    http: &Builder,
    io: I,
    handler: Arc<RequestHandler<S>>,
    peer: Peer,
    place: &Arc<Place>,
    mut shutdown: ShutdownSignal,
) -> Served<I, S::Admitted>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Streams,
{
    let handoff = Handoff::default();
    let declining = Declining { handler, peer, place: place.clone(), handoff: handoff.clone() };
    let mut connection = http.serve_connection(TokioIo::new(io), declining);
    let mut is_ending = false;
    let mut cut_at = None;
    let ended = loop {
        tokio::select! {
            // The connection comes first: a head that has arrived is read before its client is judged.
            biased;
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                break if cut_at.is_some() { Ended::GaveWay } else { Ended::ByItself(ended) };
            }
            () = shutdown.wait(), if !is_ending => is_ending = true,
            () = place.evicted(), if cut_at.is_none() => {
                is_ending = true;
                cut_at = Some(Instant::now() + if place.may_finish() { LEAVING_MAX } else { Duration::ZERO });
            }
            () = sleep_until(cut_at.unwrap_or_else(Instant::now)), if cut_at.is_some() => break Ended::Cut,
        }
        if is_ending {
            Pin::new(&mut connection).graceful_shutdown();
        }
    };
    let io = connection.into_parts().io.into_inner();
    let stream = handoff.lock().unwrap_or_else(PoisonError::into_inner).take();
    Served { io, ended, stream }
}

/// A service that fails where the answer is a stream.
struct Declining<S: Streams> {
    handler: Arc<RequestHandler<S>>,
    peer: Peer,
    place: Arc<Place>,
    handoff: Handoff<S::Admitted>,
}

#[derive(Debug, thiserror::Error)]
#[error("declined: this request is answered with a stream, and hyper writes nothing")]
struct Declined;

impl<S: Streams> Service<Request<Incoming>> for Declining<S> {
    type Response = Response;
    type Error = Declined;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Declined>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let handler = self.handler.clone();
        let peer = self.peer;
        let place = self.place.clone();
        let handoff = self.handoff.clone();
        Box::pin(async move {
            place.request();
            let outcome = handler.answer(request.map(|body| Awaited::new(body, place.clone())), peer).await;
            place.answered();
            match outcome {
                Outcome::Whole(response) => Ok(response),
                Outcome::InsteadOfStream(mut response) => {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                    Ok(response)
                }
                Outcome::Stream(stream) => {
                    *handoff.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
                    Err(Declined)
                }
            }
        })
    }
}
