//! The figures that two reports are compared by.

use super::report::Report;
use crate::{measure::Percent, scenario::Unit};
use serde_json::Value;
use std::collections::BTreeSet;

/// Whether less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Less,
    More,
}

/// A figure of two reports.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) better: Better,
    pub(super) a: Option<f64>,
    pub(super) b: Option<f64>,
    /// How much later the venue or the streams' thread was in one of them than in the other, in µs.
    pub(super) late: Option<f64>,
    /// Whether too few times were measured to say anything of this percentile.
    pub(super) has_too_few: bool,
}

/// The figures that are one number: the name of the threshold, and the place in the JSON.
const NUMBERS: [(&str, &str, Unit, Better); 17] = [
    ("violations", "/violations/total", Unit::Count, Better::Less),
    ("failed", "/streams/failed", Unit::Count, Better::Less),
    ("lost", "/streams/lost", Unit::Count, Better::Less),
    ("ticks_per_second", "/ticks_per_second", Unit::Count, Better::More),
    ("missed_ring", "/gateway/missed/ring", Unit::Count, Better::Less),
    ("missed_lag", "/gateway/missed/lag", Unit::Count, Better::Less),
    ("age_spread", "/age_spread", Unit::Count, Better::Less),
    ("recovery", "/recovery", Unit::Time, Better::Less),
    ("cpu_per_tick", "/gateway/cpu_micros_per_tick", Unit::Time, Better::Less),
    ("cpu_per_connect", "/gateway/cpu_micros_per_connect", Unit::Time, Better::Less),
    ("cpu_per_update", "/gateway/cpu_micros_per_update", Unit::Time, Better::Less),
    ("cpu_to_floor", "/cpu_to_floor", Unit::Count, Better::Less),
    ("venue_taken_per_second", "/venue/taken_per_second", Unit::Count, Better::More),
    ("venue_lost", "/venue/lost", Unit::Count, Better::Less),
    ("memory_per_stream", "/gateway/memory_per_stream", Unit::Bytes, Better::Less),
    ("memory", "/gateway/memory_max", Unit::Bytes, Better::Less),
    ("memory_growth", "/gateway/memory_growth", Unit::Bytes, Better::Less),
];
/// The times, each with whether a late venue makes them longer.
const TIMES: [(&str, bool); 8] = [
    ("connect", false),
    ("handshake", false),
    ("answer", false),
    ("first_tick", false),
    ("latency", true),
    ("age", false),
    ("slow_age", false),
    ("live_gap", false),
];
/// The times that are measured by group.
const OF_GROUPS: [(&str, bool); 4] = [("answer", false), ("first_tick", false), ("latency", true), ("age", false)];
/// How many times must be beyond a percentile for it to say anything: else a single one decides it.
const BEYOND_MIN: f64 = 10.0;
/// What is not a percentile: how many there are, and the ends, each of which a single time decides.
const NOT_PERCENTILES: [&str; 3] = ["count", "min", "max"];

/// All figures that at least one of the reports has.
pub(super) fn pairs(a: &Report, b: &Report) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = NUMBERS
        .iter()
        .map(|(name, pointer, unit, better)| Pair {
            name: (*name).to_owned(),
            unit: *unit,
            better: *better,
            a: a.number(pointer),
            b: b.number(pointer),
            late: None,
            has_too_few: false,
        })
        .collect();
    for (name, by_venue) in TIMES {
        pairs.extend(of_times(a, b, &format!("/{name}"), name, "", by_venue));
    }
    let groups = |of: &Report| of.json["streams"]["groups"].as_array().map_or(0, Vec::len);
    for index in 0..groups(a).max(groups(b)).min(if groups(a) > 1 { usize::MAX } else { 0 }) {
        let group = format!("/streams/groups/{index}");
        let suffix = format!("[{}]", a.text(&format!("{group}/name")));
        for (name, by_venue) in OF_GROUPS {
            pairs.extend(of_times(a, b, &format!("{group}/{name}"), name, &suffix, by_venue));
        }
    }
    pairs.retain(|pair| pair.a.is_some() || pair.b.is_some());
    pairs
}

/// The percentiles of one kind of times.
fn of_times(a: &Report, b: &Report, pointer: &str, name: &str, suffix: &str, by_venue: bool) -> Vec<Pair> {
    let keys = |of: &Report| -> Vec<String> {
        let values = of.json.pointer(pointer).and_then(Value::as_object);
        values.map_or(Vec::new(), |values| values.keys().cloned().collect())
    };
    let keys: BTreeSet<String> =
        keys(a).into_iter().chain(keys(b)).filter(|key| !NOT_PERCENTILES.contains(&key.as_str())).collect();
    let late = |key: &str| {
        let of = |of: &Report, who: &str| of.number(&format!("/{who}/late/{key}"));
        let apart = |who: &str| of(a, who).zip(of(b, who)).map(|(a, b)| (a - b).abs());
        let venue = by_venue.then(|| apart("venue")).flatten();
        [venue, apart("generator")].into_iter().flatten().reduce(f64::max)
    };
    let has_too_few = |key: &str| {
        let percent: Option<Percent> = usual(key).strip_prefix('p').and_then(|percent| percent.parse().ok());
        let share = percent.map_or(0.0, |percent| 1.0 - percent.share());
        let beyond = |of: &Report| of.number(&format!("{pointer}/count")).map(|count| count * share + 1e-6);
        [a, b].into_iter().filter_map(beyond).any(|beyond| beyond < BEYOND_MIN)
    };
    let pair = |key: String| Pair {
        name: format!("{name}_{}{suffix}", usual(&key)),
        unit: Unit::Time,
        better: Better::Less,
        a: a.number(&format!("{pointer}/{key}")),
        b: b.number(&format!("{pointer}/{key}")),
        late: late(&key),
        has_too_few: has_too_few(&key),
    };
    keys.into_iter().map(pair).collect()
}

/// A key of the JSON as thresholds name it.
fn usual(key: &str) -> &str {
    if key == "p999" { "p99.9" } else { key }
}
