//! Clients of every kind against a real gateway: what they do, and that none of it counts as a fault.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    time::{Duration, Instant},
};
use support::gateway_program;
use tickfan_loadtest::{
    measure::{Asked, Counters, Ended, Process},
    report::{GroupSummary, Outcome, Summary, Whole, page, text},
    run::{Floor, FloorSetup, Gateway, Run, Server, Stop, gateway_config, run, start_venue},
    scenario::{self, Outage, Scenario, Threshold},
    streams::{Group, Popularity, Reads, Setup, StreamPool, Wire},
};

const LOAD: Duration = Duration::from_secs(3);

fn group(count: u32, reads: Reads, churn: f64) -> Group {
    Group {
        name: "clients".to_owned(),
        count,
        symbols: 5,
        popularity: Popularity::Zipf,
        reads,
        churn,
        ..Group::default()
    }
}

/// The venue and the gateway of `smoke`, with other streams; what they get is right.
fn load(gateway: &str, groups: Vec<Group>) -> Summary {
    let (summary, _) = load_through(gateway, groups, &[], true);
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    summary
}

/// The same through outages, and what the gateway had counted in the end, if it is asked.
fn load_through(gateway: &str, groups: Vec<Group>, outages: &[&str], is_watched: bool) -> (Summary, Counters) {
    let (mut scenario, _) = scenario::load("smoke").unwrap();
    scenario.gateway = toml::from_str(gateway).unwrap();
    let outages: Vec<Outage> = outages.iter().map(|text| text.parse().unwrap()).collect();
    let (venue, symbols) = start_venue(&scenario.venue, ([127, 0, 0, 1], 0).into()).unwrap();
    let gateway = Gateway::start(&gateway_program(), &gateway_config(&scenario, &symbols, &venue.url(), None)).unwrap();
    let wanted = Run {
        name: "clients",
        about: "",
        streams: setup(gateway.address, Wire::Tickfan, symbols, groups),
        duration: outages.iter().map(|outage| outage.at.0 + outage.lasts.0).max().unwrap_or_default().max(LOAD),
        outages: &outages,
        server: Server {
            process: Some(Process::new(gateway.pid()).unwrap()),
            admin: Some(gateway.admin).filter(|_| is_watched),
        },
        venue: Some(&venue),
        cluster: None,
        thresholds: &[],
        stop: Stop::default(),
    };
    let summary = run(&wanted, &mut |_| {}).unwrap();
    let counters = gateway.admin.counters().unwrap();
    assert!(gateway.stop(), "the gateway ends well");
    (summary, counters)
}

fn setup(target: SocketAddr, wire: Wire, symbols: Vec<String>, groups: Vec<Group>) -> Setup {
    Setup {
        targets: vec![target],
        host: target.to_string(),
        tls: None,
        headers: Vec::new(),
        wire,
        symbols,
        groups,
        connect_rate: None,
        answer_max: Setup::ANSWER_MAX,
        old_after: Scenario::old_after().0,
        seed: 1,
        percentiles: Asked::default(),
        history: None,
    }
}

#[test]
fn streams_that_leave_resume_with_the_id_of_their_last_tick() {
    // Each stays a second on average.
    let summary = load("", vec![group(20, Reads::AtOnce, 6_000.0), group(20, Reads::AtOnce, 0.0)]);
    assert!(summary.streams.resumed >= 10, "{:?}", summary.streams);
    assert!(summary.streams.groups[0].ended[&Ended::Left] >= 10 && summary.streams.lost == 0);
}

#[test]
fn compressed_streams_are_decoded_and_their_bytes_are_those_of_the_wire() {
    let compressed = Group { name: "compressed".to_owned(), compress: true, ..group(20, Reads::AtOnce, 6_000.0) };
    let summary = load("fanout = { compress_min_streams = 1 }", vec![compressed, group(20, Reads::AtOnce, 0.0)]);
    assert!(summary.streams.lost == 0 && summary.streams.resumed > 0, "{:?}", summary.streams);
    let [compressed, plain] = [0, 1].map(|group| &summary.streams.groups[group]);
    let bytes_per_tick = |group: &GroupSummary| group.bytes / group.ticks;
    assert!(
        bytes_per_tick(compressed) * 3 < bytes_per_tick(plain) * 2,
        "{} of {}",
        bytes_per_tick(compressed),
        bytes_per_tick(plain)
    );
}

#[test]
fn a_gateway_that_does_not_compress_is_an_error_in_words() {
    let (mut scenario, _) = scenario::load("smoke").unwrap();
    scenario.gateway = toml::from_str("server = { compress = false }").unwrap();
    let (venue, symbols) = start_venue(&scenario.venue, ([127, 0, 0, 1], 0).into()).unwrap();
    let gateway = Gateway::start(&gateway_program(), &gateway_config(&scenario, &symbols, &venue.url(), None)).unwrap();
    let compressed = Group { compress: true, ..group(1, Reads::AtOnce, 0.0) };
    let pool = StreamPool::start(setup(gateway.address, Wire::Tickfan, symbols, vec![compressed]), Instant::now());
    let error = pool.unwrap().finish(None).unwrap_err().to_string();
    assert!(error.contains("404 at /v1/dictionary"), "{error}");
}

#[test]
fn slow_readers_miss_what_the_gateway_counts_and_end_on_the_newest() {
    let summary = load("", vec![group(5, Reads::BytesPerSecond(5_000), 0.0), group(5, Reads::AtOnce, 0.0)]);
    let holes = summary.streams.holes.unwrap();
    assert!(holes > 0, "they are slow: {:?}", summary.streams);
    assert_eq!(summary.gateway.unwrap().missed.values().sum::<u64>(), holes);
    let [slow, fast] = [0, 1].map(|group| summary.streams.groups[group].holes);
    assert!(slow > fast && slow + fast == holes, "{slow} and {fast}");
    assert!(summary.slow_age.unwrap().max > summary.age.unwrap().p50);
}

#[test]
fn the_gateway_closes_streams_that_never_read_and_they_do_not_count_as_lost() {
    let stalled = Group { symbols: 20, ..group(5, Reads::Never, 0.0) };
    let summary = load("fanout = { stall_timeout = \"1s\" }", vec![stalled, group(5, Reads::AtOnce, 0.0)]);
    assert_eq!(summary.streams.lost, 0, "{:?}", summary.streams);
    assert!(summary.gateway.unwrap().closed["stalled"] > 0);
}

#[test]
fn after_outages_of_the_venue_nothing_old_is_shown_as_live() {
    let gateway = "feed = { mute_after = \"1s\" }";
    let outages = ["break:500ms:0s", "break:1500ms:1s", "mute:4s:4s"];
    let (summary, counters) = load_through(gateway, vec![group(20, Reads::AtOnce, 0.0)], &outages, true);
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    let disconnects = |reason: &str| counters.sum("tickfan_feed_disconnects_total", &format!("reason=\"{reason}\""));
    assert!(
        disconnects("io") >= Some(2.0) && disconnects("no_data") >= Some(1.0),
        "{:?} {:?}",
        disconnects("io"),
        disconnects("no_data")
    );
}

#[test]
fn a_gateway_that_does_not_notice_a_mute_venue_shows_old_prices_as_live() {
    // By its own default it waits half a minute.
    let (summary, _) = load_through("", vec![group(5, Reads::AtOnce, 0.0)], &["mute:1s:2s"], true);
    assert!(summary.violations.by_rule.contains_key("stale_as_live"), "{:#?}", summary.violations);
}

#[test]
fn a_warning_says_that_holes_are_not_checked() {
    let (summary, _) = load_through("", vec![group(5, Reads::AtOnce, 0.0)], &[], false);
    assert!(summary.warnings.iter().any(|warning| warning.contains("holes are not checked")), "{:?}", summary.warnings);
}

#[test]
fn the_floor_sends_each_tick_to_the_streams_of_its_symbol() {
    let symbols = vec!["A".to_owned(), "B".to_owned()];
    let of = FloorSetup { streams: 10, symbols: symbols.clone(), seed: 1, rate: 100.0, flush_interval: Duration::ZERO };
    let floor = Floor::start(of).unwrap();
    let groups = vec![Group { symbols: 2, ..group(10, Reads::AtOnce, 0.0) }];
    let wanted = Run {
        name: "floor",
        about: "",
        streams: setup(floor.address, Wire::Tickfan, symbols, groups),
        duration: LOAD,
        outages: &[],
        server: Server::default(),
        venue: None,
        cluster: None,
        thresholds: &[],
        stop: Stop::default(),
    };
    let summary = run(&wanted, &mut |_| {}).unwrap();
    let sent = floor.finish().unwrap();
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    assert!(summary.streams.holes == Some(0) && summary.streams.ticks > 0 && summary.streams.ticks <= sent.ticks);
    assert_eq!(sent.cut, 0);
    assert!(page(&summary).contains("<svg"));
}

/// A server of these events, trades again and again; it ends its streams of two symbols and more.
fn other_server(events: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1_024];
            let length = client.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /events?of="));
            let _ = write!(client, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{events}");
            if !request.contains(&b',') {
                // The connection stays open as long as the client does.
                std::thread::spawn(move || match events.contains("trade") {
                    true => while client.write_all(events.as_bytes()).is_ok() {},
                    false => drop(client.read(&mut [0])),
                });
            }
        }
    });
    address
}

fn load_other(events: &'static str, groups: Vec<Group>) -> Summary {
    let wire = Wire::Plain { path: "/events?of={symbols}".to_owned() };
    let wanted = Run {
        name: "other",
        about: "",
        streams: setup(other_server(events), wire, vec!["A".to_owned(), "B".to_owned()], groups),
        duration: Duration::from_millis(500),
        outages: &[],
        server: Server::default(),
        venue: None,
        cluster: None,
        thresholds: &[],
        stop: Stop::default(),
    };
    run(&wanted, &mut |_| {}).unwrap()
}

const TWO_EVENTS: &str = "data: 1\r\n\r\nevent: x\r\ndata: 2\r\n\r\n";

#[test]
fn latency_is_not_measured_from_times_in_whole_milliseconds() {
    let millis = "data: {\"kind\":\"trade\",\"trade_ts\":4102444800123000}\r\n\r\n";
    let one = || vec![Group { symbols: 1, ..group(1, Reads::AtOnce, 0.0) }];
    let summary = load_other(millis, one());
    assert!(
        summary.latency.is_none() && text(&summary, Whole::Yes).contains("latency     not measured"),
        "{}",
        text(&summary, Whole::Yes)
    );
    assert!(summary.warnings.iter().any(|warning| warning.contains("whole milliseconds")), "{:?}", summary.warnings);
    assert!(load_other(MICROS, one()).latency.is_some());
}

#[test]
fn another_servers_events_are_counted() {
    let summary = load_other(TWO_EVENTS, vec![Group { symbols: 1, ..group(7, Reads::AtOnce, 0.0) }]);
    assert_eq!((summary.streams.opened, summary.streams.ticks), (7, 14));
    assert!(summary.latency.is_none() && summary.gateway.is_none());
}

#[test]
fn a_stream_that_is_lost_is_not_hidden_by_those_that_never_read() {
    let stalled = Group { symbols: 1, ..group(5, Reads::Never, 0.0) };
    let summary = load_other(TWO_EVENTS, vec![stalled, Group { symbols: 2, ..group(3, Reads::AtOnce, 0.0) }]);
    let lost: Vec<u64> = summary.streams.groups.iter().map(|group| group.lost).collect();
    assert_eq!((summary.streams.lost, lost), (3, vec![0, 3]), "{:?}", summary.streams);
}

/// A server that answers so many clients, with nothing but a head, and lets all others wait.
fn hanging_server(answers: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut clients = Vec::new();
        for (number, mut client) in listener.incoming().map_while(Result::ok).enumerate() {
            if number < answers {
                let _ = client.read(&mut [0; 1_024]);
                let _ = write!(client, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{MICROS}");
            }
            clients.push(client);
        }
    });
    address
}

/// A trade of the year 2100, and so later than any stream has opened.
const MICROS: &str = "data: {\"kind\":\"trade\",\"trade_ts\":4102444800123456}\r\n\r\n";

#[test]
fn streams_without_an_answer_have_failed_and_do_not_keep_the_others_from_being_measured() {
    let wire = Wire::Plain { path: "/events?of={symbols}".to_owned() };
    let groups = vec![Group { symbols: 1, ..group(8, Reads::AtOnce, 0.0) }];
    let streams = Setup {
        answer_max: Duration::from_millis(300),
        ..setup(hanging_server(3), wire, vec!["A".to_owned()], groups)
    };
    let failed = [Threshold::from_argument("failed=0").unwrap()];
    let wanted = Run {
        name: "hanging",
        about: "",
        streams,
        duration: Duration::from_millis(500),
        outages: &[],
        server: Server::default(),
        venue: None,
        cluster: None,
        thresholds: &failed,
        stop: Stop::default(),
    };
    let summary = run(&wanted, &mut |_| {}).unwrap();
    assert_eq!((summary.streams.opened, summary.outcome), (3, Outcome::Failed), "{:#?}", summary.streams);
    assert!(summary.streams.groups[0].ended[&Ended::Timeout] >= 5 && summary.streams.failed >= 5);
    assert!(
        summary.warnings.iter().any(|warning| warning.contains("got no answer within 300ms")),
        "{:?}",
        summary.warnings
    );
    assert!(summary.generator.late_opening.is_some() && summary.generator.late.is_some());
}

#[test]
fn a_rule_is_judged_only_where_there_was_something_to_judge() {
    // It is over at once, so nothing can be said of what was live within it; and not one stream reads to the end.
    let (summary, _) = load_through("", vec![group(5, Reads::Never, 6_000.0)], &["break:500ms:0s"], true);
    let why = |rule: &str| {
        summary.checks.iter().find(|check| check.rule == rule).unwrap().why_not.clone().unwrap_or_default()
    };
    assert!(why("stale_as_live").contains("the run made no outage that streams were open in"), "{:#?}", summary.checks);
    assert!(why("last_state").contains("not one stream was open that reads"), "{:#?}", summary.checks);
    assert_eq!(summary.streams.holes_of_whole, None, "there is not one stream of which it is counted");
    // Those that left as planned came back, though they do not read.
    let ended = &summary.streams.groups[0].ended;
    assert!(ended[&Ended::Left] > 0 && summary.streams.opened > 5, "{:#?}", summary.streams);
}

#[test]
fn a_server_without_ticks_is_not_judged_by_them() {
    const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: hello\n\
                         data: {\"v\":1,\"epoch\":\"e\",\"stream\":\"1\",\"symbols\":[\"A\"],\"unknown\":[]}\n\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut clients = Vec::new();
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1_024]);
            let _ = client.write_all(HELLO.as_bytes());
            clients.push(client);
        }
    });
    let groups = vec![Group { symbols: 1, ..group(2, Reads::AtOnce, 0.0) }];
    let none = [Threshold::from_argument("violations=0").unwrap()];
    let wanted = Run {
        name: "silent",
        about: "",
        streams: setup(address, Wire::Tickfan, vec!["A".to_owned()], groups),
        duration: Duration::from_millis(200),
        outages: &[],
        server: Server::default(),
        venue: None,
        cluster: None,
        thresholds: &none,
        stop: Stop::default(),
    };
    let summary = run(&wanted, &mut |_| {}).unwrap();
    assert_eq!((summary.violations.total, summary.outcome), (None, Outcome::Failed), "{:#?}", summary.violations);
    assert!(summary.warnings.iter().any(|warning| warning.contains("not one tick was read")), "{:?}", summary.warnings);
}
