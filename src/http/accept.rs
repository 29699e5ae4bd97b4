//! The accept loop: it takes connections only while it has room for them, outlives a shortage of descriptors, and ends
//! every connection that it began.

use super::{handoff::Connections, shutdown::ShutdownSignal};
use crate::{
    fanout::NewStream,
    limits::{Gate, Permit},
    telemetry::{
        SharedLogLimit,
        catalog::{HTTP_ACCEPT_ERRORS, STREAMS_REJECTED},
    },
};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How many connections the kernel holds before they are accepted (capped by `net.core.somaxconn`): a storm that finds
/// the queue full loses its SYNs and waits a second to send them again.
const BACKLOG: i32 = 4096;
/// Bytes of answers that the kernel holds for one client, doubled for its own use: left to itself it takes megabytes for each
/// that asks for much and reads nothing. A client 100 ms away still gets over a megabyte a second.
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// The waits after a failure to accept, the first and the longest: until a descriptor is free, the next fails too.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long answers under way may take at the end. Streams are not among them: they end by themselves, earlier.
const GRACE: Duration = Duration::from_secs(2);

/// How often a line is written about sockets that the system refuses: a shortage comes and goes with every connection.
const FAILURE_LOG_EVERY: Duration = Duration::from_secs(10);

/// Takes an accepted stream: its non-blocking socket, on which nothing of the answer is written yet.
pub type OpenStream = Arc<dyn Fn(std::net::TcpStream, NewStream) -> io::Result<()> + Send + Sync>;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", advice(source))]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// What a person can do about it, where that is plain.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "\n   = another program has this port: choose one with --listen, for operators with --admin-listen"
        }
        _ => "",
    }
}

/// Makes a listener, needing no runtime. A client that acknowledges nothing for `write_timeout` is given up by the kernel, also
/// after its connection was closed.
///
/// # Errors
/// [`BindError`], such as an address in use.
pub(crate) fn listen(address: SocketAddr, write_timeout: Duration) -> Result<std::net::TcpListener, BindError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the connections of the process before it.
        socket.set_reuse_address(true)?;
        // Accepted sockets inherit these; a tick must not wait for the acknowledgement of the one before.
        socket.set_tcp_nodelay(true)?;
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_tcp_user_timeout(Some(write_timeout))?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|source| BindError { address, source })
}

/// A listener with what serves its connections.
pub(crate) struct Acceptor<Kind> {
    pub(crate) listener: std::net::TcpListener,
    /// How many connections may be open at a time, streams apart.
    pub(crate) gate: Gate<Kind>,
    pub(crate) serving: Serving,
}

/// What serves each connection.
pub(crate) struct Serving {
    connections: Arc<Connections>,
    /// Where streams go.
    open_stream: OpenStream,
    /// Lets through the lines about streams that could not be opened.
    open_failures: Arc<SharedLogLimit>,
}

impl<Kind: Send + 'static> Acceptor<Kind> {
    /// Accepts connections until it is to stop, then ends those that are open, each when its answer is sent.
    ///
    /// # Errors
    /// What the system says where the listener cannot be watched.
    pub(crate) async fn run(self, mut shutdown: ShutdownSignal) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let mut tasks = JoinSet::new();
        let failures = SharedLogLimit::new(FAILURE_LOG_EVERY);
        loop {
            tokio::select! {
                (socket, peer, permit) = next_connection(&listener, &self.gate, &failures) => {
                    tasks.spawn(self.serving.serve(socket, peer, permit, shutdown.clone()));
                }
                Some(_) = tasks.join_next() => {}
                () = shutdown.wait() => break,
            }
        }
        // Nobody else may still connect to a gateway that is leaving.
        drop(listener);
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_ended).await.is_err() {
            tracing::info!(connections = tasks.len(), "cut off connections that took too long to end");
            tasks.shutdown().await;
        }
        Ok(())
    }
}

impl Serving {
    /// Connections are served by the one, streams go to the other.
    pub(crate) fn new(connections: Connections, open_stream: OpenStream) -> Self {
        let open_failures = Arc::new(SharedLogLimit::new(FAILURE_LOG_EVERY));
        Self { connections: Arc::new(connections), open_stream, open_failures }
    }

    /// One connection. The permit ends with it, or when it becomes a stream.
    fn serve<Kind>(
        &self,
        socket: TcpStream,
        peer: IpAddr,
        permit: Permit<Kind>,
        shutdown: ShutdownSignal,
    ) -> impl Future<Output = ()> + use<Kind> {
        let (connections, open_stream) = (self.connections.clone(), self.open_stream.clone());
        let open_failures = self.open_failures.clone();
        async move {
            let _held = permit;
            match connections.serve(socket, peer, shutdown).await {
                Ok(None) => {}
                Ok(Some(stream)) => {
                    if let Err(error) = open_stream(stream.socket, stream.opening) {
                        STREAMS_REJECTED.handle(["error".into()]).increment(1);
                        if let Some(held_back) = open_failures.admit(Instant::now()) {
                            tracing::warn!(%error, held_back, "could not open an accepted stream");
                        }
                    }
                }
                // A client's doing, and common on the open net: timeouts, resets, bad heads.
                Err(error) => tracing::debug!(%error, "a connection ended badly"),
            }
        }
    }
}

/// The next connection, with the permit that was there for it first: what there is no room for waits in the kernel.
///
/// # Cancel safety
/// Dropped, it has taken no connection: one that is accepted is returned in the same poll.
async fn next_connection<Kind>(
    listener: &TcpListener,
    gate: &Gate<Kind>,
    failures: &SharedLogLimit,
) -> (TcpStream, IpAddr, Permit<Kind>) {
    let permit = gate.acquire().await;
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (socket, peer.ip(), permit),
            Err(error) => {
                let failure = AcceptFailure::of(&error);
                HTTP_ACCEPT_ERRORS.handle([failure.name().into()]).increment(1);
                if failure == AcceptFailure::Client {
                    continue;
                }
                if let Some(held_back) = failures.admit(Instant::now()) {
                    tracing::warn!(%error, held_back, "cannot accept connections for now");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// All that is counted by reason is there from the start, at zero, so that the first one shows in a rate.
pub(super) fn register_counts() {
    STREAMS_REJECTED.register_all();
    HTTP_ACCEPT_ERRORS.register_all();
}

/// Why a connection could not be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AcceptFailure {
    /// The client left before: the next may come at once.
    Client,
    /// No descriptor is free.
    Descriptors,
    /// No memory for the socket.
    Memory,
    /// Anything else, which may well fail again.
    Other,
}

impl AcceptFailure {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::CONNABORTED | Errno::CONNRESET | Errno::PROTO | Errno::INTR) => Self::Client,
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptors,
            Some(Errno::NOBUFS | Errno::NOMEM) => Self::Memory,
            _ => Self::Other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
            Self::Other => "other",
        }
    }
}
