//! What a client may read, symbol by symbol.

use super::Site;
use crate::support::wire::Wire;
use serde_json::{Value, json};

const ALL: &str = "symbols=AAPL,MSFT,BTC-USDT,ETH-USDT,NOPE";

/// Each list of an answer.
fn lists(json: &Value) -> [&Value; 3] {
    ["unknown", "delayed", "denied"].map(|name| &json[name])
}

#[test]
fn a_stream_carries_what_its_token_allows_and_names_the_rest() {
    let site = Site::with("mode = \"required\"\ndefault_live = [\"ETH-*\"]\n[auth.groups]\nus = [\"AAPL\", \"MS*\"]\n");
    for (rights, carried, denied) in [
        (json!({"live": ["*"]}), json!(["AAPL", "MSFT", "BTC-USDT", "ETH-USDT"]), json!([])),
        (json!({"live": ["@us"]}), json!(["AAPL", "MSFT"]), json!(["BTC-USDT", "ETH-USDT"])),
        (json!({"live": ["btc-*", "@eu"]}), json!(["BTC-USDT"]), json!(["AAPL", "MSFT", "ETH-USDT"])),
        (json!({}), json!(["ETH-USDT"]), json!(["AAPL", "MSFT", "BTC-USDT"])),
        (json!({"live": ["AAPL"], "delayed": ["*"]}), json!(["AAPL"]), json!(["MSFT", "BTC-USDT", "ETH-USDT"])),
    ] {
        let token = site.issuer.token("u17", 600, &rights);
        for wire in Wire::ALL {
            let mut stream = site.bearer(wire, &format!("/v1/stream?{ALL}"), &token);
            let hello = stream.hello();
            assert_eq!(hello["symbols"], carried, "{rights}");
            assert_eq!(lists(&hello), [&json!(["NOPE"]), &json!([]), &denied], "{rights}");
            let quotes = site.bearer(wire, &format!("/v1/quotes?{ALL}"), &token).answer.json();
            let quoted: Vec<&Value> =
                quotes["quotes"].as_array().unwrap().iter().map(|quote| &quote["symbol"]).collect();
            assert_eq!(json!(quoted), carried, "{rights}");
            assert_eq!(lists(&quotes), [&json!(["NOPE"]), &json!([]), &denied], "{rights}");
            let listed = site.bearer(wire, "/v1/symbols", &token).answer.json();
            for entry in listed["symbols"].as_array().unwrap() {
                let may = carried.as_array().unwrap().contains(&entry["symbol"]);
                assert_eq!(entry["access"], if may { "live" } else { "denied" }, "{rights} {entry}");
            }
        }
    }
}

/// Whether each tick of a symbol is late, as it says itself.
fn lateness<'a>(text: &'a str, symbol: &str) -> Vec<Option<&'a str>> {
    let start = format!("data: {{\"symbol\":\"{symbol}\",");
    let ticks = text.lines().filter(|line| line.starts_with(&start) && line.ends_with('}'));
    ticks.map(|tick| tick.split_once("\"delay_seconds\":")?.1.split([',', '}']).next()).collect()
}

#[test]
fn a_client_reads_live_prices_where_it_may_and_delayed_ones_elsewhere() {
    let site = Site::with_late_prices("mode = \"required\"");
    for (rights, carried, delayed, denied) in [
        (json!({"live": ["*"]}), &["AAPL", "MSFT", "BTC-EUR"][..], &["BTC-EUR"][..], &[][..]),
        (json!({"delayed": ["*"]}), &["AAPL", "BTC-EUR"], &["AAPL", "BTC-EUR"], &["MSFT"]),
        (json!({"live": ["MSFT"], "delayed": ["AAPL"]}), &["AAPL", "MSFT"], &["AAPL"], &["BTC-EUR"]),
        (json!({"live": ["AAPL"], "delayed": ["AAPL"]}), &["AAPL"], &[], &["MSFT", "BTC-EUR"]),
    ] {
        let token = site.issuer.token("u17", 600, &rights);
        for wire in Wire::ALL {
            let mut stream = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT,BTC-EUR", &token);
            let hello = stream.hello();
            assert_eq!(hello["symbols"], json!(carried), "{rights}");
            assert_eq!(lists(&hello), [&json!([]), &json!(delayed), &json!(denied)], "{rights}");
            let text = stream.until(|text| carried.iter().all(|symbol| lateness(text, symbol).len() > 3));
            for symbol in carried {
                let expected = delayed.contains(symbol).then_some("900");
                assert!(lateness(&text, symbol).iter().all(|late| *late == expected), "{rights} {symbol}: {text}");
            }
            let quotes = site.bearer(wire, "/v1/quotes?symbols=AAPL,MSFT,BTC-EUR", &token).answer.json();
            assert_eq!(lists(&quotes), [&json!([]), &json!(delayed), &json!(denied)], "{rights}");
            for quote in quotes["quotes"].as_array().unwrap() {
                let expected = delayed.contains(&quote["symbol"].as_str().unwrap()).then_some(900);
                assert_eq!(quote.get("delay_seconds").and_then(Value::as_u64), expected, "{rights} {quote}");
                assert_eq!(quote["origin"], "sim", "a simulation stays one");
                let target = format!("/v1/history/{}", quote["symbol"].as_str().unwrap());
                let history = site.bearer(wire, &target, &token).answer.json();
                assert_eq!(history["delay_seconds"].as_u64(), expected, "{rights} {history}");
            }
            let listed = site.bearer(wire, "/v1/symbols", &token).answer.json();
            for entry in listed["symbols"].as_array().unwrap() {
                let symbol = entry["symbol"].as_str().unwrap();
                if !["AAPL", "MSFT", "BTC-EUR"].contains(&symbol) {
                    continue;
                }
                let access = match (carried.contains(&symbol), delayed.contains(&symbol)) {
                    (_, true) => "delayed",
                    (true, false) => "live",
                    (false, false) => "denied",
                };
                assert_eq!(entry["access"], access, "{rights} {entry}");
                assert_eq!(entry.get("state").is_some(), access != "denied", "{rights} {entry}");
                let is_late = access == "delayed" || symbol == "BTC-EUR";
                assert_eq!(entry["feed"] == "late", is_late, "{rights} {entry}");
            }
        }
    }
}

#[test]
fn a_token_without_lists_has_the_default_ones() {
    let site = Site::with_late_prices("mode = \"required\"\ndefault_live = [\"MSFT\"]\ndefault_delayed = [\"AAPL\"]");
    let token = site.issuer.token("u17", 600, &json!({}));
    for wire in Wire::ALL {
        let hello = site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT,BTC-EUR", &token).hello();
        assert_eq!(hello["symbols"], json!(["AAPL", "MSFT"]));
        assert_eq!(lists(&hello), [&json!([]), &json!(["AAPL"]), &json!(["BTC-EUR"])]);
    }
}

#[test]
fn without_sign_on_a_symbol_that_has_late_prices_alone_is_served_with_them() {
    let site = Site::with_late_prices("mode = \"off\"");
    for wire in Wire::ALL {
        let mut stream = site.ask(wire, "GET", "/v1/stream?symbols=AAPL,BTC-EUR", &[]);
        let hello = stream.hello();
        assert_eq!((&hello["symbols"], hello.get("delayed")), (&json!(["AAPL", "BTC-EUR"]), None));
        let text = stream.until(|text| ["AAPL", "BTC-EUR"].iter().all(|symbol| !lateness(text, symbol).is_empty()));
        assert_eq!((lateness(&text, "AAPL")[0], lateness(&text, "BTC-EUR")[0]), (None, Some("900")));
    }
    let listed = site.ask(Wire::Http1, "GET", "/v1/symbols?prefix=A", &[]).answer.json();
    assert_eq!(listed["symbols"].as_array().unwrap().len(), 1, "a symbol of two feeds is listed once: {listed}");
}

#[test]
fn nothing_of_a_symbol_that_is_denied_is_ever_sent() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL", "BTC-*"]);
    for wire in Wire::ALL {
        let mut stream = site.bearer(wire, &format!("/v1/stream?{ALL}"), &token);
        let text = stream.until(|text| text.matches("\"symbol\":\"BTC-USDT\"").count() > 20);
        let ticks: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: {\"symbol\":\"")).collect();
        assert!(ticks.iter().all(|tick| tick.starts_with("AAPL") || tick.starts_with("BTC-USDT")), "{text}");
    }
}

#[test]
fn a_client_without_credentials_has_the_rights_of_anonymous_ones_and_a_bad_token_is_still_refused() {
    let site = Site::with("mode = \"optional\"\n[auth.anonymous]\nlive = [\"BTC-*\"]\n");
    for wire in Wire::ALL {
        let mut stream = site.ask(wire, "GET", &format!("/v1/stream?{ALL}"), &[]);
        let hello = stream.hello();
        assert_eq!(hello["symbols"], json!(["BTC-USDT"]));
        assert_eq!(hello["denied"], json!(["AAPL", "MSFT", "ETH-USDT"]));
        assert!(hello.get("until").is_none(), "{hello}");
        let denied = site.ask(wire, "GET", "/v1/stream/AAPL", &[]);
        assert_eq!((denied.answer.status, denied.kind()), (403, "not-entitled".to_owned()));
        // A client that meant a token is told so.
        for value in ["Basic dTpw", &site.issuer.live("u17", &["AAPL"])] {
            for target in ["/v1/stream/AAPL", "/v1/quotes?symbols=AAPL,MSFT", "/v1/history/AAPL"] {
                let denied = site.ask(wire, "GET", target, &[("authorization", value)]);
                assert_eq!((denied.answer.status, denied.kind()), (403, "not-entitled".to_owned()), "{target}");
                let detail = denied.answer.json()["detail"].to_string();
                assert!(detail.contains("`Authorization: Bearer <token>`"), "{target}: {detail}");
            }
            assert_eq!(site.ask(wire, "GET", "/v1/quotes/BTC-USDT", &[("authorization", value)]).answer.status, 200);
            let refused = site.ask(wire, "POST", "/v1/tickets", &[("authorization", value)]);
            assert_eq!((refused.answer.status, refused.kind()), (401, "no-credentials".to_owned()));
            let detail = refused.answer.json()["detail"].to_string();
            assert!(detail.contains("`Authorization: Bearer <token>`"), "{detail}");
        }
        for (name, value) in [("authorization", "Bearer a.b.c"), ("cookie", "__Host-tickfan=a.b.c")] {
            let bad = site.ask(wire, "GET", "/v1/stream/BTC-USDT", &[(name, value)]);
            assert_eq!((bad.answer.status, bad.kind()), (401, "bad-token".to_owned()));
        }
        let token = site.issuer.live("u17", &["AAPL"]);
        assert_eq!(site.bearer(wire, "/v1/stream/AAPL", &token).hello()["symbols"], json!(["AAPL"]));
    }
}

/// The `seq` of each tick of a stream's text.
fn seqs(text: &str) -> Vec<u64> {
    let after = |line: &str| line.split_once("\"seq\":")?.1.split(',').next()?.parse().ok();
    text.lines().filter_map(after).filter(|seq| *seq > 0).collect()
}

#[test]
fn a_token_limits_how_often_its_streams_are_written() {
    let site = Site::start();
    let token = site.issuer.token("u17", 600, &json!({"live": ["*"], "rate": 2}));
    for target in ["/v1/stream/AAPL", "/v1/stream/AAPL?max_rate=100"] {
        let mut stream = site.bearer(Wire::Http1, target, &token);
        let seqs = seqs(&stream.until(|text| seqs(text).len() > 3));
        // A stream that is written twice a second gets the newest of some twelve ticks.
        assert!(seqs[3] > seqs[1] + 4, "{target}: {seqs:?}");
    }
}

#[test]
fn a_history_is_for_those_who_may_read_its_symbol_and_is_cached_for_them_alone() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    for wire in Wire::ALL {
        let granted = site.bearer(wire, "/v1/history/AAPL", &token);
        assert_eq!((granted.answer.status, &granted.answer.json()["symbol"]), (200, &json!("AAPL")));
        assert_eq!(granted.answer.header("cache-control"), Some("private, max-age=1"));
        assert!(granted.answer.head.contains("vary: authorization, cookie"), "{}", granted.answer.head);
        for (target, status, kind) in [
            ("/v1/history/MSFT", 403, "not-entitled"),
            ("/v1/history/NOPE", 404, "no-such-symbol"),
            ("/v1/history/MSFT?points=0", 403, "not-entitled"),
        ] {
            let refused = site.bearer(wire, target, &token);
            assert_eq!((refused.answer.status, refused.kind()), (status, kind.to_owned()), "{target}");
            assert_eq!(refused.answer.header("cache-control"), Some("no-store"));
        }
        let without = site.ask(wire, "GET", "/v1/history/AAPL", &[]);
        assert_eq!((without.answer.status, without.kind()), (401, "no-credentials".to_owned()));
    }
}

#[test]
fn a_reload_that_takes_rights_ends_the_streams_without_credentials_that_have_more_and_no_other() {
    let site = Site::with("mode = \"optional\"\n[auth.anonymous]\nlive = [\"AAPL\", \"MSFT\"]\n");
    let token = site.issuer.live("u17", &["*"]);
    let mut ends = Wire::ALL.map(|wire| site.ask(wire, "GET", "/v1/stream?symbols=AAPL,MSFT", &[]));
    let mut stays = Wire::ALL.map(|wire| site.ask(wire, "GET", "/v1/stream/MSFT", &[]));
    let mut signed_on = Wire::ALL.map(|wire| site.bearer(wire, "/v1/stream?symbols=AAPL,MSFT", &token));
    for stream in ends.iter_mut().chain(&mut stays).chain(&mut signed_on) {
        stream.hello();
    }
    site.reload_with("heartbeat = \"5s\"");
    site.reload_replacing("live = [\"AAPL\", \"MSFT\"]", "live = [\"MSFT\"]");
    for (stream, wire) in ends.iter_mut().zip(Wire::ALL) {
        let text = stream.rest();
        assert!(text.ends_with("event: bye\ndata: {\"reason\":\"denied\"}\n\n"), "{wire:?}: {text}");
    }
    for stream in stays.iter_mut().chain(&mut signed_on) {
        let seen = stream.until(|_| true).len();
        let text = stream.until(|text| text.len() > seen + 1_000);
        assert!(!text.contains("event: bye"), "{text}");
    }
    for wire in Wire::ALL {
        let again = site.ask(wire, "GET", "/v1/stream?symbols=AAPL,MSFT", &[]).hello();
        assert_eq!((&again["symbols"], &again["denied"]), (&json!(["MSFT"]), &json!(["AAPL"])));
    }
}

#[test]
fn a_ticket_counts_no_longer_once_a_reload_has_changed_what_it_was_for() {
    let groups = "[auth.groups]\nus = [\"AAPL\", \"MSFT\"]\n";
    let site = Site::with(&format!("mode = \"required\"\n{groups}"));
    let token = site.issuer.live("u17", &["@us"]);
    let [first, second] = [(); 2].map(|()| format!("/v1/stream/AAPL?ticket={}", site.ticket(&token)));
    site.reload_with("heartbeat = \"5s\"");
    site.ask(Wire::Http1, "GET", &first, &[]).hello();
    site.reload_replacing("us = [\"AAPL\", \"MSFT\"]", "us = [\"MSFT\"]");
    let refused = site.ask(Wire::Http1, "GET", &second, &[]);
    assert_eq!((refused.answer.status, refused.kind()), (401, "bad-ticket".to_owned()));
    let target = format!("/v1/stream?symbols=AAPL,MSFT&ticket={}", site.ticket(&token));
    let hello = site.ask(Wire::Http1, "GET", &target, &[]).hello();
    assert_eq!((&hello["symbols"], &hello["denied"]), (&json!(["MSFT"]), &json!(["AAPL"])));
}

/// It is verified the first time; what it says counts each time.
#[test]
fn a_token_that_comes_again_has_the_rights_that_count_now() {
    let groups = "[auth.groups]\nus = [\"AAPL\", \"MSFT\"]\n";
    let site = Site::with(&format!("mode = \"required\"\n{groups}"));
    let token = site.issuer.live("u17", &["@us"]);
    let quoted = || site.bearer(Wire::Http1, "/v1/quotes?symbols=AAPL,MSFT", &token).answer.json()["denied"].clone();
    assert_eq!([quoted(), quoted()], [json!([]), json!([])]);
    site.reload_replacing("us = [\"AAPL\", \"MSFT\"]", "us = [\"MSFT\"]");
    assert_eq!([quoted(), quoted()], [json!(["AAPL"]), json!(["AAPL"])]);
    site.reload_replacing("issuer = \"https://login.example\"", "issuer = \"https://other.example\"");
    let refused = site.bearer(Wire::Http1, "/v1/quotes?symbols=AAPL,MSFT", &token);
    assert_eq!((refused.answer.status, refused.kind()), (401, "bad-token".to_owned()));
}
