//! What a configuration asks for, wired: permits, and feeds with the cache and the workers.

use super::GatewayError;
use crate::{
    cache::{Cache, SymbolState},
    config::{self, Config},
    fanout::{Announcer, WorkerPool, worker_count},
    feed::{Feed, FeedMetrics},
    ingest::Ingest,
    limits::{self, Permits, TooFewDescriptors},
    market::Now,
    telemetry::CacheMetrics,
};
use std::sync::Arc;
use tracing::info;

/// A feed, and a sink for each of its connections.
pub(super) struct FeedTask {
    pub(super) feed: Feed,
    pub(super) sinks: Vec<Ingest>,
    pub(super) metrics: FeedMetrics,
}

/// The permits that the configuration asks for, as far as the descriptors allow.
pub(super) fn permits(config: &Config) -> Result<Permits, TooFewDescriptors> {
    let descriptors = limits::raise_descriptors();
    let connections = config.feeds.iter().map(config::Feed::connection_count).sum();
    let reserved = limits::reserved(connections, worker_count(&config.fanout));
    let fitted = limits::fit(descriptors.now, reserved, config.limits.streams, config.limits.connections)?;
    if (fitted.streams, fitted.connections) != (config.limits.streams, config.limits.connections) {
        info!(
            streams = fitted.streams,
            connections = fitted.connections,
            descriptors = descriptors.now,
            "lowered the limits to what the limit of open files allows"
        );
    }
    Ok(Permits::new(fitted))
}

/// Registers a feed's symbols, and connects the feed to the cache and the workers.
pub(super) fn wire_feed(
    feed: &config::Feed,
    limits: &config::Limits,
    cache: &Cache,
    workers: &Arc<WorkerPool>,
) -> Result<(FeedTask, Vec<Arc<SymbolState>>), GatewayError> {
    let name: Arc<str> = feed.name.as_str().into();
    let origin = (feed.venue.origin)(feed.url.as_deref());
    let now = Now::read();
    let mut symbols = Vec::with_capacity(feed.symbols.len());
    for entry in &feed.symbols {
        symbols.push(cache.register(entry.symbol.clone(), name.clone(), origin, now)?);
    }
    let mut sinks = Vec::new();
    for range in feed.connections() {
        let announcer = Announcer::new(workers.clone());
        sinks.push(Ingest::new(symbols[range].to_vec(), announcer, CacheMetrics::register()));
    }
    let metrics = FeedMetrics::register(&feed.name);
    let feed =
        Feed::new(feed, limits, now).map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
    Ok((FeedTask { feed, sinks, metrics }, symbols))
}
