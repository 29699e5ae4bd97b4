//! The seam between hyper and the workers, over real sockets: whatever shape a request comes in, either hyper answers
//! it whole, or the workers get the socket before a byte of its answer is written. An upgrade of hyper that changes
//! this must fail here.

use crate::support::{Client, Gateway, Setup, assert_is_stream, update};
use socket2::{Domain, Socket, Type};
use std::time::Duration;
use tickfan::{cache::WorkerIndex, fanout::StreamAddress};

const QUOTE: &str = "GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";
const STREAM: &str = "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn gateway() -> Gateway {
    Gateway::start(Setup::default())
}

#[test]
fn every_shape_of_a_request_without_a_body_becomes_a_stream() {
    let gateway = gateway();
    for request in [
        STREAM,
        "GET /v1/stream?symbols=AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "\r\nGET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.0\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.0\r\nhost: localhost\r\nconnection: keep-alive\r\n\r\n",
        "GET http://localhost/v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/stream/%41%61PL HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/stream?symbols=%41APL%2Caapl HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: 1zq-5\r\n\r\n",
    ] {
        let mut client = gateway.client();
        client.send(request);
        gateway.serve_stream();
        let read = client.rest();
        assert_is_stream(&read);
        assert!(read.contains("\"symbols\":[\"AAPL\"],\"unknown\":[]"), "{request:?}: {read}");
    }
    assert!(!gateway.was_handed_a_stream(), "one per request");
}

#[test]
fn the_head_may_come_in_pieces() {
    let gateway = gateway();
    let mut client = gateway.client();
    for byte in STREAM.as_bytes() {
        client.send([*byte]);
    }
    gateway.serve_stream();
    assert_is_stream(&client.rest());
}

#[test]
fn the_socket_is_handed_over_ready_for_the_workers() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send("GET /v1/stream?symbols=msft,AAPL,MSFT,NOPE HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let (socket, opening) = gateway.stream();
    assert!(socket.nodelay().unwrap(), "inherited from the listener");
    let error = std::io::Read::read(&mut &socket, &mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "non-blocking");
    let symbols: Vec<_> = opening.symbols.iter().map(|state| state.symbol().as_str()).collect();
    assert_eq!(symbols, ["MSFT", "AAPL"]);
    assert_eq!(opening.options.heartbeat(), Duration::from_secs(15));
    assert_eq!(gateway.permits.streams.in_use(), 1);
    drop(opening);
    assert_eq!(gateway.permits.streams.in_use(), 0, "the permit goes with it");
}

#[test]
fn a_stream_may_follow_other_answers_on_a_kept_connection() {
    let gateway = gateway();
    let mut client = gateway.client();
    for _ in 0..3 {
        assert_eq!(client.get("/v1/quotes/AAPL").status, 200);
        assert_eq!(client.get("/nothing").status, 404);
    }
    client.send(STREAM);
    gateway.serve_stream();
    assert_is_stream(&client.rest());
}

#[test]
fn a_pipelined_stream_waits_until_all_before_it_is_sent() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send([QUOTE, QUOTE, STREAM].concat());
    gateway.serve_stream();
    assert_eq!(client.answer(true).status, 200);
    assert_eq!(client.answer(true).status, 200);
    assert_is_stream(&client.rest());
}

#[test]
fn three_megabytes_before_a_stream_reach_a_slow_client_whole() {
    let mut setup = Setup { symbols: (0..2_400).map(|number| format!("{number:04}")).collect(), ..Setup::default() };
    setup.limits.symbols_per_stream = 3_000;
    let gateway = Gateway::start(setup.clone());
    for symbol in &setup.symbols {
        gateway.cache.get(&symbol.parse().unwrap()).unwrap().publish(&update(), tickfan::market::Now::read());
    }
    let target = format!("/v1/quotes?symbols={}", setup.symbols.join(","));
    let answer = gateway.client().get(&target);
    let repeats = 3_000_000_usize.div_ceil(answer.body.len());

    // A small window and small reads: most of the answers waits in the gateway.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(&gateway.address.into()).unwrap();
    let mut client = Client::from_socket(socket.into());
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.send(request.repeat(repeats));
    client.send("GET /v1/stream/0000 HTTP/1.1\r\nhost: localhost\r\n\r\n");
    for _ in 0..repeats {
        let slow = client.answer(true);
        assert_eq!((slow.status, slow.body.len()), (200, answer.body.len()));
        assert_eq!(slow.json()["quotes"], answer.json()["quotes"]);
    }
    gateway.serve_stream();
    assert_is_stream(&client.rest());
}

#[test]
fn head_tells_what_a_stream_would_be_and_opens_none() {
    let gateway = gateway();
    let mut client = gateway.client();
    let answer = client.request("HEAD", "/v1/stream/AAPL", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(client.rest(), "");
    assert!(!gateway.was_handed_a_stream());
}

/// The name by which a stream of this gateway is changed. Its workers are played, so each change finds no stream.
fn control(gateway: &Gateway) -> String {
    let (_client, opening) = gateway.open("/v1/stream/AAPL", "");
    let hello = opening.hello.block(StreamAddress { worker: WorkerIndex::new(0).unwrap(), key: 0 });
    let hello = String::from_utf8(hello.to_vec()).unwrap();
    let (_, control) = hello.split_once("\"control\":\"").unwrap();
    control.split_once('"').unwrap().0.to_owned()
}

#[test]
fn a_request_behind_a_body_is_served_if_the_body_was_read_and_only_then() {
    let gateway = gateway();
    let control = control(&gateway);
    for (control, body, status) in [
        (&*control, "{}", 404),
        (&control, "[]", 400),
        (&control, QUOTE, 400),
        (&control, STREAM, 400),
        ("unsigned", "{}", 404),
        ("unsigned", STREAM, 404),
    ] {
        let is_read = control != "unsigned";
        let mut client = gateway.client();
        let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let post = format!("POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{body}");
        client.send([&*post, STREAM].concat());
        let answer = client.answer(true);
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(answer.header("connection"), (!is_read).then_some("close"), "{body}");
        if is_read {
            gateway.serve_stream();
            assert_is_stream(&client.rest());
        } else {
            assert_eq!(client.rest(), "");
        }
        assert!(!gateway.was_handed_a_stream(), "{body}");
    }
}

#[test]
fn a_body_may_come_in_pieces() {
    let gateway = gateway();
    let control = control(&gateway);
    let mut client = gateway.client();
    let head = "content-type: application/json\r\ncontent-length: 12\r\n";
    for byte in format!("POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{{\"rev\":  3}}\n").bytes()
    {
        client.send([byte]);
    }
    assert_eq!(client.answer(true).json()["type"], "urn:tickfan:problem:no-such-stream");
    assert_eq!(client.get("/v1/quotes/AAPL").status, 200);
}
