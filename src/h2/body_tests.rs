//! The bodies of requests: how many and how long they may be, and how long they are awaited.

use super::{ErrorCode, Limits, Reason, StreamId, tests::*};
use std::time::Duration;

/// How a body ends: a name for it, the head of its request, and what the client sends last.
type Way = (&'static str, Vec<u8>, fn(u32) -> Vec<u8>);

#[test]
fn rule_10_a_ninth_unfinished_body_is_refused() {
    let mut client = Client::new();
    let begin = |stream| headers(stream, END_HEADERS, post());
    for number in 0..8 {
        client.send(begin(number * 2 + 1)).unwrap();
    }
    client.send(begin(17)).unwrap();
    assert_eq!(client.replies(), "RST 17 REFUSED_STREAM");
    // Its body was on the way.
    client.send(data(17, END_STREAM, [0; 16_384])).unwrap();
    client.send(data(1, END_STREAM, b"1")).unwrap();
    client.send(begin(19)).unwrap();
    assert_eq!((client.replies(), client.happened()), (String::new(), "POST 1 with 1".to_owned()));
}

#[test]
fn rule_10_bodies_that_have_not_come_whole_have_a_limit_in_sum() {
    let mut client = Client::with_limits(Limits { body_bytes: 1 << 20, ..LIMITS });
    for stream in [1, 3] {
        client.send(headers(stream, END_HEADERS, post())).unwrap();
        client.pass(Duration::from_secs(1));
    }
    let begun = client.connection.waits_since();
    for _ in 0..8 {
        client.send(data(1, 0, [0; 16_384])).unwrap();
        client.send(data(3, 0, [0; 16_000])).unwrap();
        assert!(!client.replies().contains("RST"));
    }
    client.send(data(3, 0, [0; 16_384])).unwrap();
    assert_eq!(client.replies(), "RST 3 REFUSED_STREAM");
    assert_eq!(client.connection.waits_since(), begun);
    client.send(data(1, END_STREAM, [0; 16_384])).unwrap();
    assert_eq!(client.happened(), "POST 1 with 147456");
}

#[test]
fn a_body_is_awaited_until_it_ends_however_that_is() {
    let with_length = |length: &'static str| fields("POST", &[("content-length", length)]);
    let ways: [Way; 6] = [
        ("it is whole", post(), |stream| data(stream, END_STREAM, b"x")),
        ("it has trailers", post(), |stream| headers(stream, ENDS, block(&[("x", "y")]))),
        ("it is too long", post(), |stream| [data(stream, 0, [0; 16_384]), data(stream, 0, b"x")].concat()),
        ("it is longer than declared", with_length("1"), |stream| data(stream, 0, b"xy")),
        ("it is shorter than declared", with_length("2"), |stream| data(stream, END_STREAM, b"x")),
        ("its client resets it", post(), |stream| reset(stream, 8)),
    ];
    for (way, head, end) in ways {
        let mut client = Client::new();
        for stream in (1..).step_by(2).take(9) {
            client.send(headers(stream, END_HEADERS, &head)).unwrap();
            assert_eq!(client.connection.waits_since(), Some(client.now), "{way}, {stream}");
            client.send(end(stream)).unwrap();
            assert_eq!(client.connection.waits_since(), None, "{way}, {stream}");
        }
        assert!(!client.replies().contains("REFUSED_STREAM"), "{way}");
    }
    let mut client = Client::new();
    for stream in (1..).step_by(2).take(9) {
        client.send(headers(stream, END_HEADERS, post())).unwrap();
        client.connection.reset(StreamId(stream), ErrorCode::CANCEL, &mut client.out);
        assert_eq!(client.connection.waits_since(), None, "we reset it: {stream}");
    }
}

#[test]
fn rule_10_a_longer_body_is_thrown_away() {
    let mut client = Client::new();
    for (stream, bytes, expected) in [(1, 16_384, "POST 1 with 16384"), (3, 16_385, "POST 3 too long")] {
        client.send(headers(stream, END_HEADERS, post())).unwrap();
        client.send(data(stream, 0, vec![0; bytes / 2])).unwrap();
        client.send(data(stream, END_STREAM, vec![0; bytes - bytes / 2])).unwrap();
        assert_eq!(client.happened(), expected);
    }
    // Where the length is declared, the first byte of the body need not come.
    client.send(headers(5, END_HEADERS, fields("POST", &[("content-length", "16385")]))).unwrap();
    assert_eq!(client.happened(), "POST 5 too long");
    assert!(client.respond(5, true));
    assert!(client.replies().ends_with("HEADERS 5 end, RST 5 NO_ERROR"));
}

#[test]
fn rule_10_late_bodies_count_as_resets() {
    let mut client = Client::new();
    let mut late = 0;
    let reason = loop {
        client.send(headers(late * 2 + 1, END_HEADERS, post())).unwrap();
        late += 1;
        if let Err(error) = client.connection.expire(client.now + Duration::from_secs(1), client.now, &mut client.out) {
            break error.reason;
        }
        client.out.clear();
        assert!(late < 1_000, "they have no limit");
    };
    assert_eq!((reason, late), (Reason::Resets, 201));
}
