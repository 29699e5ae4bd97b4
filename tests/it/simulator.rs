//! The simulator's scripted events, through a whole gateway: what a client sees of each.

use crate::support::{
    PATIENCE,
    running::{Running, config},
    stream::{Event, Stream},
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tickfan::config::{Config, Overrides, load};

/// The states of MSFT with their reasons, in order, each once in a row, until the expected ones came in this order.
fn expect(config: &Config, expected: &[(&str, &str)]) {
    let gateway = Running::start(config);
    let mut stream = Stream::open(gateway.address, "/v1/stream?symbols=MSFT");
    let mut seen = Vec::new();
    let mut left = expected.iter().peekable();
    let deadline = Instant::now() + PATIENCE;
    while let Some((state, reason)) = left.peek() {
        assert!(Instant::now() < deadline, "{expected:?} did not come: {seen:?}");
        let Event::Tick(tick) = stream.next().unwrap() else { continue };
        assert_eq!(tick.text("origin"), "sim", "a scripted state is marked as simulated");
        let now = (tick.text("state").to_owned(), tick.text("reason").to_owned());
        if now.0 == *state && now.1 == *reason {
            left.next();
        }
        if seen.last() != Some(&now) {
            seen.push(now);
        }
    }
    drop(stream);
    gateway.stop().unwrap();
}

/// A feed of two symbols with these events.
fn scripted(name: &str, events: &str) -> Config {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("simulator-{name}.toml"));
    // Each comes again: a stream that is opened late misses none.
    let events = events.replace("do = ", "every = \"4s\"\ndo = ");
    fs::write(&path, format!("[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\", \"MSFT\"]\nrate = 200\n{events}"))
        .unwrap();
    let loaded = load(Some(&path), Vec::new(), &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    Config { feeds: loaded.feeds, ..config(Vec::new()) }
}

const LIVE: (&str, &str) = ("live", "");

#[test]
fn each_scripted_event_leads_to_its_state_and_back() {
    for (name, events, state) in [
        ("halt", "at = \"1s\"\ndo = \"halt\"\nsymbol = \"MSFT\"\nlasts = \"500ms\"", &[("halted", "news")][..]),
        (
            "resume",
            "at = \"1s\"\ndo = \"halt\"\nsymbol = \"msft\"\n[[feed.event]]\nat = \"1500ms\"\ndo = \"resume\"\nsymbol = \"MSFT\"",
            &[("halted", "news")],
        ),
        (
            "close",
            "at = \"1s\"\ndo = \"close\"\nsymbol = \"MSFT\"\nlasts = \"500ms\"",
            &[("closed", "outside_hours"), ("stale", "opening")],
        ),
        ("refuse", "at = \"1s\"\ndo = \"refuse\"\nsymbol = \"MSFT\"\nlasts = \"2s\"", &[("refused", "not_granted")]),
        ("break", "at = \"1s\"\ndo = \"break\"\nlasts = \"500ms\"", &[("stale", "connection_lost")]),
        ("gap", "at = \"1s\"\ndo = \"gap\"", &[("stale", "gap")]),
    ] {
        let config = scripted(name, &format!("[[feed.event]]\n{events}\n"));
        expect(&config, &[&[LIVE], state, &[LIVE]].concat());
    }
}

#[test]
fn a_mute_feed_is_stale_after_its_mute_after() {
    let event = "mute_after = \"1s\"\n[[feed.event]]\nat = \"1s\"\ndo = \"mute\"\nlasts = \"2500ms\"\n";
    expect(&scripted("mute", event), &[LIVE, ("stale", "mute"), LIVE]);
}

#[test]
fn a_halt_outlasts_a_lost_connection() {
    let events = "[[feed.event]]\nat = \"500ms\"\ndo = \"halt\"\nsymbol = \"MSFT\"\n[[feed.event]]\nat = \"1s\"\ndo = \"break\"\n";
    expect(&scripted("halt-break", events), &[("halted", "news"), ("stale", "connection_lost"), ("halted", "news")]);
}

#[test]
fn the_example_file_shows_its_first_state_when_it_runs_at_ten_times_the_speed() {
    let loaded = load(Some("examples/simulator.toml".as_ref()), Vec::new(), &Overrides::default()).unwrap();
    let mut config = Config { feeds: loaded.feeds, ..config(Vec::new()) };
    let faster = |time: Duration| time / 10;
    for event in &mut config.feeds[0].script.0 {
        event.at = faster(event.at);
        event.every = event.every.map(faster);
        event.lasts = event.lasts.map(faster);
    }
    expect(&config, &[LIVE, ("halted", "news"), LIVE]);
}
