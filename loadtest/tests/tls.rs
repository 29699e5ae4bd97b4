//! Streams over TLS and HTTP/2: what clients find out, and what they say when a server cannot be loaded.

#![expect(clippy::unwrap_used, reason = "a test")]

#[expect(dead_code, reason = "other tests want the other violations")]
#[path = "support/proxy.rs"]
mod proxy;
mod support;
#[path = "support/tls_front.rs"]
mod tls_front;

use h2::Reason;
use proxy::{Proxy, Violation};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{atomic::Ordering, mpsc},
    thread,
    time::Duration,
};
use support::gateway_program;
use tickfan_loadtest::{
    h2::{Updates, Windows},
    measure::{Asked, Ended, Process},
    report::{Summary, Whole, page, text},
    run::{Gateway, Run, Server, Stop, TlsFolder, gateway_config, run, start_venue},
    scenario::{self, Scenario},
    streams::{Group, Protocol, Reads, Setup, Wire, probe},
    tls::{ClientTls, Trust},
    venue::Venue,
};
use tls_front::{Front, FrontSetup};
use tokio_rustls::rustls::{SupportedProtocolVersion, version::TLS12};

const LOAD: Duration = Duration::from_secs(3);

fn setup(target: SocketAddr, tls: ClientTls, groups: Vec<Group>) -> Setup {
    Setup {
        targets: vec![target],
        host: format!("localhost:{}", target.port()),
        tls: Some(tls),
        headers: Vec::new(),
        wire: Wire::Tickfan,
        symbols: vec!["A".to_owned(), "B".to_owned()],
        groups,
        connect_rate: None,
        answer_max: Setup::ANSWER_MAX,
        old_after: Scenario::old_after().0,
        seed: 1,
        percentiles: Asked::default(),
        history: None,
    }
}

fn h2(count: u32, streams_per_connection: usize) -> Group {
    Group { name: "clients".to_owned(), count, protocol: Protocol::Http2, streams_per_connection, ..Group::default() }
}

/// The venue and the gateway of `smoke` behind a front, with these streams; and how many connections there were.
fn load(violation: Violation, groups: Vec<Group>) -> (Summary, u32) {
    let (scenario, _) = scenario::load("smoke").unwrap();
    let (venue, symbols) = start_venue(&scenario.venue, ([127, 0, 0, 1], 0).into()).unwrap();
    let gateway = Gateway::start(&gateway_program(), &gateway_config(&scenario, &symbols, &venue.url(), None)).unwrap();
    let proxy = Proxy::start(gateway.address, violation);
    let front = Front::start(FrontSetup::of(proxy.address));
    let streams = Setup { symbols, history: venue.history(), ..setup(front.address, front.clients(), groups) };
    let summary = run_against(&gateway, &venue, streams);
    assert_eq!(proxy.has_hit(), violation != Violation::None, "the proxy has hit a tick");
    (summary, front.connections.load(Ordering::Relaxed))
}

fn run_against(gateway: &Gateway, venue: &Venue, streams: Setup) -> Summary {
    let wanted = Run {
        name: "clients",
        about: "",
        streams,
        duration: LOAD,
        outages: &[],
        server: Server { process: Some(Process::new(gateway.pid()).unwrap()), admin: Some(gateway.admin) },
        venue: Some(venue),
        cluster: None,
        thresholds: &[],
        stop: Stop::default(),
    };
    run(&wanted, &mut |_| {}).unwrap()
}

/// The venue and the gateway of `smoke`, which speaks TLS itself.
fn load_gateway(gateway: &str, groups: Vec<Group>) -> Summary {
    let (mut scenario, _) = scenario::load("smoke").unwrap();
    scenario.gateway = toml::from_str(gateway).unwrap();
    let (venue, symbols) = start_venue(&scenario.venue, ([127, 0, 0, 1], 0).into()).unwrap();
    let folder = TlsFolder::create().unwrap();
    let config = gateway_config(&scenario, &symbols, &venue.url(), Some(&folder.files));
    let gateway = Gateway::start(&gateway_program(), &config).unwrap();
    let target = setup(gateway.tls_address().unwrap(), folder.clients().unwrap(), groups);
    let summary = run_against(&gateway, &venue, Setup { symbols, history: venue.history(), ..target });
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    assert!(gateway.stop(), "the gateway ends well");
    summary
}

#[test]
fn compressed_streams_are_decoded_over_tls_and_http_2() {
    let compressed = |group: Group| Group { compress: true, ..group };
    let h1 = Group { protocol: Protocol::Http1, ..h2(5, 1) };
    let groups = vec![compressed(h2(10, 5)), compressed(h1), h2(5, 1)];
    let summary = load_gateway("fanout = { compress_min_streams = 1 }", groups);
    assert_eq!(summary.streams.lost, 0, "{:?}", summary.streams);
    let [h2, h1, plain] = [0, 1, 2].map(|group| &summary.streams.groups[group]).map(|group| group.bytes / group.ticks);
    assert!(h2 * 3 < plain * 2 && h1 * 3 < plain * 2, "{h2} and {h1} of {plain}");
}

#[test]
fn the_gateways_own_tls_and_http2_keep_every_promise() {
    let h1 = Group { name: "h1".to_owned(), count: 10, symbols: 5, churn: 1_000.0, ..Group::default() };
    let shared = Group { name: "shared".to_owned(), churn: 1_000.0, ..h2(40, 10) };
    let slow = Group { name: "slow".to_owned(), symbols: 5, reads: Reads::BytesPerSecond(5_000), ..h2(4, 2) };
    let summary = load_gateway("", vec![h1, Group { symbols: 5, ..h2(20, 1) }, shared, slow]);
    assert_eq!((summary.streams.failed, summary.streams.lost), (0, 0), "{:?}", summary.streams);
    assert!(summary.streams.resumed > 0 && summary.streams.ticks > 1_000, "{:?}", summary.streams);
}

#[test]
fn the_gateway_closes_streams_of_http2_that_never_read_and_those_of_a_blocked_page() {
    let small = Windows { stream: 20_000, connection: 100_000, updates: Updates::ByVolume };
    let never = Group { name: "never".to_owned(), symbols: 20, reads: Reads::Never, ..h2(4, 2) };
    let blocked =
        Group { reads: Reads::BlockedAfter(1_000), windows: small, name: "blocked".to_owned(), ..never.clone() };
    let beside = Group { name: "beside".to_owned(), beside: Some("blocked".to_owned()), windows: small, ..h2(2, 1) };
    let summary = load_gateway("fanout = { stall_timeout = \"1s\" }", vec![never, blocked, beside]);
    assert_eq!((summary.streams.failed, summary.streams.lost), (0, 0), "{:?}", summary.streams);
    let closed = &summary.gateway.unwrap().closed;
    assert!(closed["stalled"] > 0 && closed["window"] == 4, "{closed:?}");
}

#[test]
fn streams_over_tls_and_http2_are_checked_and_measured_as_plain_ones() {
    let h1 = Group { name: "h1".to_owned(), count: 10, symbols: 5, ..Group::default() };
    let (summary, connections) = load(
        Violation::None,
        vec![h1, Group { symbols: 5, ..h2(20, 1) }, Group { name: "shared".to_owned(), ..h2(20, 5) }],
    );
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    assert_eq!((summary.streams.opened, summary.streams.failed, summary.streams.lost, connections), (50, 0, 0, 34));
    assert!(summary.streams.ticks > 1_000 && summary.age.unwrap().count > 1_000, "{:?}", summary.streams);
    let spoken: Vec<(&str, u64)> =
        summary.connections.iter().map(|connections| (connections.protocol.as_str(), connections.count)).collect();
    assert_eq!(spoken, [("HTTP/1.1", 10), ("HTTP/2", 24)]);
    let line = "protocol    HTTP/2 over TLS 1.3, TLS13_AES_128_GCM_SHA256, X25519: 24 connections";
    assert!(text(&summary, Whole::Yes).contains(line), "{}", text(&summary, Whole::Yes));
    assert_eq!(summary.handshake.unwrap().count, 34);
    assert_eq!(summary.streams.groups[2].streams_per_connection, 5);
}

#[test]
fn a_changed_digit_is_found_through_http2() {
    let (summary, _) = load(Violation::Digit, vec![h2(20, 5)]);
    // The stream that is hit may be the only one of its symbol: then it is the venue's word that it breaks.
    let by_rule = &summary.violations.by_rule;
    assert!(by_rule.contains_key("conflict") || by_rule.contains_key("not_sent"), "{:#?}", summary.violations);
}

#[test]
fn streams_of_a_connection_leave_and_resume_apart_from_each_other() {
    // Each stays a second on average.
    let (summary, connections) = load(Violation::None, vec![Group { churn: 6_000.0, ..h2(20, 10) }]);
    assert_eq!((summary.violations.total, summary.streams.lost), (Some(0), 0), "{:#?}", summary.violations);
    assert!(summary.streams.resumed >= 10 && summary.streams.groups[0].ended[&Ended::Left] >= 10);
    assert_eq!(connections, 2);
}

#[test]
fn a_slow_line_and_a_page_that_takes_nothing_end_on_the_newest_state() {
    let slow = Group { name: "slow".to_owned(), symbols: 5, reads: Reads::BytesPerSecond(5_000), ..h2(4, 2) };
    let small = Windows { stream: 40_000, connection: 100_000, updates: Updates::ByVolume };
    let blocked = Group { name: "blocked".to_owned(), reads: Reads::BlockedAfter(20_000), windows: small, ..h2(4, 2) };
    let (summary, _) = load(Violation::None, vec![slow, Group { symbols: 20, ..blocked }]);
    assert_eq!(summary.violations.total, Some(0), "{:#?}", summary.violations);
    assert!(summary.age.is_none() && summary.slow_age.unwrap().count > 100, "{:?}", summary.slow_age);
}

/// A server without TLS that answers each request with a head and these events, again and again.
fn other_server(events: &'static str) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (requests, received) = mpsc::channel();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let requests = requests.clone();
            thread::spawn(move || {
                let mut request = vec![0; 4_096];
                let length = client.read(&mut request).unwrap();
                let _ = requests.send(String::from_utf8_lossy(&request[..length]).into_owned());
                let _ = client.write_all(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
                while client.write_all(events.as_bytes()).is_ok() {}
            });
        }
    });
    (address, received)
}

const EVENTS: &str =
    "data: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123\n\n";

fn load_other(streams: Setup) -> Summary {
    let wanted = Run {
        name: "other",
        about: "",
        streams: Setup { wire: Wire::Plain { path: "/events".to_owned() }, ..streams },
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

#[test]
fn a_blocked_page_stops_its_own_streams_and_with_its_windows_those_beside_it() {
    let (upstream, _requests) = other_server(EVENTS);
    let front = Front::start(FrontSetup::of(upstream));
    let windows = Windows { stream: 20_000, connection: 70_000, updates: Updates::ByVolume };
    let blocked = |count| Group {
        name: "blocked".to_owned(),
        reads: Reads::BlockedAfter(1_000),
        windows,
        ..h2(count, count as usize)
    };
    let beside = || Group { name: "beside".to_owned(), beside: Some("blocked".to_owned()), windows, ..h2(1, 1) };
    let bytes = |groups| {
        let summary = load_other(setup(front.address, front.clients(), groups));
        summary.bytes_per_second * summary.seconds_measured
    };
    assert!(bytes(vec![blocked(2)]) <= 40_000.0);
    assert!(bytes(vec![blocked(2), beside()]) > 200_000.0, "there is room for the stream beside them");
    assert!(bytes(vec![blocked(4), beside()]) <= 70_000.0, "they have used up the connection's window");
}

#[test]
fn headers_go_with_each_request_and_into_no_report() {
    let (upstream, requests) = other_server(EVENTS);
    let front = Front::start(FrontSetup::of(upstream));
    let groups = vec![h2(1, 1), Group { name: "h1".to_owned(), ..Group::default() }];
    let headers = vec!["Authorization: Bearer s3cret".parse().unwrap(), "X-Tab: 7".parse().unwrap()];
    let streams = Setup { headers, ..setup(front.address, front.clients(), groups) };
    assert!(!format!("{streams:?}").contains("s3cret"));
    let summary = load_other(streams);
    for _ in 0..2 {
        let request = requests.recv().unwrap();
        assert!(request.contains("authorization: Bearer s3cret\r\n") && request.contains("x-tab: 7\r\n"), "{request}");
    }
    assert!(![text(&summary, Whole::Yes), page(&summary), format!("{summary:?}")].concat().contains("s3cret"));
}

#[test]
fn any_certificate_is_accepted_with_a_warning_only() {
    let (upstream, _requests) = other_server(EVENTS);
    const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS12];
    let front = Front::start(FrontSetup { is_expired: true, versions: VERSIONS, ..FrontSetup::of(upstream) });
    let clients = ClientTls::new("elsewhere", Trust::Any).unwrap();
    let summary = load_other(setup(front.address, clients, vec![h2(1, 1)]));
    assert_eq!(summary.streams.opened, 1);
    assert_eq!(summary.connections[0].tls.as_ref().unwrap().version, "TLS 1.2");
    assert!(summary.warnings.iter().any(|warning| warning.contains("--insecure")), "{:?}", summary.warnings);
}

fn refusal(front: &Front, tls: ClientTls, group: Group) -> String {
    probe(&setup(front.address, tls, vec![group])).unwrap_err().to_string()
}

#[test]
fn a_server_that_cannot_be_trusted_or_does_not_speak_the_protocol_is_reported_in_words() {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let start = |change: fn(&mut FrontSetup)| {
        let mut setup = FrontSetup::of(nowhere);
        change(&mut setup);
        Front::start(setup)
    };
    let front = start(|_| {});
    let other = start(|_| {});
    for tls in [other.clients(), ClientTls::new("localhost", Trust::Public).unwrap()] {
        let error = refusal(&front, tls, h2(1, 1));
        assert!(
            error.starts_with("https://localhost:") && error.contains("cannot be loaded: invalid peer certificate"),
            "{error}"
        );
        assert!(error.contains("--ca FILE") && error.contains("--insecure"), "{error}");
    }
    let elsewhere = ClientTls::new("elsewhere", Trust::File(front.ca.clone())).unwrap();
    assert!(refusal(&front, elsewhere, h2(1, 1)).contains("not valid for name"));
    let expired = start(|setup| setup.is_expired = true);
    let error = refusal(&expired, expired.clients(), Group::default());
    assert!(error.contains("certificate expired"), "{error}");
    let h1 = start(|setup| setup.alpn = &["http/1.1"]);
    let error = refusal(&h1, h1.clients(), h2(1, 1));
    assert!(error.contains("the server does not offer the protocol that the streams speak (ALPN)"), "{error}");
    let none = start(|setup| setup.alpn = &[]);
    let error = refusal(&none, none.clients(), h2(1, 1));
    assert!(error.contains("the server does not speak HTTP/2: by ALPN it has not chosen h2"), "{error}");
    let leaving = start(|setup| setup.go_away = Some(Reason::ENHANCE_YOUR_CALM));
    let error = refusal(&leaving, leaving.clients(), h2(1, 1));
    assert!(error.contains("the server ends the connection: GOAWAY with ENHANCE_YOUR_CALM"), "{error}");
}

#[test]
fn a_server_without_tls_is_reported_and_so_are_a_servers_own_words_through_http2() {
    let gateway = Gateway::start(&gateway_program(), "").unwrap();
    let front = Front::start(FrontSetup::of(gateway.address));
    let streams = setup(gateway.address, front.clients(), vec![h2(1, 1)]);
    let error = probe(&streams).unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
    let unknown = Setup { symbols: vec!["NOSUCH".to_owned()], ..setup(front.address, front.clients(), vec![h2(1, 1)]) };
    let error = probe(&unknown).unwrap_err().to_string();
    assert!(error.contains("/v1/stream?symbols=NOSUCH is not a stream: the server answers 404"), "{error}");
    assert!(error.contains("No feed has any of these symbols"), "its own words: {error}");
}
