//! A client's TLS connection as I/O, for hyper.

use super::{client_io::ClientIo, peer::Scheme};
use crate::tls::{Handshaken, Overhead, PeerSide, RECORD_BYTES_MAX, Session, TlsError};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How many bytes one read of the socket takes.
const READ_BYTES: usize = 4 * 1024;

/// A TCP connection with a TLS session.
pub(crate) struct TlsIo {
    socket: TcpStream,
    session: Session,
    /// What the client sent and was not read yet, at most the data of one read and of the record that it completed.
    plain: Vec<u8>,
    /// Sealed bytes that the socket has not taken yet: at most a record, and an alert.
    sealed: Vec<u8>,
    /// Each request pays it back, so it needs no time of its own.
    overhead: Overhead,
    /// Our side has said its end.
    is_ending: bool,
}

impl TlsIo {
    /// The connection after its handshake.
    pub(super) fn new(socket: TcpStream, handshaken: Handshaken) -> Self {
        let Handshaken { session, plaintext, .. } = handshaken;
        Self { socket, session, plain: plaintext, sealed: Vec::new(), overhead: Overhead::default(), is_ending: false }
    }

    /// Takes it apart: the socket, the session, and the bytes that must go out before all others.
    pub(crate) fn into_parts(self) -> (TcpStream, Session, Vec<u8>) {
        (self.socket, self.session, self.sealed)
    }

    /// Moves plaintext to the reader; whether there was any.
    fn take_plain(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let taken = self.plain.len().min(buffer.remaining());
        buffer.put_slice(&self.plain[..taken]);
        self.plain.drain(..taken);
        if self.plain.is_empty() {
            self.plain = Vec::new(); // an idle connection owns no buffer
        }
        taken > 0
    }

    /// Writes what is sealed to the socket.
    fn poll_sealed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.sealed.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.sealed))?;
            self.sealed.drain(..written);
        }
        self.sealed = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl ClientIo for TlsIo {
    fn reset_on_close(&self) {
        self.socket.reset_on_close();
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let io = &mut *self;
        loop {
            if io.take_plain(buffer) || io.session.peer_side() == PeerSide::Closed || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut received = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut received);
            ready!(Pin::new(&mut io.socket).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let opened = io.session.open(read.filled_mut(), &mut io.plain, &mut io.sealed);
            let is_within = io.overhead.add(read.filled().len(), io.plain.len());
            // An alert leaves at once, as far as there is room; else with what is written next.
            if let Poll::Ready(Err(error)) = io.poll_sealed(cx) {
                return Poll::Ready(Err(error));
            }
            opened.map_err(broken)?;
            if !is_within {
                return Poll::Ready(Err(broken(TlsError::TooMuchInput)));
            }
        }
    }
}

impl AsyncWrite for TlsIo {
    /// Seals one record. It is taken even if the socket is full; the next waits until it has left.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let io = &mut *self;
        ready!(io.poll_sealed(cx))?;
        let taken = bytes.len().min(RECORD_BYTES_MAX);
        io.session.seal(&bytes[..taken], &mut io.sealed).map_err(broken)?;
        if let Poll::Ready(Err(error)) = io.poll_sealed(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sealed(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let io = &mut *self;
        if !io.is_ending {
            io.is_ending = true;
            io.session.close_notify(&mut io.sealed);
        }
        ready!(io.poll_sealed(cx))?;
        Pin::new(&mut io.socket).poll_shutdown(cx)
    }
}

fn broken(error: TlsError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
