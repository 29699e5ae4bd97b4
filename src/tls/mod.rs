//! TLS towards clients: certificates and protocols. It knows nothing of the gateway around it.

mod certificates;
mod version;

pub use certificates::{CERTIFICATES_MAX, CertificateFiles};
pub use version::TlsVersion;
