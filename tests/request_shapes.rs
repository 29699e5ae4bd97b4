//! The seam between hyper and the engine, over real sockets: whatever shape a request comes in, either hyper answers
//! it whole, or the engine gets the socket before a byte of its answer is written. An upgrade of hyper that changes
//! this must fail here.

#![allow(clippy::unwrap_used, reason = "test code")]

mod support;

use socket2::{Domain, Socket, Type};
use std::time::Duration;
use support::{Client, Gateway, PATIENCE, Setup, update};

const QUOTE: &str = "GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";
const STREAM: &str = "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn gateway() -> Gateway {
    Gateway::start(Setup::default())
}

/// Checks that what was read is one stream from its first byte to its last.
#[track_caller]
fn assert_is_stream(read: &str) {
    let (head, body) = read.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {read:?}"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    assert!(head.contains("\r\nconnection: close"), "{head}");
    assert!(body.starts_with("retry: "), "{body}");
    assert!(body.ends_with("}\n\ndata: the end\n\n"), "{body}");
    assert_eq!(body.matches("event: hello").count(), 1, "{body}");
    assert!(!body.contains("HTTP/1.1"), "a second answer: {body}");
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
        "GET /v1/stream?symbols=%41APL%2Caapl&unheard=of HTTP/1.1\r\nhost: localhost\r\n\r\n",
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
fn the_socket_is_handed_over_ready_for_the_engine() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send("GET /v1/stream?symbols=msft,AAPL,MSFT,NOPE HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let (socket, opening) = gateway.stream();
    assert!(socket.nodelay().unwrap(), "inherited from the listener");
    let error = std::io::Read::read(&mut &socket, &mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "non-blocking");
    let symbols: Vec<_> = opening.symbols.iter().map(|state| state.symbol().as_str()).collect();
    assert_eq!(symbols, ["MSFT", "AAPL"]);
    assert_eq!(opening.options.heartbeat, Duration::from_secs(15));
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
fn what_comes_behind_a_streams_request_is_never_answered() {
    let gateway = gateway();
    for behind in [QUOTE, STREAM, "POST /v1/stream/AAPL HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc", "\0\r\n\r\n"] {
        let mut client = gateway.client();
        client.send([STREAM, behind].concat());
        gateway.serve_stream();
        assert_is_stream(&client.rest());
        assert!(!gateway.was_handed_a_stream(), "{behind:?}");
    }
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

#[test]
fn a_request_with_a_body_is_refused_and_its_connection_closed() {
    let gateway = gateway();
    // The body looks like a request: taken for one, it would be answered too.
    let length = format!("content-length: {}\r\n", QUOTE.len());
    let chunked = "transfer-encoding: chunked\r\n";
    for target in ["/v1/stream/AAPL", "/v1/quotes/AAPL"] {
        for (headers, body) in [
            (length.clone(), QUOTE.to_owned()),
            (format!("expect: 100-continue\r\n{length}"), String::new()),
            (chunked.to_owned(), format!("{:x}\r\n{QUOTE}\r\n0\r\n\r\n", QUOTE.len())),
            (chunked.to_owned(), "0\r\n\r\n".to_owned()),
            (format!("{length}{chunked}"), format!("0\r\n\r\n{QUOTE}")),
            (format!("{chunked}{length}"), format!("0\r\n\r\n{QUOTE}")),
            ("content-length: 0\r\ntransfer-encoding: chunked\r\n".to_owned(), format!("0\r\n\r\n{QUOTE}")),
            ("transfer-encoding: gzip, chunked\r\n".to_owned(), "0\r\n\r\n".to_owned()),
        ] {
            let mut client = gateway.client();
            client.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{body}"));
            let answer = client.answer(true);
            assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
            assert_eq!(answer.header("connection"), Some("close"), "{headers:?}");
            assert_eq!(answer.json()["type"], "urn:tickfan:problem:body", "{headers:?}");
            assert_eq!(client.rest(), "", "{headers:?}");
        }
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn what_cannot_be_read_gets_a_bare_answer_and_the_end() {
    let gateway = gateway();
    let long = "x".repeat(20 * 1024);
    for (request, status) in [
        (format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n"), 431),
        (format!("GET /v1/stream/AAPL?{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"), 431),
        (format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(101)), 431),
        ("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        (
            "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("GET /v1/stream/AAPL HTTP/1.1\r\nhost : localhost\r\n\r\n".to_owned(), 400),
        ("GET /v1/stream/AA PL HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(), 400),
        ("GET /v1/stream/AA\0PL HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(), 400),
        ("GET /v1/stream/AAPL HTTP/3.0\r\nhost: localhost\r\n\r\n".to_owned(), 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\u{7c}\x03\x03".to_owned(), 400),
    ] {
        let mut client = gateway.client();
        client.send(&request);
        let answer = client.answer(true);
        assert_eq!((answer.status, client.rest().as_str()), (status, ""), "{:?}", &request[..request.len().min(80)]);
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn an_h2_preface_ends_the_connection() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let read = client.rest();
    assert!(read.is_empty() || read.starts_with("HTTP/1.1 400 "), "{read}");
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn without_exactly_one_host_it_is_not_clear_whom_a_request_is_for() {
    let gateway = gateway();
    for hosts in ["", "host: localhost\r\nhost: localhost\r\n"] {
        let mut client = gateway.client();
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\n{hosts}\r\n"));
        let answer = client.answer(true);
        assert_eq!((answer.status, &answer.json()["type"]), (400, &"urn:tickfan:problem:bad-host".into()));
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn encoded_line_ends_and_zeros_reach_nothing() {
    let gateway = gateway();
    let mut client = gateway.client();
    for target in [
        "/v1/stream/AAPL%0D%0Aevent:%20x",
        "/v1/stream/AAPL%0A%0Adata:%20x",
        "/v1/stream/AAPL%00",
        "/v1/stream/%FF%FE",
        "/v1/stream?symbols=AAPL,%0D%0Aset-cookie:%20x=y",
        "/v1/stream?symbols=AAPL%00,MSFT",
        "/v1/stream?symbols=AAPL+MSFT",
        "/v1/quotes?symbols=%0Did:%201",
    ] {
        let answer = client.get(target);
        assert_eq!(answer.status, 400, "{target}");
        assert_eq!(answer.json()["type"], "urn:tickfan:problem:bad-symbol", "{target}");
        assert!(!answer.body.contains(['\r', '\n', '\0']), "{target}: {}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn a_slow_head_is_cut_off_however_it_drips() {
    let mut setup = Setup::default();
    setup.limits.head_timeout = Duration::from_millis(200);
    let gateway = Gateway::start(setup);

    let mut silent = gateway.client();
    assert_eq!(silent.rest(), "", "not a byte came");
    let mut half = gateway.client();
    half.send(&STREAM[..STREAM.len() - 2]);
    assert_eq!(half.rest(), "", "half a head came");

    let mut drip = gateway.client();
    drip.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    drip.send("GET /v1/stream/AAPL HTTP/1.1\r\nx: ");
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        use std::io::{Read, Write};
        // The read's timeout is the pause between two drops.
        if matches!(drip.socket.read(&mut [0; 1]), Ok(0)) || drip.socket.write_all(b"x").is_err() {
            assert!(!gateway.was_handed_a_stream());
            return;
        }
    }
    panic!("a dripping head was still read after {PATIENCE:?}");
}

#[test]
fn an_idle_connection_is_closed_after_the_head_timeout() {
    let mut setup = Setup::default();
    setup.limits.head_timeout = Duration::from_millis(200);
    let gateway = Gateway::start(setup);
    let mut client = gateway.client();
    assert_eq!(client.get("/v1/quotes/AAPL").status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_client_that_leaves_early_costs_nothing() {
    let mut setup = Setup::default();
    setup.limits.connections = 1;
    let gateway = Gateway::start(setup);
    for sent in ["", "GET /v1/str", QUOTE] {
        let mut client = gateway.client();
        client.send(sent);
        drop(client);
    }
    // With one connection at a time, it is served only if all before are gone.
    assert_eq!(gateway.client().get("/v1/quotes/AAPL").status, 200);
}
