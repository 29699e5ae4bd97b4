//! From a tick to a thousand streams that keep up: a worker's turns, compared with a broadcast channel and a task per
//! client.

mod support;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::{cell::Cell, rc::Rc};
use support::{Fanout, Updates, recording::Recording};
use tickfan::{market::Now, wire::tick_frame};
use tokio::{
    runtime::Builder,
    sync::broadcast,
    task::{LocalSet, yield_now},
};

const STREAMS: usize = 1_000;
/// Ticks that are published before the streams are served.
const BURSTS: [usize; 2] = [1, 16];

fn fanout(criterion: &mut Criterion) {
    let mut updates = Updates::new(&Recording::open());
    let mut group = criterion.benchmark_group("fanout");
    for burst in BURSTS {
        group.throughput(Throughput::Elements((STREAMS * burst) as u64));
        let mut fanout = Fanout::new(1, STREAMS);
        group.bench_function(format!("worker, bursts of {burst}"), |bencher| {
            bencher.iter(|| {
                let burst: Vec<_> = (0..burst).map(|_| updates.next()).collect();
                fanout.ticks(0, &burst);
            });
        });
        group.bench_function(format!("broadcast, bursts of {burst}"), |bencher| {
            let (_cache, states) = support::cache(1);
            let state = &states[0];
            let runtime = Builder::new_current_thread().build().unwrap_or_else(|error| panic!("{error}"));
            let local = LocalSet::new();
            let (ticks, _) = broadcast::channel::<Bytes>(1_024);
            let taken = Rc::new(Cell::new(0));
            for _ in 0..STREAMS {
                let mut ticks = ticks.subscribe();
                let taken = taken.clone();
                local.spawn_local(async move {
                    while let Ok(frame) = ticks.recv().await {
                        taken.set(taken.get() + frame.len());
                    }
                });
            }
            bencher.iter(|| {
                let goal = taken.get();
                let mut sent = 0;
                for _ in 0..burst {
                    state.publish(&updates.next(), Now::read());
                    let frame = tick_frame(state.fields(&state.newest()), None);
                    sent += frame.len() * STREAMS;
                    let _ = ticks.send(frame);
                }
                local.block_on(&runtime, async {
                    while taken.get() < goal + sent {
                        yield_now().await;
                    }
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
