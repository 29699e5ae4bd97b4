//! Frames in, frames and events out: by section of RFC 9113, with the cases of h2spec among them.

use super::{Reason, tests::*};

/// A client's frames after the handshake, what the server answers, and what it reports.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

/// Sends the frames of each case on a connection of its own; requests are not answered.
fn check(cases: Vec<Case>) {
    for (name, input, replies, events) in cases {
        let mut client = Client::new();
        let result = client.send(&input);
        assert_eq!(client.replies(), replies, "{name}");
        assert_eq!(client.happened(), events, "{name}");
        assert_eq!(result.is_err(), replies.contains("GOAWAY"), "{name}");
        if result.is_err() {
            assert_eq!(client.send(request(99)), Ok(()), "{name}");
            assert_eq!((client.replies(), client.happened()), Default::default(), "{name}: it is over");
        }
    }
}

fn join(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}

#[test]
fn section_3_4_the_preface() {
    for (input, expected) in [
        (&b""[..], Ok(())),
        (b"PRI * HTTP/2.0\r\n", Ok(())),
        (b"INVALID CONNECTION PREFACE\r\n\r\n", Err(Reason::NotHttp2)),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", Err(Reason::NotHttp2)),
        (b"GET / HTTP/1.1\r\n", Err(Reason::NotHttp2)),
        (b"Q", Err(Reason::NotHttp2)),
    ] {
        let mut client = Client::before_preface(LIMITS);
        assert_eq!(client.send(input).map_err(|error| error.reason), expected, "{input:?}");
        assert_eq!(client.replies(), if expected.is_err() { "GOAWAY 0 PROTOCOL_ERROR" } else { "" });
    }
    // The first frame is SETTINGS, and not an acknowledgement.
    for frame in [ping(b"12345678"), request(1), settings_ack(), raw(0x16, 0, 0, []), raw(0x2, 0, 1, [0; 4])] {
        let mut client = Client::before_preface(LIMITS);
        client.send(PREFACE).unwrap();
        assert_eq!(client.send(&frame).unwrap_err().reason, Reason::Protocol, "{frame:?}");
        assert_eq!(client.replies(), "GOAWAY 0 PROTOCOL_ERROR");
    }
}

#[test]
fn our_settings_come_first_and_announce_the_limits() {
    let mut out = Vec::new();
    super::Connection::new(LIMITS, std::time::Instant::now(), &mut out);
    assert_eq!(out, settings(&[(0x3, 100), (0x6, 32_768)]));
}

#[test]
fn section_4_1_frame_format() {
    check(vec![
        ("an unknown type", join(&[raw(0x16, 0, 0, [0; 8]), ping(b"h2spec__")]), "PONG h2spec__", ""),
        ("an unknown type on a stream", join(&[raw(0xfe, 0xff, 7, []), ping(b"h2spec__")]), "PONG h2spec__", ""),
        ("undefined flags", raw(0x6, 0x16, 0, b"h2spec__"), "PONG h2spec__", ""),
        ("the reserved bit", raw(0x6, 0x16, 0x8000_0000, b"h2spec__"), "PONG h2spec__", ""),
    ]);
}

#[test]
fn section_4_2_frame_size() {
    let post = headers(1, END_HEADERS, post());
    let too_long = |kind, stream| [&[0, 0x40, 0x01, kind, 0, 0, 0, 0, stream][..], &[0; 16_385]].concat();
    check(vec![
        ("2^14 bytes", join(&[post.clone(), data(1, END_STREAM, [0; 16_384])]), "", "POST 1 with 16384"),
        ("more in DATA", join(&[post.clone(), too_long(0x0, 1)]), "GOAWAY 1 FRAME_SIZE_ERROR", ""),
        ("more in HEADERS", too_long(0x1, 1), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("more in an unknown frame", too_long(0x16, 0), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("the head of it suffices", too_long(0x0, 1)[..9].to_vec(), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
    ]);
}

#[test]
fn section_4_3_header_compression() {
    let begun = headers(1, END_STREAM, get());
    let rest = continuation(1, END_HEADERS, block(&[("x", "y")]));
    check(vec![
        ("a block that cannot be decoded", headers(1, ENDS, b"\x40"), "GOAWAY 0 COMPRESSION_ERROR", ""),
        (
            "PRIORITY in a block",
            join(&[begun.clone(), raw(0x2, 0, 1, [0, 0, 0, 0, 255]), rest.clone()]),
            "GOAWAY 0 PROTOCOL_ERROR",
            "",
        ),
        (
            "HEADERS of another stream in a block",
            join(&[begun.clone(), request(3), rest.clone()]),
            "GOAWAY 0 PROTOCOL_ERROR",
            "",
        ),
        ("an unknown frame in a block", join(&[begun, raw(0x16, 0, 0, [0; 8])]), "GOAWAY 0 PROTOCOL_ERROR", ""),
    ]);
}

#[test]
fn section_5_1_idle_and_half_closed_streams() {
    check(vec![
        ("idle: DATA", data(1, END_STREAM, b"test"), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("idle: RST_STREAM", reset(1, 8), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("idle: WINDOW_UPDATE", window_update(1, 100), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("idle: CONTINUATION", continuation(1, END_HEADERS, get()), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("idle: PRIORITY", raw(0x2, 0, 1, [0, 0, 0, 0, 255]), "", ""),
        ("a server's stream: WINDOW_UPDATE", window_update(2, 100), "GOAWAY 0 PROTOCOL_ERROR", ""),
        (
            "half-closed: DATA",
            join(&[request(1), data(1, END_STREAM, b"test")]),
            "RST 1 STREAM_CLOSED",
            "GET 1, reset 1 STREAM_CLOSED",
        ),
        (
            "half-closed: HEADERS",
            join(&[request(1), request(1)]),
            "RST 1 STREAM_CLOSED",
            "GET 1, reset 1 STREAM_CLOSED",
        ),
        (
            "half-closed: CONTINUATION",
            join(&[request(1), continuation(1, END_HEADERS, get())]),
            "GOAWAY 1 PROTOCOL_ERROR",
            "GET 1",
        ),
        ("half-closed: WINDOW_UPDATE, PRIORITY", join(&[request(1), window_update(1, 1)]), "", "GET 1"),
        ("half-closed: RST_STREAM", join(&[request(1), reset(1, 8)]), "", "GET 1, reset 1 CANCEL"),
    ]);
}

#[test]
fn section_5_1_closed_streams() {
    let open = headers(1, END_HEADERS, get());
    check(vec![
        ("reset: DATA", join(&[open.clone(), reset(1, 8), data(1, 1, b"test")]), "GOAWAY 1 STREAM_CLOSED", ""),
        ("reset: HEADERS", join(&[open.clone(), reset(1, 8), request(1)]), "GOAWAY 1 STREAM_CLOSED", ""),
        (
            "reset: CONTINUATION",
            join(&[open.clone(), reset(1, 8), continuation(1, END_HEADERS, [])]),
            "GOAWAY 1 PROTOCOL_ERROR",
            "",
        ),
        ("reset: RST_STREAM, WINDOW_UPDATE", join(&[open, reset(1, 8), reset(1, 8), window_update(1, 1)]), "", ""),
    ]);
    for (name, frame, replies) in [
        ("DATA", data(1, END_STREAM, b"test"), "GOAWAY 1 STREAM_CLOSED"),
        ("HEADERS", request(1), "GOAWAY 1 STREAM_CLOSED"),
        ("CONTINUATION", continuation(1, END_HEADERS, []), "GOAWAY 1 PROTOCOL_ERROR"),
        ("PRIORITY", raw(0x2, 0, 1, [0, 0, 0, 0, 255]), ""),
        ("WINDOW_UPDATE", window_update(1, 1), ""),
        ("WINDOW_UPDATE of 0", window_update(1, 0), "GOAWAY 1 PROTOCOL_ERROR"),
        ("RST_STREAM", reset(1, 8), ""),
    ] {
        let mut client = Client::new();
        client.send(request(1)).unwrap();
        assert!(client.respond(1, true));
        assert_eq!((client.replies(), client.happened()), ("HEADERS 1 end".to_owned(), "GET 1".to_owned()));
        assert_eq!(client.send(frame).is_err(), !replies.is_empty(), "{name}");
        assert_eq!((client.replies().as_str(), client.happened().as_str()), (replies, ""), "{name}");
    }
}

#[test]
fn a_stream_that_we_reset_is_read_to_its_end() {
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, fields("POST", &[("content-length", "20000")]))).unwrap();
    assert!(client.respond(1, true));
    assert_eq!(client.replies(), "HEADERS 1 end, RST 1 NO_ERROR");
    for frame in [data(1, 0, [0; 9_000]), window_update(1, 1), headers(1, ENDS, block(&[("x", "y")]))] {
        client.send(frame).unwrap();
    }
    assert_eq!((client.replies(), client.happened()), (String::new(), "POST 1 too long".to_owned()));
    client.send(data(1, 0, b"behind its end")).unwrap_err();
    assert_eq!(client.replies(), "GOAWAY 1 STREAM_CLOSED");
}

#[test]
fn section_5_1_1_stream_identifiers() {
    check(vec![
        ("an even number", headers(2, ENDS, get()), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("a smaller number", join(&[request(5), request(3)]), "GOAWAY 5 PROTOCOL_ERROR", "GET 5"),
        ("a larger number", join(&[request(5), request(9)]), "", "GET 5, GET 9"),
    ]);
}

#[test]
fn section_5_3_a_stream_does_not_depend_on_itself() {
    let depends = |stream, on: u8| headers(stream, ENDS | PRIORITY, [&[0, 0, 0, on, 255][..], &get()].concat());
    let priority = |stream, on: u8| raw(0x2, 0, stream, [0, 0, 0, on, 255]);
    check(vec![
        ("HEADERS", depends(1, 1), "RST 1 PROTOCOL_ERROR", ""),
        ("HEADERS on another", depends(1, 3), "", "GET 1"),
        ("PRIORITY of an idle stream", priority(1, 1), "GOAWAY 0 PROTOCOL_ERROR", ""),
        (
            "PRIORITY of an open stream",
            join(&[request(1), priority(1, 1)]),
            "RST 1 PROTOCOL_ERROR",
            "GET 1, reset 1 PROTOCOL_ERROR",
        ),
        ("PRIORITY on another", join(&[priority(5, 1), request(1)]), "", "GET 1"),
    ]);
}

#[test]
fn section_6_1_to_6_3_data_headers_priority() {
    let post = headers(1, END_HEADERS, post());
    let padded = |padding: u8, length: usize| [vec![padding], vec![b'x'; length]].concat();
    check(vec![
        ("DATA on stream 0", data(0, END_STREAM, b"test"), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("padded DATA", join(&[post.clone(), data(1, PADDED | 1, padded(5, 9))]), "", "POST 1 with 4"),
        ("padding alone", join(&[post.clone(), data(1, PADDED | 1, padded(4, 4))]), "", "POST 1"),
        ("255 bytes of padding", join(&[post.clone(), data(1, PADDED | 1, padded(255, 255))]), "", "POST 1"),
        ("too much padding", join(&[post.clone(), data(1, PADDED | 1, padded(6, 4))]), "GOAWAY 1 PROTOCOL_ERROR", ""),
        ("no room for its length", join(&[post.clone(), data(1, PADDED, [])]), "GOAWAY 1 FRAME_SIZE_ERROR", ""),
        ("HEADERS on stream 0", headers(0, ENDS, get()), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("padded HEADERS", headers(1, ENDS | PADDED, [&[3][..], &get(), &[0; 3]].concat()), "", "GET 1"),
        (
            "HEADERS with too much padding",
            headers(1, ENDS | PADDED, [&[200][..], &get()].concat()),
            "GOAWAY 0 PROTOCOL_ERROR",
            "",
        ),
        ("HEADERS too short for a priority", headers(1, ENDS | PRIORITY, [0; 4]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        (
            "padding that leaves no priority",
            headers(1, ENDS | PRIORITY | PADDED, [4, 0, 0, 0, 0, 0, 0, 0]),
            "GOAWAY 0 FRAME_SIZE_ERROR",
            "",
        ),
        ("PRIORITY on stream 0", raw(0x2, 0, 0, [0, 0, 0, 1, 0]), "GOAWAY 0 PROTOCOL_ERROR", ""),
        (
            "PRIORITY of 4 bytes on an open stream",
            join(&[request(1), raw(0x2, 0, 1, [0x80, 0, 0, 1])]),
            "RST 1 FRAME_SIZE_ERROR",
            "GET 1, reset 1 FRAME_SIZE_ERROR",
        ),
        ("PRIORITY of 6 bytes on an idle stream", raw(0x2, 0, 1, [0; 6]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
    ]);
}

#[test]
fn section_6_4_to_6_8_control_frames() {
    let wrong_settings = |name, value: u32| settings(&[(name, value)]);
    check(vec![
        ("RST_STREAM on stream 0", reset(0, 8), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("RST_STREAM of 3 bytes", join(&[request(1), raw(0x3, 0, 1, [0; 3])]), "GOAWAY 1 FRAME_SIZE_ERROR", "GET 1"),
        (
            "RST_STREAM, unknown code",
            join(&[request(1), reset(1, 0xff), ping(b"h2spec__")]),
            "PONG h2spec__",
            "GET 1, reset 1 0xff",
        ),
        (
            "SETTINGS",
            settings(&[(0x1, 4_096), (0x2, 1), (0x3, 100), (0x4, 65_535), (0x5, 16_384), (0x6, 100)]),
            "ACK",
            "",
        ),
        ("unknown SETTINGS", settings(&[(0xff, 1), (0x8, 1)]), "ACK", ""),
        ("SETTINGS ACK with a payload", raw(0x4, 1, 0, [0]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("SETTINGS ACK with settings", raw(0x4, 1, 0, [0; 6]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("a second SETTINGS ACK", settings_ack(), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("SETTINGS on a stream", raw(0x4, 0, 1, [0, 3, 0, 0, 0, 100]), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("SETTINGS of 3 bytes", raw(0x4, 0, 0, [0, 3, 0]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("ENABLE_PUSH 2", wrong_settings(0x2, 2), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("INITIAL_WINDOW_SIZE 2^31", wrong_settings(0x4, 1 << 31), "GOAWAY 0 FLOW_CONTROL_ERROR", ""),
        ("MAX_FRAME_SIZE 16,383", wrong_settings(0x5, 16_383), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("MAX_FRAME_SIZE 2^24", wrong_settings(0x5, 1 << 24), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("MAX_FRAME_SIZE 2^24 - 1", wrong_settings(0x5, (1 << 24) - 1), "ACK", ""),
        ("ENABLE_CONNECT_PROTOCOL 2", wrong_settings(0x8, 2), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("NO_RFC7540_PRIORITIES 2", wrong_settings(0x9, 2), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("PUSH_PROMISE", raw(0x5, END_HEADERS, 1, [&[0, 0, 0, 3][..], &get()].concat()), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("PING ACK", join(&[raw(0x6, 1, 0, b"invalid_"), ping(b"h2spec__")]), "PONG h2spec__", ""),
        ("PING on a stream", raw(0x6, 0, 1, [0; 8]), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("PING of 6 bytes, on a stream too", raw(0x6, 0, 1, [0; 6]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("PING of 9 bytes", raw(0x6, 0, 0, [0; 9]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        ("GOAWAY on a stream", raw(0x7, 0, 1, [0; 8]), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("GOAWAY of 7 bytes", raw(0x7, 0, 0, [0; 7]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
        (
            "GOAWAY, unknown code, and streams go on",
            join(&[raw(0x7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0xff, b'?']), ping(b"h2spec__"), request(1)]),
            "PONG h2spec__",
            "going away 0xff, GET 1",
        ),
        ("PRIORITY_UPDATE", raw(0x10, 0, 0, b"\0\0\0\x01u=1"), "", ""),
        ("PRIORITY_UPDATE on a stream", raw(0x10, 0, 1, b"\0\0\0\x01u=1"), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("PRIORITY_UPDATE of stream 0", raw(0x10, 0, 0, b"\0\0\0\0u=1"), "GOAWAY 0 PROTOCOL_ERROR", ""),
        ("PRIORITY_UPDATE of 3 bytes", raw(0x10, 0, 0, [0; 3]), "GOAWAY 0 FRAME_SIZE_ERROR", ""),
    ]);
}

#[test]
fn section_6_10_continuation() {
    let get = get();
    let more = block(&[("x-dummy0", "xxxx")]);
    let begin = headers(1, END_STREAM, &get[..5]);
    check(vec![
        ("one", join(&[begin.clone(), continuation(1, END_HEADERS, &get[5..])]), "", "GET 1"),
        (
            "several, one empty",
            join(&[
                begin.clone(),
                continuation(1, 0, &get[5..10]),
                continuation(1, 0, []),
                continuation(1, 0, &get[10..]),
                continuation(1, END_HEADERS, &more),
            ]),
            "",
            "GET 1",
        ),
        (
            "another frame behind",
            join(&[begin.clone(), continuation(1, 0, &get[5..]), data(1, 1, b"test")]),
            "GOAWAY 0 PROTOCOL_ERROR",
            "",
        ),
        ("on stream 0", join(&[begin.clone(), continuation(0, END_HEADERS, &more)]), "GOAWAY 0 PROTOCOL_ERROR", ""),
        (
            "on another stream",
            join(&[begin.clone(), continuation(3, END_HEADERS, &more)]),
            "GOAWAY 0 PROTOCOL_ERROR",
            "",
        ),
        (
            "behind the end",
            join(&[request(1), continuation(1, END_HEADERS, &more)]),
            "GOAWAY 1 PROTOCOL_ERROR",
            "GET 1",
        ),
        (
            "behind the end of another",
            join(&[begin, continuation(1, END_HEADERS, &get[5..]), continuation(1, END_HEADERS, &more)]),
            "GOAWAY 1 PROTOCOL_ERROR",
            "GET 1",
        ),
    ]);
}
