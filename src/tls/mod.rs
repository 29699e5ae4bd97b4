//! TLS towards clients: certificates and protocols, handshakes and sessions without a socket. It knows nothing of the
//! gateway around it.

mod certificates;
mod error;
mod session;
#[cfg(test)]
pub(crate) mod testing;
mod version;

pub use certificates::{CERTIFICATES_MAX, CertificateFiles};
pub use error::TlsError;
pub use session::{Handshake, Handshaken, PeerSide, Progress, RECORD_BYTES_MAX, Session};
pub use version::TlsVersion;
