//! Messages and URLs that must have room for their symbols.

use super::{Found, found};
use crate::config::{Config, Feed, Limits, Machine, show_bytes};

/// The path before the symbols of a request: `/v1/stream?symbols=`, and room for options.
const URI_BYTES_BESIDE_SYMBOLS: usize = 128;

pub(super) fn venue_message_bytes(config: &Config, _: &Machine) -> Option<Found> {
    let limit = config.limits.venue_message_bytes?;
    let need = |feed: &Feed| {
        let bytes = feed.connections().map(|range| (feed.venue.message_bytes)(&feed.symbols[range])).max();
        bytes.unwrap_or_default()
    };
    let feed = config.feeds.iter().max_by_key(|feed| need(feed)).filter(|feed| need(feed) > limit)?;
    let needed = need(feed);
    found(
        format!(
            "`venue_message_bytes` ({}) is too small for the {} `symbols` of feed `{}`",
            show_bytes(limit as u64),
            feed.symbols.len(),
            feed.name
        ),
        format!(
            "{} sends messages of {needed} bytes for them; raise `venue_message_bytes`, remove it for what the venue needs, or list fewer `symbols`",
            feed.venue.name
        ),
    )
}

/// The bytes that as many symbols take in a URL: the first of the sorted lengths, each with a `comma`.
fn url_bytes(lengths: &[usize], count: usize, comma: &str) -> usize {
    URI_BYTES_BESIDE_SYMBOLS + lengths.iter().take(count).map(|length| length + comma.len()).sum::<usize>()
}

fn lengths(config: &Config) -> Vec<usize> {
    let mut lengths: Vec<_> =
        config.feeds.iter().flat_map(|feed| &feed.symbols).map(|listed| listed.symbol.as_str().len()).collect();
    lengths.sort_unstable();
    lengths
}

pub(super) fn shortest_url(config: &Config, _: &Machine) -> Option<Found> {
    let Limits { symbols_per_stream, head_bytes, .. } = config.limits;
    let lengths = lengths(config);
    let needed = url_bytes(&lengths, symbols_per_stream, ",");
    if needed <= config.limits.uri_bytes_max() {
        return None;
    }
    found(
        format!(
            "`symbols_per_stream` ({symbols_per_stream}) cannot be reached with `head_bytes` ({})",
            show_bytes(head_bytes as u64)
        ),
        too_long(config, needed),
    )
}

pub(super) fn longest_url(config: &Config, machine: &Machine) -> Option<Found> {
    let Limits { symbols_per_stream, head_bytes, .. } = config.limits;
    let mut lengths = lengths(config);
    lengths.reverse();
    // As `URLSearchParams` and most libraries write it.
    let needed = url_bytes(&lengths, symbols_per_stream, "%2C");
    if needed <= config.limits.uri_bytes_max() || shortest_url(config, machine).is_some() {
        return None;
    }
    found(
        format!(
            "`symbols_per_stream` ({symbols_per_stream}) cannot be reached with the longest `symbols` and `head_bytes` ({})",
            show_bytes(head_bytes as u64)
        ),
        too_long(config, needed),
    )
}

fn too_long(config: &Config, needed: usize) -> String {
    format!(
        "so many of the configured symbols make a URL of {needed} bytes, and one may have {}; lower `symbols_per_stream`, or raise `head_bytes`",
        config.limits.uri_bytes_max()
    )
}
