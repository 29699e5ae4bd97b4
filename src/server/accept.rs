//! The accept loop: it makes room for each connection, survives a shortage of descriptors, and ends every connection
//! that it began.

use super::{
    connection::Connections,
    places::{Place, Places},
    shutdown::ShutdownSignal,
    streams::OpenStreams,
};
use crate::{
    limits::{Gate, Permit},
    telemetry::{
        SharedLogLimit,
        catalog::HTTP_ACCEPT_ERRORS,
        labels::{Label, labels},
    },
};
use rustix::io::Errno;
use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// The first and the longest wait after a failure to accept: until a descriptor is free, the next attempt fails too.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long answers under way may take at the end.
const GRACE: Duration = Duration::from_secs(2);
/// How often failures to accept are logged: during a shortage there is one for every connection.
const FAILURE_LOG_EVERY: Duration = Duration::from_secs(10);

/// A listener with what serves its connections.
pub(super) struct Acceptor<Kind, S: OpenStreams<TcpStream>> {
    pub(super) listener: std::net::TcpListener,
    /// How many connections may be open at a time, without streams.
    pub(super) gate: Gate<Kind>,
    pub(super) places: Arc<Places>,
    pub(super) connections: Arc<Connections<S>>,
}

impl<Kind: Send + 'static, S: OpenStreams<TcpStream>> Acceptor<Kind, S> {
    /// Accepts connections until the shutdown, then ends those that are open, each when its answer is sent.
    ///
    /// # Errors
    /// The system's, where the listener cannot be watched.
    pub(super) async fn run(self, mut shutdown: ShutdownSignal) -> io::Result<()> {
        HTTP_ACCEPT_ERRORS.register_all();
        let listener = TcpListener::from_std(self.listener)?;
        let mut tasks = JoinSet::new();
        let failures = SharedLogLimit::new(FAILURE_LOG_EVERY);
        // Accepted before it has a permit: only for a newcomer does another give way. All others wait in the kernel.
        let mut newcomer: Option<(TcpStream, IpAddr)> = None;
        loop {
            let waits_for = newcomer.as_ref().map(|(_, peer)| *peer);
            tokio::select! {
                accepted = next_connection(&listener, &failures), if waits_for.is_none() => newcomer = Some(accepted),
                permit = permit(&self.places, &self.gate, waits_for) => {
                    let Some((socket, peer)) = newcomer.take() else { continue };
                    let place = self.places.enter(peer);
                    tasks.spawn(serve(self.connections.clone(), socket, peer, (place, permit), shutdown.clone()));
                }
                Some(_) = tasks.join_next() => {}
                () = shutdown.wait() => break,
            }
        }
        // From here on the kernel refuses connections to a gateway that is leaving.
        drop(listener);
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_ended).await.is_err() {
            tracing::info!(connections = tasks.len(), "cut off connections that took too long to end");
            tasks.shutdown().await;
        }
        Ok(())
    }
}

/// A permit for a newcomer. Without one it never resolves.
async fn permit<Kind>(places: &Places, gate: &Gate<Kind>, newcomer: Option<IpAddr>) -> Permit<Kind> {
    match newcomer {
        Some(peer) => places.permit(gate, peer).await,
        None => std::future::pending().await,
    }
}

/// Serves one connection. Its place and its permit are given back when it ends, or when it becomes a stream.
async fn serve<Kind, S: OpenStreams<TcpStream>>(
    connections: Arc<Connections<S>>,
    socket: TcpStream,
    peer: IpAddr,
    (place, permit): (Place, Permit<Kind>),
    shutdown: ShutdownSignal,
) {
    connections.set_user_timeout(&socket);
    // Clients cause these, and on the open net they are common: timeouts, resets, malformed heads.
    if let Err(error) = connections.serve(socket, peer, &Arc::new(place), shutdown).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
    drop(permit);
}

/// The next connection.
///
/// # Cancel safety
/// Dropped, it has taken no connection: an accepted one is returned in the same poll.
async fn next_connection(listener: &TcpListener, failures: &SharedLogLimit) -> (TcpStream, IpAddr) {
    let mut pause = PAUSE_MIN;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (socket, peer.ip()),
            Err(error) => {
                let failure = AcceptFailure::of(&error);
                HTTP_ACCEPT_ERRORS.handle([failure.label().into()]).increment(1);
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

labels! {
    /// Why a connection could not be accepted.
    enum AcceptFailure {
        /// The client left before: the next connection may come at once.
        Client = "client",
        /// No descriptor is free.
        Descriptors = "descriptors",
        /// The system has no memory for the socket.
        Memory = "memory",
        /// Any other failure, which may well repeat.
        Other = "other",
    }
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
}
