//! TLS for clients: handshakes and sessions as pure state machines. Sockets are their callers' business.

mod error;
mod session;
#[cfg(test)]
pub(crate) mod testing;

pub use error::TlsError;
pub use session::{Handshake, Handshaken, PeerSide, Progress, RECORD_BYTES_MAX, Session};
