//! HTTP/1.1 and streams over TLS.

use super::*;
use crate::support::connect_narrow;
use std::io::{ErrorKind, Read, Write};

#[test]
fn a_client_of_either_version_gets_answers_and_then_a_stream_on_one_connection() {
    for version in 0..2 {
        let gateway = Secure::start();
        let mut client = gateway.client(version);
        for _ in 0..2 {
            let answer = client.get("/v1/symbols");
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.json()["symbols"].as_array().unwrap().len(), 4);
            assert_eq!(answer.header("strict-transport-security"), None);
        }
        assert_eq!(client.get("/v1/quotes/NOPE").status, 404);
        client.send("GET /v1/stream?symbols=AAPL,MSFT HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let begin = client.until(|text| text.contains("\"AAPL\",\"seq\":0") && text.contains("\"MSFT\",\"seq\":0"));
        assert!(begin.starts_with("HTTP/1.1 200 OK\r\n"), "{begin}");
        assert!(begin.contains("content-type: text/event-stream\r\n"), "{begin}");
        gateway.workers.drain(Duration::ZERO);
        let rest = client.rest(); // it ends with a `close_notify`, or this fails
        assert!(rest.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{rest}");
        drop(client);
        gateway.stop();
    }
}

#[test]
fn a_request_may_come_with_the_end_of_the_handshake() {
    let gateway = Secure::start();
    let mut client = gateway.client(1);
    // rustls sends both in one flight.
    client.socket.conn.writer().write_all(b"GET /v1/symbols HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(client.answer(true).status, 200);
    gateway.stop();
}

#[test]
fn a_client_that_ends_its_side_behind_its_request_still_gets_its_answer() {
    let gateway = Secure::start();
    for version in 0..2 {
        let mut client = gateway.client(version);
        client.send("GET /v1/symbols HTTP/1.1\r\nhost: localhost\r\n\r\n");
        client.socket.conn.send_close_notify();
        client.socket.flush().unwrap();
        assert_eq!(client.answer(true).status, 200);
        assert_eq!(client.rest(), "");
    }
    gateway.stop();
}

#[test]
fn https_alone_is_demanded_over_tls_only_and_where_it_is_configured() {
    let day = Duration::from_secs(86_400);
    let gateway = Secure::with(|setup| setup.tls.as_mut().unwrap().hsts = day, |_| {});
    let mut client = gateway.client(1);
    for target in ["/v1/symbols", "/nothing", "/"] {
        assert_eq!(client.get(target).header("strict-transport-security"), Some("max-age=86400"), "{target}");
    }
    client.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.until(|text| text.contains("\r\nstrict-transport-security: max-age=86400\r\n"));
    assert_eq!(Client::connect(gateway.plain).get("/v1/symbols").header("strict-transport-security"), None);
    drop(client);
    gateway.stop();
}

/// More than the sockets of both sides hold.
const REQUESTS: usize = 300;

fn many_requests() -> String {
    "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(REQUESTS)
}

/// Reads a little at a time.
struct InBits(TlsClient);

impl Read for InBits {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(700);
        self.0.read(&mut buffer[..most])
    }
}

impl Write for InBits {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn answers_that_are_read_slowly_arrive_whole() {
    let gateway = Secure::start();
    let page = gateway.client(1).get("/").body;
    for version in VERSIONS {
        let socket = connect_narrow(gateway.address);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client::over(InBits(tls::client(socket, tls::client_config(&[version]))));
        client.send(many_requests());
        for _ in 0..REQUESTS {
            assert_eq!(client.answer(true).body, page);
        }
    }
    gateway.stop();
}

#[test]
fn rule_10_a_client_that_does_not_read_its_answer_is_reset() {
    let gateway = Secure::with(|setup| setup.limits.write_timeout = Duration::from_millis(200), |_| {});
    let socket = connect_narrow(gateway.address);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = tls::client(socket, tls::client_config(&[VERSIONS[1]]));
    client.write_all(many_requests().as_bytes()).unwrap();
    while gateway.permits.connections.in_use() > 0 {
        std::thread::yield_now();
    }
    let error = client.sock.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    gateway.stop();
}

#[test]
fn rule_10_a_client_that_sends_half_a_head_times_out() {
    let gateway = Secure::with(|setup| setup.limits.head_timeout = Duration::from_millis(100), |_| {});
    let mut client = gateway.client(1);
    client.send("GET /v1/symbols HTTP/1.1\r\nho");
    assert_eq!(client.rest(), "", "hyper ends it without an answer, and TLS in order");
    gateway.stop();
}

/// rustls takes 32 changes of keys in a row, so a byte of a head comes with each.
#[test]
fn rule_10_changes_of_keys_with_hardly_a_request_end_the_connection() {
    let gateway = Secure::with(|setup| setup.limits.head_timeout = 10 * PATIENCE, |_| {});
    let mut client = gateway.client(1); // TLS 1.3: before it keys do not change
    assert_eq!(client.get("/v1/symbols").status, 200);
    let mut client = client.socket;
    let mut sent = 0;
    let mut send = |bytes: &[u8]| {
        for _ in 0..30 {
            client.conn.refresh_traffic_keys().unwrap();
        }
        client.conn.writer().write_all(bytes).unwrap();
        while client.conn.wants_write() {
            sent += client.conn.write_tls(&mut client.sock)?;
        }
        assert!(sent < 4 * 1024 * 1024, "it may send for ever"); // the longest head would take 13 MiB
        Ok::<_, std::io::Error>(())
    };
    send(b"GET /v1/symbols HTTP/1.1\r\nhost: localhost\r\nx: ").unwrap();
    while send(b"x").is_ok() {}
    gateway.stop();
}

#[test]
fn a_stop_ends_connections_in_every_stage() {
    let gateway = Secure::start();
    let silent = gateway.socket();
    let mut half = gateway.socket();
    half.write_all(&[0x16, 3, 1]).unwrap();
    let mut idle = gateway.client(1);
    assert_eq!(idle.get("/v1/symbols").status, 200);
    while gateway.permits.connections.in_use() < 3 {
        std::thread::yield_now();
    }
    gateway.stop();
    assert_eq!(idle.rest(), "");
    for mut socket in [silent, half] {
        let _ = socket.read_to_end(&mut Vec::new());
    }
}

#[test]
fn both_listeners_share_their_permits() {
    let gateway = Secure::start();
    let mut plain = Client::connect(gateway.plain);
    let mut secure = gateway.client(1);
    assert_eq!((plain.get("/v1/symbols").status, secure.get("/v1/symbols").status), (200, 200));
    assert_eq!(gateway.permits.connections.in_use(), 2);
    gateway.stop();
}
