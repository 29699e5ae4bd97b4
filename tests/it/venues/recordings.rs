//! Recorded and hand-written frames of each venue, through its reader and through the oracle of `tests/oracle`, which
//! was written from the venues' documentation alone: both must say the same of each frame and end in the same state.

use super::oracle::{self, Said};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    io::Read as _,
    ops::RangeFrom,
    path::{Path, PathBuf},
};
use tickfan::{
    market::{Guards, Now, Origin, Part, Reason, Snapshot, Symbol, UnixMicros, Update},
    telemetry::labels::Label,
    venue::{
        self, Batch, Credentials, CredentialsRule, DecodeError, ListedSymbol, Message, Setup, Spec, VENUES, Venue,
    },
};

/// Frames of one venue in a file, and the symbols that they are of: ours, and the venue's name.
struct Session {
    venue: &'static str,
    /// In `tests/fixtures/venues`, or in the folder of recordings.
    file: &'static str,
    /// The frames that are read, by their lines.
    lines: RangeFrom<usize>,
    symbols: &'static [(&'static str, &'static str)],
}

const fn fixture(venue: &'static str, file: &'static str, symbols: &'static [(&'static str, &'static str)]) -> Session {
    Session { venue, file, lines: 0.., symbols }
}

/// Of a folder that is not always there: see `tests/README.md`.
const fn recorded(
    venue: &'static str,
    file: &'static str,
    symbols: &'static [(&'static str, &'static str)],
) -> Session {
    Session { venue, file, lines: 0.., symbols }
}

const FIXTURES: &[Session] = &[
    fixture("alpaca", "alpaca.jsonl", &[("AAPL", "AAPL"), ("MSFT", "MSFT")]),
    fixture("alpaca-crypto", "alpaca-crypto.jsonl", &[("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")]),
    fixture("binance", "binance.jsonl", &[("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")]),
    fixture("binance-usdm", "binance-usdm.jsonl", &[("BTC-USDT-PERP", "BTCUSDT"), ("ETH-USDT-PERP", "ETHUSDT")]),
    fixture("bitstamp", "bitstamp.jsonl", &[("BTC-USD", "btcusd"), ("ETH-USD", "ethusd")]),
    fixture("bybit-spot", "bybit-spot.jsonl", &[("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")]),
    fixture("bybit-linear", "bybit-linear.jsonl", &[("BTC-USDT-PERP", "BTCUSDT")]),
    fixture("bybit-inverse", "bybit-inverse.jsonl", &[("BTC-USD-PERP", "BTCUSD")]),
    fixture("coinbase", "coinbase.jsonl", &[("BTC-USD", "BTC-USD"), ("ETH-USD", "ETH-USD")]),
    fixture("coinbase", "coinbase.jsonl", &[("BTC-USDC", "BTC-USD"), ("ETH-USD", "ETH-USD")]),
    fixture("finnhub", "finnhub.jsonl", &[("AAPL", "AAPL"), ("MSFT", "MSFT")]),
    fixture("kraken", "kraken.jsonl", &[("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")]),
    fixture("massive", "massive.jsonl", &[("AAPL", "AAPL"), ("MSFT", "MSFT")]),
    fixture("okx", "okx.jsonl", &[("BTC-USDT", "BTC-USDT"), ("BTC-USDT-PERP", "BTC-USDT-SWAP")]),
    fixture("tiingo", "tiingo.jsonl", &[("AAPL", "aapl"), ("BRK.B", "brk-b")]),
    fixture("twelvedata", "twelvedata.jsonl", &[("AAPL", "AAPL"), ("BTC-USD", "BTC/USD")]),
];

const RECORDINGS: &[Session] = &[
    recorded("binance", "binance.txt.gz", &[("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")]),
    recorded("bitstamp", "bitstamp.txt.gz", &[("ETH-USD", "ethusd")]),
    recorded(
        "bitstamp",
        "samples/bitstamp-2.jsonl",
        &[("BTC-USD", "btcusd"), ("ETH-USD", "ethusd"), ("BTC-EUR", "btceur")],
    ),
    recorded("bybit-spot", "bybit_spot.txt.gz", &[("BTC-USDT", "BTCUSDT"), ("ETH-USDT", "ETHUSDT")]),
    recorded("bybit-spot", "samples/bybit_spot-2.jsonl", &[("BTC-USDT", "BTCUSDT")]),
    recorded(
        "bybit-linear",
        "bybit_linear.txt.gz",
        &[
            ("BTC-USDT-PERP", "BTCUSDT"),
            ("ETH-USDT-PERP", "ETHUSDT"),
            ("SOL-USDT-PERP", "SOLUSDT"),
            ("DOGE-USDT-PERP", "DOGEUSDT"),
        ],
    ),
    recorded("bybit-linear", "samples/bybit_linear-2.jsonl", &[("BTC-USDT-PERP", "BTCUSDT"), ("BTC-PERP", "BTCPERP")]),
    recorded("bybit-inverse", "samples/bybit_linear-2.jsonl", &[("BTC-USD-PERP", "BTCUSD"), ("U23", "BTCUSDU23")]),
    recorded("coinbase", "coinbase.txt.gz", &[("BTC-USD", "BTC-USD"), ("ETH-USD", "ETH-USD")]),
    recorded("coinbase", "samples/coinbase-2.jsonl", &[("BTC-USD", "BTC-USD"), ("ETH-USDT", "ETH-USDT")]),
    recorded("kraken", "samples/kraken.jsonl", &[("BTC-USD", "BTC/USD"), ("ANETX-USD", "ANETx/USD")]),
    recorded("kraken", "samples/kraken-2.jsonl", &[("BTC-USD", "BTC/USD"), ("ETH-USD", "ETH/USD")]),
    recorded(
        "okx",
        "okx.txt.gz",
        &[("BTC-USDT", "BTC-USDT"), ("BTC-USD-220527", "BTC-USD-220527"), ("UNI-USD-PERP", "UNI-USD-SWAP")],
    ),
    recorded(
        "okx",
        "samples/okx-2.jsonl",
        &[
            ("BTC-USDT", "BTC-USDT"),
            ("BTC-USDT-PERP", "BTC-USDT-SWAP"),
            ("BTC-USD-220325", "BTC-USD-220325"),
            ("ACT-USDT", "ACT-USDT"),
            ("ETH-CALL", "ETH-USD-211231-9600-C"),
        ],
    ),
    // The first lines are single frames of many years.
    recorded(
        "binance-usdm",
        "samples/binance_usdm-2.jsonl",
        &[("BTC-USDT-PERP", "BTCUSDT"), ("ETH-USDT-PERP", "ETHUSDT")],
    ),
    Session {
        lines: 11..,
        ..recorded("binance-usdm", "samples/binance_usdm-2.jsonl", &[("BTC-USDT-PERP", "BTCUSDT")])
    },
    recorded("alpaca", "samples/alpaca.jsonl", &[("AAPL", "AAPL"), ("AMD", "AMD")]),
    recorded("finnhub", "samples/finnhub.jsonl", &[("BTC-USDT", "BINANCE:BTCUSDT")]),
    recorded(
        "finnhub",
        "samples/finnhub-2.jsonl",
        &[("AAPL", "AAPL"), ("XOM", "XOM"), ("CLOV", "CLOV"), ("BTC-USDT", "BINANCE:BTCUSDT")],
    ),
    recorded("massive", "samples/massive.jsonl", &[("AAPL", "AAPL")]),
    recorded("massive", "samples/massive-2.jsonl", &[("FCX", "FCX")]),
    recorded("tiingo", "samples/tiingo.jsonl", &[("SPY", "spy"), ("VYM", "vym"), ("WES", "wes")]),
    recorded("twelvedata", "samples/twelvedata.jsonl", &[("AAPL", "AAPL")]),
    recorded("twelvedata", "samples/twelvedata-2.jsonl", &[("BTC-USD", "BTC/USD")]),
    recorded("alpaca-crypto", "samples/alpaca-2.jsonl", &[("AVAX-USD", "AVAX/USD"), ("BAT-USD", "BAT/USD")]),
];

/// What plays inside the process is not a venue of the world: no documentation but its own code says what its frames
/// mean.
const WITHOUT_ORACLE: [&str; 2] = ["sim", "replay"];

/// When frames without a time of receipt came: in 2030, as the oracle takes it.
const RECEIVED: UnixMicros = UnixMicros(1_893_456_000_000_000);

/// Fields of a frame that say little of what the frame was. The oracle does not count them as the readers do.
const NOT_COMPARED: [&str; 2] = ["missing", "price"];

/// A frame, and when it was received.
struct Line {
    at: UnixMicros,
    text: String,
}

fn read_lines(session: &Session, path: &Path) -> Vec<Line> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut text = String::new();
    match path.extension() {
        Some(extension) if extension == "gz" => drop(GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()),
        _ => text = String::from_utf8(bytes).unwrap(),
    }
    let line = |text: &str| match text.split_once(' ').map(|(nanos, frame)| (nanos.parse::<i64>(), frame)) {
        Some((Ok(nanos), frame)) => Line { at: UnixMicros(nanos / 1_000), text: frame.to_owned() },
        _ => Line { at: RECEIVED, text: text.to_owned() },
    };
    text.lines().filter(|text| !text.is_empty()).skip(session.lines.start).map(line).collect()
}

/// Numbers the frames of a connection of which some were not recorded: else the holes would be all that is seen.
fn renumber(lines: &mut [Line]) {
    const KEY: &str = r#""sequence_num":"#;
    for (number, line) in lines.iter_mut().enumerate() {
        if let Some(begin) = line.text.find(KEY).map(|at| at + KEY.len()) {
            let end = begin + line.text[begin..].find(',').unwrap();
            line.text.replace_range(begin..end, &number.to_string());
        }
    }
}

/// A reader with the market's side behind it, as a connection has them.
struct Reader {
    venue: Box<dyn Venue>,
    symbols: Vec<ListedSymbol>,
    states: Vec<(Snapshot, Guards)>,
}

/// What the reader said of a frame, in the oracle's form.
struct Read {
    result: Result<Message, DecodeError>,
    parts: Vec<Value>,
    late: Vec<String>,
    ineligible: u64,
    dropped: Vec<String>,
}

impl Reader {
    fn new(spec: &'static Spec, symbols: &[(&str, &str)]) -> Self {
        let listed = |&(symbol, name): &(&str, &str)| {
            let symbol: Symbol = symbol.parse().unwrap();
            let derived = (spec.derive)(&symbol);
            let arrives = derived.as_deref().map(|name| (spec.data_name)(name).unwrap_or_else(|| name.to_owned()));
            let is_derived = arrives.is_some_and(|derived| derived == name);
            ListedSymbol { symbol, venue_name: (!is_derived).then(|| name.to_owned()) }
        };
        let symbols: Vec<_> = symbols.iter().map(listed).collect();
        let credentials = Credentials::new("key", "secret");
        let credentials = (!matches!(spec.credentials, CredentialsRule::Public)).then_some(&credentials);
        let mut venue = venue::new(spec, &Setup { url: None, symbols: &symbols, credentials, playback: None }).unwrap();
        venue.open();
        let waiting = || (Snapshot::waiting(Origin::Market, RECEIVED), Guards::default());
        let states = symbols.iter().map(|_| waiting()).collect();
        Self { venue, symbols, states }
    }

    fn read(&mut self, line: &Line, now: Now) -> Read {
        let mut batch = Batch::default();
        let mut read = Read { result: Ok(Message::Other), parts: vec![], late: vec![], ineligible: 0, dropped: vec![] };
        loop {
            read.result = self.venue.read(line.text.as_bytes(), &mut batch);
            for update in std::mem::take(&mut batch.updates) {
                self.apply(&update, now, &mut read);
            }
            if batch.read_on == 0 || read.result.is_err() {
                break;
            }
        }
        if read.result == Ok(Message::Gap) {
            for (state, guards) in &mut self.states {
                state.outage(Reason::Gap, guards, now);
            }
        }
        read.ineligible = batch.ineligible;
        let counted = DecodeError::ALL.iter().flat_map(|&reason| vec![reason; batch.errors.of(reason) as usize]);
        read.dropped = counted.chain(read.result.err()).map(|reason| reason.to_string()).collect();
        read
    }

    fn apply(&mut self, update: &Update, now: Now, read: &mut Read) {
        let parts = oracle::parts(update, &self.symbols);
        let (state, guards) = &mut self.states[update.symbol.index()];
        let late = state.apply(update, guards, now).late;
        for part in &parts {
            let name = part["part"].as_str().unwrap();
            let is_late = Part::ALL.into_iter().any(|part| part.name() == name && late.contains(part));
            if is_late {
                read.late.push(format!("{} {name}", part["symbol"].as_str().unwrap()));
            }
        }
        read.parts.extend(parts);
    }
}

/// Whether the reader may say this of a frame that the oracle takes for `kind`.
fn fits(kind: &str, result: Result<Message, DecodeError>) -> bool {
    use Message::{Acknowledged, Closing, Control, Data, Failed, Gap, Other, Refused, Superseded};
    match (kind, result) {
        ("dropped", result) => matches!(result, Err(_) | Ok(Data)),
        ("other", result) => matches!(result, Err(_) | Ok(Other | Control | Data)),
        ("ack", Ok(message)) => matches!(message, Acknowledged(_) | Refused(_) | Superseded(_) | Control | Other),
        // A venue may refuse what this connection never asked for.
        ("ack" | "refusal", Err(reason)) => reason == DecodeError::UnknownSymbol,
        ("refusal" | "failed", Ok(message)) => {
            matches!(message, Refused(_) | Superseded(_) | Failed(_) | Control | Other | Acknowledged(_))
        }
        ("data", Ok(message)) => matches!(message, Data | Control),
        ("heartbeat", Ok(message)) => message == Control,
        ("closing", Ok(message)) => message == Closing,
        ("gap", Ok(message)) => message == Gap,
        _ => false,
    }
}

/// The parts of each symbol in their order; between parts of a frame there is none.
fn ordered(mut parts: Vec<Value>) -> Vec<Value> {
    parts.sort_by_key(|part| (part["symbol"].to_string(), part["part"].to_string()));
    parts
}

fn compared(reasons: &[String]) -> Vec<&str> {
    let mut reasons: Vec<_> =
        reasons.iter().map(String::as_str).filter(|reason| !NOT_COMPARED.contains(reason)).collect();
    reasons.sort_unstable();
    reasons
}

/// Where the reader and the oracle differ about a frame.
fn differences(read: &Read, said: &Said) -> Vec<String> {
    let mut found = Vec::new();
    // A frame of other symbols alone says nothing.
    let says_nothing =
        said.parts.is_empty() && !said.dropped.is_empty() && matches!(read.result, Ok(Message::Other) | Err(_));
    if !says_nothing && !fits(&said.kind, read.result) {
        found.push(format!("reader {:?}, oracle {}", read.result, said.kind));
    }
    let (ours, theirs) = (ordered(read.parts.clone()), ordered(said.parts.clone()));
    if ours != theirs {
        found.push(format!("reader {ours:?}\n    oracle {theirs:?}"));
    }
    let sorted = |late: &[String]| {
        let mut late = late.to_vec();
        late.sort_unstable();
        late
    };
    if sorted(&read.late) != sorted(&said.late) {
        found.push(format!("late: reader {:?}, oracle {:?}", read.late, said.late));
    }
    if read.ineligible != said.ineligible {
        found.push(format!("ineligible: reader {}, oracle {}", read.ineligible, said.ineligible));
    }
    // Frames without market data have fields that only one of them reads.
    let is_read = ["data", "dropped"].contains(&said.kind.as_str());
    if is_read && compared(&read.dropped) != compared(&said.dropped) {
        found.push(format!("dropped: reader {:?}, oracle {:?}", read.dropped, said.dropped));
    }
    found
}

/// Compares a session. Returns what differs, line by line.
fn compare(session: &Session, spec: &'static Spec, folder: &Path) -> String {
    let mut lines = read_lines(session, &folder.join(session.file));
    if folder != fixtures() {
        renumber(&mut lines);
    }
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "{}-{}-{}.txt",
        session.venue,
        session.symbols[0].0,
        session.file.replace('/', "-")
    ));
    let text: Vec<_> = lines.iter().map(|line| format!("{} {}", line.at.0 * 1_000, line.text)).collect();
    fs::write(&copy, text.join("\n")).unwrap();
    let names: Vec<_> =
        session.symbols.iter().map(|(symbol, name)| ((*symbol).to_owned(), (*name).to_owned())).collect();
    let Some((said, last)) = oracle::read(session.venue, &copy, &names) else { return String::new() };
    assert_eq!(said.len(), lines.len());

    let mut report = String::new();
    let mut reader = Reader::new(spec, session.symbols);
    let start = Now::read();
    let begin = lines[0].at;
    for (line, said) in lines.iter().zip(&said) {
        let micros = u64::try_from(line.at.0 - begin.0).unwrap_or_default();
        let now = Now { unix: line.at, ..start.after(std::time::Duration::from_micros(micros)) };
        for difference in differences(&reader.read(line, now), said) {
            writeln!(report, "{}: {}\n    {difference}", session.file, line.text).unwrap();
        }
    }
    for (listed, (state, _)) in reader.symbols.iter().zip(&reader.states) {
        let (ours, theirs) = (oracle::state(state), &last[listed.symbol.as_str()]);
        if ours != *theirs {
            writeln!(report, "{} at the end:\n    reader {ours}\n    oracle {theirs}", listed.symbol).unwrap();
        }
        // Names that match nothing would agree on nothing.
        assert_ne!(theirs["state"], "waiting", "{} has no data in {}", listed.symbol, session.file);
    }
    report
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/venues")
}

fn compare_all(sessions: &[Session], folder: &Path) {
    let found = |session: &Session| Some(compare(session, venue::find(session.venue)?, folder));
    let report: String = sessions.iter().filter_map(found).collect();
    assert!(report.is_empty(), "reader and oracle differ:\n{report}");
}

#[test]
fn rule_6_every_reader_says_of_each_written_frame_what_the_oracle_says() {
    compare_all(FIXTURES, &fixtures());
}

#[test]
fn rule_6_every_reader_says_of_each_recorded_frame_what_the_oracle_says() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    compare_all(RECORDINGS, Path::new(&folder));
}

#[test]
fn each_venue_has_frames_here() {
    for spec in VENUES.iter().filter(|spec| !WITHOUT_ORACLE.contains(&spec.name)) {
        let has = |sessions: &[Session]| sessions.iter().any(|session| session.venue == spec.name);
        assert!(has(FIXTURES), "{} has no frames in tests/fixtures/venues and no oracle", spec.name);
    }
}

#[test]
fn the_comparison_finds_a_changed_digit() {
    let part = |price: &str| serde_json::json!({ "symbol": "A", "part": "trade", "price": price });
    let read = |price| Read {
        result: Ok(Message::Data),
        parts: vec![part(price)],
        late: vec![],
        ineligible: 0,
        dropped: vec![],
    };
    let said = Said { kind: "data".into(), parts: vec![part("1.5")], late: vec![], ineligible: 0, dropped: vec![] };
    assert!(differences(&read("1.5"), &said).is_empty());
    assert_eq!(differences(&read("1.4"), &said).len(), 1);
}
