//! Which server clients trust, and what their TLS offers.

use super::session::Session;
use rustls::{
    AlertDescription, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use std::{fmt, path::PathBuf, sync::Arc};

/// The ALPN name of HTTP/2.
pub(crate) const H2: &[u8] = b"h2";
const H1: &[u8] = b"http/1.1";

/// Which certificates clients trust.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those of the public authorities that Mozilla trusts.
    #[default]
    Public,
    /// Those of the authorities in a PEM file.
    File(PathBuf),
    /// Any. The connection may be anyone's.
    Any,
}

/// Why clients cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The host is neither a name nor an address.
    #[error("`{0}` is neither a host name nor an address")]
    Host(String),
    /// The file of authorities cannot be read.
    #[error("--ca {path}: {what}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The library refuses the settings.
    #[error(transparent)]
    Tls(#[from] Error),
}

/// How the clients of a run speak TLS.
#[derive(Clone)]
pub struct ClientTls {
    server: ServerName<'static>,
    trust: Trust,
    h1: Arc<ClientConfig>,
    h2: Arc<ClientConfig>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server", &self.server).field("trust", &self.trust).finish_non_exhaustive()
    }
}

impl ClientTls {
    /// Clients of a host that trust these certificates.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn new(host: &str, trust: Trust) -> Result<Self, TrustError> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let server = ServerName::try_from(host.to_owned()).map_err(|_| TrustError::Host(host.to_owned()))?;
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match &trust {
            Trust::Public => {
                builder.with_root_certificates(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
            }
            Trust::File(path) => {
                let roots = roots(path).map_err(|what| TrustError::File { path: path.clone(), what })?;
                let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build();
                let verifier =
                    verifier.map_err(|error| TrustError::File { path: path.clone(), what: error.to_string() })?;
                builder.with_webpki_verifier(verifier)
            }
            Trust::Any => builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustsAny(provider))),
        };
        let mut h1 = builder.with_no_client_auth();
        // Each handshake is a full one, as after a restart of the gateway.
        h1.resumption = Resumption::disabled();
        h1.alpn_protocols = vec![H1.to_vec()];
        let mut h2 = h1.clone();
        h2.alpn_protocols = vec![H2.to_vec()];
        Ok(Self { server, trust, h1: Arc::new(h1), h2: Arc::new(h2) })
    }

    /// Whether any certificate is accepted.
    pub fn trusts_any(&self) -> bool {
        self.trust == Trust::Any
    }

    /// Begins a session that offers HTTP/2, or HTTP/1.1.
    ///
    /// # Errors
    /// The library refuses.
    pub fn session(&self, is_h2: bool) -> Result<Session, Error> {
        Session::new(if is_h2 { &self.h2 } else { &self.h1 }.clone(), self.server.clone())
    }
}

/// ring, with AES-128 first, which browsers prefer.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    provider
}

fn roots(path: &std::path::Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(roots) }
}

/// Says what is wrong, and what helps.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(_) => {
            format!("{error}; --ca FILE names the authority of a private certificate, --insecure accepts any")
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the server does not offer the protocol that the streams speak (ALPN)".to_owned()
        }
        Error::InvalidMessage(_) => format!("the server does not speak TLS: {error}"),
        _ => format!("the TLS handshake fails: {error}"),
    }
}

/// Accepts any certificate. The server must still hold its key.
#[derive(Debug)]
struct TrustsAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustsAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_or_a_file_that_cannot_be_trusted_is_named() {
        let with = |host: &str, trust| ClientTls::new(host, trust).map(|_| ()).unwrap_err().to_string();
        assert_eq!(with("a b", Trust::Public), "`a b` is neither a host name nor an address");
        let missing = with("localhost", Trust::File("/nowhere/ca.pem".into()));
        assert!(missing.starts_with("--ca /nowhere/ca.pem: ") && missing.contains("No such file"), "{missing}");
        let empty = with("localhost", Trust::File("/dev/null".into()));
        assert_eq!(empty, "--ca /dev/null: it holds no certificate in PEM form");
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            assert!(ClientTls::new(host, Trust::Public).is_ok(), "{host}");
        }
    }

    #[test]
    fn aes_128_is_offered_first() {
        let suites = provider().cipher_suites;
        assert!(format!("{:?}", suites[0].suite()).contains("AES_128") && suites.len() > 5, "{suites:?}");
    }
}
