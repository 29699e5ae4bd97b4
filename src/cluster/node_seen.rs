//! Another node as a node sees it.

use super::{members::Presence, names::ShardName, node_report::NodeReport, symbol_list::SymbolList};
use std::time::Duration;

/// Another node.
#[derive(Debug, Clone)]
pub struct NodeSeen {
    /// What it reported last.
    pub report: NodeReport,
    /// How long ago.
    pub age: Duration,
    /// Whether it is still there.
    pub is: Presence,
}

impl NodeSeen {
    pub(super) fn new(report: &NodeReport, age: Duration, is: Presence) -> Self {
        Self { report: report.clone(), age, is }
    }

    /// Whether it reported itself lately.
    pub fn is_alive(&self) -> bool {
        self.is == Presence::Alive
    }

    /// Whether it is there with other symbols of a shard than these.
    pub fn differs_in(&self, shard: &ShardName, list: SymbolList) -> bool {
        self.is_alive() && self.report.list_of(shard).is_some_and(|there| there != list)
    }
}
