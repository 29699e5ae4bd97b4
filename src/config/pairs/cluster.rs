//! What a cluster cannot do.

use super::{Found, found};
use crate::config::{Config, Machine};

pub(super) fn delay(config: &Config, _: &Machine) -> Option<Found> {
    let name = &config.cluster.as_ref()?.name;
    let feed = config.feeds.iter().find(|feed| feed.tier.line().is_some())?;
    found(
        format!("feed `{}` has a `delay`, and `cluster.name` is set (`{name}`)", feed.name),
        "nodes do not share delay lines: a client that changes its node would see old prices twice; remove `delay`, or serve the feed from a single gateway",
    )
}
