//! Feeds that subscribe what streams ask for, from the client's socket to the venue's.

use crate::{
    support::{
        Answer, Client, PATIENCE,
        certificates::folder,
        running::Running,
        stream::{Event, Stream, Tick},
    },
    venues::corpus::allocations::live,
};
use serde_json::{Value, json};
use std::{collections::VecDeque, fs, net::Ipv4Addr, sync::Arc, time::Duration, time::Instant};
use tickfan::{
    cache::{Cache, RingLimits, SymbolState, WorkerIndex, WorkerMask},
    config::{self, Overrides, load},
    demand::{DemandFeed, OnDemand},
    feed::ListChange,
    market::{Now, Parts, Reason, Symbol, TradeUpdate, Update},
    venue,
    wire::Epoch,
};
use tokio::sync::mpsc;
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

#[test]
fn a_symbol_that_the_venue_has_refused_is_refused_at_once_and_not_asked_for_again() {
    let venue = Venue::bind();
    let gateway = start("on-demand-refused", &format!("venue = \"sim\"\nurl = \"{}\"\nlinger = \"3s\"", venue.url));
    let _good = Stream::open(gateway.address, "/v1/stream/GOOD");
    let mut connection = venue.run(async |venue| venue.accept().await);
    let mut asked = |answer: &str| {
        venue.run(async |_| {
            let request: Value = serde_json::from_str(&connection.text().await).unwrap();
            let symbol = &request["symbols"][0];
            connection.send(&json!({ "op": answer, "id": request["id"], "symbol": symbol }).to_string()).await;
            format!("{} {symbol}", request["op"])
        })
    };
    assert_eq!(asked("ack"), r#""subscribe" "GOOD""#);
    let reasons = |ticks: Vec<Tick>| ticks.iter().map(|tick| tick.text("reason").to_owned()).collect::<Vec<_>>();
    let mut first = Stream::open(gateway.address, "/v1/stream/NOPE");
    first.named("hello");
    assert_eq!(asked("refuse"), r#""subscribe" "NOPE""#);
    assert_eq!(reasons(vec![first.tick(), first.tick()]), ["no_data", "not_granted"]);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while subscribed(&gateway, "on-demand-refused") > 1 {
        assert!(Instant::now() < deadline, "the refused symbol stays");
    }
    for _ in 0..3 {
        let mut again = Stream::open(gateway.address, "/v1/stream/NOPE");
        again.named("hello");
        assert_eq!(reasons(vec![again.tick()]), ["not_granted"], "at once");
    }
    assert_eq!(subscribed(&gateway, "on-demand-refused"), 1);
    let mut other = Stream::open(gateway.address, "/v1/stream/OTHER");
    other.named("hello");
    assert_eq!(asked("ack"), r#""subscribe" "OTHER""#, "the venue was not asked for the refused one");
    let metrics = Client::connect(gateway.admin).get("/metrics").body;
    let line = "tickfan_demand_refused_total{feed=\"on-demand-refused\",reason=\"venue\"} 3\n";
    assert!(metrics.contains(line), "no {line}");
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

/// A book, its feed, and a cache, with names that come and go through them.
struct Churn {
    cache: Arc<Cache>,
    on_demand: OnDemand,
    changes: mpsc::Receiver<Vec<ListChange<Arc<SymbolState>>>>,
    now: Now,
    names: usize,
}

impl Churn {
    const LIMIT: usize = 1_000;
    const LINGER: Duration = Duration::from_secs(1);

    fn new() -> Self {
        let cache = Arc::new(Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::from_secs(1) }));
        let patterns = vec!["*".parse().unwrap()];
        let settings = config::OnDemand { patterns, symbols_max: Self::LIMIT, linger: Self::LINGER };
        let feed = config::Feed { on_demand: Some(settings), ..config::Feed::new(venue::DEFAULT, Vec::new()) };
        let (changes_tx, changes) = mpsc::channel(4);
        let feed = DemandFeed::new(&feed, changes_tx).unwrap();
        let on_demand = OnDemand::new(cache.clone(), vec![feed]).unwrap();
        Self { cache, on_demand, changes, now: Now::read(), names: 0 }
    }

    /// A stream of an address of its own has this many names that were never asked for, each of which trades, or is
    /// refused by the venue. Then it leaves.
    fn stream(&mut self, count: usize) {
        let names: Vec<Symbol> =
            (self.names..self.names + count).map(|number| format!("S{number}").parse().unwrap()).collect();
        let address = Ipv4Addr::from_bits((10 << 24) + (self.names / count) as u32);
        self.names += count;
        let (states, lease) = self.on_demand.ask(&names, std::net::IpAddr::V4(address).into(), usize::MAX, self.now);
        let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
        for (number, state) in states.iter().enumerate() {
            let state = state.as_ref().unwrap();
            state.join(worker, Parts::ALL, &mut VecDeque::new());
            if number.is_multiple_of(10) {
                state.set_refused(Some(Reason::NotGranted), self.now);
            } else {
                let trade = Some(TradeUpdate::default());
                state.publish(&Update { trade, ..Update::default() }, self.now);
            }
            state.leave(worker, Parts::ALL, self.now);
        }
        drop((states, lease));
        while self.changes.try_recv().is_ok() {}
    }

    /// All that was asked for has been dropped, and is forgotten.
    fn rest(&mut self) {
        for _ in 0..3 {
            self.now = self.now.after(Self::LINGER * 10);
            self.on_demand.sweep(self.now);
            while self.changes.try_recv().is_ok() {}
        }
        assert_eq!(self.cache.len(), 0);
    }
}

/// What names leave behind that came and went is memory that the allocator knows of; how much the process has of the
/// system is for `process demand::`.
#[test]
fn rule_10_names_that_come_and_go_leave_no_byte_behind() {
    let mut churn = Churn::new();
    let mut after = |names: usize| {
        let until = churn.names + names;
        while churn.names < until {
            churn.stream(25);
            churn.now = churn.now.after(Duration::from_millis(50));
            if churn.names.is_multiple_of(100) {
                churn.on_demand.sweep(churn.now);
            }
        }
        churn.rest();
        live()
    };
    // A map or a list may have grown to the size that it needs in one of these times, but not in each.
    let lives: Vec<isize> = (0..8).map(|_| after(10_000)).collect();
    let more: Vec<isize> = lives.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(more.contains(&0), "ten thousand names always leave bytes behind: {more:?}");
}
