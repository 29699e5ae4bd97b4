//! Loads scenarios: those that ship with the program, and files.

use super::{
    definition::Scenario,
    limits::{OutOfRange, StreamsError, check_cluster, check_duration, check_length, check_streams, check_venue},
    measurable::{NeverMeasured, check_measurable},
    suggest::{after_message, did_you_mean},
    thresholds::{Threshold, ThresholdError},
};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// The largest scenario file.
const BYTES_MAX: u64 = 1_000_000;

/// The shipped scenarios by their names.
pub const SHIPPED: [(&str, &str); 19] = [
    ("smoke", include_str!("../../scenarios/smoke.toml")),
    ("hot-symbol", include_str!("../../scenarios/hot-symbol.toml")),
    ("watchlists", include_str!("../../scenarios/watchlists.toml")),
    ("many-symbols", include_str!("../../scenarios/many-symbols.toml")),
    ("slow-consumers", include_str!("../../scenarios/slow-consumers.toml")),
    ("overload", include_str!("../../scenarios/overload.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
    ("churn", include_str!("../../scenarios/churn.toml")),
    ("soak", include_str!("../../scenarios/soak.toml")),
    ("opening-bell", include_str!("../../scenarios/opening-bell.toml")),
    ("outages", include_str!("../../scenarios/outages.toml")),
    ("light", include_str!("../../scenarios/light.toml")),
    ("idle", include_str!("../../scenarios/idle.toml")),
    ("shared-rounds", include_str!("../../scenarios/shared-rounds.toml")),
    ("ingest", include_str!("../../scenarios/ingest.toml")),
    ("stalled", include_str!("../../scenarios/stalled.toml")),
    ("blocked-tab", include_str!("../../scenarios/blocked-tab.toml")),
    ("ramp", include_str!("../../scenarios/ramp.toml")),
    ("cluster", include_str!("../../scenarios/cluster.toml")),
];

/// Why a scenario cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is neither a shipped scenario nor a file.
    #[error(
        "`{name}` is neither a scenario nor a file; {}the scenarios are {}",
        did_you_mean(name, SHIPPED.map(|(name, _)| name)),
        names()
    )]
    Unknown {
        /// The given name.
        name: String,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// Its TOML is invalid.
    #[error("scenario {name}: {source}{}", hint(source))]
    Toml {
        /// Its name.
        name: String,
        /// The place and the error.
        source: toml::de::Error,
    },
    /// A number is out of range.
    #[error("scenario {name}: {source}")]
    OutOfRange {
        /// Its name.
        name: String,
        /// The error.
        source: OutOfRange,
    },
    /// Its groups cannot be loaded.
    #[error("scenario {name}: {source}")]
    Streams {
        /// Its name.
        name: String,
        /// The error.
        source: StreamsError,
    },
    /// A mute outage is too short for the gateway to notice.
    #[error(
        "scenario {name}: a mute outage lasts at least a second more than twice as long as mute_after of [gateway.feed], which \
         is 30s unless it is set: halfway through nothing may be live"
    )]
    ShortMute {
        /// Its name.
        name: String,
    },
    /// A threshold can never be measured.
    #[error("scenario {name}: {source}")]
    NeverMeasured {
        /// Its name.
        name: String,
        /// The error.
        source: NeverMeasured,
    },
    /// A threshold is none.
    #[error("scenario {name}: {source}")]
    Threshold {
        /// Its name.
        name: String,
        /// The error.
        source: ThresholdError,
    },
}

/// What was meant by an unknown word.
fn hint(error: &toml::de::Error) -> String {
    after_message(error.message()).map_or(String::new(), |hint| format!("  = {hint}"))
}

fn names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

/// Loads a shipped scenario by its name, or one from a file, with its thresholds.
///
/// # Errors
/// [`LoadError`], which says where and what would be right.
pub fn load(name: &str) -> Result<(Scenario, Vec<Threshold>), LoadError> {
    let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, toml)| (*toml).to_owned());
    let text = match shipped {
        Some(text) => text,
        None if Path::new(name).exists() => {
            read_file(name).map_err(|source| LoadError::Io { path: name.to_owned(), source })?
        }
        None => return Err(LoadError::Unknown { name: name.to_owned() }),
    };
    read(name, &text)
}

fn read_file(path: &str) -> io::Result<String> {
    let mut text = String::new();
    let length = File::open(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if length as u64 > BYTES_MAX {
        return Err(io::Error::other(format!("it is too long for a scenario: more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Reads a scenario with its thresholds from its TOML.
///
/// # Errors
/// [`LoadError`], which says where and what would be right.
pub fn read(name: &str, text: &str) -> Result<(Scenario, Vec<Threshold>), LoadError> {
    let name = || name.to_owned();
    let scenario: Scenario = toml::from_str(text).map_err(|source| LoadError::Toml { name: name(), source })?;
    check_venue(&scenario.venue)
        .and_then(|()| check_duration(scenario.duration))
        .and_then(|()| check_length(&scenario))
        .and_then(|()| scenario.cluster.map_or(Ok(()), check_cluster))
        .map_err(|source| LoadError::OutOfRange { name: name(), source })?;
    check_streams(&scenario.groups, scenario.venue.symbols, scenario.connect_rate)
        .map_err(|source| LoadError::Streams { name: name(), source })?;
    if scenario.outages.iter().any(|outage| !outage.is_noticed(scenario.mute_after())) {
        return Err(LoadError::ShortMute { name: name() });
    }
    let thresholds = scenario.thresholds.iter().map(|(measure, value)| Threshold::from_toml(measure, value));
    let groups = scenario.groups.iter().map(|group| group.name.as_str());
    let check = |threshold: Threshold| threshold.check_group(groups.clone()).map(|()| threshold);
    let thresholds: Result<_, _> = thresholds.map(|threshold| threshold.and_then(check)).collect();
    let thresholds = thresholds.map_err(|source| LoadError::Threshold { name: name(), source })?;
    for threshold in &thresholds {
        check_measurable(threshold, &scenario.groups, scenario.cluster.is_some())
            .map_err(|source| LoadError::NeverMeasured { name: name(), source })?;
    }
    Ok((scenario, thresholds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_loads() {
        for (name, _) in SHIPPED {
            let (scenario, thresholds) = load(name).unwrap_or_else(|error| panic!("{error}"));
            assert!(!scenario.about.is_empty() && !thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_error_names_its_place() {
        let smoke = SHIPPED[0].1;
        for (from, to, expected) in [
            ("duration = \"10s\"", "duration = 10", "line"),
            ("duration = \"10s\"", "duration = \"soon\"", "`soon` is not a time"),
            ("about", "abuot", "did you mean `about`?"),
            ("violations = 0", "violations = \"few\"", "`few` is not a number"),
            ("violations = 0", "virtues = 0", "`virtues` is not a measure"),
            ("at = \"3s\"", "at = \"3s\"\nkind = \"mute\"", "a mute outage lasts at least"),
            ("at = \"3s\"", "at = \"3s\"\nkind = \"deaf\"", "unknown variant `deaf`"),
        ] {
            assert!(smoke.contains(from), "{from}");
            let error = read("x", &smoke.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = load("smoek").unwrap_err().to_string();
        assert!(
            error.contains("`smoek` is neither a scenario nor a file; did you mean `smoke`? the scenarios are smoke, "),
            "{error}"
        );
    }
}
