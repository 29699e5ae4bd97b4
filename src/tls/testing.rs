//! A client in memory, for tests: rustls' own, with the gateway's side beside it.

use super::{Handshake, Handshaken, PeerSide, Progress, Session, TlsError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, RootCertStore,
    ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, Tls12CipherSuite, Tls13CipherSuite,
    crypto::{
        CipherSuiteCommon, CryptoProvider,
        cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage},
        ring,
    },
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    io::{Read as _, Write as _},
    sync::{Arc, LazyLock},
};

/// The name in the certificate of all tests.
pub(crate) const NAME: &str = "gateway.test";

static CERTIFICATE: LazyLock<(CertificateDer<'static>, Vec<u8>)> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
    (cert.der().clone(), signing_key.serialize_der())
});

/// What both sides are made of.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) server: ServerConfig,
    pub(crate) client: ClientConfig,
}

impl Pair {
    /// Both sides with one version.
    pub(crate) fn of(version: &'static SupportedProtocolVersion) -> Self {
        Self::with(ring::default_provider(), &[version])
    }

    /// Both sides with these versions. The gateway's has the provider's ciphers, the client's all.
    pub(crate) fn with(provider: CryptoProvider, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let (certificate, key) = &*CERTIFICATE;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.clone()));
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        server.ticketer = ring::Ticketer::new().unwrap();
        server.send_tls13_tickets = 1;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let mut client = client_builder(versions).with_root_certificates(roots).with_no_client_auth();
        client.enable_secret_extraction = true;
        Self { server, client }
    }

    /// A client that has not begun.
    pub(crate) fn client(&self) -> Client {
        let name = NAME.try_into().unwrap();
        Client(ClientConnection::new(Arc::new(self.client.clone()), name).unwrap())
    }

    /// The gateway's side of a handshake.
    pub(crate) fn handshake(&self) -> Handshake {
        Handshake::new(Arc::new(self.server.clone())).unwrap()
    }

    /// A client and its session, after the handshake.
    pub(crate) fn connect(&self) -> (Client, Session) {
        let mut client = self.client();
        let Handshaken { session, plaintext, .. } = shake_hands(&mut client, self.handshake()).unwrap();
        assert!(plaintext.is_empty());
        (client, session)
    }
}

/// The beginning of a client's configuration.
pub(crate) fn client_builder(
    versions: &[&'static SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let mut provider = ring::default_provider();
    // The cipher of the forger comes first.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
    let provider = Arc::new(provider);
    ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap()
}

/// Ciphers whose keys last for so many records.
pub(crate) fn short_lived_keys(records: u64) -> CryptoProvider {
    let mut provider = ring::default_provider();
    for suite in &mut provider.cipher_suites {
        let common = |common: &CipherSuiteCommon| CipherSuiteCommon { confidentiality_limit: records, ..*common };
        *suite = match suite {
            SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                ..**suite
            }))),
            SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                ..**suite
            }))),
        };
    }
    provider
}

/// Leads both sides through the handshake. The client's side is given back in any case.
pub(crate) fn shake_hands(client: &mut Client, mut handshake: Handshake) -> Result<Handshaken, TlsError> {
    loop {
        let mut out = Vec::new();
        let progress = handshake.advance(&mut client.sends(), &mut out);
        client.receives(&out);
        match progress? {
            Progress::Waiting(next) => handshake = next,
            Progress::Done(done) => return Ok(done),
        }
    }
}

/// rustls' client.
pub(crate) struct Client(pub(crate) ClientConnection);

impl Client {
    /// What it has to send.
    pub(crate) fn sends(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out).unwrap();
        }
        out
    }

    /// What it has to send, with these data as its last.
    pub(crate) fn says(&mut self, data: &[u8]) -> Vec<u8> {
        self.0.writer().write_all(data).unwrap();
        self.sends()
    }

    /// Gives it what the gateway sent; returns the data in it.
    pub(crate) fn receives(&mut self, sent: &[u8]) -> Vec<u8> {
        self.try_receive(sent).unwrap_or_default()
    }

    /// The same, and why it rejects what came.
    pub(crate) fn try_receive(&mut self, mut sent: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut data = Vec::new();
        while !sent.is_empty() {
            if self.0.read_tls(&mut sent).unwrap() == 0 {
                break; // it has our `close_notify`
            }
            let state = self.0.process_new_packets()?;
            let mut piece = vec![0; state.plaintext_bytes_to_read()];
            self.0.reader().read_exact(&mut piece).unwrap();
            data.append(&mut piece);
        }
        Ok(data)
    }

    /// Whether it has the gateway's `close_notify`.
    pub(crate) fn sees_the_end(&mut self) -> bool {
        self.0.process_new_packets().unwrap().peer_has_closed()
    }

    /// Its keys, to write records that no honest client writes. TLS 1.3 with AES-128.
    pub(crate) fn forger(self) -> Forger {
        assert_eq!(self.0.negotiated_cipher_suite().unwrap().suite(), CipherSuite::TLS13_AES_128_GCM_SHA256);
        let SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else { unreachable!() };
        let (sequence, secrets) = self.0.dangerous_extract_secrets().unwrap().tx;
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { unreachable!() };
        Forger { encrypter: suite.aead_alg.encrypter(key, iv), sequence }
    }
}

/// A client that breaks the rules within valid records.
pub(crate) struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Forger {
    /// A record.
    pub(crate) fn record(&mut self, typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let payload = OutboundChunks::Single(payload);
        let message = OutboundPlainMessage { typ, version: ProtocolVersion::TLSv1_2, payload };
        self.sequence += 1;
        self.encrypter.encrypt(message, self.sequence - 1).unwrap().encode()
    }
}

/// What a session makes of bytes that a client sent.
pub(crate) struct Opened {
    pub(crate) plain: Vec<u8>,
    pub(crate) out: Vec<u8>,
    pub(crate) side: Result<PeerSide, TlsError>,
}

/// Gives bytes to a session.
pub(crate) fn open(session: &mut Session, mut received: Vec<u8>) -> Opened {
    let mut plain = Vec::new();
    let mut out = Vec::new();
    let side = session.open(&mut received, &mut plain, &mut out);
    Opened { plain, out, side }
}

/// A record of a session.
pub(crate) fn sealed(session: &mut Session, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    session.seal(plain, &mut out).unwrap();
    out
}
