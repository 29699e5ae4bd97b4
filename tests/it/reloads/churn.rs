//! Reload after reload, with random edits, under open streams.

use super::{Ends, Rig, sim};
use crate::support::{Client, PATIENCE, stream::Event};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

const FEEDS: usize = 4;
/// Of each feed: a symbol that moves between feeds would wait for a restart.
const SYMBOLS: usize = 6;
const STREAMS: usize = 8;
const EDITS: usize = 40;

fn symbol(feed: usize, number: usize) -> String {
    format!("F{feed}S{number}")
}

/// A file in which each feed but the first may be missing, has some of its symbols, and one of two rates.
fn edit(random: &mut SmallRng) -> (String, BTreeSet<String>) {
    let mut text = String::new();
    let mut listed = BTreeSet::new();
    for feed in 0..FEEDS {
        if feed > 0 && random.random_bool(0.2) {
            continue;
        }
        let own: Vec<String> = (0..SYMBOLS)
            .filter(|number| *number == 0 || random.random_bool(0.6))
            .map(|number| symbol(feed, number))
            .collect();
        // The first feed never restarts.
        let rate = if feed > 0 && random.random_bool(0.2) { 300.0 } else { 200.0 };
        text.push_str(&sim(&format!("churn-{feed}"), &own.join(" "), &format!("rate = {rate:?}")));
        listed.extend(own);
    }
    (text, listed)
}

/// What one stream saw of a symbol that was always listed.
fn watch(rig: &Rig, symbols: &str, until: &AtomicBool) -> (usize, Vec<String>) {
    let mut stream = rig.stream(symbols);
    let steady = symbol(0, 0);
    let mut ticks = 0;
    let mut wrong = Vec::new();
    while !until.load(Ordering::Relaxed) {
        let tick = stream.tick();
        ticks += 1;
        // It waits at first. A slow reader misses some of its ticks.
        if tick.text("symbol") == steady && !matches!(tick.text("state"), "live" | "waiting") {
            wrong.push(format!("{:?}", tick.fields));
        }
    }
    (ticks, wrong)
}

#[test]
fn after_many_edits_the_gateway_is_as_the_file_says_and_no_stream_was_dropped() {
    for seed in 0..2 {
        let mut random = SmallRng::seed_from_u64(seed);
        let (text, _) = edit(&mut random);
        let rig = Rig::start(&format!("churn-{seed}"), &text);
        let ends = AtomicBool::new(false);
        let all: Vec<String> =
            (0..FEEDS).flat_map(|feed| (0..SYMBOLS).map(move |number| symbol(feed, number))).collect();
        let all = all.join(",");
        thread::scope(|scope| {
            let ending = Ends(&ends);
            let watchers: Vec<_> = (0..STREAMS).map(|_| scope.spawn(|| watch(&rig, &all, &ends))).collect();
            let mut last = (String::new(), BTreeSet::new());
            let mut steady = rig.stream(&symbol(0, 0));
            for _ in 0..EDITS {
                last = edit(&mut random);
                let answer = rig.post(&last.0);
                assert_eq!(answer.status, 200, "seed {seed}: {}", answer.body);
                assert_eq!(answer.json()["at_restart"], serde_json::json!([]), "seed {seed}");
                // The next edit comes at once, or some ticks later.
                (0..random.random_range(0..3)).for_each(|_| _ = steady.tick());
            }
            let listed: BTreeSet<String> = rig.listed().into_iter().collect();
            assert_eq!(listed, last.1, "seed {seed}");
            // All that is listed lives in the end.
            let mut fresh = rig.stream(&last.1.iter().cloned().collect::<Vec<_>>().join(","));
            let mut live = BTreeSet::new();
            let deadline = Instant::now() + PATIENCE;
            while live != last.1 {
                assert!(Instant::now() < deadline, "seed {seed}: {:?} do not live", last.1.difference(&live));
                let tick = fresh.tick();
                if tick.text("state") == "live" {
                    live.insert(tick.text("symbol").to_owned());
                }
            }
            drop(ending);
            for watcher in watchers {
                let (ticks, wrong) = watcher.join().unwrap();
                assert!(ticks > EDITS && wrong.is_empty(), "seed {seed}: {ticks} ticks, {wrong:?}");
            }
            let streams = Client::connect(rig.gateway.admin).get("/debug/streams").json();
            assert_eq!(streams["totals"]["closed"]["lagging"].as_u64().unwrap_or(0), 0, "{streams}");
            assert!(matches!(fresh.stream.next(), Some(Event::Tick(_))));
        });
        rig.gateway.stop().unwrap();
    }
}
