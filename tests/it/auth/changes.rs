//! Changes of streams whose clients signed on.

use super::{Site, soon, streams::metric};
use crate::{
    live_changes,
    support::{
        Answer, Client,
        wire::{Wire, named},
    },
};
use serde_json::json;

/// A token that ends so many seconds ago counts for some seconds yet.
const SOON_OVER: i64 = -22;

pub(super) fn change(site: &Site, control: &str, token: &str, body: &str) -> Answer {
    change_as(site, control, Some(token), body)
}

/// The same; without a token as a client without credentials.
fn change_as(site: &Site, control: &str, token: Option<&str>, body: &str) -> Answer {
    let credentials = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let mut client = Client::connect(site.gateway.address);
    let length = body.len();
    client.send(format!(
        "POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\n{credentials}\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    client.answer(true)
}

/// When the gateway got each tick of a text.
fn received(text: &str) -> Vec<i64> {
    text.lines().filter_map(|line| line.split_once("\"recv\":")?.1.split(',').next()?.parse().ok()).collect()
}

#[test]
fn rule_10_no_change_brings_ticks_faster_than_the_rights_allow_and_new_rights_may_allow_more() {
    let site = Site::start();
    for wire in Wire::ALL {
        let slow = site.issuer.token("u17", 600, &json!({"live": ["*"], "rate": 0.1}));
        let mut stream = site.bearer(wire, "/v1/stream/AAPL", &slow);
        let control = stream.hello()["control"].as_str().unwrap().to_owned();
        let before = stream.until(|text| text.contains("\"state\":\"live\"")).to_owned();
        for count in 1..=5 {
            assert_eq!(change(&site, &control, &slow, "{}").status, 200);
            stream.until(|text| text.matches("event: symbols").count() == count);
        }
        let after = stream.until(|_| true).to_owned();
        assert_eq!(received(&after), received(&before), "{wire:?}: the events bring no tick");

        let fast = site.issuer.token("u17", 600, &json!({"live": ["*"], "rate": 50}));
        assert_eq!(change(&site, &control, &fast, "{}").status, 200);
        let text = stream.until(|text| received(text).len() > received(&before).len() + 3).to_owned();
        let times = &received(&text)[received(&before).len()..];
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] < 5_000_000), "{wire:?}: {times:?}");
    }
}

#[test]
fn a_change_is_bounded_by_the_rights_that_it_brings_and_those_replace_the_streams() {
    let site = Site::start();
    for wire in Wire::ALL {
        let token = site.issuer.live("u17", &["AAPL", "MSFT"]);
        let mut stream = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &token);
        let hello = stream.hello();
        let control = hello["control"].as_str().unwrap();

        let other = site.issuer.live("u18", &["*"]);
        let refused = change(&site, control, &other, "{}");
        assert_eq!(live_changes::kind(&refused), (404, "no-such-stream".to_owned()), "another's stream");
        assert_eq!(change(&site, control, "no.to.ken", "{}").status, 401);

        let fewer = site.issuer.token("u17", 1_200, &json!({"live": ["MSFT"], "rate": 50}));
        let renewed = change(&site, control, &fewer, "{}").json();
        assert_eq!((&renewed["symbols"], &renewed["denied"]), (&json!(["MSFT"]), &json!(["AAPL"])), "{renewed}");
        assert!(renewed["until"].as_i64() > hello["until"].as_i64(), "{renewed}");
        let partly = change(&site, control, &fewer, r#"{"symbols":["AAPL","MSFT"]}"#).json();
        assert_eq!((&partly["symbols"], &partly["denied"]), (&json!(["MSFT"]), &json!(["AAPL"])), "{partly}");
        let refused = change(&site, control, &fewer, r#"{"symbols":["AAPL"]}"#);
        assert_eq!(live_changes::kind(&refused), (403, "not-entitled".to_owned()));

        let last = site.issuer.token("u17", SOON_OVER, &json!({"live": ["MSFT", "ETH-USDT"]}));
        let answer = change(&site, control, &last, r#"{"symbols":["ETH-USDT","MSFT"]}"#);
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = stream.rest();
        assert_eq!(named(&text, "bye"), Some("{\"reason\":\"expired\"}"), "{wire:?}: it ends with the new rights");
        assert!(text.contains("\"symbol\":\"ETH-USDT\""), "{wire:?}");
        live_changes::check(&text);
    }
}

#[test]
fn a_renewal_passes_a_symbol_to_late_prices_and_back_and_each_time_it_starts_over() {
    let site = Site::with_late_prices("mode = \"required\"");
    let live = site.issuer.live("u17", &["*"]);
    let late = site.issuer.token("u17", 600, &json!({"live": ["MSFT"], "delayed": ["*"]}));
    for wire in Wire::ALL {
        let mut stream = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &live);
        let hello = stream.hello();
        let control = hello["control"].as_str().unwrap();
        assert_eq!(hello["delayed"], json!([]));
        let mut count = 0;
        for (token, delayed) in [(&late, json!(["AAPL"])), (&late, json!(["AAPL"])), (&live, json!([]))] {
            let renewed = change(&site, control, token, "{}").json();
            assert_eq!((&renewed["symbols"], &renewed["denied"]), (&json!(["AAPL", "MSFT"]), &json!([])), "{renewed}");
            assert_eq!(renewed["delayed"], delayed, "{renewed}");
            count += 1;
            let text = stream.until(|text| {
                let behind = text.split("event: symbols\n").nth(count).unwrap_or_default();
                ["AAPL", "MSFT"]
                    .iter()
                    .all(|name| behind.matches(&format!("data: {{\"symbol\":\"{name}\"")).count() > 3)
            });
            let phases = text.split("event: symbols\n").collect::<Vec<_>>();
            assert_eq!(phases.len(), count + 1, "one event for each change");
            let ticks = phases[count]
                .lines()
                .filter(|line| line.starts_with("data: {\"symbol\":\"AAPL\"") && line.ends_with('}'));
            let is_late = delayed == json!(["AAPL"]);
            assert!(ticks.clone().all(|tick| tick.contains("\"delay_seconds\":900") == is_late), "{wire:?}: {text}");
        }
        live_changes::check(&stream.until(|_| true));
    }
}

#[test]
fn a_renewal_keeps_a_symbol_that_has_left_its_feed_only_where_the_new_rights_allow_its_live_prices() {
    let site = Site::start();
    let live = site.issuer.live("u17", &["*"]);
    let mut streams = Wire::ALL.map(|wire| site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &live));
    let controls = streams.each_mut().map(|stream| stream.hello()["control"].as_str().unwrap().to_owned());
    site.reload_replacing("\"MSFT\", ", "");
    for control in controls {
        let renewed = change(&site, &control, &live, "{}").json();
        assert_eq!((&renewed["symbols"], &renewed["denied"]), (&json!(["AAPL", "MSFT"]), &json!([])), "{renewed}");
        let late = site.issuer.token("u17", 600, &json!({"live": ["AAPL"], "delayed": ["*"]}));
        let renewed = change(&site, &control, &late, "{}").json();
        assert_eq!((&renewed["symbols"], &renewed["denied"]), (&json!(["AAPL"]), &json!(["MSFT"])), "{renewed}");
    }
}

#[test]
fn a_token_changes_only_its_subjects_streams_and_a_client_without_one_only_those_without() {
    let site = Site::with("mode = \"optional\"\n[auth.anonymous]\nlive = [\"*\"]\n");
    let token = site.issuer.live("u17", &["*"]);
    for wire in Wire::ALL {
        let mut open = site.ask(wire, "GET", "/v1/stream/AAPL", &[]);
        let mut own = site.bearer(wire, "/v1/stream/AAPL", &token);
        let [open_control, own_control] =
            [&mut open, &mut own].map(|stream| stream.hello()["control"].as_str().unwrap().to_owned());
        for (control, token, status) in [
            (&open_control, Some(&*token), 404),
            (&own_control, None, 404),
            (&open_control, None, 200),
            (&own_control, Some(&*token), 200),
        ] {
            let answer = change_as(&site, control, token, "{}");
            assert_eq!(answer.status, status, "{wire:?} with a token: {}: {answer:?}", token.is_some());
        }
    }
}

#[test]
fn a_renewal_repeats_what_its_stream_was_denied_unless_the_new_rights_allow_it() {
    let site = Site::start();
    let listed = |names: &[&str]| json!(names);
    for wire in Wire::ALL {
        let token = |live: &[&str]| site.issuer.live("u17", live);
        let target = "/v1/stream?symbols=NOPE,MSFT,BTC-USDT,AAPL";
        let mut stream = site.bearer(wire, target, &token(&["AAPL", "MSFT"]));
        let hello = stream.hello();
        let control = hello["control"].as_str().unwrap();
        assert_eq!((&hello["denied"], &hello["unknown"]), (&listed(&["BTC-USDT"]), &listed(&["NOPE"])));
        for (live, body, symbols, denied) in [
            (&["AAPL", "MSFT"][..], "{}", &["MSFT", "AAPL"][..], &["BTC-USDT"][..]),
            (&["AAPL"], "{}", &["AAPL"], &["MSFT", "BTC-USDT"]),
            (&["AAPL"], r#"{"max_rate":50}"#, &["AAPL"], &["MSFT", "BTC-USDT"]),
            (&["AAPL", "BTC-*"], "{}", &["AAPL"], &["MSFT"]),
            (&["AAPL", "BTC-*"], r#"{"symbols":["ETH-USDT","BTC-USDT","NOPE"]}"#, &["BTC-USDT"], &["ETH-USDT"]),
            (&["AAPL", "BTC-*"], "{}", &["BTC-USDT"], &["ETH-USDT"]),
        ] {
            let answer = change(&site, control, &token(live), body).json();
            let expected = (&listed(symbols), &listed(denied), &listed(&["NOPE"]));
            assert_eq!((&answer["symbols"], &answer["denied"], &answer["unknown"]), expected, "{live:?} {body}");
            stream.until(|text| {
                let data = text.rsplit_once("event: symbols\ndata: ").and_then(|(_, rest)| rest.split_once('\n'));
                data.is_some_and(|(data, _)| serde_json::from_str(data).ok().as_ref() == Some(&answer))
            });
        }
    }
}

#[test]
fn a_renewal_that_leaves_no_symbol_ends_the_stream_and_says_so() {
    let site = Site::start();
    for wire in Wire::ALL {
        let mut stream = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &site.issuer.live("u17", &["*"]));
        let control = stream.hello()["control"].as_str().unwrap().to_owned();
        let renewed = change(&site, &control, &site.issuer.live("u17", &["ETH-USDT"]), "{}");
        assert_eq!(renewed.status, 200, "{renewed:?}");
        let renewed = renewed.json();
        assert_eq!((&renewed["symbols"], &renewed["denied"]), (&json!([]), &json!(["AAPL", "MSFT"])), "{renewed}");
        let text = stream.rest();
        assert!(text.ends_with("event: bye\ndata: {\"reason\":\"denied\"}\n\n"), "{wire:?}: {text}");
        let again = change(&site, &control, &site.issuer.live("u17", &["*"]), "{}");
        assert_eq!(live_changes::kind(&again), (404, "no-such-stream".to_owned()));
    }
    soon(|| metric(&site, "tickfan_streams_closed_total{reason=\"denied\"}"), |closed| *closed >= 3);
}

#[test]
fn rule_10_a_renewal_counts_the_streams_of_its_subject_as_an_opening_does() {
    let site = Site::start();
    let of = |streams: u32| site.issuer.token("u17", 600, &json!({"live": ["*"], "streams": streams}));
    let open = || {
        let mut stream = site.bearer(Wire::Http1, "/v1/stream/AAPL", &of(2));
        let control = stream.hello()["control"].as_str().unwrap().to_owned();
        (stream, control)
    };
    let ((first, control), (mut second, _)) = (open(), open());
    let none = change(&site, &control, &of(0), "{}");
    let opening = site.bearer(Wire::Http1, "/v1/stream/AAPL", &of(0));
    assert_eq!(live_changes::kind(&none), (opening.answer.status, opening.kind()));
    assert_eq!(none.status, 403);
    let fewer = change(&site, &control, &of(1), "{}");
    assert_eq!(live_changes::kind(&fewer), (429, "too-many-streams".to_owned()));
    assert_eq!(fewer.header("retry-after"), Some("10"));
    assert_eq!(change(&site, &control, &of(2), "{}").status, 200, "a renewal takes no further place");
    let seen = second.until(|_| true).len();
    second.until(|text| text.len() > seen); // it goes on
    drop(second);
    soon(|| change(&site, &control, &of(1), "{}").status, |status| *status == 200);
    drop(first);
}
