//! Gateways that serve the same symbols as nodes of one cluster: one has the connection to the venue. The bus and the
//! store of leases are in memory, all else is real.

mod rig;

use crate::support::PATIENCE;
use bytes::Bytes;
use rig::{Reader, Rig};
use serde_json::json;
use std::{collections::BTreeSet, io, time::Instant};
use tickfan::{
    cluster::{
        bus::{Bus as _, Connection, Sent, Subjects, Subscription as _},
        memory::MemoryBroker,
    },
    market::{Date, Hours, Now, Schedule},
    venue::{self, Spec, StartServer},
};
use venue_sim::binance::{quote, trade};

const PRICES: [&str; 4] = ["61837.63000000", "61837.64000000", "61837.65000000", "61837.66000000"];

/// The number in a price of [`PRICES`] as ticks show it.
fn shown(price: &str) -> &str {
    price.trim_end_matches('0')
}

#[test]
fn one_node_has_the_connection_and_the_streams_of_all_carry_the_same_ticks() {
    let rig = Rig::start();
    let nodes = ["a", "b", "c"].map(|name| rig.node(name));
    let mut readers = nodes.each_ref().map(Reader::open);
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    for reader in &mut readers {
        reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[0]));
    }
    for number in 2..60 {
        connection.send(&trade("BTCUSDT", number, PRICES[number as usize % 2]));
        connection.send(&quote("ETHUSDT", number, PRICES[0], PRICES[1]));
    }
    connection.send(&trade("BTCUSDT", 60, PRICES[3]));
    let ticks = readers.each_mut().map(|reader| {
        reader.ticks.clear();
        reader.until(|tick| tick.text("price") == shown(PRICES[3]));
        reader.of("BTC-USDT")
    });
    assert_eq!(ticks[0].len(), 59, "{:?}", ticks[0]);
    assert!(ticks[0].iter().all(|(id, _)| id.is_some()));
    assert_eq!(ticks[0], ticks[1]);
    assert_eq!(ticks[0], ticks[2]);

    let owners: Vec<bool> = nodes.iter().map(|node| node.shard()["owns"].as_bool().unwrap()).collect();
    assert_eq!(owners.iter().filter(|owns| **owns).count(), 1);
    let epochs: BTreeSet<String> = readers.iter().map(|reader| reader.hellos.last().unwrap().clone()).collect();
    assert_eq!(epochs.len(), 1, "all say the same epoch: {epochs:?}");
}

#[test]
fn an_owner_that_dies_is_replaced_and_open_streams_are_greeted_again() {
    let rig = Rig::start();
    let nodes = ["a", "b", "c"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let (owner, others) = rig::split(nodes);
    let mut readers = others.each_ref().map(Reader::open);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    let before = readers.each_mut().map(|reader| reader.until(|tick| tick.text("state") == "live"));
    readers.iter_mut().for_each(|reader| reader.hellos.clear());

    drop(owner);
    for reader in &mut readers {
        let stale = reader.until(|tick| tick.text("symbol") == "BTC-USDT" && tick.text("state") == "stale");
        assert_eq!(stale.text("price"), shown(PRICES[0]));
        assert_eq!(reader.hellos.len(), 1, "the numbers of a node that is cut off are its own");
    }
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 2, PRICES[1]));
    let after = readers
        .each_mut()
        .map(|reader| reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[1])));
    assert_eq!((after[0].id.clone(), &after[0].fields), (after[1].id.clone(), &after[1].fields));
    for (reader, (before, after)) in readers.iter().zip(before.iter().zip(&after)) {
        assert!(reader.hellos.len() >= 2 && reader.hellos.last() != reader.hellos.first());
        assert!(after.number("seq") > before.number("seq"), "the heir goes on behind what it knows");
        assert_eq!(after.number("trades"), before.number("trades") + 1, "the heir takes a trade twice, or not");
    }
}

#[test]
fn a_node_that_stops_hands_its_shard_over_and_the_epoch_goes_on() {
    let rig = Rig::start();
    let nodes = ["a", "b", "c"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let (owner, others) = rig::split(nodes);
    let mut readers = others.each_ref().map(Reader::open);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    let before = readers.each_mut().map(|reader| reader.until(|tick| tick.text("state") == "live"));
    readers.iter_mut().for_each(|reader| reader.hellos.clear());
    owner.sees_synced(2);
    let owner_name = owner.name;
    let stops = std::thread::spawn(move || owner.stop());
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 2, PRICES[1]));
    let [heir, other] =
        if others[0].shard()["owns"] == true { [&others[0], &others[1]] } else { [&others[1], &others[0]] };
    other.notes("owned elsewhere", &format!("by {}; was by {owner_name}", heir.name));
    for (reader, before) in readers.iter_mut().zip(&before) {
        reader.ticks.clear();
        let after = reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[1]));
        assert!(reader.hellos.is_empty(), "the epoch goes on: {:?}, {}", reader.hellos, rig::transitions(&others));
        let reasons: Vec<_> = reader.ticks.iter().map(|tick| tick.text("reason")).collect();
        assert_eq!(reasons, ["reconnect", ""]);
        assert_eq!(after.number("seq"), before.number("seq") + 2, "without a hole");
        assert_eq!(after.number("trades"), 2);
    }
    stops.join().unwrap();
}

#[test]
fn an_heir_whose_feed_is_within_its_hours_opens_the_symbols_that_the_owner_closed() {
    let today = Date::of(Now::read().unix);
    let closed_days = (-2..=2).map(|days| today.plus(days)).collect();
    let rig = Rig::start();
    let owner = rig.node_with("a", |feed| feed.schedule = Schedule::new(Hours::UsEquities, closed_days));
    let mut connection = rig.grant();
    // Its hours were corrected; or the night is over.
    let heir = rig.node("b");
    let mut reader = Reader::open(&heir);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    reader.until(|tick| tick.text("state") == "closed" && tick.text("price") == shown(PRICES[0]));
    owner.sees_synced(1);
    let stops = std::thread::spawn(move || owner.stop());
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 2, PRICES[1]));
    let opened = reader.until(|tick| tick.text("price") == shown(PRICES[1]));
    assert_eq!(opened.text("state"), "live");
    stops.join().unwrap();
}

/// A venue whose server in the process cannot start.
fn dead_venue() -> &'static Spec {
    let start = StartServer::Simulator(|_, _| Err(io::Error::other("no port is left")));
    Box::leak(Box::new(Spec { local_server: Some(start), ..*venue::find("sim").unwrap() }))
}

#[test]
fn an_owner_whose_feed_ends_says_so_and_gives_the_shard_to_a_node_that_can_run_it() {
    let rig = Rig::start();
    let owner = rig.node_with("a", |feed| {
        feed.venue = dead_venue();
        feed.url = None;
    });
    let mut reader = Reader::open(&owner);
    owner.notes("feed ended", "no port is left");
    owner.notes("feed started", "no other node took the shard");
    let heir = rig.node("b");
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[0]));
    assert_eq!((&owner.shard()["owns"], &heir.shard()["owns"]), (&false.into(), &true.into()));
}

#[test]
fn an_owner_that_does_not_reach_its_venue_gives_the_shard_to_a_node_that_does() {
    let rig = Rig::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let owner = rig.node_with("a", |feed| feed.url = Some(format!("ws://{closed}")));
    owner.until("/debug/cluster", |seen| seen["shards"][0]["feed"] == "failed");
    let heir = rig.node("b");
    let mut reader = Reader::open(&owner);
    owner.sees_synced(1);
    assert_eq!((&owner.shard()["owns"], &owner.shard()["feed_fails"]), (&true.into(), &false.into()));
    // It takes the 30 s that an outage of the venue is given.
    owner.until("/debug/cluster", |seen| {
        let mut transitions = seen["transitions"].as_array().unwrap().iter();
        transitions.any(|noted| noted["to"] == "handing over" && noted["cause"] == "its feed fails on this node")
    });
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[0]));
    let seen = heir.until("/debug/cluster", |seen| seen["others"][0]["feed_fails"] == json!(["crypto.0"]));
    assert_eq!((&seen["shards"][0]["owns"], &seen["shards"][0]["feed_fails"]), (&true.into(), &false.into()));
    assert!(owner.get("/metrics").body.contains(r#"tickfan_cluster_feed_fails{shard="crypto.0"} 1"#));
    let refused = heir.post("/debug/cluster/crypto.0/give");
    assert!(refused.status == 409 && refused.body.contains("no-successor"), "{}", refused.body);
}

#[test]
fn a_node_that_is_cut_off_says_so_and_goes_on_without_a_loss() {
    let rig = Rig::start();
    let nodes = ["a", "b"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let [owner, other] = rig::split_two(nodes);
    let mut reader = Reader::open(&other);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    let before = reader.until(|tick| tick.text("state") == "live");
    let hello = reader.hellos.last().cloned();
    reader.hellos.clear();

    other.bus.set_connected(Connection::Live, false);
    let stale = reader.until(|tick| tick.text("symbol") == "BTC-USDT" && tick.text("state") == "stale");
    assert_eq!((stale.text("reason"), stale.text("price")), ("no_owner", shown(PRICES[0])));
    assert_eq!(stale.id, before.id, "a client that resumes elsewhere misses nothing");
    assert!(reader.hellos.len() == 1 && reader.hellos.last() != hello.as_ref());
    connection.send(&trade("BTCUSDT", 2, PRICES[1]));
    other.bus.set_connected(Connection::Live, true);
    let after = reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[1]));
    assert_eq!(reader.hellos.last(), hello.as_ref(), "the owner's epoch again");
    assert_eq!(after.number("seq"), before.number("seq") + 1);
    assert_eq!(owner.shard()["owns"], true);
}

#[test]
fn an_owner_whose_lease_is_not_renewed_says_nothing_more_and_follows_its_heir() {
    let rig = Rig::start();
    let nodes = ["a", "b"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let [owner, other] = rig::split_two(nodes);
    let mut readers = [&owner, &other].map(Reader::open);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    readers.iter_mut().for_each(|reader| drop(reader.until(|tick| tick.text("state") == "live")));

    owner.set_leases_fail(true);
    let stale = readers[0].until(|tick| tick.text("symbol") == "BTC-USDT" && tick.text("state") == "stale");
    assert_eq!(stale.text("reason"), "no_owner");
    // An owner that still read from its socket would show this price.
    connection.send(&trade("BTCUSDT", 2, PRICES[2]));
    let mut heirs = rig.grant();
    heirs.send(&trade("BTCUSDT", 3, PRICES[1]));
    let after = readers
        .each_mut()
        .map(|reader| reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[1])));
    assert_eq!((&after[0].id, &after[0].fields), (&after[1].id, &after[1].fields));
    for reader in &readers {
        assert!(reader.ticks.iter().all(|tick| tick.text("price") != shown(PRICES[2])));
    }
    assert_eq!((&owner.shard()["owns"], &other.shard()["owns"]), (&false.into(), &true.into()));
}

#[test]
fn an_operator_gives_a_shard_away_and_readiness_waits_for_the_state() {
    let rig = Rig::start();
    let nodes = ["a", "b"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let [owner, other] = rig::split_two(nodes);
    let mut reader = Reader::open(&other);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    reader.until(|tick| tick.text("state") == "live");
    let name = other.name;
    owner.sees_synced(1);
    assert_eq!(other.post("/debug/cluster/crypto.0/give").status, 409, "it owns nothing");
    assert_eq!(owner.post("/debug/cluster/other.0/give").status, 404);
    assert_eq!(owner.post("/debug/cluster/crypto.0/give?to=nowhere").status, 404);
    let metrics = other.get("/metrics").body;
    for line in [
        r#"tickfan_bus_delay_seconds_bucket{shard="crypto.0",le="+Inf"}"#,
        r#"tickfan_bus_reconnects_total{connection="live"} 0"#,
        r#"tickfan_bus_overflows_total{connection="control"} 0"#,
        "tickfan_cluster_shares_name 0",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    let deadline = Instant::now() + PATIENCE;
    while other.get("/metrics").body.contains(r#"tickfan_bus_delay_seconds_count{shard="crypto.0"} 0"#) {
        assert!(Instant::now() < deadline, "the follower has no samples");
    }
    let answer = owner.post(&format!("/debug/cluster/crypto.0/give?to={name}"));
    assert_eq!(answer.status, 202, "{}", answer.body);
    let mut connection = rig.grant();
    connection.send(&trade("BTCUSDT", 2, PRICES[1]));
    let after = reader.until(|tick| tick.text("state") == "live" && tick.text("price") == shown(PRICES[1]));
    assert_eq!(after.number("trades"), 2);
    assert_eq!(other.shard()["owns"], true);
    let transitions = owner.get("/debug/cluster").json()["transitions"].as_array().unwrap().clone();
    let last: Vec<_> = transitions.iter().map(|transition| transition["to"].as_str().unwrap()).collect();
    assert!(last.contains(&"handed over"), "{last:?}");
    let metrics = other.get("/metrics").body;
    for line in [
        r#"tickfan_cluster_owned{shard="crypto.0"}"#,
        "tickfan_cluster_nodes",
        r#"tickfan_cluster_owner_changes_total{shard="crypto.0",reason="granted"}"#,
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[test]
fn an_owner_that_has_no_successor_says_so_and_keeps_its_shard() {
    let rig = Rig::start();
    let node = rig.node("a");
    let _connection = rig.grant();
    let answer = node.post("/debug/cluster/crypto.0/give");
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body.contains("no-successor"), "{}", answer.body);
    assert_eq!(node.shard()["owns"], true);
    let seen = node.get("/debug/cluster").json();
    assert_eq!((&seen["node"]["streams"], &seen["links"]["live"]["connects"]), (&0.into(), &1.into()), "{seen}");
}

#[test]
fn a_stream_that_was_on_one_node_resumes_on_another() {
    let rig = Rig::start();
    let nodes = ["a", "b"].map(|name| rig.node(name));
    let mut connection = rig.grant();
    let [owner, other] = rig::split_two(nodes);
    let mut readers = [Reader::open(&owner), Reader::open(&other)];
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    let [first, _] = readers.each_mut().map(|reader| reader.until(|tick| tick.text("state") == "live"));
    for number in 2..10 {
        connection.send(&trade("BTCUSDT", number, PRICES[number as usize % 2]));
    }
    connection.send(&trade("BTCUSDT", 10, PRICES[3]));
    readers.iter_mut().for_each(|reader| drop(reader.until(|tick| tick.text("price") == shown(PRICES[3]))));
    let id = first.id.as_deref().unwrap();
    let mut resumed = Reader::open_at(&other, &format!("/v1/stream/BTC-USDT?last_event_id={id}"));
    let last = resumed.until(|tick| tick.text("price") == shown(PRICES[3]));
    let seqs: Vec<_> = resumed.ticks.iter().map(|tick| tick.number("seq")).collect();
    assert_eq!(seqs, (first.number("seq") + 1..=last.number("seq")).collect::<Vec<_>>());
    assert_eq!(seqs.len(), 9, "all behind the id");
}

#[test]
fn a_node_with_fewer_symbols_is_told_and_is_not_given_the_shard() {
    let rig = Rig::start();
    let owner = rig.node("a");
    let mut connection = rig.grant();
    let other = rig.node_with("b", |feed| feed.symbols.truncate(1));
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    owner.sees_synced(1);
    for (node, name) in [(&owner, "b"), (&other, "a")] {
        let seen = node.until("/debug/cluster", |seen| seen["others"][0]["other_symbols"] == json!(["crypto.0"]));
        assert_eq!((&seen["others"][0]["name"], &seen["others"][0]["is"]), (&json!(name), &json!("alive")));
        assert!(node.get("/metrics").body.contains(r#"tickfan_cluster_lists_differ{shard="crypto.0"} 1"#));
    }
    assert_eq!((&owner.shard()["symbols"], &other.shard()["symbols"]), (&json!(2), &json!(1)));
    let refused = owner.post("/debug/cluster/crypto.0/give?to=b");
    assert!(refused.status == 409 && refused.body.contains("lacks-symbols"), "{}", refused.body);
    assert_eq!(owner.post("/debug/cluster/crypto.0/give").status, 409);
    // One that stops gives it to a node that lacks symbols rather than to none.
    let stops = std::thread::spawn(move || owner.stop());
    let _connection = rig.venue.grant(&["btcusdt"]);
    stops.join().unwrap();
    assert_eq!(other.shard()["owns"], true);
}

#[test]
fn a_node_tells_who_runs_a_feed_and_what_it_cannot_know() {
    let rig = Rig::start();
    let owner = rig.node("a");
    let mut connection = rig.grant();
    let other = rig.node("b");
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    owner.sees_synced(1);
    let feed = |reason: &'static str| {
        move |seen: &serde_json::Value| seen["feeds"][0]["state"] == "following" && seen["feeds"][0]["reason"] == reason
    };
    let seen = other.until("/debug/feeds", feed("a runs the feed: live"));
    assert_eq!(
        (&seen["totals"]["states"]["following"], &seen["totals"]["states"]["connecting"]),
        (&json!(1), &json!(0))
    );
    other.bus.set_connected(Connection::Control, false);
    other.until(
        "/debug/feeds",
        feed("this node is not connected to its brokers, so it does not know which node runs the feed"),
    );
    assert_eq!(other.shard()["owner"], serde_json::Value::Null);
    let refused = other.post("/debug/cluster/crypto.0/give");
    assert!(refused.status == 503 && refused.body.contains("no-brokers"), "{}", refused.body);
    drop(other);
    let seen = owner.until("/debug/cluster", |seen| seen["others"][0]["is"] == "lost");
    assert_eq!(seen["others"][0]["name"], "b", "it is shown for a while");
    assert!(owner.get("/metrics").body.contains("tickfan_cluster_nodes 1"));
}

/// In a rolling change another node may want, ask, report itself and hand over in another version of the format.
#[test]
fn messages_of_another_version_are_counted_whatever_they_say() {
    let rig = Rig::start();
    let node = rig.node("a");
    let _connection = rig.grant();
    let (bus, subjects, shard) = (rig.broker.connect(), Subjects::new("test"), "crypto.0".parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let json = || Bytes::from_static(br#"{"v":2}"#);
    for subject in [subjects.want(&shard), subjects.node(&"b".parse().unwrap()), subjects.give(&"a".parse().unwrap())] {
        assert_eq!(bus.publish(&subject, json()), Sent::Sent);
    }
    let _answers = runtime.block_on(bus.ask(&subjects.ask(&shard), Bytes::from_static(b"tf\x02\x00")));
    // Wants and asks are the shard's, reports and hand-overs the node's.
    node.until("/debug/cluster", |seen| {
        let of_shard = &seen["shards"][0]["dropped"]["unreadable"]["version"];
        (of_shard, &seen["node"]["other_version"]) == (&json!(2), &json!(2))
    });
    let metrics = node.get("/metrics").body;
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("tickfan_bus_dropped_total{reason=\"version\"} "));
    // The counters are those of all nodes of this process.
    assert!(dropped.is_some_and(|count| count.parse::<u64>().unwrap() >= 4), "{metrics}");
}

/// What the owner publishes comes to the other node as messages of the next version, in a rolling change for example.
#[test]
fn a_node_that_does_not_read_the_owners_version_says_so_stays_without_data_and_does_not_claim() {
    let rig = Rig::start();
    let other_broker = MemoryBroker::default();
    let owner = rig.node("a");
    let mut connection = rig.grant();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (from, to) = (rig.broker.connect(), other_broker.connect());
    runtime.spawn(async move {
        let live = Subjects::new("test").live(&"crypto.0".parse().unwrap());
        let mut messages = from.subscribe(&live).await;
        while let Some(message) = messages.next().await {
            let mut bytes = message.payload.to_vec();
            bytes[2] += 1;
            let sum = crc32fast::hash(&[&bytes[..4], &bytes[8..]].concat());
            bytes[4..8].copy_from_slice(&sum.to_le_bytes());
            let _ = to.publish(&live, bytes.into());
        }
    });
    let other = rig.node_at(&other_broker, "b", |_| {});
    let mut reader = Reader::open(&other);
    connection.send(&trade("BTCUSDT", 1, PRICES[0]));
    let version = |seen: &serde_json::Value| seen["shards"][0]["dropped"]["unreadable"]["version"].as_u64();
    let seen = other.until("/debug/cluster", |seen| version(seen) > Some(0));
    // Two leases long the owner renews its own.
    let revision = seen["shards"][0]["revision"].as_u64().unwrap_or_default();
    let seen = other.until("/debug/cluster", |seen| seen["shards"][0]["revision"].as_u64() > Some(revision + 12));
    let shard = &seen["shards"][0];
    assert_eq!((&shard["owns"], &shard["synced"], &shard["owner"]), (&false.into(), &false.into(), &json!("a")));
    assert_eq!(owner.shard()["owns"], true);
    let metrics = other.get("/metrics").body;
    let is_counted = |line: &str| {
        line.strip_prefix("tickfan_bus_dropped_total{reason=\"version\"} ").is_some_and(|count| count != "0")
    };
    assert!(metrics.lines().any(is_counted), "{metrics}");
    assert_eq!(other.get("/readyz").status, 503);
    assert!(reader.until(|tick| tick.text("symbol") == "BTC-USDT").text("state") == "waiting");
}
