//! `/debug/symbols`: the busiest symbols, and those whose last update is the oldest.

use super::sources::DebugSources;
use crate::{
    admin::state_counts::{by_state_json, state_label},
    cache::SymbolState,
    market::{Now, UnixMicros},
};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    time::{Duration, Instant},
};

/// Over how long the ticks of each symbol are counted for its rate.
const RATE_SPAN: Duration = Duration::from_millis(500);

/// The symbols with the most ticks a second, and those with the oldest last update.
pub(in crate::admin) async fn symbols(sources: &DebugSources, limit: usize) -> Value {
    let feeds = sources.feeds.current();
    let symbols: Vec<_> =
        feeds.iter().filter(|feed| feed.standby_for.is_none()).flat_map(|feed| feed.listed().into_owned()).collect();
    let before: Vec<u64> = symbols.iter().map(|symbol| symbol.newest().version).collect();
    let start = Instant::now();
    tokio::time::sleep(RATE_SPAN).await;
    let seconds = start.elapsed().as_secs_f64();
    let mut looks: Vec<_> = symbols.iter().zip(before).map(|(symbol, before)| Look::new(symbol, before)).collect();
    let ticks: u64 = looks.iter().map(|look| look.ticks).sum();
    looks.sort_by_key(|look| Reverse(look.ticks));
    let hottest: Vec<_> = looks.iter().take(limit).map(|look| look.show(seconds)).collect();
    // A symbol without any update is waiting, not stale: the totals count it.
    looks.retain(|look| look.recv.is_some());
    looks.sort_by_key(|look| look.recv);
    let stalest: Vec<_> = looks.iter().take(limit).map(|look| look.show(seconds)).collect();
    json!({
        "now": Now::read().unix.0,
        "totals": {
            "symbols": symbols.len(),
            "states": by_state_json(symbols.iter().map(|symbol| symbol.newest().snapshot)),
            "ticks_per_second": ticks as f64 / seconds,
            "frames_encoded": sources.cache.frames_encoded(),
            "patches_encoded": sources.cache.patches_encoded(),
            "frames_compressed": sources.cache.frames_compressed(),
            "frames_stored": sources.cache.frames_stored(),
        },
        "hottest": hottest,
        "stalest": stalest,
    })
}

/// A symbol at two moments.
struct Look<'a> {
    state: &'a SymbolState,
    seq: u64,
    ticks: u64,
    recv: Option<UnixMicros>,
    is: &'static str,
}

impl<'a> Look<'a> {
    fn new(state: &'a SymbolState, before: u64) -> Self {
        let newest = state.newest();
        let snapshot = &newest.snapshot;
        Self { state, seq: newest.seq, ticks: newest.version - before, recv: snapshot.recv, is: state_label(snapshot) }
    }

    fn show(&self, seconds: f64) -> Value {
        json!({
            "symbol": self.state.symbol().as_str(),
            "feed": &*self.state.feed(),
            "state": self.is,
            "seq": self.seq,
            "ticks_per_second": self.ticks as f64 / seconds,
            "recv": self.recv.map(|recv| recv.0),
            "ring": self.state.ring_len(),
        })
    }
}
