//! Whole answers, beside streams and over full sockets.

use super::*;

#[test]
fn an_answer_whose_head_fills_the_record_goes_on_in_the_next_turn() {
    for filled in 14_500..16_100 {
        let mut rig = Rig::new(1 << 20);
        let stream = rig.open(1);
        rig.write(stream, true, filled);
        let asked = rig.ask([3]);
        rig.answer(asked[0], answer_with(500, 3_000));
        rig.settle_all();
        let replies = rig.replies();
        assert!(replies.ends_with("DATA 3 0 end"), "behind {filled} bytes: {replies}");
    }
}

#[test]
fn all_of_many_answers_arrive() {
    for body in [0, 1, 700, 800, 900, 1_100, 20_000] {
        let mut rig = Rig::new(1 << 20);
        let asked = rig.ask((0..100).map(|number| number * 2 + 1));
        for stream in asked {
            rig.answer(stream, answer_with(100, body));
        }
        rig.settle_all();
        let replies = rig.replies();
        assert_eq!(replies.matches(" end").count(), 100, "{body}: {replies}");
    }
}

#[test]
fn an_answer_has_its_part_of_a_line_that_a_stream_fills() {
    let mut rig = Rig::new(1 << 20);
    let stream = rig.open(1);
    rig.write(stream, true, 100);
    rig.io.wire().room = 1;
    while !rig.write(stream, false, 500).full {}
    let asked = rig.ask([3]);
    rig.answer(asked[0], answer_with(100, 5_000));
    rig.settle();
    let mut replies = String::new();
    for _ in 0..20 {
        rig.io.wire().room = 1_500;
        rig.connection.go_on(rig.now);
        rig.connection.take_news();
        while !rig.write(stream, false, 500).full {}
        rig.settle();
        replies += &rig.replies();
    }
    assert!(replies.contains("DATA 3 0 end"), "{replies}");
    assert!(replies.matches("DATA 1").count() > 20, "{replies}");
}

#[test]
fn rule_10_heads_without_bodies_fill_a_record_and_no_more_in_a_turn() {
    let mut rig = Rig::new(1 << 20);
    let asked = rig.ask((0..100).map(|number| number * 2 + 1));
    for stream in asked {
        rig.answer(stream, answer_with(1_000, 0));
    }
    assert!(rig.settle().has_more);
    let written = rig.io.wire().sent.len();
    assert!((15_000..18_000).contains(&written), "{written}");
}

#[test]
fn long_blocks_and_answers_go_on_after_the_socket_was_full() {
    let mut rig = Rig::new(1 << 20);
    let stream = rig.open(1);
    rig.write(stream, true, 100);
    rig.io.wire().is_full = true;
    rig.settle();
    rig.io.wire().is_full = false;
    rig.connection.send(rig.now);
    let mut left = 5_000;
    while left > 0 {
        rig.connection.take_news();
        let taken = rig.write(stream, false, left);
        left -= taken.bytes;
        assert!(!taken.full || !rig.connection.take_news().is_empty(), "the stream waits for nothing");
        // Full again, so that records stay small.
        rig.io.wire().is_full = true;
        rig.settle();
        rig.io.wire().is_full = false;
        rig.connection.send(rig.now);
    }
    let asked = rig.ask([3]);
    rig.answer(asked[0], answer_with(300, 5_000));
    for _ in 0..20 {
        rig.settle();
    }
    assert!(rig.replies().ends_with("DATA 3 0 end"));
}
