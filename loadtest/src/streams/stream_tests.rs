use super::*;
use crate::{
    measure::{Asked, StreamMeasures},
    streams::Group,
    wire::Decoder,
};

const BYTES: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nretry: 7\nevent: hello\ndata: \
    {\"epoch\":\"e\",\"symbols\":[\"A\"],\"unknown\":[]}\n\nid: e-1\ndata: {\"symbol\":\"A\",\"seq\":1,\"kind\":\"trade\",\
    \"state\":\"live\",\"recv\":60,\"trade_ts\":55,\"trades\":1}\n\nid: e-4\ndata: {\"symbol\":\"A\",\"seq\":3,\"kind\":\"quote\",\
    \"state\":\"live\",\"recv\":70,\"trade_ts\":55,\"trades\":1}\n\nevent: bye\ndata: {\"reason\":\"shutdown\"}\n\n";

fn fixture() -> (Stream, Observer, GroupSettings) {
    let mut observer = Observer::new(Wire::Tickfan, "h".to_owned(), None);
    let symbols = [observer.seen_ticks.symbol("A")].into();
    let group = Group { query: "max_rate=4".into(), ..Group::default() };
    let mut stream = Stream::new(0, 0, symbols, 0);
    stream.phase = Phase::Requested;
    (stream, observer, GroupSettings::new(&group))
}

fn counts(measures: &StreamMeasures) -> (u64, u64, u64, u64) {
    (measures.opened, measures.ticks, measures.named, measures.holes)
}

#[test]
fn a_stream_reads_the_same_wherever_its_bytes_are_cut() {
    for cut in 1..BYTES.len() {
        let (mut stream, mut observer, group) = fixture();
        for part in [&BYTES[..cut], &BYTES[cut..]] {
            stream.receive(part.as_bytes(), 50, &mut observer, &group).unwrap();
        }
        assert_eq!(counts(&observer.measures), (1, 2, 2, 1), "cut at {cut}");
        assert_eq!((observer.violations.total(), stream.how_it_ends()), (0, Ended::Shutdown));
        assert_eq!(stream.retry, Duration::from_millis(7));
    }
}

#[test]
fn the_answer_is_timed_at_the_end_of_its_head() {
    let (mut stream, mut observer, group) = fixture();
    stream.begun = 1_000;
    let head_end = BYTES.find("retry").unwrap();
    for (part, at, expected) in [
        (&BYTES[..head_end - 1], 1_200, None),
        (&BYTES[head_end - 1..head_end], 1_500, Some((1, 500))),
        (&BYTES[head_end..], 1_900, Some((1, 500))),
    ] {
        stream.receive(part.as_bytes(), at, &mut observer, &group).unwrap();
        assert_eq!(
            observer.measures.answer.percentiles(Asked::default()).map(|of| (of.count, of.max)),
            expected,
            "at {at}"
        );
    }
    assert_eq!(observer.measures.first_tick.percentiles(Asked::default()).unwrap().max, 900);
}

#[test]
fn latency_is_measured_of_trades_only_and_age_of_all_ticks() {
    let (mut stream, mut observer, group) = fixture();
    observer.is_measuring = true;
    stream.receive(BYTES.as_bytes(), 50, &mut observer, &group).unwrap();
    assert_eq!(observer.measures.latency.percentiles(Asked::default()).unwrap().count, 1);
    assert_eq!(observer.measures.age.percentiles(Asked::default()).unwrap().count, 2);
}

#[test]
fn a_client_resumes_after_its_last_tick() {
    let (mut stream, mut observer, group) = fixture();
    let first = stream.request_h1(&mut observer, &group);
    assert!(first.starts_with("GET /v1/stream?symbols=A&max_rate=4 HTTP/1.1\r\n") && !first.contains("last-event-id"));
    stream.receive(BYTES.as_bytes(), 50, &mut observer, &group).unwrap();
    stream.end();
    assert!(stream.request_h1(&mut observer, &group).contains("\r\nlast-event-id: e-4\r\n"));
}

#[test]
fn a_refusal_is_reported_with_the_servers_own_words() {
    for (answer, expected) in [
        ("HTTP/1.1 404 Not Found\r\n\r\nno such symbol", "the server answers 404: no such symbol"),
        ("HTTP/1.1 200 OK\r\n\r\n", "not text/event-stream"),
        ("SMTP", "not HTTP"),
    ] {
        let (mut stream, mut observer, group) = fixture();
        assert_eq!(stream.receive(answer.as_bytes(), 0, &mut observer, &group), Err(Ended::NoStream));
        assert!(observer.refusal.unwrap().contains(expected));
    }
}

#[test]
fn a_stream_that_is_to_be_compressed_takes_no_plain_one() {
    let (mut stream, mut observer, mut group) = fixture();
    group.compress = true;
    observer.decoder = Some(Box::new(Decoder::new(b"dictionary")));
    let (head, body) = BYTES.split_once("retry").unwrap();
    let plain = format!("{head}retry{}", body.replace("event: bye", "event: other"));
    assert_eq!(stream.receive(plain.as_bytes(), 0, &mut observer, &group), Err(Ended::NoStream));
    assert!(observer.refusal.as_ref().unwrap().contains("not compressed"), "{:?}", observer.refusal);
    stream.begin(0);
    let refused = format!("{head}event: bye\ndata: {{\"reason\":\"busy\"}}\n\n");
    stream.receive(refused.as_bytes(), 0, &mut observer, &group).unwrap();
    assert_eq!(stream.how_it_ends(), Ended::Busy, "a gateway refuses in plain text");
}
