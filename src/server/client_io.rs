//! The I/O of one client's connection, whatever carries it.

use super::peer::Scheme;
use socket2::SockRef;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// A client's connection as HTTP is spoken on it. The plain socket is one; TLS over a socket is another.
pub(super) trait ClientIo: AsyncRead + AsyncWrite + Unpin {
    /// Makes the close reset the connection: the kernel drops the bytes that the client never read.
    fn reset_on_close(&self);

    /// What requests on it are made by.
    fn scheme(&self) -> Scheme;
}

impl ClientIo for TcpStream {
    fn reset_on_close(&self) {
        // A socket that refuses the option is closed already.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }

    fn scheme(&self) -> Scheme {
        Scheme::Http
    }
}
