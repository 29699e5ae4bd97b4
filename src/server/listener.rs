//! A bound listener, and the server on it.

use super::{
    accept::{Acceptor, LOOK_EVERY},
    connection::Connections,
    handler::RequestHandler,
    places::Places,
    seats::Seats,
    shutdown::ShutdownSignal,
    streams::{OpenStreams, Streams},
    tls::TlsEntrance,
    tls_io::TlsIo,
};
use crate::{config::Live, limits::Gate};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpStream, sync::watch};

/// How many connections the kernel holds before they are accepted (capped by `net.core.somaxconn`). While that queue is
/// full, the kernel drops SYNs, and each client sends its next one a second later.
const BACKLOG: i32 = 4096;
/// Bytes of answers that the kernel holds for one client, doubled for its own use. By default it holds megabytes for a
/// client that asks for much and reads nothing. A client 100 ms away still gets over a megabyte a second.
const SEND_BUFFER_BYTES: usize = 128 * 1024;

/// Why a listener cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}{}", advice(source))]
pub struct BindError {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// The system's reason.
    pub source: io::Error,
}

/// What a person can do about it, if that is known.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "\n   = another program uses this port: choose another with --listen, or --admin-listen for operators"
        }
        _ => "",
    }
}

/// Makes a listener; it needs no runtime. The kernel times out a client that acknowledges nothing for `write_timeout`,
/// also after its connection was closed.
fn listen(address: SocketAddr, write_timeout: Duration) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the previous process.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit the options below. A tick must not wait for the acknowledgement of the previous one.
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds a port and gives it back.
///
/// # Errors
/// The system's, such as an address in use.
pub(crate) fn try_listen(address: SocketAddr) -> io::Result<()> {
    listen(address, Duration::from_secs(1)).map(drop)
}

/// Makes a listener; returns its address too.
fn bind(address: SocketAddr, write_timeout: Duration) -> Result<(TcpListener, SocketAddr), BindError> {
    let bound = listen(address, write_timeout).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (bound, listener) = bound.map_err(|source| BindError { address, source })?;
    Ok((listener, bound))
}

/// A listener whose port is bound, with what answers on it.
pub(crate) struct HttpServer<Kind, S: Streams> {
    acceptor: Acceptor<Kind, S>,
    address: SocketAddr,
}

impl<Kind: Send + 'static, S: OpenStreams<TcpStream> + OpenStreams<TlsIo>> HttpServer<Kind, S> {
    /// Binds the listener; connections wait in the kernel until it [runs](Self::run). It needs no runtime. `gate`
    /// limits the connections that are open at a time, without streams; `waiting_max` more may wait for that.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub(crate) fn bind(
        address: SocketAddr,
        live: Live,
        gate: Gate<Kind>,
        waiting_max: usize,
        handler: RequestHandler<S>,
    ) -> Result<Self, BindError> {
        let write_timeout = live.current().limits.write_timeout;
        let (listener, bound) = bind(address, write_timeout)?;
        let connections = Connections { handler: Arc::new(handler), live, write_timeout_at_start: write_timeout };
        let places = Places::new(connections.handler.audience(), connections.live.clone(), gate.limit());
        let connections = Arc::new(connections);
        let (tls_listener, look_every) = (None, LOOK_EVERY);
        let acceptor = Acceptor { listener, tls_listener, gate, waiting_max, places, look_every, connections };
        Ok(Self { acceptor, address: bound })
    }

    /// Binds a port for TLS beside it; returns where that is.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub(crate) fn bind_tls(&mut self, address: SocketAddr) -> Result<SocketAddr, BindError> {
        let (listener, bound) = bind(address, self.acceptor.connections.write_timeout_at_start)?;
        self.acceptor.tls_listener = Some(listener);
        Ok(bound)
    }

    /// What answers its requests.
    pub(crate) fn handler(&self) -> Arc<RequestHandler<S>> {
        self.acceptor.connections.handler.clone()
    }

    /// The seats of its connections.
    pub(crate) fn seats(&self) -> Seats<Kind> {
        Seats::new(self.acceptor.places.clone(), self.acceptor.gate.clone())
    }

    /// Where it listens. Port 0 in the configuration has become the port that the system chose.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is true or its sender is dropped, then ends the open connections: within two seconds all
    /// are closed. Streams are not among them: they left with their sockets. Connections of the port for TLS pass `tls`
    /// first.
    ///
    /// # Errors
    /// The system's, where the listener cannot be watched.
    pub(crate) async fn run(self, tls: Option<TlsEntrance>, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        self.acceptor.run(tls, ShutdownSignal::new(shutdown)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Config,
        limits::Connection,
        server::{
            answer::Answer,
            handler::Audience,
            response::json,
            router::{Elsewhere, Router},
            streams::NoStreams,
        },
        telemetry::labels::labels,
    };
    use std::net::{IpAddr, Ipv4Addr};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::timeout,
    };

    labels! {
        /// The routes of this test.
        enum Route {
            /// A whole answer.
            Whole = "whole",
        }
    }

    /// A server with so many places, which never looks at those that wait.
    fn server(places: usize, per_address: usize) -> HttpServer<Connection, NoStreams> {
        let mut config = Config::default();
        config.limits.connections_per_address = per_address;
        let live = Live::new(config);
        let routes = Router::new((), Elsewhere { prefixes: &[], place: "" })
            .get(Route::Whole, "/whole", |(), _| Answer::Whole(json("{}")))
            .build();
        let handler = RequestHandler::new(Audience::Clients, live.clone(), routes, NoStreams);
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = HttpServer::bind(any, live, Gate::new(places), 4, handler).unwrap();
        server.acceptor.look_every = Duration::from_secs(3_600);
        server
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_place_of_another_protocols_connection_as_soon_as_it_is_given_back() {
        // Another address holds all places, or its own holds its share.
        for (places, per_address, holder) in [(1, 1, [127, 0, 0, 2]), (8, 1, [127, 0, 0, 1])] {
            let server = server(places, per_address);
            let (address, seats) = (server.local_addr(), server.seats());
            let seat = seats.take(IpAddr::from(holder)).unwrap();
            seat.idles();
            let (_stop_tx, stop_rx) = watch::channel(false);
            let newcomer = async {
                let mut client = TcpStream::connect(address).await.unwrap();
                client.write_all(b"GET /whole HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
                seat.evicted().await;
                drop(seat);
                let mut answer = [0; 15];
                client.read_exact(&mut answer).await.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200 OK");
            };
            tokio::select! {
                ended = server.run(None, stop_rx) => panic!("{ended:?}"),
                answered = timeout(Duration::from_secs(20), newcomer) => answered.expect("it stays without a place"),
            }
        }
    }
}
