//! A socket that can drip.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// A socket that, while it drips, sends each byte in a segment of its own. It notes when the client does not take more.
pub(super) struct DripSocket {
    pub(super) socket: TcpStream,
    pub(super) drips: Arc<AtomicBool>,
    /// Set when a write has to wait for the client.
    pub(super) has_waited: Arc<AtomicBool>,
}

impl AsyncRead for DripSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for DripSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let most = if self.drips.load(Ordering::Relaxed) { 1 } else { bytes.len() };
        let written = Pin::new(&mut self.socket).poll_write(cx, &bytes[..most.min(bytes.len())]);
        if written.is_pending() {
            self.has_waited.store(true, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
