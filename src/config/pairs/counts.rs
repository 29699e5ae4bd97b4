//! Counts of which one may make another unreachable.

use super::Found;
use crate::config::{Config, Limits, Machine, SYMBOLS_MAX};

/// The most symbols that a stream can have.
fn longest_list(config: &Config) -> usize {
    let symbols: usize = config.feeds.iter().map(|feed| feed.symbols_max()).sum();
    config.limits.symbols_per_stream.min(symbols.clamp(1, SYMBOLS_MAX))
}

pub(super) fn subscriptions(config: &Config, _: &Machine) -> Option<Found> {
    (config.limits.subscriptions < longest_list(config))
        .then(|| too_few("subscriptions", config.limits.subscriptions, config))
}

pub(super) fn subscriptions_per_address(config: &Config, _: &Machine) -> Option<Found> {
    let limit = config.limits.subscriptions_per_address;
    (limit > 0 && limit < longest_list(config)).then(|| too_few("subscriptions_per_address", limit, config))
}

fn too_few(key: &str, limit: usize, config: &Config) -> Found {
    Found {
        what: format!("`{key}` ({limit}) is below `symbols_per_stream` ({})", config.limits.symbols_per_stream),
        help: format!(
            "a stream of so many symbols would be sent away for ever; raise `{key}`, or lower `symbols_per_stream`"
        ),
    }
}

pub(super) fn subscriptions_of_streams(config: &Config, _: &Machine) -> Option<Found> {
    let Limits { subscriptions, streams, .. } = config.limits;
    (subscriptions < streams).then(|| unreachable("streams", streams, "subscriptions", subscriptions))
}

pub(super) fn streams_per_address(config: &Config, _: &Machine) -> Option<Found> {
    let Limits { streams_per_address, streams, .. } = config.limits;
    (streams_per_address > streams).then(|| unreachable("streams_per_address", streams_per_address, "streams", streams))
}

pub(super) fn subscriptions_per_address_of_all(config: &Config, _: &Machine) -> Option<Found> {
    let Limits { subscriptions_per_address: limit, subscriptions, .. } = config.limits;
    (limit > subscriptions).then(|| unreachable("subscriptions_per_address", limit, "subscriptions", subscriptions))
}

pub(super) fn unreachable(key: &str, limit: usize, by: &str, other: usize) -> Found {
    Found {
        what: format!("`{key}` ({limit}) is never reached, because `{by}` is {other}"),
        help: format!("lower `{key}`, or raise `{by}`"),
    }
}
