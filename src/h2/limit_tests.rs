//! Every limit is reached, and one less is served.

use super::{Limits, Reason, StreamId, tests::*};
use std::time::Duration;

#[test]
fn rule_10_one_stream_more_is_refused() {
    let mut client = Client::with_limits(Limits { streams: 3, ..LIMITS });
    for stream in [1, 3, 5] {
        client.open(stream);
    }
    client.out.clear();
    client.send(request(7)).unwrap();
    assert_eq!((client.replies().as_str(), client.connection.streams()), ("RST 7 REFUSED_STREAM", 3));
    client.connection.finish(StreamId(3), &mut client.out);
    client.open(9);
    assert_eq!(client.connection.streams(), 3);
}

#[test]
fn rule_10_a_header_block_has_a_limit_of_encoded_bytes() {
    let limits = Limits { head_bytes: 1_000, ..LIMITS };
    let base = get().len();
    for (padding, is_served) in [(1_000 - base - 6, true), (1_000 - base - 5, false)] {
        let long = fields("GET", &[("x", &"v".repeat(padding))]);
        for frames in [
            headers(1, ENDS, &long),
            [headers(1, END_STREAM, &long[..50]), continuation(1, END_HEADERS, &long[50..])].concat(),
        ] {
            let mut client = Client::with_limits(limits);
            let reason = client.send(frames).map_err(|error| error.reason);
            assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::HeaderBlock) }, "{}", long.len());
        }
    }
}

#[test]
fn rule_10_a_header_block_has_a_limit_of_decoded_bytes() {
    // One long field in the table, then a byte for each copy of it.
    let mut bomb = get();
    bomb.extend(b"\x40\x01x\x7f\xd9\x0d");
    bomb.extend([b'v'; 1_880]);
    // 175 bytes of the request, 17 times 1,913, and 33 with the value of the last field: 32,768 in all, or one more.
    for (value, is_served) in [(39, true), (40, false)] {
        let mut client = Client::before_preface(LIMITS);
        client.send([PREFACE.to_vec(), settings(&[])].concat()).unwrap();
        let last = [&[0x00, 1, b'y', value as u8][..], &vec![b'v'; value]].concat();
        let block = [bomb.clone(), vec![0xbe; 16], last].concat();
        let reason = client.send(headers(1, ENDS, block)).map_err(|error| error.reason);
        assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::HeaderFields) }, "{value}");
    }
}

#[test]
fn rule_10_requests_without_an_answer_have_256_kib() {
    let mut client = Client::before_preface(LIMITS);
    client.send([PREFACE.to_vec(), settings(&[])].concat()).unwrap();
    // A field of the table, which each request repeats for 7 bytes: a head of some 26,000.
    let mut first = get();
    first.extend(b"\x40\x01x\x7f\x81\x1d");
    first.extend([b'v'; 3_840]);
    client.send(headers(1, ENDS, first)).unwrap();
    assert!(client.respond(1, true));
    let large = |stream| headers(stream, ENDS, [get(), vec![0xbe; 7]].concat());
    let streams: Vec<u32> = (3..).step_by(2).take(9).collect();
    for stream in &streams {
        client.send(large(*stream)).unwrap();
    }
    client.out.clear();
    client.send(large(101)).unwrap();
    assert_eq!(client.replies(), "RST 101 REFUSED_STREAM");
    assert!(client.respond(streams[4], false));
    client.send([large(103), large(105)].concat()).unwrap();
    assert_eq!(client.replies(), "HEADERS 11, RST 105 REFUSED_STREAM");
}

#[test]
fn rule_10_a_header_block_has_100_fields() {
    for (more, is_served) in [(96, true), (97, false)] {
        let mut client = Client::new();
        let reason =
            client.send(headers(1, ENDS, fields("GET", &vec![("x", "y"); more]))).map_err(|error| error.reason);
        assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::HeaderFields) }, "{more}");
    }
}

#[test]
fn rule_10_a_header_block_has_8_continuations() {
    let get = get();
    for (more, is_served) in [(7, true), (8, false)] {
        let mut client = Client::new();
        client.send(headers(1, END_STREAM, [])).unwrap();
        for place in 0..more {
            client.send(continuation(1, 0, &get[place..place + 1])).unwrap();
        }
        let reason = client.send(continuation(1, END_HEADERS, &get[more..])).map_err(|error| error.reason);
        assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::Continuations) }, "{more}");
    }
}

#[test]
fn rule_10_replies_that_are_not_read_are_16_kib_beside_as_much_data() {
    let mut client = Client::new();
    client.out = vec![0; 16 * 1_024];
    let mut sent = 0;
    let error = loop {
        if let Err(error) = client.send(ping(b"12345678")) {
            break error;
        }
        sent += 1;
        // Slowly, so that no other limit is reached.
        client.pass(Duration::from_millis(100));
    };
    assert_eq!((error.reason, sent), (Reason::Replies, 16 * 1_024 / 17));
}

#[test]
fn rule_10_the_rest_of_256_streams_that_were_answered_before_their_end_is_thrown_away() {
    for (streams, is_served) in [(256, true), (257, false)] {
        let mut client = Client::new();
        for number in 0..streams {
            let stream = number * 2 + 1;
            client.send(headers(stream, END_HEADERS, fields("POST", &[("content-length", "20000")]))).unwrap();
            assert!(client.respond(stream, true));
            client.out.clear();
        }
        let reason = client.send(data(1, 0, b"x")).map_err(|error| error.reason);
        assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::StreamClosed) }, "{streams}");
    }
}

#[test]
fn rule_10_a_preface_a_frame_a_block_and_a_body_have_a_time() {
    let second = Duration::from_secs(1);
    for input in [
        vec![],
        PREFACE[..10].to_vec(),
        PREFACE.to_vec(),
        [PREFACE, &settings(&[])[..5]].concat(),
        [PREFACE, &settings(&[]), &request(1)[..5]].concat(),
        [PREFACE, &settings(&[]), &headers(1, END_STREAM, &get()[..5])].concat(),
    ] {
        let mut client = Client::before_preface(LIMITS);
        client.send(&input).unwrap();
        assert_eq!(client.connection.waits_since(), Some(client.now), "{input:?}");
        let begun = client.now;
        assert_eq!(client.connection.expire(begun, begun, &mut client.out), Ok(()));
        client.out.clear();
        let error = client.connection.expire(begun + second, begun + second, &mut client.out).unwrap_err();
        assert_eq!((error.reason, client.replies().as_str()), (Reason::TimedOut, "GOAWAY 0 ENHANCE_YOUR_CALM"));
        assert_eq!(client.connection.waits_since(), None);
    }
    let mut client = Client::new();
    assert_eq!(client.connection.waits_since(), None);
    client.send(headers(1, END_HEADERS, post())).unwrap();
    let begun = client.now;
    client.pass(second);
    client.send([headers(3, END_HEADERS, post()), request(5), data(1, 0, b"x")].concat()).unwrap();
    assert_eq!(client.connection.waits_since(), Some(begun));
    assert_eq!(client.connection.expire(client.now, client.now, &mut client.out), Ok(()));
    assert_eq!((client.replies().as_str(), client.happened().as_str()), ("RST 1 CANCEL", "GET 5"));
    assert_eq!((client.connection.waits_since(), client.connection.streams()), (Some(client.now), 2));
}

#[test]
fn rule_10_a_client_has_a_table_for_5_s_and_until_it_says_that_it_has_none() {
    let indexed = [&get()[..], b"\x40\x01x\x01y"].concat();
    let refers = [&get()[..], b"\xbe"].concat();
    for (last, is_served) in [
        // Older clients of Go acknowledge, and go on as before.
        (refers.clone(), true),
        ([b"\x20", &indexed[..]].concat(), true),
        ([b"\x20", &refers[..]].concat(), false),
        ([b"\x21", &indexed[..]].concat(), false),
    ] {
        let mut client = Client::new();
        client.send(headers(1, ENDS, &indexed)).unwrap();
        assert!(client.respond(1, false));
        client.pass(Duration::from_millis(4_999));
        assert_eq!((client.write(1, 10), client.replies().as_str()), (10, "HEADERS 1, DATA 1 10"));
        client.pass(Duration::from_millis(1));
        assert_eq!(client.write(1, 10), 10);
        assert_eq!(client.out[..15], settings(&[(0x1, 0)]));
        client.out.clear();
        // Until the client says so, it may refer to its table.
        client.send(headers(3, ENDS, &refers)).unwrap();
        client.send(settings_ack()).unwrap();
        assert_eq!((client.write(1, 10), client.replies().as_str()), (10, "DATA 1 10"), "once");
        assert_eq!(client.happened(), "GET 1, GET 3");
        let result = client.send(headers(5, ENDS, &last)).map_err(|error| error.reason);
        assert_eq!(result, if is_served { Ok(()) } else { Err(Reason::Compression) });
    }
}

#[test]
fn an_idle_connection_and_a_stream_are_small() {
    let stream = size_of::<super::stream::Stream>();
    assert!(stream <= 120, "{stream}");
    let connection = size_of::<super::Connection>();
    assert!(connection <= 400, "{connection}");
}
