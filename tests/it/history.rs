//! The history of a symbol, over real sockets: what charts begin with.

use crate::support::{
    Client, Gateway, PATIENCE, Setup,
    running::{Running, binance, config},
    stream::{Stream, Tick, fields},
    update,
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tickfan::{
    cache::{WorkerIndex, WorkerMask},
    market::{Field, Now, Parts, Reason, TradeUpdate, Update},
};
use venue_sim::{
    binance::{quote, trade as trade_frame},
    blocking::Venue,
};

const SECOND: Duration = Duration::from_secs(1);

fn trade(gateway: &Gateway, price: &str, now: Now) {
    let trade = TradeUpdate { price: Field::Set(price.parse().unwrap()), ..TradeUpdate::default() };
    let state = gateway.cache.get(&"AAPL".parse().unwrap()).unwrap();
    state.publish(&Update { trade: Some(trade), ..Update::default() }, now);
}

/// Plays a stream that wants all symbols.
fn want_all(gateway: &Gateway) {
    let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
    for state in gateway.cache.slice(0, usize::MAX) {
        state.join(worker, Parts::ALL, &mut VecDeque::new());
    }
}

fn observe(gateway: &Gateway, now: Now) {
    gateway.history.as_ref().unwrap().observe(&gateway.cache.slice(0, usize::MAX), now.instant);
}

#[test]
fn a_history_is_a_list_of_points_as_the_wire_writes_their_numbers() {
    let gateway = Gateway::start(Setup::default());
    let epoch = gateway.cache.slice(0, 1)[0].shard().epoch();
    let mut client = gateway.client();
    let answer = client.get("/v1/history/aapl");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let empty =
        format!("{{\"symbol\":\"AAPL\",\"epoch\":\"{epoch}\",\"origin\":\"sim\",\"every\":1000000,\"points\":[]}}");
    assert_eq!((answer.status, answer.body), (200, empty));

    want_all(&gateway);
    let now = Now::read();
    trade(&gateway, "123456789.000000001", now);
    observe(&gateway, now);
    let later = now.after(SECOND * 5);
    let state = gateway.cache.get(&"AAPL".parse().unwrap()).unwrap();
    state.publish(&update(), later);
    observe(&gateway, later);
    let last = later.after(SECOND);
    state.outage(Reason::ConnectionLost, last);
    observe(&gateway, last);
    let tick: Value = client.get("/v1/quotes/AAPL").json()["quotes"][0].clone();
    let [price, bid, ask] = ["price", "bid", "ask"].map(|name| tick[name].to_string());
    let points = format!(
        "[{},123456789.000000001,null,null,1,\"live\"],[{},{price},{bid},{ask},2,\"live\"],[{},{price},{bid},{ask},2,\"stale\"]",
        now.unix.0, later.unix.0, last.unix.0
    );
    let body = client.get("/v1/history/AAPL").body;
    assert!(body.ends_with(&format!("\"points\":[{points}]}}")), "{body}");
    assert_eq!(tick["recv"], later.unix.0, "a point's time is that of its tick");

    let mut times = |query: &str| {
        let json = client.get(&format!("/v1/history/AAPL?{query}")).json();
        let points = json["points"].as_array().unwrap().iter().map(|point| point[0].as_i64().unwrap() - now.unix.0);
        (points.collect::<Vec<_>>(), json["every"].clone())
    };
    assert_eq!(times(&format!("since={}", now.unix.0 + 5_500_000)), (vec![5_000_000, 6_000_000], json!(1_000_000)));
    assert_eq!(times("points=2"), (vec![0, 6_000_000], json!(2_000_000)));
    assert_eq!(times("points=1").0, [6_000_000]);
}

#[test]
fn rule_10_an_answer_has_a_thousand_points_unasked_and_never_more_than_five() {
    let mut setup = Setup::default();
    setup.history.keep = SECOND * 6_000;
    let gateway = Gateway::start(setup);
    want_all(&gateway);
    let mut now = Now::read();
    for second in 0..6_000 {
        trade(&gateway, &second.to_string(), now);
        observe(&gateway, now);
        now = now.after(SECOND);
    }
    let mut client = gateway.client();
    for (query, most) in [("", 1_000), ("?points=5000", 5_000), ("?points=7", 7)] {
        let points = client.get(&format!("/v1/history/AAPL{query}")).json()["points"].as_array().unwrap().len();
        assert!(points <= most && points > most / 2, "{query}: {points}");
    }
}

#[test]
fn a_gateway_without_history_says_so() {
    let mut setup = Setup::default();
    setup.history.keep = Duration::ZERO;
    let gateway = Gateway::start(setup);
    for (target, status, kind) in [
        ("/v1/history/AAPL", 404, "no-history"),
        ("/v1/history/NOPE", 404, "no-such-symbol"),
        ("/v1/history/AAPL?points=0", 400, "bad-option"),
    ] {
        let answer = gateway.client().get(target);
        assert_eq!(answer.status, status);
        assert_eq!(answer.json()["type"], format!("urn:tickfan:problem:{kind}"));
    }
}

#[test]
fn an_answer_may_be_cached_for_as_long_as_it_stays_the_same() {
    for (every, expected) in
        [(100, "no-store"), (999, "no-store"), (2_500, "public, max-age=2"), (60_000, "public, max-age=60")]
    {
        let mut setup = Setup::default();
        setup.history.every = Duration::from_millis(every);
        let answer = Gateway::start(setup).client().get("/v1/history/AAPL");
        assert_eq!(answer.header("cache-control"), Some(expected));
    }
}

/// A tick's time and what a point has of it, as the wire writes it.
fn point(tick: &Tick) -> (u64, String) {
    let number = |name: &str| tick.fields.get(name).map_or("null", String::as_str).to_owned();
    let trades = tick.fields.get("trades").map_or("0", String::as_str);
    let [price, bid, ask] = ["price", "bid", "ask"].map(number);
    // A state that the gateway sets keeps `recv`.
    let time = tick.number(if tick.text("state") == "stale" { "since" } else { "recv" });
    (time, format!("[{time},{price},{bid},{ask},{trades},\"{}\"]", tick.text("state")))
}

/// The points that a gateway has of a symbol, once the newest is this one.
fn points_up_to(newest: &str, address: SocketAddr) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let body = Client::connect(address).get("/v1/history/BTC-USDT").body;
        let points = body.split_once("\"points\":[").unwrap().1.strip_suffix("]}").unwrap();
        let points: Vec<String> =
            points.split_inclusive(']').map(|point| point.trim_start_matches(',').to_owned()).collect();
        if points.last().is_some_and(|last| last == newest) {
            return points;
        }
        assert!(Instant::now() < deadline, "{newest} is not the last of {points:?}");
    }
}

#[test]
fn a_history_holds_what_a_stream_was_shown_through_an_outage_too() {
    let venue = Venue::bind();
    let mut config = config(vec![binance("crypto", &venue.url, &["BTC-USDT"])]);
    config.history.every = Duration::from_millis(100);
    let gateway = Running::start(&config);
    let mut connection = venue.grant(&["btcusdt"]);
    let mut stream = Stream::open(gateway.address, "/v1/stream/BTC-USDT");
    stream.named("hello");
    assert_eq!(stream.tick().text("seq"), "0");
    let mut shown = Vec::new();
    let mut points = Vec::new();
    for step in 1..9 {
        match step {
            4 => {
                connection.cut();
                shown.push(point(&stream.tick()));
                points = points_up_to(&shown.last().unwrap().1, gateway.address);
                connection = venue.grant(&["btcusdt"]);
                continue;
            }
            2 | 7 => connection.send(&quote("BTCUSDT", step, "61837.63000000", "61837.64000000")),
            _ => connection.send(&trade_frame("BTCUSDT", step, &format!("61837.{step}000000"))),
        }
        shown.push(point(&stream.tick()));
        points = points_up_to(&shown.last().unwrap().1, gateway.address);
    }
    // A tick that is missing was followed by another in its span.
    let mut rest = points.iter().peekable();
    for pair in shown.windows(2) {
        let was_followed = pair[1].0 - pair[0].0 < 100_000;
        assert!(rest.next_if(|point| **point == pair[0].1).is_some() || was_followed, "{pair:?} {points:?}");
    }
    assert_eq!(rest.collect::<Vec<_>>(), [&shown.last().unwrap().1], "and nothing else is there");
    assert_eq!(shown.iter().filter(|(_, point)| point.contains("stale")).count(), 1);

    // Its symbol goes on without a stream.
    drop(stream);
    connection.send(&trade_frame("BTCUSDT", 9, "61838.50000000"));
    let newest = loop {
        let quotes = Client::connect(gateway.address).get("/v1/quotes/BTC-USDT").body;
        let tick = fields(fields(&quotes)["quotes"].trim_matches(['[', ']']));
        if tick["price"] == "61838.5" {
            break point(&Tick { id: None, fields: tick });
        }
    };
    points_up_to(&newest.1, gateway.address);
    gateway.stop().unwrap();
}
