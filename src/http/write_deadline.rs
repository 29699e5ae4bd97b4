//! A socket on which a client that does not take its answer cannot hold a connection for ever.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// A socket whose writes fail with [`io::ErrorKind::TimedOut`] if, from the first that finds it full, not all that is
/// to be written is within `timeout`. It counts the whole answer, not the last byte: dripping does not help.
pub(crate) struct WriteDeadline {
    socket: TcpStream,
    timeout: Duration,
    /// Runs from the first full write to the next flush, which hyper calls when its buffer is empty.
    running: Option<Pin<Box<Sleep>>>,
}

impl WriteDeadline {
    pub(crate) fn new(socket: TcpStream, timeout: Duration) -> Self {
        Self { socket, timeout, running: None }
    }

    pub(crate) fn into_inner(self) -> TcpStream {
        self.socket
    }

    /// Checks the deadline, also where the socket takes a little.
    fn judge(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() && self.running.is_none() {
            self.running = Some(Box::pin(sleep_until(Instant::now() + self.timeout)));
        }
        let over_time = self.running.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if over_time { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { written }
    }
}

impl AsyncRead for WriteDeadline {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteDeadline {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.running = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
