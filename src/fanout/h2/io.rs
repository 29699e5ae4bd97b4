//! The bytes below a connection's frames.

use crate::fanout::{tcp::Received, transport::TransportError};
use std::io;

/// The bytes of one connection, below its frames: in a gateway a socket with a TLS session. No method blocks.
pub trait H2Io: Send {
    /// Reports readiness under `token` from now on, to the poll of the connection's worker.
    ///
    /// # Errors
    /// The system cannot watch it.
    fn attach(&mut self, token: u64) -> io::Result<()>;

    /// Sends bytes, at most [`RECORD_BYTES_MAX`](crate::tls::RECORD_BYTES_MAX); `false`: some of them wait here, and it
    /// is full. It is not called again until [`H2Io::flush`] has sent them.
    ///
    /// # Errors
    /// The connection is gone. Full is not an error.
    fn send(&mut self, bytes: &[u8]) -> io::Result<bool>;

    /// Sends what waits here; `false`: some of it still waits, and it is full.
    ///
    /// # Errors
    /// As [`H2Io::send`].
    fn flush(&mut self) -> io::Result<bool>;

    /// Reads once, and appends what the client sent, some 16 KiB at most. It may be part of a record, and so nothing.
    ///
    /// # Errors
    /// The connection is gone, or the client broke TLS.
    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError>;

    /// Closes our side behind what was sent; `false`: not yet, it is full.
    ///
    /// # Errors
    /// As [`H2Io::send`].
    fn finish(&mut self) -> io::Result<bool>;

    /// Makes the drop reset the connection: the kernel keeps nothing for it.
    fn abort(&mut self);
}
