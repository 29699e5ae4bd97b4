//! Every limit is reached, and one less is served.

use super::{Limits, Reason, StreamId, tests::*};
use std::time::Duration;

/// Sends a frame so often, and once more; the last one ends the connection.
fn flood(client: &mut Client, frame: &[u8], times: usize, reason: Reason) {
    for time in 0..times {
        assert_eq!(client.send(frame), Ok(()), "{time}");
        client.out.clear();
    }
    assert_eq!(client.send(frame).unwrap_err().reason, reason);
    let replies = client.replies();
    assert!(replies.ends_with(" ENHANCE_YOUR_CALM"), "{replies}");
}

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
    for (copies, is_served) in [(15, true), (18, false)] {
        let mut client = Client::before_preface(LIMITS);
        client.send([PREFACE.to_vec(), settings(&[])].concat()).unwrap();
        let block = [bomb.clone(), vec![0xbe; copies]].concat();
        let reason = client.send(headers(1, ENDS, block)).map_err(|error| error.reason);
        assert_eq!(reason, if is_served { Ok(()) } else { Err(Reason::HeaderFields) }, "{copies}");
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
fn rule_10_resets_by_the_client_by_its_mistakes_and_refusals_are_200_in_10_s() {
    let mut client = Client::with_limits(Limits { streams: 1, ..LIMITS });
    client.open(1);
    let mut stream = 3;
    let mut next = |client: &mut Client| {
        stream += 2;
        let sent = match stream % 3 {
            // Refused, for one is open.
            0 => client.send(request(stream)),
            // Malformed.
            1 => client.send(headers(stream, ENDS, [])),
            // The client's own, before it has ended its request.
            _ => {
                client.connection.reset(StreamId(1), super::ErrorCode::CANCEL, &mut client.out);
                client.send([headers(stream, END_HEADERS, get()), reset(stream, 8)].concat())
            }
        };
        client.out.clear();
        sent.map_err(|error| error.reason)
    };
    for _ in 0..200 {
        assert_eq!(next(&mut client), Ok(()));
    }
    client.pass(Duration::from_secs(10));
    for _ in 0..200 {
        assert_eq!(next(&mut client), Ok(()));
    }
    client.pass(Duration::from_millis(9_999));
    assert_eq!(next(&mut client), Err(Reason::Resets));
}

#[test]
fn rule_10_requests_that_the_owner_refuses_are_resets_too() {
    let mut client = Client::new();
    for number in 0..200 {
        let stream = number * 2 + 1;
        client.send(request(stream)).unwrap();
        assert_eq!(client.refuse(stream), Ok(()));
        assert_eq!(client.refuse(stream), Ok(()), "it is over: nothing is refused, or counted");
        assert_eq!(client.replies(), format!("RST {stream} REFUSED_STREAM"));
    }
    client.send(request(401)).unwrap();
    assert_eq!(client.refuse(401).map_err(|error| error.reason), Err(Reason::Resets));
    assert_eq!(client.replies(), "RST 401 REFUSED_STREAM, GOAWAY 401 ENHANCE_YOUR_CALM");
}

#[test]
fn rule_10_frames_that_carry_nothing_are_500_in_10_s() {
    let empty_block = |client: &mut Client| client.send(headers(1, END_STREAM, [])).unwrap();
    for frame in [
        ping(b"12345678"),
        raw(0x6, 1, 0, [0; 8]),
        settings(&[]),
        raw(0x2, 0, 1, [0, 0, 0, 0, 0]),
        raw(0x7, 0, 0, [0; 8]),
        raw(0x10, 0, 0, [0, 0, 0, 1]),
        raw(0x16, 0, 0, []),
    ] {
        // Two of the handshake count.
        flood(&mut Client::new(), &frame, 498, Reason::ControlFrames);
    }
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, post())).unwrap();
    flood(&mut client, &data(1, 0, []), 498, Reason::ControlFrames);
    let mut client = Client::new();
    client.send([headers(1, END_HEADERS, post()), reset(1, 8)].concat()).unwrap();
    flood(&mut client, &reset(1, 8), 498, Reason::ControlFrames);
    // A stream that was reset while its body came: what is on the way is read, but not for ever.
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, fields("POST", &[("content-length", "20000")]))).unwrap();
    assert!(client.respond(1, true));
    flood(&mut client, &data(1, 0, b"x"), 498, Reason::ControlFrames);
    // The limit of continuations is lower.
    let mut client = Client::new();
    empty_block(&mut client);
    flood(&mut client, &continuation(1, 0, []), 8, Reason::Continuations);
    let mut client = Client::new();
    for _ in 0..10 {
        for _ in 0..498 {
            client.send(ping(b"12345678")).unwrap();
            client.out.clear();
        }
        client.pass(Duration::from_secs(10));
    }
}

#[test]
fn rule_10_window_updates_are_1_000_and_10_for_each_data_frame() {
    for data_frames in [0, 5] {
        for stream in [0, 1] {
            let mut client = Client::streaming(65_535, 65_535);
            for _ in 0..data_frames {
                client.write(1, 10);
            }
            flood(&mut client, &window_update(stream, 1), 1_000 + data_frames * 10, Reason::WindowUpdates);
        }
    }
}

#[test]
fn rule_10_window_updates_are_saved_up_to_10_000() {
    let mut client = Client::streaming(1 << 20, 1 << 20);
    for _ in 0..2_000 {
        assert_eq!(client.write(1, 10), 10);
    }
    flood(&mut client, &window_update(0, 1), 10_000, Reason::WindowUpdates);
}

#[test]
fn rule_10_data_frames_that_a_tiny_window_makes_small_earn_no_window_updates() {
    // With 64 bytes the frames have a size that is worth an update.
    for (window, earned) in [(1, 0), (63, 0), (64, 10)] {
        let mut client = Client::streaming(window, 65_535);
        for _ in 0..100 {
            assert_eq!(client.write(1, 1_000), window as usize);
            client.send(window_update(1, window)).unwrap();
        }
        flood(&mut client, &window_update(0, 1), 900 + 100 * earned, Reason::WindowUpdates);
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
