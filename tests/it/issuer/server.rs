//! A key server: what it does with a request can be changed while it runs.

use crate::support::certificates::{Ca, Leaf};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tickfan::{
    config::CaFile,
    issuer::{HttpsUrl, KeyServer, Source},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What the server does with a connection.
#[derive(Clone)]
pub(super) enum Does {
    /// Answers with these bytes, and closes.
    Answer(Vec<u8>),
    /// Answers with these bytes once it is allowed to.
    Wait(Vec<u8>, watch::Receiver<bool>),
    /// Answers with these bytes, and then says nothing more.
    Hang(Vec<u8>),
    /// Does not even begin the handshake.
    HangBeforeTls,
    /// Writes these bytes without TLS.
    Plain(Vec<u8>),
    /// Closes in the handshake.
    Close,
}

impl Does {
    /// Answers with this JWK set.
    pub(super) fn give(json: &str) -> Self {
        Self::Answer(answer(json))
    }
}

/// An ordinary answer with this body.
pub(super) fn answer(json: &str) -> Vec<u8> {
    let length = json.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}").into_bytes()
}

pub(super) struct Server {
    pub(super) port: u16,
    ca: Ca,
    does: Arc<Mutex<Does>>,
    requests: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// With a certificate of its own CA, for `127.0.0.1`.
    pub(super) async fn start(does: Does) -> Self {
        let ca = Ca::new("the issuer's CA");
        let leaf = ca.sign(&["127.0.0.1"]);
        Self::start_with(ca, &leaf, does).await
    }

    pub(super) async fn start_with(ca: Ca, leaf: &Leaf, does: Does) -> Self {
        let key = PrivateKeyDer::from_pem_slice(leaf.key().as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server =
            Self { port, ca, does: Arc::new(Mutex::new(does)), requests: Arc::default(), heads: Arc::default() };
        let (does, requests, heads) = (server.does.clone(), server.requests.clone(), server.heads.clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let does = does.lock().unwrap().clone();
                tokio::spawn(serve(tcp, acceptor.clone(), does, requests.clone(), heads.clone()));
            }
        });
        server
    }

    pub(super) fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The head of the newest request.
    pub(super) fn head(&self) -> String {
        self.heads.lock().unwrap().last().unwrap().clone()
    }

    /// The server as a source, whose CA is trusted.
    pub(super) fn source(&self) -> Source {
        self.source_trusting(&self.ca)
    }

    pub(super) fn source_trusting(&self, ca: &Ca) -> Source {
        let ca_file = CaFile { path: "ca.pem".to_owned(), certificates: vec![ca.der()] };
        Source::Https(Box::new(KeyServer { url: self.url(), ca_file: Some(ca_file), proxy: None }))
    }

    pub(super) fn source_trusting_public_cas(&self) -> Source {
        Source::Https(Box::new(KeyServer { url: self.url(), ca_file: None, proxy: None }))
    }

    fn url(&self) -> HttpsUrl {
        HttpsUrl::parse(&format!("https://127.0.0.1:{}/keys?v=1", self.port)).unwrap()
    }
}

async fn serve(
    mut tcp: TcpStream,
    acceptor: TlsAcceptor,
    does: Does,
    requests: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    match &does {
        Does::HangBeforeTls => {
            let _ = tcp.read_to_end(&mut Vec::new()).await;
            return;
        }
        Does::Plain(bytes) => {
            let _ = tcp.write_all(bytes).await;
            let _ = tcp.shutdown().await;
            let _ = tcp.read_to_end(&mut Vec::new()).await;
            return;
        }
        Does::Close => return,
        _ => {}
    }
    // A client that rejects the certificate ends it.
    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
    let Some(head) = head(&mut tls).await else { return };
    heads.lock().unwrap().push(head);
    requests.fetch_add(1, Ordering::SeqCst);
    match does {
        Does::Answer(bytes) => send(&mut tls, &bytes).await,
        Does::Wait(bytes, mut allowed) => {
            let _ = allowed.wait_for(|allowed| *allowed).await;
            send(&mut tls, &bytes).await;
        }
        Does::Hang(bytes) => {
            let _ = tls.write_all(&bytes).await;
            let _ = tls.flush().await;
            let _ = tls.read_to_end(&mut Vec::new()).await;
        }
        Does::HangBeforeTls | Does::Plain(_) | Does::Close => unreachable!(),
    }
}

/// The client may have left meanwhile.
async fn send(tls: &mut TlsStream<TcpStream>, bytes: &[u8]) {
    let _ = tls.write_all(bytes).await;
    let _ = tls.shutdown().await;
    let _ = tls.read_to_end(&mut Vec::new()).await;
}

async fn head(tls: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
