//! Reloads of a large file, each second, under many streams.

use super::{Ends, Rig, Watched, sim};
use crate::support::{Client, PATIENCE, crowd::Crowd};
use rand::{RngExt, SeedableRng, rngs::SmallRng, seq::SliceRandom};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const FEEDS: usize = 5;
/// What each reload adds or removes.
const EDITED: usize = 50;
/// After so many reloads another one also changes a setting of a feed of its own, which restarts.
const SETTING_EVERY: usize = 2;
/// The clients of one target.
const CROWD: usize = 250;
/// The longest time without a tick of a feed that does not change, and on a machine that is busy with other tests.
const GAP_MAX: Duration = Duration::from_secs(1);
const GAP_BUSY_MAX: Duration = Duration::from_secs(5);

struct Size {
    symbols: usize,
    streams: usize,
    reloads: usize,
}

/// Of each feed so many; four digits, so that a prefix has at most a thousand.
fn symbol(feed: usize, number: usize) -> String {
    format!("F{feed}S{number:04}")
}

fn text(listed: &[BTreeSet<usize>], restarts: usize) -> String {
    let own = |(feed, numbers): (usize, &BTreeSet<usize>)| {
        let symbols: Vec<_> = numbers.iter().map(|number| symbol(feed, *number)).collect();
        sim(&format!("many-{feed}"), &symbols.join(" "), "rate = 400.0")
    };
    let restarted = sim("restarted", "RESTARTED", &format!("rate = {}.0", 40 + restarts));
    restarted + &sim("steady", "STEADY", "rate = 50.0") + &listed.iter().enumerate().map(own).collect::<String>()
}

/// The longest time between two ticks of the feed that does not change.
fn longest_gap(mut stream: Watched, until: &AtomicBool) -> Duration {
    stream.until("STEADY", "live");
    let mut last = Instant::now();
    let mut longest = Duration::ZERO;
    while !until.load(Ordering::Relaxed) {
        let tick = stream.tick();
        assert_eq!(tick.text("state"), "live");
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest
}

/// How often the feed whose setting changes came back.
fn comes_back(mut stream: Watched, until: &AtomicBool) -> usize {
    stream.until("RESTARTED", "live");
    let (mut count, mut is_live) = (0, true);
    while !until.load(Ordering::Relaxed) || !is_live {
        let tick = stream.tick();
        let was_live = std::mem::replace(&mut is_live, tick.text("state") == "live");
        count += usize::from(is_live && !was_live);
    }
    count
}

/// Five reloads of a small file, and nightly `TEST_RELOAD_STREAMS` streams over a minute with 10,000 symbols: then the
/// machine has to be idle.
#[test]
fn reloads_each_second_under_many_streams_hold_no_other_feed_up() {
    let streams = std::env::var("TEST_RELOAD_STREAMS");
    let is_idle = streams.is_ok();
    let size = match streams {
        Ok(streams) => Size { symbols: 10_000, streams: streams.parse().unwrap(), reloads: 60 },
        Err(_) => Size { symbols: 1_000, streams: 500, reloads: 5 },
    };
    let mut random = SmallRng::seed_from_u64(1);
    let per_feed = size.symbols / FEEDS;
    // Some are left for later edits.
    let mut listed: Vec<BTreeSet<usize>> = (0..FEEDS).map(|_| (0..per_feed).collect()).collect();
    let rig = Rig::start("many", &text(&listed, 0));
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let ending = Ends(&ends);
        let gap = scope.spawn(|| longest_gap(rig.stream("STEADY"), &ends));
        let back = scope.spawn(|| comes_back(rig.stream("RESTARTED"), &ends));
        let crowds: Vec<_> = (0..size.streams.div_ceil(CROWD))
            .map(|number| {
                let feed = number % FEEDS;
                let symbols: Vec<_> = (0..4).map(|_| symbol(feed, random.random_range(0..per_feed))).collect();
                let mut crowd = Crowd::new(&format!("/v1/stream?symbols={}", symbols.join(",")));
                crowd.join(rig.gateway.address, CROWD, PATIENCE * 3, |member| member.text.contains("event: hello"));
                let ends = &ends;
                scope.spawn(move || {
                    while !ends.load(Ordering::Relaxed) {
                        crowd.read_for(Duration::from_millis(200));
                    }
                    crowd.members.iter().filter(|member| member.ended).count()
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        for reload in 1..=size.reloads {
            let begun = Instant::now();
            for numbers in &mut listed {
                let mut all: Vec<usize> = (0..per_feed).collect();
                all.shuffle(&mut random);
                for number in &all[..EDITED] {
                    if !numbers.remove(number) {
                        numbers.insert(*number);
                    }
                }
            }
            let answer = rig.post(&text(&listed, reload / SETTING_EVERY));
            assert_eq!(answer.status, 200, "{}", answer.body);
            let report = answer.json();
            assert_eq!([&report["at_restart"], &report["failed"]], [&serde_json::json!([]); 2]);
            let restarts = report["changed"].as_array().unwrap().iter().any(|change| change["key"] == "feed.restarted");
            assert_eq!(restarts, reload.is_multiple_of(SETTING_EVERY), "reload {reload}: {report}");
            slowest = slowest.max(begun.elapsed());
            thread::sleep(Duration::from_secs(1).saturating_sub(begun.elapsed()));
        }
        for (feed, numbers) in listed.iter().enumerate() {
            let expected: Vec<_> = numbers.iter().map(|number| symbol(feed, *number)).collect();
            let found: Vec<_> =
                (0..per_feed.div_ceil(1_000)).flat_map(|thousand| with_prefix(&rig, feed, thousand)).collect();
            assert_eq!(found, expected, "feed {feed}");
        }
        drop(ending);
        let dropped: usize = crowds.into_iter().map(|crowd| crowd.join().unwrap()).sum();
        let gap = gap.join().unwrap();
        let back = back.join().unwrap();
        eprintln!(
            "the slowest reload took {slowest:?}; the longest gap of another feed was {gap:?}; one came back {back} times"
        );
        assert_eq!(dropped, 0, "streams were dropped");
        assert!(back > 0, "the feed that restarts was never stale");
        let gap_max = if is_idle { GAP_MAX } else { GAP_BUSY_MAX };
        assert!(gap < gap_max, "another feed had a gap of {gap:?}");
    });
    rig.gateway.stop().unwrap();
}

fn with_prefix(rig: &Rig, feed: usize, thousand: usize) -> Vec<String> {
    let target = format!("/v1/symbols?limit=1000&prefix=F{feed}S{thousand}");
    let all = Client::connect(rig.gateway.address).get(&target).json();
    all["symbols"].as_array().unwrap().iter().map(|listed| listed["symbol"].as_str().unwrap().to_owned()).collect()
}
