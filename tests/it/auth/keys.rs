//! The issuer's keys: before they are there, and as they rotate.

use super::{Site, soon};
use crate::support::{
    certificates::folder,
    issuer::Issuer,
    wire::{Wire, named},
};
use serde_json::json;
use std::fs;

/// Where nothing answers.
const NOWHERE: &str = "keys = \"https://127.0.0.1:1/jwks.json\"";

#[test]
fn until_the_keys_are_there_a_stream_is_told_to_come_back_and_other_requests_too() {
    let site = Site::with_keys(NOWHERE, "mode = \"optional\"\n[auth.anonymous]\nlive = [\"BTC-*\"]\n");
    let token = site.issuer.live("u17", &["AAPL"]);
    for wire in Wire::ALL {
        let mut stream = site.bearer(wire, "/v1/stream/AAPL", &token);
        assert_eq!(stream.answer.status, 200, "{wire:?}");
        let text = stream.until(|text| text.contains("event: bye"));
        assert_eq!(named(&text, "bye"), Some("{\"reason\":\"busy\"}"));
        // Nor does a symbol that does not exist tell it from one that does.
        let mut stream = site.bearer(wire, "/v1/stream/NOPE", &token);
        assert_eq!(stream.answer.status, 200, "{wire:?}");
        stream.until(|text| text.contains("event: bye"));
        for target in ["/v1/quotes/AAPL", "/v1/quotes/NOPE", "/v1/symbols", "/v1/symbols?prefix=ZZZ"] {
            let reply = site.bearer(wire, target, &token);
            assert_eq!((reply.answer.status, reply.kind()), (503, "no-keys".to_owned()), "{target}");
            assert_eq!(reply.answer.header("retry-after"), Some("5"));
        }
        for target in ["/v1/session", "/v1/tickets"] {
            let reply = site.ask(wire, "POST", target, &[("authorization", &format!("Bearer {token}"))]);
            assert_eq!((reply.answer.status, reply.kind()), (503, "no-keys".to_owned()), "{target}");
        }
        // A client without a token needs no key.
        let mut anonymous = site.ask(wire, "GET", "/v1/stream/BTC-USDT", &[]);
        assert_eq!(anonymous.hello()["symbols"], json!(["BTC-USDT"]));
    }
}

#[test]
fn a_key_that_is_added_to_the_file_counts_with_its_first_token_and_one_that_is_taken_away_no_longer() {
    let keys = folder("auth-rotation").join("keys.json");
    let [old, new] = [Issuer::new(1, "one"), Issuer::new(2, "two")];
    fs::write(&keys, old.jwks()).unwrap();
    let site = Site::with_keys(&format!("keys = \"file:{}\"", keys.display()), "mode = \"required\"\nlook = \"1s\"");
    let [old_token, new_token] = [&old, &new].map(|issuer| issuer.live("u17", &["AAPL"]));
    let status = |token: &str| site.bearer(Wire::Http2, "/v1/quotes/AAPL", token).answer.status;
    assert_eq!((status(&old_token), status(&new_token)), (200, 401));
    let mut stream = site.bearer(Wire::Tls, "/v1/stream/AAPL", &old_token);
    stream.hello();
    fs::write(&keys, new.jwks()).unwrap();
    soon(|| (status(&old_token), status(&new_token)), |statuses| *statuses == (401, 200));
    // A stream keeps its rights until its token's end.
    let seen = stream.until(|_| true).len();
    stream.until(|text| text.len() > seen + 1_000);
}
