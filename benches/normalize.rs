//! From a frame's bytes to updates: the venue's reader, compared with the same without its scan, and with a parse to a
//! tree. And the readers of all venues, each with the frames of its fixture.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use std::hint::black_box;
use support::{Session, recording::Recording, venues};

/// The obvious way: a tree, and numbers as floats.
fn naive(frame: &str) -> (String, f64, f64) {
    let tree: Value = serde_json::from_str(frame).unwrap_or_default();
    let data = &tree["data"];
    let number = |key: &str| data[key].as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
    let [price, size] = if data["e"] == "trade" { ["p", "q"] } else { ["b", "B"] };
    (data["s"].as_str().unwrap_or_default().to_owned(), number(price), number(size))
}

fn normalize(criterion: &mut Criterion) {
    let mut session = Session::new(&Recording::open());
    let frames = session.frames.clone();
    let mut group = criterion.benchmark_group("normalize");
    group.throughput(Throughput::Elements(frames.len() as u64));
    group.bench_function("venue", |bencher| {
        bencher.iter(|| (0..frames.len()).map(|frame| session.read(frame).len()).sum::<usize>());
    });
    // The venue never writes a space behind a frame, so serde reads these.
    let mut unusual = Session::new(&Recording::open());
    unusual.frames.iter_mut().for_each(|frame| frame.push(' '));
    group.bench_function("venue, by serde alone", |bencher| {
        bencher.iter(|| (0..frames.len()).map(|frame| unusual.read(frame).len()).sum::<usize>());
    });
    group.bench_function("tree", |bencher| {
        bencher.iter(|| frames.iter().for_each(|frame| drop(black_box(naive(frame)))));
    });
    group.finish();
}

/// A frame may hold many updates: compare the time of one.
fn readers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("readers");
    for spec in venues::all() {
        let mut reader = venues::Reader::new(spec, 1_000);
        group.throughput(Throughput::Elements(reader.updates as u64));
        let mut round = 0;
        group.bench_function(spec.name, |bencher| {
            bencher.iter(|| {
                round += 1;
                black_box(reader.read(round))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, normalize, readers);
criterion_main!(benches);
