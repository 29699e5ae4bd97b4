//! TLS for tests: a certificate, both sides' configurations, and a handshake on a real socket.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned, SupportedCipherSuite,
    SupportedProtocolVersion, Tls12CipherSuite,
    crypto::{CipherSuiteCommon, CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{Arc, LazyLock},
};
use tickfan::tls::{Handshake, Progress, Session};

/// Both versions.
pub static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A client whose reads and writes block.
pub type TlsClient = StreamOwned<ClientConnection, TcpStream>;

struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Identity { certificate: cert.der().clone(), key: signing_key.serialize_der() }
});

/// The gateway's side.
pub fn server_config(versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    server_config_with(ring::default_provider(), versions)
}

/// The same with another provider of ciphers and key exchanges.
pub fn server_config_with(provider: CryptoProvider, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(IDENTITY.key.clone()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![IDENTITY.certificate.clone()], key)
        .unwrap();
    config.send_tls13_tickets = 1;
    config
}

/// The gateway's side in TLS 1.2, with keys that last for so many records.
pub fn short_lived_keys(records: u64) -> ServerConfig {
    let SupportedCipherSuite::Tls12(suite) = ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 else {
        unreachable!()
    };
    let common = CipherSuiteCommon { confidentiality_limit: records, ..suite.common };
    let suite = Tls12CipherSuite { common, ..*suite };
    let suite = SupportedCipherSuite::Tls12(Box::leak(Box::new(suite)));
    let provider = CryptoProvider { cipher_suites: vec![suite], ..ring::default_provider() };
    server_config_with(provider, &VERSIONS[..1])
}

/// The client's side, which trusts the certificate.
pub fn client_config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    client_config_of(IDENTITY.certificate.clone(), versions)
}

/// The client's side, which trusts another certificate.
pub fn client_config_of(
    trusted: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client on a connected socket. Its handshake takes place with its first read or write.
pub fn client(socket: TcpStream, config: ClientConfig) -> TlsClient {
    let name = "localhost".try_into().unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

/// Leads both ends of a connection through the handshake.
pub fn connect(
    ours: &mut TcpStream,
    theirs: TcpStream,
    version: &'static SupportedProtocolVersion,
) -> (TlsClient, Session) {
    connect_with(ours, theirs, server_config(&[version]))
}

/// The same, with these settings of the gateway's side.
pub fn connect_with(ours: &mut TcpStream, theirs: TcpStream, config: ServerConfig) -> (TlsClient, Session) {
    let mut client = client(theirs, client_config(&VERSIONS));
    let mut handshake = Handshake::new(Arc::new(config)).unwrap();
    let session = std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            let mut received = [0; 4096];
            loop {
                let bytes = ours.read(&mut received).unwrap();
                let mut out = Vec::new();
                let progress = handshake.advance(&mut received[..bytes], &mut out).unwrap();
                ours.write_all(&out).unwrap();
                match progress {
                    Progress::Waiting(next) => handshake = next,
                    Progress::Done(done) => return done.session,
                }
            }
        });
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        server.join().unwrap()
    });
    (client, session)
}
