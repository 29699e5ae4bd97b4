//! The way out of the server for connections that speak HTTP/2.

use super::seats::Seat;
use crate::tls::Session;
use std::io;
use tokio::net::TcpStream;

/// A connection whose handshake is done, and whose application protocol is HTTP/2.
pub(crate) struct H2Client {
    /// Its socket.
    pub(crate) socket: TcpStream,
    /// Its session.
    pub(crate) session: Session,
    /// What the client sent behind its handshake.
    pub(crate) input: Vec<u8>,
    /// What it holds while it has no stream.
    pub(crate) seat: Seat,
}

/// Takes over connections that speak HTTP/2.
pub(crate) trait AdoptH2: Send + Sync + 'static {
    /// Takes a connection over.
    ///
    /// # Errors
    /// The system's, or the gateway has ended its streams. The connection is closed then.
    fn adopt(&self, client: H2Client) -> io::Result<()>;
}
