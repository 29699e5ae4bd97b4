//! The whole gateway over sockets, from its venues to its clients: how a lost connection and a stop look from outside.

use crate::support::{
    AT_ONCE, Client, PATIENCE, recorded,
    reference::Fields,
    running::{Running, binance, config, serve_https},
    stream::{Event, Stream, Tick, fields},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tickfan::{
    auth::KeySet,
    config::{AuthMode, Config, DelayLine, Feed, FeedTier, KeySource, OnDemand, Record, Standby},
    market::FailoverLimits,
    telemetry::{
        Metric,
        catalog::{HTTP_REQUESTS, PROCESS, SECTIONS},
    },
    venue::Secret,
};
use venue_sim::{
    binance::{quote, trade},
    blocking::Venue,
};

const ALL: &str = "/v1/stream?symbols=BTC-USDT,ETH-USDT,SOL-USDT";

/// Clients sign on with tokens of a secret.
fn sign_on(config: &mut Config) {
    let keys = Arc::new(KeySet::of_secret(&[7; 32]).unwrap());
    config.auth.mode = AuthMode::Required;
    config.auth.source = Some(KeySource::SecretVariable { name: "S".to_owned(), secret: Secret::new("hush"), keys });
}

fn now_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}

/// A symbol's tick as a REST client is shown it.
fn shown(address: SocketAddr, symbol: &str) -> Tick {
    let answer = Client::connect(address).get(&format!("/v1/quotes/{symbol}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    let quotes = fields(&answer.body).remove("quotes").unwrap();
    Tick { id: None, fields: fields(quotes.strip_prefix('[').unwrap().strip_suffix(']').unwrap()) }
}

/// The fields of a tick that say what it is worth.
fn worth(tick: &Tick) -> [&str; 4] {
    ["kind", "state", "reason", "stale"].map(|name| tick.fields.get(name).map_or("", |text| text.trim_matches('"')))
}

/// The fields that nothing but the venue can change.
fn of_venue(tick: &Tick) -> Fields {
    let own = ["seq", "kind", "state", "since", "reason", "stale"];
    tick.fields.clone().into_iter().filter(|(name, _)| !own.contains(&name.as_str())).collect()
}

/// The next tick, which must be this one.
fn next(stream: &mut Stream, symbol: &str, seq: u64) -> Tick {
    let tick = stream.tick();
    assert_eq!((tick.text("symbol"), tick.number("seq")), (symbol, seq), "{tick:?}");
    tick
}

#[test]
fn rule_7_a_cut_connection_makes_its_symbols_stale_and_each_is_live_again_with_its_own_next_update() {
    let venue = Venue::bind();
    let other_venue = Venue::bind();
    let config = config(vec![
        binance("crypto", &venue.url, &["BTC-USDT", "ETH-USDT"]),
        binance("other", &other_venue.url, &["SOL-USDT"]),
    ]);
    let gateway = Running::start(&config);
    let mut connection = venue.grant(&["btcusdt", "ethusdt"]);
    let mut other = other_venue.grant(&["solusdt"]);
    let mut stream = Stream::open(gateway.address, ALL);
    stream.named("hello");
    for _ in 0..3 {
        assert_eq!(worth(&stream.tick()), ["status", "waiting", "no_data", ""]);
    }
    // BTC trades and is quoted, ETH is quoted, SOL trades.
    connection.send(&trade("BTCUSDT", 1, "61837.63000000"));
    assert_eq!(worth(&next(&mut stream, "BTC-USDT", 1)), ["trade", "live", "", ""]);
    connection.send(&quote("BTCUSDT", 1, "61837.63000000", "61837.64000000"));
    let btc = next(&mut stream, "BTC-USDT", 2);
    assert_eq!(worth(&btc), ["quote", "live", "", ""]);
    connection.send(&quote("ETHUSDT", 1, "2683.80000000", "2683.81000000"));
    let eth = next(&mut stream, "ETH-USDT", 1);
    other.send(&trade("SOLUSDT", 1, "153.10000000"));
    let sol = next(&mut stream, "SOL-USDT", 1);

    // The stream and every query show it at once, with the last known values, and the other feed is not affected.
    let cut_at = now_micros();
    connection.cut();
    let mut lost = [stream.tick(), stream.tick()];
    lost.sort_by(|a, b| a.text("symbol").cmp(b.text("symbol")));
    for ((tick, before), stale) in lost.iter().zip([&btc, &eth]).zip([r#"["trade","quote"]"#, r#"["quote"]"#]) {
        assert_eq!(tick.number("seq"), before.number("seq") + 1);
        assert_eq!(worth(tick), ["status", "stale", "connection_lost", stale]);
        let since = tick.number("since");
        assert!((cut_at..cut_at + AT_ONCE.as_micros() as u64).contains(&since), "cut at {cut_at}, stale since {since}");
        assert_eq!(of_venue(tick), of_venue(before));
        assert_eq!(shown(gateway.address, tick.text("symbol")).fields, tick.fields);
    }
    assert_eq!(shown(gateway.address, "SOL-USDT").fields, sol.fields);
    let mut late = Stream::open(gateway.address, "/v1/stream/BTC-USDT");
    late.named("hello");
    assert_eq!(late.tick().fields, lost[0].fields, "who comes now sees it too");

    // The connection alone renews nothing; even the same bid again does, but only that part of that symbol.
    let mut connection = venue.grant(&["btcusdt", "ethusdt"]);
    connection.send(&quote("BTCUSDT", 2, "61837.63000000", "61837.64000000"));
    assert_eq!(worth(&next(&mut stream, "BTC-USDT", 4)), ["status", "live", "", r#"["trade"]"#]);
    assert_eq!(shown(gateway.address, "ETH-USDT").fields, lost[1].fields);
    connection.send(&trade("BTCUSDT", 2, "61837.64000000"));
    assert_eq!(worth(&next(&mut stream, "BTC-USDT", 5)), ["trade", "live", "", ""]);
    assert_eq!(shown(gateway.address, "ETH-USDT").fields, lost[1].fields);
    connection.send(&quote("ETHUSDT", 2, "2683.80000000", "2683.82000000"));
    assert_eq!(worth(&next(&mut stream, "ETH-USDT", 3)), ["quote", "live", "", ""]);
    other.send(&trade("SOLUSDT", 2, "153.20000000"));
    assert_eq!(worth(&next(&mut stream, "SOL-USDT", 2)), ["trade", "live", "", ""]);
    gateway.stop().unwrap();
}

#[test]
fn rule_12_a_stop_says_goodbye_to_each_stream_and_a_new_start_has_another_epoch() {
    let mut epochs = Vec::new();
    for _ in 0..2 {
        let venue = Venue::bind();
        let mut config = config(vec![binance("crypto", &venue.url, &["BTC-USDT"])]);
        config.server.drain = Duration::from_millis(200);
        let gateway = Running::start(&config);
        let mut connection = venue.grant(&["btcusdt"]);
        let mut streams: Vec<_> = (0..20).map(|_| Stream::open(gateway.address, "/v1/stream/BTC-USDT")).collect();
        for stream in &mut streams {
            epochs.push(stream.named("hello")["epoch"].as_str().unwrap().to_owned());
            assert_eq!(stream.tick().text("seq"), "0");
        }
        connection.send(&trade("BTCUSDT", 1, "61837.63000000"));
        for stream in &mut streams {
            let id = stream.tick().id.unwrap();
            assert!(id.starts_with(&format!("{}-", epochs.last().unwrap())), "{id} is of another epoch");
        }
        let address = gateway.address;
        let readers: Vec<_> =
            streams.into_iter().map(|stream| std::thread::spawn(move || say_goodbye(stream))).collect();
        gateway.stop().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        assert!(TcpStream::connect(address).is_err(), "the listener is closed");
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 2, "one epoch for all streams of a life, another for the next: {epochs:?}");
}

fn say_goodbye(mut stream: Stream) {
    assert_eq!(stream.named("bye")["reason"], "shutdown");
    assert!(stream.next().is_none(), "nothing comes after the goodbye");
}

#[test]
fn rule_12_a_stop_ends_streams_over_the_drain_window_and_ticks_go_on_meanwhile() {
    let venue = Venue::bind();
    let mut config = config(vec![binance("crypto", &venue.url, &["BTC-USDT"])]);
    config.server.drain = Duration::from_secs(3);
    let gateway = Running::start(&config);
    let mut connection = venue.grant(&["btcusdt"]);
    let mut streams: Vec<_> = (0..40).map(|_| Stream::open(gateway.address, "/v1/stream/BTC-USDT")).collect();
    for stream in &mut streams {
        stream.named("hello");
        stream.tick();
    }
    let stopping = std::thread::spawn(move || gateway.stop());
    // The first goodbye shows that the drain has begun.
    let (ended_tx, ended_rx) = mpsc::channel();
    let reader = |stream: Stream| {
        let ended_tx = ended_tx.clone();
        std::thread::spawn(move || {
            let ticks = ticks_until_goodbye(stream);
            ended_tx.send(()).unwrap();
            ticks
        })
    };
    let readers: Vec<_> = streams.into_iter().map(reader).collect();
    ended_rx.recv_timeout(PATIENCE).expect("the drain begins");
    connection.send(&trade("BTCUSDT", 1, "61837.63000000"));
    let ticks: Vec<u32> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(ticks.contains(&1) && ticks.contains(&0), "{ticks:?}: some had left before the trade, some had not");
    stopping.join().unwrap().unwrap();
}

/// How many ticks come before the goodbye.
fn ticks_until_goodbye(mut stream: Stream) -> u32 {
    let mut ticks = 0;
    loop {
        match stream.next() {
            Some(Event::Tick(_)) => ticks += 1,
            Some(Event::Named(name, data)) => {
                assert_eq!((name.as_str(), &data["reason"]), ("bye", &"shutdown".into()));
                return ticks;
            }
            None => panic!("it ended without a goodbye"),
        }
    }
}

/// The label values of a scrape, by metric and label. `le` belongs to the buckets of a histogram.
fn scraped_labels(text: &str) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else { continue };
        let name = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let labels = rest.split_once('}').unwrap().0.split(',').map(|label| label.split_once('=').unwrap());
        for (label, value) in labels.filter(|(label, _)| *label != "le") {
            found.entry((name, label)).or_default().insert(value.trim_matches('"'));
        }
    }
    found
}

#[test]
fn a_scrape_has_the_metrics_types_and_labels_of_the_catalog() {
    let venue = Venue::bind();
    let record = Some(Record { folder: recorded::folder("catalog"), bytes_max: 1 << 30 });
    let line = DelayLine { delay: Duration::from_secs(900), step: Duration::from_secs(5) };
    let tier = FeedTier::LiveAndDelayed(line);
    let feed = Feed { record, tier, ..binance("catalog", &venue.url, &["BTC-USDT"]) };
    let limits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(30) };
    let standby = Some(Standby { primary: "catalog".to_owned(), limits });
    let spare = Feed { standby, ..binance("catalog-spare", &venue.url, &["BTC-USDT"]) };
    let on_demand = OnDemand { patterns: vec!["*".parse().unwrap()], symbols_max: 9, linger: Duration::from_secs(60) };
    let demanded = Feed { on_demand: Some(on_demand), ..binance("catalog-demand", &venue.url, &[]) };
    let mut config = config(vec![feed, spare, demanded]);
    serve_https(&mut config, "catalog-tls");
    sign_on(&mut config);
    let gateway = Running::start(&config);
    let _connection = venue.grant(&["btcusdt"]);
    let text = Client::connect(gateway.admin).get("/metrics").body;
    let catalog: BTreeMap<&str, &Metric> = SECTIONS
        .iter()
        .flat_map(|(_, metrics)| metrics.iter().copied())
        .chain(PROCESS)
        .map(|metric| (metric.name, metric))
        .collect();
    let types: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for (name, kind) in &types {
        let metric = catalog.get(name).unwrap_or_else(|| panic!("{name} is not in the catalog"));
        assert_eq!(metric.kind.name(), *kind, "{name}");
    }
    // A histogram of the recorder has no series before its first sample, and a request counts after its response.
    let absent: Vec<_> = catalog.keys().filter(|name| !types.contains_key(*name)).collect();
    let may_be_absent = ["tickfan_feed_lag_seconds", HTTP_REQUESTS.name()];
    // This gateway is alone; `tests/it/cluster/` looks at those of a node.
    let is_of_cluster = |name: &str| name.starts_with("tickfan_cluster_") || name.starts_with("tickfan_bus_");
    assert!(absent.iter().all(|name| may_be_absent.contains(name) || is_of_cluster(name)), "{absent:?}");
    for ((name, label), values) in scraped_labels(&text) {
        let declared = catalog[name].labels.iter().find(|declared| declared.name == label);
        let declared = declared.unwrap_or_else(|| panic!("{name} has no label {label} in the catalog"));
        let closed: BTreeSet<_> = declared.values.iter().copied().collect();
        // Routes are counted as they are asked for; every other closed set is there from the start.
        let is_whole =
            closed.is_empty() || closed == values || (name == HTTP_REQUESTS.name() && closed.is_superset(&values));
        assert!(is_whole, "{name}: the label {label} has the values {values:?} and not {closed:?}");
    }
    gateway.stop().unwrap();
}
