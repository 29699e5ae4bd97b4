//! What a configuration asks for, wired: permits, and feeds with the cache and the workers.

use super::GatewayError;
use crate::{
    cache::{Cache, SymbolState},
    config::{self, Config, Disagreement, Machine, MemoryAtLimits, Weight},
    fanout::{Announcer, WorkerPool, worker_count},
    feed::{Feed, FeedMetrics},
    ingest::Ingest,
    limits::{self, Permits, TooFewDescriptors},
    market::Now,
    telemetry::CacheMetrics,
};
use std::sync::Arc;
use tracing::{info, warn};

/// A feed, and a sink for each of its connections.
pub(super) struct FeedTask {
    pub(super) feed: Feed,
    pub(super) sinks: Vec<Ingest>,
    pub(super) metrics: FeedMetrics,
}

/// The permits that the configuration asks for, as far as the descriptors allow. Logs what does not agree.
pub(super) fn permits(config: &Config) -> Result<Permits, TooFewDescriptors> {
    let machine = machine(config);
    for Disagreement { pair, what, help } in config::check_together(config, &machine) {
        match pair.weight {
            Weight::Told => info!(help, "{what}"),
            Weight::Refused | Weight::Warned => warn!(help, "{what}"),
        }
    }
    let MemoryAtLimits { streams, subscriptions, rings } = MemoryAtLimits::of(config, &machine);
    info!(streams, subscriptions, rings, memory = machine.memory, "bytes of memory that full limits take");
    let descriptors = limits::raise_descriptors();
    let fitted = limits::fit(descriptors.now, reserved(config), config.limits.streams, config.limits.connections)?;
    Ok(Permits::new(fitted, config.limits.subscriptions))
}

/// What the machine has for this configuration.
fn machine(config: &Config) -> Machine {
    let descriptors = limits::raise_descriptors().now;
    Machine {
        client_descriptors: Some(descriptors.saturating_sub(reserved(config))),
        memory: limits::memory(),
        somaxconn: limits::somaxconn(),
    }
}

/// How many descriptors are not for clients.
fn reserved(config: &Config) -> u64 {
    let connections = config.feeds.iter().map(config::Feed::connection_count).sum();
    limits::reserved(config.feeds.len(), connections, worker_count(&config.fanout))
}

/// Registers a feed's symbols, and connects the feed to the cache and the workers.
pub(super) fn wire_feed(
    feed: &config::Feed,
    limits: &config::Limits,
    cache: &Cache,
    workers: &Arc<WorkerPool>,
) -> Result<(FeedTask, Vec<Arc<SymbolState>>), GatewayError> {
    let name: Arc<str> = feed.name.as_str().into();
    let origin = feed.origin();
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
