//! A server of TLS and HTTP/2 from other people's libraries, in front of a server that speaks neither.

use bytes::Bytes;
use h2::{Reason, SendStream, server};
use http::{Request, Response};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};
use tickfan_loadtest::tls::{ClientTls, Trust};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ALL_VERSIONS, ServerConfig, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
    server::TlsStream,
};

/// What a front does.
#[derive(Debug, Clone)]
pub(crate) struct FrontSetup {
    /// The server behind it.
    pub(crate) upstream: SocketAddr,
    /// What it chooses from by ALPN.
    pub(crate) alpn: &'static [&'static str],
    /// The versions of TLS that it speaks.
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// Whether its certificate has expired.
    pub(crate) is_expired: bool,
    /// Ends each connection of HTTP/2 with this at its first request.
    pub(crate) go_away: Option<Reason>,
}

/// A running front.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// The authority of its certificate.
    pub(crate) ca: PathBuf,
    /// The connections that it has accepted.
    pub(crate) connections: Arc<AtomicU32>,
    _stop: oneshot::Sender<()>,
}

impl FrontSetup {
    pub(crate) fn of(upstream: SocketAddr) -> Self {
        Self { upstream, alpn: &["h2", "http/1.1"], versions: ALL_VERSIONS, is_expired: false, go_away: None }
    }
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Front {
    pub(crate) fn start(setup: FrontSetup) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env!("CARGO_TARGET_TMPDIR");
        let ca = PathBuf::from(format!("{folder}/front-{}-{number}.pem", std::process::id()));
        let (authority, acceptor) = acceptor(&setup);
        std::fs::write(&ca, authority).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (address_tx, address_rx) = std::sync::mpsc::channel();
        let connections = Arc::new(AtomicU32::new(0));
        let accepted = connections.clone();
        thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                address_tx.send(listener.local_addr().unwrap()).unwrap();
                let serve = async {
                    while let Ok((socket, _)) = listener.accept().await {
                        accepted.fetch_add(1, Ordering::Relaxed);
                        tokio::spawn(connection(socket, acceptor.clone(), setup.clone()));
                    }
                };
                tokio::select! { () = serve => {}, _ = stopped => {} }
            });
        });
        Self { address: address_rx.recv().unwrap(), ca, connections, _stop: stop }
    }

    /// Clients that trust it.
    pub(crate) fn clients(&self) -> ClientTls {
        ClientTls::new("localhost", Trust::File(self.ca.clone())).unwrap()
    }
}

fn acceptor(setup: &FrontSetup) -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    if setup.is_expired {
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let chain: Vec<CertificateDer<'static>> = vec![params.signed_by(&key, &ca).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(setup.versions).unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    config.alpn_protocols = setup.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn connection(socket: TcpStream, acceptor: TlsAcceptor, setup: FrontSetup) -> Option<()> {
    let mut tls = acceptor.accept(socket).await.ok()?;
    if tls.get_ref().1.alpn_protocol() == Some(b"h2") {
        return serve_h2(tls, setup).await;
    }
    let mut upstream = TcpStream::connect(setup.upstream).await.ok()?;
    tokio::io::copy_bidirectional(&mut tls, &mut upstream).await.ok().map(drop)
}

async fn serve_h2(tls: TlsStream<TcpStream>, setup: FrontSetup) -> Option<()> {
    let mut connection = server::handshake(tls).await.ok()?;
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        if let Some(reason) = setup.go_away {
            connection.abrupt_shutdown(reason);
            continue;
        }
        let upstream = setup.upstream;
        tokio::spawn(async move {
            let (status, is_stream, mut socket, begun) = forward(request, upstream).await?;
            let content_type = if is_stream { "text/event-stream" } else { "application/json" };
            let head = Response::builder().status(status).header("content-type", content_type);
            let mut stream = respond.send_response(head.body(()).unwrap(), false).ok()?;
            send(&mut stream, begun.into()).await?;
            // A refusal keeps its connection open.
            let mut chunk = vec![0; 16 * 1024];
            if is_stream {
                while let Some(count) = read(&mut socket, &mut chunk).await {
                    send(&mut stream, Bytes::copy_from_slice(&chunk[..count])).await?;
                }
            }
            stream.send_data(Bytes::new(), true).ok()
        });
    }
    Some(())
}

/// Requests the same of the server behind; returns its status, whether it is a stream, and what follows the head.
async fn forward(request: Request<h2::RecvStream>, upstream: SocketAddr) -> Option<(u16, bool, TcpStream, Vec<u8>)> {
    let mut socket = TcpStream::connect(upstream).await.ok()?;
    let host = request.uri().authority()?.as_str();
    let mut head = format!("GET {} HTTP/1.1\r\nhost: {host}\r\n", request.uri().path_and_query()?);
    for (name, value) in request.headers() {
        head += &format!("{name}: {}\r\n", value.to_str().ok()?);
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let head = String::from_utf8(bytes).ok()?;
            let status = head.split(' ').nth(1)?.parse().ok()?;
            return Some((status, head.contains("text/event-stream"), socket, rest));
        }
        let mut chunk = [0; 4_096];
        let count = read(&mut socket, &mut chunk).await?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// How many bytes have arrived; `None` at the end.
async fn read(socket: &mut TcpStream, chunk: &mut [u8]) -> Option<usize> {
    socket.read(chunk).await.ok().filter(|count| *count > 0)
}

/// Sends data within the client's windows.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await?.ok()?;
        stream.send_data(data.split_to(room.min(data.len())), false).ok()?;
    }
    Some(())
}
