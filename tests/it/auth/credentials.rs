//! Which credentials count, and the answer to those that do not.

use super::{Site, soon};
use crate::support::{
    Client,
    issuer::{Issuer, SigningKey, claims},
    wire::Wire,
};
use serde_json::json;

const STREAM: &str = "/v1/stream/AAPL";

#[test]
fn a_token_of_each_algorithm_opens_streams_and_answers_over_every_protocol() {
    for key in SigningKey::all() {
        let algorithm = key.algorithm();
        let site = Site::signed_by(key, "mode = \"required\"");
        let token = site.issuer.live("u17", &["AAPL"]);
        Wire::ALL.into_iter().for_each(|wire| opens(&site, &token, wire));
        // A letter in the middle of the signature.
        let (kept, changed) = token.split_at(token.len() - 20);
        let forged = format!("{kept}{}{}", if changed.starts_with('A') { 'B' } else { 'A' }, &changed[1..]);
        let refused = site.bearer(Wire::Http1, STREAM, &forged);
        assert_eq!((refused.answer.status, refused.kind()), (401, "bad-token".to_owned()), "{algorithm}");
    }
}

fn opens(site: &Site, token: &str, wire: Wire) {
    let mut stream = site.bearer(wire, STREAM, token);
    assert_eq!(stream.answer.status, 200, "{wire:?}: {:?}", stream.answer);
    assert_eq!(stream.hello()["symbols"], json!(["AAPL"]));
    stream.until(|text| text.contains("\ndata: {\"symbol\":\"AAPL\""));
    let quotes = site.bearer(wire, "/v1/quotes/AAPL", token);
    assert_eq!(quotes.answer.status, 200);
    let cookie = format!("__Host-tickfan={token}");
    let mut stream = site.ask(wire, "GET", STREAM, &[("cookie", &cookie), ("sec-fetch-site", "same-origin")]);
    assert_eq!(stream.hello()["symbols"], json!(["AAPL"]));
    let mut stream = site.ask(wire, "GET", &format!("{STREAM}?ticket={}", site.ticket(token)), &[]);
    assert_eq!(stream.hello()["symbols"], json!(["AAPL"]));
}

#[test]
fn each_refusal_has_its_status_and_its_kind() {
    let site = Site::start();
    let good = site.issuer.live("u17", &["AAPL"]);
    let expired = site.issuer.token("u17", -31, &json!({"live": ["*"]}));
    let foreign = Issuer::new(2, "two").live("u17", &["AAPL"]);
    let forged = Issuer::new(2, "one").live("u17", &["AAPL"]);
    let mut other_service = claims("u17", 600, &json!({}));
    other_service["aud"] = json!("billing");
    let other_service = site.issuer.sign(&other_service);
    let other_symbols = site.issuer.live("u17", &["MSFT"]);
    let no_streams = site.issuer.token("u17", 600, &json!({"live": ["*"], "streams": 0}));
    let long = "x".repeat(8_193);
    let bearer = |token: &str| ("authorization", format!("Bearer {token}").trim_end().to_owned());
    let cookie = |token: &str| ("cookie", format!("__Host-tickfan={token}"));
    let site_of = |site: &str| ("sec-fetch-site", site.to_owned());
    let ticket = format!("{STREAM}?ticket=AAAAAAAAAAAAAAAAAAAAAA");
    for (target, fields, status, kind) in [
        (STREAM, vec![], 401, "no-credentials"),
        (STREAM, vec![("authorization", "Basic dTpw".to_owned())], 401, "no-credentials"),
        ("/v1/quotes/AAPL", vec![], 401, "no-credentials"),
        ("/v1/symbols", vec![], 401, "no-credentials"),
        ("/v1/nothing", vec![], 401, "no-credentials"),
        (STREAM, vec![bearer("")], 401, "bad-token"),
        (STREAM, vec![bearer("a.b.c")], 401, "bad-token"),
        (STREAM, vec![bearer(&forged)], 401, "bad-token"),
        (STREAM, vec![bearer(&other_service)], 401, "bad-token"),
        (STREAM, vec![cookie("a.b.c")], 401, "bad-token"),
        (STREAM, vec![bearer(&expired)], 401, "expired-token"),
        (STREAM, vec![cookie(&expired)], 401, "expired-token"),
        (&ticket, vec![], 401, "bad-ticket"),
        (&ticket, vec![bearer(&good)], 400, "two-credentials"),
        (STREAM, vec![bearer(&good), cookie(&good)], 400, "two-credentials"),
        (STREAM, vec![bearer(&long)], 400, "token-too-long"),
        (STREAM, vec![cookie(&good), site_of("cross-site")], 403, "wrong-origin"),
        (STREAM, vec![bearer(&other_symbols)], 403, "not-entitled"),
        ("/v1/quotes/AAPL", vec![bearer(&other_symbols)], 403, "not-entitled"),
        (STREAM, vec![bearer(&no_streams)], 403, "not-entitled"),
        ("/v1/quotes/AAPL?ticket=t", vec![bearer(&good)], 400, "unknown-parameter"),
        ("/v1/stream/NOPE", vec![bearer(&good)], 404, "no-such-symbol"),
        ("/v1/session", vec![bearer(&good)], 405, "method-not-allowed"),
        ("/v1/tickets", vec![bearer(&good)], 405, "method-not-allowed"),
    ] {
        for wire in Wire::ALL {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let reply = site.ask(wire, "GET", target, &fields);
            let seen = (reply.answer.status, reply.kind());
            assert_eq!(seen, (status, kind.to_owned()), "{wire:?} {target} {fields:?}");
            let is_other_scheme = fields.iter().any(|(_, value)| value.starts_with("Basic"));
            let detail = reply.answer.json()["detail"].to_string();
            assert_eq!(detail.contains("not of the scheme Bearer"), is_other_scheme, "{wire:?} {target}: {detail}");
            let challenge = reply.answer.header("www-authenticate");
            assert_eq!(challenge, (status == 401).then_some("Bearer"), "{wire:?} {target}");
        }
    }
    // Its key may be new: 503, until the file has been read once more.
    for wire in Wire::ALL {
        let asks = || site.bearer(wire, "/v1/quotes/AAPL", &foreign);
        let refused = soon(asks, |reply| reply.answer.status != 503);
        assert_eq!((refused.answer.status, refused.kind()), (401, "bad-token".to_owned()), "{wire:?}");
    }
}

#[test]
fn the_page_the_document_and_a_preflight_need_no_credentials_and_ignore_bad_ones() {
    let site = Site::start();
    for wire in Wire::ALL {
        for (method, target, status) in [
            ("GET", "/", 200),
            ("GET", "/openapi.json", 200),
            ("GET", "/openapi.json/", 200),
            ("HEAD", "/openapi.json", 200),
            ("OPTIONS", "/v1/stream/AAPL", 204),
            ("OPTIONS", "/v1/session", 204),
            ("DELETE", "/v1/session", 204),
            ("DELETE", "/v1/session/", 204),
        ] {
            for fields in [&[][..], &[("authorization", "Bearer a.b.c")], &[("cookie", "__Host-tickfan=a.b.c")]] {
                let reply = site.ask(wire, method, target, fields);
                assert_eq!(reply.answer.status, status, "{wire:?} {method} {target} {fields:?}");
            }
        }
    }
}

#[test]
fn a_page_that_could_not_use_the_cookie_is_not_given_it() {
    let site = Site::start();
    let bearer = format!("Bearer {}", site.issuer.live("u17", &["AAPL"]));
    for wire in Wire::ALL {
        for (from, origin, said) in [
            ("cross-site", "https://app.example", Some("of another site")),
            ("cross-site", "https://evil.example", Some("of another site")),
            ("same-site", "https://evil.example", Some("`cors_origins`")),
            ("same-site", "https://app.example", None),
            ("same-origin", "https://evil.example", None),
        ] {
            let fields = [("authorization", bearer.as_str()), ("sec-fetch-site", from), ("origin", origin)];
            let reply = site.ask(wire, "POST", "/v1/session", &fields);
            let Some(said) = said else {
                assert_eq!(reply.answer.status, 204, "{wire:?} {from} {origin}");
                continue;
            };
            assert_eq!((reply.answer.status, reply.kind()), (403, "wrong-origin".to_owned()), "{wire:?} {from}");
            assert!(reply.answer.json()["detail"].to_string().contains(said), "{:?}", reply.answer);
            assert_eq!(reply.answer.header("set-cookie"), None);
            assert_eq!(site.ask(wire, "POST", "/v1/tickets", &fields).answer.status, 201, "a ticket is for all pages");
        }
    }
}

#[test]
fn a_session_is_a_cookie_with_the_token_and_ends_when_it_is_cleared() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    for wire in Wire::ALL {
        let bearer = format!("Bearer {token}");
        let opened = site.ask(wire, "POST", "/v1/session", &[("authorization", &bearer)]);
        assert_eq!((opened.answer.status, opened.answer.body.as_str()), (204, ""));
        let cookie = opened.answer.header("set-cookie").unwrap();
        let (value, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(value, format!("__Host-tickfan={token}"));
        let (age, attributes) = attributes.split_once("; ").unwrap();
        let age: u64 = age.strip_prefix("Max-Age=").unwrap().parse().unwrap();
        assert!((620..=630).contains(&age), "{age}");
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
        assert_eq!(opened.answer.header("cache-control"), Some("no-store"));
        // Renewed by a page of this origin, which sends its old cookie along.
        let fields = [("authorization", bearer.as_str()), ("cookie", value), ("sec-fetch-site", "same-origin")];
        for target in ["/v1/session", "/v1/session/"] {
            assert_eq!(site.ask(wire, "POST", target, &fields).answer.status, 204);
        }
        let mut stream = site.ask(wire, "GET", STREAM, &[("cookie", value), ("sec-fetch-site", "same-origin")]);
        assert_eq!(stream.hello()["symbols"], json!(["AAPL"]));
        let closed = site.ask(wire, "DELETE", "/v1/session", &[("cookie", value)]);
        assert_eq!(
            (closed.answer.status, closed.answer.header("set-cookie")),
            (204, Some("__Host-tickfan=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"))
        );
    }
}

#[test]
fn a_token_that_has_expired_makes_no_session_though_its_leeway_lasts() {
    let site = Site::start();
    let bearer = format!("Bearer {}", site.issuer.token("u17", -5, &json!({"live": ["*"]})));
    for wire in Wire::ALL {
        let reply = site.ask(wire, "POST", "/v1/session", &[("authorization", &bearer)]);
        assert_eq!((reply.answer.status, reply.kind()), (401, "expired-token".to_owned()));
        assert_eq!(reply.answer.header("set-cookie"), None, "the old cookie stays");
        assert_eq!(site.ask(wire, "GET", "/v1/quotes/AAPL", &[("authorization", &bearer)]).answer.status, 200);
    }
}

#[test]
fn sessions_and_tickets_are_made_of_a_bearer_token_alone() {
    let site = Site::with("mode = \"optional\"");
    let token = site.issuer.live("u17", &["AAPL"]);
    let cookie = format!("__Host-tickfan={token}");
    for wire in Wire::ALL {
        for target in ["/v1/session", "/v1/session/", "/v1/tickets", "/v1/tickets/"] {
            for fields in [&[][..], &[("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")]] {
                let reply = site.ask(wire, "POST", target, fields);
                assert_eq!((reply.answer.status, reply.kind()), (401, "no-credentials".to_owned()), "{target}");
                let json = reply.answer.json();
                let detail = json["detail"].as_str().unwrap();
                assert!(detail.contains("Bearer") && !detail.contains("cookie of"), "{detail}");
            }
            let reply = site.ask(wire, "POST", target, &[("authorization", "Bearer a.b.c")]);
            assert_eq!((reply.answer.status, reply.kind()), (401, "bad-token".to_owned()), "{target}");
        }
    }
    let long = site.issuer.live("u17", &["A"; 64]);
    let padded = site.issuer.sign_as(
        &json!({"alg": "EdDSA", "kid": "one", "pad": "x".repeat(3_000)}),
        &claims("u17", 600, &json!({"live": ["AAPL"]})),
    );
    assert!(long.len() < 3_800 && padded.len() > 3_800);
    for (token, status) in [(&long, 204), (&padded, 400)] {
        let bearer = format!("Bearer {token}");
        let reply = site.ask(Wire::Http1, "POST", "/v1/session", &[("authorization", &bearer)]);
        assert_eq!(reply.answer.status, status);
    }
}

#[test]
fn rule_10_a_subject_has_at_most_thirty_two_open_tickets() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let tickets: Vec<String> = (0..32).map(|_| site.ticket(&token)).collect();
    let fields = [("authorization", &*format!("Bearer {token}"))];
    for wire in Wire::ALL {
        let reply = site.ask(wire, "POST", "/v1/tickets", &fields);
        assert_eq!((reply.answer.status, reply.kind()), (429, "too-many-tickets".to_owned()));
        assert_eq!(reply.answer.header("retry-after"), Some("5"));
    }
    let other = site.issuer.live("u18", &["AAPL"]);
    site.ticket(&other);
    site.ask(Wire::Http1, "GET", &format!("{STREAM}?ticket={}", tickets[0]), &[]).hello();
    site.ticket(&token);
}

#[test]
fn rule_10_there_are_at_most_16_384_open_tickets() {
    let site = Site::with("mode = \"required\"\nticket_ttl = \"2m\"");
    let mut client = Client::connect(site.plain);
    let ask = |number: usize| {
        let token = site.issuer.live(&format!("u{number}"), &["AAPL"]);
        let fields = format!("authorization: Bearer {token}\r\n");
        move |client: &mut Client| client.request("POST", "/v1/tickets", &fields)
    };
    for number in 0..512 {
        let ask = ask(number);
        (0..32).for_each(|_| assert_eq!(ask(&mut client).status, 201));
    }
    let full = ask(512)(&mut client);
    assert_eq!((full.status, full.json()["type"].as_str()), (503, Some("urn:tickfan:problem:no-ticket-free")));
    assert_eq!(full.header("retry-after"), Some("5"));
}

#[test]
fn without_sign_on_credentials_are_ignored_and_there_are_no_sessions() {
    let site = Site::with("mode = \"off\"");
    for wire in Wire::ALL {
        let both = [("authorization", "Bearer a.b.c"), ("cookie", "__Host-tickfan=a.b.c")];
        let mut stream = site.ask(wire, "GET", &format!("{STREAM}?ticket=t"), &both);
        let hello = stream.hello();
        assert_eq!(hello["symbols"], json!(["AAPL"]));
        assert!(hello.get("denied").is_none() && hello.get("until").is_none() && hello.get("delayed").is_none());
        let symbols = site.ask(wire, "GET", "/v1/symbols", &[]).answer.json();
        assert!(symbols["symbols"][0].get("access").is_none());
        for target in ["/v1/session", "/v1/tickets"] {
            let reply = site.ask(wire, "POST", target, &both);
            assert_eq!((reply.answer.status, reply.kind()), (404, "no-sign-on".to_owned()));
        }
    }
}

#[test]
fn a_listed_page_may_send_credentials_and_another_may_not() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let bearer = format!("Bearer {token}");
    for wire in Wire::ALL {
        for (origin, allowed) in [("https://app.example", true), ("https://evil.example", false), ("null", false)] {
            let expected = [allowed.then_some(origin), allowed.then_some("true")];
            let asked = [("origin", origin), ("access-control-request-method", "POST")];
            let preflight = site.ask(wire, "OPTIONS", "/v1/tickets", &asked);
            let answered = site.ask(wire, "GET", "/v1/quotes/AAPL", &[("origin", origin), ("authorization", &bearer)]);
            let refused = site.ask(wire, "GET", "/v1/quotes/AAPL", &[("origin", origin)]);
            for reply in [&preflight, &answered, &refused] {
                let seen = ["access-control-allow-origin", "access-control-allow-credentials"]
                    .map(|name| reply.answer.header(name));
                assert_eq!(seen, expected, "{wire:?} {origin}");
            }
            assert_eq!(preflight.answer.header("allow"), Some("POST, OPTIONS"));
            let methods = preflight.answer.header("access-control-allow-methods").unwrap();
            assert!(methods.contains("POST") && methods.contains("DELETE"), "{methods}");
            let headers = preflight.answer.header("access-control-allow-headers").unwrap();
            for name in ["authorization", "content-type", "traceparent", "last-event-id"] {
                assert!(headers.contains(name), "{headers}");
            }
            assert_eq!(refused.answer.header("access-control-expose-headers"), Some("x-request-id, retry-after"));
        }
    }
}
