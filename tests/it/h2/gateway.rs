//! Clients of a whole gateway over TLS: the `h2` crate's, and one that reads no answers.

use crate::support::{
    Client, PATIENCE,
    certificates::Ca,
    h2_peer::{self, H2Peer},
    running::{Running, binance, config, serve_https},
    tls::{self, TlsClient, VERSIONS},
};
use bytes::Bytes;
use h2::{
    Reason, RecvStream, SendStream,
    client::{SendRequest, handshake},
};
use http::{Request, StatusCode};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};
use tickfan::config::Config;
use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;
use venue_sim::{binance::trade, blocking::Venue};

/// Longer than any test runs.
const NEVER: Duration = Duration::from_secs(3_600);

/// A client's connection.
struct Connection {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

/// What came of a request.
struct Answer {
    status: StatusCode,
    kind: String,
    text: String,
    body: RecvStream,
    request: SendStream<Bytes>,
}

impl Connection {
    async fn open(address: SocketAddr, ca: &Ca) -> Self {
        let mut config = tls::client_config_of(ca.der(), &VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        let (requests, connection) = handshake(tls).await.unwrap();
        Self { requests, ended: tokio::spawn(connection) }
    }

    async fn get(&self, path: &str) -> Result<Answer, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let request = Request::get(format!("https://localhost{path}")).body(()).unwrap();
        let (response, request) = requests.send_request(request, true)?;
        let (head, body) = response.await?.into_parts();
        let kind = head.headers["content-type"].to_str().unwrap().to_owned();
        Ok(Answer { status: head.status, kind, text: String::new(), body, request })
    }
}

impl Answer {
    /// Reads a part, and gives its room back; `false`: the answer has ended.
    async fn read(&mut self) -> bool {
        let Some(data) = timeout(PATIENCE, self.body.data()).await.expect("it goes on") else { return false };
        let data = data.unwrap();
        self.body.flow_control().release_capacity(data.len()).unwrap();
        self.text.push_str(std::str::from_utf8(&data).unwrap());
        true
    }

    async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            assert!(self.read().await, "it ended before {wanted}: {}", self.text);
        }
    }
}

#[test]
fn streams_and_answers_share_a_connection_until_the_gateway_stops() {
    let venue = Venue::bind();
    let mut config = config(vec![binance("crypto", &venue.url, &["BTC-USDT", "ETH-USDT"])]);
    let ca = serve_https(&mut config, "h2-crate");
    let gateway = Running::start(&config);
    let mut feed = venue.grant(&["btcusdt", "ethusdt"]);
    let address = gateway.tls.unwrap();
    let runtime = Runtime::new().unwrap();

    let (client, mut streams) = runtime.block_on(async {
        let client = Connection::open(address, &ca).await;
        let mut streams = Vec::new();
        for path in ["/v1/stream/BTC-USDT", "/v1/stream?symbols=BTC-USDT,ETH-USDT", "/v1/stream/BTC-USDT"] {
            let mut stream = client.get(path).await.unwrap();
            assert_eq!((stream.status, stream.kind.as_str()), (StatusCode::OK, "text/event-stream"));
            stream.until("\"state\":\"waiting\"").await;
            assert!(stream.text.contains("event: hello\n"), "{}", stream.text);
            streams.push(stream);
        }
        (client, streams)
    });

    feed.send(&trade("BTCUSDT", 1, "61837.63000000"));
    runtime.block_on(async {
        for stream in &mut streams {
            stream.until("\"price\":61837.63,").await;
        }
        let mut quotes = client.get("/v1/quotes/BTC-USDT").await.unwrap();
        while quotes.read().await {}
        assert_eq!((quotes.status, quotes.kind.as_str()), (StatusCode::OK, "application/json"));
        assert!(quotes.text.contains("\"price\":61837.63,"), "{}", quotes.text);
        let unknown = client.get("/v1/quotes/NONE").await.unwrap();
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        let mut reset = streams.remove(0);
        reset.request.send_reset(Reason::CANCEL);
    });

    feed.send(&trade("BTCUSDT", 2, "61900.00000000"));
    runtime.block_on(async {
        for stream in &mut streams {
            stream.until("\"price\":61900,").await;
        }
    });

    let stopping = thread::spawn(move || gateway.stop());
    runtime.block_on(async {
        for stream in &mut streams {
            while stream.read().await {}
            assert!(stream.text.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{}", stream.text);
        }
        assert!(client.get("/v1/symbols").await.is_err(), "the connection was told to go away");
        let ended = timeout(PATIENCE, client.ended).await.expect("it ends").unwrap();
        assert!(ended.as_ref().err().is_none_or(|error| error.reason() == Some(Reason::NO_ERROR)), "{ended:?}");
    });
    stopping.join().unwrap().unwrap();
}

/// A socket of a client at 127.0.0.`last`.
fn socket_from(last: u8, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// A client's side of a connection, which reads what it likes.
struct Raw {
    tls: TlsClient,
    peer: H2Peer,
}

impl Raw {
    fn open(socket: TcpStream, ca: &Ca, settings: &[(u16, u32)]) -> Self {
        let mut config = tls::client_config_of(ca.der(), &VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { tls: tls::client(socket, config), peer: H2Peer::new(settings) }
    }

    /// Sends what there is to send, and reads until something has come.
    fn until(&mut self, has_come: impl Fn(&H2Peer) -> bool) {
        self.peer.until(&mut self.tls, has_come);
    }

    /// Waits for the head of an answer.
    fn until_answered(&mut self, stream: u32) {
        self.until(|peer| peer.streams.get(&stream).is_some_and(|stream| !stream.head.is_empty()));
    }
}

/// Asks so often for something that it never reads, and waits for the heads of the answers.
fn hold_many(socket: TcpStream, ca: &Ca, answers: usize) -> Raw {
    let mut client = Raw::open(socket, ca, &[(h2_peer::INITIAL_WINDOW_SIZE, 0)]);
    for _ in 0..answers {
        let asked = client.peer.get("/app.js");
        client.until_answered(asked);
    }
    client
}

fn hold(socket: TcpStream, ca: &Ca) -> Raw {
    hold_many(socket, ca, 1)
}

#[test]
fn answers_that_their_clients_do_not_read_give_way_to_requests_over_http2() {
    const REFUSED_STREAM: u32 = 7;
    const CANCEL: u32 = 8;
    // As many requests may be under way as connections, and three quarters of them from one address.
    for (held, newcomer) in [(&[(7, 3), (8, 1)][..], 99), (&[(7, 2), (7, 1)], 7)] {
        let mut config: Config = config(vec![]);
        config.limits.connections = 4;
        config.limits.head_timeout = NEVER;
        config.limits.write_timeout = NEVER;
        let ca = serve_https(&mut config, "h2-unread-requests");
        let gateway = Running::start(&config);
        let address = gateway.tls.unwrap();
        let mut held: Vec<_> =
            held.iter().map(|&(last, answers)| hold_many(socket_from(last, address), &ca, answers)).collect();
        let mut newcomer = Raw::open(socket_from(newcomer, address), &ca, &[]);
        let refused = newcomer.peer.get("/v1/symbols");
        newcomer.until(|peer| peer.streams.get(&refused).is_some_and(|stream| stream.reset.is_some()));
        assert_eq!(newcomer.peer.streams[&refused].reset, Some(REFUSED_STREAM));
        for held in &mut held {
            held.until(|peer| peer.streams.values().all(|stream| stream.reset == Some(CANCEL)));
        }
        let asked = newcomer.peer.get("/v1/symbols");
        newcomer.until(|peer| peer.streams.get(&asked).is_some_and(|stream| stream.has_ended));
        assert_eq!(newcomer.peer.streams[&asked].head[0], 0x88, "the status is 200");
        drop((held, newcomer));
        gateway.stop().unwrap();
    }
}

#[test]
fn a_newcomer_is_answered_while_connections_whose_streams_have_ended_hold_all_places() {
    let mut config = config(vec![binance("crypto", "ws://127.0.0.1:9", &["BTC-USDT"])]);
    config.limits.connections = 4;
    config.limits.head_timeout = NEVER;
    let ca = serve_https(&mut config, "h2-ended");
    let gateway = Running::start(&config);
    let open_and_close = |last| {
        let mut client = Raw::open(socket_from(last, gateway.tls.unwrap()), &ca, &[]);
        let stream = client.peer.get("/v1/stream/BTC-USDT");
        client.until_answered(stream);
        let before = client.peer.acknowledged;
        client.peer.reset(stream, 8);
        client.peer.frame(h2_peer::PING, 0, 0, b"is over?");
        client.until(|peer| peer.acknowledged > before);
        client
    };
    let _held: Vec<_> = (7..11).map(open_and_close).collect();
    let mut newcomer = Client::from_socket(socket_from(99, gateway.address));
    assert_eq!(newcomer.get("/v1/symbols").status, 200);
    drop(newcomer);
    gateway.stop().unwrap();
}

#[test]
fn a_newcomer_is_answered_while_clients_hold_all_connections_by_answers_that_they_do_not_read() {
    let mut config: Config = config(vec![]);
    config.limits.connections = 4;
    config.limits.head_timeout = NEVER;
    config.limits.write_timeout = NEVER;
    let ca = serve_https(&mut config, "h2-unread");
    let gateway = Running::start(&config);
    let _held: Vec<_> = (7..11).map(|last| hold(socket_from(last, gateway.tls.unwrap()), &ca)).collect();
    let mut newcomer = Client::from_socket(socket_from(99, gateway.address));
    assert_eq!(newcomer.get("/v1/symbols").status, 200);
    drop(newcomer);
    gateway.stop().unwrap();
}
