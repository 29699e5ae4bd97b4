//! Recordings, played through a whole gateway.

use crate::support::{
    PATIENCE,
    recording::Recording,
    reference::{Fields, expected},
    running::{Running, config},
    stream::{Event, Stream, Tick},
};
use clap::Parser as _;
use flate2::{Compression, write::GzEncoder};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tickfan::{
    cli::Args,
    config::{Config, Feed, load},
    market::Symbol,
    venue::{self, Playback, Speed},
};

/// How often a recording is played, until a stream is there before its first data.
const TRIES: usize = 20;
/// Before the first data, in ns at the pace of the recording.
const LEAD: u64 = 500_000_000;
/// 2024-11-22, in ns.
const BASE: u64 = 1_732_283_045_000_000_000;

/// Writes a file of the test.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"));
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A configuration with one recording, and with room for each of its ticks.
fn playing(protocol: &str, files: Vec<PathBuf>, symbols: &[&str], speed: Speed, repeats: bool) -> Config {
    let symbols = symbols.iter().map(|name| name.parse::<Symbol>().unwrap().into()).collect();
    let protocol = venue::find(protocol).unwrap();
    let playback = Playback { protocol, url: None, files, speed, repeats };
    let feed = Feed { playback: Some(playback), ..Feed::new(venue::find("replay").unwrap(), symbols) };
    let mut config = config(vec![feed]);
    config.fanout.ring = 65_536;
    config.fanout.ring_age = Duration::from_secs(600);
    config.fanout.max_lag = Duration::from_secs(10);
    config.limits.replay_bytes = 64 << 20;
    config
}

/// A session of the simulator, a frame each 10 ms after a pause: data, or what the recorder said.
fn simulated(lines: &[&str]) -> String {
    let line = |(place, line): (usize, &&str)| {
        let at = BASE + LEAD + place as u64 * 10_000_000;
        match line.strip_prefix('#') {
            Some(event) => format!("# {at} {event}\n"),
            None if line.is_empty() => "\n".to_owned(),
            None => format!("{at} {line}\n"),
        }
    };
    format!("# {BASE} open\n") + &lines.iter().enumerate().map(line).collect::<String>()
}

/// A frame that says nothing.
const OTHER: &str = r#"{"op":"what"}"#;

fn trade(id: u64, price: &str) -> String {
    format!(r#"{{"type":"trade","symbol":"AAPL","id":{id},"time":{},"price":"{price}"}}"#, BASE / 1_000 + id)
}

/// Plays a recording to a stream that was there before its first data, and returns all ticks. A recording begins when
/// the gateway does, with a pause: where the stream comes too late it is played again.
fn played(config: &Config, symbols: &[&str]) -> (Running, BTreeMap<String, Vec<Tick>>) {
    for _ in 0..TRIES {
        let gateway = Running::start(config);
        let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={}", symbols.join(",")));
        stream.named("hello");
        let first: Vec<Tick> = symbols.iter().map(|_| stream.tick()).collect();
        if first.iter().all(|tick| tick.text("state") == "waiting") {
            let ticks = until_ended(&mut stream, symbols);
            return (gateway, ticks);
        }
        gateway.stop().unwrap();
    }
    panic!("no stream was there before the first data");
}

/// Reads up to the end of the recording.
fn until_ended(stream: &mut Stream, symbols: &[&str]) -> BTreeMap<String, Vec<Tick>> {
    let mut ticks = BTreeMap::<String, Vec<Tick>>::new();
    let mut open = symbols.len();
    while open > 0 {
        let tick = stream.tick();
        open -= usize::from(tick.text("reason") == "ended");
        ticks.entry(tick.text("symbol").to_owned()).or_default().push(tick);
    }
    ticks
}

/// A tick without what a replay changes: times of receipt, and that it is one.
fn as_recorded(mut tick: Tick) -> Fields {
    assert_eq!(tick.fields.remove("origin").as_deref(), Some("\"replay\""));
    assert!(tick.fields.remove("recv").is_some());
    tick.fields
}

/// The status of a request to the operators' listener.
fn status(admin: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(admin).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_recorded_session_gives_the_ticks_that_it_gave_and_its_end_is_not_a_failure() {
    const SYMBOLS: [&str; 2] = ["BTC-USDT", "ETH-USDT"];
    let recording = Recording::open();
    let line = |at: Duration, text: &str| format!("{} {text}\n", u128::from(BASE) + at.as_nanos());
    let lines: Vec<String> = recording.frames.iter().map(|frame| line(frame.at, &frame.text)).collect();
    // Half a second at the speed of this test.
    let begin = BASE - 1_000 * LEAD;
    let text =
        format!("# tickfan 1 venue=binance feed=crypto symbols=BTC-USDT,ETH-USDT\n# {begin} open\n{}", lines.concat());
    // Two hours of one connection, in many members.
    let (first, second) = text.split_at(text.len() / 2);
    let (rest, second) = second.split_once('\n').unwrap();
    let first: Vec<u8> = [first, rest, "\n"].into_iter().flat_map(gzip).collect();
    let files = vec![file("crypto.1-20241122T14.txt.gz", &gzip(second)), file("crypto.1-20241122T13.txt.gz", &first)];
    let (gateway, mut ticks) = played(&playing("binance", files, &SYMBOLS, Speed::Times(1_000.0), false), &SYMBOLS);
    for (symbol, expected) in expected(&recording) {
        let mut ticks = ticks.remove(symbol).unwrap();
        let last = ticks.pop().unwrap();
        assert_eq!((last.text("state"), last.text("reason")), ("stale", "ended"));
        let seen: Vec<Fields> = ticks.into_iter().map(as_recorded).collect();
        assert_eq!(seen.len(), expected.len(), "of {symbol} in {}", recording.name);
        assert!(seen == expected, "the ticks of {symbol} differ in {}", recording.name);
    }
    assert_eq!(status(gateway.admin, "/readyz"), "HTTP/1.1 200 OK");
    gateway.stop().unwrap();
}

/// Each state of a tick with its reason and its price, as they follow each other.
fn states(mut ticks: BTreeMap<String, Vec<Tick>>, symbol: &str) -> Vec<[String; 3]> {
    let ticks = ticks.remove(symbol).unwrap();
    ticks.iter().map(|tick| ["state", "reason", "price"].map(|name| tick.text(name).to_owned())).collect()
}

#[test]
fn a_recorded_outage_is_one_again_and_answers_among_the_frames_are_not_ours() {
    let [one, two, three] = [trade(1, "1"), trade(2, "2"), trade(3, "3")];
    let refusal = r#"{"op":"refuse","id":1}"#;
    let hole = r#"{"op":"heartbeat","sent":99}"#;
    let text = simulated(&[
        "#open",
        refusal,
        &one,
        "#dropped 3",
        hole,
        "",
        &two,
        "#close gap",
        "",
        "#open",
        &three,
        "#close io",
    ]);
    let config = playing("sim", vec![file("outage.txt", text.as_bytes())], &["AAPL"], Speed::Times(1.0), false);
    let (gateway, ticks) = played(&config, &["AAPL"]);
    let seen = states(ticks, "AAPL");
    let expected = [
        ["live", "", "1"],
        ["stale", "connection_lost", "1"],
        ["live", "", "2"],
        ["stale", "gap", "2"],
        ["live", "", "3"],
        ["stale", "connection_lost", "3"],
        ["stale", "ended", "3"],
    ];
    assert_eq!(seen, expected);
    gateway.stop().unwrap();
}

#[test]
fn a_new_pass_of_a_loop_moves_back_and_counts_on() {
    let [one, two] = [trade(1, "1"), trade(2, "2")];
    let halt = r#"{"type":"status","symbol":"AAPL","time":1732283045000009,"trading":"halted","session":"open"}"#;
    let text = simulated(&[&one, &two, halt]);
    let gateway =
        Running::start(&playing("sim", vec![file("loop.txt", text.as_bytes())], &["AAPL"], Speed::Times(1.0), true));
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    let mut seen = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let pass = ["halted 2", "stale 2", "live 1", "live 2", "halted 2", "stale 2", "live 1"];
    while !seen.windows(pass.len()).any(|states: &[String]| states == pass) {
        assert!(Instant::now() < deadline, "{seen:?}");
        let Some(Event::Tick(tick)) = stream.next() else { continue };
        if tick.text("state") == "stale" {
            assert_eq!(tick.text("reason"), "reconnect");
        }
        assert_ne!(tick.text("origin"), "replay", "a recorded simulation is still one");
        seen.push(format!("{} {}", tick.text("state"), tick.text("price")));
    }
    assert_eq!(status(gateway.admin, "/readyz"), "HTTP/1.1 200 OK");
    gateway.stop().unwrap();
}

#[test]
fn each_format_plays() {
    let [one, two] = [trade(1, "1"), trade(2, "2")];
    let escaped = |frame: &str| serde_json::to_string(frame).unwrap();
    for (name, line) in [
        ("own", (|at: u64, frame: &str| format!("{} {frame}\n", BASE + at)) as fn(u64, &str) -> String),
        ("slice", |at, frame| format!("2024-11-22T13:44:05.{at:09}Z {frame}\n")),
        ("machine", |at, frame| {
            format!("{{\"localTimestamp\":\"2024-11-22T13:44:05.{at:09}Z\",\"message\":{frame}}}\n")
        }),
        ("cryptofeed1", |at, frame| format!("1732283045.{at:09}: {frame}\n")),
        ("tsv", |at, frame| format!("1732283045{:03}\tAAPL\t{frame}\n", at / 1_000_000)),
        ("bare", |_, frame| format!("{frame}\n")),
    ] {
        plays(name, &(line(0, OTHER) + &line(LEAD, &one) + &line(LEAD + 10_000_000, &two)));
    }
    let all = [(0, OTHER), (5, &one), (6, &two)];
    let capture: String = all
        .map(|(at, frame)| {
            format!("{{\"t\":\"recv\",\"conn\":\"A.ws.1\",\"ts\":1732283045.{at},\"data\":{}}}\n", escaped(frame))
        })
        .concat();
    plays("cryptofeed2", &format!("{{\"t\":\"header\",\"format\":2}}\n{capture}"));
    let crawled = all.map(|(at, frame)| {
        format!("{{\"exchange\":\"a\",\"received_at\":1732283045{at}00,\"json\":{}}}\n", escaped(frame))
    });
    plays("crawler", &crawled.concat());
}

/// Plays a session of two trades, compressed with zstd.
fn plays(name: &str, text: &str) {
    let file = file(&format!("{name}.zst"), &zstd::encode_all(text.as_bytes(), 3).unwrap());
    // Bare frames are 10 ms apart, and not half a second.
    let speed = if name == "bare" { 0.02 } else { 1.0 };
    let (gateway, ticks) = played(&playing("sim", vec![file], &["AAPL"], Speed::Times(speed), false), &["AAPL"]);
    let expected = [["live", "", "1"], ["live", "", "2"], ["stale", "ended", "2"]];
    assert_eq!(states(ticks, "AAPL"), expected, "{name}");
    gateway.stop().unwrap();
}

/// The recorded sessions that `TEST_RECORDINGS` has, with their venues, and a symbol whose price must be known in the
/// end.
const RECORDED: [(&str, &str, &str); 6] = [
    ("binance.txt.gz", "binance", "BTC-USDT"),
    ("coinbase.txt.gz", "coinbase", "BTC-USD"),
    ("okx.txt.gz", "okx", "BTC-USDT"),
    ("bybit_spot.txt.gz", "bybit-spot", "BTC-USDT"),
    ("bybit_linear.txt.gz", "bybit-linear", "BTC-USDT-PERP"),
    ("bitstamp.txt.gz", "bitstamp", "ETH-USD"),
];

#[test]
fn recorded_sessions_of_each_venue_play() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    for (name, protocol, symbol) in RECORDED {
        let file = Path::new(&folder).join(name);
        let gateway = Running::start(&playing(protocol, vec![file], &[symbol], Speed::Max, false));
        let mut stream = Stream::open(gateway.address, &format!("/v1/stream/{symbol}"));
        stream.named("hello");
        let last = until_ended(&mut stream, &[symbol]).remove(symbol).unwrap().pop().unwrap();
        assert!(last.fields.contains_key("price"), "{name}: {last:?}");
        gateway.stop().unwrap();
    }
}

#[test]
fn the_session_of_the_examples_plays_by_its_name_alone() {
    const SYMBOLS: [&str; 3] = ["BTC-USD", "ETH-USD", "SOL-USD"];
    let args = Args::try_parse_from(["tickfan", "replay", "examples/kraken-session.txt", "--speed", "max"]).unwrap();
    let loaded = load(None, [], &args.overrides()).unwrap();
    let gateway = Running::start(&config(loaded.feeds));
    let mut stream = Stream::open(gateway.address, &format!("/v1/stream?symbols={}", SYMBOLS.join(",")));
    stream.named("hello");
    for (symbol, ticks) in until_ended(&mut stream, &SYMBOLS) {
        let last = ticks.last().unwrap();
        for field in ["price", "bid", "ask", "high", "volume"] {
            assert!(last.fields.contains_key(field), "{symbol} without {field}: {last:?}");
        }
        assert_eq!(last.text("origin"), "replay");
    }
    gateway.stop().unwrap();
}

#[test]
fn the_command_line_is_a_configuration() {
    let loaded = |arguments: &[&str]| {
        let args = Args::try_parse_from(["tickfan", "replay"].iter().chain(arguments)).unwrap();
        load(None, [], &args.overrides()).map_err(|error| error.to_string())
    };
    let file = "tests/fixtures/recordings/sim.txt";
    let config = loaded(&[file, "--speed", "max", "--loop", "--listen", "127.0.0.1:9"]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:9".parse().unwrap());
    let [feed] = config.feeds.as_slice() else { panic!("one feed") };
    let playback = feed.playback.as_ref().unwrap();
    assert_eq!((playback.protocol.name, playback.speed, playback.repeats), ("sim", Speed::Max, true));
    assert_eq!(playback.files, [PathBuf::from(file)]);
    let symbols =
        |config: &Config| config.feeds[0].symbols.iter().map(|listed| listed.symbol.to_string()).collect::<Vec<_>>();
    assert_eq!(symbols(&config), ["AAPL", "MSFT"]);
    let bare = "tests/fixtures/recordings/bare.jsonl";
    assert_eq!(symbols(&loaded(&[bare, "--protocol", "sim", "--symbols", "AAPL"]).unwrap()), ["AAPL"]);
    let error = loaded(&[file, "--protocol", "simm"]).unwrap_err();
    let expected = "unknown protocol `simm`\n  --> command line:4:12\n   |\n 4 | protocol = \"simm\"\n   |            ^^^^^^\n   = did you mean `sim`?\n";
    assert!(error.starts_with(expected), "{error}");
}
