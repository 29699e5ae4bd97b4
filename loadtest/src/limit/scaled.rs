//! A scenario with more or less of its load.

use crate::scenario::{LoadSetup, Scenario};

/// What of a load is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scaled {
    /// The venue's updates per second.
    Rate,
    /// The number of streams, of all groups in their proportion.
    Streams,
}

/// Streams beyond the gateway's limit, for those that come back before the gateway has noticed that they left.
const SPARE_STREAMS: f64 = 1.2;

impl Scaled {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "updates per second",
            Self::Streams => "streams",
        }
    }

    /// How much of it a scenario has.
    ///
    /// # Errors
    /// Why it cannot be searched for.
    pub fn of(self, scenario: &Scenario) -> Result<f64, String> {
        if scenario.cluster.is_some() {
            return Err("it has a cluster, whose gateways are restarted".to_owned());
        }
        if scenario.groups.iter().any(|group| !group.stages.is_empty()) {
            return Err("a group has stages, so its load is not one number".to_owned());
        }
        match (self, &scenario.venue.load) {
            (Self::Streams, _) => Ok(scenario.streams() as f64),
            (Self::Rate, LoadSetup::Steady { rate }) => Ok(*rate),
            (Self::Rate, _) => Err("its rate is not steady, so it is not one number".to_owned()),
        }
    }

    /// The most of it.
    pub fn max(self) -> f64 {
        match self {
            Self::Rate => 10_000_000.0,
            Self::Streams => 1_000_000.0,
        }
    }

    /// The least of it.
    pub fn min(self, scenario: &Scenario) -> f64 {
        match self {
            Self::Rate => 1.0,
            Self::Streams => scenario.groups.len() as f64,
        }
    }
}

/// The scenario with this much of it.
pub fn scaled(scenario: &Scenario, what: Scaled, value: f64) -> Scenario {
    let mut scenario = scenario.clone();
    match what {
        Scaled::Rate => scenario.venue.load = LoadSetup::Steady { rate: value },
        Scaled::Streams => {
            let factor = value / scenario.streams() as f64;
            for group in &mut scenario.groups {
                group.count = (f64::from(group.count) * factor).round().max(1.0) as u32;
            }
            let limits = scenario.gateway.entry("limits".to_owned()).or_default();
            let own = limits.get("streams").and_then(toml::Value::as_integer).unwrap_or(0);
            let needed = (value * SPARE_STREAMS).ceil() as i64 + 100;
            limits.insert("streams".to_owned(), toml::Value::from(own.max(needed)));
        }
    }
    scenario
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    #[test]
    fn a_scenario_is_scaled_in_proportion() {
        let scenario = load("slow-consumers").unwrap().0;
        assert_eq!((Scaled::Rate.of(&scenario), Scaled::Streams.of(&scenario)), (Ok(1_000.0), Ok(600.0)));
        let half = scaled(&scenario, Scaled::Streams, 300.0);
        assert_eq!(half.groups.iter().map(|group| group.count).collect::<Vec<_>>(), [250, 25, 25]);
        assert_eq!(half.gateway["limits"]["streams"].as_integer(), Some(460));
        assert_eq!(scaled(&scenario, Scaled::Streams, 3.0).streams(), 5, "none of its groups is left out");
        let fast = scaled(&scenario, Scaled::Rate, 9_000.0);
        assert_eq!((Scaled::Rate.of(&fast), fast.streams()), (Ok(9_000.0), 600));
    }

    #[test]
    fn what_cannot_be_searched_for_says_why() {
        for (name, what, expected) in
            [("opening-bell", Scaled::Rate, "its rate is not steady"), ("cluster", Scaled::Streams, "it has a cluster")]
        {
            let error = what.of(&load(name).unwrap().0).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(Scaled::Streams.of(&load("opening-bell").unwrap().0), Ok(1_000.0));
    }
}
