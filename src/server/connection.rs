//! One connection, from its first request to its end or to its stream.

use super::{
    client_io::ClientIo,
    handler::RequestHandler,
    handoff::{self, Ended, Served},
    peer::Peer,
    places::Place,
    requests::{self, Unrouted},
    shutdown::ShutdownSignal,
    streams::{OpenStreams, Streams},
    write_deadline::WriteDeadline,
};
use crate::{config::Live, telemetry::labels::Label as _};
use http::StatusCode;
use socket2::SockRef;
use std::{io, net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// How long, and for how many bytes, the server still reads before it closes a socket. A socket that is closed with
/// unread bytes resets the connection, and the client may lose the answer that says what is wrong.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

/// Serves a listener's connections, of every kind of I/O on which `S` can open streams.
pub(super) struct Connections<S: Streams> {
    pub(super) handler: Arc<RequestHandler<S>>,
    /// The limits of a connection are those in force when it begins.
    pub(super) live: Live,
    /// `write_timeout` when the listener was bound: its sockets inherit it.
    pub(super) write_timeout_at_start: Duration,
}

impl<S: Streams> Connections<S> {
    /// The kernel times out a client that acknowledges nothing. The socket has the listener's timeout, of the start.
    pub(super) fn set_user_timeout(&self, socket: &TcpStream) {
        let timeout = self.live.current().limits.write_timeout;
        if timeout != self.write_timeout_at_start {
            // A socket that refuses keeps the listener's.
            let _ = SockRef::from(socket).set_tcp_user_timeout(Some(timeout));
        }
    }

    /// Serves a connection that has a place to its end, or hands it over with its first stream.
    ///
    /// # Errors
    /// The I/O's, and hyper's about a client that broke HTTP or ran into a timeout. None of them is the gateway's
    /// fault.
    pub(super) async fn serve<I>(
        &self,
        io: I,
        peer: IpAddr,
        place: &Arc<Place>,
        shutdown: ShutdownSignal,
    ) -> io::Result<()>
    where
        I: ClientIo,
        S: OpenStreams<I>,
    {
        let config = self.live.current();
        let limits = &config.limits;
        let http = handoff::builder(limits.head_timeout, limits.head_bytes);
        let peer = Peer { address: peer, scheme: io.scheme() };
        let io = WriteDeadline::new(io, limits.write_timeout, place.clone());
        let Served { io, ended, stream } = handoff::serve(&http, io, self.handler.clone(), peer, place, shutdown).await;
        let io = io.into_inner();
        if let Some(stream) = stream {
            self.handler.streams().open(io, stream);
            return Ok(());
        }
        let ended = match ended {
            Ended::ByItself(ended) => ended,
            // Another waits for its place, so it does not linger.
            Ended::GaveWay => return Ok(()),
            Ended::Cut => {
                io.reset_on_close();
                return Ok(());
            }
        };
        if let Err(error) = &ended {
            count_unreadable(error);
        }
        tokio::select! {
            () = linger(io) => {}
            () = place.evicted() => {}
        }
        ended.map_err(io::Error::other)
    }
}

/// Counts a request that hyper rejected, so that the handler never saw it.
fn count_unreadable(error: &hyper::Error) {
    if error.is_parse_too_large() {
        tracing::debug!(limit = "head_bytes", "rejected a head that is too long");
        requests::count(Unrouted::Unreadable.label(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    } else if error.is_parse() {
        requests::count(Unrouted::Unreadable.label(), StatusCode::BAD_REQUEST);
    }
}

/// Closes a connection so that the client can still read what was written. Some I/O has to write before it can shut
/// down, so that is bounded too.
pub(super) async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut scratch = [0; 1024];
    let drain = async {
        if io.shutdown().await.is_err() {
            return;
        }
        let mut left = LINGER_BYTES_MAX;
        while let Ok(count @ 1..) = io.read(&mut scratch).await {
            left = left.saturating_sub(count);
            if left == 0 {
                return;
            }
        }
    };
    // The connection is closed in either case.
    let _ = tokio::time::timeout(LINGER, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config,
        server::{
            answer::{Answer, Outcome},
            handler::Audience,
            peer::Scheme,
            places::Places,
            request_error::RequestError,
            response::{Response, json},
            router::{Elsewhere, Router},
        },
        telemetry::ClientName,
        telemetry::labels::labels,
    };
    use std::{
        pin::Pin,
        sync::Mutex,
        task::{Context, Poll},
    };
    use tokio::{
        io::{DuplexStream, ReadBuf},
        sync::{mpsc, watch},
    };

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

    labels! {
        /// The routes of this test.
        enum Route {
            /// A whole answer.
            Whole = "whole",
            /// A stream.
            Stream = "stream",
        }
    }

    /// Takes over duplex pipes, each with the number that its route asked for.
    struct Pipes(mpsc::UnboundedSender<(DuplexStream, u8)>);

    impl ClientIo for DuplexStream {
        fn reset_on_close(&self) {}

        fn scheme(&self) -> Scheme {
            Scheme::Http
        }
    }

    impl Streams for Pipes {
        type Request = u8;
        type Admitted = u8;

        fn head(&self, _: &u8) -> Response {
            Response::default()
        }

        fn admit(&self, request: u8, _: ClientName, _: Response) -> Outcome<u8> {
            Outcome::Stream(request)
        }
    }

    impl OpenStreams<DuplexStream> for Pipes {
        fn open(&self, io: DuplexStream, stream: u8) {
            self.0.send((io, stream)).unwrap();
        }
    }

    /// Cannot shut down, as TLS cannot while its client reads nothing.
    struct NeverShut;

    impl AsyncRead for NeverShut {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for NeverShut {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn rule_10_a_connection_that_cannot_shut_down_is_given_up() {
        linger(NeverShut).await;
    }

    #[tokio::test]
    async fn a_connection_that_is_not_a_socket_gets_whole_answers_and_becomes_a_stream() {
        let (opened_tx, mut opened_rx) = mpsc::unbounded_channel();
        let routes = Router::new((), Elsewhere { prefixes: &[], place: "" })
            .get(Route::Whole, "/whole", |(), _| Answer::Whole(json("{}")))
            .get(Route::Stream, "/stream", |(), _| Answer::Stream(7))
            .build();
        let live = Live::new(config::Config::default());
        let connections = Connections {
            handler: Arc::new(RequestHandler::new(Audience::Operators, live.clone(), routes, Pipes(opened_tx))),
            live,
            write_timeout_at_start: Duration::from_secs(10),
        };
        let (server, mut client) = tokio::io::duplex(4 * 1024);
        let (_stop_tx, stop_rx) = watch::channel(false);
        let peer = IpAddr::from([127, 0, 0, 1]);
        let place = Arc::new(Places::new(Audience::Clients, Live::new(config::Config::default()), 1).enter(peer));
        let served = connections.serve(server, peer, &place, ShutdownSignal::new(stop_rx));
        let asking = async {
            client.write_all(b"GET /whole HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n{}") {
                assert!(client.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            client.write_all(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        };
        let (ended, ()) = tokio::join!(served, asking);
        ended.unwrap();
        let (mut io, stream) = opened_rx.recv().await.unwrap();
        assert_eq!(stream, 7);
        io.write_all(b"the stream's own bytes").await.unwrap();
        drop(io);
        let mut bytes = String::new();
        client.read_to_string(&mut bytes).await.unwrap();
        assert_eq!(bytes, "the stream's own bytes", "nothing was written before the hand-over");
    }

    const POST: &str = "POST /there HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n";

    fn connections_with_a_body() -> Connections<Pipes> {
        let check = |(): &(), segment: &str| (segment != "there").then(|| RequestError::PostOnly.into());
        let routes = Router::new((), Elsewhere { prefixes: &[], place: "" })
            .post_body(Route::Whole, "/{place}", check, |_, _| async { Answer::Whole(json("{}")) })
            .build();
        let live = Live::new(config::Config::default());
        let streams = Pipes(mpsc::unbounded_channel().0);
        let handler = Arc::new(RequestHandler::new(Audience::Operators, live.clone(), routes, streams));
        Connections { handler, live, write_timeout_at_start: Duration::from_secs(10) }
    }

    #[tokio::test]
    async fn rule_10_a_connection_that_owes_a_body_gives_way() {
        let connections = connections_with_a_body();
        let places = Places::new(Audience::Clients, connections.live.clone(), 1);
        let peer = IpAddr::from([127, 0, 0, 1]);
        let place = Arc::new(places.enter(peer));
        let (server, mut client) = tokio::io::duplex(4 * 1024);
        let (_stop_tx, stop_rx) = watch::channel(false);
        client.write_all(POST.as_bytes()).await.unwrap();
        client.write_all(b"{").await.unwrap();
        let served = connections.serve(server, peer, &place, ShutdownSignal::new(stop_rx));
        let evicting = async {
            while !places.make_room() {
                tokio::task::yield_now().await;
            }
        };
        let (ended, ()) = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(served, evicting) })
            .await
            .expect("it holds its place for as long as `head_timeout`");
        ended.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "");
    }

    #[tokio::test]
    async fn a_request_that_is_refused_by_its_path_owes_no_body() {
        let connections = connections_with_a_body();
        let place =
            Arc::new(Places::new(Audience::Clients, connections.live.clone(), 1).enter(IpAddr::from([127, 0, 0, 1])));
        let (server, mut client) = tokio::io::duplex(4 * 1024);
        let (_stop_tx, stop_rx) = watch::channel(false);
        client.write_all(POST.replace("/there", "/gone").as_bytes()).await.unwrap();
        let served = connections.serve(server, IpAddr::from([127, 0, 0, 1]), &place, ShutdownSignal::new(stop_rx));
        let reading = async {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let (_, answer) = tokio::time::timeout(Duration::from_secs(5), async { tokio::join!(served, reading) })
            .await
            .expect("it waits for the body");
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
}
