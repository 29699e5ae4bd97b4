//! The figures that two reports are compared by.

use super::report::Report;
use crate::{
    measure::{BEYOND_MIN, Percent},
    scenario::Unit,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Whether less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Less,
    More,
}

/// What a figure differs by without a difference between the servers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Noise {
    /// Nothing beyond the tolerance.
    None,
    /// So much, however small the figure is.
    Of(f64),
    /// Three times the square root of a count, as of events by chance.
    Counts,
}

impl Noise {
    /// Whether two values do not differ by more.
    pub(super) fn covers(self, a: f64, b: f64) -> bool {
        let most = match self {
            Self::None => 0.0,
            Self::Of(most) => most,
            Self::Counts => 3.0 * a.max(b).sqrt(),
        };
        (b - a).abs() <= most
    }
}

/// A figure of two reports.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) better: Better,
    pub(super) noise: Noise,
    /// Whether it decides on the verdict if no figures are asked for. Of dozens of figures one differs by chance.
    pub(super) is_headline: bool,
    pub(super) a: Option<f64>,
    pub(super) b: Option<f64>,
    /// How much later the venue or the streams' thread was in one of them than in the other, in µs.
    pub(super) late: Option<f64>,
    /// Whether too few times were measured to say anything of this percentile.
    pub(super) has_too_few: bool,
}

/// Where a number is in the JSON.
#[derive(Debug, Clone, Copy)]
enum Place {
    At(&'static str),
    /// The first divided by the second.
    Ratio(&'static str, &'static str),
    /// The streams of all groups that ended so.
    Ended(&'static [&'static str]),
}

impl Place {
    fn read(self, of: &Report) -> Option<f64> {
        match self {
            Self::At(pointer) => of.number(pointer),
            Self::Ratio(one, other) => {
                of.number(one).zip(of.number(other)).filter(|(_, other)| *other > 0.0).map(|(one, other)| one / other)
            }
            Self::Ended(ways) => {
                let groups = of.json["streams"]["groups"]
                    .as_array()
                    .filter(|groups| groups.iter().any(|group| group["ended"].is_object()))?;
                let count = |group: &Value| ways.iter().filter_map(|way| group["ended"][*way].as_f64()).sum::<f64>();
                Some(groups.iter().map(count).sum())
            }
        }
    }
}

type Number = (&'static str, Place, Unit, Better, Noise);

const MIB: f64 = 1024.0 * 1024.0;
/// What two times differ by on a quiet machine, in µs: the kernel's timers and wake-ups.
const OF_TIMES: Noise = Noise::Of(100.0);

/// The figures that are one number: the name of the threshold, and the place in the JSON.
const NUMBERS: [Number; 29] = {
    use {Better::*, Noise::*, Place::*, Unit::*};
    [
        ("violations", At("/violations/total"), Count, Less, None),
        ("failed", At("/streams/failed"), Count, Less, None),
        ("lost", At("/streams/lost"), Count, Less, None),
        ("broken", Ended(&["ended", "reset"]), Count, Less, None),
        ("unanswered", Ended(&["refused", "handshake", "no_stream", "timeout"]), Count, Less, None),
        ("elsewhere", Ended(&["elsewhere"]), Count, Less, Counts),
        ("opened", At("/streams/opened"), Count, More, Counts),
        ("closed_stalled", At("/gateway/closed/stalled"), Count, More, None),
        ("holes", At("/streams/holes_of_whole"), Count, Less, Counts),
        ("restarts", At("/cluster/restarts"), Count, More, None),
        ("handed_over", At("/cluster/handed_over"), Count, More, None),
        ("ticks", At("/streams/ticks"), Count, More, None),
        ("ticks_per_second", At("/ticks_per_second"), Count, More, None),
        ("bytes_per_tick", Ratio("/streams/bytes", "/streams/ticks"), Bytes, Less, None),
        ("missed_ring", At("/gateway/missed/ring"), Count, Less, Counts),
        ("missed_lag", At("/gateway/missed/lag"), Count, Less, Counts),
        ("age_spread", At("/age_spread"), Count, Less, None),
        ("symbol_age_spread", At("/symbol_age_spread"), Count, Less, None),
        ("recovery", At("/recovery"), Time, Less, Of(100_000.0)),
        ("cpu_per_tick", At("/gateway/cpu_micros_per_tick"), Time, Less, None),
        ("cpu_per_connect", At("/gateway/cpu_micros_per_connect"), Time, Less, None),
        ("cpu_per_update", At("/gateway/cpu_micros_per_update"), Time, Less, None),
        ("cpu_to_floor", At("/cpu_to_floor"), Count, Less, None),
        ("venue_taken_per_second", At("/venue/taken_per_second"), Count, More, None),
        ("venue_lost", At("/venue/lost"), Count, Less, Counts),
        ("venue_connections", At("/venue/connections_max"), Count, Less, None),
        ("memory_per_stream", At("/gateway/memory_per_stream"), Bytes, Less, Of(128.0)),
        ("memory", At("/gateway/memory_max"), Bytes, Less, Of(MIB)),
        ("memory_growth", At("/gateway/memory_growth"), Bytes, Less, Of(MIB)),
    ]
};
/// The figures that decide on the verdict if none are asked for, as far as the reports have them.
const HEADLINES: [&str; 11] = [
    "violations",
    "failed",
    "lost",
    "missed_ring",
    "ticks_per_second",
    "cpu_per_tick",
    "memory",
    "memory_per_stream",
    "latency_p50",
    "latency_p99",
    "age_p99",
];
/// The times, each with whose lateness makes them longer.
const TIMES: [(&str, Lates); 8] = [
    ("connect", &["generator/late_opening", "generator/late_connects"]),
    ("handshake", &["generator/late_opening", "generator/late_connects"]),
    ("answer", &["generator/late_opening", "generator/late_connects"]),
    ("first_tick", &["generator/late_opening", "generator/late_connects"]),
    ("latency", &["venue/late", "generator/late"]),
    ("age", &["generator/late"]),
    ("slow_age", &["generator/late"]),
    ("live_gap", &["generator/late"]),
];
type Lates = &'static [&'static str];
/// The times that are measured by group.
const OF_GROUPS: [&str; 4] = ["answer", "first_tick", "latency", "age"];
/// What says nothing of the server: how many times there are, and the lowest.
const LEFT_OUT: [&str; 2] = ["count", "min"];

/// All figures that at least one of the reports has.
pub(super) fn pairs(a: &Report, b: &Report) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = NUMBERS
        .iter()
        .map(|(name, place, unit, better, noise)| Pair {
            name: (*name).to_owned(),
            unit: *unit,
            better: *better,
            noise: *noise,
            is_headline: HEADLINES.contains(name),
            a: place.read(a),
            b: place.read(b),
            late: None,
            has_too_few: false,
        })
        .collect();
    for (name, lates) in TIMES {
        pairs.extend(of_times(a, b, &format!("/{name}"), name, "", lates));
    }
    let groups = |of: &Report| of.json["streams"]["groups"].as_array().map_or(0, Vec::len);
    for index in 0..groups(a).max(groups(b)).min(if groups(a) > 1 { usize::MAX } else { 0 }) {
        let group = format!("/streams/groups/{index}");
        let suffix = format!("[{}]", a.text(&format!("{group}/name")));
        for (name, lates) in TIMES.into_iter().filter(|(name, _)| OF_GROUPS.contains(name)) {
            pairs.extend(of_times(a, b, &format!("{group}/{name}"), name, &suffix, lates));
        }
    }
    pairs.retain(|pair| pair.a.is_some() || pair.b.is_some());
    pairs
}

/// The percentiles of one kind of times.
fn of_times(a: &Report, b: &Report, pointer: &str, name: &str, suffix: &str, lates: Lates) -> Vec<Pair> {
    let keys = |of: &Report| -> Vec<String> {
        let values = of.json.pointer(pointer).and_then(Value::as_object);
        values.map_or(Vec::new(), |values| values.keys().cloned().collect())
    };
    let keys: BTreeSet<String> =
        keys(a).into_iter().chain(keys(b)).filter(|key| !LEFT_OUT.contains(&key.as_str())).collect();
    let late = |key: &str| {
        let of = |of: &Report, who: &str| of.number(&format!("/{who}/{key}"));
        let apart = |who: &&str| of(a, who).zip(of(b, who)).map(|(a, b)| (a - b).abs());
        lates.iter().filter_map(apart).reduce(f64::max)
    };
    let has_too_few = |key: &str| {
        let percent: Option<Percent> = usual(key).strip_prefix('p').and_then(|percent| percent.parse().ok());
        // A single time decides the longest: it is compared, but is not a headline.
        let Some(share) = percent.map(|percent| 1.0 - percent.share()) else { return false };
        let beyond = |of: &Report| of.number(&format!("{pointer}/count")).map(|count| count * share + 1e-6);
        [a, b].into_iter().filter_map(beyond).any(|beyond| beyond < BEYOND_MIN)
    };
    let pair = |key: String| Pair {
        name: format!("{name}_{}{suffix}", usual(&key)),
        unit: Unit::Time,
        better: Better::Less,
        noise: OF_TIMES,
        is_headline: suffix.is_empty() && HEADLINES.contains(&format!("{name}_{}", usual(&key)).as_str()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{MEASURES, TIMES as KINDS};

    #[test]
    fn every_measure_can_be_compared() {
        for measure in MEASURES {
            assert!(NUMBERS.iter().any(|(name, ..)| *name == measure.name), "{}", measure.name);
        }
        assert!(KINDS.iter().map(|kind| kind.name).eq(TIMES.iter().map(|(name, _)| *name)));
        let headlines = HEADLINES.iter().filter(|name| NUMBERS.iter().any(|(number, ..)| number == *name)).count();
        assert_eq!(headlines, 8);
    }

    #[test]
    fn small_differences_of_counts_and_times_are_noise() {
        for (noise, a, b, expected) in [
            (Noise::None, 0.0, 1.0, false),
            (Noise::Counts, 1.0, 2.0, true),
            (Noise::Counts, 100.0, 131.0, true),
            (Noise::Counts, 100.0, 140.0, false),
            (OF_TIMES, 20.0, 23.0, true),
            (OF_TIMES, 1_000.0, 1_101.0, false),
        ] {
            assert_eq!(noise.covers(a, b), expected, "{noise:?} {a} {b}");
        }
    }
}
