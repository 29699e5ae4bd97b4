//! Times out a client that does not read its answer.

use super::{client_io::ClientIo, places::Place};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// I/O whose writes fail with [`io::ErrorKind::TimedOut`] if an answer is not fully written within `timeout` of the
/// first write that found the I/O full. Progress does not move the deadline, so a client that reads a byte now
/// and then gains nothing.
pub(super) struct WriteDeadline<I> {
    io: I,
    timeout: Duration,
    /// Runs from the first write that found the I/O full to the next flush, which hyper calls when its buffer is
    /// empty.
    running: Option<Pin<Box<Sleep>>>,
    /// Hears how far the answer is.
    place: Arc<Place>,
}

impl<I: ClientIo> WriteDeadline<I> {
    pub(super) fn new(io: I, timeout: Duration, place: Arc<Place>) -> Self {
        Self { io, timeout, running: None, place }
    }

    pub(super) fn into_inner(self) -> I {
        self.io
    }

    /// Checks the deadline, also after a write that made some progress.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() && self.running.is_none() {
            self.running = Some(Box::pin(sleep_until(Instant::now() + self.timeout)));
            self.place.blocked();
        }
        let over_time = self.running.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if !over_time {
            return written;
        }
        self.io.reset_on_close();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: ClientIo> AsyncRead for WriteDeadline<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: ClientIo> AsyncWrite for WriteDeadline<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Some I/O holds bytes that a write has taken.
        if Pin::new(&mut self.io).poll_flush(cx)?.is_pending() {
            return self.judge(cx, Poll::Pending).map_ok(|_| ());
        }
        self.running = None;
        self.place.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Live},
        server::{handler::Audience, peer::Scheme, places::Places},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    /// More than the kernel buffers for a client that does not read.
    const MUCH: usize = 64 << 20;

    async fn pair(timeout: Duration) -> (WriteDeadline<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        let place = Places::new(Audience::Clients, Live::new(Config::default()), 1).enter(peer.ip());
        (WriteDeadline::new(socket, timeout, Arc::new(place)), client)
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_or_little_times_out() {
        for drips in [false, true] {
            let (mut server, mut client) = pair(Duration::from_millis(100)).await;
            let (timed_out_tx, mut timed_out_rx) = tokio::sync::watch::channel(false);
            let reader = tokio::spawn(async move {
                // Each read frees some room; at this pace the whole answer would take ten seconds.
                let mut interval = tokio::time::interval(Duration::from_millis(10));
                let mut scratch = vec![0; 64 * 1024];
                while !*timed_out_rx.borrow_and_update() {
                    interval.tick().await;
                    if drips && let Err(error) = client.read(&mut scratch).await {
                        return error.kind();
                    }
                }
                client.read_to_end(&mut scratch).await.unwrap_err().kind()
            });
            let error = server.write_all(&vec![0; MUCH]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            drop(server);
            timed_out_tx.send_replace(true);
            assert_eq!(reader.await.unwrap(), io::ErrorKind::ConnectionReset, "the kernel keeps nothing for it");
        }
    }

    /// Takes all that is written, and cannot send it.
    struct NeverFlushed;

    impl AsyncRead for NeverFlushed {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for NeverFlushed {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl ClientIo for NeverFlushed {
        fn reset_on_close(&self) {}

        fn scheme(&self) -> Scheme {
            Scheme::Https
        }
    }

    #[tokio::test]
    async fn rule_10_bytes_that_were_taken_and_cannot_be_sent_time_out_too() {
        let peer = std::net::IpAddr::from([127, 0, 0, 1]);
        let place = Places::new(Audience::Clients, Live::new(Config::default()), 1).enter(peer);
        let mut io = WriteDeadline::new(NeverFlushed, Duration::from_millis(50), Arc::new(place));
        io.write_all(b"the end of an answer").await.unwrap();
        assert_eq!(io.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn each_flushed_answer_has_the_whole_timeout() {
        let (mut server, mut client) = pair(Duration::from_secs(60)).await;
        let reader = tokio::spawn(async move { tokio::io::copy(&mut client, &mut tokio::io::sink()).await });
        server.write_all(&vec![0; MUCH]).await.unwrap();
        server.flush().await.unwrap();
        assert!(server.running.is_none());
        drop(server);
        assert_eq!(reader.await.unwrap().unwrap(), MUCH as u64);
    }
}
