//! What a gateway knows of itself: the inputs of its health, and the metrics that others count in plain integers.

use super::{
    cluster_metrics,
    debug::{DebugFeed, LiveFeeds},
    health::{FeedHealth, HealthInputs, NodeHealth},
    state_counts::by_state,
};
use crate::{
    cache::Cache,
    cluster::handle::ClusterHandle,
    fanout::{StreamMetrics, WorkerPool},
    feed::FeedState,
    issuer::IssuerKeys,
    limits::Permits,
    market::Source,
    telemetry::catalog,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The current status of a gateway. It must not block: it is read for every probe and every scrape.
pub trait GatewayStatus: Send + Sync {
    /// What readiness depends on.
    fn health(&self) -> HealthInputs;

    /// Publishes what is counted in plain integers; appends to `rendered` what it renders itself.
    fn publish_metrics(&self, rendered: &mut String);
}

/// What a node of a cluster shows of it.
pub struct ClusterInputs {
    /// The cluster as the node sees it.
    pub handle: ClusterHandle,
    /// How old ticks may be for a client to resume at them.
    pub ring_age: Duration,
}

/// The status of a running gateway.
pub struct RunningGateway {
    permits: Permits,
    cache: Arc<Cache>,
    feeds: LiveFeeds,
    workers: Arc<WorkerPool>,
    streams: StreamMetrics,
    draining: Arc<AtomicBool>,
    /// The keys that every client needs, where each must sign on.
    needed_keys: Option<IssuerKeys>,
    /// Where it is a node of a cluster.
    cluster: Option<ClusterInputs>,
    started: Instant,
    /// Whether it was ready when it was last asked, or before.
    was_ready: AtomicBool,
}

impl RunningGateway {
    /// A gateway that starts now. `draining` is set while it ends its streams. `needed_keys`: those that every client
    /// needs, where each must sign on. `cluster`: where it is a node of one.
    pub fn new(
        permits: Permits,
        cache: Arc<Cache>,
        feeds: LiveFeeds,
        workers: Arc<WorkerPool>,
        draining: Arc<AtomicBool>,
        needed_keys: Option<IssuerKeys>,
        cluster: Option<ClusterInputs>,
    ) -> Self {
        let streams = StreamMetrics::register();
        let (started, was_ready) = (Instant::now(), AtomicBool::new(false));
        Self { permits, cache, feeds, workers, streams, draining, needed_keys, cluster, started, was_ready }
    }
}

impl GatewayStatus for RunningGateway {
    fn health(&self) -> HealthInputs {
        let feeds = self.feeds.current();
        let inputs = HealthInputs {
            uptime: self.started.elapsed(),
            was_ready: self.was_ready.load(Ordering::Relaxed),
            draining: self.draining.load(Ordering::Relaxed),
            feeds: feeds.iter().enumerate().filter_map(|(place, feed)| self.feed_health(place, feed)).collect(),
            streams: self.permits.streams.in_use(),
            streams_limit: self.permits.streams.limit(),
            keys_awaited: self.needed_keys.as_ref().and_then(IssuerKeys::awaited),
            cluster: self
                .cluster
                .as_ref()
                .map(|inputs| NodeHealth { cluster: inputs.handle.health(), ring_age: inputs.ring_age }),
        };
        if inputs.judge().is_ok() {
            self.was_ready.store(true, Ordering::Relaxed);
        }
        inputs
    }

    fn publish_metrics(&self, rendered: &mut String) {
        let feeds = self.feeds.current();
        let own = feeds.iter().filter(|feed| feed.standby_for.is_none());
        let symbols: usize = own.map(|feed| feed.listed().len()).sum();
        catalog::STREAMS_LIMIT.handle([]).set(self.permits.streams.limit() as f64);
        catalog::SUBSCRIPTIONS.handle([]).set(self.permits.subscriptions.in_use() as f64);
        catalog::SUBSCRIPTIONS_LIMIT.handle([]).set(self.permits.subscriptions.limit() as f64);
        catalog::HTTP_CONNECTIONS.handle([]).set(self.permits.connections.in_use() as f64);
        catalog::HTTP_CONNECTIONS_LIMIT.handle([]).set(self.permits.connections.limit() as f64);
        catalog::CACHE_SYMBOLS.handle([]).set(symbols as f64);
        let made = [("compressed", self.cache.frames_compressed()), ("stored", self.cache.frames_stored())];
        for (result, count) in made {
            catalog::CACHE_FRAMES_COMPRESSED.handle([result.into()]).absolute(count);
        }
        for feed in feeds.iter() {
            catalog::FEED_SYMBOLS_UNHEARD.handle([feed.name.clone().into()]).set(feed.status.unheard() as f64);
            for (state, count) in by_state(feed.said()) {
                catalog::FEED_SYMBOLS.handle([feed.name.clone().into(), state.into()]).set(count);
            }
        }
        for standby in feeds.iter() {
            let Some((primary, counts)) = &standby.standby_for else { continue };
            for feed in feeds.iter().filter(|feed| feed.name == standby.name || feed.name == *primary) {
                let role = if feed.name == *primary { "primary" } else { "standby" };
                let active = feed.active_symbols() as f64;
                catalog::FEED_ACTIVE_SYMBOLS.handle([feed.name.clone().into(), role.into()]).set(active);
            }
            for (source, cause, count) in counts.each() {
                let [from, to] = match source {
                    Source::Standby => [primary, &standby.name],
                    Source::Primary => [&standby.name, primary],
                };
                let labels = [from.clone().into(), to.clone().into(), cause.into()];
                catalog::FEED_FAILOVERS.handle(labels).absolute(count);
            }
        }
        if let Some(inputs) = &self.cluster {
            cluster_metrics::publish(&inputs.handle, rendered);
        }
        self.streams.publish(&self.workers.counts(), rendered);
    }
}

impl RunningGateway {
    /// In a cluster the verdict of the shard's owner counts.
    fn feed_health(&self, place: usize, feed: &DebugFeed) -> Option<FeedHealth> {
        let own = || feed.status.verdict();
        let state = self.cluster.as_ref().map_or_else(own, |inputs| inputs.handle.feed_state(place));
        // The start does not wait for a standby.
        let is_awaited = feed.standby_for.is_none() || state != FeedState::Connecting;
        is_awaited.then(|| FeedHealth { feed: feed.name.clone(), state })
    }
}
