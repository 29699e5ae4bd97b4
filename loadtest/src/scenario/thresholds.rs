//! Thresholds on the measures of a run.

use super::{
    measures::{Bound, MEASURES, Measure, Unit},
    units::Span,
};
use crate::report::{Summary, number, size, time};
use serde::Serialize;

/// A threshold on a measure.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    measure: &'static Measure,
    limit: f64,
}

/// A crossed threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crossed {
    /// The measure.
    pub measure: &'static str,
    /// Its value, with the unit.
    pub was: String,
    /// The threshold, with the unit.
    pub allowed: String,
}

/// Why a threshold is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// The measure does not exist.
    #[error("`{name}` is not a measure; thresholds can be set on {}", names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// The limit is not a number with the measure's unit.
    #[error("threshold {name}: `{value}` is not a {}", expected(*unit))]
    Value {
        /// The measure.
        name: &'static str,
        /// The given limit.
        value: String,
        /// The measure's unit.
        unit: Unit,
    },
    /// It is not written `name=value`.
    #[error("`{0}` is not a threshold: write NAME=VALUE, such as latency_p99=50ms")]
    Form(String),
}

fn names() -> String {
    MEASURES.each_ref().map(|measure| measure.name).join(", ")
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
        let (name, value) = argument.split_once('=').ok_or_else(|| ThresholdError::Form(argument.to_owned()))?;
        Self::new(name.trim(), value.trim())
    }

    fn new(name: &str, value: &str) -> Result<Self, ThresholdError> {
        let measure = MEASURES.iter().find(|measure| measure.name == name);
        let measure = measure.ok_or_else(|| ThresholdError::Unknown { name: name.to_owned() })?;
        let limit = match measure.unit {
            Unit::Count => value.parse().ok(),
            Unit::Time => value.parse::<Span>().ok().map(|span| span.0.as_secs_f64() * 1e6),
            Unit::Bytes => bytes(value),
        };
        let limit = limit.filter(|limit| limit.is_finite() && *limit >= 0.0);
        let error = ThresholdError::Value { name: measure.name, value: value.to_owned(), unit: measure.unit };
        Ok(Self { measure, limit: limit.ok_or(error)? })
    }

    /// The measure's name.
    pub fn name(&self) -> &'static str {
        self.measure.name
    }

    /// The crossed threshold, if it is crossed. A measure that was not measured crosses it.
    pub fn crossed(&self, summary: &Summary) -> Option<Crossed> {
        let Measure { name, unit, bound, read, .. } = *self.measure;
        let was = read(summary);
        let is_met = was.is_some_and(|was| match bound {
            Bound::AtMost => was <= self.limit,
            Bound::AtLeast => was >= self.limit,
        });
        let side = if bound == Bound::AtMost { "at most" } else { "at least" };
        (!is_met).then(|| Crossed {
            measure: name,
            was: was.map_or("not measured".to_owned(), |was| shown(was, unit)),
            allowed: format!("{side} {}", shown(self.limit, unit)),
        })
    }
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
fn shown(value: f64, unit: Unit) -> String {
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
    fn a_threshold_is_met_or_crossed() {
        let mut summary = Summary::default();
        summary.streams.ticks = 100;
        let crossed = |text: &str| Threshold::from_argument(text).unwrap().crossed(&summary);
        assert_eq!(crossed("ticks=100"), None);
        let expected = Crossed { measure: "ticks", was: "100".into(), allowed: "at least 101".into() };
        assert_eq!(crossed("ticks=101"), Some(expected));
        assert_eq!(crossed("violations=0"), None);
        let unmeasured =
            Crossed { measure: "latency_p99", was: "not measured".into(), allowed: "at most 50.0 ms".into() };
        assert_eq!(crossed("latency_p99=50ms"), Some(unmeasured));
    }

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
            ("violations", "write NAME=VALUE"),
        ] {
            let error = Threshold::from_argument(argument).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Threshold::from_argument("memory=2.5MiB").is_ok());
    }
}
