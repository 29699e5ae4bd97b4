//! What a client makes the server do for nothing has a limit, and one less is served.

use super::{ErrorCode, LastStream, Limits, Reason, StreamId, tests::*};
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
                client.connection.reset(StreamId(1), ErrorCode::CANCEL, &mut client.out);
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

/// A browser resets the streams of a page that is closed, one by one, and all of them may be of one connection.
#[test]
fn rule_10_a_client_may_reset_as_many_streams_as_it_may_have_twice_and_no_more() {
    for (streams, resets) in [(1, 200), (100, 200), (101, 202), (1_000, 2_000)] {
        let mut client = Client::with_limits(Limits { streams, ..LIMITS });
        let mut next = 1;
        let mut left = resets;
        while left > 0 {
            let page: Vec<u32> = (next..).step_by(2).take(left.min(streams) as usize).collect();
            page.iter().for_each(|stream| client.open(*stream));
            for stream in &page {
                assert_eq!(client.send(reset(*stream, 8)), Ok(()), "{streams} streams");
            }
            left -= page.len() as u32;
            next += 2 * page.len() as u32;
            client.out.clear();
        }
        client.open(next);
        let error = client.send(reset(next, 8)).unwrap_err();
        assert_eq!(error.reason, Reason::Resets, "{streams} streams");
    }
}

#[test]
fn rule_10_bytes_of_tls_with_hardly_a_frame_are_32_kib_in_10_s() {
    let sealed = |client: &mut Client, sealed: usize, plain: usize| {
        client.connection.sealed(sealed, plain, client.now, &mut client.out).map_err(|error| error.reason)
    };
    let mut client = Client::new();
    for _ in 0..2 {
        // A record of 16 KiB comes in pieces, of which the last alone brings its frames.
        for (bytes, plain) in [(16_000, 0), (406, 16_384)] {
            assert_eq!(sealed(&mut client, bytes, plain), Ok(()));
        }
        // Window updates, each in a record of its own.
        for _ in 0..10_000 {
            assert_eq!(sealed(&mut client, 42, 13), Ok(()));
        }
        client.pass(Duration::from_secs(10));
    }
    for bytes in [22, 27, 4_096] {
        let mut client = Client::new();
        let times = 32 * 1_024 / bytes;
        for _ in 0..2 {
            (0..times).for_each(|_| assert_eq!(sealed(&mut client, bytes, 0), Ok(())));
            client.pass(Duration::from_secs(10));
        }
        (0..times).for_each(|_| assert_eq!(sealed(&mut client, bytes, 0), Ok(())));
        client.pass(Duration::from_millis(9_999));
        assert_eq!(sealed(&mut client, bytes, 0), Err(Reason::ControlFrames));
        assert_eq!(client.replies(), "GOAWAY 0 ENHANCE_YOUR_CALM");
    }
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

/// Each of these is thrown away, and none answers for another.
#[test]
fn rule_10_frames_of_streams_that_are_not_served_have_a_limit() {
    let trailers = |stream| headers(stream, END_HEADERS, block(&[("x", "y")]));
    // The server has reset a stream; its client goes on with trailers.
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, post())).unwrap();
    client.connection.reset(StreamId(1), ErrorCode::CANCEL, &mut client.out);
    flood(&mut client, &trailers(1), 498, Reason::ControlFrames);
    // Behind the last stream that GOAWAY named.
    let leaving = || {
        let mut client = Client::new();
        client.open(1);
        client.connection.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut client.out);
        client
    };
    flood(&mut leaving(), &request(3), 200, Reason::Resets);
    flood(&mut leaving(), &data(3, 0, b"x"), 498, Reason::ControlFrames);
}

/// A header block in pieces of which one is empty is served, but not without end.
#[test]
fn rule_10_empty_pieces_of_header_blocks_have_a_limit_over_all_requests() {
    type Cut = fn(u32, &[u8]) -> Vec<u8>;
    let get = get();
    let pieces: [Cut; 2] = [
        |stream, get| [headers(stream, END_STREAM, []), continuation(stream, END_HEADERS, get)].concat(),
        |stream, get| {
            let (first, rest) = get.split_at(9);
            let empty = continuation(stream, 0, []);
            [headers(stream, END_STREAM, first), empty, continuation(stream, END_HEADERS, rest)].concat()
        },
    ];
    for cut in pieces {
        let mut client = Client::new();
        for number in 0..498 {
            let stream = number * 2 + 1;
            assert_eq!(client.send(cut(stream, &get)), Ok(()), "{number}");
            assert!(client.respond(stream, true));
            client.out.clear();
        }
        let error = client.send(cut(997, &get)).unwrap_err();
        assert_eq!(error.reason, Reason::ControlFrames);
    }
}
