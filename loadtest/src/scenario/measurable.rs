//! Thresholds that a load can never measure, so that they would be crossed after the whole run.

use super::thresholds::{At, Measured, Threshold};
use crate::streams::{Group, Reads};

/// A threshold that the load can never measure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("threshold {name}: {why}")]
pub struct NeverMeasured {
    name: String,
    why: String,
}

/// What is measured of streams without options that read at once.
const OF_WHOLE: [&str; 3] = ["holes", "age_spread", "symbol_age_spread"];
/// What a cluster does not have: its gateways' counters end with their processes.
const NOT_OF_CLUSTERS: [&str; 9] = [
    "missed_ring",
    "missed_lag",
    "closed_stalled",
    "cpu_per_tick",
    "cpu_per_connect",
    "cpu_per_update",
    "memory",
    "memory_growth",
    "memory_per_stream",
];

/// Checks that a load measures what a threshold is set on.
///
/// # Errors
/// [`NeverMeasured`], which says what would be.
pub fn check_measurable(threshold: &Threshold, groups: &[Group], is_cluster: bool) -> Result<(), NeverMeasured> {
    let name = threshold.name();
    let never = |why: String| Err(NeverMeasured { name: name.to_owned(), why });
    let is_slow = |group: &Group| group.reads != Reads::AtOnce;
    let is_whole = Group::is_whole;
    match &threshold.measured {
        Measured::One(measure) if is_cluster && NOT_OF_CLUSTERS.contains(&measure.name) => {
            never("the counters of a cluster's gateways are not read, since they are restarted".to_owned())
        }
        Measured::One(measure) if OF_WHOLE.contains(&measure.name) && !groups.iter().any(is_whole) => {
            never("all groups have options or read slowly, and this is measured of the others".to_owned())
        }
        Measured::One(_) => Ok(()),
        Measured::Times { times, at, group } => {
            let of = |wanted: &Group| group.as_ref().is_none_or(|name| *name == wanted.name);
            let all_slow = groups.iter().filter(|group| of(group)).all(is_slow);
            let at = match at {
                At::Percent(percent) => percent.to_string(),
                At::Max => "max".to_owned(),
            };
            match (times.name, group) {
                ("latency", Some(group)) if all_slow => {
                    never(format!("a group that reads slowly has no latency; set age_{at}[{group}]"))
                }
                ("latency" | "age", None) if all_slow => {
                    never(format!("all groups read slowly, which have neither; set slow_age_{at}"))
                }
                ("slow_age", _) if !groups.iter().any(is_slow) => {
                    never(format!("not one group reads slowly; set age_{at}"))
                }
                ("live_gap", _) if !groups.iter().any(is_whole) => {
                    never("all groups have options or read slowly, and it is of the others".to_owned())
                }
                _ => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_measured_says_what_would_be() {
        let group = |name: &str, reads, query: &str| Group {
            name: name.to_owned(),
            reads,
            query: query.to_owned(),
            ..Group::default()
        };
        let slow = || group("slow", Reads::BytesPerSecond(9), "");
        let fast = || group("fast", Reads::AtOnce, "max_rate=1");
        for (threshold, groups, is_cluster, expected) in [
            ("latency_p99[slow]", vec![slow(), fast()], false, "set age_p99[slow]"),
            ("latency_max", vec![slow()], false, "set slow_age_max"),
            ("latency_p99", vec![slow(), fast()], false, ""),
            ("age_p99[slow]", vec![slow(), fast()], false, ""),
            ("slow_age_p99", vec![fast()], false, "set age_p99"),
            ("live_gap_max", vec![slow(), fast()], false, "have options or read slowly"),
            ("holes", vec![fast()], false, "have options or read slowly"),
            ("age_spread", vec![fast()], false, "have options or read slowly"),
            ("age_spread", vec![fast(), Group::default()], false, ""),
            ("holes", vec![Group::default()], true, ""),
            ("missed_ring", vec![fast()], true, "the counters of a cluster"),
            ("missed_ring", vec![fast()], false, ""),
        ] {
            let is_time = threshold.contains('_') && !threshold.starts_with("missed") && !threshold.ends_with("spread");
            let value = if is_time { "1s" } else { "0" };
            let threshold = Threshold::from_argument(&format!("{threshold}={value}")).unwrap();
            let error = check_measurable(&threshold, &groups, is_cluster).map_err(|error| error.to_string());
            match error {
                Ok(()) => assert_eq!(expected, "", "{}", threshold.name()),
                Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{error}"),
            }
        }
    }
}
