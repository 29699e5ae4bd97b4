//! Requests that are meant to break something.

use super::{QUOTE, STREAM, gateway as process};
use crate::support::{
    Admin, Answer, Client, Gateway, PATIENCE, Setup, assert_is_stream,
    stream::{Event, Stream},
};
use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};
use tickfan::admin::HealthInputs;

fn gateway() -> Gateway {
    Gateway::start(Setup::default())
}

fn refused(gateway: &Gateway, target: &str, status: u16, kind: &str) -> Answer {
    let answer = gateway.client().get(target);
    assert_eq!(answer.status, status, "{target:.80}");
    assert_eq!(answer.json()["type"], format!("urn:tickfan:problem:{kind}"), "{target:.80}");
    assert!(answer.body.len() < 1_000, "however long the request was: {}", answer.body);
    answer
}

#[test]
fn bad_symbols() {
    let gateway = gateway();
    for symbol in ["", "a b", "*", "../../etc/passwd", "AAPL'--", "<script>", "${jndi:x}", "-A", "\u{1f4b8}", "ÄPFEL"]
    {
        let encoded: String = symbol.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let kind = if symbol.is_empty() { "no-symbols" } else { "bad-symbol" };
        for path in ["quotes", "stream"] {
            refused(&gateway, &format!("/v1/{path}?symbols={encoded}"), 400, kind);
            if !symbol.is_empty() {
                refused(&gateway, &format!("/v1/{path}/{encoded}"), 400, kind);
            }
        }
    }
    refused(&gateway, &format!("/v1/stream/{}", "A".repeat(33)), 400, "bad-symbol");
    refused(&gateway, &format!("/v1/stream/{}", "A".repeat(12_000)), 400, "bad-symbol");
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn too_many_symbols() {
    let gateway = gateway();
    let many: Vec<String> = (0..2_000).map(|number| format!("S{number}")).collect();
    let parameters: Vec<String> = many[..800].iter().map(|symbol| format!("symbols={symbol}")).collect();
    for path in ["quotes", "stream"] {
        refused(&gateway, &format!("/v1/{path}?symbols={}", many.join(",")), 400, "too-many-symbols");
        refused(&gateway, &format!("/v1/{path}?{}", parameters.join("&")), 400, "too-many-symbols");
        // A repeated symbol counts once, and an empty one not at all.
        let repeated = format!("/v1/{path}?symbols={}", "NOPE,".repeat(2_000));
        refused(&gateway, &repeated, 404, "no-such-symbol");
        refused(&gateway, &format!("/v1/{path}?symbols={}", ",".repeat(12_000)), 400, "no-symbols");
    }
    assert!(!gateway.was_handed_a_stream());
}

/// Characters that break lines, end strings or control a terminal, encoded as in a URL.
const ENCODED: [&str; 8] = ["%0D%0A", "%0D", "%0A", "%0A%0A", "%00", "%1B%5B31m", "%E2%80%A8", "%FF"];
/// This may never become a line or a header of a response or a log.
const FORGED: &str = "forged-header: yes";

/// Checks that no part of a parameter has become a line or a header of the response.
#[track_caller]
fn assert_unforged(answer: &Answer, sent: &str) {
    assert_eq!(answer.header("forged-header"), None, "{sent:?}: {}", answer.head);
    assert!(!answer.head.trim_end().replace("\r\n", "").contains(char::is_control), "{sent:?}: {:?}", answer.head);
    assert!(!answer.body.contains(char::is_control), "{sent:?}: {:?}", answer.body);
}

#[test]
fn encoded_line_ends_zeros_and_escapes_in_any_parameter() {
    let (gateway, _venue) = process("encoded", "");
    for encoded in ENCODED {
        let forged = format!("x{encoded}{}", FORGED.replace(' ', "%20"));
        for target in [
            format!("/v1/stream/AAPL{forged}"),
            format!("/v1/stream?symbols=AAPL,{forged}"),
            format!("/v1/stream/AAPL?on=trade{forged}"),
            format!("/v1/stream/AAPL?max_rate=4{forged}"),
            format!("/v1/stream/AAPL?heartbeat=15{forged}"),
            format!("/v1/quotes/{forged}"),
            format!("/v1/quotes?symbols={forged}"),
            format!("/v1/symbols?limit=1{forged}"),
            format!("/{forged}"),
        ] {
            let answer = Client::connect(gateway.address).get(&target);
            assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status);
            assert_unforged(&answer, &target);
        }
        for target in [
            format!("/debug/streams?limit=1{forged}"),
            format!("/debug/{forged}"),
            format!("/metrics{forged}"),
            format!("/{forged}"),
        ] {
            let answer = Client::connect(gateway.admin).get(&target);
            assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status);
            assert_unforged(&answer, &target);
        }
        for target in [format!("/v1/symbols?{forged}={forged}"), format!("/v1/stream/AAPL?{forged}=1")] {
            let answer = Client::connect(gateway.address).get(&target);
            assert_eq!(answer.status, 400, "{target}");
            assert_unforged(&answer, &target);
        }
        // An unknown prefix matches no symbol, and a foreign id is ignored.
        let answer = Client::connect(gateway.address).get(&format!("/v1/symbols?prefix={forged}"));
        assert_eq!((answer.status, &answer.json()["symbols"]), (200, &serde_json::json!([])));
        assert_unforged(&answer, &forged);
        for query in [format!("last_event_id={forged}"), format!("last_event_id=1-1{forged}")] {
            let mut stream = Stream::open(gateway.address, &format!("/v1/stream/AAPL?{query}"));
            assert!(!stream.named("hello").to_string().contains("forged"));
            assert!(matches!(stream.next(), Some(Event::Tick(tick)) if tick.number("seq") == 0));
        }
    }
    assert_nothing_logged(gateway.log());
}

#[test]
fn raw_line_ends_and_zeros_in_any_header() {
    let lines = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n[limits]\nstreams_per_address = 1000";
    let (gateway, _venue) = process("raw", lines);
    for name in ["last-event-id", "x-forwarded-for", "accept", "origin", "host", "user-agent", "forged"] {
        for raw in ["\r", "\0", "\x1b[31m", "\n", "\r\n", "\r\n "] {
            let mut client = Client::connect(gateway.address);
            let host = if name == "host" { "" } else { "host: localhost\r\n" };
            client.send(format!("GET /v1/quotes/AAPL HTTP/1.1\r\n{host}{name}: localhost{raw}{FORGED}\r\n\r\n"));
            // A line end begins another header, which a client may send; everything else is not a valid head.
            let answer = client.answer(true);
            let is_another = matches!(raw, "\n" | "\r\n");
            assert_eq!(answer.status, if is_another { 200 } else { 400 }, "{name}: {raw:?}");
            assert_unforged(&answer, &format!("{name}: {raw:?}"));
        }
    }
    assert_nothing_logged(gateway.log());
}

/// The log contains neither the client's bytes nor a line made of them.
#[track_caller]
fn assert_nothing_logged(log: Vec<String>) {
    assert!(!log.is_empty(), "what it says of its feed, at least");
    for line in log {
        assert!(!line.contains("forged") && !line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_long_url() {
    let gateway = gateway();
    let target = |bytes: usize| format!("/v1/stream?symbols={}", "x".repeat(bytes - "/v1/stream?symbols=".len()));
    refused(&gateway, &target(12 * 1024), 400, "bad-symbol");
    refused(&gateway, &target(12 * 1024 + 1), 414, "uri-too-long");
    let mut client = gateway.client();
    client.send(format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", target(20 * 1024)));
    assert_eq!((client.answer(true).status, client.rest().as_str()), (431, ""));
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn a_long_head() {
    let gateway = gateway();
    for header in [format!("x-long: {}\r\n", "x".repeat(20 * 1024)), "a: b\r\n".repeat(101)] {
        let mut client = gateway.client();
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{header}\r\n"));
        assert_eq!((client.answer(true).status, client.rest().as_str()), (431, ""), "{header:.20}");
    }
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn a_head_that_is_no_http() {
    let gateway = gateway();
    for (request, status) in [
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
fn a_slow_head_however_it_drips() {
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
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // The read's timeout is the pause between two drops.
        if matches!(drip.socket.read(&mut [0; 1]), Ok(0)) || drip.socket.write_all(b"x").is_err() {
            assert!(!gateway.was_handed_a_stream());
            return;
        }
    }
    panic!("a dripping head was still read after {PATIENCE:?}");
}

#[test]
fn an_idle_connection() {
    let mut setup = Setup::default();
    setup.limits.head_timeout = Duration::from_millis(200);
    let gateway = Gateway::start(setup);
    let mut client = gateway.client();
    assert_eq!(client.get("/v1/quotes/AAPL").status, 200);
    assert_eq!(client.rest(), "");
}

#[test]
fn a_body() {
    let gateway = gateway();
    // The body looks like a request: if the gateway read it as one, there would be a second response.
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
fn a_request_behind_a_stream() {
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
fn an_h2_preface() {
    let gateway = gateway();
    let mut client = gateway.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let read = client.rest();
    assert!(read.is_empty() || read.starts_with("HTTP/1.1 400 "), "{read}");
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn clients_that_leave_early() {
    let mut setup = Setup::default();
    setup.limits.connections = 1;
    let gateway = Gateway::start(setup);
    for sent in ["", "GET /v1/str", QUOTE] {
        let mut client = gateway.client();
        client.send(sent);
        drop(client);
    }
    // The limit is one connection, so this one is served only after all earlier ones are gone.
    assert_eq!(gateway.client().get("/v1/quotes/AAPL").status, 200);
}

#[test]
fn no_host_or_two() {
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
fn a_foreign_host_on_either_listener() {
    let gateway = gateway();
    let admin = Admin::start(|| -> HealthInputs { unreachable!("the test does not ask whether it is ready") });
    for (host, status) in [
        ("localhost:8080", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("Ticks.Example:443", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        for (address, target) in
            [(gateway.address, "/v1/quotes/AAPL"), (gateway.address, "/"), (admin.address, "/metrics")]
        {
            let mut client = Client::connect(address);
            client.send(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
            assert_eq!(client.answer(true).status, status, "{host}, {target}");
        }
    }
    let mut client = gateway.client();
    client.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    assert_eq!(client.answer(true).json()["type"], "urn:tickfan:problem:unknown-host");
    assert!(!gateway.was_handed_a_stream());
}

/// A target may be a host without a path, as a proxy is asked with.
#[test]
fn a_target_without_a_path_on_either_listener() {
    let gateway = gateway();
    let admin = Admin::start(|| -> HealthInputs { unreachable!("the test does not ask whether it is ready") });
    for method in ["CONNECT", "GET", "HEAD", "POST", "OPTIONS"] {
        for address in [gateway.address, admin.address] {
            let mut client = Client::connect(address);
            client.send(format!("{method} localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n"));
            let status = client.answer(method != "HEAD").status;
            assert_eq!(status, if method == "OPTIONS" { 204 } else { 404 }, "{method}");
        }
    }
    assert_eq!(gateway.client().get("/v1/quotes/AAPL").status, 200);
}
