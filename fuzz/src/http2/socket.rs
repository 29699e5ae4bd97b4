//! A socket that is two buffers.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is on the way in both directions.
#[derive(Debug, Default)]
struct Buffers {
    input: Vec<u8>,
    output: Vec<u8>,
}

/// One end. Its clones are the same socket.
#[derive(Debug, Clone, Default)]
pub struct Socket(Arc<Mutex<Buffers>>);

impl Socket {
    /// Brings bytes to the reader of this end.
    pub fn receive(&self, bytes: &[u8]) {
        self.lock().input.extend_from_slice(bytes);
    }

    /// What was written to this end since the last call.
    pub fn sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().output)
    }

    fn lock(&self) -> MutexGuard<'_, Buffers> {
        self.0.lock().expect("no panic while it is locked")
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let input = &mut self.lock().input;
        if input.is_empty() {
            return Poll::Pending;
        }
        let length = input.len().min(into.remaining());
        into.put_slice(&input[..length]);
        input.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
