//! Sections 5.2 and 6.9 of RFC 9113: windows, and the reader check.

use super::{Room, StreamId, tests::*};
use bytes::Bytes;
use std::time::Duration;

const MAX: u32 = (1 << 31) - 1;

fn room(client: &Client, stream: u32) -> Room {
    client.connection.room(StreamId(stream), client.now)
}

#[test]
fn nothing_is_written_into_a_window_of_zero() {
    let mut client = Client::streaming(0, 65_535);
    assert_eq!((client.write(1, 10), room(&client, 1)), (0, Room::StreamWindow));
    client.send(window_update(1, 4)).unwrap();
    assert_eq!(client.happened(), "room 1");
    assert_eq!((client.write(1, 10), client.write(1, 6)), (4, 0));
    assert_eq!(client.replies(), "DATA 1 4");
}

#[test]
fn a_client_with_a_window_of_one_gets_single_bytes() {
    let mut client = Client::streaming(1, 65_535);
    assert_eq!((client.write(1, 10), client.write(1, 9)), (1, 0));
    client.send(window_update(1, 1)).unwrap();
    assert_eq!((client.happened().as_str(), client.write(1, 9)), ("room 1", 1));
}

#[test]
fn a_window_of_2_31_minus_1_is_used_and_not_exceeded() {
    let mut client = Client::streaming(MAX, MAX);
    assert_eq!(room(&client, 1), Room::Bytes(MAX as usize));
    assert_eq!(client.write(1, 20_000), 16_384);
    for stream in [0, 1] {
        client.send(window_update(stream, 16_384)).unwrap();
    }
    assert_eq!(room(&client, 1), Room::Bytes(MAX as usize));
    client.send(window_update(1, 1)).unwrap();
    assert_eq!(client.happened(), "reset 1 FLOW_CONTROL_ERROR");
    assert_eq!(client.replies(), "DATA 1 16384, RST 1 FLOW_CONTROL_ERROR");
    client.send(window_update(0, 1)).unwrap_err();
    assert_eq!(client.replies(), "GOAWAY 1 FLOW_CONTROL_ERROR");
}

#[test]
fn the_initial_window_changes_all_streams_also_to_below_zero() {
    // As in h2spec: 3 bytes are sent, the window falls to -1, and rises to 1.
    let mut client = Client::streaming(3, 65_535);
    assert_eq!(client.write(1, 10), 3);
    client.send(settings(&[(0x4, 2)])).unwrap();
    assert_eq!((client.write(1, 7), client.happened().as_str()), (0, ""));
    client.send(window_update(1, 2)).unwrap();
    assert_eq!((client.happened().as_str(), client.write(1, 7)), ("room 1", 1));
    client.send(settings(&[(0x4, 0)])).unwrap();
    assert_eq!((room(&client, 1), client.happened().as_str()), (Room::StreamWindow, ""));
    assert_eq!(client.write(1, 6), 0);
    client.send(settings(&[(0x4, 65_535)])).unwrap();
    assert_eq!((client.happened().as_str(), client.write(1, 6)), ("room 1", 6));
}

#[test]
fn the_last_of_several_initial_windows_counts() {
    let mut client = Client::new();
    client.send(settings(&[(0x4, 100), (0x4, 1)])).unwrap();
    client.open(1);
    assert_eq!(client.write(1, 10), 1);
}

#[test]
fn an_initial_window_that_makes_a_stream_overflow_ends_the_connection() {
    let mut client = Client::streaming(65_535, 65_535);
    client.send(window_update(1, MAX - 65_535)).unwrap();
    client.send(settings(&[(0x4, 65_536)])).unwrap_err();
    assert_eq!(client.replies(), "GOAWAY 1 FLOW_CONTROL_ERROR");
}

#[test]
fn section_6_9_window_updates() {
    for (stream, increment, replies) in [
        (0, 0, "GOAWAY 1 PROTOCOL_ERROR"),
        (1, 0, "RST 1 PROTOCOL_ERROR"),
        (0, MAX, "GOAWAY 1 FLOW_CONTROL_ERROR"),
        (1, MAX, "RST 1 FLOW_CONTROL_ERROR"),
        (0, 1 << 31 | 1, ""),
        (1, 1 << 31 | 1, ""),
    ] {
        let mut client = Client::streaming(65_535, 65_535);
        assert_eq!(client.send(window_update(stream, increment)).is_err(), replies.contains("GOAWAY"));
        assert_eq!(client.replies(), replies, "{stream} {increment}");
    }
    for length in [0, 3, 5] {
        let mut client = Client::new();
        client.send(raw(0x8, 0, 0, vec![0; length])).unwrap_err();
        assert_eq!(client.replies(), "GOAWAY 0 FRAME_SIZE_ERROR");
    }
}

#[test]
fn the_connections_window_is_shared_and_its_update_wakes_those_that_it_blocked() {
    let mut client = Client::streaming(1 << 20, 65_535);
    for stream in [3, 5, 7] {
        client.open(stream);
    }
    client.happened();
    let mut sent = 0;
    while let bytes @ 1.. = client.write(3, 10_000) {
        sent += bytes;
    }
    assert_eq!((sent, room(&client, 3)), (65_535, Room::ConnectionWindow));
    assert_eq!((client.write(5, 100), room(&client, 5)), (0, Room::ConnectionWindow));
    assert_eq!(room(&client, 7), Room::ConnectionWindow);
    client.send(window_update(0, 99)).unwrap();
    assert_eq!(client.happened(), "", "the block of 100 does not fit yet");
    client.send(window_update(0, 2_000)).unwrap();
    assert_eq!(client.happened(), "room 3, room 5", "once, and not for the stream that was not blocked");
    client.send(window_update(0, 2_000)).unwrap();
    assert_eq!(client.happened(), "");
    assert_eq!(client.connection.most_unread(), Some(StreamId(3)));
}

#[test]
fn the_stream_window_is_named_if_both_lack() {
    let mut client = Client::streaming(65_535, 65_535);
    while client.write(1, 16_384) > 0 {}
    assert_eq!(room(&client, 1), Room::StreamWindow);
    client.send(window_update(1, 5_000)).unwrap();
    assert_eq!((room(&client, 1), client.happened().as_str()), (Room::ConnectionWindow, ""));
    client.send(window_update(0, 5_000)).unwrap();
    assert_eq!((room(&client, 1), client.happened().as_str()), (Room::Bytes(5_000), "room 1"));
}

#[test]
fn a_frame_has_whole_blocks_or_at_least_1_024_bytes() {
    let mut client = Client::streaming(4_000, 65_535);
    assert_eq!(client.write(1, 3_000), 3_000);
    assert_eq!(room(&client, 1), Room::Bytes(1_000));
    assert_eq!((client.write(1, 1_001), room(&client, 1)), (0, Room::StreamWindow), "cut to 1,000 bytes");
    assert_eq!(client.write(1, 1_000), 1_000);
    client.send(window_update(1, 1_024)).unwrap();
    assert_eq!(client.happened(), "");
    assert_eq!(client.write(1, 9_000), 1_024);
    assert_eq!(client.replies(), "DATA 1 3000, DATA 1 1000, DATA 1 1024");
}

#[test]
fn blocks_are_joined_in_a_frame_and_cut_at_its_end() {
    let mut client = Client::streaming(65_535, 65_535);
    let blocks: Vec<Bytes> = [&b""[..], b"first ", b"", b"second ", b"third"].map(Bytes::from_static).into();
    let offered: Vec<&Bytes> = blocks.iter().collect();
    let taken = client.connection.data(StreamId(1), &offered, 15, client.now, &mut client.out);
    assert_eq!((taken, &client.out[9..]), (15, &b"first second th"[..]));
    assert_eq!(client.happened(), "");
    // The caller's limit does not make small frames either, and a stream is not blocked by it.
    let taken = client.connection.data(StreamId(1), &offered, 5, client.now, &mut client.out);
    assert_eq!((taken, room(&client, 1)), (0, Room::Bytes(65_520)));
    assert_eq!(client.connection.data(StreamId(1), &[], usize::MAX, client.now, &mut client.out), 0);
    assert_eq!(client.connection.data(StreamId(1), &[&blocks[0]], usize::MAX, client.now, &mut client.out), 0);
}

#[test]
fn what_a_client_sends_is_given_back() {
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, post())).unwrap();
    let padded = [&[255][..], b"x", &[0; 255]].concat();
    let mut windows = (65_535_i64, 65_535_i64);
    for _ in 0..1_000 {
        client.send(data(1, PADDED, &padded)).unwrap();
        windows = (windows.0 - 257, windows.1 - 257);
        for reply in spell(&std::mem::take(&mut client.out)) {
            let words: Vec<&str> = reply.split(' ').collect();
            let increment: i64 = words[2].parse().unwrap();
            match words[1] {
                "0" => windows.0 += increment,
                _ => windows.1 += increment,
            }
        }
        assert!(windows.0.min(windows.1) > 32_000 && windows.0.max(windows.1) <= 65_535);
    }
    client.send(data(1, END_STREAM, b"")).unwrap();
    assert_eq!(client.happened(), "POST 1 with 1000");
}

#[test]
fn a_client_that_exceeds_a_window_is_stopped() {
    let mut client = Client::new();
    client.send(headers(1, END_HEADERS, fields("POST", &[("content-length", "1000000")]))).unwrap();
    assert_eq!(client.happened(), "POST 1 too long");
    for _ in 0..3 {
        client.send(data(1, 0, [0; 16_384])).unwrap();
    }
    // The connection's window was given back, the stream's was not: no one reads the rest.
    client.replies();
    client.send(data(1, 0, [0; 16_384])).unwrap();
    assert_eq!(client.replies(), "RST 1 FLOW_CONTROL_ERROR");
    assert_eq!(client.happened(), "reset 1 FLOW_CONTROL_ERROR");
}

/// A stream of a browser's tab: 6 MiB of window, and a client that updates each 5 s if the tab reads.
fn tab() -> Client {
    let mut client = Client::streaming(6 << 20, 15 << 20);
    client.write(1, 1_000);
    client.pass(Duration::from_secs(5));
    client.send(window_update(1, 1_000)).unwrap();
    client.happened();
    client
}

fn write_kib(client: &mut Client, kib: usize) -> usize {
    let written = (0..kib).map(|_| client.write(1, 1_024)).sum();
    client.out.clear();
    written
}

#[test]
fn the_reader_check_holds_a_stream_whose_reader_stopped_until_its_next_update() {
    let mut client = tab();
    assert_eq!(write_kib(&mut client, 100), 100 * 1_024);
    client.pass(Duration::from_millis(5_500));
    assert_eq!(client.write(1, 1_024), 1_024, "the probe");
    client.pass(Duration::from_millis(4_999));
    assert_eq!(client.write(1, 1_024), 1_024);
    client.pass(Duration::from_millis(1));
    assert_eq!((client.write(1, 1_024), room(&client, 1)), (0, Room::Held));
    client.send(window_update(0, 50_000)).unwrap();
    client.pass(Duration::from_secs(60));
    assert_eq!((client.happened().as_str(), room(&client, 1)), ("", Room::Held));
    client.send(window_update(1, 100_000)).unwrap();
    assert_eq!((client.happened().as_str(), client.write(1, 1_024)), ("room 1", 1_024));
}

#[test]
fn a_held_stream_is_reported_although_nothing_was_written_meanwhile() {
    let mut client = tab();
    write_kib(&mut client, 100);
    client.pass(Duration::from_secs(6));
    assert_eq!(client.write(1, 1_024), 1_024);
    client.pass(Duration::from_secs(5));
    assert_eq!(room(&client, 1), Room::Held);
    client.send(window_update(1, 100_000)).unwrap();
    assert_eq!(client.happened(), "room 1");
}

#[test]
fn a_stream_without_much_unread_is_not_held() {
    let mut client = tab();
    write_kib(&mut client, 62);
    client.pass(Duration::from_millis(5_500));
    client.write(1, 1_024);
    client.pass(Duration::from_secs(3_600));
    assert_eq!(client.write(1, 1_024), 1_024, "64 KiB: not more than the limit");
    assert_eq!(client.write(1, 1_024), 1_024, "one more was under it");
    assert_eq!(client.write(1, 1_024), 0);
}

#[test]
fn a_client_that_updates_by_volume_is_not_held() {
    let mut client = Client::streaming(12 << 20, 15 << 20);
    client.send(window_update(1, 4 << 20)).unwrap();
    write_kib(&mut client, 100);
    for _ in 0..10 {
        client.pass(Duration::from_secs(6));
        assert_eq!(client.write(1, 1_024), 1_024);
    }
}

/// As the client of .NET: an eighth of a large window at a time, however long that takes.
#[test]
fn a_client_that_updates_by_a_small_part_of_a_large_window_is_held_only_beyond_two_updates() {
    let mut client = Client::streaming(16 << 20, 64 << 20);
    assert_eq!(write_kib(&mut client, 2_048), 2 << 20);
    client.send(window_update(1, 2 << 20)).unwrap();
    for _ in 0..21 {
        client.pass(Duration::from_secs(6));
        assert_eq!(write_kib(&mut client, 100), 100 * 1_024);
    }
    client.send(window_update(1, 2 << 20)).unwrap();
    assert_eq!(client.happened(), "", "it was never held");
    client.pass(Duration::from_secs(6));
    write_kib(&mut client, 100);
    client.pass(Duration::from_secs(6));
    assert_eq!(write_kib(&mut client, 8_192), (4 << 20) + 1_024 - 100 * 1_024);
    assert_eq!(room(&client, 1), Room::Held);
}

#[test]
fn many_updates_of_a_turn_wake_each_stream_once_at_its_end() {
    let mut client = Client::streaming(1 << 20, 65_535);
    client.open(3);
    while client.write(1, 5_000) > 0 {}
    client.write(3, 5_000);
    client.out.clear();
    client.events.clear();
    let updates = [window_update(0, 2_000), window_update(0, 2_000), settings(&[(0x4, 1 << 20)])].concat();
    client.connection.receive(&updates, client.now, &mut client.out, &mut client.events).unwrap();
    assert_eq!(client.happened(), "");
    client.connection.wake(client.now, &mut client.events);
    client.connection.wake(client.now, &mut client.events);
    assert_eq!(client.happened(), "room 1, room 3");
}

#[test]
fn the_reader_check_can_be_off() {
    let mut client = Client::with_limits(super::Limits { reader_check: false, ..LIMITS });
    client.open(1);
    client.send([window_update(1, 1), window_update(0, 1 << 20), window_update(1, 1 << 20)].concat()).unwrap();
    write_kib(&mut client, 100);
    for _ in 0..10 {
        client.pass(Duration::from_secs(6));
        assert_eq!(client.write(1, 1_024), 1_024);
    }
}
