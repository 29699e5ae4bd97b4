//! Each attack is a test that is named after it.

use super::{Site, changes::change};
use crate::support::{
    PATIENCE,
    issuer::{Issuer, RSA, SigningKey, claims, encode, now},
    log_watch::LogWatch,
    wire::{Wire, named},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::{hmac, signature::KeyPair as _};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Barrier},
    thread,
};

/// What takes a token, and its answer to a good one.
const ROUTES: [(&str, &str, u16); 6] = [
    ("GET", "/v1/stream/AAPL", 200),
    ("GET", "/v1/quotes/AAPL", 200),
    ("GET", "/v1/history/AAPL", 200),
    ("GET", "/v1/symbols", 200),
    ("POST", "/v1/session", 204),
    ("POST", "/v1/tickets", 201),
];

/// Checks that each route takes the good token, and refuses each of the bad ones for this reason, over each protocol:
/// before it has seen the good one, and after.
#[track_caller]
fn refused(site: &Site, good: &str, bad: &[String], reason: &str) {
    bad.iter().for_each(|token| refused_once(site, "unknown", token, reason));
    let bearer = format!("Bearer {good}");
    for (method, target, status) in ROUTES {
        let reply = site.ask(Wire::Http1, method, target, &[("authorization", &bearer)]);
        assert_eq!(reply.answer.status, status, "{method} {target} with the good token: {:?}", reply.answer);
    }
    let mut stream = site.bearer(Wire::Http1, "/v1/stream/AAPL", good);
    let control = stream.hello()["control"].as_str().unwrap().to_owned();
    assert_eq!(change(site, &control, good, "{}").status, 200);
    bad.iter().for_each(|token| refused_once(site, &control, token, reason));
}

#[track_caller]
fn refused_once(site: &Site, control: &str, token: &str, reason: &str) {
    let bearer = format!("Bearer {token}");
    let change = format!("/v1/streams/{control}");
    let routes = ROUTES.map(|(method, target, _)| (method, target));
    for wire in Wire::ALL {
        for (method, target) in routes.into_iter().chain([("POST", change.as_str())]) {
            let reply = site.ask(wire, method, target, &[("authorization", &bearer)]);
            let seen = (reply.answer.status, reply.kind());
            assert_eq!(seen, (401, "bad-token".to_owned()), "{wire:?} {method} {target}");
            let id = reply.answer.header("x-request-id").unwrap();
            let logged = LogWatch::of_this_process().reason_of(id);
            assert_eq!(logged.as_deref(), Some(reason), "{wire:?} {method} {target}");
        }
    }
}

/// What stands before a key of RSA, 2,048 bits, in the form SubjectPublicKeyInfo.
const SPKI_OF_RSA_2048: &[u8] =
    b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00";

/// A key as a PEM file has it.
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// A token that the attacks are made of.
fn good(site: &Site) -> String {
    site.issuer.token("u17", 600, &rights())
}

fn rights() -> Value {
    json!({"live": ["*"]})
}

fn encoded(header: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims("u17", 600, &rights()).to_string()))
}

/// A token of HS256 whose secret is this.
fn signed_with(secret: &[u8]) -> String {
    let signed = encoded(&json!({"alg": "HS256", "kid": "one"}));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
}

#[test]
fn a_token_of_the_algorithm_none() {
    let site = Site::start();
    let unsigned = |algorithm: &str| format!("{}.", encoded(&json!({"alg": algorithm, "kid": "one"})));
    refused(&site, &good(&site), &["none", "None", "NONE", ""].map(unsigned), "algorithm");
}

/// Each form in which an attacker may have the key: as the set has it, and as tools write it.
#[test]
fn a_public_key_used_as_the_secret_of_hs256() {
    let ed25519 = Site::start();
    let jwks = ed25519.issuer.jwks();
    let json: Value = serde_json::from_str(&jwks).unwrap();
    let x = json["keys"][0]["x"].as_str().unwrap();
    let secrets = [x.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(x).unwrap(), jwks.as_bytes()];
    refused(&ed25519, &good(&ed25519), &secrets.map(signed_with), "algorithm");

    let rs256 = Site::signed_by(SigningKey::Rs256, "mode = \"required\"");
    let pkcs1 = RSA.public_key().as_ref();
    let spki = [SPKI_OF_RSA_2048, pkcs1].concat();
    let pkcs1_pem = pem("RSA PUBLIC KEY", pkcs1);
    let spki_pem = pem("PUBLIC KEY", &spki);
    let json: Value = serde_json::from_str(&rs256.issuer.jwks()).unwrap();
    let jwk = json["keys"][0].to_string();
    let n = json["keys"][0]["n"].as_str().unwrap();
    let secrets: [&[u8]; 9] = [
        pkcs1,
        &spki,
        pkcs1_pem.as_bytes(),
        pkcs1_pem.trim_end().as_bytes(),
        spki_pem.as_bytes(),
        spki_pem.trim_end().as_bytes(),
        n.as_bytes(),
        &BASE64_URL_SAFE_NO_PAD.decode(n).unwrap(),
        jwk.as_bytes(),
    ];
    refused(&rs256, &good(&rs256), &secrets.map(signed_with), "algorithm");
}

#[test]
fn a_token_that_asks_for_an_extension() {
    let site = Site::start();
    let header = json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"]});
    let bad = site.issuer.sign_as(&header, &claims("u17", 600, &rights()));
    refused(&site, &good(&site), &[bad], "malformed");
}

#[test]
fn a_token_whose_algorithm_was_swapped() {
    let site = Site::start();
    let swapped = ["RS256", "ES256", "HS256", "HS512", "PS256", "eddsa", "EdDSA "]
        .map(|algorithm| site.issuer.sign_as(&json!({"alg": algorithm, "kid": "one"}), &claims("u17", 600, &rights())));
    refused(&site, &good(&site), &swapped, "algorithm");
}

#[test]
fn a_token_with_doubled_members() {
    let site = Site::start();
    let header = r#"{"alg":"EdDSA","kid":"one"}"#;
    let claims = claims("u17", 600, &rights()).to_string();
    let with = |member: &str| claims.replacen('{', &format!("{{{member},"), 1);
    let good = site.issuer.sign_text(header, &claims);
    let doubled = [
        (r#"{"alg":"none","alg":"EdDSA","kid":"one"}"#, claims.clone()),
        (r#"{"alg":"EdDSA","kid":"two","kid":"one"}"#, claims.clone()),
        (header, with(r#""sub":"u18""#)),
        (header, with(r#""\u0073ub":"u18""#)),
        (header, with(r#""exp":9999999999"#)),
        (header, with(r#""tickfan":{"live":[]}"#)),
    ];
    refused(&site, &good, &doubled.map(|(header, claims)| site.issuer.sign_text(header, &claims)), "malformed");
    let list = claims.replace(r#"{"live":"#, r#"{"live":[],"live":"#);
    refused(&site, &good, &[site.issuer.sign_text(header, &list)], "claim");
}

#[test]
fn a_token_whose_claims_were_changed() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let parts: Vec<&str> = token.split('.').collect();
    let changed = encode(claims("u17", 600, &rights()).to_string());
    refused(&site, &token, &[format!("{}.{changed}.{}", parts[0], parts[2])], "signature");
}

#[test]
fn a_token_of_another_issuers_key_under_the_name_of_ours() {
    let site = Site::start();
    refused(&site, &good(&site), &[Issuer::new(9, "one").live("u17", &["*"])], "signature");
}

#[test]
fn a_token_for_another_service_or_of_another_issuer() {
    let site = Site::start();
    for (claim, value, reason) in [
        ("aud", json!("billing"), "audience"),
        ("aud", json!(["a", "b"]), "audience"),
        ("iss", json!("https://evil.example"), "issuer"),
    ] {
        let mut claims = claims("u17", 600, &rights());
        claims[claim] = value;
        refused(&site, &good(&site), &[site.issuer.sign(&claims)], reason);
    }
}

#[test]
fn a_token_that_is_not_valid_yet() {
    let site = Site::start();
    let mut claims = claims("u17", 600, &rights());
    claims["nbf"] = json!(now() + 31 + PATIENCE.as_secs() as i64);
    refused(&site, &good(&site), &[site.issuer.sign(&claims)], "not_yet_valid");
}

#[test]
fn a_token_without_an_end_or_without_a_subject() {
    let site = Site::start();
    let without = ["exp", "sub"].map(|claim| {
        let mut claims = claims("u17", 600, &rights());
        claims.as_object_mut().unwrap().remove(claim);
        site.issuer.sign(&claims)
    });
    refused(&site, &good(&site), &without, "claim");
}

#[test]
fn one_ticket_from_two_connections_at_once() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    for wire in Wire::ALL {
        for _ in 0..8 {
            let target = format!("/v1/stream/AAPL?ticket={}", site.ticket(&token));
            let barrier = Arc::new(Barrier::new(2));
            let statuses = thread::scope(|scope| {
                let asking = [(); 2].map(|()| {
                    let (barrier, target, place) = (barrier.clone(), &target, site.place.clone());
                    scope.spawn(move || {
                        barrier.wait();
                        place.ask(wire, "GET", target, &[]).answer.status
                    })
                });
                let mut statuses = asking.map(|asking| asking.join().unwrap());
                statuses.sort_unstable();
                statuses
            });
            assert_eq!(statuses, [200, 401], "{wire:?}");
        }
    }
}

#[test]
fn a_ticket_that_was_used_is_used_up_though_its_stream_was_refused() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let ticket = site.ticket(&token);
    let denied = site.ask(Wire::Http1, "GET", &format!("/v1/stream/MSFT?ticket={ticket}"), &[]);
    assert_eq!((denied.answer.status, denied.kind()), (403, "not-entitled".to_owned()));
    let again = site.ask(Wire::Http1, "GET", &format!("/v1/stream/AAPL?ticket={ticket}"), &[]);
    assert_eq!((again.answer.status, again.kind()), (401, "bad-ticket".to_owned()));
}

#[test]
fn a_ticket_or_a_token_in_the_query_of_another_path() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let ticket = site.ticket(&token);
    for wire in Wire::ALL {
        for target in ["/v1/quotes/AAPL", "/v1/symbols"] {
            for name in ["ticket", "token", "access_token", "authorization"] {
                let value = if name == "ticket" { &ticket } else { &token };
                let reply = site.ask(wire, "GET", &format!("{target}?{name}={value}"), &[]);
                assert_eq!((reply.answer.status, reply.kind()), (401, "no-credentials".to_owned()), "{name}");
                assert!(!reply.answer.body.contains(value.as_str()));
            }
        }
    }
    site.ask(Wire::Http1, "GET", &format!("/v1/stream/AAPL?ticket={ticket}"), &[]).hello();
}

#[test]
fn a_cookie_with_a_foreign_origin() {
    let site = Site::start();
    let cookie = format!("__Host-tickfan={}", site.issuer.live("u17", &["AAPL", "MSFT"]));
    for wire in Wire::ALL {
        let mut stream = site.ask(wire, "GET", "/v1/stream/AAPL", &[("cookie", &cookie)]);
        let control = stream.hello()["control"].as_str().unwrap().to_owned();
        let change = format!("/v1/streams/{control}");
        for origin in ["https://evil.example", "http://app.example", "https://app.example.evil.example", "null"] {
            for (from, origin) in [
                (None, Some(origin)),
                (Some("same-site"), Some(origin)),
                (Some("cross-site"), Some(origin)),
                (Some("cross-site"), None),
                (Some("same-site"), None),
                (Some("of-a-browser-to-come"), None),
            ] {
                let mut fields = vec![("cookie", cookie.as_str())];
                fields.extend(from.map(|from| ("sec-fetch-site", from)));
                fields.extend(origin.map(|origin| ("origin", origin)));
                for (method, target) in
                    [("GET", "/v1/stream/AAPL"), ("GET", "/v1/quotes/AAPL"), ("GET", "/v1/symbols"), ("POST", &change)]
                {
                    let reply = site.ask(wire, method, target, &fields);
                    let seen = (reply.answer.status, reply.kind());
                    assert_eq!(seen, (403, "wrong-origin".to_owned()), "{wire:?} {method} {target} {fields:?}");
                    assert_eq!(reply.answer.header("access-control-allow-credentials"), None, "{fields:?}");
                }
            }
        }
        // The stream has not noticed any of it.
        let seen = stream.until(|_| true).len();
        let text = stream.until(|text| text.len() > seen + 1_000);
        assert!(!text.contains("event: symbols") && !text.contains("event: bye"), "{wire:?}: {text}");
    }
}

/// What a browser sends with a request that a page of another site causes, and its cookie if that were sent.
fn forged<'a>(cookie: &'a str, site: &'a str, mode: &'a str, origin: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("cookie", cookie), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
    fields.extend(origin.map(|origin| ("origin", origin)));
    fields
}

#[test]
fn csrf_by_form_image_and_fetch() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["AAPL"]);
    let cookie = format!("__Host-tickfan={token}");
    for wire in Wire::ALL {
        for (what, from, mode, origin) in [
            ("form", "cross-site", "navigate", Some("https://evil.example")),
            ("form of a file", "cross-site", "navigate", Some("null")),
            ("link", "cross-site", "navigate", None),
            ("image", "cross-site", "no-cors", None),
            ("fetch", "cross-site", "cors", Some("https://evil.example")),
            ("fetch from a listed origin of another site", "cross-site", "cors", Some("https://app.example")),
            ("image of this site", "same-site", "no-cors", None),
            ("fetch of this site", "same-site", "cors", Some("https://blog.example")),
        ] {
            for target in ["/v1/stream/AAPL", "/v1/quotes/AAPL"] {
                let reply = site.ask(wire, "GET", target, &forged(&cookie, from, mode, origin));
                assert_eq!((reply.answer.status, reply.kind()), (403, "wrong-origin".to_owned()), "{wire:?} {what}");
                assert_eq!(reply.answer.header("set-cookie"), None);
            }
            // What a cookie alone cannot do from any page.
            for target in ["/v1/session", "/v1/session/", "/v1/tickets", "/v1/tickets/"] {
                let reply = site.ask(wire, "POST", target, &forged(&cookie, from, mode, origin));
                assert_eq!((reply.answer.status, reply.kind()), (401, "no-credentials".to_owned()), "{wire:?} {what}");
            }
        }
        let mut of_this_site = forged(&cookie, "same-site", "cors", Some("https://app.example"));
        assert_eq!(site.ask(wire, "GET", "/v1/quotes/AAPL", &of_this_site).answer.status, 200);
        of_this_site.retain(|(name, _)| *name == "cookie");
        of_this_site.push(("origin", "https://evil.example"));
        let old_browser = site.ask(wire, "GET", "/v1/quotes/AAPL", &of_this_site);
        assert_eq!(old_browser.kind(), "wrong-origin", "a browser that does not tell sites apart");
    }
}

#[test]
fn an_expired_token_keeps_no_stream_and_its_ticket_opens_none() {
    let site = Site::start();
    let token = site.issuer.token("u17", -28, &rights());
    let ticket = site.ticket(&token);
    let mut stream = site.bearer(Wire::Http1, "/v1/stream/AAPL", &token);
    assert_eq!(named(&stream.rest(), "bye"), Some("{\"reason\":\"expired\"}"));
    let reply = site.ask(Wire::Http1, "GET", &format!("/v1/stream/AAPL?ticket={ticket}"), &[]);
    assert_eq!((reply.answer.status, reply.kind()), (401, "bad-ticket".to_owned()));
}
