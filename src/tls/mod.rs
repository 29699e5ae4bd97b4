//! TLS towards clients: certificates and protocols. It knows nothing of the gateway around it, and reads no clock.

mod certificate;
mod certificates;
mod error;
mod pem;
mod server_config;
mod version;
mod x509;

pub use certificate::{CHAIN_LENGTH_MAX, Certificate, CertificateFiles, show_time};
pub use certificates::{CERTIFICATES_MAX, CertificateSet, Certificates};
pub use error::CertificateError;
pub use pem::PEM_BYTES_MAX;
pub use server_config::{ALPN_HTTP1, ALPN_HTTP2, server_config};
pub use version::TlsVersion;
