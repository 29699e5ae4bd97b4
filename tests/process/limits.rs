//! Every limit of the configuration, set in a file and reached from outside. The list is the configuration's own.

use crate::support::{
    Client, PATIENCE,
    certificates::{self, Ca},
    connect_narrow,
    h2_peer::H2Peer,
    issuer::Issuer,
    process::Process,
    stream::Stream,
    tls::{self, TlsClient},
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tickfan::config::{KEYS, Key, Setting};
use venue_sim::{
    binance::trade,
    blocking::{Connection, Venue},
};

const TARGET: &str = "/v1/stream/BTC-USDT";
const STREAM: &str = "GET /v1/stream/BTC-USDT HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The test that reaches the limit of a key.
fn case(key: &Key) -> fn() {
    match (key.section, key.name) {
        ("server", "heartbeat") => a_silent_stream_beats_after_heartbeat,
        ("server", "drain_delay") => streams_are_opened_during_the_drain_delay,
        ("server", "drain") => streams_end_over_the_drain,
        ("fanout", "workers") => there_are_as_many_workers,
        ("fanout", "max_lag") => a_stream_further_behind_than_max_lag_coalesces,
        ("fanout", "ring") => no_more_ticks_than_the_ring_can_be_resumed,
        ("fanout", "ring_age") => no_older_tick_than_ring_age_can_be_resumed,
        ("fanout", "stall_timeout") => a_stream_that_takes_nothing_for_stall_timeout_is_closed,
        ("limits", "streams") => a_stream_too_many_is_sent_away,
        ("limits", "streams_per_address") => a_stream_too_many_of_an_address_is_sent_away,
        ("limits", "subscriptions") => a_stream_of_a_symbol_too_many_for_all_streams_is_sent_away,
        ("limits", "subscriptions_per_address") => a_stream_of_a_symbol_too_many_for_its_address_is_sent_away,
        ("limits", "connections") => a_connection_too_many_takes_the_place_of_an_idle_one,
        ("limits", "connections_per_address") => a_connection_too_many_of_an_address_takes_the_place_of_its_own,
        ("limits", "head_timeout") => a_head_that_takes_longer_is_cut_off,
        ("limits", "write_timeout") => an_answer_that_takes_longer_is_cut_off,
        ("limits", "head_bytes") => a_longer_head_is_refused,
        ("limits", "symbols_per_stream") => a_symbol_too_many_is_refused,
        ("limits", "replay_bytes") => a_resume_brings_no_more_bytes,
        ("limits", "venue_message_bytes") => a_longer_message_of_a_venue_ends_its_connection,
        ("tls", "handshake_timeout") => a_handshake_that_takes_longer_is_cut_off,
        ("tls", "handshakes") => a_handshake_that_pauses_gives_way_to_one_too_many,
        ("tls", "hsts") => https_alone_is_demanded_for_so_long,
        ("tls", "h2_streams") => a_stream_too_many_of_a_connection_is_refused,
        ("tls", "look") => a_renewed_certificate_is_served_after_the_next_look,
        ("auth", "streams_per_subject") => a_stream_too_many_of_a_subject_is_sent_away,
        ("auth", "look") => a_file_of_keys_is_looked_at,
        ("auth", "ticket_ttl") => a_ticket_no_longer_counts,
        (section, name) => panic!("[{section}] {name} is a limit that no case here reaches"),
    }
}

/// Lists have a limit too, of their own length: `tests/it/config.rs` reaches those.
#[test]
fn rule_10_each_limit_of_the_configuration_is_reached() {
    let is_limit = |key: &&Key| match key.setting {
        Setting::Duration { .. } | Setting::Count { .. } | Setting::Bytes { .. } | Setting::BytesOrAuto { .. } => true,
        Setting::DurationOrAuto { .. } | Setting::Address { .. } | Setting::Log { .. } => false,
        Setting::Strings { .. } | Setting::HeaderName { .. } | Setting::Nets { .. } => false,
        Setting::Switch { .. } | Setting::TlsVersion { .. } | Setting::Certificates { .. } => false,
        Setting::Text { .. } | Setting::Path { .. } | Setting::AuthMode { .. } | Setting::Keys { .. } => false,
        Setting::Patterns { .. } | Setting::Groups { .. } => false,
    };
    thread::scope(|scope| {
        for key in KEYS.iter().filter(is_limit) {
            thread::Builder::new()
                .name(format!("{}.{}", key.section, key.name))
                .spawn_scoped(scope, case(key))
                .unwrap();
        }
    });
}

/// A gateway of its own under a limit, and its venue.
struct Rig {
    gateway: Process,
    venue: Venue,
    connection: Connection,
}

impl Rig {
    fn start(limit: &str) -> Self {
        let venue = Venue::bind();
        let feed = format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n",
            venue.url
        );
        let name = thread::current().name().unwrap_or_default().to_owned();
        let gateway = Process::start(&name, &format!("{feed}{limit}\n"));
        let connection = venue.grant(&["btcusdt"]);
        Self { gateway, venue, connection }
    }

    fn address(&self) -> SocketAddr {
        self.gateway.address
    }

    fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// Sends trades of these numbers.
    fn trade(&mut self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|number| self.connection.send(&trade("BTCUSDT", number, "61837.63000000")));
    }

    /// A stream that has sent `hello` and the symbol's state without data.
    fn waiting_stream(&self) -> Stream {
        let mut stream = Stream::open(self.address(), TARGET);
        stream.named("hello");
        assert_eq!(stream.tick().number("seq"), 0);
        stream
    }

    /// Resumes a stream after an id; returns the `seq` of its ticks up to this one.
    fn resumed(&self, id: &str, last: u64) -> Vec<u64> {
        let mut stream = Stream::open(self.address(), &format!("{TARGET}?last_event_id={id}"));
        stream.named("hello");
        let mut seqs = Vec::new();
        while seqs.last() != Some(&last) {
            seqs.push(stream.tick().number("seq"));
        }
        seqs
    }
}

/// Whether a request for a stream gets one. The stream stays open.
fn opens(mut client: Client) -> Option<Client> {
    client.send(STREAM);
    let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
    text.contains("event: hello\n").then_some(client)
}

fn a_silent_stream_beats_after_heartbeat() {
    let rig = Rig::start("[server]\nheartbeat = \"5s\"");
    let mut client = rig.client();
    client.send(STREAM);
    // The first heartbeat comes at a random moment. The default interval is longer than this client's patience.
    client.until(|text| text.matches("event: heartbeat\ndata: {\"now\":").count() == 2);
}

fn streams_are_opened_during_the_drain_delay() {
    let rig = Rig::start("[server]\ndrain_delay = \"2s\"\ndrain = \"0s\"");
    let admin = rig.gateway.admin;
    let mut first = rig.waiting_stream();
    let address = rig.address();
    let stopping = thread::spawn(move || rig.gateway.terminate());
    while Client::connect(admin).get("/readyz").status == 200 {}
    let mut second = Stream::open(address, TARGET);
    second.named("hello");
    for stream in [&mut first, &mut second] {
        while stream.next().is_some() {}
    }
    assert!(stopping.join().unwrap().success());
}

fn streams_end_over_the_drain() {
    let drain = Duration::from_secs(1);
    let rig = Rig::start("[server]\ndrain = \"1s\"");
    let mut streams: Vec<_> = (0..40).map(|_| rig.waiting_stream()).collect();
    let reader = thread::spawn(move || {
        streams.iter_mut().for_each(|stream| assert_eq!(stream.named("bye")["reason"], "shutdown"));
    });
    let begun = Instant::now();
    assert!(rig.gateway.terminate().success());
    assert!(begun.elapsed() > drain / 2, "not one of 40 random moments in {drain:?} was in its second half");
    reader.join().unwrap();
}

fn there_are_as_many_workers() {
    let rig = Rig::start("[fanout]\nworkers = 3");
    assert_eq!(rig.gateway.threads().iter().filter(|name| name.starts_with("worker-")).count(), 3);
}

fn a_stream_further_behind_than_max_lag_coalesces() {
    for (max_lag, is_whole) in [("10ms", false), ("60s", true)] {
        let mut rig = Rig::start(&format!("[fanout]\nmax_lag = \"{max_lag}\"\nring_age = \"60s\"\nring = 65536"));
        let mut slow = Client::from_socket(connect_narrow(rig.address()));
        slow.send(STREAM);
        slow.until(|text| text.contains("\"seq\":0,"));
        let mut sent = 0;
        while rig.gateway.metric("tickfan_streams_stalled", "") == 0 {
            assert!(sent < 60_000, "it takes all that a ring holds");
            rig.trade(sent + 1..=sent + 50);
            sent += 50;
            thread::sleep(Duration::from_millis(10));
        }
        let text = slow.until(|text| text.contains(&format!("\"seq\":{sent},")));
        let ticks = text.matches("\nid: ").count() as u64;
        assert_eq!(ticks == sent, is_whole, "{ticks} ticks came of {sent}, with max_lag at {max_lag}");
    }
}

fn no_more_ticks_than_the_ring_can_be_resumed() {
    let mut rig = Rig::start("[fanout]\nring = 16");
    let mut reader = rig.waiting_stream();
    rig.trade([1]);
    let first = reader.tick().id.unwrap();
    rig.trade(2..=100);
    while reader.tick().number("seq") < 100 {}
    assert_eq!(rig.resumed(&first, 100), (85..=100).collect::<Vec<_>>());
}

fn no_older_tick_than_ring_age_can_be_resumed() {
    let age = Duration::from_millis(10);
    let mut rig = Rig::start("[fanout]\nmax_lag = \"10ms\"\nring_age = \"10ms\"");
    let mut reader = rig.waiting_stream();
    rig.trade([1]);
    let first = reader.tick().id.unwrap();
    rig.trade([2, 3]);
    while reader.tick().number("seq") < 3 {}
    thread::sleep(2 * age); // nothing but time makes a tick old
    rig.trade([4]);
    assert_eq!(reader.tick().number("seq"), 4);
    assert_eq!(rig.resumed(&first, 4), [4]);
}

fn a_stream_that_takes_nothing_for_stall_timeout_is_closed() {
    let mut rig = Rig::start("[fanout]\nstall_timeout = \"1s\"");
    let mut stalled = Client::from_socket(connect_narrow(rig.address()));
    stalled.send(STREAM);
    rig.trade(1..=900);
    // The worker itself, or the kernel for it.
    let closed = |rig: &Rig, reason| rig.gateway.metric("tickfan_streams_closed_total", reason);
    rig.gateway.metric_when("tickfan_streams_opened_total", "", |opened| opened == 1);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    assert_eq!(closed(&rig, "reason=\"stalled\"") + closed(&rig, "reason=\"timeout\""), 1);
}

fn a_stream_too_many_is_sent_away() {
    let rig = Rig::start("[limits]\nstreams = 2");
    let first = opens(rig.client()).unwrap();
    let _second = opens(rig.client()).unwrap();
    assert!(opens(rig.client()).is_none());
    drop(first);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 1);
    assert!(opens(rig.client()).is_some());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "reason=\"limit\""), 1);
}

fn a_stream_too_many_of_an_address_is_sent_away() {
    let rig = Rig::start("[limits]\nstreams_per_address = 1");
    let from = |last| client_from(last, rig.address());
    let first = opens(from(7)).unwrap();
    assert!(opens(from(7)).is_none());
    assert!(opens(from(8)).is_some());
    drop(first);
    // Not the gauge: it is published once a second and may be older than the first stream.
    rig.gateway.metric_when("tickfan_streams_closed_total", "", |closed| closed == 2);
    assert!(opens(from(7)).is_some());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "reason=\"address\""), 1);
}

/// A gateway with five symbols, and the answer to a stream of some of them from an address: the stream, or `None`.
struct Crowded {
    gateway: Process,
    _venue: Venue,
}

impl Crowded {
    const SYMBOLS: [&str; 5] = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT"];

    fn start(limit: &str) -> Self {
        let venue = Venue::bind();
        let feed = format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = {:?}\n",
            venue.url,
            Self::SYMBOLS
        );
        let name = thread::current().name().unwrap_or_default().to_owned();
        Self { gateway: Process::start(&name, &format!("{feed}{limit}\n")), _venue: venue }
    }

    fn open(&self, last: u8, symbols: usize) -> Option<Client> {
        let symbols = Self::SYMBOLS[..symbols].join(",");
        let mut client = client_from(last, self.gateway.address);
        client.send(format!("GET /v1/stream?symbols={symbols} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("retry: "), "{text}");
        text.contains("event: hello\n").then_some(client)
    }

    fn rejected(&self, reason: &str, times: u64) {
        let reason = format!("reason=\"{reason}\"");
        assert_eq!(self.gateway.metric("tickfan_streams_rejected_total", &reason), times);
    }
}

fn a_stream_of_a_symbol_too_many_for_all_streams_is_sent_away() {
    let crowded = Crowded::start("[limits]\nsubscriptions = 5");
    let three = crowded.open(7, 3).unwrap();
    assert!(crowded.open(8, 3).is_none(), "six");
    let _two = crowded.open(9, 2).unwrap();
    assert!(crowded.open(7, 1).is_none(), "six");
    assert_eq!(crowded.gateway.metric("tickfan_subscriptions", ""), 5);
    assert_eq!(crowded.gateway.metric("tickfan_subscriptions_limit", ""), 5);
    drop(three);
    crowded.gateway.metric_when("tickfan_subscriptions", "", |subscriptions| subscriptions == 2);
    assert!(crowded.open(8, 3).is_some(), "the symbols of a stream that ended are given back, all of them");
    crowded.rejected("subscriptions", 2);
}

fn a_stream_of_a_symbol_too_many_for_its_address_is_sent_away() {
    let crowded = Crowded::start("[limits]\nsubscriptions_per_address = 5");
    let four = crowded.open(7, 4).unwrap();
    assert!(crowded.open(7, 2).is_none(), "six");
    let _one = crowded.open(7, 1).unwrap();
    let _of_another = crowded.open(8, 5).unwrap();
    drop(four);
    crowded.gateway.metric_when("tickfan_subscriptions", "", |subscriptions| subscriptions == 6);
    assert!(crowded.open(7, 4).is_some());
    crowded.rejected("address_subscriptions", 1);
    crowded.rejected("subscriptions", 0);
}

fn a_connection_too_many_takes_the_place_of_an_idle_one() {
    let rig = Rig::start("[limits]\nconnections = 1");
    let mut first = rig.client();
    assert_eq!(first.get("/v1/symbols").status, 200);
    assert_eq!(rig.client().get("/v1/symbols").status, 200);
    assert_eq!(first.rest(), "");
    rig.gateway.metric_when("tickfan_http_evictions_total", "phase=\"idle\"", |evictions| evictions == 1);
}

fn a_connection_too_many_of_an_address_takes_the_place_of_its_own() {
    let rig = Rig::start("[limits]\nconnections_per_address = 1");
    let mut of_other = client_from(8, rig.address());
    let mut first = client_from(7, rig.address());
    for client in [&mut of_other, &mut first] {
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
    assert_eq!(client_from(7, rig.address()).get("/v1/symbols").status, 200);
    assert_eq!(first.rest(), "");
    assert_eq!(of_other.get("/v1/symbols").status, 200);
}

/// A client at 127.0.0.`last`.
fn client_from(last: u8, address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::from_socket(socket.into())
}

fn a_head_that_takes_longer_is_cut_off() {
    let rig = Rig::start("[limits]\nhead_timeout = \"100ms\"");
    let mut client = rig.client();
    client.send("GET /v1/symbols HTTP/1.1\r\nhost: lo");
    assert_eq!(client.rest(), "");
}

fn an_answer_that_takes_longer_is_cut_off() {
    const REQUESTS: usize = 1_000; // many times what the kernel holds of their answers
    let rig = Rig::start("[limits]\nwrite_timeout = \"100ms\"");
    let mut socket = connect_narrow(rig.address());
    socket.write_all("GET /app.js HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(REQUESTS).as_bytes()).unwrap();
    rig.gateway.metric_when("tickfan_http_requests_total", "route=\"page\"", |answered| answered > 0);
    rig.gateway.metric_when("tickfan_http_connections", "", |connections| connections == 0);
    let answered = rig.gateway.metric("tickfan_http_requests_total", "route=\"page\"");
    assert!(answered < REQUESTS as u64, "it was served to the end");
    let ended = socket.read_to_end(&mut Vec::new());
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

fn a_longer_head_is_refused() {
    let rig = Rig::start("[limits]\nhead_bytes = \"8KiB\"");
    let get = |bytes: usize| {
        rig.client().request("GET", "/v1/symbols", &format!("x-filler: {}\r\n", "x".repeat(bytes))).status
    };
    assert_eq!((get(7 << 10), get(9 << 10)), (200, 431));
}

fn a_symbol_too_many_is_refused() {
    let rig = Rig::start("[limits]\nsymbols_per_stream = 1");
    let mut client = rig.client();
    assert_eq!(client.get("/v1/quotes?symbols=BTC-USDT").status, 200);
    for path in ["/v1/quotes", "/v1/stream"] {
        let answer = client.get(&format!("{path}?symbols=BTC-USDT,ETH-USDT"));
        assert_eq!((answer.status, &answer.json()["type"]), (400, &"urn:tickfan:problem:too-many-symbols".into()));
    }
}

fn a_resume_brings_no_more_bytes() {
    for (bytes, fits) in [("2KiB", false), ("64KiB", true)] {
        let mut rig = Rig::start(&format!("[limits]\nreplay_bytes = \"{bytes}\""));
        let mut reader = rig.waiting_stream();
        rig.trade([1]);
        let first = reader.tick().id.unwrap();
        rig.trade(2..=50);
        while reader.tick().number("seq") < 50 {}
        let resumed = rig.resumed(&first, 50);
        assert_eq!(resumed, (resumed[0]..=50).collect::<Vec<_>>(), "the newest, without a hole");
        assert!(resumed.len() > 2 && (resumed.len() == 49) == fits, "{bytes} brought {resumed:?}");
    }
}

fn a_longer_message_of_a_venue_ends_its_connection() {
    let mut rig = Rig::start("[limits]\nvenue_message_bytes = \"4KiB\"");
    rig.connection.send(&" ".repeat(4 << 10));
    rig.gateway.metric_when("tickfan_feed_decode_errors_total", "reason=\"json\"", |errors| errors == 1);
    assert_eq!(rig.gateway.metric("tickfan_feed_disconnects_total", ""), 0, "it was read, and dropped");
    rig.connection.send(&" ".repeat((4 << 10) + 1));
    rig.gateway.metric_when("tickfan_feed_disconnects_total", "reason=\"oversize\"", |losses| losses == 1);
    rig.connection = rig.venue.grant(&["btcusdt"]);
    rig.trade([1]);
    rig.gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);
    let log = rig.gateway.log();
    let line = log.iter().find(|line| line.contains("reason=oversize")).unwrap();
    assert!(line.contains("raise `venue_message_bytes` in [limits]"), "{line}");
}

/// A gateway under a limit of its listener for https, and where that is.
fn https(limit: &str) -> (Rig, SocketAddr) {
    let (rig, _) = https_of(&Ca::new("a CA"), limit);
    let address = rig.gateway.tls.unwrap();
    (rig, address)
}

/// The same with a certificate of a CA, whose files are in this folder.
fn https_of(ca: &Ca, limit: &str) -> (Rig, PathBuf) {
    let folder = certificates::folder(thread::current().name().unwrap_or_default());
    let files = ca.sign(&["localhost"]).write(&folder);
    (Rig::start(&format!("{}{limit}", certificates::table(&[files]))), folder)
}

/// A client of the listener for https, which trusts this CA.
fn https_client(rig: &Rig, ca: &Ca) -> TlsClient {
    let socket = TcpStream::connect(rig.gateway.tls.unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut config = tls::client_config_of(ca.der(), &tls::VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    tls::client(socket, config)
}

fn a_stream_too_many_of_a_connection_is_refused() {
    let ca = Ca::new("a CA");
    let (rig, _) = https_of(&ca, "h2_streams = 1000");
    let mut client = https_client(&rig, &ca);
    let mut peer = H2Peer::new(&[]);
    for _ in 0..20 {
        let streams: Vec<u32> = (0..50).map(|_| peer.get(TARGET)).collect();
        peer.until(&mut client, |peer| streams.iter().all(|stream| peer.streams.contains_key(stream)));
    }
    let one_more = peer.get(TARGET);
    peer.until(&mut client, |peer| peer.streams.contains_key(&one_more));
    let refused = peer.streams.iter().filter(|(_, stream)| stream.reset.is_some());
    let refused: Vec<_> = refused.map(|(number, stream)| (*number, stream.reset)).collect();
    assert_eq!(refused, [(one_more, Some(7))]);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 1_000);
}

fn a_renewed_certificate_is_served_after_the_next_look() {
    let ca = Ca::new("a CA");
    let (rig, folder) = https_of(&ca, "look = \"1s\"");
    let renewed = ca.sign(&["localhost"]);
    renewed.write(&folder);
    rig.gateway.metric_when("tickfan_certificate_reloads_total", "applied", |count| count == 1);
    let mut client = https_client(&rig, &ca);
    client.conn.complete_io(&mut client.sock).unwrap();
    assert_eq!(client.conn.peer_certificates().unwrap()[0], renewed.der());
}

fn a_handshake_that_takes_longer_is_cut_off() {
    let (rig, address) = https("handshake_timeout = \"100ms\"");
    let mut client = Client::connect(address);
    client.send([0x16, 3, 1]);
    assert_eq!(client.socket.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    rig.gateway.metric_when("tickfan_tls_handshakes_total", "timeout", |count| count == 1);
}

fn a_handshake_that_pauses_gives_way_to_one_too_many() {
    let (rig, address) = https("handshakes = 1");
    let mut clients = [Client::connect(address), Client::connect(address)];
    for client in &mut clients {
        client.send([0x16, 3, 1]);
    }
    rig.gateway.metric_when("tickfan_tls_handshakes_total", "gave_way", |count| count == 1);
}

fn https_alone_is_demanded_for_so_long() {
    let (_rig, address) = https("hsts = \"1d\"");
    let curl =
        Command::new("curl").args(["--silent", "--include", "--insecure"]).arg(format!("https://{address}/")).output();
    let answer = String::from_utf8(curl.expect("curl is installed").stdout).unwrap();
    assert!(answer.contains("strict-transport-security: max-age=86400\r\n"), "{answer}");
}

/// A gateway whose clients sign on, under a limit of `[auth]`, and its issuer.
fn sign_on(limit: &str) -> (Rig, Issuer) {
    let (rig, issuer, _) = sign_on_with_keys(limit);
    (rig, issuer)
}

/// The same, with the file of the issuer's keys.
fn sign_on_with_keys(limit: &str) -> (Rig, Issuer, PathBuf) {
    let issuer = Issuer::new(1, "one");
    let name = thread::current().name().unwrap_or_default().to_owned();
    let keys = certificates::folder(&name).join("keys.json");
    std::fs::write(&keys, issuer.jwks()).unwrap();
    let auth = format!("[auth]\nmode = \"required\"\nkeys = \"file:{}\"\n{limit}", keys.display());
    (Rig::start(&auth), issuer, keys)
}

fn a_file_of_keys_is_looked_at() {
    let (rig, issuer, keys) = sign_on_with_keys("look = \"1s\"");
    let next = Issuer::new(2, "two");
    let status = |issuer: &Issuer| {
        let fields = format!("authorization: Bearer {}\r\n", issuer.live("u17", &["*"]));
        rig.client().request("GET", "/v1/symbols", &fields).status
    };
    assert_eq!((status(&issuer), status(&next)), (200, 401));
    std::fs::write(&keys, next.jwks()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while (status(&issuer), status(&next)) != (401, 200) {
        assert!(Instant::now() < deadline, "the new keys do not count");
        thread::sleep(Duration::from_millis(20));
    }
}

fn a_stream_too_many_of_a_subject_is_sent_away() {
    let (rig, issuer) = sign_on("streams_per_subject = 2");
    let opens = |subject: &str| {
        let mut client = rig.client();
        let token = issuer.live(subject, &["*"]);
        client.send(format!("GET {TARGET} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"));
        let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
        text.contains("event: hello\n").then_some(client)
    };
    let _held = [opens("u17").unwrap(), opens("u17").unwrap()];
    assert!(opens("u17").is_none());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "subject"), 1);
    opens("u18").unwrap();
}

fn a_ticket_no_longer_counts() {
    let (rig, issuer) = sign_on("ticket_ttl = \"5s\"");
    let bearer = format!("authorization: Bearer {}\r\n", issuer.live("u17", &["*"]));
    let issue = || rig.client().request("POST", "/v1/tickets", &bearer);
    let first = issue().json();
    assert_eq!(first["expires_in"], 5);
    let begin = Instant::now();
    // As many as a subject may have: the next is issued once the first has expired.
    (1..32).for_each(|_| assert_eq!(issue().status, 201));
    while issue().status == 429 {
        assert!(begin.elapsed() < Duration::from_secs(60), "tickets do not expire");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(begin.elapsed() >= Duration::from_secs(4));
    let ticket = first["ticket"].as_str().unwrap();
    let answer = rig.client().get(&format!("{TARGET}?ticket={ticket}"));
    assert_eq!((answer.status, &answer.json()["type"]), (401, &"urn:tickfan:problem:bad-ticket".into()));
}
