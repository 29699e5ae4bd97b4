//! The life of a stream whose client signed on: how many there may be, and when they end.

use super::{Site, soon};
use crate::support::{
    Client,
    issuer::now,
    wire::{Wire, named},
};
use serde_json::json;

/// A leeway of 30 s and some: a token that expired so long ago counts for some seconds yet.
const NEARLY_OVER: i64 = -27;

/// The value of a series of the metrics.
pub(super) fn metric(site: &Site, series: &str) -> u64 {
    let text = Client::connect(site.gateway.admin).get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

#[test]
fn a_stream_ends_with_its_token_and_says_so() {
    let site = Site::start();
    for wire in Wire::ALL {
        let token = site.issuer.token("u17", NEARLY_OVER, &json!({"live": ["*"]}));
        let before = now();
        let mut stream = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &token);
        let until = stream.hello()["until"].as_i64().unwrap();
        assert!((before..=before + 4).contains(&(until / 1_000_000)), "{until} at {before}");
        let text = stream.rest();
        assert_eq!(named(&text, "bye"), Some("{\"reason\":\"expired\"}"), "{wire:?}");
        let (ticks, bye) = text.rsplit_once("retry: ").unwrap();
        let (retry, rest) = bye.split_once('\n').unwrap();
        assert!((1_000..3_000).contains(&retry.parse::<u64>().unwrap()), "{retry}");
        assert_eq!(rest, "event: bye\ndata: {\"reason\":\"expired\"}\n\n", "nothing comes behind it");
        let received = ticks.lines().filter_map(|line| line.split_once("\"recv\":")?.1.split(',').next()?.parse().ok());
        assert!(received.max().is_some_and(|newest: i64| newest <= until), "no tick is from behind the end");
        // The same credentials no longer count.
        let again = site.bearer(wire, "/v1/stream/AAPL", &token);
        assert_eq!((again.answer.status, again.kind()), (401, "expired-token".to_owned()));
    }
    soon(|| metric(&site, "tickfan_streams_closed_total{reason=\"expired\"}"), |closed| *closed >= 3);
}

#[test]
fn rule_10_a_subject_has_so_many_streams_and_gets_each_back_at_its_end() {
    let site = Site::with("mode = \"required\"\nstreams_per_subject = 2");
    let token = site.issuer.live("u17", &["*"]);
    let other = site.issuer.live("u18", &["*"]);
    let of_token = site.issuer.token("u19", 600, &json!({"live": ["*"], "streams": 1}));
    for wire in Wire::ALL {
        let open = |token: &str| site.bearer(wire, "/v1/stream/AAPL", token);
        let is_busy = |token: &str| {
            let mut reply = open(token);
            let text = reply.until(|text| text.contains("event: hello") || text.contains("event: bye"));
            named(&text, "bye") == Some("{\"reason\":\"busy\"}")
        };
        let mut first = open(&token);
        first.hello();
        let mut second = open(&token);
        second.hello();
        let mut third = open(&token);
        assert_eq!(third.answer.status, 200);
        let text = third.until(|text| text.contains("event: hello") || text.contains("event: bye"));
        assert_eq!(named(&text, "bye"), Some("{\"reason\":\"busy\"}"), "{wire:?}");
        let retry: u64 = text.strip_prefix("retry: ").unwrap().split('\n').next().unwrap().parse().unwrap();
        assert!((5_000..=30_000).contains(&retry), "{retry}");
        open(&other).hello();
        let mut only = open(&of_token);
        only.hello();
        assert!(is_busy(&of_token), "{wire:?}");
        drop((first, only));
        soon(|| is_busy(&token), |busy| !busy);
        soon(|| is_busy(&of_token), |busy| !busy);
    }
}

#[test]
fn operators_see_a_subject_as_a_hash() {
    let site = Site::start();
    let token = site.issuer.live("customer-4711", &["AAPL"]);
    let mut stream = site.bearer(Wire::Http1, "/v1/stream/AAPL", &token);
    stream.hello();
    let shown = Client::connect(site.gateway.admin).get("/debug/streams").body;
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let subject = json["streams"][0]["subject"].as_str().unwrap();
    assert!(subject.len() == 16 && subject.bytes().all(|byte| byte.is_ascii_hexdigit()), "{subject}");
    assert!(!shown.contains("customer") && !shown.contains(&token));
}
