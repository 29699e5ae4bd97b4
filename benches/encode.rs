//! From a tick to bytes: the encoder compared with serde_json, a frame that all clients share with one for each, and
//! the writer of compressed frames with libzstd.

mod support;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use support::{Updates, cache, recording::Recording};
use tickfan::{
    market::{Now, Snapshot},
    wire::{Dictionary, tick_frame},
};

const CLIENTS: u64 = 1_000;

/// The obvious way: a tree of all fields, numbers as floats, formatted.
fn naive(symbol: &str, seq: u64, snapshot: &Snapshot) -> Bytes {
    let mut tree = Map::new();
    tree.insert("symbol".to_owned(), json!(symbol));
    tree.insert("seq".to_owned(), json!(seq));
    tree.insert("kind".to_owned(), json!("trade"));
    tree.insert("state".to_owned(), json!("live"));
    tree.insert("recv".to_owned(), json!(snapshot.recv.map(|time| time.0)));
    tree.insert("trades".to_owned(), json!(snapshot.trades));
    tree.insert("trade_ts".to_owned(), json!(snapshot.trade.time.map(|time| time.0)));
    let numbers = [
        ("price", snapshot.trade.price),
        ("size", snapshot.trade.size),
        ("bid", snapshot.quote.bid),
        ("bid_size", snapshot.quote.bid_size),
        ("ask", snapshot.quote.ask),
        ("ask_size", snapshot.quote.ask_size),
    ];
    for (name, number) in numbers {
        tree.insert(name.to_owned(), json!(number.map(|number| number.to_string().parse::<f64>().unwrap_or(f64::NAN))));
    }
    Bytes::from(format!("id: {seq}\ndata: {}\n\n", Value::Object(tree)))
}

fn encode(criterion: &mut Criterion) {
    let (_cache, states) = cache(1);
    let mut updates = Updates::new(&Recording::open());
    for _ in 0..10 {
        states[0].publish(&updates.next(), Now::read());
    }
    let tick = states[0].newest();
    let fields = states[0].fields(&tick);

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one frame", |bencher| bencher.iter(|| tick_frame(black_box(fields), None)));
    group.bench_function("one frame by a tree", |bencher| {
        bencher.iter(|| naive(fields.symbol.as_str(), fields.seq, black_box(fields.snapshot)));
    });
    group.throughput(Throughput::Elements(CLIENTS));
    group.bench_function("once for a thousand clients", |bencher| {
        bencher.iter(|| {
            let frame = tick_frame(black_box(fields), None);
            (0..CLIENTS).for_each(|_| drop(black_box(frame.clone())));
        });
    });
    group.bench_function("once per client", |bencher| {
        bencher.iter(|| (0..CLIENTS).for_each(|_| drop(black_box(tick_frame(black_box(fields), None)))));
    });
    group.finish();
}

/// A whole tick of the dictionary, with other last digits.
fn compressible(content: &str) -> String {
    let tick = content.split_inclusive("\n\n").find(|event| event.starts_with("id: "));
    let bytes = tick.expect("the dictionary has whole ticks").as_bytes();
    let last = |(place, byte): (usize, &u8)| match (byte, bytes.get(place + 1)) {
        (digit @ b'0'..=b'9', next) if !next.is_some_and(u8::is_ascii_digit) => {
            char::from(b'0' + (digit - b'0' + 3) % 10)
        }
        _ => char::from(*byte),
    };
    bytes.iter().enumerate().map(last).collect()
}

fn compress(criterion: &mut Criterion) {
    let dictionary = Dictionary::built_in();
    let tick = compressible(std::str::from_utf8(dictionary.content()).expect("the dictionary of the build is text"));
    let mut general = zstd::bulk::Compressor::with_dictionary(12, dictionary.content()).expect("there is memory");

    let mut group = criterion.benchmark_group("compress");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one frame", |bencher| bencher.iter(|| dictionary.compress(black_box(tick.as_bytes()))));
    group.bench_function("one frame by libzstd", |bencher| {
        bencher.iter(|| general.compress(black_box(tick.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, encode, compress);
criterion_main!(benches);
