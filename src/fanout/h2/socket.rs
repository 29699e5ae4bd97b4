//! The socket of a connection, with its TLS session.

use super::io::H2Io;
use crate::fanout::{sealed_socket::SealedSocket, tcp::Received, transport::TransportError};
use mio::Registry;
use std::{io, sync::Arc};

/// A TLS connection that carries HTTP/2, watched by a worker's poll.
pub struct H2Socket {
    socket: SealedSocket,
    registry: Arc<Registry>,
}

impl H2Socket {
    /// Takes over a connection, which the poll of `registry` is to watch.
    pub fn new(socket: SealedSocket, registry: Arc<Registry>) -> Self {
        Self { socket, registry }
    }
}

impl H2Io for H2Socket {
    fn attach(&mut self, token: u64) -> io::Result<()> {
        self.socket.attach(&self.registry, token)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.socket.send(bytes)
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.socket.flush()
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError> {
        self.socket.receive(bytes)
    }

    fn is_worn(&self) -> bool {
        self.socket.is_worn()
    }

    fn finish(&mut self) -> io::Result<bool> {
        self.socket.finish();
        Ok(!self.socket.holds_bytes())
    }

    fn abort(&mut self) {
        self.socket.abort();
    }
}
