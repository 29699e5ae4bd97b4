//! A stop as its clients see it: the listener answers until the end, so that an `EventSource` comes back.

use crate::support::{
    Client, PATIENCE,
    running::{Running, binance, config},
    stream::{Event, Stream},
};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
use venue_sim::blocking::{Connection, Venue};

const TARGET: &str = "/v1/stream/BTC-USDT";

fn start(venue: &Venue, drain_delay: Duration, drain: Duration) -> (Running, Connection) {
    let mut config = config(vec![binance("crypto", &venue.url, &["BTC-USDT"])]);
    config.server.drain_delay = drain_delay;
    config.server.drain = drain;
    let gateway = Running::start(&config);
    (gateway, venue.grant(&["btcusdt"]))
}

/// What a client that asks for a stream sees first.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A stream.
    Hello,
    /// A stream that ends at once, with its `retry`.
    Bye(u32),
    /// Anything else: the connection is refused, reset, or ends without an answer.
    Nothing,
}

/// All that comes of a request until `hello`, or the end, be it a reset or a refused connection.
fn read_all(address: SocketAddr, target: &str) -> String {
    let mut text = String::new();
    let Ok(mut socket) = TcpStream::connect(address) else { return text };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let _ = socket.write_all(request.as_bytes());
    let mut bytes = [0; 4096];
    while !text.contains("event: hello")
        && let Ok(count @ 1..) = socket.read(&mut bytes)
    {
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    text
}

fn ask(address: SocketAddr) -> Seen {
    let text = read_all(address, TARGET);
    if text.contains("event: hello") {
        return Seen::Hello;
    }
    if !text.ends_with("event: bye\ndata: {\"reason\":\"busy\"}\n\n") {
        return Seen::Nothing;
    }
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("\r\ncontent-type: text/event-stream\r\n"), "{text}");
    Seen::Bye(text.split("retry: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap())
}

/// What clients see that ask again and again while a gateway stops, and whether it was ready before each of them asked.
fn asked_during_a_stop(gateway: Running) -> Vec<(bool, Seen)> {
    let (address, admin) = (gateway.address, gateway.admin);
    let stopping = std::thread::spawn(move || gateway.stop());
    let deadline = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while all.last().is_none_or(|(_, seen)| *seen != Seen::Nothing) {
        assert!(Instant::now() < deadline, "the listener never closes: {all:?}");
        let is_ready = read_all(admin, "/readyz").starts_with("HTTP/1.1 200 ");
        all.push((is_ready, ask(address)));
    }
    stopping.join().unwrap().unwrap();
    all
}

#[test]
fn rule_12_a_new_stream_is_sent_away_with_a_retry_until_the_end_of_a_stop() {
    for (streams, drain) in
        [(0, Duration::from_secs(10)), (0, Duration::from_millis(300)), (20, Duration::from_secs(1))]
    {
        let venue = Venue::bind();
        let (gateway, _connection) = start(&venue, Duration::ZERO, drain);
        let readers: Vec<_> = (0..streams)
            .map(|_| {
                let mut stream = Stream::open(gateway.address, TARGET);
                std::thread::spawn(move || while stream.next().is_some() {})
            })
            .collect();
        let seen = asked_during_a_stop(gateway);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        let retries: BTreeSet<u32> =
            seen.iter().filter_map(|(_, seen)| if let Seen::Bye(retry) = seen { Some(*retry) } else { None }).collect();
        // A busy machine may put a client aside for as long as the shortest drain takes.
        let is_seen = drain < Duration::from_secs(1) || retries.len() > 1;
        assert!(is_seen, "{streams} streams, {drain:?}: {seen:?}");
        assert!(retries.iter().all(|retry| (5_000..=30_000).contains(retry)), "{retries:?}");
        let order: Vec<u8> = seen
            .iter()
            .map(|(_, seen)| match seen {
                Seen::Hello => 0,
                Seen::Bye(_) => 1,
                Seen::Nothing => 2,
            })
            .collect();
        assert!(order.is_sorted(), "streams, then goodbyes, then nothing: {seen:?}");
    }
}

#[test]
fn a_gateway_serves_new_streams_for_the_drain_delay_though_it_is_not_ready() {
    let venue = Venue::bind();
    let (gateway, _connection) = start(&venue, Duration::from_secs(1), Duration::from_millis(200));
    let mut open = Stream::open(gateway.address, TARGET);
    open.named("hello");
    let seen = asked_during_a_stop(gateway);
    assert!(seen.contains(&(false, Seen::Hello)), "not ready, and still serving: {seen:?}");
    assert!(seen.iter().any(|(_, seen)| matches!(seen, Seen::Bye(_))), "{seen:?}");
    while let Some(event) = open.next() {
        assert!(!matches!(event, Event::Named(name, data) if name == "bye" && data["reason"] != "shutdown"));
    }
}

/// A request whose head was on its way is still answered; a kept connection ends with its next answer, or at the end.
#[test]
fn a_request_during_a_drain_is_answered() {
    let venue = Venue::bind();
    let (gateway, _connection) = start(&venue, Duration::ZERO, Duration::from_secs(2));
    let mut stream = Stream::open(gateway.address, TARGET);
    let begin = |target: &str| {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n"));
        client
    };
    let mut late_stream = begin(TARGET);
    let mut late_quote = begin("/v1/quotes/BTC-USDT");
    let mut idle = Client::connect(gateway.address);
    assert_eq!(idle.get("/v1/symbols").status, 200);
    let admin = gateway.admin;
    let stopping = std::thread::spawn(move || gateway.stop());
    while Client::connect(admin).get("/readyz").status == 200 {}
    while !matches!(ask_kept(&mut idle), Seen::Bye(_)) {
        idle = Client::connect(idle.socket.peer_addr().unwrap());
    }
    for client in [&mut late_stream, &mut late_quote] {
        client.send("\r\n");
    }
    let answer = late_stream.answer(true);
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    assert!(answer.body.ends_with("event: bye\ndata: {\"reason\":\"busy\"}\n\n"), "{answer:?}");
    assert_eq!(late_quote.answer(true).status, 200);
    for mut client in [late_stream, late_quote] {
        assert_eq!(client.rest(), "");
    }
    while !matches!(stream.next(), Some(Event::Named(name, _)) if name == "bye") {}
    drop(stream);
    stopping.join().unwrap().unwrap();
}

/// Asks for a stream on a kept connection.
fn ask_kept(client: &mut Client) -> Seen {
    client.send(format!("GET {TARGET} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    let text = client.until(|text| text.contains("event: hello") || text.contains("event: bye"));
    if text.contains("event: bye") { Seen::Bye(0) } else { Seen::Hello }
}
