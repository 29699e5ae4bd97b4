//! Clients that do not read, and clients that come only to leave.

use super::{STREAM, gateway};
use crate::support::{
    Client, PATIENCE, connect_narrow,
    kernel::{sockets, unacknowledged, vanish, wait_until_nothing_is_left},
    process::Process,
    stream::Stream,
};
use socket2::SockRef;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};
use venue_sim::binance::trade;

const NAMES: &[&str] = &["aaplusdt"];
/// Many times the bytes that the kernel buffers for one stream.
const MANY: u64 = 2_000;

fn closed(gateway: &Process, reason: &str) -> u64 {
    gateway.metric("tickfan_streams_closed_total", &format!("reason=\"{reason}\""))
}

/// A client with an open stream, from which it has read the head.
fn open(mut socket: TcpStream) -> Client {
    socket.write_all(STREAM.as_bytes()).unwrap();
    let mut client = Client::from_socket(socket);
    client.until(|text| text.contains("\"seq\":0,"));
    client
}

#[test]
fn rule_5_a_stalled_reader() {
    let (gateway, venue) = gateway("stalled", "[fanout]\nstall_timeout = \"1s\"");
    let mut connection = venue.grant(NAMES);
    let mut stalled = open(connect_narrow(gateway.address));
    let ours = stalled.socket.peer_addr().unwrap();
    let theirs = stalled.socket.local_addr().unwrap();
    let mut other = Stream::open(gateway.address, "/v1/stream/AAPL");
    other.named("hello");
    assert_eq!(other.tick().number("seq"), 0);
    // Counts are up to a second old: a count of the first stream alone would look like the end of all.
    gateway.metric_when("tickfan_streams", "", |streams| streams == 2);
    for number in 1..=MANY {
        connection.send(&trade("AAPLUSDT", number, "182.34"));
        assert_eq!(other.tick().number("seq"), number, "a client that reads misses nothing");
    }
    gateway.metric_when("tickfan_streams", "", |streams| streams == 1);
    assert_eq!(closed(&gateway, "stalled") + closed(&gateway, "timeout"), 1);
    assert_eq!(sockets(ours, theirs), [""; 0], "neither a socket nor a byte of it is left");
    let ended = stalled.socket.read_to_end(&mut Vec::new());
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// No buffer fills up here: only the kernel knows that the client acknowledges nothing.
#[test]
fn rule_5_a_client_that_vanishes_with_its_stream_open() {
    let (gateway, venue) = gateway("vanished", "[fanout]\nstall_timeout = \"1s\"");
    let mut connection = venue.grant(NAMES);
    let client = open(TcpStream::connect(gateway.address).unwrap());
    vanish(&client.socket);
    connection.send(&trade("AAPLUSDT", 1, "182.34"));
    gateway.metric_when("tickfan_stream_ticks_sent_total", "", |ticks| ticks == 2);
    gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    assert_eq!(closed(&gateway, "timeout"), 1);
    wait_until_nothing_is_left(&client.socket);
}

#[test]
fn a_client_that_vanishes_before_its_answer() {
    let (gateway, _venue) = gateway("unanswered", "[limits]\nwrite_timeout = \"1s\"\nhead_timeout = \"60s\"");
    let mut client = Client::connect(gateway.address);
    assert_eq!(client.get("/v1/quotes/AAPL").status, 200);
    vanish(&client.socket);
    client.send("GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    // It is silent for less than `head_timeout`, so only unacknowledged bytes can end it.
    wait_until_nothing_is_left(&client.socket);
}

#[test]
fn a_slow_rest_reader() {
    const REQUESTS: usize = 1_000;
    let (gateway, _venue) = gateway("slow-rest", "[limits]\nwrite_timeout = \"1s\"\nconnections = 5");
    let requests = "GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(REQUESTS);
    let slow: Vec<TcpStream> = (0..4).map(|_| connect_narrow(gateway.address)).collect();
    slow.iter().for_each(|mut socket| socket.write_all(requests.as_bytes()).unwrap());
    let left = || slow.iter().flat_map(|socket| sockets(gateway.address, socket.local_addr().unwrap()));
    let mut most = 0;
    while let Some(unacknowledged) = left().map(|line| unacknowledged(&line)).max() {
        most = most.max(unacknowledged);
        assert_eq!(Client::connect(gateway.address).get("/v1/quotes/AAPL").status, 200, "others are served meanwhile");
        thread::sleep(Duration::from_millis(5)); // each keeps a port of this machine busy for a minute
    }
    assert!((1..300_000).contains(&most), "the kernel held {most} bytes for one of them");
    let answered = gateway.metric("tickfan_http_requests_total", "route=\"page\"");
    assert!(answered < 4 * REQUESTS as u64 / 2, "{answered} answers were made for clients that read none");
}

/// How a client comes and goes.
const VISITS: [&str; 5] =
    ["", "GET /v1/stre", "GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n", STREAM, "\0\0\r\n\r\n"];

#[test]
fn ten_thousand_connects_and_closes() {
    let (gateway, venue) = gateway("visits", "");
    let _connection = venue.grant(NAMES);
    let before = gateway.descriptors(); // before the first connection, even to the admin listener
    for visit in 0..10_000 {
        let mut socket = TcpStream::connect(gateway.address).unwrap();
        socket.write_all(VISITS[visit % VISITS.len()].as_bytes()).unwrap();
        match visit / VISITS.len() % 10 {
            0 => socket.shutdown(Shutdown::Write).unwrap(),
            1 => {}
            // A reset; without it each visit would keep a port of this machine busy for a minute.
            _ => SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap(),
        }
    }
    let deadline = Instant::now() + PATIENCE;
    while gateway.descriptors() != before {
        assert!(Instant::now() < deadline, "{before} descriptors before, {} after", gateway.descriptors());
        thread::sleep(Duration::from_millis(20));
    }
    // A worker publishes its counts once a second: those of the last streams come later.
    gateway.metric_when("tickfan_streams_closed_total", "", |closed| {
        closed > 0 && closed == gateway.metric("tickfan_streams_opened_total", "")
    });
    assert_eq!(gateway.metric("tickfan_streams", ""), 0);
    assert_eq!(Client::connect(gateway.address).get("/v1/quotes/AAPL").status, 200);
}
