//! TLS towards clients: certificates and protocols, handshakes and sessions without a socket. It knows nothing of the
//! gateway around it, and reads no clock.

mod certificate;
mod certificate_error;
mod certificates;
mod error;
mod overhead;
mod pem;
mod server_config;
mod session;
#[cfg(test)]
pub(crate) mod testing;
mod version;
mod x509;

pub use certificate::{CHAIN_LENGTH_MAX, Certificate, CertificateFiles, show_time};
pub use certificate_error::CertificateError;
pub use certificates::{CERTIFICATES_MAX, CertificateSet, Certificates, Changes};
pub use error::TlsError;
pub use overhead::Overhead;
pub use pem::PEM_BYTES_MAX;
pub use server_config::{ALPN_HTTP1, ALPN_HTTP2, server_config};
pub use session::{Handshake, Handshaken, PeerSide, Progress, RECORD_BYTES_MAX, Session};
pub use version::TlsVersion;
