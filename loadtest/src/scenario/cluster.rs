//! The cluster of a scenario: several gateways that share the venue's connection.

use serde::{Deserialize, Serialize};

/// A cluster of gateways with brokers of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSetup {
    /// How many gateways. Streams are spread over them, and a stream that comes back goes to the next one.
    pub nodes: usize,
    /// How many brokers: one or three.
    #[serde(default = "one")]
    pub brokers: usize,
    /// How many times a gateway is restarted while the load lasts, one after the other.
    #[serde(default)]
    pub restarts: u32,
}

fn one() -> usize {
    1
}
