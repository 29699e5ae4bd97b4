//! One connection, from its first request to its end or to its stream.

use super::{
    handler::RequestHandler,
    handoff::{self, Served},
    requests::{self, Unrouted},
    shutdown::ShutdownSignal,
    streams::Streams,
    write_deadline::WriteDeadline,
};
use crate::telemetry::labels::Label as _;
use http::StatusCode;
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// How long, and for how many bytes, the server still reads before it closes a socket. A socket that is closed with
/// unread bytes resets the connection, and the client may lose the answer that says what is wrong.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// Serves a listener's connections.
pub(super) struct Connections<S: Streams> {
    pub(super) handler: Arc<RequestHandler<S>>,
    /// How long a client may take for a head, and stay silent between two requests.
    pub(super) head_timeout: Duration,
    /// The longest head.
    pub(super) head_bytes: usize,
    /// How long a client may take to read an answer.
    pub(super) write_timeout: Duration,
}

impl<S: Streams> Connections<S> {
    /// Serves a connection to its end, or hands it over with its first stream.
    ///
    /// # Errors
    /// The socket's, and hyper's about a client that broke HTTP or ran into a timeout. None of them is the gateway's
    /// fault.
    pub(super) async fn serve(&self, socket: TcpStream, peer: IpAddr, shutdown: ShutdownSignal) -> io::Result<()> {
        let http = handoff::builder(self.head_timeout, self.head_bytes);
        let io = WriteDeadline::new(socket, self.write_timeout);
        let Served { io, ended, stream } = handoff::serve(&http, io, self.handler.clone(), peer, shutdown).await;
        let socket = io.into_inner();
        if let Some(stream) = stream {
            self.handler.streams().open(socket.into_std()?, stream);
            return Ok(());
        }
        if let Err(error) = &ended {
            count_unreadable(error);
        }
        linger(socket).await;
        ended.map_err(io::Error::other)
    }
}

/// Counts a request that hyper rejected, so that the handler never saw it.
fn count_unreadable(error: &hyper::Error) {
    if error.is_parse_too_large() {
        requests::count(Unrouted::Unreadable.label(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    } else if error.is_parse() {
        requests::count(Unrouted::Unreadable.label(), StatusCode::BAD_REQUEST);
    }
}

/// Closes a socket so that the client can still read what was written.
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
    // The socket is closed in either case.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::Pin,
        sync::Mutex,
        task::{Context, Poll},
    };
    use tokio::io::ReadBuf;

    /// A client that sends without end and without a pause, so that a timeout beside it never fires.
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
    async fn rule_10_a_client_that_keeps_sending_after_its_answer_is_read_up_to_a_limit() {
        let read = Arc::new(Mutex::new(0));
        linger(Endless(read.clone())).await;
        assert_eq!(*read.lock().unwrap(), LINGER_BYTES_MAX);
    }
}
