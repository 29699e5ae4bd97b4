//! The `/debug` pages of a running gateway.

use crate::support::{
    Client, PATIENCE,
    running::{Running, binance, config},
    stream::Stream,
};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::{net::SocketAddr, time::Instant};
use tickfan::{
    config::Feed,
    market::{Date, Hours, Now, Schedule, Symbol},
};
use venue_sim::{binance::trade, blocking::Venue};

fn ask(admin: SocketAddr, target: &str) -> Value {
    let answer = Client::connect(admin).get(target);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{}", answer.body);
    answer.json()
}

/// Repeats a request until its response satisfies the condition.
fn ask_until(admin: SocketAddr, target: &str, mut before: impl FnMut(), will_do: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        before();
        let answer = ask(admin, target);
        if will_do(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{answer:#}");
    }
}

/// The hours of a feed whose market is closed today and around it.
fn closed_for_days() -> Schedule {
    let today = Date::of(Now::read().unix);
    Schedule::new(Hours::UsEquities, (-2..=2).map(|days| today.plus(days)).collect())
}

/// A client that reads its `hello` and then nothing more, and the name that it was given.
fn stalled(address: SocketAddr, target: &str) -> (Client, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut client = Client::from_socket(socket.into());
    client.get(target);
    let hello = client.line("data: ");
    let name = serde_json::from_str::<Value>(&hello).unwrap()["stream"].as_str().unwrap().to_owned();
    (client, name)
}

#[test]
fn operators_see_who_is_slow_what_is_hot_and_how_feeds_do() {
    let venue = Venue::bind();
    let lost = Venue::bind();
    let closed_venue = Venue::bind();
    let url = lost.url.clone();
    drop(lost);
    let closed = Feed { schedule: closed_for_days(), ..binance("closed", &closed_venue.url, &["ADA-USDT"]) };
    let gateway = Running::start(&config(vec![
        closed,
        binance("crypto", &venue.url, &["BTC-USDT", "ETH-USDT"]),
        binance("lost", &url, &["SOL-USDT"]),
    ]));
    let mut connection = venue.grant(&["btcusdt", "ethusdt"]);
    let _silent = closed_venue.grant(&["adausdt"]);
    connection.send(&trade("ETHUSDT", 1, "3000"));
    let healthy = Stream::open(gateway.address, "/v1/stream/ETH-USDT");
    let (client, name) = stalled(gateway.address, "/v1/stream?symbols=BTC-USDT,ETH-USDT");

    let mut id = 0;
    let send = || {
        for _ in 0..500 {
            id += 1;
            connection.send(&trade("BTCUSDT", id, "98000.5"));
        }
    };
    let is_behind = |answer: &Value| answer["streams"][0]["oldest_unsent_seconds"].is_number();
    let answer = ask_until(gateway.admin, "/debug/streams", send, is_behind);
    let first = &answer["streams"][0];
    assert_eq!(first["stream"], name.as_str());
    assert_eq!((&first["client"], &first["client_id"]), (&"127.0.0.1".into(), &Value::Null));
    assert!(first["ticks"].as_u64() > Some(0), "{first}");
    assert_eq!(first["peer"], client.socket.local_addr().unwrap().to_string());
    assert_eq!(first["protocol"], "h1");
    assert_eq!((&first["symbols"], &first["symbols_total"]), (&serde_json::json!(["BTC-USDT", "ETH-USDT"]), &2.into()));
    assert!(first["full_seconds"].is_number() && first["bytes"].as_u64() > Some(0), "{first}");
    assert_eq!(answer["streams"].as_array().unwrap().len(), 2);
    assert_eq!(answer["totals"]["looked_at"], 2);
    assert_eq!(answer["totals"]["workers_without_answer"], serde_json::json!([]));
    assert_eq!(ask(gateway.admin, "/debug/streams?limit=1")["streams"].as_array().unwrap().len(), 1);

    let symbols = ask(gateway.admin, "/debug/symbols");
    assert_eq!(symbols["totals"]["symbols"], 4);
    let names = |list: &str| {
        let entries = symbols[list].as_array().unwrap().iter();
        entries.map(|entry| entry["symbol"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("stalest"), ["ETH-USDT", "BTC-USDT"], "those without data are counted, not listed");
    assert_eq!(symbols["totals"]["states"]["waiting"], 2);

    let feeds_agree = |answer: &Value| answer["feeds"][1]["counters"]["messages"]["trade"].as_u64() > Some(500);
    let feeds = ask_until(gateway.admin, "/debug/feeds", || {}, feeds_agree);
    assert_eq!(feeds["totals"]["feeds"], 3);
    assert_eq!(
        feeds["totals"]["states"],
        serde_json::json!({"failed": 1, "mute": 0, "connecting": 0, "live": 1, "quiet": 1})
    );
    let [failed, live, quiet] = [0, 1, 2].map(|place| &feeds["feeds"][place]);
    for (feed, name, state) in [(failed, "lost", "failed"), (live, "crypto", "live"), (quiet, "closed", "quiet")] {
        assert_eq!((&feed["feed"], &feed["state"]), (&name.into(), &state.into()), "the worst comes first");
    }
    assert!(failed["reason"].as_str().unwrap().starts_with("io"), "{failed}");
    assert_eq!((&live["feed"], &live["venue"], &live["reason"]), (&"crypto".into(), &"binance".into(), &Value::Null));
    let last = live["last_messages"].as_array().unwrap().last().unwrap();
    assert!(last["text"].as_str().unwrap().contains(r#""s":"BTCUSDT""#), "{last}");
    assert_eq!(live["symbol_states"]["live"], 2);
    drop((healthy, client));
    gateway.stop().unwrap();
}

#[test]
fn operators_see_the_client_behind_its_proxies_and_its_id() {
    const FORWARDED: &str = "x-forwarded-for: 203.0.113.9\r\nx-forwarded-for: 198.51.100.7, 10.0.0.3\r\n";
    const HERE: &str = "127.0.0.1";
    for (trusted, headers, address, id) in [
        (&[][..], FORWARDED, HERE, None),
        (&["10.0.0.0/8"], FORWARDED, HERE, None),
        (&["127.0.0.1/32", "10.0.0.0/8"], FORWARDED, "198.51.100.7", None),
        (&["127.0.0.1/32"], "x-forwarded-for: 2001:db8::7\r\n", "2001:db8::7", None),
        (&["127.0.0.1/32"], "x-forwarded-for: ::ffff:198.51.100.7\r\n", "198.51.100.7", None),
        (&["127.0.0.1/32"], "x-forwarded-for: 198.51.100.7:4711\r\n", "198.51.100.7", None),
        (&["127.0.0.1/32"], "x-forwarded-for: <script>\r\n", HERE, None),
        // The id: of several the last counts, and where proxies are trusted only theirs.
        (&[], "x-client-id: acme\r\n", HERE, Some("acme")),
        (&["127.0.0.1/32"], "X-Client-ID: forged\r\nx-client-id: acme\r\n", HERE, Some("acme")),
        (&["10.0.0.0/8"], "x-client-id: forged\r\n", HERE, None),
        (&[], "x-client-id: M\u{fc}ller & \"Co\"\r\n", HERE, Some("M%C3%BCller%20&%20%22Co%22")),
        (&[], "x-client-id: \r\nx-customer: acme\r\n", HERE, None),
    ] {
        let mut config = config(Vec::new());
        config.feeds = vec![Feed::new(tickfan::venue::DEFAULT, vec!["AAPL".parse::<Symbol>().unwrap().into()])];
        config.server.trusted_proxies = trusted.iter().map(|net| net.parse().unwrap()).collect();
        config.server.client_id_header = Some(http::HeaderName::from_static("x-client-id"));
        let gateway = Running::start(&config);
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
        client.line("data: ");
        let stream = &ask(gateway.admin, "/debug/streams")["streams"][0];
        assert_eq!((&stream["client"], &stream["client_id"]), (&address.into(), &id.into()), "{trusted:?} {headers}");
        assert_eq!(stream["peer"], client.socket.local_addr().unwrap().to_string(), "the end of its connection");
        drop(client);
        gateway.stop().unwrap();
    }
}

#[test]
fn rule_10_lists_have_a_limit() {
    let gateway = Running::start(&config(Vec::new()));
    for target in ["/debug/streams", "/debug/symbols", "/debug/feeds"] {
        for limit in ["0", "1001", "x", ""] {
            let answer = Client::connect(gateway.admin).get(&format!("{target}?limit={limit}"));
            assert_eq!(answer.status, 400, "{target} {limit}");
            assert!(answer.body.contains("from 1 to 1000"), "{}", answer.body);
        }
        assert_eq!(Client::connect(gateway.admin).get(&format!("{target}?limit=1000")).status, 200);
        assert_eq!(Client::connect(gateway.address).get(target).status, 404, "clients have no business there");
    }
    assert_eq!(Client::connect(gateway.admin).get("/debug/else").status, 404);
    gateway.stop().unwrap();
}

#[test]
fn a_parameter_that_a_list_does_not_take_is_rejected_and_probes_take_any() {
    let gateway = Running::start(&config(Vec::new()));
    let status = |target: &str| Client::connect(gateway.admin).get(target).status;
    for target in
        ["/debug/streams?limits=5", "/debug/symbols?limit=5&limit=6", "/debug/feeds?Limit=5", "/debug/feeds?_=1"]
    {
        assert_eq!(status(target), 400, "{target}");
    }
    for (path, query) in [("/livez", "_=1"), ("/readyz", "probe=balancer"), ("/metrics", "name[]=tickfan")] {
        assert_eq!(status(&format!("{path}?{query}")), status(path), "{path}?{query}");
    }
    gateway.stop().unwrap();
}
