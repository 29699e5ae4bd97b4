//! What a connection of the TLS listener does before it is served: its handshake.

use super::{
    client_io::ClientIo,
    connection::{Connections, linger},
    connection_table::Phase,
    h2::{AdoptH2, H2Client},
    handshakes::{Turn, Turns},
    hello::{self, HANDSHAKE_RECORD},
    places::Place,
    problem::Problem,
    request_id::RequestId,
    requests::{self, Unrouted},
    response::Response,
    seats::Seat,
    shutdown::ShutdownSignal,
    streams::OpenStreams,
    tls_io::TlsIo,
};
use crate::{
    config,
    limits::Permit,
    telemetry::{
        catalog::{TLS_HANDSHAKES, TLS_SESSIONS},
        labels::{Label, labels},
    },
    tls::{ALPN_HTTP2, Handshake, Handshaken, Progress, TlsError, TlsVersion},
};
use http::StatusCode;
use http_body_util::BodyExt as _;
use rustls::ServerConfig;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// How many bytes one read takes: a hello has some 500 to 2,000.
const READ_BYTES: usize = 4 * 1024;

/// The kinds of sessions, as labels of a metric: new ones and resumed ones.
const KINDS: [&str; 2] = ["full", "resumed"];

/// Where connections of a TLS listener pass.
pub(crate) struct TlsEntrance {
    config: Arc<ServerConfig>,
    /// The same without HTTP/2, for a gateway that drains: it must not take connections that stay.
    config_of_drain: Arc<ServerConfig>,
    draining: Arc<AtomicBool>,
    /// Where connections go that speak HTTP/2.
    http2: Option<Arc<dyn AdoptH2>>,
    /// Those of the start, where a reload has dropped the table: it takes effect with the next start.
    settings: config::Tls,
    turns: Turns,
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error("the client spoke no TLS")]
    NotTls,
    #[error("the client was slow to send a long hello, after {0} bytes, while others waited")]
    GaveWay(usize),
    #[error("the handshake took too long")]
    Timeout,
    #[error("the client left: {0}")]
    Left(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

labels! {
    /// The result of a handshake, as a metric's label.
    enum HandshakeResult {
        /// The client and the gateway speak TLS.
        Done = "done",
        /// The first byte is not TLS: most often plain HTTP, which is answered.
        NotTls = "not_tls",
        /// The client was slow to send a long hello while others waited.
        GaveWay = "gave_way",
        /// It took too long.
        Timeout = "timeout",
        /// The client left.
        Left = "left",
        /// The client sent an alert: often it rejects the certificate.
        Alert = "alert",
        /// The client's versions or ciphers do not fit.
        Incompatible = "incompatible",
        /// The client's application protocols do not fit.
        NoProtocol = "no_protocol",
        /// The client broke TLS.
        Broken = "broken",
    }
}

impl From<&HandshakeError> for HandshakeResult {
    fn from(error: &HandshakeError) -> Self {
        match error {
            HandshakeError::NotTls => Self::NotTls,
            HandshakeError::GaveWay(_) => Self::GaveWay,
            HandshakeError::Timeout => Self::Timeout,
            HandshakeError::Left(_) => Self::Left,
            HandshakeError::Tls(TlsError::Alert(_)) => Self::Alert,
            HandshakeError::Tls(TlsError::Incompatible(_)) => Self::Incompatible,
            HandshakeError::Tls(TlsError::NoCommonProtocol) => Self::NoProtocol,
            HandshakeError::Tls(_) => Self::Broken,
        }
    }
}

impl TlsEntrance {
    /// An entrance with these settings; `config` has the certificates. `draining` is set from the drain on.
    pub(crate) fn new(
        settings: config::Tls,
        config: Arc<ServerConfig>,
        http2: Option<Arc<dyn AdoptH2>>,
        draining: Arc<AtomicBool>,
    ) -> Self {
        TLS_HANDSHAKES.register_all();
        for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
            for kind in KINDS {
                TLS_SESSIONS.handle([version.label().into(), kind.into()]).increment(0);
            }
        }
        let turns = Turns::new(settings.handshakes);
        let mut config_of_drain = ServerConfig::clone(&config);
        config_of_drain.alpn_protocols.retain(|protocol| protocol != ALPN_HTTP2);
        Self { config, config_of_drain: Arc::new(config_of_drain), draining, http2, settings, turns }
    }

    /// Serves a connection that has a place: after its handshake as any other.
    ///
    /// # Errors
    /// As [`Connections::serve`].
    pub(super) async fn serve<Kind: Send + 'static, S: OpenStreams<TlsIo>>(
        &self,
        connections: &Connections<S>,
        mut socket: TcpStream,
        peer: IpAddr,
        (place, permit): (Place, Permit<Kind>),
        mut shutdown: ShutdownSignal,
    ) -> io::Result<()> {
        let live = connections.live.current();
        let within = live.tls.as_ref().unwrap_or(&self.settings).handshake_timeout;
        let shaken = tokio::select! {
            shaken = self.shake_hands(&mut socket, &place, within) => shaken,
            () = place.evicted() => {
                socket.reset_on_close();
                return Ok(());
            }
            () = shutdown.wait() => return Ok(()),
        };
        match shaken {
            Ok(handshaken) => {
                place.becomes(Phase::Head);
                TLS_HANDSHAKES.handle([HandshakeResult::Done.label().into()]).increment(1);
                let kind = KINDS[usize::from(handshaken.is_resumed)];
                TLS_SESSIONS.handle([handshaken.version.label().into(), kind.into()]).increment(1);
                if let Some(http2) = self.http2.as_ref().filter(|_| handshaken.session.protocol() == Some(ALPN_HTTP2)) {
                    let Handshaken { session, plaintext: input, .. } = handshaken;
                    let seat = Seat::new(place, permit);
                    return http2.adopt(H2Client { socket, session, input, seat });
                }
                let io = TlsIo::new(socket, handshaken);
                let served = connections.serve(io, peer, &Arc::new(place), shutdown).await;
                drop(permit); // behind the place, as for a plain connection
                served
            }
            Err(error) => {
                TLS_HANDSHAKES.handle([HandshakeResult::from(&error).label().into()]).increment(1);
                tracing::debug!(%peer, %error, "a handshake failed");
                tokio::select! {
                    () = reject(socket, &error) => {}
                    () = place.evicted() => {}
                }
                Ok(())
            }
        }
    }

    /// Leads a client through its handshake, for which it may take so long. What it sends first waits in the kernel for
    /// the handshake's turn, and as long as that takes, the client is not to blame for it.
    async fn shake_hands(
        &self,
        socket: &mut TcpStream,
        place: &Place,
        within: Duration,
    ) -> Result<Handshaken, HandshakeError> {
        let mut by = Instant::now() + within;
        in_time(by, hello::arrives(socket)).await?;
        let mut turn = Some(self.turn(place, &mut by).await);
        let drains = self.draining.load(Ordering::Relaxed);
        let config = if drains { &self.config_of_drain } else { &self.config };
        let mut handshake = Handshake::new(config.clone())?;
        let mut received = vec![0; READ_BYTES];
        let mut is_first = true;
        let mut total = 0;
        loop {
            let read = in_time(by, socket.read(&mut received));
            let bytes = match &turn {
                Some(turn) => turn.wait_for(read).await.ok_or(HandshakeError::GaveWay(total))?,
                None => read.await,
            }?;
            if bytes == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if is_first && received[0] != HANDSHAKE_RECORD {
                return Err(HandshakeError::NotTls);
            }
            is_first = false;
            total += bytes;
            let mut out = Vec::new();
            let progress = handshake.advance(&mut received[..bytes], &mut out);
            if !out.is_empty() {
                in_time(by, socket.write_all(&out)).await?;
                place.becomes(Phase::Handshake);
                turn = None;
            }
            match progress? {
                Progress::Waiting(next) => handshake = next,
                Progress::Done(handshaken) => return Ok(handshaken),
            }
            // What follows our flight is small, but another hello is as much work as the first.
            if turn.is_none() && handshake.awaits_hello() {
                in_time(by, hello::arrives(socket)).await?;
                turn = Some(self.turn(place, &mut by).await);
            }
        }
    }

    /// Waits for the handshake's turn, which moves the client's deadline.
    async fn turn(&self, place: &Place, by: &mut Instant) -> Turn {
        place.becomes(Phase::Answering);
        let asked = Instant::now();
        let turn = self.turns.next(place.whose()).await;
        *by += asked.elapsed();
        place.becomes(Phase::Head);
        turn
    }
}

/// Waits for the client until then.
async fn in_time<T>(by: Instant, client: impl Future<Output = io::Result<T>>) -> Result<T, HandshakeError> {
    Ok(timeout_at(by, client).await.map_err(|_| HandshakeError::Timeout)??)
}

/// Ends a connection whose handshake failed, so that its client can read why.
async fn reject(mut socket: TcpStream, error: &HandshakeError) {
    match error {
        HandshakeError::NotTls => {
            requests::count(Unrouted::Unreadable.label(), StatusCode::BAD_REQUEST);
            if socket.write_all(&speaks_https().await).await.is_ok() {
                linger(socket).await;
            }
        }
        // The alert is sent.
        HandshakeError::Tls(_) => linger(socket).await,
        HandshakeError::GaveWay(_) | HandshakeError::Timeout | HandshakeError::Left(_) => socket.reset_on_close(),
    }
}

/// The answer to a client that speaks plain HTTP.
async fn speaks_https() -> Vec<u8> {
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "https-only",
        "This port speaks https",
        "Write https:// in the address, or use the port that speaks http.".to_owned(),
    );
    http1(problem.into_response(RequestId::next())).await
}

/// A whole answer as HTTP/1.1 writes it, after which the connection ends.
async fn http1(response: Response) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut out = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(&body);
    out
}
