//! Bodies that are meant to be taken for requests, or to be waited for in vain: on the path that takes one, and on the
//! others.

use super::{QUOTE, STREAM, gateway as process};
use crate::support::{Answer, Client, process::Process, stream::Stream};
use std::net::Shutdown;

const JSON: &str = "content-type: application/json\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n";

/// A name that leads to no stream.
const NO_CONTROL: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Opens a stream; returns it with the name by which it is changed.
fn open(gateway: &Process) -> (Stream, String) {
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    let control = stream.named("hello")["control"].as_str().unwrap().to_owned();
    (stream, control)
}

/// Sends a request; returns its client and its answer.
fn ask(gateway: &Process, request: &str) -> (Client, Answer) {
    let mut client = Client::connect(gateway.address);
    client.send(request);
    let answer = client.answer(true);
    (client, answer)
}

fn post(control: &str, headers: &str, body: &str) -> String {
    format!("POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{body}")
}

fn length(body: &str) -> String {
    format!("content-length: {}\r\n", body.len())
}

/// Checks that a request has this answer and the connection ends with it: nothing behind its head is read as another.
#[track_caller]
fn assert_ends(gateway: &Process, request: &str, status: u16) {
    let (mut client, answer) = ask(gateway, request);
    assert_eq!(answer.status, status, "{request}: {answer:?}");
    assert_eq!(answer.header("connection"), Some("close"), "{request}");
    assert_eq!(client.rest(), "", "{request}");
}

#[test]
fn a_body_that_is_a_request_behind_one_that_is_refused() {
    let (gateway, _venue) = process("refused-bodies", "");
    for body in [QUOTE, STREAM, "{}"] {
        // Before its body is read: it is not there, has no stream, or takes no body.
        assert_ends(&gateway, &post(NO_CONTROL, &format!("{JSON}{}", length(body)), body), 404);
        assert_ends(&gateway, &post(NO_CONTROL, &format!("{JSON}expect: 100-continue\r\n{}", length(body)), body), 404);
        for (method, target) in [
            ("POST", "/v1/streams"),
            ("POST", "/v1/quotes/AAPL"),
            ("POST", "/v1/session"),
            ("POST", "/v1/tickets"),
            ("PUT", "/v1/streams/x"),
            ("OPTIONS", "/v1/streams/x"),
            ("GET", "/v1/streams/x"),
            ("HEAD", "/v1/quotes/AAPL"),
            ("DELETE", "/v1/session"),
        ] {
            let request = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{}\r\n{body}", length(body));
            if method == "HEAD" {
                let mut client = Client::connect(gateway.address);
                client.send(request);
                assert_eq!((client.answer(false).status, client.rest().as_str()), (400, ""));
            } else {
                // A path that takes a body says so by any method, but not to a preflight.
                let is_change = target == "/v1/streams/x" && method != "OPTIONS";
                assert_ends(&gateway, &request, if is_change { 405 } else { 400 });
            }
        }
    }
    assert_eq!(gateway.metric("tickfan_streams_opened_total", ""), 0);
    assert_eq!(gateway.metric("tickfan_http_requests_total", "route=\"quotes\",code=\"200\""), 0);
    assert_eq!(gateway.metric("tickfan_http_requests_total", "route=\"change\",code=\"404\""), 6);
}

#[test]
fn a_body_that_is_a_request_behind_a_client_that_does_not_sign_on() {
    let secret = "a secret of thirty-two bytes, or more";
    let folder = crate::support::certificates::folder("unsigned-bodies");
    std::fs::write(folder.join("secret"), secret).unwrap();
    let file = folder.join("secret");
    let (gateway, _venue) = process("unsigned-bodies", &format!("[auth]\nmode = \"required\"\nsecret_file = {file:?}"));
    for credential in ["", "authorization: Bearer a.b.c\r\n"] {
        for body in [QUOTE, STREAM] {
            assert_ends(&gateway, &post(NO_CONTROL, &format!("{credential}{JSON}{}", length(body)), body), 401);
        }
        let chunks = format!("{:x}\r\n{QUOTE}\r\n0\r\n\r\n", QUOTE.len());
        assert_ends(&gateway, &post(NO_CONTROL, &format!("{credential}{JSON}{CHUNKED}"), &chunks), 400);
    }
}

#[test]
fn a_length_that_is_none_or_two_or_in_doubt() {
    let (gateway, _venue) = process("lengths", "");
    let (_stream, control) = open(&gateway);
    let chunks = format!("{:x}\r\n{QUOTE}\r\n0\r\n\r\n", QUOTE.len());
    for control in [&control, NO_CONTROL] {
        for headers in [
            CHUNKED.to_owned(),
            "transfer-encoding: Chunked\r\n".to_owned(),
            "transfer-encoding: gzip, chunked\r\n".to_owned(),
            "transfer-encoding: chunked, chunked\r\n".to_owned(),
            "transfer-encoding: chunked, identity\r\n".to_owned(),
            "transfer-encoding: identity\r\n".to_owned(),
            "transfer-encoding: xchunked\r\n".to_owned(),
            "transfer-encoding:\x0bchunked\r\n".to_owned(),
            "transfer-encoding : chunked\r\n".to_owned(),
            format!("{CHUNKED}{CHUNKED}"),
            format!("{CHUNKED}content-length: 2\r\n"),
            format!("content-length: 2\r\n{CHUNKED}"),
            format!("content-length: 0\r\n{CHUNKED}"),
            "content-length: 2\r\ncontent-length: 3\r\n".to_owned(),
            "content-length: 0\r\ncontent-length: 2\r\n".to_owned(),
            "content-length: 2, 3\r\n".to_owned(),
            "content-length: +2\r\n".to_owned(),
            "content-length: -2\r\n".to_owned(),
            "content-length: 0x2\r\n".to_owned(),
            "content-length: 2 2\r\n".to_owned(),
            "content-length: 2.0\r\n".to_owned(),
            "content-length: \r\n".to_owned(),
            "content-length: 99999999999999999999999999\r\n".to_owned(),
        ] {
            let body = if headers.contains("transfer-encoding") { &*chunks } else { "{}" };
            let (mut client, answer) = ask(&gateway, &post(control, &format!("{JSON}{headers}"), body));
            assert_eq!((answer.status, client.rest().as_str()), (400, ""), "{headers:?}: {answer:?}");
        }
    }
    assert_eq!(gateway.metric("tickfan_stream_changes_total", "outcome=\"applied\""), 0);
    assert!(gateway.metric("tickfan_http_requests_total", "route=\"change\",code=\"400\"") > 10);
    assert_eq!(gateway.metric("tickfan_http_requests_total", "route=\"other\""), 0);
    // The same length twice is one.
    let twice = post(&control, &format!("{JSON}content-length: 2\r\ncontent-length: 2\r\n"), "{}");
    assert_eq!(ask(&gateway, &twice).1.status, 200);
}

#[test]
fn a_body_that_is_shorter_than_it_says() {
    let (gateway, _venue) = process("short-bodies", "[limits]\nhead_timeout = \"500ms\"");
    let (_stream, control) = open(&gateway);
    let head = format!("{JSON}content-length: 9\r\n");
    for (body, closes) in [("{}", true), ("", true), ("{}", false), ("", false)] {
        let mut client = Client::connect(gateway.address);
        client.send(post(&control, &head, body));
        if closes {
            client.socket.shutdown(Shutdown::Write).unwrap();
        }
        let text = client.rest();
        assert!(text.matches("HTTP/1.1").count() <= 1, "{text}");
        // hyper gives up a client that has closed its side within a body.
        assert!(closes || text.starts_with("HTTP/1.1 408 "), "{text}");
        assert!(text.is_empty() || text.contains("\r\nconnection: close\r\n"), "{text}");
    }
    assert_eq!(gateway.metric("tickfan_stream_changes_total", "outcome=\"applied\""), 0);
    gateway.metric_when("tickfan_stream_changes_total", "outcome=\"bad\"", |bad| bad >= 2);
    assert!(gateway.metric("tickfan_http_requests_total", "route=\"change\",code=\"408\"") >= 2);
}

#[test]
fn a_body_that_is_longer_than_it_says() {
    let (gateway, _venue) = process("long-bodies", "");
    let (_stream, control) = open(&gateway);
    let head = format!("{JSON}content-length: 2\r\n");
    // What follows is the next request, whatever it was meant to be.
    let (mut client, changed) = ask(&gateway, &post(&control, &head, &format!("{{}}{QUOTE}")));
    assert_eq!((changed.status, changed.header("connection")), (200, None));
    assert_eq!(client.answer(true).status, 200);
    let (mut client, changed) = ask(&gateway, &post(&control, &head, "{}}}"));
    assert_eq!((changed.status, client.answer(true).status, client.rest().as_str()), (200, 400, ""));
}

#[test]
fn a_body_that_waits_to_be_asked_for() {
    let (gateway, _venue) = process("expecting", "");
    let (_stream, control) = open(&gateway);
    let head = format!("{JSON}content-length: 2\r\nexpect: 100-continue\r\n");
    assert_ends(&gateway, &post(NO_CONTROL, &head, ""), 404);
    let (mut client, asked) = ask(&gateway, &post(&control, &head, ""));
    assert_eq!(asked.status, 100);
    client.send("{}");
    assert_eq!(client.answer(true).status, 200);
    assert_ends(
        &gateway,
        &post(&control, &format!("{JSON}content-length: 999999\r\nexpect: 100-continue\r\n"), ""),
        413,
    );
}
