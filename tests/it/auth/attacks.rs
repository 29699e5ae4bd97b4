//! Each attack is a test that is named after it.

use super::Site;
use crate::support::{
    issuer::{Issuer, claims, encode},
    wire::{Wire, named},
};
use ring::hmac;
use serde_json::json;
use std::{
    sync::{Arc, Barrier},
    thread,
};

/// Whether a token is refused by a stream and by quotes, over each protocol.
#[track_caller]
fn refused(site: &Site, token: &str, kind: &str) {
    for wire in Wire::ALL {
        for target in ["/v1/stream/AAPL", "/v1/quotes/AAPL", "/v1/symbols"] {
            let reply = site.bearer(wire, target, token);
            assert_eq!((reply.answer.status, reply.kind()), (401, kind.to_owned()), "{wire:?} {target}");
        }
    }
}

fn rights() -> serde_json::Value {
    json!({"live": ["*"]})
}

#[test]
fn a_token_of_the_algorithm_none() {
    let site = Site::start();
    for algorithm in ["none", "None", "NONE", ""] {
        let header = encode(json!({"alg": algorithm, "kid": "one"}).to_string());
        let payload = encode(claims("u17", 600, &rights()).to_string());
        refused(&site, &format!("{header}.{payload}."), "bad-token");
    }
}

#[test]
fn a_public_key_used_as_the_secret_of_hs256() {
    let site = Site::start();
    let jwks: serde_json::Value = serde_json::from_str(&site.issuer.jwks()).unwrap();
    let x = jwks["keys"][0]["x"].as_str().unwrap();
    let signed = format!(
        "{}.{}",
        encode(json!({"alg": "HS256", "kid": "one"}).to_string()),
        encode(claims("u17", 600, &rights()).to_string())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, x.as_bytes());
    let signature = encode(hmac::sign(&key, signed.as_bytes()));
    refused(&site, &format!("{signed}.{signature}"), "bad-token");
}

#[test]
fn a_token_that_asks_for_an_extension() {
    let site = Site::start();
    let header = json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"]});
    refused(&site, &site.issuer.sign_as(&header, &claims("u17", 600, &rights())), "bad-token");
}

#[test]
fn a_token_whose_algorithm_was_swapped() {
    let site = Site::start();
    for algorithm in ["RS256", "ES256", "HS256", "HS512", "PS256", "eddsa", "EdDSA "] {
        let header = json!({"alg": algorithm, "kid": "one"});
        refused(&site, &site.issuer.sign_as(&header, &claims("u17", 600, &rights())), "bad-token");
    }
}

#[test]
fn a_token_with_doubled_members() {
    let site = Site::start();
    let header = r#"{"alg":"EdDSA","kid":"one"}"#;
    let claims = claims("u17", 600, &rights()).to_string();
    assert_eq!(site.bearer(Wire::Http1, "/v1/quotes/AAPL", &site.issuer.sign_text(header, &claims)).answer.status, 200);
    let with = |member: &str| claims.replacen('{', &format!("{{{member},"), 1);
    for (header, claims) in [
        (r#"{"alg":"none","alg":"EdDSA","kid":"one"}"#, claims.clone()),
        (r#"{"alg":"EdDSA","kid":"two","kid":"one"}"#, claims.clone()),
        (header, with(r#""sub":"u18""#)),
        (header, with(r#""\u0073ub":"u18""#)),
        (header, with(r#""exp":9999999999"#)),
        (header, with(r#""tickfan":{"live":[]}"#)),
        (header, claims.replace(r#"{"live":"#, r#"{"live":[],"live":"#)),
    ] {
        refused(&site, &site.issuer.sign_text(header, &claims), "bad-token");
    }
}

#[test]
fn a_token_whose_claims_were_changed() {
    let site = Site::start();
    let token = site.issuer.live("u17", &["MSFT"]);
    let parts: Vec<&str> = token.split('.').collect();
    let changed = encode(claims("u17", 600, &rights()).to_string());
    refused(&site, &format!("{}.{changed}.{}", parts[0], parts[2]), "bad-token");
}

#[test]
fn a_token_of_another_issuers_key_under_the_name_of_ours() {
    let site = Site::start();
    refused(&site, &Issuer::new(9, "one").live("u17", &["*"]), "bad-token");
}

#[test]
fn a_token_for_another_service_or_of_another_issuer() {
    let site = Site::start();
    for (claim, value) in
        [("aud", json!("billing")), ("aud", json!(["a", "b"])), ("iss", json!("https://evil.example"))]
    {
        let mut claims = claims("u17", 600, &rights());
        claims[claim] = value;
        refused(&site, &site.issuer.sign(&claims), "bad-token");
    }
}

#[test]
fn a_token_without_an_end_or_without_a_subject() {
    let site = Site::start();
    for claim in ["exp", "sub"] {
        let mut claims = claims("u17", 600, &rights());
        claims.as_object_mut().unwrap().remove(claim);
        refused(&site, &site.issuer.sign(&claims), "bad-token");
    }
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
