//! Section 8 of RFC 9113: what is a request.

use super::{Event, RequestBody, tests::*};
use http::request::Parts;

/// The head of a request with these fields, if it is one; otherwise the stream was reset.
fn head(fields: &[(&str, &str)]) -> Option<Parts> {
    let mut client = Client::new();
    client.send(headers(1, ENDS, block(fields))).unwrap();
    if let Some(Event::Request { head, .. }) = client.events.pop() {
        return Some(*head);
    }
    assert_eq!(client.replies(), "RST 1 PROTOCOL_ERROR", "{fields:?}");
    None
}

const METHOD: (&str, &str) = (":method", "GET");
const SCHEME: (&str, &str) = (":scheme", "https");
const PATH: (&str, &str) = (":path", "/v1/stream?symbols=A,B");
const AUTHORITY: (&str, &str) = (":authority", "localhost:8443");

fn with(field: (&str, &str)) -> Option<Parts> {
    head(&[METHOD, SCHEME, PATH, AUTHORITY, field])
}

#[test]
fn a_head_looks_like_one_of_http_1_1() {
    let parts = with(("accept", "text/event-stream")).unwrap();
    assert_eq!((parts.method.as_str(), parts.uri.to_string().as_str()), ("GET", "/v1/stream?symbols=A,B"));
    assert_eq!(parts.version, http::Version::HTTP_2);
    let fields: Vec<_> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(fields, [("accept", &b"text/event-stream"[..]), ("host", b"localhost:8443")]);
}

#[test]
fn section_8_3_pseudo_header_fields() {
    let malformed: &[&[(&str, &str)]] = &[
        &[METHOD, SCHEME, PATH, AUTHORITY, (":test", "ok")],
        &[METHOD, SCHEME, PATH, AUTHORITY, (":status", "200")],
        &[METHOD, SCHEME, PATH, AUTHORITY, (":protocol", "websocket")],
        &[METHOD, SCHEME, PATH, AUTHORITY, (":", "")],
        &[("x-test", "ok"), METHOD, SCHEME, PATH, AUTHORITY],
        &[METHOD, SCHEME, PATH, ("x-test", "ok"), AUTHORITY],
        &[SCHEME, PATH, AUTHORITY],
        &[METHOD, PATH, AUTHORITY],
        &[METHOD, SCHEME, AUTHORITY],
        &[METHOD, METHOD, SCHEME, PATH, AUTHORITY],
        &[METHOD, SCHEME, SCHEME, PATH, AUTHORITY],
        &[METHOD, SCHEME, PATH, PATH, AUTHORITY],
        &[METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY],
        &[(":method", ""), SCHEME, PATH, AUTHORITY],
        &[(":method", "G T"), SCHEME, PATH, AUTHORITY],
        &[METHOD, (":scheme", "http"), PATH, AUTHORITY],
        &[METHOD, (":scheme", ""), PATH, AUTHORITY],
        &[METHOD, SCHEME, (":path", ""), AUTHORITY],
        &[METHOD, SCHEME, (":path", "v1"), AUTHORITY],
        &[METHOD, SCHEME, (":path", "https://localhost/"), AUTHORITY],
        &[METHOD, SCHEME, (":path", "*"), AUTHORITY],
        &[METHOD, SCHEME, (":path", "/a b"), AUTHORITY],
        &[METHOD, SCHEME, PATH, (":authority", "")],
        &[METHOD, SCHEME, PATH, (":authority", "user@localhost")],
        &[METHOD, SCHEME, PATH, (":authority", "a b")],
        &[("host", "localhost")],
        &[],
    ];
    for fields in malformed {
        assert!(head(fields).is_none(), "{fields:?}");
    }
    let options = head(&[(":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY]).unwrap();
    assert_eq!(options.uri, "*");
    // The handler checks that there is a host.
    assert!(head(&[METHOD, SCHEME, PATH]).unwrap().headers.is_empty());
}

#[test]
fn connect_has_an_authority_alone() {
    let connect = head(&[(":method", "CONNECT"), (":authority", "example.com:443")]).unwrap();
    assert_eq!((connect.method, connect.uri), (http::Method::CONNECT, "example.com:443".parse().unwrap()));
    for fields in [
        &[(":method", "CONNECT")][..],
        &[(":method", "CONNECT"), SCHEME, PATH, AUTHORITY],
        &[(":method", "CONNECT"), SCHEME, AUTHORITY],
        &[METHOD, AUTHORITY],
    ] {
        assert!(head(fields).is_none(), "{fields:?}");
    }
}

#[test]
fn section_8_3_1_the_authority_stands_for_the_host() {
    let hosts = |parts: Parts| {
        parts.headers.get_all("host").iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(with(("host", "LOCALHOST:8443")).map(hosts).unwrap(), ["localhost:8443"]);
    assert!(with(("host", "localhost")).is_none());
    assert!(with(("host", "")).is_none());
    let host = head(&[METHOD, SCHEME, PATH, ("host", "a"), ("host", "b")]).map(hosts).unwrap();
    assert_eq!(host, ["a", "b"], "the handler refuses several");
    assert!(head(&[METHOD, SCHEME, PATH, (":authority", "a"), ("host", "a"), ("host", "b")]).is_none());
}

#[test]
fn section_8_2_fields() {
    for field in [
        ("X-TEST", "ok"),
        ("x test", "ok"),
        ("x-t\u{e9}st", "ok"),
        ("", "ok"),
        ("x:y", "ok"),
        ("x-test", " ok"),
        ("x-test", "ok "),
        ("x-test", "\tok"),
        ("x-test", "a\r\nb: c"),
        ("x-test", "a\0"),
        ("x-test", "a\nb"),
        ("connection", "keep-alive"),
        ("proxy-connection", "keep-alive"),
        ("keep-alive", "1"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "trailers, deflate"),
        ("te", "gzip"),
        ("te", ""),
        ("content-length", "1"),
        ("content-length", ""),
        ("content-length", "+0"),
        ("content-length", "0x0"),
        ("content-length", "18446744073709551616"),
        ("content-length", "0, 0"),
    ] {
        assert!(with(field).is_none(), "{field:?}");
    }
    for field in
        [("te", "trailers"), ("x-test", ""), ("x-test", "a b\tc"), ("x-test", "\u{e9}"), ("content-length", "0")]
    {
        assert_eq!(with(field).unwrap().headers.get(field.0).unwrap().as_bytes(), field.1.as_bytes());
    }
}

#[test]
fn section_8_2_3_cookie_crumbs_are_joined() {
    let parts =
        head(&[METHOD, SCHEME, PATH, AUTHORITY, ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")]);
    let cookies: Vec<_> = parts.unwrap().headers.get_all("cookie").iter().cloned().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3"]);
}

#[test]
fn a_repeated_content_length_is_the_same_number() {
    let zero = ("content-length", "0");
    let parts = head(&[METHOD, SCHEME, PATH, AUTHORITY, zero, zero]).unwrap();
    assert_eq!(parts.headers.get_all("content-length").iter().count(), 1);
    assert!(head(&[METHOD, SCHEME, PATH, AUTHORITY, zero, ("content-length", "00")]).is_none());
}

/// What becomes of a POST with these frames behind its head.
fn post(more: &[(&str, &str)], frames: &[Vec<u8>]) -> (String, String) {
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, fields("POST", more))).unwrap();
    client.send(frames.concat()).unwrap();
    (client.happened(), client.replies())
}

#[test]
fn section_8_1_1_content_length_agrees_with_the_body() {
    let length = |length| [("content-length", length)];
    let end = || headers(1, ENDS, block(&[("x", "y")]));
    for (declared, frames, events) in [
        ("4", vec![data(1, END_STREAM, b"test")], "POST 1 with 4"),
        ("4", vec![data(1, 0, b"te"), data(1, 0, b"st"), data(1, END_STREAM, b"")], "POST 1 with 4"),
        ("4", vec![data(1, 0, b"test"), end()], "POST 1 with 4"),
        ("0", vec![data(1, END_STREAM, b"")], "POST 1"),
        ("1", vec![data(1, END_STREAM, b"test")], ""),
        ("1", vec![data(1, 0, b"test")], ""),
        ("1", vec![data(1, 0, b"test"), data(1, END_STREAM, b"test")], ""),
        ("8", vec![data(1, END_STREAM, b"test")], ""),
        ("8", vec![data(1, 0, b"test"), end()], ""),
    ] {
        let replies = if events.is_empty() { "RST 1 PROTOCOL_ERROR" } else { "" };
        // Frames behind the reset are read to the end of the stream.
        assert_eq!(post(&length(declared), &frames), (events.to_owned(), replies.to_owned()), "{declared}");
    }
}

#[test]
fn section_8_1_trailers_end_a_request() {
    let trailers = |flags, fields: &[(&str, &str)]| vec![data(1, 0, b"test"), headers(1, flags, block(fields))];
    let reset = "RST 1 PROTOCOL_ERROR";
    for (frames, events, replies) in [
        (trailers(ENDS, &[("x-test", "ok")]), "POST 1 with 4", ""),
        (trailers(ENDS, &[]), "POST 1 with 4", ""),
        (trailers(END_HEADERS, &[("x-test", "ok")]), "", reset),
        (trailers(ENDS, &[(":method", "POST")]), "", reset),
        (trailers(ENDS, &[("X-Test", "ok")]), "", reset),
        (trailers(ENDS, &[("connection", "close")]), "", reset),
        (vec![headers(1, ENDS, [])], "POST 1", ""),
    ] {
        assert_eq!(post(&[], &frames), (events.to_owned(), replies.to_owned()));
    }
}

#[test]
fn a_body_may_come_in_any_pieces() {
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, fields("POST", &[]))).unwrap();
    for byte in b"body" {
        client.send(data(1, 0, [*byte])).unwrap();
    }
    client.send(data(1, END_STREAM, [])).unwrap();
    let Some(Event::Request { body, .. }) = client.events.pop() else { panic!("a request") };
    assert_eq!(body, RequestBody::Whole((&b"body"[..]).into()));
}

#[test]
fn a_client_that_waits_for_it_is_told_to_send_its_body() {
    let expect = ("expect", "100-Continue");
    assert_eq!(post(&[expect], &[]), (String::new(), "CONTINUE 1".to_owned()));
    assert_eq!(post(&[expect, ("content-length", "20000")], &[]), ("POST 1 too long".to_owned(), String::new()));
}
