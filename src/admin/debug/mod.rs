//! `/debug/streams`, `/debug/symbols`, `/debug/feeds`, `/debug/keys`, `/debug/cluster`: what is slow, hot or stale, as
//! JSON for people and `tickfan top`. Each list is sorted, the worst first, and truncated to `?limit=`.

mod sources;
mod cluster;
mod feeds;
mod keys;
mod streams;
mod symbols;

pub use sources::{DebugFeed, DebugSources, LiveFeeds, WorkerReports};

pub(super) use cluster::cluster;
pub(super) use feeds::feeds;
pub(super) use keys::keys;
pub(super) use streams::streams;
pub(super) use symbols::symbols;

/// How many entries a list has unless the operator says.
pub(super) const LISTED: usize = 20;
/// How many at most: a page that a person can still search.
pub(super) const LISTED_MAX: usize = 1_000;
