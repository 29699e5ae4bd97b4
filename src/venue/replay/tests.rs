//! The wrapped protocols, from messages of the player.

use super::*;
use crate::venue::{Playback, Speed, kit::Given};

/// A recording of the simulator, from so many files.
fn playback(files: usize) -> Playback {
    let files = (0..files).map(|number| format!("file{number}").into()).collect();
    Playback { protocol: crate::venue::find("sim").unwrap(), url: None, files, speed: Speed::Max, repeats: false }
}

fn replay(files: usize) -> Box<dyn Venue> {
    let given = Given::symbols(&[("AAPL", None), ("MSFT", None)]);
    let playback = playback(files);
    let mut replay = crate::venue::new(&SPEC, &Setup { playback: Some(&playback), ..given.setup() }).unwrap();
    assert!(replay.open().is_empty(), "nothing is asked for");
    assert!(replay.refused().is_empty(), "all are granted");
    replay
}

/// What messages of the player say, and how many updates they bring.
fn says(replay: &mut dyn Venue, messages: &[&str]) -> Vec<(Result<Message, DecodeError>, usize)> {
    let said = |message: &&str| {
        let mut batch = Batch::default();
        let read = replay.read(message.as_bytes(), &mut batch);
        assert!(batch.requests.is_empty() && batch.answers.is_empty(), "{message}");
        (read, batch.updates.len())
    };
    messages.iter().map(said).collect()
}

fn trade(source: u8, id: u64) -> String {
    format!(r#"f{source} {{"type":"trade","symbol":"AAPL","id":{id},"price":"1.5"}}"#)
}

#[test]
fn data_pass_and_answers_are_of_the_recorded_connection() {
    let mut replay = replay(1);
    let data = trade(0, 1);
    let said = says(
        &mut *replay,
        &[
            &data,
            r#"f0 {"op":"ack","id":1}"#,
            r#"f0 {"op":"refuse","id":1}"#,
            r#"f0 {"op":"split","id":1}"#,
            r#"f0 {"op":"closing"}"#,
            "f0 pong",
            r#"f0 {"op":"what"}"#,
            "f0 {",
            "x0 ",
            "f9 {}",
            "pong",
        ],
    );
    let control = || (Ok(Message::Control), 0);
    let dropped = |reason| (Err(reason), 0);
    assert_eq!(said[..6], [(Ok(Message::Data), 1), control(), control(), control(), control(), control()]);
    assert_eq!(said[6..8], [(Ok(Message::Other), 0), dropped(DecodeError::Json)]);
    assert_eq!(said[8..], [dropped(DecodeError::Shape), dropped(DecodeError::Shape), dropped(DecodeError::Shape)]);
}

#[test]
fn a_symbol_that_the_feed_leaves_out_is_not_an_error() {
    let mut replay = replay(1);
    let other = r#"f0 {"type":"trade","symbol":"KO","id":1,"price":"1.5"}"#;
    assert_eq!(says(&mut *replay, &[other]), [(Ok(Message::Other), 0)]);
}

#[test]
fn a_hole_in_a_connection_is_counted_and_each_source_has_a_sequence_of_its_own() {
    let mut replay = replay(2);
    let hole = (Ok(Message::Played(Played::Hole)), 0);
    let data = [trade(0, 1), trade(0, 2), trade(1, 3)];
    assert!(
        says(&mut *replay, &data.each_ref().map(String::as_str)).iter().all(|(said, _)| *said == Ok(Message::Data))
    );
    let beats = ["f0 {\"op\":\"heartbeat\",\"sent\":2}", "f1 {\"op\":\"heartbeat\",\"sent\":1}"];
    assert!(says(&mut *replay, &beats).iter().all(|(said, _)| *said == Ok(Message::Control)));
    assert_eq!(says(&mut *replay, &["f1 {\"op\":\"heartbeat\",\"sent\":2}", "d0 "]), [hole, hole]);
}

#[test]
fn what_the_recording_says_of_its_connections_is_told() {
    let mut replay = replay(1);
    for (message, expected) in [
        ("o0 ", Message::Control),
        ("c0 ", Message::Played(Played::Lost(Reason::ConnectionLost))),
        ("c0 io", Message::Played(Played::Lost(Reason::ConnectionLost))),
        ("c0 no_data", Message::Played(Played::Lost(Reason::Mute))),
        ("c0 gap", Message::Played(Played::Lost(Reason::Gap))),
        ("c0 lifetime", Message::Played(Played::Lost(Reason::Reconnect))),
        ("c0 rotated", Message::Control),
        ("n", Message::Played(Played::StartsOver)),
        ("e", Message::Played(Played::Ended)),
    ] {
        assert_eq!(says(&mut *replay, &[message]), [(Ok(expected), 0)], "{message}");
    }
    // A new connection counts its frames from the start.
    let said = says(&mut *replay, &[&trade(0, 1), "c0 ", "f0 {\"op\":\"heartbeat\",\"sent\":0}"]);
    assert_eq!(said[2], (Ok(Message::Control), 0));
    let said = says(&mut *replay, &["n", "f0 {\"op\":\"heartbeat\",\"sent\":1}"]);
    assert_eq!(said[1].0, Ok(Message::Played(Played::Hole)));
}

#[test]
fn every_protocol_can_be_replayed_without_its_keys() {
    for protocol in crate::venue::VENUES.iter().filter(|spec| !spec.plays_recordings()) {
        let symbols: Vec<_> = protocol.examples.iter().map(|name| (*name, None)).collect();
        let playback = Playback { protocol, ..playback(1) };
        let given = Given::symbols(&symbols);
        let mut replay = Replay::new(&Setup { playback: Some(&playback), ..given.setup() }).unwrap();
        assert!(replay.open().is_empty() && replay.refused().is_empty(), "{}", protocol.name);
    }
    assert_eq!(Replay::new(&Given::default().setup()).err(), Some(VenueError::NoRecording));
}

#[test]
fn a_connection_that_opens_though_none_was_lost_is_an_outage() {
    let mut replay = replay(2);
    let lost = Ok(Message::Played(Played::Lost(Reason::ConnectionLost)));
    let data = [trade(0, 1), trade(0, 2)];
    let said =
        says(&mut *replay, &["o0 ", &data[0], "o1 ", "o0 ", "o0 ", &data[1], "c0 ", "o0 ", &data[0], "n", "o0 "]);
    let said: Vec<_> = said.into_iter().map(|(said, _)| said).collect();
    let control = || Ok(Message::Control);
    assert_eq!(said[2..5], [control(), lost, control()]);
    assert_eq!((&said[7], &said[10]), (&control(), &control()), "the end was told");
}

proptest::proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60), near in "[focdxne][0-9]{0,3} ?.{0,40}") {
        let mut replay = replay(1);
        let mut batch = Batch::default();
        let _ = replay.read(&bytes, &mut batch);
        let _ = replay.read(near.as_bytes(), &mut batch);
    }
}
