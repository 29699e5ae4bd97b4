//! When the venue is lost, and how.

use super::Span;
use serde::Deserialize;
use std::{str::FromStr, time::Duration};

/// How long a feed may be silent by a gateway's own default.
pub(super) const MUTE_AFTER: Duration = Duration::from_secs(30);
/// For the gateway to tell all clients, once it has noticed.
const TELLING: Duration = Duration::from_millis(500);

/// The venue is lost for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// What happens.
    #[serde(default)]
    pub kind: OutageKind,
    /// When, since the load began.
    pub at: Span,
    /// How long.
    pub lasts: Span,
}

/// How a venue is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OutageKind {
    /// Its connections are reset, and it takes none meanwhile.
    #[default]
    Break,
    /// Its connections stay, and it answers, but sends no data.
    Mute,
}

impl Outage {
    /// When nothing may be shown as live any more, since the load began: halfway through. `None` if it may be over before all
    /// clients are told.
    pub fn is_known_by(&self) -> Option<Duration> {
        let half = self.lasts.0 / 2;
        (half >= TELLING).then_some(self.at.0 + half)
    }

    /// Whether a gateway that takes a silent feed for lost after a time shows it as lost by then.
    pub(super) fn is_noticed(&self, mute_after: Duration) -> bool {
        self.kind == OutageKind::Break || self.lasts.0 / 2 >= mute_after + TELLING
    }
}

impl FromStr for Outage {
    type Err = String;

    /// Reads one as it stands on the command line, `KIND:AT:LASTS`.
    fn from_str(text: &str) -> Result<Self, String> {
        let [kind, at, lasts] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(format!("`{text}` is no outage: write KIND:AT:LASTS, such as mute:10s:5s"));
        };
        let kind = <OutageKind as clap::ValueEnum>::from_str(kind, false)
            .map_err(|_| format!("`{kind}` is no kind of outage: write break or mute"))?;
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
        for (text, told) in [
            ("mute", "write KIND:AT:LASTS"),
            ("mute:1s:2s:3s", "write KIND:AT:LASTS"),
            ("deaf:1s:2s", "write break or mute"),
            ("mute:1:2s", "`1` is no time"),
        ] {
            let error = text.parse::<Outage>().unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
