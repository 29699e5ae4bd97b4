//! The mock venue of a scenario.

use super::{stage::Stage, units::Span};
use crate::venue;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The mock venue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueSetup {
    /// Its protocol.
    #[serde(default)]
    pub protocol: VenueProtocol,
    /// The number of its symbols.
    pub symbols: usize,
    /// The updates that it sends.
    pub load: LoadSetup,
    /// Updates that are due within this time go out together: at 20,000 updates/s, some 10 in each `"500us"`.
    #[serde(default = "VenueSetup::batch_interval")]
    pub batch_interval: Span,
    /// The seed of prices and of the order of symbols.
    #[serde(default = "VenueSetup::seed")]
    pub seed: u64,
}

impl VenueSetup {
    /// The venue's default.
    pub fn batch_interval() -> Span {
        Span(venue::Setup::BATCH_INTERVAL)
    }

    fn seed() -> u64 {
        1
    }
}

/// The protocol of the mock venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VenueProtocol {
    /// Binance's.
    #[default]
    Binance,
    /// Alpaca's.
    Alpaca,
}

/// The updates that the mock venue sends, in updates per second of all symbols together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum LoadSetup {
    /// A constant rate.
    Steady {
        /// Updates per second.
        rate: f64,
    },
    /// A rate that rises or falls linearly, then stays constant.
    Ramp {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// The duration of the change.
        over: Span,
    },
    /// A constant rate with periodic bursts.
    Bursts {
        /// The rate between bursts.
        rate: f64,
        /// The multiple of that rate during a burst.
        factor: f64,
        /// From the start of one burst to the start of the next.
        every: Span,
        /// The duration of a burst.
        lasts: Span,
    },
    /// A rate that changes in stages, which begin when all streams are open. After the last one its rate stays.
    Stages(Vec<Stage>),
    /// Recorded messages.
    Recording {
        /// The file.
        path: PathBuf,
        /// The multiple of its own speed; without it as fast as possible.
        #[serde(skip_serializing_if = "Option::is_none")]
        speed: Option<f64>,
        /// Whether it starts over at its end.
        #[serde(default)]
        looped: bool,
    },
}

/// The symbols of a venue, made of letters only, which both protocols accept.
pub fn symbol_names(count: usize, protocol: VenueProtocol) -> Vec<String> {
    let suffix = if protocol == VenueProtocol::Binance { "-USDT" } else { "" };
    (0..count).map(|number| letters(number) + suffix).collect()
}

/// A number in base 26, as four letters.
fn letters(mut number: usize) -> String {
    let mut name = [b'A'; 4];
    for letter in name.iter_mut().rev() {
        *letter = b'A' + (number % 26) as u8;
        number /= 26;
    }
    String::from_utf8_lossy(&name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_differ_and_fit_the_protocol() {
        assert_eq!(symbol_names(28, VenueProtocol::Alpaca)[25..], ["AAAZ", "AABA", "AABB"]);
        assert_eq!(symbol_names(1, VenueProtocol::Binance), ["AAAA-USDT"]);
        let names: BTreeSet<_> = symbol_names(20_000, VenueProtocol::Alpaca).into_iter().collect();
        assert_eq!(names.len(), 20_000);
    }
}
