//! The independent reader in `tests/oracle`, run as a process, and our own results in its form.

use serde_json::{Map, Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tickfan::{
    market::{
        Correction, Decimal, Field, QuoteUpdate, Sequence, Snapshot, StatsUpdate, StatusUpdate, Trade, TradeUpdate,
        UnixMicros, Update,
    },
    venue::ListedSymbol,
};

/// 1990.
const EARLIEST: UnixMicros = UnixMicros(631_152_000_000_000);

/// What the oracle says of one frame.
pub(super) struct Said {
    pub(super) kind: String,
    pub(super) parts: Vec<Value>,
    pub(super) late: Vec<String>,
    pub(super) ineligible: u64,
    pub(super) dropped: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// Runs Python in the oracle's folder. `None` where Python is not installed, which is a failure in CI.
#[expect(clippy::print_stderr, reason = "says what a skipped test needs")]
fn python(arguments: &[&str]) -> Option<Output> {
    let output =
        Command::new("python3").args(arguments).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder()).output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 cannot be run: {error}");
            eprintln!("skipped: python3 cannot be run: {error}");
            None
        }
    }
}

/// What the oracle says of each frame of a file, and the state of each symbol at the end. `None` without Python.
pub(super) fn read(venue: &str, file: &Path, names: &[(String, String)]) -> Option<(Vec<Said>, Value)> {
    let pairs: Vec<String> = names.iter().map(|(symbol, name)| format!("{symbol}={name}")).collect();
    let mut arguments = vec!["main.py", venue, file.to_str().unwrap(), "--symbols"];
    arguments.extend(pairs.iter().map(String::as_str));
    let output = python(&arguments)?;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{venue}: {}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().expect("a line with the states")["final"].take();
    Some((lines.iter().map(said).collect(), last))
}

fn said(line: &Value) -> Said {
    let words = |key: &str| -> Vec<String> { serde_json::from_value(line[key].clone()).unwrap() };
    let mut parts = line["parts"].as_array().unwrap().clone();
    parts.iter_mut().for_each(|part| keep_compared(part.as_object_mut().unwrap()));
    Said {
        kind: line["kind"].as_str().unwrap().to_owned(),
        parts,
        late: words("late"),
        ineligible: line["ineligible"].as_u64().unwrap(),
        dropped: words("dropped"),
    }
}

/// Removes what only the oracle's own merging needs.
fn keep_compared(part: &mut Map<String, Value>) {
    let unused: &[&str] = match part["part"].as_str() {
        Some("correction") => &["id", "time", "of", "key", "session"],
        _ => &["by_arrival", "ends_with", "key", "session"],
    };
    part.retain(|key, _| !unused.contains(&key.as_str()));
}

/// An update as the oracle writes it: a JSON object for each part that sets or clears a field.
pub(super) fn parts(update: &Update, symbols: &[ListedSymbol]) -> Vec<Value> {
    let parts = [
        update.trade.as_ref().map(trade),
        update.quote.as_ref().map(quote),
        update.stats.as_ref().map(stats),
        update.status.as_ref().map(status),
        update.correction.as_ref().map(correction),
    ];
    let symbol = symbols[update.symbol.index()].symbol.as_str();
    let with_symbol = |mut part: Map<String, Value>| {
        part.insert("symbol".to_owned(), symbol.into());
        Value::Object(part)
    };
    let sets =
        |part: &Map<String, Value>| part.keys().any(|key| !["part", "id", "time", "window"].contains(&key.as_str()));
    parts.into_iter().flatten().filter(sets).map(with_symbol).collect()
}

fn trade(trade: &TradeUpdate) -> Map<String, Value> {
    let mut part = begin("trade", trade.sequence);
    set(&mut part, "price", trade.price, plain);
    set(&mut part, "size", trade.size, plain);
    set(&mut part, "side", trade.side, |side| side.name().into());
    part
}

fn quote(quote: &QuoteUpdate) -> Map<String, Value> {
    let mut part = begin("quote", quote.sequence);
    let fields = [("bid", quote.bid), ("bid_size", quote.bid_size), ("ask", quote.ask), ("ask_size", quote.ask_size)];
    fields.into_iter().for_each(|(key, field)| set(&mut part, key, field, plain));
    part
}

fn stats(stats: &StatsUpdate) -> Map<String, Value> {
    let mut part = begin("stats", stats.sequence);
    set(&mut part, "window", stats.window, |window| window.name().into());
    let fields = [
        ("open", stats.open),
        ("high", stats.high),
        ("low", stats.low),
        ("volume", stats.volume),
        ("prev_close", stats.prev_close),
    ];
    fields.into_iter().for_each(|(key, field)| set(&mut part, key, field, plain));
    part
}

fn status(status: &StatusUpdate) -> Map<String, Value> {
    let mut part = begin("status", status.sequence);
    let halted = match status.halted {
        Field::Keep => return part,
        Field::Clear => false,
        Field::Set(_) => true,
    };
    part.insert("halted".to_owned(), halted.into());
    part
}

fn correction(correction: &Correction) -> Map<String, Value> {
    let value = |field: Option<Field<Decimal>>| match field {
        Some(Field::Set(number)) => plain(number),
        _ => Value::Null,
    };
    let price = value(correction.now.map(|now| now.price));
    let size = value(correction.now.map(|now| now.size));
    Map::from_iter([("part".to_owned(), "correction".into()), ("price".to_owned(), price), ("size".to_owned(), size)])
}

fn begin(part: &str, sequence: Sequence) -> Map<String, Value> {
    let id = sequence.id.filter(|_| !sequence.by_arrival);
    // An earlier time is a placeholder: a reader may leave it out, or the market.
    let time = sequence.time.filter(|time| *time >= EARLIEST).map(|time| time.0);
    let part = json!({ "part": part, "id": id, "time": time });
    part.as_object().unwrap().clone()
}

fn set<T>(part: &mut Map<String, Value>, key: &str, field: Field<T>, value: impl Fn(T) -> Value) {
    match field {
        Field::Keep => {}
        Field::Clear => drop(part.insert(key.to_owned(), Value::Null)),
        Field::Set(new) => drop(part.insert(key.to_owned(), value(new))),
    }
}

fn plain(number: Decimal) -> Value {
    number.to_string().into()
}

/// A symbol's state as the oracle writes it: all that is known.
pub(super) fn state(snapshot: &Snapshot) -> Value {
    let mut state = Map::new();
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            state.insert(key.to_owned(), value);
        }
    };
    let time = |time: Option<UnixMicros>| time.map(|time| time.0.into());
    for (prefix, times, trade) in [("", "trade_ts", snapshot.trade), ("ext_", "ext_ts", snapshot.ext)] {
        let Trade { price, size, side, time: at } = trade;
        add(&format!("{prefix}price"), price.map(plain));
        add(&format!("{prefix}size"), size.map(plain));
        add(&format!("{prefix}side"), side.map(|side| side.name().into()));
        add(times, time(at));
    }
    let quote = &snapshot.quote;
    let stats = &snapshot.stats;
    let numbers = [
        ("bid", quote.bid),
        ("bid_size", quote.bid_size),
        ("ask", quote.ask),
        ("ask_size", quote.ask_size),
        ("open", stats.open),
        ("high", stats.high),
        ("low", stats.low),
        ("volume", stats.volume),
        ("prev_close", stats.prev_close),
    ];
    numbers.into_iter().for_each(|(key, number)| add(key, number.map(plain)));
    add("quote_ts", time(quote.time));
    add("stats_ts", time(stats.time));
    add("window", stats.window.map(|window| window.name().into()));
    add("state", Some(snapshot.state().name().into()));
    add("trades", Some(snapshot.trades.into()));
    Value::Object(state)
}

#[test]
fn the_oracle_reads_what_its_own_checks_say() {
    let Some(output) = python(&["-m", "unittest", "--quiet"]) else { return };
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && report.contains("Ran "), "{report}");
    assert!(!report.contains("Ran 0 tests"), "{report}");
}
