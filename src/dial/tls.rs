//! TLS to other hosts: whom it trusts, and what its errors mean.

use rustls::{CertificateError, ClientConfig, Error, RootCertStore, crypto::ring, pki_types::CertificateDer};
use std::sync::Arc;

/// Settings that trust the usual roots, and `own`.
pub(super) fn client_config(own: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    // The configuration has checked each of them.
    roots.add_parsable_certificates(own.iter().cloned());
    // The provider is named here: the process may have none that is its default.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// What an operator should know of an error.
pub fn explain(error: &Error) -> String {
    let what = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the certificate's issuer is unknown; `ca_file` adds a private CA"
        }
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the certificate has expired"
        }
        Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "the certificate is not valid yet, or the clock of this host is behind"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "the certificate is for another name",
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the certificate is not signed by the CA that it names; a renewed CA needs a new `ca_file`"
        }
        Error::InvalidMessage(_) => "the other side does not speak TLS",
        _ => return error.to_string(),
    };
    format!("{what} ({error})")
}
