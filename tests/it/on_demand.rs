//! Feeds that subscribe what streams ask for, from the client's socket to the venue's.

use crate::support::{
    Answer, Client, PATIENCE,
    certificates::folder,
    running::Running,
    stream::{Event, Stream, Tick},
};
use serde_json::{Value, json};
use std::{fs, time::Duration, time::Instant};
use tickfan::config::{Overrides, load};
use venue_sim::{
    Connection,
    binance::{self, trade},
    blocking::Venue,
};

/// A gateway with this feed, whose clients may say by a header where they come from.
fn start(test: &str, feed: &str) -> Running {
    let file = folder(test).join("tickfan.toml");
    let head = "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    fs::write(&file, format!("{head}[[feed]]\nname = \"{test}\"\non_demand = true\n{feed}\n")).unwrap();
    let mut config = load(Some(&file), Vec::new(), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
    config.server.drain = Duration::ZERO;
    Running::start(&config)
}

fn get(gateway: &Running, target: &str) -> Answer {
    Client::connect(gateway.address).get(target)
}

/// How many symbols the feed has, by `/debug/feeds`.
fn subscribed(gateway: &Running, feed: &str) -> u64 {
    let all = Client::connect(gateway.admin).get("/debug/feeds").json();
    let feed = all["feeds"].as_array().unwrap().iter().find(|shown| shown["feed"] == feed).unwrap().clone();
    assert_eq!(feed["symbols"], feed["on_demand"]["symbols"]);
    feed["symbols"].as_u64().unwrap()
}

/// The next tick for which this holds.
fn tick_when(stream: &mut Stream, will_do: impl Fn(&Tick) -> bool) -> Tick {
    loop {
        let tick = stream.tick();
        if will_do(&tick) {
            return tick;
        }
    }
}

/// The next request of the feed, and the venue's consent; returns its method and the names that it is for.
fn consents(venue: &Venue, connection: &mut Connection) -> (String, Vec<String>) {
    venue.run(async |_| {
        let request: Value = serde_json::from_str(&connection.text().await).unwrap();
        connection.send(&json!({ "result": null, "id": request["id"] }).to_string()).await;
        let streams = request["params"].as_array().unwrap().iter().map(|stream| stream.as_str().unwrap());
        let mut names: Vec<String> = streams.map(|stream| stream.split('@').next().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        (request["method"].as_str().unwrap().to_owned(), names)
    })
}

/// Consents to requests of this method, until they were for so many names.
fn consents_to_all(venue: &Venue, connection: &mut Connection, method: &str, count: usize) {
    let mut names = Vec::new();
    while names.len() < count {
        let (asked, of_request) = consents(venue, connection);
        assert_eq!(asked, method, "{of_request:?}");
        names.extend(of_request);
    }
    assert_eq!(names.len(), count, "{names:?}");
}

#[test]
fn the_first_stream_subscribes_and_the_last_one_drops_after_it_has_lingered() {
    let venue = Venue::bind();
    let gateway = start("on-demand", &format!("venue = \"binance\"\nurl = \"{}\"\nlinger = \"1s\"", venue.url));
    let missing = get(&gateway, "/v1/quotes/BTC-USDT");
    assert_eq!(missing.status, 404);
    assert!(missing.json()["detail"].as_str().unwrap().contains("/v1/stream"), "{}", missing.body);
    assert_eq!(get(&gateway, "/v1/stream/NOPE").status, 404, "no name of the venue follows from it");

    let mut first = Stream::open(gateway.address, "/v1/stream?symbols=NOPE,BTC-USDT");
    let hello = first.named("hello");
    assert_eq!([&hello["symbols"], &hello["unknown"]], [&json!(["BTC-USDT"]), &json!(["NOPE"])]);
    let waiting = first.tick();
    assert_eq!([waiting.text("state"), waiting.text("reason")], ["waiting", "no_data"]);
    let mut connection = venue.run(async |venue| venue.accept().await);
    venue.run(async |_| binance::grant(&mut connection, &["btcusdt"]).await);
    venue.run(async |_| connection.send(&trade("BTCUSDT", 1, "7")).await);
    let live = first.tick();
    assert_eq!([live.text("state"), live.text("price")], ["live", "7"]);
    let listed = get(&gateway, "/v1/symbols").json();
    assert_eq!(
        listed["symbols"],
        json!([{
            "currency": "USDT", "feed": "on-demand", "kind": "crypto", "on_demand": true, "state": "live",
            "symbol": "BTC-USDT"
        }]),
        "the facts that follow from the venue's name of it"
    );

    // A second stream has the feed subscribe another symbol, on the living connection, and shares the first one.
    let mut second = Stream::open(gateway.address, "/v1/stream?symbols=ETH-USDT,BTC-USDT");
    assert_eq!(second.named("hello")["symbols"], json!(["ETH-USDT", "BTC-USDT"]), "in the order of the request");
    assert_eq!(consents(&venue, &mut connection), ("SUBSCRIBE".to_owned(), vec!["ethusdt".to_owned()]));
    venue.run(async |_| connection.send(&trade("ETHUSDT", 1, "8")).await);
    assert_eq!(tick_when(&mut second, |tick| tick.text("price") == "8").text("state"), "live");
    assert_eq!(subscribed(&gateway, "on-demand"), 2);

    // An open stream asks for a third.
    let answer = change(&gateway, &hello, &["BTC-USDT", "SOL-USDT"]);
    assert_eq!(answer["symbols"], json!(["BTC-USDT", "SOL-USDT"]), "{answer}");
    assert_eq!(consents(&venue, &mut connection), ("SUBSCRIBE".to_owned(), vec!["solusdt".to_owned()]));
    assert_eq!(first.named("symbols")["symbols"], json!(["BTC-USDT", "SOL-USDT"]));
    assert_eq!(first.tick().text("state"), "waiting");

    drop(second);
    assert_eq!(consents(&venue, &mut connection), ("UNSUBSCRIBE".to_owned(), vec!["ethusdt".to_owned()]));
    assert_eq!(subscribed(&gateway, "on-demand"), 2);
    assert_eq!(get(&gateway, "/v1/quotes/ETH-USDT").status, 404);
    venue.run(async |_| connection.send(&trade("BTCUSDT", 2, "9")).await);
    assert_eq!(tick_when(&mut first, |tick| tick.text("symbol") == "BTC-USDT").text("price"), "9", "it goes on");

    // It comes back with a higher `seq`.
    let mut again = Stream::open(gateway.address, "/v1/stream/ETH-USDT");
    again.named("hello");
    let waiting = again.tick();
    assert!(waiting.text("state") == "waiting" && waiting.number("seq") > 2 && waiting.id.is_some(), "{waiting:?}");
    assert_eq!(consents(&venue, &mut connection), ("SUBSCRIBE".to_owned(), vec!["ethusdt".to_owned()]));
}

/// Changes the list of an open stream; returns the answer.
fn change(gateway: &Running, hello: &Value, symbols: &[&str]) -> Value {
    let control = hello["control"].as_str().unwrap();
    let body = json!({ "symbols": symbols }).to_string();
    let headers = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut client = Client::connect(gateway.address);
    client.send(format!("POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\n{headers}"));
    let answer = client.answer(true);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// The first tick of each symbol of a stream from this address: its name and reason.
fn first_ticks(gateway: &Running, from: u8, symbols: &str) -> (Client, Vec<(String, String)>) {
    let mut client = Client::connect(gateway.address);
    let head = format!("host: localhost\r\nx-forwarded-for: 192.0.2.{from}\r\n\r\n");
    client.send(format!("GET /v1/stream?symbols={symbols} HTTP/1.1\r\n{head}"));
    let count = symbols.split(',').count();
    let text = client.until(|text| text.matches("\"reason\":").count() >= count || text.contains("event: bye"));
    let field = |block: &str, name: &str| {
        let (_, rest) = block.split_once(&format!("\"{name}\":\""))?;
        Some(rest.split('"').next().unwrap_or_default().to_owned())
    };
    let ticks = text.split("\n\n").filter(|block| block.contains("\"seq\":"));
    let mut ticks: Vec<_> = ticks.filter_map(|tick| Some((field(tick, "symbol")?, field(tick, "reason")?))).collect();
    ticks.sort();
    ticks.dedup_by(|one, other| one.0 == other.0);
    (client, ticks)
}

/// Eight at a time: two for each address.
#[test]
fn rule_10_a_symbol_too_many_is_refused_and_one_address_pushes_no_other_out() {
    let venue = Venue::bind();
    let gateway = start(
        "on-demand-limit",
        &format!("venue = \"binance\"\nurl = \"{}\"\nlinger = \"1s\"\non_demand_symbols = 8", venue.url),
    );
    let reasons = |ticks: &[(String, String)]| -> String {
        ticks.iter().map(|(symbol, reason)| format!("{symbol} {reason}")).collect::<Vec<_>>().join(", ")
    };
    let (greedy, ticks) = first_ticks(&gateway, 1, "A-USDT,B-USDT,C-USDT");
    assert_eq!(reasons(&ticks), "A-USDT no_data, B-USDT no_data, C-USDT limit");
    let mut others = Vec::new();
    for from in 2..5 {
        let (client, ticks) = first_ticks(&gateway, from, &format!("X{from}-USDT,Y{from}-USDT"));
        assert_eq!(reasons(&ticks), format!("X{from}-USDT no_data, Y{from}-USDT no_data"));
        others.push(client);
    }
    assert_eq!(subscribed(&gateway, "on-demand-limit"), 8);
    let (_shared, ticks) = first_ticks(&gateway, 9, "A-USDT,Z-USDT");
    assert_eq!(reasons(&ticks), "A-USDT no_data, Z-USDT limit", "what others have is there");
    let metrics = Client::connect(gateway.admin).get("/metrics").body;
    for reason in ["full", "address_share"] {
        let line = format!("tickfan_demand_refused_total{{feed=\"on-demand-limit\",reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&line), "{line}");
    }
    assert!(metrics.contains("tickfan_demand_symbols_limit{feed=\"on-demand-limit\"} 8\n"));

    // What no stream has any longer makes room, again and again.
    let mut connection = venue.run(async |venue| venue.accept().await);
    consents_to_all(&venue, &mut connection, "SUBSCRIBE", 8);
    drop((greedy, others));
    consents_to_all(&venue, &mut connection, "UNSUBSCRIBE", 7);
    assert_eq!(subscribed(&gateway, "on-demand-limit"), 1);
    for round in 0..3 {
        let streams: Vec<_> =
            (0..7).map(|from| first_ticks(&gateway, 10 + from, &format!("R{round}N{from}-USDT"))).collect();
        assert!(streams.iter().all(|(_, ticks)| ticks[0].1 == "no_data"), "round {round}");
        assert_eq!(subscribed(&gateway, "on-demand-limit"), 8);
        consents_to_all(&venue, &mut connection, "SUBSCRIBE", 7);
        drop(streams);
        consents_to_all(&venue, &mut connection, "UNSUBSCRIBE", 7);
        assert_eq!(subscribed(&gateway, "on-demand-limit"), 1);
    }
}

/// Names that linger are of no address, and yet one address may have left them all.
#[test]
fn one_address_that_opens_and_closes_streams_keeps_no_other_out() {
    let venue = Venue::bind(); // it grants nothing
    let gateway =
        start("on-demand-churn", &format!("venue = \"binance\"\nurl = \"{}\"\non_demand_symbols = 100", venue.url));
    for round in 0..4 {
        let names: Vec<_> = (0..25).map(|number| format!("R{round}N{number}-USDT")).collect();
        let (client, ticks) = first_ticks(&gateway, 1, &names.join(","));
        assert!(ticks.iter().all(|(_, reason)| reason == "no_data"), "{ticks:?}");
        drop(client);
        let deadline = Instant::now() + PATIENCE;
        while !Client::connect(gateway.admin).get("/metrics").body.contains("\ntickfan_streams 0\n") {
            assert!(Instant::now() < deadline, "the stream does not end");
        }
    }
    assert_eq!(subscribed(&gateway, "on-demand-churn"), 100);
    let (_other, ticks) = first_ticks(&gateway, 2, "A-USDT,B-USDT");
    assert!(ticks.len() == 2 && ticks.iter().all(|(_, reason)| reason == "no_data"), "{ticks:?}");
    assert_eq!(subscribed(&gateway, "on-demand-churn"), 100, "the oldest have gone");
}

/// The built-in venue takes whatever it is asked for.
#[test]
fn the_simulated_venue_subscribes_on_demand() {
    let gateway = start("on-demand-sim", "linger = \"1s\"");
    assert_eq!(Client::connect(gateway.admin).get("/readyz").status, 200, "a feed without symbols is ready");
    let mut stream = Stream::open(gateway.address, "/v1/stream?symbols=AAPL,MSFT");
    stream.named("hello");
    for symbol in ["AAPL", "MSFT"] {
        tick_when(&mut stream, |tick| tick.text("symbol") == symbol && tick.text("state") == "live");
    }
    drop(stream);
    // The built-in venue does not tell the test what it is asked for.
    let deadline = Instant::now() + PATIENCE;
    while subscribed(&gateway, "on-demand-sim") > 0 {
        assert!(Instant::now() < deadline, "{} symbols stay", subscribed(&gateway, "on-demand-sim"));
    }
    let mut stream = Stream::open(gateway.address, "/v1/stream/NVDA");
    match stream.next() {
        Some(Event::Named(name, _)) => assert_eq!(name, "hello"),
        other => panic!("{other:?}"),
    }
    tick_when(&mut stream, |tick| tick.text("state") == "live");
}
