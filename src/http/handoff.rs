//! The seam: hyper serves a connection until a request on it is answered with a stream, then lets go of the socket.
//!
//! Such a request is declined: the service fails, so hyper writes nothing and ends, with all earlier answers flushed.
//! The engine then writes the answer's head as its first bytes. Nothing that the client sent behind that request is
//! read as HTTP any more; what hyper had read of it is dropped. `tests/it/request_shapes.rs` and `tests/process/hostile/`
//! hold this against hyper.

use super::{
    handler::{Answer, RequestHandler, count_request},
    routes::Route,
    shutdown::ShutdownSignal,
    write_deadline::WriteDeadline,
};
use crate::fanout::NewStream;
use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::poll_fn,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use warp::reply::Response;

/// hyper takes no smaller buffer.
const BUFFER_BYTES_MIN: usize = 8 * 1024;
/// How long, and for how many bytes, what a client still sends is read before its socket is closed: closed with unread
/// bytes, a socket resets the connection, and the client may lose the answer that tells it what is wrong.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// How a listener's connections are served.
pub(crate) struct Connections {
    pub(crate) handler: Arc<RequestHandler>,
    /// How long a client may take for a head, and stay silent between two requests.
    pub(crate) head_timeout: Duration,
    /// The longest head.
    pub(crate) head_bytes: usize,
    /// How long a client may take for the answer.
    pub(crate) write_timeout: Duration,
}

/// An accepted stream. Nothing of its answer is written yet.
pub(crate) struct Handoff {
    /// Non-blocking.
    pub(crate) socket: std::net::TcpStream,
    pub(crate) opening: NewStream,
}

/// Where the declining service leaves the stream for whoever drives the connection. A std mutex: held for a move.
type Slot = Arc<Mutex<Option<NewStream>>>;

struct Declining {
    handler: Arc<RequestHandler>,
    peer: IpAddr,
    slot: Slot,
}

#[derive(Debug, thiserror::Error)]
#[error("declined: the engine answers this request, hyper writes nothing")]
struct Declined;

impl Service<Request<Incoming>> for Declining {
    type Response = Response;
    type Error = Declined;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Declined>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (handler, peer, slot) = (self.handler.clone(), self.peer, self.slot.clone());
        Box::pin(async move {
            match handler.answer(request, peer).await {
                Answer::Whole(response) => Ok(response),
                Answer::Stream(opening) => {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(opening);
                    Err(Declined)
                }
            }
        })
    }
}

impl Connections {
    /// Serves a connection to its end, or to its first stream, which is returned.
    ///
    /// # Errors
    /// The socket's, and hyper's about a client that broke HTTP or ran into a timeout. None of them is the gateway's.
    pub(crate) async fn serve(
        &self,
        socket: TcpStream,
        peer: IpAddr,
        mut shutdown: ShutdownSignal,
    ) -> io::Result<Option<Handoff>> {
        let slot = Slot::default();
        let declining = Declining { handler: self.handler.clone(), peer, slot: slot.clone() };
        let io = TokioIo::new(WriteDeadline::new(socket, self.write_timeout));
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_buf_size(self.head_bytes.max(BUFFER_BYTES_MIN))
            .serve_connection(io, declining);
        let ended = tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
            () = shutdown.wait() => {
                Pin::new(&mut connection).graceful_shutdown();
                poll_fn(|cx| connection.poll_without_shutdown(cx)).await
            }
        };
        let socket = connection.into_parts().io.into_inner().into_inner();
        if let Some(opening) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(Some(Handoff { socket: socket.into_std()?, opening }));
        }
        if let Err(error) = &ended {
            count_unreadable(error);
        }
        linger(socket).await;
        ended.map(|()| None).map_err(io::Error::other)
    }
}

/// Counts what hyper answered by itself, without a word to the routes.
fn count_unreadable(error: &hyper::Error) {
    if error.is_parse_too_large() {
        count_request(Route::Unreadable, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    } else if error.is_parse() {
        count_request(Route::Unreadable, StatusCode::BAD_REQUEST);
    }
}

/// Closes a socket so that the client can read what was written.
async fn linger(mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut scratch = [0; 1024];
    let drain = async {
        let mut left = LINGER_BYTES_MAX;
        while let Ok(count @ 1..) = socket.read(&mut scratch).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // Over time or not, the socket is closed.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll};
    use tokio::io::ReadBuf;

    /// A client that never ends, nor pauses: no wait ever comes to its end beside it.
    struct Endless(Arc<Mutex<usize>>);

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            *self.0.lock().unwrap() += buffer.remaining();
            buffer.initialize_unfilled();
            buffer.set_filled(buffer.capacity());
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn rule_10_a_client_that_sends_on_behind_its_answer_is_read_up_to_a_limit() {
        let read = Arc::new(Mutex::new(0));
        linger(Endless(read.clone())).await;
        assert_eq!(*read.lock().unwrap(), LINGER_BYTES_MAX);
    }
}
