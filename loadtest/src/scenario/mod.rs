//! Scenarios: what is loaded, how, and what must come of it; TOML.

mod limits;
mod outage;
mod shipped;
mod thresholds;
mod units;

pub use limits::{OutOfRange, check_duration, check_streams, check_venue};
pub use outage::{Outage, OutageKind};
pub use shipped::{LoadError, SHIPPED, load};
pub use thresholds::{Bound, Crossed, MEASURES, Measure, Threshold, ThresholdError, Unit};
pub use units::Span;

use crate::streams::Group;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is for, in a line.
    pub about: String,
    /// The venue that feeds the gateway.
    pub venue: VenueSetup,
    /// Keys of the gateway's own configuration, by table: `fanout`, `limits`, `server`; those of `feed` are for each of its feeds.
    #[serde(default)]
    pub gateway: BTreeMap<String, toml::Table>,
    /// How long the load lasts, once all streams are there.
    pub duration: Span,
    /// How many streams connect a second; without it all at once.
    pub connect_rate: Option<f64>,
    /// The streams.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// What happens to the venue meanwhile.
    #[serde(default, rename = "outage")]
    pub outages: Vec<Outage>,
    /// How late a tick may be read that others have long replaced.
    #[serde(default = "Scenario::old_after")]
    pub old_after: Span,
    /// What must come of it.
    #[serde(default)]
    pub thresholds: BTreeMap<String, toml::Value>,
}

impl Scenario {
    /// Without the key: longer than a gateway keeps anything back, and than a busy machine keeps a thread waiting.
    pub fn old_after() -> Span {
        Span(std::time::Duration::from_secs(2))
    }

    /// How long its gateway's feeds may be silent before it takes them for lost.
    pub fn mute_after(&self) -> std::time::Duration {
        let own = self.gateway.get("feed").and_then(|feed| feed.get("mute_after")?.as_str()?.parse::<Span>().ok());
        own.map_or(outage::MUTE_AFTER, |own| own.0)
    }

    /// How many streams there are.
    pub fn streams(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.count)).sum()
    }
}

/// The mock venue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueSetup {
    /// What it protocol.
    #[serde(default)]
    pub protocol: VenueProtocol,
    /// How many symbols it has.
    pub symbols: usize,
    /// What it sends.
    pub load: LoadSetup,
    /// What is due within such a time goes together: a venue of 20,000 updates a second has some 10 in each of `"500us"`.
    #[serde(default = "VenueSetup::batch_interval")]
    pub batch_interval: Span,
    /// Decides prices and which symbol is next.
    #[serde(default = "VenueSetup::seed")]
    pub seed: u64,
}

impl VenueSetup {
    /// The venue's own.
    pub fn batch_interval() -> Span {
        Span(crate::venue::Setup::BATCH_INTERVAL)
    }

    fn seed() -> u64 {
        1
    }
}

/// The protocol of the mock venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VenueProtocol {
    /// Binance's.
    #[default]
    Binance,
    /// Alpaca's.
    Alpaca,
}

/// What the mock venue sends, in updates a second of all symbols together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LoadSetup {
    /// The same rate all the time.
    Steady {
        /// Updates a second.
        rate: f64,
    },
    /// A rate that rises or falls.
    Ramp {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// How long it takes.
        over: Span,
    },
    /// A rate with bursts.
    Bursts {
        /// Between them.
        rate: f64,
        /// How many times that in a burst.
        factor: f64,
        /// From the start of one to the next.
        every: Span,
        /// How long one lasts.
        lasts: Span,
    },
    /// Recorded messages.
    Recording {
        /// The file.
        path: std::path::PathBuf,
        /// How many times its own speed; without it as fast as can be.
        speed: Option<f64>,
        /// Whether it begins again at its end.
        #[serde(default)]
        looped: bool,
    },
}

/// Names for so many symbols: letters alone, which both protocols take.
pub fn symbol_names(count: usize, protocol: VenueProtocol) -> Vec<String> {
    let letters = |mut number: usize| {
        let mut name = [b'A'; 4];
        for letter in name.iter_mut().rev() {
            *letter = b'A' + (number % 26) as u8;
            number /= 26;
        }
        String::from_utf8_lossy(&name).into_owned()
    };
    let quoted = |name: String| if protocol == VenueProtocol::Binance { name + "-USDT" } else { name };
    (0..count).map(letters).map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_fit_the_protocol() {
        assert_eq!(symbol_names(28, VenueProtocol::Alpaca)[25..], ["AAAZ", "AABA", "AABB"]);
        assert_eq!(symbol_names(1, VenueProtocol::Binance), ["AAAA-USDT"]);
        let names: std::collections::BTreeSet<_> = symbol_names(20_000, VenueProtocol::Alpaca).into_iter().collect();
        assert_eq!(names.len(), 20_000);
    }
}
