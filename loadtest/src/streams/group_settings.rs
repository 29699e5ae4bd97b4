//! What the streams of a group have in common.

use super::plan::{Group, Protocol, Reads};
use crate::{check::Wanted, h2::Windows, scenario::Stage};
use std::time::Duration;

/// What the streams of a group have in common.
#[derive(Debug, Clone)]
pub(super) struct GroupSettings {
    pub(super) query: String,
    /// Whether its streams are compressed with the gateway's dictionary.
    pub(super) compress: bool,
    pub(super) wanted: Wanted,
    /// Whether its streams get each tick as it comes.
    pub(super) is_whole: bool,
    pub(super) reads: Reads,
    /// The mean time that a stream stays, if streams of the group leave.
    pub(super) mean_stay: Option<Duration>,
    /// How many are open during the load, if not all.
    pub(super) stages: Vec<Stage>,
    pub(super) protocol: Protocol,
    pub(super) windows: Windows,
}

impl GroupSettings {
    pub(super) fn new(group: &Group) -> Self {
        Self {
            query: group.query.clone(),
            compress: group.compress,
            wanted: Wanted::of_query(&group.query),
            is_whole: group.is_whole(),
            reads: group.reads,
            mean_stay: (group.churn > 0.0).then(|| Duration::from_secs_f64(60.0 * 100.0 / group.churn)),
            stages: group.stages.clone(),
            protocol: group.protocol,
            windows: group.windows,
        }
    }
}
