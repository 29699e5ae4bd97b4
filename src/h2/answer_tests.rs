//! Answers, ends, and what a cut of the input may not change.

use super::{ErrorCode, LastStream, Room, StreamId, tests::*};
use http::{HeaderMap, HeaderValue, StatusCode, header};

#[test]
fn an_answer_has_a_head_data_and_an_end() {
    let mut client = Client::new();
    client.send(request(1)).unwrap();
    assert_eq!(
        (client.write(1, 10), client.connection.room(StreamId(1), client.now)),
        (0, Room::Closed),
        "no head yet"
    );
    assert!(client.respond(1, false) && !client.respond(1, false));
    assert_eq!(client.write(1, 10), 10);
    client.connection.finish(StreamId(1), &mut client.out);
    assert_eq!(client.replies(), "HEADERS 1, DATA 1 10, DATA 1 0 end");
    assert_eq!((client.connection.streams(), client.write(1, 10), client.respond(1, false)), (0, 0, false));
    client.connection.finish(StreamId(1), &mut client.out);
    client.connection.reset(StreamId(1), ErrorCode::CANCEL, &mut client.out);
    assert_eq!(client.replies(), "");
}

#[test]
fn an_answers_head_keeps_its_fields_but_those_of_a_connection() {
    let mut client = Client::new();
    client.send(request(1)).unwrap();
    let mut fields = HeaderMap::new();
    fields.append(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.append(header::CONNECTION, HeaderValue::from_static("close"));
    fields.append(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    fields.append("keep-alive", HeaderValue::from_static("1"));
    let mut cookie = HeaderValue::from_static("secret");
    cookie.set_sensitive(true);
    fields.append(header::SET_COOKIE, cookie);
    client.connection.respond(StreamId(1), StatusCode::MISDIRECTED_REQUEST, &fields, true, &mut client.out);
    let block = [&b"\x08\x03421"[..], b"\x00\x0ccontent-type\x11text/event-stream", b"\x10\x0aset-cookie\x06secret"];
    assert_eq!(client.out, headers(1, ENDS, block.concat()));
}

#[test]
fn the_head_after_a_size_for_our_table_begins_with_its_new_size() {
    let status = |status| {
        let mut client = Client::new();
        client.send([settings(&[(1, 0)]), request(1), settings(&[(1, 4_096), (1, 100)]), request(3)].concat()).unwrap();
        client.out.clear();
        let answer = |client: &mut Client, id| {
            client.connection.respond(StreamId(id), status, [], true, &mut client.out);
            std::mem::take(&mut client.out)
        };
        (answer(&mut client, 1), answer(&mut client, 3))
    };
    assert_eq!(status(StatusCode::OK), (headers(1, ENDS, b"\x20\x88"), headers(3, ENDS, b"\x88")), "once");
    let mut client = Client::new();
    let expecting = fields("POST", &[("content-length", "1"), ("expect", "100-continue")]);
    client.send([settings(&[(1, 1)]), headers(1, END_HEADERS, expecting)].concat()).unwrap();
    let block = b"\x20\x08\x03100";
    assert!(client.out.ends_with(&headers(1, END_HEADERS, block)), "{:?}", client.out);
}

#[test]
fn a_long_head_is_continued() {
    let mut client = Client::new();
    client.send(request(1)).unwrap();
    let value = HeaderValue::from_bytes(&[b'v'; 40_000]).unwrap();
    let fields = [(&header::SERVER, &value)];
    client.connection.respond(StreamId(1), StatusCode::OK, fields, true, &mut client.out);
    assert_eq!(client.replies(), "HEADERS 1 begin end, CONTINUATION 1 flags 0, CONTINUATION 1 flags 4");
}

#[test]
fn an_answer_without_a_head_is_reset() {
    let mut client = Client::new();
    client.send(request(1)).unwrap();
    client.connection.finish(StreamId(1), &mut client.out);
    assert_eq!(client.replies(), "RST 1 INTERNAL_ERROR");
}

#[test]
fn go_away_warns_first_and_then_names_the_last_stream() {
    let mut client = Client::new();
    client.open(1);
    client.out.clear();
    client.connection.go_away(LastStream::Max, ErrorCode::NO_ERROR, &mut client.out);
    client.open(3);
    client.connection.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut client.out);
    assert_eq!(client.replies(), "GOAWAY 2147483647 NO_ERROR, HEADERS 3, GOAWAY 3 NO_ERROR");
    client.happened();
    // What crossed with it is ignored; the block of the unserved stream is decoded, and its window given back.
    let crossed =
        [headers(5, END_HEADERS, get()), data(5, 0, [0; 9_000]), window_update(5, 1), reset(5, 8), data(3, 1, [])];
    let (last, crossed) = crossed.split_last().unwrap();
    client.send(crossed.concat()).unwrap();
    assert_eq!((client.replies(), client.happened()), Default::default());
    assert_eq!((client.write(1, 5), client.write(3, 5), client.connection.streams()), (5, 5, 2));
    client.send(last).unwrap();
    assert_eq!(client.replies(), "DATA 1 5, DATA 3 5, RST 3 STREAM_CLOSED");
    client.connection.go_away(LastStream::Max, ErrorCode::NO_ERROR, &mut client.out);
    assert_eq!(client.replies(), "GOAWAY 3 NO_ERROR", "never a higher one");
    client.send(raw(0x6, 0, 1, [0; 8])).unwrap_err();
    assert_eq!(client.replies(), "GOAWAY 3 PROTOCOL_ERROR");
}

#[test]
fn the_connections_window_is_given_back_for_data_that_are_thrown_away() {
    let padded = [&[100][..], &[b'x'; 100], &[0; 100]].concat();
    let begin = |length: &str| headers(1, END_HEADERS, fields("POST", &[("content-length", length)]));
    let too_long = || {
        let mut client = Client::new();
        client.send(begin("20000")).unwrap();
        client
    };
    let answered = || {
        let mut client = too_long();
        assert!(client.respond(1, true));
        client
    };
    let mistaken = || {
        let mut client = Client::new();
        client.send([begin("1"), data(1, 0, b"two")].concat()).unwrap();
        client
    };
    let unserved = || {
        let mut client = Client::new();
        client.connection.go_away(LastStream::Seen, ErrorCode::NO_ERROR, &mut client.out);
        client.send(begin("4")).unwrap();
        client
    };
    for mut client in [too_long(), answered(), mistaken(), unserved()] {
        client.out.clear();
        for _ in 0..300 {
            client.send(data(1, PADDED, &padded)).unwrap();
        }
        // Half of the window is 163 frames of 201 bytes, and one that was sent before.
        assert_eq!(client.replies().split(", ").count(), 1);
        assert!(client.connection.receive_window > 32_000);
    }
}

#[test]
fn a_block_of_a_stream_that_was_reset_in_its_middle_is_still_decoded() {
    let mut client = Client::before_preface(LIMITS);
    client.send([PREFACE, &settings(&[])].concat()).unwrap();
    client.send(headers(1, END_HEADERS, post())).unwrap();
    // Trailers that fill the table, of which half has come when the stream ends.
    let trailers = b"\x40\x01x\x01y";
    client.send(headers(1, END_STREAM, &trailers[..3])).unwrap();
    client.connection.reset(StreamId(1), ErrorCode::CANCEL, &mut client.out);
    client.send(continuation(1, END_HEADERS, &trailers[3..])).unwrap();
    client.send(headers(3, ENDS, [&get()[..], b"\xbe"].concat())).unwrap();
    assert_eq!(client.happened(), "GET 3");
}

/// A session with all that a client sends, mistakes of streams among it, and a mistake at its end.
fn session() -> Vec<u8> {
    let get = get();
    [
        PREFACE.to_vec(),
        settings(&[(0x3, 100), (0x4, 1 << 20)]),
        window_update(0, 1 << 20),
        request(1),
        settings_ack(),
        headers(3, END_HEADERS, fields("POST", &[("content-length", "6"), ("cookie", "a=1"), ("cookie", "b=2")])),
        raw(0x2, 0, 5, [0, 0, 0, 3, 7]),
        data(3, 0, b"abc"),
        data(3, PADDED | END_STREAM, b"\x02def\0\0"),
        headers(5, END_STREAM, &get[..7]),
        continuation(5, 0, &get[7..20]),
        continuation(5, END_HEADERS, &get[20..]),
        ping(b"12345678"),
        window_update(1, 500),
        headers(7, ENDS, block(&[(":method", "GET")])),
        reset(5, 8),
        headers(9, END_HEADERS, post()),
        data(9, 0, [0; 300]),
        headers(9, ENDS, block(&[("x", "y")])),
        raw(0x16, 3, 9, [1, 2, 3]),
        raw(0x7, 0, 0, [0; 8]),
        settings(&[(0x4, 1 << 31)]),
        request(11),
    ]
    .concat()
}

/// What a session brings, and how it ends, if its input comes in these pieces.
fn play<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (String, String) {
    let mut client = Client::before_preface(LIMITS);
    let mut results = Vec::new();
    for piece in pieces {
        if let Err(error) = client.send(piece) {
            results.push(error.to_string());
        }
    }
    let heads: Vec<String> = client.events.iter().map(|event| format!("{event:?}")).collect();
    (format!("{}; {}; {results:?}", client.happened(), client.replies()), heads.join("\n"))
}

#[test]
fn input_may_be_cut_at_every_byte() {
    let session = session();
    let whole = play([&session[..]].into_iter());
    let expected = "GET 1, POST 3 with 6, GET 5, reset 5 CANCEL, POST 9 with 300, going away NO_ERROR; \
                    ACK, PONG 12345678, RST 7 PROTOCOL_ERROR, GOAWAY 9 FLOW_CONTROL_ERROR; \
                    [\"FLOW_CONTROL_ERROR: flow_control\"]";
    assert_eq!(whole.0, expected);
    for place in 0..session.len() {
        let (first, second) = session.split_at(place);
        assert_eq!(play([first, second].into_iter()), whole, "cut at {place}");
    }
    assert_eq!(play(session.chunks(1)), whole, "byte by byte");
    assert_eq!(play(session.chunks(7)), whole, "by sevens");
}

#[test]
fn no_memory_is_kept_for_input_that_was_read() {
    let mut client = Client::new();
    let request = request(1);
    client.send(&request[..20]).unwrap();
    client.send(&request[20..]).unwrap();
    assert_eq!(client.connection.pending.capacity(), 0);
    client.connection.reset(StreamId(1), ErrorCode::CANCEL, &mut client.out);
    for stream in (3..200).step_by(2) {
        client.open(stream);
    }
    for stream in (3..200).step_by(2) {
        client.connection.finish(StreamId(stream), &mut client.out);
    }
    assert_eq!(client.connection.streams.capacity(), 0);
}
