//! The certificates that the gateway shows to clients.

use std::path::PathBuf;

/// The most certificates of a gateway.
pub const CERTIFICATES_MAX: usize = 32;

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to a CA. PEM.
    pub chain: PathBuf,
    /// Its private key. PEM.
    pub key: PathBuf,
}
