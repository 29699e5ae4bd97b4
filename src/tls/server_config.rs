//! How TLS is spoken: versions, ciphers, tickets, and the protocols that are offered above it.

use super::{certificates::Certificates, version::TlsVersion};
use rustls::{
    Error, ServerConfig, SupportedProtocolVersion,
    crypto::ring::{self, Ticketer},
    server::NoServerSessionStorage,
    version::{TLS12, TLS13},
};
use std::sync::Arc;

/// The name of HTTP/2 in a handshake.
pub const ALPN_HTTP2: &[u8] = b"h2";
/// The name of HTTP/1.1 in a handshake.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The settings of all handshakes of a listener.
///
/// A session is resumed by its ticket alone, so that nothing is kept for a client that left, and data before the end of
/// a handshake, which could be sent again by others, are not accepted.
///
/// # Errors
/// The system gives no random bytes for the keys of tickets.
pub fn server_config(
    http2: bool,
    min_version: TlsVersion,
    certificates: Arc<Certificates>,
) -> Result<Arc<ServerConfig>, Error> {
    let versions: &[&SupportedProtocolVersion] = match min_version {
        TlsVersion::Tls12 => &[&TLS13, &TLS12],
        TlsVersion::Tls13 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let mut config = builder.with_protocol_versions(versions)?.with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols =
        if http2 { vec![ALPN_HTTP2, ALPN_HTTP1] } else { vec![ALPN_HTTP1] }.into_iter().map(<[u8]>::to_vec).collect();
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    // A phone without AES in its processor lists ChaCha20 first.
    config.ignore_client_order = false;
    Ok(Arc::new(config))
}
