//! The scenarios that come with the program, and those of files.

use super::{OutOfRange, Scenario, Threshold, ThresholdError, check_duration, check_streams, check_venue};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// A scenario's file, at most.
const BYTES_MAX: u64 = 1_000_000;

/// The shipped scenarios by their names.
pub const SHIPPED: [(&str, &str); 16] = [
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
];

/// Why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is neither shipped nor a file.
    #[error("`{name}` is no scenario and no file; the scenarios are {}", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is not written as a scenario is.
    #[error("scenario {name}: {source}")]
    Toml {
        /// Which.
        name: String,
        /// Where, and what is wrong.
        source: toml::de::Error,
    },
    /// It asks for what cannot be.
    #[error("scenario {name}: {source}")]
    OutOfRange {
        /// Which.
        name: String,
        /// What is wrong.
        source: OutOfRange,
    },
    /// Of an outage nobody can tell whether it was noticed.
    #[error(
        "scenario {name}: a mute outage lasts at least a second more than twice as long as mute_after of [gateway.feed], which \
         is 30s unless it is set: halfway through nothing may be live"
    )]
    ShortMute {
        /// Which.
        name: String,
    },
    /// A threshold is none.
    #[error("scenario {name}: {source}")]
    Threshold {
        /// Which.
        name: String,
        /// What is wrong.
        source: ThresholdError,
    },
}

fn names() -> String {
    SHIPPED.map(|(name, _)| name).join(", ")
}

/// Loads a shipped scenario by its name, or one from a file, with its thresholds.
///
/// # Errors
/// [`LoadError`], which says where and what would be right.
pub fn load(name: &str) -> Result<(Scenario, Vec<Threshold>), LoadError> {
    let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| (*text).to_owned());
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
        return Err(io::Error::other(format!("it is no scenario: it has more than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

fn read(name: &str, text: &str) -> Result<(Scenario, Vec<Threshold>), LoadError> {
    let name = || name.to_owned();
    let scenario: Scenario = toml::from_str(text).map_err(|source| LoadError::Toml { name: name(), source })?;
    check_venue(&scenario.venue)
        .and_then(|()| check_streams(&scenario.groups, scenario.venue.symbols, scenario.connect_rate))
        .and_then(|()| check_duration(scenario.duration))
        .map_err(|source| LoadError::OutOfRange { name: name(), source })?;
    if scenario.outages.iter().any(|outage| !outage.is_noticed(scenario.mute_after())) {
        return Err(LoadError::ShortMute { name: name() });
    }
    let thresholds = scenario.thresholds.iter().map(|(measure, value)| Threshold::from_toml(measure, value));
    let thresholds =
        thresholds.collect::<Result<_, _>>().map_err(|source| LoadError::Threshold { name: name(), source })?;
    Ok((scenario, thresholds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_one() {
        for (name, _) in SHIPPED {
            let (scenario, thresholds) = load(name).unwrap_or_else(|error| panic!("{error}"));
            assert!(!scenario.about.is_empty() && !thresholds.is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let smoke = SHIPPED[0].1;
        for (from, to, told) in [
            ("duration = \"10s\"", "duration = 10", "line"),
            ("duration = \"10s\"", "duration = \"soon\"", "`soon` is no time"),
            ("about", "abuot", "unknown field `abuot`"),
            ("violations = 0", "violations = \"few\"", "`few` is no number"),
            ("violations = 0", "virtues = 0", "`virtues` is not measured"),
            ("at = \"3s\"", "at = \"3s\"\nkind = \"mute\"", "a mute outage lasts at least"),
            ("at = \"3s\"", "at = \"3s\"\nkind = \"deaf\"", "unknown variant `deaf`"),
        ] {
            assert!(smoke.contains(from), "{from}");
            let error = read("x", &smoke.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        let error = load("smoek").unwrap_err().to_string();
        assert!(error.contains("`smoek` is no scenario and no file; the scenarios are smoke, "), "{error}");
    }
}
