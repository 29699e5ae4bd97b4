//! What a configuration asks for, wired: permits, and feeds with the cache and the workers.

use super::{GatewayError, Reloader, record::record_while_serving};
use crate::{
    api::TlsServices,
    cache::{Cache, SymbolState},
    config::{self, Config, Disagreement, Machine, MemoryAtLimits, Weight},
    fanout::{Announcer, WorkerPool, worker_count},
    feed::{Feed, FeedMetrics},
    ingest::Ingest,
    limits::{self, Permits, TooFewDescriptors},
    market::Now,
    recording::Recording,
    telemetry::CacheMetrics,
    tls,
};
use std::{io, sync::Arc};
use tokio::sync::watch;
use tracing::{info, warn};

/// A feed, and a sink for each of its connections.
pub(super) struct FeedTask {
    pub(super) feed: Feed,
    pub(super) sinks: Vec<Ingest>,
    pub(super) metrics: FeedMetrics,
    pub(super) recording: Option<Recording>,
}

impl FeedTask {
    /// Runs the feed until the stop, and then waits until its recording is written.
    pub(super) async fn run(self, stop: watch::Receiver<bool>) -> io::Result<()> {
        self.feed.run(self.sinks, self.metrics, stop).await?;
        if let Some(mut recording) = self.recording {
            // It has logged why it failed, if it did, and concerns nothing else.
            let _ = recording.ended().await;
        }
        Ok(())
    }
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
    let MemoryAtLimits { streams, subscriptions, rings, requests, history } = MemoryAtLimits::of(config, &machine);
    info!(
        streams,
        subscriptions,
        rings,
        requests,
        history,
        memory = machine.memory,
        "bytes of memory that full limits take"
    );
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
    let recordings = config.feeds.iter().filter(|feed| feed.record.is_some()).count();
    limits::reserved(config.feeds.len(), connections, recordings, worker_count(&config.fanout))
}

/// What the listener for https needs, where one is configured.
pub(super) fn tls_services(
    config: &Config,
    reloader: &Reloader,
    workers: &Arc<WorkerPool>,
) -> io::Result<Option<TlsServices>> {
    let (Some(tls), Some(certificates)) = (&config.tls, reloader.certificates()) else { return Ok(None) };
    let protocols = tls::server_config(tls.http2, tls.min_version, certificates.clone()).map_err(io::Error::other)?;
    Ok(Some(TlsServices { config: protocols, http2: tls.http2.then(|| workers.clone()) }))
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
    let runs =
        Feed::new(feed, limits, now).map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
    let (runs, recording) = record_while_serving(runs, feed)?;
    Ok((FeedTask { feed: runs, sinks, metrics, recording }, symbols))
}
