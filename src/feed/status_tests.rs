//! What is told of a feed and its connections.

use super::*;

fn rig() -> (StatusWriter, FeedStatus) {
    let secrets = ["PKTEST", "hu\"sh"].map(Secret::new).to_vec();
    let (mut writers, status) = FeedStatus::new(1, secrets, UnixMicros(1));
    (writers.remove(0), status)
}

#[test]
fn rule_10_the_last_messages_are_few_short_escaped_and_without_secrets() {
    let (writer, status) = rig();
    for number in 0..20 {
        writer.message(format!("{number}\n").as_bytes(), UnixMicros(number));
    }
    let texts: Vec<_> = status.report().messages.into_iter().map(|note| note.text).collect();
    assert_eq!(texts, (12..20).map(|number| format!("{number}\\n")).collect::<Vec<_>>());

    writer.message("x".repeat(1_000).as_bytes(), UnixMicros(20));
    let long = status.report().messages.pop().unwrap().text;
    assert_eq!(long, format!("{}… (1000 bytes)", "x".repeat(NOTE_BYTES_MAX)));

    for before in [0, 10, NOTE_BYTES_MAX - 3] {
        let echo = format!("{}{{\"key\":\"PKTEST\",\"secret\":\"hu\"sh\"}}", "x".repeat(before));
        writer.trouble("echo", echo.as_bytes(), UnixMicros(21));
        let note = status.report().troubles.pop().unwrap();
        assert!(!note.text.contains("PKT") && !note.text.contains("sh\""), "{note:?}");
    }
}

#[test]
fn a_state_lasts_since_it_changed_and_its_reason_is_the_last() {
    let (writer, status) = rig();
    let seen = || {
        let report = status.report();
        (report.state, report.since.0, report.reason)
    };
    assert_eq!(seen(), (FeedState::Connecting, 1, None));
    writer.set(FeedState::Failed, Some("io".into()), UnixMicros(2));
    writer.set(FeedState::Failed, Some("tls".into()), UnixMicros(3));
    assert_eq!(seen(), (FeedState::Failed, 2, Some("tls".into())));
    writer.set(FeedState::Live, None, UnixMicros(4));
    assert_eq!(seen(), (FeedState::Live, 4, None));
}

#[test]
fn a_feed_is_as_well_as_the_worst_of_its_connections_and_serves_while_one_does() {
    let (writers, status) = FeedStatus::new(2, Vec::new(), UnixMicros(1));
    let [first, second] = writers.as_slice() else { panic!("two") };
    assert_eq!((status.state(), status.verdict()), (FeedState::Connecting, FeedState::Connecting));
    first.set(FeedState::Live, None, UnixMicros(2));
    assert_eq!((status.state(), status.verdict()), (FeedState::Connecting, FeedState::Connecting));
    second.set(FeedState::Failed, Some("io".to_owned()), UnixMicros(3));
    assert_eq!((status.state(), status.verdict()), (FeedState::Failed, FeedState::Live));
    first.message(b"1", UnixMicros(4));
    second.message(b"2", UnixMicros(5));
    let report = status.report();
    assert_eq!((report.since.0, report.reason.as_deref(), report.connections_up), (3, Some("io"), 1));
    assert_eq!(report.messages.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    first.set(FeedState::Failed, Some("tls".to_owned()), UnixMicros(6));
    assert_eq!(status.verdict(), FeedState::Failed);
    let report = status.report();
    assert_eq!((report.since.0, report.reason.as_deref()), (3, Some("io")), "it has failed since the first failed");
}
