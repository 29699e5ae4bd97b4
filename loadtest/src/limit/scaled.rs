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
/// The gateway's own limits of streams, and of subscriptions, which a scenario has without a word of them.
const LIMITS: [(&str, i64); 2] = [("streams", 100_000), ("subscriptions", 5_000_000)];
/// The limits per address, which `0` turns off.
const PER_ADDRESS: [&str; 2] = ["streams_per_address", "subscriptions_per_address"];

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
            let counts: Vec<u32> = scenario.groups.iter().map(|group| group.count).collect();
            for (group, count) in scenario.groups.iter_mut().zip(shared_out(&counts, value)) {
                group.count = count;
            }
            raise_limits(&mut scenario);
        }
    }
    scenario
}

/// So many streams in the proportion of these counts, at least one of each.
fn shared_out(counts: &[u32], total: f64) -> Vec<u32> {
    let all: f64 = counts.iter().copied().map(f64::from).sum();
    let exact: Vec<f64> = counts.iter().map(|count| f64::from(*count) * total / all).collect();
    let mut shared: Vec<u32> = exact.iter().map(|of| (of.floor() as u32).max(1)).collect();
    let sum = |shared: &[u32]| shared.iter().copied().map(u64::from).sum::<u64>();
    let wanted = (total.round() as u64).max(counts.len() as u64);
    while sum(&shared) != wanted {
        let is_short = sum(&shared) < wanted;
        // The one that is furthest from its share, of those that can give one.
        let missing = |place: &usize| exact[*place] - f64::from(shared[*place]);
        let places = (0..counts.len()).filter(|place| is_short || shared[*place] > 1);
        let furthest = places.max_by(|one, other| {
            let order = missing(one).total_cmp(&missing(other));
            if is_short { order } else { order.reverse() }
        });
        let Some(place) = furthest else { break };
        if is_short {
            shared[place] += 1;
        } else {
            shared[place] -= 1;
        }
    }
    shared
}

/// Raises the gateway's limits as far as the streams need it: they are not what is searched for.
fn raise_limits(scenario: &mut Scenario) {
    let streams = scenario.streams() as f64;
    let subscriptions: f64 = scenario.groups.iter().map(|group| f64::from(group.count) * group.symbols as f64).sum();
    let limits = scenario.gateway.entry("limits".to_owned()).or_default();
    for ((name, default), needed) in LIMITS.into_iter().zip([streams, subscriptions]) {
        let own = limits.get(name).and_then(toml::Value::as_integer);
        let needed = (needed * SPARE_STREAMS).ceil() as i64 + 100;
        if needed > own.unwrap_or(default) {
            limits.insert(name.to_owned(), toml::Value::from(needed));
        }
    }
    for name in PER_ADDRESS {
        if limits.get(name).and_then(toml::Value::as_integer).is_some_and(|own| own != 0) {
            limits.insert(name.to_owned(), toml::Value::from(0));
        }
    }
    if limits.is_empty() {
        scenario.gateway.remove("limits");
    }
}

/// The limits that one scenario has and the other has not.
pub fn raised_limits(from: &Scenario, to: &Scenario) -> Vec<String> {
    let of = |scenario: &Scenario| scenario.gateway.get("limits").cloned().unwrap_or_default();
    let before = of(from);
    let differing = of(to).into_iter().filter(|(name, value)| before.get(name) != Some(value));
    differing.map(|(name, value)| format!("limits.{name} = {value}")).collect()
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
        assert_eq!(raised_limits(&scenario, &half), [] as [String; 0], "the gateway's own limits are enough");
        for streams in [3.0, 5.0, 7.0, 601.0, 9_999.0] {
            let some = scaled(&scenario, Scaled::Streams, streams);
            assert_eq!(some.streams(), streams as u64);
            assert!(some.groups.iter().all(|group| group.count > 0), "none of its groups is left out");
        }
        let many = scaled(&scenario, Scaled::Streams, 200_000.0);
        assert_eq!(raised_limits(&scenario, &many), ["limits.streams = 240100"]);
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
