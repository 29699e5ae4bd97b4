//! What clients get over HTTP, over real sockets: answers, problems, permissions and limits.

use crate::support::{Answer, Gateway, Setup, metrics, update};
use std::{
    net::TcpListener,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tickfan::{
    api,
    fanout::{Options, Resume},
    market::{Currency, Digits, Facts, InstrumentKind, Name, Now, Part, Parts},
};

fn gateway() -> Gateway {
    Gateway::start(Setup::default())
}

fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let document = answer.json();
    assert_eq!(document["status"], answer.status, "{document}");
    assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{document}");
    assert!(document["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{document}");
    assert_eq!(answer.header("x-request-id"), document["request_id"].as_str(), "{document}");
    let kind = document["type"].as_str().unwrap().strip_prefix("urn:tickfan:problem:").unwrap().to_owned();
    (answer.status, kind)
}

#[test]
fn quotes_are_the_newest_ticks_as_a_stream_sends_them() {
    let gateway = gateway();
    let state = gateway.cache.get(&"AAPL".parse().unwrap()).unwrap();
    state.publish(&update(), Now::read());
    let frame = String::from_utf8(state.frame(&state.newest()).to_vec()).unwrap();
    let tick = frame.split_once("data: ").unwrap().1.trim_end();

    let mut client = gateway.client();
    let answer = client.get("/v1/quotes?symbols=aapl,NOPE,BRK.B,AAPL");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.body.contains(&format!("\"quotes\":[{tick},{{\"symbol\":\"BRK.B\",\"seq\":0,")), "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["epoch"], gateway.cache.slice(0, 1)[0].shard().epoch().to_string());
    assert!(json["now"].as_i64().unwrap() >= json["quotes"][0]["recv"].as_i64().unwrap());
    assert_eq!(json["quotes"].as_array().unwrap().len(), 2);
    assert_eq!(json["unknown"], serde_json::json!(["NOPE"]));

    let one = client.get("/v1/quotes/aapl");
    assert!(one.body.contains(&format!("\"quotes\":[{tick}],\"unknown\":[]}}")), "{}", one.body);
}

#[test]
fn symbols_are_listed_by_prefix() {
    let gateway = gateway();
    let mut client = gateway.client();
    let line = |symbol: &&str| serde_json::json!({"symbol": symbol, "feed": "test-feed", "state": "waiting"});
    let listed = |symbols: &[&str], more| serde_json::json!({"symbols": symbols.iter().map(line).collect::<Vec<_>>(), "more": more});
    for (target, expected) in [
        ("/v1/symbols", listed(&["AAPL", "BRK.B", "BTC-USDT", "MSFT"], false)),
        ("/v1/symbols?prefix=b", listed(&["BRK.B", "BTC-USDT"], false)),
        ("/v1/symbols?prefix=B&limit=1", listed(&["BRK.B"], true)),
        ("/v1/symbols?limit=4", listed(&["AAPL", "BRK.B", "BTC-USDT", "MSFT"], false)),
        ("/v1/symbols?prefix=%00%22", listed(&[], false)),
        ("/v1/symbols?limit=1000&prefix=M", listed(&["MSFT"], false)),
    ] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.json()), (200, expected), "{target}");
    }
    for limit in ["0", "1001", "-1", "x", "", "99999999999999999999"] {
        assert_eq!(problem(&client.get(&format!("/v1/symbols?limit={limit}"))), (400, "bad-limit".into()), "{limit}");
    }
}

#[test]
fn symbols_are_listed_with_their_facts_and_found_by_name() {
    let gateway = gateway();
    let mut client = gateway.client();
    let learn = |symbol: &str, facts| gateway.cache.get(&symbol.parse().unwrap()).unwrap().learn(&facts);
    let name = Name::new("Apple \u{202e}\"Inc.\"\n");
    let (kind, price_digits, size_digits) = (Some(InstrumentKind::Stock), Digits::new(2), Digits::new(0));
    learn("AAPL", Facts { name, currency: Currency::fold("usd"), kind, price_digits, size_digits });
    learn("BTC-USDT", Facts { kind: Some(InstrumentKind::Crypto), price_digits: Digits::new(1), ..Facts::default() });
    let aapl = r#"{"currency":"USD","feed":"test-feed","kind":"stock","name":"Apple \"Inc.\"","price_digits":2,"size_digits":0,"state":"waiting","symbol":"AAPL"}"#;
    let btc = r#"{"feed":"test-feed","kind":"crypto","price_digits":1,"state":"waiting","symbol":"BTC-USDT"}"#;
    let msft = r#"{"feed":"test-feed","state":"waiting","symbol":"MSFT"}"#;
    for (query, more, listed) in [
        ("q=apple", false, vec![aapl]),
        ("q=APPLE%20inc&prefix=A", false, vec![aapl]),
        ("q=apple&prefix=B", false, vec![]),
        ("q=usdt", false, vec![btc]),
        ("q=pear", false, vec![]),
        ("symbols=msft,AAPL,NOPE,msft", false, vec![aapl, msft]),
        ("symbols=MSFT&symbols=,BTC-USDT", false, vec![btc, msft]),
        ("symbols=MSFT,AAPL&q=apple", false, vec![aapl]),
        ("symbols=MSFT,AAPL&prefix=m", false, vec![msft]),
        ("symbols=MSFT,AAPL&limit=1", true, vec![aapl]),
        ("symbols=", false, vec![]),
    ] {
        let answer = client.get(&format!("/v1/symbols?{query}"));
        let expected = format!("{{\"more\":{more},\"symbols\":[{}]}}", listed.join(","));
        assert_eq!((answer.status, answer.body), (200, expected), "{query}");
    }
    for (query, kind) in [("symbols=AA*PL", "bad-symbol"), ("symbols=A,B,C,D", "too-many-symbols")] {
        assert_eq!(problem(&client.get(&format!("/v1/symbols?{query}"))), (400, kind.into()), "{query}");
    }
}

#[test]
fn no_more_than_a_hundred_symbols_are_listed_unasked() {
    let symbols = (0..1_001).map(|number| format!("S{number:04}")).collect();
    let gateway = Gateway::start(Setup { symbols, ..Setup::default() });
    let mut client = gateway.client();
    for (target, count) in [("/v1/symbols", 100), ("/v1/symbols?limit=1000", 1_000)] {
        let json = client.get(target).json();
        assert_eq!((json["symbols"].as_array().unwrap().len(), &json["more"]), (count, &true.into()), "{target}");
    }
}

#[test]
fn a_bad_request_gets_a_problem_that_says_what_is_wrong() {
    const LIST: &str = "/v1/stream?symbols=";
    let gateway = gateway();
    let mut client = gateway.client();
    for (method, target, headers, status, kind) in [
        ("GET", "/v1/stream", "", 400, "no-symbols"),
        ("GET", "/v1/stream?symbols=", "", 400, "no-symbols"),
        ("GET", "/v1/quotes?symbols=", "", 400, "no-symbols"),
        ("GET", "/v1/stream?symbols=AA*PL", "", 400, "bad-symbol"),
        ("GET", "/v1/quotes/AA:PL", "", 400, "bad-symbol"),
        ("GET", "/v1/stream?symbols=AAPL,MSFT,BRK.B,NOPE", "", 400, "too-many-symbols"),
        ("GET", "/v1/quotes?symbols=A,B&symbols=C,D", "", 400, "too-many-symbols"),
        ("GET", "/v1/stream/NOPE", "", 404, "no-such-symbol"),
        ("GET", "/v1/quotes?symbols=NOPE,NADA", "", 404, "no-such-symbol"),
        ("GET", "/v1/history/AA:PL", "", 400, "bad-symbol"),
        ("GET", "/v1/history/NOPE", "", 404, "no-such-symbol"),
        ("GET", "/v1/history", "", 404, "not-found"),
        ("POST", "/v1/history/AAPL", "", 405, "method-not-allowed"),
        ("GET", "/v1/stream/AAPL/more", "", 404, "not-found"),
        ("GET", "/v2/stream/AAPL", "", 404, "not-found"),
        ("GET", "/metrics", "", 404, "not-found"),
        ("POST", "/nothing", "", 404, "not-found"),
        ("POST", "/v1/stream/AAPL", "", 405, "method-not-allowed"),
        ("DELETE", "/v1/quotes", "content-length: 0\r\n", 405, "method-not-allowed"),
        ("PUT", "/", "", 405, "method-not-allowed"),
        ("GET", "/v1/stream/AAPL", "accept: application/json\r\n", 406, "not-acceptable"),
        ("GET", &format!("{LIST}{}", "x".repeat(12 * 1024 + 1 - LIST.len())), "", 414, "uri-too-long"),
    ] {
        let answer = client.request(method, target, headers);
        assert_eq!(problem(&answer), (status, kind.into()), "{method} {target:.60}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {target}");
    }
    let longest = client.get(&format!("{LIST}{}", "x".repeat(12 * 1024 - LIST.len())));
    assert_eq!(problem(&longest), (400, "bad-symbol".into()), "12 KiB are read");
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn every_answer_forbids_sniffing_and_all_but_history_and_the_pages_files_storing() {
    let gateway = gateway();
    let mut client = gateway.client();
    for (target, storing) in [
        ("/v1/quotes/AAPL", "no-store"),
        ("/v1/symbols", "no-store"),
        ("/nothing", "no-store"),
        ("/v1/stream/NOPE", "no-store"),
        ("/v1/history/NOPE", "no-store"),
        ("/v1/history/AAPL", "public, max-age=1"),
        // A client asks again each time; an unchanged file is not sent again.
        ("/", "no-cache"),
        ("/app.js", "no-cache"),
        ("/style.css", "no-cache"),
    ] {
        let answer = client.get(target);
        assert_eq!(answer.header("cache-control"), Some(storing), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
    client.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    gateway.serve_stream();
    let stream = client.answer(false);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store, no-transform"),
        ("x-content-type-options", "nosniff"),
        ("x-accel-buffering", "no"),
        ("connection", "close"),
        ("access-control-allow-origin", "*"),
        ("content-length", ""),
        ("transfer-encoding", ""),
    ] {
        assert_eq!(stream.header(name), (!value.is_empty()).then_some(value), "{name}");
    }
    let date = httpdate::parse_http_date(stream.header("date").unwrap()).unwrap();
    assert!(date.elapsed().unwrap() < Duration::from_secs(60));
}

#[test]
fn a_streams_first_event_says_what_it_is() {
    let gateway = gateway();
    let mut names = Vec::new();
    for _ in 0..2 {
        let mut client = gateway.client();
        client.send("GET /v1/stream?symbols=MSFT,nope,aapl HTTP/1.1\r\nhost: localhost\r\n\r\n");
        gateway.serve_stream();
        let _head = client.answer(false);
        let body = client.rest();
        let (retry, event) = body.strip_prefix("retry: ").unwrap().split_once("\nevent: hello\ndata: ").unwrap();
        assert!((1_500..=4_000).contains(&retry.parse::<u32>().unwrap()), "{retry}");
        let hello: serde_json::Value = serde_json::from_str(event.lines().next().unwrap()).unwrap();
        assert_eq!(hello["symbols"], serde_json::json!(["MSFT", "AAPL"]));
        assert_eq!(hello["unknown"], serde_json::json!(["NOPE"]));
        assert_eq!(hello["epoch"], gateway.cache.slice(0, 1)[0].shard().epoch().to_string());
        assert!((Now::read().unix.0 - hello["now"].as_i64().unwrap()).abs() < 60_000_000);
        names.push(hello["stream"].as_str().unwrap().to_owned());
    }
    assert_ne!(names[0], names[1]);
}

#[test]
fn head_is_get_without_a_body() {
    let gateway = gateway();
    let mut client = gateway.client();
    for target in ["/v1/quotes/AAPL", "/v1/symbols", "/v1/history/AAPL", "/", "/nothing", "/v1/quotes/NOPE"] {
        let get = client.get(target);
        let head = client.request("HEAD", target, "");
        assert_eq!(head.status, get.status, "{target}");
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{target}");
        }
    }
}

#[test]
fn pages_of_all_origins_may_read_by_default_and_only_the_listed_ones_where_there_is_a_list() {
    let app = "https://app.example";
    let mut listed = Setup::default();
    listed.server.cors_origins = vec![app.into()];
    let open = gateway();
    let listed = Gateway::start(listed);
    for (gateway, origin, permitted, vary) in [
        (&open, "https://any.example", Some("*"), None),
        (&listed, app, Some(app), Some("origin")),
        (&listed, "https://any.example", None, Some("origin")),
    ] {
        let headers = format!("origin: {origin}\r\n");
        for target in ["/v1/quotes/AAPL", "/v1/quotes/NOPE"] {
            let answer = gateway.client().request("GET", target, &headers);
            assert_eq!(answer.header("access-control-allow-origin"), permitted, "{origin}");
            assert_eq!(answer.header("vary"), vary, "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        let mut client = gateway.client();
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        gateway.serve_stream();
        assert_eq!(client.answer(false).header("access-control-allow-origin"), permitted, "{origin}");
    }
}

#[test]
fn a_page_may_ask_first_whether_it_may_send_the_last_event_id() {
    let gateway = gateway();
    let asked = "origin: https://app.example\r\naccess-control-request-method: GET\r\n\
                 access-control-request-headers: last-event-id\r\n";
    let answer = gateway.client().request("OPTIONS", "/v1/stream/AAPL", asked);
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD, POST, DELETE, OPTIONS"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("last-event-id"));
    assert!(answer.header("access-control-max-age").is_some());
    assert!(answer.header("vary").is_some());
    assert!(!gateway.was_handed_a_stream());
}

/// Checks that a client is sent away in the only way after which an EventSource comes back.
fn assert_busy(gateway: &Gateway, headers: &str) {
    let mut client = gateway.client();
    let answer = client.request("GET", "/v1/stream/AAPL", &format!("origin: https://app.example\r\n{headers}"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let (retry, event) = answer.body.strip_prefix("retry: ").unwrap().split_once('\n').unwrap();
    assert!((5_000..=30_000).contains(&retry.parse::<u32>().unwrap()), "{retry}");
    assert_eq!(event, "event: bye\ndata: {\"reason\":\"busy\"}\n\n");
    assert_eq!(client.rest(), "");
    assert!(!gateway.was_handed_a_stream());
}

#[test]
fn a_stream_over_the_limit_is_asked_to_come_back() {
    let metrics = metrics();
    let mut setup = Setup::default();
    setup.limits.streams = 1;
    let gateway = Gateway::start(setup);
    let mut first = gateway.client();
    first.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let (_socket, opening) = gateway.stream();
    assert_busy(&gateway, "");
    assert!(!metrics.render().contains("tickfan_streams_rejected_total{reason=\"limit\"} 0\n"));
    assert_eq!(gateway.client().get("/v1/quotes/AAPL").status, 200, "only streams are full");
    drop(opening);
    gateway.open("/v1/stream/AAPL", "");
}

#[test]
fn a_stream_over_its_addresss_limit_is_asked_to_come_back_and_others_are_not() {
    let metrics = metrics();
    let mut setup = Setup::default();
    setup.limits.streams_per_address = 2;
    setup.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let gateway = Gateway::start(setup);
    let open = |forwarded: &str| gateway.open("/v1/stream/AAPL", &format!("x-forwarded-for: {forwarded}\r\n"));
    let first = open("192.0.2.1");
    let _second = open("::ffff:192.0.2.1");
    assert_busy(&gateway, "x-forwarded-for: 192.0.2.1\r\n");
    assert_busy(&gateway, "x-forwarded-for: 198.51.100.7, 192.0.2.1\r\n");
    assert!(!metrics.render().contains("tickfan_streams_rejected_total{reason=\"address\"} 0\n"));
    assert_eq!(gateway.permits.streams.in_use(), 2, "who is refused takes no room of all");
    let _other = open("192.0.2.2");
    drop(first);
    let _third = open("192.0.2.1");
    assert_busy(&gateway, "x-forwarded-for: 192.0.2.1\r\n");
    assert_eq!(
        gateway.client().request("GET", "/v1/quotes/AAPL", "x-forwarded-for: 192.0.2.1\r\n").status,
        200,
        "only streams are counted"
    );
}

#[test]
fn a_client_that_no_trusted_proxy_speaks_for_is_its_own_address() {
    let mut setup = Setup::default();
    setup.limits.streams_per_address = 1;
    let gateway = Gateway::start(setup);
    let _open = gateway.open("/v1/stream/AAPL", "");
    assert_busy(&gateway, "x-forwarded-for: 192.0.2.1\r\n");
}

#[test]
fn a_gateway_that_drains_opens_no_stream() {
    let metrics = metrics();
    let gateway = gateway();
    gateway.draining.store(true, Ordering::Relaxed);
    assert_busy(&gateway, "");
    assert!(!metrics.render().contains("tickfan_streams_rejected_total{reason=\"draining\"} 0\n"));
}

#[test]
fn a_stream_gives_its_connection_back() {
    let mut setup = Setup::default();
    setup.limits.connections = 1;
    let gateway = Gateway::start(setup);
    let mut first = gateway.client();
    assert_eq!(first.get("/v1/quotes/AAPL").status, 200);
    first.send("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let _open = gateway.stream();
    assert_eq!(gateway.client().get("/v1/quotes/MSFT").status, 200);
    assert!(first.is_quiet(), "it does not give way, since it is a stream");
}

#[test]
fn a_stop_ends_what_is_open_and_frees_the_address() {
    let gateway = gateway();
    let address = gateway.address;
    let mut idle = gateway.client();
    assert_eq!(idle.get("/v1/quotes/AAPL").status, 200);
    let mut half = gateway.client();
    half.send("GET /v1/quotes/AAPL HT");
    assert_eq!(gateway.client().get("/v1/quotes/AAPL").status, 200, "both before are accepted");
    let begun = Instant::now();
    gateway.begin_to_stop();
    assert_eq!(idle.rest(), "");
    assert!(begun.elapsed() < Duration::from_secs(1), "what is idle ends at once");
    gateway.stop();
    assert!(begun.elapsed() < Duration::from_secs(4), "a client that sends half a head holds nothing up");
    TcpListener::bind(address).unwrap();
}

#[test]
fn an_address_in_use_is_said_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = gateway();
    let mut setup = Setup::default();
    setup.server.listen = taken.local_addr().unwrap();
    let services = api::Services {
        cache: gateway.cache.clone(),
        on_demand: None,
        history: None,
        streams: gateway.stream_sink(),
        permits: gateway.permits.clone(),
        draining: Arc::default(),
        keys: None,
        tls: None,
    };
    let error = api::Server::bind(&setup.live(), services).err().unwrap();
    let begins = format!("cannot listen on {}: Address already in use", setup.server.listen);
    assert!(error.to_string().starts_with(&begins), "{error}");
    assert!(error.to_string().contains("choose another with --listen"), "{error}");
}

#[test]
fn the_page_is_served_under_a_policy_that_lets_nothing_else_in() {
    let gateway = gateway();
    let mut client = gateway.client();
    for (target, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/?symbols=AAPL", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = client.get(target);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)), "{target}");
        // Kept, and asked about each time: what a browser already has is not sent again.
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
        let tag = answer.header("etag").unwrap();
        let known = client.request("GET", target, &format!("if-none-match: {tag}\r\n"));
        assert_eq!((known.status, known.header("etag"), known.body.as_str()), (304, Some(tag), ""), "{target}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    }
    let page = client.get("/").body;
    for forbidden in ["style=\"", "onclick=", "<style", "<script>"] {
        assert!(!page.contains(forbidden), "the policy blocks {forbidden}");
    }
}

#[test]
fn a_stream_has_the_options_and_the_place_that_its_request_says() {
    let gateway = gateway();
    let epoch = gateway.cache.slice(0, 1)[0].shard().epoch();
    let target = format!("/v1/stream/AAPL?max_rate=4&on=trade&heartbeat=7&last_event_id={epoch}-9");
    let (_client, opening) = gateway.open(&target, "");
    let options = Options::new(Duration::from_secs(7)).on(Parts::from_iter([Part::Trade]));
    assert_eq!(opening.options, options.every(Duration::from_millis(250)));
    assert_eq!(opening.resume, Some(Resume { after: 9, bytes: 64 * 1024 }));
    let (_client, opening) = gateway.open("/v1/stream?symbols=AAPL", "last-event-id: 0-9\r\n");
    assert_eq!((opening.options, opening.resume), (Options::new(Duration::from_secs(15)), None));
    for (query, takes) in
        [("max_rate=1000", "0.1 to 100"), ("on=candles", "trade, quote and stats"), ("heartbeat=0", "1 to 60")]
    {
        let answer = gateway.client().get(&format!("/v1/stream/AAPL?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(takes), "{}", answer.body);
    }
}
