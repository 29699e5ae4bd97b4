//! From an update to a published tick, with a second thread that reads: states of their own, against one map behind one mutex.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{
    collections::HashMap,
    hint::black_box,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use support::{Session, cache, recording::Recording};
use tickfan::{
    market::{Guards, Now, Origin, Quote, Update},
    wire::tick_frame,
};

const SYMBOLS: usize = 200;

fn publish(criterion: &mut Criterion) {
    let updates = Session::new(&Recording::open()).updates();
    let (cache, states) = cache(SYMBOLS);
    let names: Vec<String> = (0..SYMBOLS).map(|index| format!("SYM{index}")).collect();
    let mut group = criterion.benchmark_group("cache");
    group.throughput(Throughput::Elements(updates.len() as u64));

    let publish_all = || {
        let now = Now::read();
        for (index, update) in updates.iter().enumerate() {
            black_box(states[index % SYMBOLS].publish(update, now));
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

    let map: Mutex<HashMap<String, (Quote, Guards)>> = Mutex::default();
    let merge_all = || {
        let now = Now::read();
        for (index, update) in updates.iter().enumerate() {
            merge(&map, &names[index % SYMBOLS], update, now);
        }
    };
    group.bench_function("one mutex", |bencher| bencher.iter(merge_all));
    group.bench_function("one mutex beside a reader", |bencher| {
        beside(
            || {
                let map = map.lock().unwrap_or_else(PoisonError::into_inner);
                black_box(map.get("SYM7").map(|(quote, _)| *quote));
            },
            || bencher.iter(merge_all),
        );
    });
    group.finish();
}

/// A map of quotes: no numbers, no ring, no frames, so that what it lacks is in its favour.
fn merge(map: &Mutex<HashMap<String, (Quote, Guards)>>, name: &str, update: &Update, now: Now) {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    let (quote, guards) =
        map.entry(name.to_owned()).or_insert_with(|| (Quote::waiting(Origin::Market, now.unix), Guards::default()));
    black_box(quote.apply(update, guards, now));
}

/// Does one thing again and again on another thread while the other is measured.
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

fn encode(criterion: &mut Criterion) {
    const CLIENTS: u64 = 1_000;
    let updates = Session::new(&Recording::open()).updates();
    let (_cache, states) = cache(1);
    updates.iter().take(2).for_each(|update| {
        states[0].publish(update, Now::read());
    });
    let tick = states[0].newest();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(CLIENTS));
    group.bench_function("once for all clients", |bencher| {
        bencher.iter(|| {
            // As if nobody had asked for this tick before.
            let frame = tick_frame(states[0].fields(&tick), None);
            (0..CLIENTS).for_each(|_| drop(black_box(frame.clone())));
        });
    });
    group.bench_function("once per client", |bencher| {
        bencher.iter(|| (0..CLIENTS).for_each(|_| drop(black_box(tick_frame(states[0].fields(&tick), None)))));
    });
    group.finish();
}

criterion_group!(benches, publish, encode);
criterion_main!(benches);
