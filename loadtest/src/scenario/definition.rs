//! A scenario as its TOML file defines it.

use super::{
    cluster::ClusterSetup,
    outage::{MUTE_AFTER, Outage},
    units::Span,
    venue_setup::VenueSetup,
};
use crate::streams::{Group, Protocol, plan_connections};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its purpose, in a line.
    pub about: String,
    /// The venue that feeds the gateway.
    pub venue: VenueSetup,
    /// Keys of the gateway's own configuration by table: `fanout`, `limits`, `server`. Those of `feed` apply to each of
    /// its feeds.
    #[serde(default)]
    pub gateway: BTreeMap<String, toml::Table>,
    /// The cluster that the gateway is a node of; `None`: it is on its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterSetup>,
    /// Whether the streams of HTTP/1.1 use TLS; those of HTTP/2 always do.
    #[serde(default)]
    pub tls: bool,
    /// How long the load lasts once all streams are open.
    pub duration: Span,
    /// Connects per second; without it all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_rate: Option<f64>,
    /// The groups of streams.
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// The outages of the venue during the load.
    #[serde(default, rename = "outage")]
    pub outages: Vec<Outage>,
    /// How late a stream may read a tick that other streams have replaced.
    #[serde(default = "Scenario::old_after")]
    pub old_after: Span,
    /// The thresholds by measure.
    #[serde(default)]
    pub thresholds: BTreeMap<String, toml::Value>,
}

impl Scenario {
    /// The default: longer than a gateway holds anything back, and longer than a busy machine keeps a thread waiting.
    pub fn old_after() -> Span {
        Span(Duration::from_secs(2))
    }

    /// How long the gateway's feeds may be silent before the gateway treats them as lost.
    pub fn mute_after(&self) -> Duration {
        let own = self.gateway.get("feed").and_then(|feed| feed.get("mute_after")?.as_str()?.parse::<Span>().ok());
        own.map_or(MUTE_AFTER, |own| own.0)
    }

    /// Whether the gateway needs a certificate: a run has one target, and all of its streams use TLS or none does.
    pub fn uses_tls(&self) -> bool {
        self.tls || self.groups.iter().any(|group| group.protocol == Protocol::Http2)
    }

    /// The number of connections.
    pub fn connections(&self) -> u64 {
        let planned = plan_connections(&self.groups);
        planned.iter().flatten().max().map_or(0, |last| u64::from(*last) + 1)
    }

    /// The number of streams.
    pub fn streams(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.count)).sum()
    }
}
