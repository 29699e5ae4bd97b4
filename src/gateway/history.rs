//! Keeps the history up to date: looks at every symbol once in each span, some at a time.

use crate::{
    cache::Cache,
    history::{History, HistoryUsage},
    telemetry::catalog::{HISTORY_BYTES, HISTORY_BYTES_LIMIT, HISTORY_EVICTIONS, HISTORY_TRAILS},
};
use metrics::{Counter, Gauge};
use std::{io, sync::Arc};
use tokio::{
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until},
};

/// How many symbols it looks at in a row: some 100 µs, for which the thread and the history are held.
const SLICE: usize = 500;

/// Keeps it up to date until the stop.
///
/// Slices are spread over the span, so that a hundred thousand symbols do not make a burst. Where the machine is late,
/// the next round begins later too: trails have fewer points then, and each still has its own time.
pub(super) async fn keep(history: Arc<History>, cache: Arc<Cache>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let metrics = Metrics::register(&history);
    let mut stop = stop;
    let rounds = async {
        loop {
            round(&history, &cache).await;
            metrics.show(history.usage());
        }
    };
    tokio::select! {
        () = rounds => Ok(()),
        _ = stop.wait_for(|stop| *stop) => Ok(()),
    }
}

/// Looks at every symbol, and returns when the span is over.
async fn round(history: &History, cache: &Cache) {
    let begun = Instant::now();
    let slices = cache.len().div_ceil(SLICE).max(1);
    for slice in 0..slices {
        history.observe(&cache.slice(slice * SLICE, SLICE), Instant::now().into_std());
        yield_now().await;
        sleep_until(begun + history.every().mul_f64((slice + 1) as f64 / slices as f64)).await;
    }
}

/// The history's metrics.
struct Metrics {
    trails: Gauge,
    bytes: Gauge,
    evictions: Counter,
}

impl Metrics {
    fn register(history: &History) -> Self {
        HISTORY_BYTES_LIMIT.handle([]).set(history.bytes_max() as f64);
        Self {
            trails: HISTORY_TRAILS.handle([]),
            bytes: HISTORY_BYTES.handle([]),
            evictions: HISTORY_EVICTIONS.handle([]),
        }
    }

    fn show(&self, usage: HistoryUsage) {
        self.trails.set(usage.trails as f64);
        self.bytes.set(usage.bytes as f64);
        self.evictions.absolute(usage.evicted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{RingLimits, WorkerIndex, WorkerMask},
        market::{Field, Now, Origin, Parts, TradeUpdate, Update},
        wire::Epoch,
    };
    use std::{collections::VecDeque, time::Duration};

    const EVERY: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_round_looks_at_every_symbol_and_takes_a_span() {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: EVERY });
        let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
        let history = History::new(EVERY * 60, EVERY, usize::MAX, Instant::now().into_std()).unwrap();
        round(&history, &cache).await;
        let price = Field::Set("7".parse().unwrap());
        let trade = Update { trade: Some(TradeUpdate { price, ..TradeUpdate::default() }), ..Update::default() };
        for number in 0..2 * SLICE + 1 {
            let symbol = format!("S{number:04}").parse().unwrap();
            let state = cache.register(symbol, "sim".into(), Origin::Sim, Now::read()).unwrap();
            state.join(worker, Parts::ALL, &mut VecDeque::new());
            state.publish(&trade, Now::read());
        }
        let begun = Instant::now();
        round(&history, &cache).await;
        assert!(begun.elapsed() >= EVERY);
        assert_eq!(history.usage().trails, 2 * SLICE + 1);
    }
}
