//! Thresholds: what a run must keep to.

use super::Span;
use crate::report::Summary;
use serde::Serialize;

/// In what a measure is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Count,
    /// A time; it is kept in µs.
    Time,
    /// A size; it is kept in bytes.
    Bytes,
}

/// Which side of a threshold is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The measure may be this and below.
    AtMost,
    /// The measure may be this and above.
    AtLeast,
}

/// What a threshold can be set on.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
    unit: Unit,
    bound: Bound,
    read: fn(&Summary) -> Option<f64>,
}

/// A threshold on a measure.
#[derive(Debug, Clone, Copy)]
pub struct Threshold {
    measure: &'static Measure,
    limit: f64,
}

/// A threshold that was crossed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crossed {
    /// The measure.
    pub measure: &'static str,
    /// What it was, with its unit.
    pub was: String,
    /// What was allowed, with its unit.
    pub allowed: String,
}

/// Why a threshold is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// There is no such measure.
    #[error("`{name}` is not measured; thresholds can be set on {}", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The limit is no number, or has not the measure's unit.
    #[error("threshold {name}: `{text}` is no {}", what(*unit))]
    Value {
        /// The measure.
        name: &'static str,
        /// What was given.
        text: String,
        /// What it should be.
        unit: Unit,
    },
    /// It is not written `name=value`.
    #[error("`{0}` is no threshold: write NAME=VALUE, such as latency_p99=50ms")]
    Form(String),
}

fn names() -> String {
    MEASURES.each_ref().map(|measure| measure.name).join(", ")
}

fn what(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "number from 0 on",
        Unit::Time => "time: write a number and its unit, such as \"50ms\"",
        Unit::Bytes => "size: write a number of bytes, or with its unit, such as \"2MiB\"",
    }
}

macro_rules! measures {
    ($($name:literal, $about:literal, $unit:ident, $bound:ident, $read:expr;)+) => {
        [$(Measure { name: $name, about: $about, unit: Unit::$unit, bound: Bound::$bound, read: $read },)+]
    };
}

/// All that a threshold can be set on.
pub const MEASURES: [Measure; 28] = measures! {
    "violations", "broken rules, of any kind", Count, AtMost, |of| Some(of.violations.total as f64);
    "ticks", "ticks read by all streams", Count, AtLeast, |of| Some(of.streams.ticks as f64);
    "ticks_per_second", "ticks read in a second, while all streams were there", Count, AtLeast, |of| Some(of.ticks_per_second);
    "opened", "streams that opened, again and again if they came back", Count, AtLeast, |of| Some(of.streams.opened as f64);
    "failed", "attempts that did not become streams", Count, AtMost, |of| Some(of.streams.failed as f64);
    "lost", "streams that ended and were not asked to", Count, AtMost, |of| Some(of.streams.lost as f64);
    "closed_stalled", "streams that the gateway ended as they took nothing", Count, AtLeast, |of| of.gateway.as_ref()?.closed("stalled");
    "missed_ring", "ticks that the gateway left out by its own fault", Count, AtMost, |of| of.gateway.as_ref()?.missed("ring");
    "missed_lag", "ticks that the gateway left out as clients were slow", Count, AtMost, |of| of.gateway.as_ref()?.missed("lag");
    "connect_p99", "from the start of a connection until it is made", Time, AtMost, |of| Some(of.connect?.p99 as f64);
    "answer_p99", "from the start of a connection to the head of the answer", Time, AtMost, |of| Some(of.answer?.p99 as f64);
    "answer_max", "from the start of a connection to the head of the answer, at most", Time, AtMost, |of| Some(of.answer?.max as f64);
    "first_tick_p99", "from the start of a connection to its first tick", Time, AtMost, |of| Some(of.first_tick?.p99 as f64);
    "first_tick_max", "from the start of a connection to its first tick, at most", Time, AtMost, |of| Some(of.first_tick?.max as f64);
    "latency_p50", "from the venue's schedule to the reading", Time, AtMost, |of| Some(of.latency?.p50 as f64);
    "latency_p99", "from the venue's schedule to the reading", Time, AtMost, |of| Some(of.latency?.p99 as f64);
    "age_p99", "from the gateway's receipt to the reading", Time, AtMost, |of| Some(of.age?.p99 as f64);
    "age_spread", "how many times the mean age the worst-served stream's is", Count, AtMost, |of| of.age_spread;
    "symbol_age_spread", "how many times the mean age the worst-served symbol's is", Count, AtMost, |of| of.symbol_age_spread;
    "slow_age_p99", "from the gateway's receipt to the reading, of slow readers", Time, AtMost, |of| Some(of.slow_age?.p99 as f64);
    "recovery", "from the load's end until all streams have all", Time, AtMost, |of| Some(of.recovery? as f64);
    "cpu_per_tick", "the gateway's processor time per tick read", Time, AtMost, |of| of.gateway.as_ref()?.cpu_micros_per_tick;
    "cpu_per_update", "the gateway's processor time per update that it took from the venue", Time, AtMost, |of| of.gateway.as_ref()?.cpu_micros_per_update;
    "venue_lost", "batches of updates that the gateway did not take from the venue in time", Count, AtMost, |of| Some(of.venue?.lost as f64);
    "cpu_to_floor", "the gateway's processor time per tick, divided by the bare loop's", Count, AtMost, |of| of.cpu_to_floor;
    "memory_per_stream", "what the gateway's memory grew by while streams opened, per stream", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_per_stream? as f64);
    "memory", "the gateway's memory, at most", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_max? as f64);
    "memory_growth", "how much of the gateway's memory came after the first third of the load", Bytes, AtMost, |of| Some(of.gateway.as_ref()?.memory_growth? as f64);
};

impl Threshold {
    /// Reads one as it stands in a scenario.
    ///
    /// # Errors
    /// [`ThresholdError`].
    pub fn from_toml(name: &str, value: &toml::Value) -> Result<Self, ThresholdError> {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::new(name, &text)
    }

    /// Reads one as it stands on the command line, `name=value`.
    ///
    /// # Errors
    /// [`ThresholdError`].
    pub fn from_argument(text: &str) -> Result<Self, ThresholdError> {
        let (name, value) = text.split_once('=').ok_or_else(|| ThresholdError::Form(text.to_owned()))?;
        Self::new(name.trim(), value.trim())
    }

    fn new(name: &str, text: &str) -> Result<Self, ThresholdError> {
        let measure = MEASURES.iter().find(|measure| measure.name == name);
        let measure = measure.ok_or_else(|| ThresholdError::Unknown { name: name.to_owned() })?;
        let limit = match measure.unit {
            Unit::Count => text.parse().ok(),
            Unit::Time => text.parse::<Span>().ok().map(|span| span.0.as_secs_f64() * 1e6),
            Unit::Bytes => bytes(text),
        };
        let limit = limit.filter(|limit| limit.is_finite() && *limit >= 0.0);
        let error = ThresholdError::Value { name: measure.name, text: text.to_owned(), unit: measure.unit };
        Ok(Self { measure, limit: limit.ok_or(error)? })
    }

    /// The measure's name.
    pub fn name(&self) -> &'static str {
        self.measure.name
    }

    /// What is crossed, if it is. What was not measured has not been kept to.
    pub fn crossed(&self, summary: &Summary) -> Option<Crossed> {
        let Measure { name, unit, bound, read, .. } = *self.measure;
        let was = read(summary);
        let is_kept = was.is_some_and(|was| match bound {
            Bound::AtMost => was <= self.limit,
            Bound::AtLeast => was >= self.limit,
        });
        let side = if bound == Bound::AtMost { "at most" } else { "at least" };
        (!is_kept).then(|| Crossed {
            measure: name,
            was: was.map_or("not measured".to_owned(), |was| shown(was, unit)),
            allowed: format!("{side} {}", shown(self.limit, unit)),
        })
    }
}

fn bytes(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text[digits.len()..].trim() {
        "" | "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    digits.trim().parse::<f64>().ok().map(|number| number * factor)
}

/// A value with its unit.
fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count if value.fract() != 0.0 => format!("{value:.2}"),
        Unit::Count => crate::report::number(value as u64),
        Unit::Time => crate::report::time(value),
        Unit::Bytes => crate::report::size(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_kept_or_crossed() {
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
    fn what_is_no_threshold_says_what_would_be() {
        for (text, told) in [
            ("latency_p99=fast", "threshold latency_p99: `fast` is no time"),
            ("latency_p99=50", "`50` is no time"),
            ("violations=none", "threshold violations: `none` is no number"),
            ("violations=-1", "`-1` is no number from 0 on"),
            ("violations=NaN", "`NaN` is no number"),
            ("memory=2GB", "`2GB` is no size"),
            ("speed=9", "`speed` is not measured; thresholds can be set on violations, ticks,"),
            ("violations", "write NAME=VALUE"),
        ] {
            let error = Threshold::from_argument(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(Threshold::from_argument("memory=2.5MiB").is_ok());
    }
}
