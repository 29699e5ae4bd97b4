//! As many streams as a process can hold, and more. The gateway has a process of its own, since both ends of a stream
//! need a descriptor.

use crate::support::{
    Client, PATIENCE,
    crowd::{Crowd, Member},
    log_watch::LogWatch,
    process::Process,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use venue_sim::{binance::trade, blocking::Venue};

const STREAMS: usize = 10_000;
/// A debug build needs some seconds; the rest is for a busy machine.
const STORM_PATIENCE: Duration = Duration::from_secs(60);
const MEMORY: &str = "process_resident_memory_bytes";
const TARGET: &str = "/v1/stream/BTC-USDT";

/// Raises the limit so that the clients of both tests have descriptors.
fn raise_descriptors() {
    let hard = getrlimit(Resource::Nofile).maximum;
    assert!(
        hard.is_none_or(|hard| hard > STREAMS as u64 + 1_000),
        "a limit of {hard:?} open files is too low for this test"
    );
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
}

fn config(venue: &Venue, more: &str) -> String {
    format!(
        "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\"]\n{more}",
        venue.url
    )
}

fn has_seq(member: &Member, seq: u32) -> bool {
    member.text.contains(&format!("\"seq\":{seq},")) && member.text.ends_with("\n\n")
}

fn is_busy(member: &Member) -> bool {
    member.text.ends_with("event: bye\ndata: {\"reason\":\"busy\"}\n\n")
}

#[test]
fn ten_thousand_streams_open_at_once_get_the_newest_and_then_every_tick() {
    raise_descriptors();
    let venue = Venue::bind();
    let gateway = Process::start("many", &config(&venue, ""));
    let mut connection = venue.grant(&["btcusdt"]);
    connection.send(&trade("BTCUSDT", 1, "61837.63000000"));
    gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);
    let started = Instant::now();
    let mut crowd = Crowd::new(TARGET);
    crowd.join(gateway.address, STREAMS, STORM_PATIENCE, |member| has_seq(member, 1));
    println!("{STREAMS} streams had their newest after {:?}", started.elapsed());
    for seq in 2..=4 {
        let sent = Instant::now();
        connection.send(&trade("BTCUSDT", seq.into(), "61837.64000000"));
        crowd.wait(STORM_PATIENCE, |member| has_seq(member, seq));
        println!("all had tick {seq} after {:?}", sent.elapsed());
    }
    for member in &crowd.members {
        assert_eq!(member.text.matches("\ndata: {\"symbol\"").count(), 4, "{}", member.text);
    }
    gateway.metric_when("tickfan_streams", "", |streams| streams == STREAMS as u64);
    assert_eq!(gateway.metric("tickfan_stream_ticks_missed_total", ""), 0);
    drop(crowd);
    gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
}

/// Each client resumes with the id of its last tick, as a browser does.
#[test]
fn thousands_of_clients_come_back_to_a_gateway_that_was_killed() {
    const RETURNING: usize = 3_000;
    raise_descriptors();
    let venue = Venue::bind();
    let config = config(&venue, "");
    let gateway = Process::start("killed-many", &config);
    let mut connection = venue.grant(&["btcusdt"]);
    connection.send(&trade("BTCUSDT", 7, "61837.63000000"));
    gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);
    let mut crowd = Crowd::new(TARGET);
    crowd.join(gateway.address, RETURNING, STORM_PATIENCE, |member| has_seq(member, 1));
    let (_, tick) = crowd.members[0].text.rsplit_once("id: ").unwrap();
    let last = tick.lines().next().unwrap().to_owned();
    let address = gateway.address;
    gateway.kill();
    crowd.wait(STORM_PATIENCE, |member| member.ended);
    drop(crowd);

    let gateway = Process::start_on("killed-many", &config, address);
    // The venue counts on where it was.
    let mut connection = venue.grant(&["btcusdt"]);
    connection.send(&trade("BTCUSDT", 8, "61840.00000000"));
    gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);
    let mut crowd = Crowd::new(&format!("{TARGET}?last_event_id={last}"));
    crowd.join(address, RETURNING, STORM_PATIENCE, |member| has_seq(member, 1));
    for Member { text, .. } in &crowd.members {
        assert!(text.contains("61840") && !text.contains("61837") && !text.contains(&last), "{text}");
    }
    assert_eq!(gateway.metric("tickfan_stream_ticks_missed_total", ""), 0);
}

#[test]
fn rule_10_under_a_limit_of_descriptors_the_excess_is_told_to_come_back_and_the_others_go_on() {
    const DESCRIPTORS: u32 = 256;
    raise_descriptors();
    let venue = Venue::bind();
    let gateway = Process::start_limited("few", &config(&venue, "[fanout]\nworkers = 2\n"), DESCRIPTORS);
    let room = usize::try_from(gateway.metric("tickfan_streams_limit", "")).unwrap();
    assert!((100..200).contains(&room), "{DESCRIPTORS} descriptors make room for {room} streams");
    let mut connection = venue.grant(&["btcusdt"]);
    connection.send(&trade("BTCUSDT", 1, "61837.63000000"));
    gateway.metric_when("tickfan_feed_symbols", "state=\"live\"", |live| live == 1);

    let mut crowd = Crowd::new(TARGET);
    crowd.join(gateway.address, 300, PATIENCE, |member| has_seq(member, 1) || is_busy(member));
    assert_eq!(crowd.members.iter().filter(|member| has_seq(member, 1)).count(), room);
    assert!(gateway.descriptors() < DESCRIPTORS as usize);
    connection.send(&trade("BTCUSDT", 2, "61837.64000000"));
    crowd.wait(PATIENCE, |member| if is_busy(member) { member.ended } else { has_seq(member, 2) });
    assert_eq!(
        Client::connect(gateway.address).get("/v1/quotes/BTC-USDT").status,
        200,
        "there is room for other answers"
    );

    // A client that leaves makes room for another. The workers publish their counts from time to time, and at first the
    // gauge reads zero.
    gateway.metric_when("tickfan_streams", "", |streams| streams == room as u64);
    crowd.members.retain(is_busy);
    gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    let mut next = Crowd::new(TARGET);
    next.join(gateway.address, room, PATIENCE, |member| has_seq(member, 2));
    assert_eq!(gateway.metric("tickfan_http_accept_errors_total", ""), 0, "it never ran out of descriptors");
}

#[test]
fn limits_that_the_descriptors_lower_are_a_warning_that_names_what_to_raise() {
    let mut command = Command::new("bash");
    let limited = "ulimit -n 256 && exec \"$0\" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0";
    let mut gateway =
        command.args(["-c", limited, env!("CARGO_BIN_EXE_tickfan")]).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(gateway.stderr.take().unwrap()).lines().map(Result::unwrap);
    let watch = LogWatch::default();
    let before: Vec<_> = log.inspect(|line| watch.look(line)).take_while(|line| !line.contains(" serving ")).collect();
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    watch.check();
    let lowered = before.iter().find(|line| line.contains(" are lowered: ")).unwrap();
    assert!(["WARN", "`streams`", "`connections`", "ulimit -n"].iter().all(|word| lowered.contains(word)), "{lowered}");
}

#[test]
fn the_memory_of_a_storm_goes_back_to_the_system() {
    raise_descriptors();
    let names: Vec<String> = (0..500).map(|number| format!("S{number:03}")).collect();
    let gateway = Process::start(
        "storm",
        &format!("[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nrate = 1\nsymbols = {names:?}\n[fanout]\nworkers = 2\n"),
    );
    let target = format!("/v1/stream?symbols={}", names.join(","));
    let storm = |streams: usize| {
        let mut crowd = Crowd::new(&target);
        crowd.join(gateway.address, streams, STORM_PATIENCE, |member| member.text.contains("event: hello"));
        let memory = gateway.metric(MEMORY, "");
        drop(crowd);
        gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
        memory
    };
    storm(5);
    let before = gateway.metric(MEMORY, "");
    for (kind, streams) in [("first", 1_500), ("second", 1_000)] {
        let highest = storm(streams);
        let grown = highest.saturating_sub(before);
        assert!(grown > streams as u64 * 500 * 30, "the {kind} storm takes memory: {before} to {highest} bytes");
        gateway.metric_when(MEMORY, "", |memory| memory < before + grown / 4);
    }
}
