//! The outages of a venue.

use super::units::Span;
use serde::{Deserialize, Serialize};
use std::{str::FromStr, time::Duration};

/// The gateway's default of `mute_after` for a list of 20 symbols and more: how long a feed may be silent.
pub(super) const MUTE_AFTER: Duration = Duration::from_secs(30);
/// How long the gateway may take to update all streams once it has noticed an outage.
const PROPAGATION: Duration = Duration::from_millis(500);

/// An outage of the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// How the venue fails.
    #[serde(default)]
    pub kind: OutageKind,
    /// When it begins, since the load began.
    pub at: Span,
    /// How long it lasts.
    pub lasts: Span,
}

/// How a venue fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OutageKind {
    /// It resets its connections and refuses new ones.
    #[default]
    Break,
    /// It keeps its connections and answers, but sends no data.
    Mute,
}

impl Outage {
    /// When streams may no longer show anything as live: halfway through, since the load began. `None` if it may be
    /// over before all streams are updated.
    pub fn is_known_by(&self) -> Option<Duration> {
        let half = self.lasts.0 / 2;
        (half >= PROPAGATION).then_some(self.at.0 + half)
    }

    /// Whether a gateway with this `mute_after` has updated all streams by then.
    pub(super) fn is_noticed(&self, mute_after: Duration) -> bool {
        self.kind == OutageKind::Break || self.lasts.0 / 2 >= mute_after + PROPAGATION
    }
}

impl FromStr for Outage {
    type Err = String;

    /// Reads an outage of the command line, `KIND:AT:LASTS`.
    fn from_str(argument: &str) -> Result<Self, String> {
        let [kind, at, lasts] = argument.split(':').collect::<Vec<_>>()[..] else {
            return Err(format!("`{argument}` is not an outage: write KIND:AT:LASTS, such as mute:10s:5s"));
        };
        let kind = <OutageKind as clap::ValueEnum>::from_str(kind, false)
            .map_err(|_| format!("`{kind}` is not a kind of outage: write break or mute"))?;
        Ok(Self { kind, at: at.parse()?, lasts: lasts.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_a_kind_a_time_and_a_length() {
        let outage: Outage = "mute:10s:5s".parse().unwrap();
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        assert_eq!(outage, Outage { kind: OutageKind::Mute, at: seconds(10), lasts: seconds(5) });
        assert_eq!(outage.is_known_by(), Some(Duration::from_millis(12_500)));
        assert_eq!("break:1s:0s".parse::<Outage>().unwrap().is_known_by(), None);
        for (argument, expected) in [
            ("mute", "write KIND:AT:LASTS"),
            ("mute:1s:2s:3s", "write KIND:AT:LASTS"),
            ("deaf:1s:2s", "write break or mute"),
            ("mute:1:2s", "`1` is not a time"),
        ] {
            let error = argument.parse::<Outage>().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
