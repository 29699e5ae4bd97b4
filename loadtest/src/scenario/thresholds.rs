//! Thresholds on the measures of a run.

use super::{
    measures::{Bound, Late, MEASURES, Measure, Of, TIMES, Times, Unit},
    suggest::did_you_mean,
    units::Span,
};
use crate::{
    measure::{Percent, Percentiles},
    report::{Summary, number, size, time},
};
use std::time::Duration;

/// A threshold on a measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// Its full name.
    name: String,
    pub(super) limit: f64,
    pub(super) measured: Measured,
}

/// What a threshold is set on.
#[derive(Debug, Clone)]
pub(super) enum Measured {
    /// A measure that is one number.
    One(&'static Measure),
    /// A percentile of times.
    Times { times: &'static Times, at: At, group: Option<String> },
}

impl PartialEq for Measured {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(one), Self::One(other)) => one.name == other.name,
            (Self::Times { times, at, group }, Self::Times { times: of, at: other, group: others }) => {
                times.name == of.name && at == other && group == others
            }
            _ => false,
        }
    }
}

/// Which of the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Percent(Percent),
    Max,
}

impl At {
    pub(super) fn of(self, percentiles: &Percentiles) -> Option<u64> {
        match self {
            Self::Percent(percent) => percentiles.at(percent),
            Self::Max => Some(percentiles.max),
        }
    }
}

/// Why a threshold is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The measure does not exist.
    #[error("`{name}` is not a measure; {}thresholds can be set on {}", did_you_mean(name, names().iter().map(String::as_str)), names().join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// It is of a percentile that does not exist.
    #[error("threshold {name}: {error}")]
    Percent {
        /// The name.
        name: String,
        /// What would be right.
        error: String,
    },
    /// It is of a group, and the measure is not measured by group.
    #[error("threshold {name}: it is not measured by group; {} are", by_group())]
    NotByGroup {
        /// The name.
        name: String,
    },
    /// It is of a group that the load does not have.
    #[error("threshold {name}: `{group}` is not a group; {}the groups are {groups}", did_you_mean(group, groups.split(", ")))]
    Group {
        /// The threshold.
        name: String,
        /// The group.
        group: String,
        /// Those that there are.
        groups: String,
    },
    /// The limit is not a number with the measure's unit.
    #[error("threshold {name}: `{value}` is not a {}", expected(*unit))]
    Value {
        /// The measure.
        name: String,
        /// The given limit.
        value: String,
        /// The measure's unit.
        unit: Unit,
    },
    /// It is not written `name=value`.
    #[error("`{0}` is not a threshold: write NAME=VALUE, such as latency_p99=50ms")]
    Form(String),
}

/// The names of thresholds, of times those that are usual.
fn names() -> Vec<String> {
    let times = TIMES.iter().flat_map(|times| ["p50", "p99", "p99.9", "max"].map(|at| format!("{}_{at}", times.name)));
    MEASURES.iter().map(|measure| measure.name.to_owned()).chain(times).collect()
}

fn by_group() -> String {
    let names = TIMES.iter().filter(|times| times.read_group.is_some()).map(|times| times.name);
    names.collect::<Vec<_>>().join(", ")
}

fn expected(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "number of 0 or more",
        Unit::Time => "time: write a number and its unit, such as \"50ms\"",
        Unit::Bytes => "size: write a number of bytes, or with its unit, such as \"2MiB\"",
    }
}

impl Threshold {
    /// Reads a threshold of a scenario.
    ///
    /// # Errors
    /// [`ThresholdError`].
    pub fn from_toml(name: &str, value: &toml::Value) -> Result<Self, ThresholdError> {
        let value = match value {
            toml::Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        Self::new(name, &value)
    }

    /// Reads a threshold of the command line, `name=value`.
    ///
    /// # Errors
    /// [`ThresholdError`].
    pub fn from_argument(argument: &str) -> Result<Self, ThresholdError> {
        let (name, value) = argument.rsplit_once('=').ok_or_else(|| ThresholdError::Form(argument.to_owned()))?;
        Self::new(name.trim(), value.trim())
    }

    fn new(name: &str, value: &str) -> Result<Self, ThresholdError> {
        let measured = measured(name)?;
        let unit = measured.unit();
        let limit = match unit {
            Unit::Count => value.parse().ok(),
            Unit::Time => value.parse::<Span>().ok().map(|span| span.0.as_secs_f64() * 1e6),
            Unit::Bytes => bytes(value),
        };
        let limit = limit.filter(|limit| limit.is_finite() && *limit >= 0.0);
        let error = || ThresholdError::Value { name: name.to_owned(), value: value.to_owned(), unit };
        Ok(Self { name: name.to_owned(), limit: limit.ok_or_else(error)?, measured })
    }

    /// The measure's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The percentile that must be measured for it, if it is one.
    pub fn percent(&self) -> Option<Percent> {
        match self.measured {
            Measured::Times { at: At::Percent(percent), .. } => Some(percent),
            _ => None,
        }
    }

    /// Whether servers other than tickfan have what it is set on.
    pub fn is_of_any_server(&self) -> bool {
        self.measured.of() == Of::Any
    }

    /// Whether it asks for an amount, which a smaller load cannot reach.
    pub fn is_at_least(&self) -> bool {
        self.measured.bound() == Bound::AtLeast
    }

    /// Checks that the load has the group that it is set on.
    ///
    /// # Errors
    /// [`ThresholdError::Group`].
    pub fn check_group<'a>(&self, groups: impl Iterator<Item = &'a str> + Clone) -> Result<(), ThresholdError> {
        match &self.measured {
            Measured::Times { group: Some(group), .. } if groups.clone().all(|name| name != group) => {
                let groups = groups.collect::<Vec<_>>().join(", ");
                Err(ThresholdError::Group { name: self.name.clone(), group: group.clone(), groups })
            }
            _ => Ok(()),
        }
    }

    /// The limit as a scenario has it.
    pub fn to_toml(&self) -> toml::Value {
        let whole = (self.limit.fract() == 0.0 && self.limit < 1e15).then_some(self.limit as i64);
        match (self.measured.unit(), whole) {
            (Unit::Time, _) => toml::Value::from(Span(Duration::from_secs_f64(self.limit / 1e6)).to_string()),
            (_, Some(whole)) => toml::Value::from(whole),
            (_, None) => toml::Value::from(self.limit),
        }
    }

    pub(super) fn allowed(&self) -> String {
        let side = if self.is_at_least() { "at least" } else { "at most" };
        format!("{side} {}", shown(self.limit, self.measured.unit()))
    }
}

impl Measured {
    pub(super) fn unit(&self) -> Unit {
        match self {
            Self::One(measure) => measure.unit,
            Self::Times { .. } => Unit::Time,
        }
    }

    pub(super) fn bound(&self) -> Bound {
        match self {
            Self::One(measure) => measure.bound,
            Self::Times { .. } => Bound::AtMost,
        }
    }

    pub(super) fn of(&self) -> Of {
        match self {
            Self::One(measure) => measure.of,
            Self::Times { times, .. } => times.of,
        }
    }

    /// Why it cannot be judged, since its times are of clocks that do not agree.
    pub(super) fn clocks(&self, summary: &Summary) -> Option<String> {
        match self {
            Self::Times { times, .. } if matches!(times.name, "age" | "slow_age") => summary.clocks.age.clone(),
            Self::Times { times, .. } if times.name == "latency" => summary.clocks.latency.clone(),
            _ => None,
        }
    }

    /// What else makes it longer, and at which percentile.
    pub(super) fn late(&self) -> Option<(Late, At)> {
        match self {
            Self::One(_) => None,
            Self::Times { times, at, .. } => Some((times.late, *at)),
        }
    }

    pub(super) fn read(&self, summary: &Summary) -> Option<f64> {
        match self {
            Self::One(measure) => (measure.read)(summary),
            Self::Times { times, at, group } => {
                let percentiles = read_times(times, group.as_ref(), summary)?;
                at.of(&percentiles).map(|micros| micros as f64)
            }
        }
    }

    /// A note where so few times were measured that a single one decides the percentile.
    pub(super) fn of_few(&self, summary: &Summary) -> String {
        let Self::Times { times, at: At::Percent(percent), group } = self else { return String::new() };
        let few = read_times(times, group.as_ref(), summary).filter(|of| of.has_few_beyond(*percent));
        few.map_or(String::new(), |of| format!(" of {} times", number(of.count)))
    }
}

fn read_times(times: &Times, group: Option<&String>, summary: &Summary) -> Option<Percentiles> {
    match group {
        None => (times.read)(summary),
        Some(name) => {
            let group = summary.streams.groups.iter().find(|group| group.name == *name)?;
            times.read_group.and_then(|read| read(group))
        }
    }
}

/// What a name stands for: `violations`, `latency_p99.9`, `latency_max[pages]`.
fn measured(name: &str) -> Result<Measured, ThresholdError> {
    if let Some(measure) = MEASURES.iter().find(|measure| measure.name == name) {
        return Ok(Measured::One(measure));
    }
    let unknown = || ThresholdError::Unknown { name: name.to_owned() };
    let (of, group) = match name.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        Some((of, group)) => (of, Some(group.to_owned())),
        None => (name, None),
    };
    let (times, at) = of.rsplit_once('_').ok_or_else(unknown)?;
    let times = TIMES.iter().find(|known| known.name == times).ok_or_else(unknown)?;
    let at = match at.strip_prefix('p') {
        Some(percent) if percent.starts_with(|first: char| first.is_ascii_digit()) => {
            let error = |error| ThresholdError::Percent { name: name.to_owned(), error };
            At::Percent(percent.parse().map_err(error)?)
        }
        _ if at == "max" => At::Max,
        _ => return Err(unknown()),
    };
    if group.is_some() && times.read_group.is_none() {
        return Err(ThresholdError::NotByGroup { name: name.to_owned() });
    }
    Ok(Measured::Times { times, at, group })
}

fn bytes(size: &str) -> Option<f64> {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match size[digits.len()..].trim() {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    digits.trim().parse::<f64>().ok().map(|number| number * factor)
}

/// A value with its unit, for people.
pub(crate) fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count if value.fract() != 0.0 => format!("{value:.2}"),
        Unit::Count => number(value as u64),
        Unit::Time => time(value),
        Unit::Bytes => size(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_threshold_says_what_would_be_valid() {
        for (argument, expected) in [
            ("latency_p99=fast", "threshold latency_p99: `fast` is not a time"),
            ("latency_p99=50", "`50` is not a time"),
            ("violations=none", "threshold violations: `none` is not a number"),
            ("violations=-1", "`-1` is not a number of 0 or more"),
            ("violations=NaN", "`NaN` is not a number"),
            ("memory=2GB", "`2GB` is not a size"),
            ("speed=9", "`speed` is not a measure; thresholds can be set on violations, ticks,"),
            ("latencyp99=9", "`latencyp99` is not a measure; did you mean `latency_p99`? thresholds"),
            ("latency_p100=9", "`100` is not a percentile: write a number from 0.001 to 99.999"),
            ("latency_pages=9", "`latency_pages` is not a measure"),
            ("recovery_p99=9", "`recovery_p99` is not a measure"),
            ("connect_p99[a]=9", "connect_p99[a]: it is not measured by group; answer, first_tick, latency, age are"),
            ("violations", "write NAME=VALUE"),
        ] {
            let error = Threshold::from_argument(argument).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Threshold::from_argument("memory=2.5MiB").is_ok());
    }

    #[test]
    fn a_threshold_of_a_group_needs_that_group() {
        let threshold = Threshold::from_argument("latency_p99.9[pages]=50ms").unwrap();
        assert_eq!(threshold.check_group(["pages", "slow"].into_iter()), Ok(()));
        let error = threshold.check_group(["page", "slow"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("`pages` is not a group; did you mean `page`? the groups are page, slow"), "{error}");
    }

    #[test]
    fn a_threshold_is_the_same_when_it_is_read_from_what_was_printed() {
        for argument in
            ["violations=0", "age_spread=1.5", "latency_p99.9=1ms 700us", "memory=2.5MiB", "age_max[a b]=3s"]
        {
            let threshold = Threshold::from_argument(argument).unwrap();
            assert_eq!(Threshold::from_toml(threshold.name(), &threshold.to_toml()), Ok(threshold), "{argument}");
        }
    }
}
