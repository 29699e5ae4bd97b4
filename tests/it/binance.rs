//! Binance's frames from the venue's socket to the client's. Plays the recorded session if `TEST_RECORDINGS` names a
//! folder with one, else a similar session that is generated from a seed.

use crate::support::{
    process::Process,
    recording::Recording,
    reference::{Expected, expected},
    running::{Running, binance, config},
    stream::{Stream, Tick},
};
use std::{collections::BTreeMap, net::SocketAddr, thread, time::Duration};
use venue_sim::blocking::Venue;

const BOTH: &str = "/v1/stream?symbols=BTC-USDT,ETH-USDT";
const SYMBOLS: [&str; 2] = ["BTC-USDT", "ETH-USDT"];
const NAMES: [&str; 2] = ["btcusdt", "ethusdt"];

/// Plays a session to a gateway whose limits no client here reaches, and lets clients follow it.
fn play(recording: &Recording, speed: f64) {
    let venue = Venue::bind();
    let mut config = config(vec![binance("crypto", &venue.url, &SYMBOLS)]);
    config.fanout.ring = 65_536;
    config.fanout.max_lag = Duration::from_secs(10);
    config.fanout.ring_age = Duration::from_secs(60);
    let gateway = Running::start(&config);
    let mut connection = venue.grant(&NAMES);
    let all = expected(recording);
    let mut only = all.clone();
    only.retain(|symbol, _| *symbol == "ETH-USDT");
    thread::scope(|scope| {
        for (target, expected) in [(BOTH, &all), (BOTH, &all), ("/v1/stream/ETH-USDT", &only)] {
            let mut stream = open(gateway.address, target, expected.len());
            scope.spawn(move || follow(&mut stream, expected, &recording.name));
        }
        connection.play(recording.due_at(speed));
    });
    gateway.stop().unwrap();
}

/// Opens a stream before anything has come.
fn open(address: SocketAddr, target: &str, symbols: usize) -> Stream {
    let mut stream = Stream::open(address, target);
    assert_waiting(&mut stream, symbols);
    stream
}

fn assert_waiting(stream: &mut Stream, symbols: usize) {
    stream.named("hello");
    for _ in 0..symbols {
        let tick = stream.tick();
        assert_eq!((tick.text("state"), tick.text("seq")), ("waiting", "0"));
    }
}

/// Reads until every expected tick has come: per symbol in order and digit by digit. Ticks of different symbols may
/// come in any order.
fn follow(stream: &mut Stream, expected: &Expected, session: &str) {
    // Of each symbol how many ticks came, and when the gateway had received the last.
    let mut seen: BTreeMap<&str, (usize, u64)> = expected.keys().map(|&symbol| (symbol, (0, 0))).collect();
    while seen.iter().any(|(symbol, &(count, _))| count < expected[symbol].len()) {
        let mut tick = stream.tick();
        assert!(tick.id.is_some(), "{tick:?} has no id");
        let received = tick.number("recv");
        tick.fields.remove("recv");
        let (count, received_before) = seen.get_mut(tick.text("symbol")).unwrap();
        assert_eq!(tick.fields, expected[tick.text("symbol")][*count], "in {session}");
        assert!(received >= *received_before, "it was received before the tick before it");
        (*count, *received_before) = (*count + 1, received);
    }
}

#[test]
fn the_session_has_the_bursts_that_it_is_played_for() {
    for recording in [Recording::open(), Recording::generate(1)] {
        assert_eq!(recording.frames.len(), 20_000, "{}", recording.name);
        for part in [recording.worst_parts(), recording] {
            assert!(part.densest(Duration::from_micros(100)).0 >= 37, "{}", part.name);
            assert!(part.densest(Duration::from_millis(100)).0 >= 213, "{}", part.name);
        }
    }
}

#[test]
fn rule_2_a_client_that_keeps_up_gets_every_tick_at_the_venues_own_pace() {
    let recording = Recording::open();
    // The whole session takes 104 s: `scripts/nightly session` plays it, all other runs play only the worst bursts.
    let whole = std::env::var("TEST_WHOLE_SESSION").is_ok_and(|whole| whole == "true");
    play(&if whole { recording } else { recording.worst_parts() }, 1.0);
}

#[test]
fn rule_2_a_client_that_keeps_up_gets_every_tick_of_the_session_at_ten_times_its_pace() {
    play(&Recording::open(), 10.0);
}

#[test]
fn rule_6_numbers_arrive_digit_by_digit_and_what_says_nothing_new_is_no_tick() {
    let mut recording = Recording::generate(6);
    recording.frames.truncate(5_000);
    let ticks: usize = expected(&recording).values().map(Vec::len).sum();
    assert!(ticks < 5_000, "some of its quotes repeat the one before");
    play(&recording, 50.0);
}

#[test]
fn rule_2_a_reader_of_20_kb_a_second_ends_on_the_newest_and_what_it_did_not_get_is_counted() {
    let recording = Recording::open();
    let expected = expected(&recording);
    let venue = Venue::bind();
    // A process of its own, so that its counts are of this test only.
    let gateway = Process::start(
        "slow-reader",
        &format!(
            "[[feed]]\nname = \"crypto\"\nvenue = \"binance\"\nurl = \"{}\"\nsymbols = [\"BTC-USDT\", \"ETH-USDT\"]\n",
            venue.url
        ),
    );
    let mut connection = venue.grant(&NAMES);
    let (fast, slow) = thread::scope(|scope| {
        let mut fast = open(gateway.address, BOTH, 2);
        let mut slow = Stream::open_slow(gateway.address, BOTH, 20_000);
        assert_waiting(&mut slow, 2);
        let expected = &expected;
        let fast = scope.spawn(move || read_to_the_end(&mut fast, expected));
        let slow = scope.spawn(move || read_to_the_end(&mut slow, expected));
        connection.play(recording.due_at(10.0));
        (fast.join().unwrap(), slow.join().unwrap())
    });
    println!("{}: missed {} of the fast one, {} of the slow one", recording.name, fast.missed, slow.missed);
    for symbol in SYMBOLS {
        assert_eq!(slow.last[symbol].fields, fast.last[symbol].fields, "both end on the same bytes");
        assert_eq!(slow.last[symbol].id, fast.last[symbol].id);
    }
    assert!(slow.missed > 1_000, "a reader this slow cannot have got all, but it missed {}", slow.missed);
    // The workers publish their counts now and then: all is told once all that was read is told as sent.
    let read = fast.ticks + slow.ticks;
    let sent = gateway.metric_when("tickfan_stream_ticks_sent_total", "", |sent| sent >= read);
    assert_eq!(sent, read);
    let by_cause = ["lag", "ring", "options"]
        .map(|cause| gateway.metric("tickfan_stream_ticks_missed_total", &format!("cause=\"{cause}\"")));
    let [lag, ring, options] = by_cause;
    assert_eq!(lag + ring, fast.missed + slow.missed, "lag, ring, options: {by_cause:?}");
    assert_eq!(options, 0);
    assert!(ring <= fast.missed, "only of a reader that the gateway itself could not keep up with: {by_cause:?}");
    assert_eq!(gateway.terminate().code(), Some(0));
}

/// What was read from a stream.
struct Read {
    last: BTreeMap<String, Tick>,
    /// How many ticks came, the first of each symbol that said that there was none yet among them.
    ticks: u64,
    /// How many `seq` passed over.
    missed: u64,
}

/// Reads until the last of each symbol has come.
fn read_to_the_end(stream: &mut Stream, expected: &Expected) -> Read {
    let mut read = Read { last: BTreeMap::new(), ticks: expected.len() as u64, missed: 0 };
    let is_last = |(symbol, tick): (&String, &Tick)| tick.number("seq") == expected[symbol.as_str()].len() as u64;
    while read.last.len() < expected.len() || !read.last.iter().all(is_last) {
        let tick = stream.tick();
        let symbol = tick.text("symbol").to_owned();
        let (seq, before) = (tick.number("seq"), read.last.get(&symbol).map_or(0, |tick| tick.number("seq")));
        assert!(seq > before, "{symbol} went from {before} to {seq}");
        read.ticks += 1;
        read.missed += seq - before - 1;
        let mut shown = tick.fields.clone();
        shown.remove("recv");
        assert_eq!(shown, expected[symbol.as_str()][seq as usize - 1]);
        read.last.insert(symbol, tick);
    }
    read
}
