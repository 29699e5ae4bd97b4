//! What a cluster cannot do.

use super::{Found, found};
use crate::{
    config::{CLUSTER_FEEDS_MAX, Config, Machine},
    market::Tier,
};

pub(super) fn delay(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.tier.line().is_some())?;
    found(
        format!("feed `{}` has a `delay`, and `cluster.name` is set (`{name}`)", feed.name),
        "nodes do not share delay lines: a client that changes its node would see old prices twice; remove `delay`, or serve the feed from a single gateway",
    )
}

pub(super) fn tier(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.tier.tier() == Tier::Delayed)?;
    found(
        format!("feed `{}` has `tier = \"delayed\"`, and `cluster.name` is set (`{name}`)", feed.name),
        "nodes share live prices alone; remove the feed, or serve it from a single gateway",
    )
}

pub(super) fn record(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.record.is_some())?;
    found(
        format!("feed `{}` has a `record`, and `cluster.name` is set (`{name}`)", feed.name),
        "the connection to the venue moves from node to node, and no node has all of its frames; remove `record`, and record the feed with `tickfan record`",
    )
}

pub(super) fn standby(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.standby.is_some())?;
    found(
        format!("feed `{}` has a `standby_for`, and `cluster.name` is set (`{name}`)", feed.name),
        "a feed is a shard, and a symbol belongs to one; remove the feed, or serve both from a single gateway",
    )
}

pub(super) fn on_demand(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.on_demand.is_some())?;
    found(
        format!("feed `{}` has `on_demand`, and `cluster.name` is set (`{name}`)", feed.name),
        "all nodes of a cluster have the same fixed lists; list the symbols, or serve the feed from a single gateway",
    )
}

pub(super) fn shards(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feeds = config.feeds.len();
    if feeds <= CLUSTER_FEEDS_MAX {
        return None;
    }
    found(
        format!("there are {feeds} `[[feed]]`, and `cluster.name` is set (`{name}`)"),
        format!(
            "a feed is a shard, and a cluster has at most {CLUSTER_FEEDS_MAX}; merge feeds of one venue, or start another cluster"
        ),
    )
}
