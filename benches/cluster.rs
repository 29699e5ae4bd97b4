//! From a tick to the bytes that followers get, and from those to a follower's book: binary parts, compared with the
//! frame of clients, whose JSON would have to be read.

#![expect(clippy::unwrap_used, reason = "a program of its own")]

mod support;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{hint::black_box, time::Duration};
use support::{Updates, recording::Recording, shelf::Shelf};
use tickfan::{
    cluster::{
        batch::{BATCH_TICKS_MAX, NewTick, OpenBatch},
        clock::Boot,
        follower::{Event, Follower},
        message::{HEAD_BYTES, Message},
        token::Token,
    },
    market::{Guards, Now, Origin, Part, Parts, Snapshot, Symbol},
    wire::{Epoch, TickFields, tick_frame},
};

const SYMBOLS: usize = 200;

/// A symbol of the owner, after a tick.
#[derive(Clone)]
struct Own {
    name: Symbol,
    index: u32,
    seq: u64,
    n: u64,
    changed: Parts,
    before: Snapshot,
    snapshot: Snapshot,
    guards: Guards,
}

impl Own {
    fn new(index: usize, now: Now) -> Self {
        let snapshot = Snapshot::waiting(Origin::Market, now.unix);
        Self {
            name: format!("SYM{index}").parse().unwrap(),
            index: index as u32,
            seq: 0,
            n: 0,
            changed: Parts::NONE,
            before: snapshot,
            snapshot,
            guards: Guards::default(),
        }
    }

    fn tick(&self) -> NewTick<'_> {
        NewTick {
            index: self.index,
            name: &self.name,
            seq: self.seq,
            n: self.n,
            changed: self.changed,
            prior: [0; Part::ALL.len()],
            before: &self.before,
            snapshot: &self.snapshot,
            guards: &self.guards,
        }
    }
}

/// Symbols that have had many ticks, and the ticks that follow, as many as a batch has.
fn session() -> (Vec<Own>, Vec<Own>) {
    let mut updates = Updates::new(&Recording::open());
    let start = Now::read();
    let mut symbols: Vec<Own> = (0..SYMBOLS).map(|index| Own::new(index, start)).collect();
    let mut ticks = Vec::new();
    for step in 0_usize.. {
        let now = start.after(Duration::from_micros(2 * step as u64));
        let own = &mut symbols[step % SYMBOLS];
        let before = own.snapshot;
        let changed = own.snapshot.apply(&updates.next(), &mut own.guards, now).changed;
        if changed.is_empty() {
            continue;
        }
        (own.seq, own.n, own.changed, own.before) = (own.seq + 1, now.unix.0.cast_unsigned(), changed, before);
        if step >= 100 * SYMBOLS {
            ticks.push(own.clone());
        }
        if ticks.len() == usize::from(BATCH_TICKS_MAX) {
            break;
        }
    }
    // As each symbol was before its first tick of the batch.
    for own in &mut symbols {
        if let Some(first) = ticks.iter().find(|tick| tick.index == own.index) {
            (own.seq, own.snapshot) = (first.seq - 1, first.before);
        }
    }
    (symbols, ticks)
}

fn cluster(criterion: &mut Criterion) {
    let (symbols, ticks) = session();
    let token = Token { term: 1, epoch: Epoch::new(1 << 40) };
    let mut batch = OpenBatch::new(token, SYMBOLS as u32, 0, Duration::from_millis(1));
    let opening = batch.open(|with| symbols.iter().for_each(|symbol| with(&symbol.tick())), 1, Boot(1));
    let mut seal = || {
        ticks.iter().for_each(|tick| batch.push(&tick.tick()));
        batch.seal(1, Boot(2)).unwrap().bytes
    };
    let message: Bytes = seal();
    let bytes = (message.len() - HEAD_BYTES) as f64 / ticks.len() as f64;

    let mut group = criterion.benchmark_group(format!("cluster, {bytes:.1} bytes a tick"));
    group.throughput(Throughput::Elements(ticks.len() as u64));
    group.bench_function("encode and seal a batch", |bencher| bencher.iter(|| black_box(seal())));
    group.bench_function("encode its ticks as frames", |bencher| {
        bencher.iter(|| {
            for Own { name, seq, changed, snapshot, .. } in &ticks {
                let fields = TickFields {
                    symbol: name,
                    seq: *seq,
                    changed: *changed,
                    delay_seconds: None,
                    source: None,
                    snapshot,
                };
                black_box(tick_frame(black_box(fields), None));
            }
        });
    });
    group.bench_function("check a batch", |bencher| {
        bencher.iter(|| black_box(Message::open(black_box(&message)).unwrap().head.count));
    });
    group.bench_function("check a batch and merge its ticks", |bencher| {
        let mut states: Vec<_> = symbols.iter().map(|own| (own.snapshot, own.guards)).collect();
        bencher.iter(|| {
            for tick in Message::open(black_box(&message)).unwrap().ticks() {
                let (snapshot, guards) = &mut states[tick.index as usize];
                tick.merge_into(snapshot, guards);
            }
        });
    });
    group.bench_function("follow a batch", |bencher| {
        bencher.iter_batched_ref(
            || {
                let waiting = Snapshot::waiting(Origin::Market, Now::read().unix);
                let mut shelf = Shelf(vec![(None, waiting, Guards::default()); SYMBOLS]);
                let mut follower = Follower::new(Duration::from_secs(2), 1);
                for sealed in &opening {
                    follower.on(Event::Live(sealed.bytes.clone()), Boot(1), &mut shelf);
                }
                (follower, shelf)
            },
            |(follower, shelf)| {
                black_box(follower.on(Event::Live(message.clone()), Boot(3), shelf));
                assert_eq!(follower.counts().ticks, (SYMBOLS + ticks.len()) as u64);
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, cluster);
criterion_main!(benches);
