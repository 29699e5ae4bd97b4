//! Venues with several addresses, over real sockets: some swallow, refuse or say nothing.

use super::*;
use crate::dial::LookUp;
use futures_util::StreamExt;
use socket2::{Domain, Type};
use std::net::SocketAddr;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::accept_async;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// An address that swallows every packet that would open a connection: its queue of connections is full.
struct Swallows {
    address: SocketAddr,
    _listener: socket2::Socket,
    _queued: std::net::TcpStream,
}

impl Swallows {
    fn bind() -> Self {
        let listener = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let queued = std::net::TcpStream::connect(address).unwrap();
        Self { address, _listener: listener, _queued: queued }
    }
}

/// An address that refuses connections, and the socket that keeps it: it is bound and does not listen.
fn refuses() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A venue that opens every websocket, and ends with the test.
async fn venue() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(mut socket) = accept_async(tcp).await else { return };
                while socket.next().await.is_some() {}
            });
        }
    });
    address
}

fn dialer(addresses: &[SocketAddr]) -> Dialer {
    let addresses = addresses.to_vec();
    let look_up = LookUp::new(move |host, port| {
        assert_eq!((host, port), ("venue.test", 80));
        Ok(addresses.clone())
    });
    Dialer::new(plain().with_look_up(look_up), 1 << 20)
}

async fn open(dialer: &Dialer) -> Result<Socket, SocketError> {
    timeout(PATIENCE, dialer.open("ws://venue.test/ws")).await.expect("the attempt ends")
}

#[tokio::test]
async fn a_venue_with_a_dead_address_is_reached_by_the_next_one() {
    let good = venue().await;
    let [dead, dead_too, dead_also] = [Swallows::bind(), Swallows::bind(), Swallows::bind()];
    let (_bound, refusing) = refuses();
    // Not routed anywhere: the discard prefix of RFC 6666.
    let dead_v6: SocketAddr = "[100::1]:80".parse().unwrap();
    for (found, outcomes) in [
        (vec![good], vec!["connected"]),
        (vec![dead.address, good], vec!["no answer", "connected"]),
        (vec![refusing, good], vec!["refused", "connected"]),
        (
            vec![dead.address, dead_too.address, dead_also.address, good],
            vec!["no answer", "no answer", "no answer", "connected"],
        ),
        (vec![refusing, dead.address, good], vec!["refused", "no answer", "connected"]),
        (vec![dead.address, refusing, good], vec!["no answer", "refused", "connected"]),
    ] {
        let dialer = dialer(&found);
        open(&dialer).await.unwrap_or_else(|error| panic!("{error}: {}", dialer.tried()));
        let each = found.iter().zip(outcomes).map(|(address, outcome)| format!("{address} {outcome}"));
        assert_eq!(dialer.tried(), each.collect::<Vec<_>>().join(", "));
    }
    for found in [[dead_v6, good], [good, dead_v6]] {
        let dialer = dialer(&found);
        open(&dialer).await.unwrap();
        assert!(dialer.tried().ends_with(&format!("{good} connected")), "{}", dialer.tried());
    }
}

#[tokio::test]
async fn an_attempt_at_dead_addresses_names_them_all() {
    let [(_bound, refusing), (_bound_too, refusing_too)] = [refuses(), refuses()];
    let dialer = self::dialer(&[refusing, refusing_too]);
    let error = open(&dialer).await.unwrap_err();
    assert_eq!(error.to_string(), "no address of venue.test accepts a connection");
    assert_eq!(dialer.tried(), format!("{refusing} refused, {refusing_too} refused"));

    let [dead, dead_too] = [Swallows::bind(), Swallows::bind()];
    let dialer = self::dialer(&[dead.address, refusing, dead_too.address]);
    let names = [
        format!("{} no answer", dead.address),
        format!("{refusing} refused"),
        format!("{} no answer", dead_too.address),
    ]
    .join(", ");
    let attempt = attempt(&dialer);
    while dialer.tried() != names {
        tokio::task::yield_now().await;
    }
    attempt.abort();
    assert_eq!(dialer.waits_for(), "waiting for an address to accept a connection");

    let dialer = self::dialer(&[]);
    assert_eq!(open(&dialer).await.unwrap_err().to_string(), "no address of venue.test accepts a connection");
    assert_eq!(dialer.tried(), "");
}

/// An attempt that goes on until it is aborted, as the session's deadline would.
fn attempt(dialer: &Dialer) -> JoinHandle<()> {
    let dialer = dialer.clone();
    tokio::spawn(async move { drop(dialer.open("ws://venue.test/ws").await) })
}

#[tokio::test]
async fn an_address_that_accepts_and_says_nothing_is_tried_last_the_next_time() {
    let good = venue().await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let found: Vec<_> = silent.iter().map(|listener| listener.local_addr().unwrap()).chain([good]).collect();
    let dialer = dialer(&found);
    for (place, listener) in silent.iter().enumerate() {
        let attempt = attempt(&dialer);
        let _accepted = timeout(PATIENCE, listener.accept()).await.expect("its turn").unwrap();
        while dialer.tried() != format!("{} connected", found[place]) {
            tokio::task::yield_now().await;
        }
        attempt.abort();
        let _ = attempt.await;
        assert_eq!(dialer.waits_for(), "waiting for the handshake");
    }
    open(&dialer).await.unwrap();
    assert_eq!(dialer.tried(), format!("{good} connected"));
}

#[tokio::test]
async fn an_address_that_hangs_up_before_the_handshake_is_tried_last_the_next_time() {
    let good = venue().await;
    let hangs_up = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialer = dialer(&[hangs_up.local_addr().unwrap(), good]);
    let (failed, accepted) = tokio::join!(open(&dialer), async { drop(hangs_up.accept().await.unwrap()) });
    assert!(failed.is_err());
    let () = accepted;
    open(&dialer).await.unwrap();
    assert_eq!(dialer.tried(), format!("{good} connected"));
}

#[tokio::test]
async fn a_refused_handshake_says_how_long_to_wait_in_seconds_or_by_a_date() {
    for (fields, seconds) in [
        ("retry-after: 300", Some(300)),
        ("date: Sun, 06 Nov 1994 08:44:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT", Some(300)),
        ("retry-after: Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("retry-after: later", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialer = dialer(&[listener.local_addr().unwrap()]);
        let refuse = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let answer = format!("HTTP/1.1 503 Service Unavailable\r\n{fields}\r\ncontent-length: 0\r\n\r\n");
            tokio::io::AsyncWriteExt::write_all(&mut tcp, answer.as_bytes()).await.unwrap();
            tcp
        };
        let (refused, _tcp) = tokio::join!(open(&dialer), refuse);
        let wait = refused.unwrap_err().retry_after(std::time::SystemTime::now());
        assert_eq!(wait.map(|wait| wait.as_secs()), seconds, "{fields}");
    }
}

#[tokio::test]
async fn a_failed_look_up_names_the_host() {
    let look_up = LookUp::new(|_, _| Err(std::io::Error::other("no such name")));
    let dialer = Dialer::new(plain().with_look_up(look_up), 1 << 20);
    assert_eq!(open(&dialer).await.unwrap_err().to_string(), "the look-up of venue.test failed: no such name");
}
