//! From a tick to bytes: the encoder compared with serde_json, and a frame that all clients share with one for each.

mod support;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use support::{Updates, cache, recording::Recording};
use tickfan::{
    market::{Now, Snapshot},
    wire::tick_frame,
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

criterion_group!(benches, encode);
criterion_main!(benches);
