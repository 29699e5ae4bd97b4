//! Clients that close their sending side behind a request, as `nc -N` does, and go on reading.

use crate::support::{
    Client,
    running::{Running, binance, config},
};
use std::net::Shutdown;
use venue_sim::{
    binance::trade,
    blocking::{Connection, Venue},
};

const STREAM: &str = "GET /v1/stream/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\r\n";
const QUOTE: &str = "GET /v1/quotes/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn start(venue: &Venue) -> (Running, Connection) {
    let config = config(vec![binance("crypto", &venue.url, &["BTC-USDT"])]);
    let gateway = Running::start(&config);
    (gateway, venue.grant(&["btcusdt"]))
}

/// A client that has sent all that it will ever send.
fn half_closed(gateway: &Running, bytes: &str) -> Client {
    let mut client = Client::connect(gateway.address);
    client.send(bytes);
    client.socket.shutdown(Shutdown::Write).unwrap();
    client
}

#[test]
fn a_client_that_half_closes_behind_its_request_gets_its_stream_to_the_end() {
    let venue = Venue::bind();
    let (gateway, mut connection) = start(&venue);
    let mut clients: Vec<_> = [
        STREAM.to_owned(),
        STREAM.replace("1.1", "1.0"),
        STREAM.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"),
        [QUOTE, STREAM].concat(),
        [STREAM, "bytes behind the request"].concat(),
    ]
    .iter()
    .map(|bytes| half_closed(&gateway, bytes))
    .collect();
    let mut late = Client::connect(gateway.address);
    assert_eq!(late.get("/v1/quotes/BTC-USDT").status, 200);
    late.send(STREAM);
    late.until(|text| text.contains("\"seq\":0"));
    late.socket.shutdown(Shutdown::Write).unwrap();
    clients.push(late);
    for client in &mut clients {
        client.until(|text| text.contains("event: hello") && text.contains("\"seq\":0"));
    }
    for number in 1..=3 {
        connection.send(&trade("BTCUSDT", number, "61837.63000000"));
        for client in &mut clients {
            client.until(|text| text.contains(&format!("\"seq\":{number},")));
        }
    }
    gateway.stop().unwrap();
    for mut client in clients {
        assert!(client.rest().ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"));
    }
}

#[test]
fn a_client_that_half_closes_behind_its_request_gets_its_answer() {
    let venue = Venue::bind();
    let (gateway, _connection) = start(&venue);
    for (bytes, status) in [
        (QUOTE.to_owned(), 200),
        (QUOTE.replace("BTC-USDT", "NOPE"), 404),
        (QUOTE.replace("/v1/quotes/BTC-USDT", "/v1/symbols"), 200),
        (QUOTE.replace("/v1/quotes/BTC-USDT", "/app.js"), 200),
        (STREAM.replace("BTC-USDT", "NOPE"), 404),
    ] {
        let mut client = half_closed(&gateway, &bytes);
        assert_eq!(client.answer(true).status, status, "{bytes}");
        assert_eq!(client.rest(), "", "{bytes}: the connection ends behind its last answer");
    }
    let mut client = half_closed(&gateway, &QUOTE.repeat(3));
    for _ in 0..3 {
        assert_eq!(client.answer(true).status, 200);
    }
    let operators = QUOTE.replace("/v1/quotes/BTC-USDT", "/debug/streams");
    let mut client = Client::connect(gateway.admin);
    client.send(operators);
    client.socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.answer(true).status, 200, "an answer that takes a thread of its own");
    gateway.stop().unwrap();
}

#[test]
fn a_client_that_closes_within_a_head_is_sent_away() {
    let venue = Venue::bind();
    let (gateway, _connection) = start(&venue);
    for bytes in ["", "GET", "GET /v1/stream/BTC-USDT HTTP/1.1\r\n", &STREAM[..STREAM.len() - 2]] {
        assert_eq!(half_closed(&gateway, bytes).rest(), "", "{bytes:?}");
    }
    gateway.stop().unwrap();
}
