//! A client's TCP connection: its options, and I/O that never waits.

use super::transport::TransportError;
use mio::{Interest, Registry, Token, net::TcpStream};
use rustix::{
    io::{Errno, retry_on_intr},
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use socket2::SockRef;
use std::{
    io::{self, ErrorKind, IoSlice, Read},
    net::{Shutdown, SocketAddr},
    time::Duration,
};

/// Unsent bytes from which the kernel takes no more. It is checked only where a new buffer begins: hence `MSG_EOR` on
/// every send, which ends the buffer. Without it small sends join the unsent tail and the limit does not hold.
const UNSENT_BYTES_MAX: u32 = 1024;
/// Bytes that the kernel holds for the client in all, sent and not acknowledged ones with them; the kernel doubles it
/// for its own use, and counts some 900 bytes for each small send. With less, healthy clients far away would coalesce.
const SEND_BUFFER_BYTES: usize = 16 * 1024;

/// A client's TCP connection.
pub(super) struct Tcp(TcpStream);

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes that the client sent.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The client sends nothing more.
    End,
}

impl Tcp {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// The system refuses one of the options that bound what a slow client costs.
    pub(super) fn new(stream: std::net::TcpStream, user_timeout: Duration) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_nodelay(true)?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_tcp_user_timeout(Some(user_timeout))?;
        Ok(Self(TcpStream::from_std(stream)))
    }

    /// Makes a poll watch it.
    pub(super) fn attach(&mut self, registry: &Registry, key: u64) -> io::Result<()> {
        // A key is 64 bits, as a token is on every platform that this runs on.
        let token = Token(usize::try_from(key).map_err(io::Error::other)?);
        registry.register(&mut self.0, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Sends what the kernel takes; returns how many bytes that was. If it takes fewer, it will report room.
    pub(super) fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::EOR | SendFlags::NOSIGNAL;
        match retry_on_intr(|| sendmsg(&self.0, slices, &mut SendAncillaryBuffer::default(), flags)) {
            Err(Errno::AGAIN) => Ok(0),
            sent => Ok(sent?),
        }
    }

    /// Reads into a buffer.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<Received, TransportError> {
        loop {
            match self.0.read(buffer) {
                // Behind a FIN every read ends here, even after a reset: that stands only in the socket's error.
                Ok(0) => return self.0.take_error()?.map_or(Ok(Received::End), |error| Err(error.into())),
                Ok(bytes) => return Ok(Received::Bytes(bytes)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends our side, behind all that was sent.
    pub(super) fn finish(&self) {
        // A socket whose connection is gone refuses: there is nothing left to end.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Makes the close reset the connection: the kernel drops what the client never took, and keeps no orphan.
    pub(super) fn abort(&self) {
        // As above.
        let _ = SockRef::from(&self.0).set_linger(Some(Duration::ZERO));
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        // The kernel knows it: no stream spends memory on what only operators ask for.
        self.0.peer_addr().ok()
    }
}
