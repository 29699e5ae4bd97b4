//! The accept loop: it lets newcomers into the waiting room, gives them places, survives a shortage of descriptors, and
//! ends every connection that it began.

use super::{
    client_io::ClientIo as _,
    connection::Connections,
    places::{Place, Places},
    shutdown::ShutdownSignal,
    streams::{OpenStreams, Streams},
    tls::TlsEntrance,
    tls_io::TlsIo,
    waiting_room::{WaitingRoom, Whose},
};
use crate::{
    limits::{Gate, Permit},
    telemetry::{
        SharedLogLimit,
        catalog::HTTP_ACCEPT_ERRORS,
        labels::{Label, labels},
    },
};
use futures_util::FutureExt as _;
use rustix::io::Errno;
use std::{
    io,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// The first and the longest wait after a failure to accept: until a descriptor is free, the next attempt fails too.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the loop looks whether those that wait have left or waited too long, and asks others again to give way: a
/// place that is given back comes with a message.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long answers under way may take at the end.
const GRACE: Duration = Duration::from_secs(2);
/// How often failures to accept are logged: during a shortage there is one for every connection.
const FAILURE_LOG_EVERY: Duration = Duration::from_secs(10);

/// A listener with what serves its connections.
pub(super) struct Acceptor<Kind, S: Streams> {
    pub(super) listener: std::net::TcpListener,
    /// The port for TLS beside it, if there is one.
    pub(super) tls_listener: Option<std::net::TcpListener>,
    /// How many connections may be open at a time, without streams.
    pub(super) gate: Gate<Kind>,
    /// How many more may wait for that.
    pub(super) waiting_max: usize,
    pub(super) places: Arc<Places>,
    pub(super) look_every: Duration,
    pub(super) connections: Arc<Connections<S>>,
}

impl<Kind: Send + 'static, S: OpenStreams<TcpStream> + OpenStreams<TlsIo>> Acceptor<Kind, S> {
    /// Accepts connections until the shutdown, then ends those that are open, each when its answer is sent. Those of
    /// the port for TLS pass `tls` first.
    ///
    /// # Errors
    /// The system's, where the listener cannot be watched.
    pub(super) async fn run(self, tls: Option<TlsEntrance>, mut shutdown: ShutdownSignal) -> io::Result<()> {
        HTTP_ACCEPT_ERRORS.register_all();
        let listeners = Listeners {
            plain: TcpListener::from_std(self.listener)?,
            tls: self.tls_listener.map(TcpListener::from_std).transpose()?,
        };
        let mut entrance = Entrance {
            room: WaitingRoom::new(self.waiting_max),
            gate: self.gate,
            places: self.places,
            connections: self.connections,
            tls: tls.map(Arc::new),
            served: JoinSet::new(),
            shutdown: shutdown.clone(),
            has_asked: false,
        };
        let failures = SharedLogLimit::new(FAILURE_LOG_EVERY);
        let mut looks = interval(self.look_every);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            entrance.give_places();
            entrance.turn_away();
            tokio::select! {
                accepted = listeners.next(&failures), if entrance.room.accepts(Instant::now()) => {
                    if entrance.room.is_empty() {
                        looks.reset();
                    }
                    entrance.enter(accepted);
                }
                Some(Ok(whose)) = entrance.served.join_next() => entrance.room.may_have_turn(whose),
                given_back = entrance.places.given_back(), if !entrance.room.is_empty() => {
                    given_back.into_iter().for_each(|whose| entrance.room.may_have_turn(whose));
                }
                _ = looks.tick(), if !entrance.room.is_empty() => entrance.look(),
                () = shutdown.wait() => break,
            }
        }
        // From here on the kernel refuses connections to a gateway that is leaving.
        drop(listeners);
        entrance.end().await;
        Ok(())
    }
}

/// A connection that was accepted, and is not read yet.
struct Newcomer {
    socket: TcpStream,
    peer: IpAddr,
    port: Port,
}

/// Which port a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    Plain,
    Tls,
}

impl Newcomer {
    /// Whether its client closed or reset it. One that only closes its sending side behind a request looks the same; it
    /// is answered if it gets a place before anyone looks.
    fn has_left(&self) -> bool {
        let ready = self.socket.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }
}

/// The newcomers of a listener, and the connections that have their places.
struct Entrance<Kind, S: Streams> {
    room: WaitingRoom<Newcomer>,
    gate: Gate<Kind>,
    places: Arc<Places>,
    connections: Arc<Connections<S>>,
    tls: Option<Arc<TlsEntrance>>,
    /// Each tells at its end whose it was.
    served: JoinSet<Whose>,
    shutdown: ShutdownSignal,
    /// A connection was told to give way to the newcomer whose turn it is.
    has_asked: bool,
}

impl<Kind: Send + 'static, S: OpenStreams<TcpStream> + OpenStreams<TlsIo>> Entrance<Kind, S> {
    fn enter(&mut self, newcomer: Newcomer) {
        self.room.enter(self.places.whose(newcomer.peer), newcomer, Instant::now());
    }

    /// Resets those for whom there is neither a place nor room.
    fn turn_away(&mut self) {
        while let Some(Newcomer { socket, peer, .. }) = self.room.turn_away(Instant::now()) {
            self.places.turned_away(peer);
            socket.reset_on_close();
        }
        self.places.waiting(self.room.len());
    }

    /// Gives the free places to newcomers, by turns. Asks others to give way where none is free: a connection of the
    /// same address, if that holds its share.
    fn give_places(&mut self) {
        while let Some((whose, waiting)) = self.room.next() {
            if let Some(address) = whose.filter(|address| self.places.is_share_full(*address)) {
                self.places.make_room_of(address, waiting);
                self.room.pass();
                continue;
            }
            let Some(permit) = self.gate.try_acquire() else {
                self.has_asked = self.has_asked || self.places.make_room();
                return;
            };
            self.has_asked = false;
            let Some(newcomer) = self.room.take() else { return };
            let place = self.places.enter(newcomer.peer);
            let (connections, tls, shutdown) = (self.connections.clone(), self.tls.clone(), self.shutdown.clone());
            // A task is allocated with an alignment, for which glibc wants a larger hole than the one that a task of
            // this size leaves: connections that leave something small behind would each take new memory.
            self.served.spawn(Box::pin(async move {
                serve(connections, tls, newcomer, (place, permit), shutdown).await;
                whose
            }));
        }
    }

    /// Ends the wait of those that left or waited too long, and lets the others ask again.
    fn look(&mut self) {
        let too_long = self.connections.live.current().limits.head_timeout;
        let now = Instant::now();
        self.room.retain(|since, newcomer| {
            let may_wait = now < since + too_long && !newcomer.has_left();
            if !may_wait {
                newcomer.socket.reset_on_close();
            }
            may_wait
        });
        self.room.all_may_have_turns();
        self.has_asked = false;
    }

    /// Resets those that wait, as the kernel does with those in its queue, and waits until the others have ended.
    async fn end(mut self) {
        self.room.retain(|_, newcomer| {
            newcomer.socket.reset_on_close();
            false
        });
        self.places.waiting(0);
        let all_ended = async { while self.served.join_next().await.is_some() {} };
        if timeout(GRACE, all_ended).await.is_err() {
            tracing::info!(connections = self.served.len(), "cut off connections that took too long to end");
            self.served.shutdown().await;
        }
    }
}

/// Serves one connection. Its place and its permit are given back when it ends, or when it becomes a stream.
async fn serve<Kind: Send + 'static, S: OpenStreams<TcpStream> + OpenStreams<TlsIo>>(
    connections: Arc<Connections<S>>,
    tls: Option<Arc<TlsEntrance>>,
    Newcomer { socket, peer, port }: Newcomer,
    (place, permit): (Place, Permit<Kind>),
    shutdown: ShutdownSignal,
) {
    place.begins();
    connections.set_user_timeout(&socket);
    let served = match tls {
        Some(tls) if port == Port::Tls => tls.serve(&connections, socket, peer, (place, permit), shutdown).await,
        _ => {
            let served = connections.serve(socket, peer, &Arc::new(place), shutdown).await;
            drop(permit); // behind the place: a newcomer that finds it free finds room in its address's share, too
            served
        }
    };
    // Clients cause these, and on the open net they are common: timeouts, resets, malformed heads.
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// The ports of a server.
struct Listeners {
    plain: TcpListener,
    tls: Option<TcpListener>,
}

impl Listeners {
    /// The next connection.
    ///
    /// # Cancel safety
    /// Dropped, it has taken no connection: an accepted one is returned in the same poll.
    async fn next(&self, failures: &SharedLogLimit) -> Newcomer {
        let mut pause = PAUSE_MIN;
        loop {
            match self.accept().await {
                Ok(newcomer) => return newcomer,
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

    /// The next connection of either port: where both have one, of a random one.
    async fn accept(&self) -> io::Result<Newcomer> {
        let tls = async {
            match &self.tls {
                Some(tls) => tls.accept().await,
                None => std::future::pending().await,
            }
        };
        let ((socket, peer), port) = tokio::select! {
            accepted = self.plain.accept() => (accepted?, Port::Plain),
            accepted = tls => (accepted?, Port::Tls),
        };
        Ok(Newcomer { socket, peer: peer.ip(), port })
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn a_newcomer_has_left_when_its_client_closed_and_not_when_it_sent() {
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = plain.local_addr().unwrap();
        let listeners = Listeners { plain, tls: None };
        let failures = SharedLogLimit::new(FAILURE_LOG_EVERY);
        for leaves in [true, false] {
            let mut client = TcpStream::connect(address).await.unwrap();
            let newcomer = listeners.next(&failures).await;
            assert!(!newcomer.has_left());
            client.write_all(b"GET / HTTP/1.1").await.unwrap();
            if leaves {
                drop(client);
                while !newcomer.socket.ready(Interest::READABLE).await.unwrap().is_read_closed() {
                    tokio::task::yield_now().await;
                }
            } else {
                newcomer.socket.readable().await.unwrap();
            }
            assert_eq!(newcomer.has_left(), leaves);
        }
    }
}
