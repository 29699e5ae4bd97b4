//! From an update to a published tick, with a second thread that reads: a state per symbol, compared with one map
//! behind one mutex.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::Value;
use std::{
    cell::RefCell,
    collections::HashMap,
    hint::black_box,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use support::{Session, Updates, cache, keep_ticks, newer, recording::Recording};
use tickfan::market::{Guards, Now, Origin, Snapshot, Update};

const SYMBOLS: usize = 200;

fn publish(criterion: &mut Criterion) {
    const UPDATES: usize = 10_000;
    let updates = RefCell::new(Updates::new(&Recording::open()));
    let (cache, states) = cache(SYMBOLS);
    keep_ticks(&states);
    let names: Vec<String> = (0..SYMBOLS).map(|index| format!("SYM{index}")).collect();
    let mut group = criterion.benchmark_group("cache");
    group.throughput(Throughput::Elements(UPDATES as u64));

    let publish_all = || {
        let mut updates = updates.borrow_mut();
        let now = Now::read();
        for index in 0..UPDATES {
            black_box(states[index % SYMBOLS].publish(&updates.next(), now));
        }
    };
    group.bench_function("publish", |bencher| bencher.iter(publish_all));
    group.bench_function("publish beside a reader", |bencher| {
        beside(
            || {
                let state = cache.get(&"SYM7".parse().unwrap_or_else(|_| unreachable!()));
                black_box(state.map(|state| state.newest()));
            },
            || bencher.iter(publish_all),
        );
    });

    let map: Mutex<HashMap<String, (Snapshot, Guards)>> = Mutex::default();
    let merge_all = || {
        let mut updates = updates.borrow_mut();
        let now = Now::read();
        for index in 0..UPDATES {
            merge(&map, &names[index % SYMBOLS], &updates.next(), now);
        }
    };
    group.bench_function("one mutex", |bencher| bencher.iter(merge_all));
    group.bench_function("one mutex beside a reader", |bencher| {
        beside(
            || {
                let map = map.lock().unwrap_or_else(PoisonError::into_inner);
                black_box(map.get("SYM7").map(|(snapshot, _)| *snapshot));
            },
            || bencher.iter(merge_all),
        );
    });
    group.finish();
}

/// Merges into a map of snapshots without numbers, rings and frames: it does less, which is in its favour.
fn merge(map: &Mutex<HashMap<String, (Snapshot, Guards)>>, name: &str, update: &Update, now: Now) {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    let (snapshot, guards) =
        map.entry(name.to_owned()).or_insert_with(|| (Snapshot::waiting(Origin::Market, now.unix), Guards::default()));
    black_box(snapshot.apply(update, guards, now));
}

/// Repeats one thing on another thread while the other is measured.
fn beside(again: impl Fn() + Sync, measured: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                again();
            }
        });
        measured();
        stop.store(true, Ordering::Relaxed);
    });
}

/// The whole path from a frame's bytes to a published tick.
fn ingest(criterion: &mut Criterion) {
    const FRAMES: usize = 10_000;
    let mut session = Session::new(&Recording::open());
    let frames = session.frames.clone();
    let (_cache, states) = cache(SYMBOLS);
    let mut group = criterion.benchmark_group("ingest");
    group.throughput(Throughput::Elements(FRAMES as u64));

    let mut count = 0;
    let mut ingest_all = || {
        let now = Now::read();
        for frame in 0..FRAMES {
            for &update in session.read(frame % frames.len()) {
                count += 1;
                black_box(states[frame % SYMBOLS].publish(&newer(update, count), now));
            }
        }
    };
    group.bench_function("venue and cache", |bencher| bencher.iter(&mut ingest_all));
    keep_ticks(&states);
    group.bench_function("venue and full rings", |bencher| bencher.iter(&mut ingest_all));

    let map: Mutex<HashMap<String, Value>> = Mutex::default();
    group.bench_function("tree and one mutex", |bencher| {
        bencher.iter(|| {
            for frame in 0..FRAMES {
                let mut tree: Value = serde_json::from_str(&frames[frame % frames.len()]).unwrap_or_default();
                let data = tree["data"].take();
                let name = format!("SYM{}", frame % SYMBOLS);
                map.lock().unwrap_or_else(PoisonError::into_inner).insert(name, data);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, publish, ingest);
criterion_main!(benches);
