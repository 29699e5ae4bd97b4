//! What a configuration asks for, wired: permits, and feeds with the cache and the workers.

use super::{GatewayError, cluster::RunShard, record::record_while_serving};
use crate::{
    api::TlsServices,
    cache::{Cache, FailoverCounts, RegisterError, Shard, SymbolState},
    config::{self, Config, Disagreement, FeedTier, Machine, MemoryAtLimits, Weight},
    delay::{DelayMetrics, Followed, Line},
    demand::{DemandFeed, OnDemand},
    fanout::{WorkerPool, worker_count},
    feed::{AccountPace, Feed, FeedMetrics, FeedStatus, ListChange, Timing, VenueKey},
    ingest::{FailoverLog, MakeIngest},
    limits::{self, Permits, TooFewDescriptors},
    market::{Now, Source, Symbol, Tier},
    recording::Recording,
    tls::{self, Certificates},
    venue::ListedSymbol,
};
use std::{collections::HashMap, io, num::NonZero, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

/// How a feed runs.
pub(super) enum FeedRun {
    /// All the time: the gateway is alone.
    Alone(Box<FeedTask>),
    /// While the gateway owns its shard.
    Clustered(Box<dyn RunShard>),
}

impl FeedRun {
    /// The same feed with other waits.
    pub(super) fn with_timing(self, timing: Timing) -> Self {
        match self {
            Self::Alone(task) => Self::Alone(Box::new(FeedTask { feed: task.feed.with_timing(timing), ..*task })),
            Self::Clustered(mut shard) => {
                shard.set_timing(timing);
                Self::Clustered(shard)
            }
        }
    }

    /// The same feed, once what can fail has begun. It must be called within the feed's runtime.
    pub(super) fn begun(self) -> io::Result<Self> {
        match self {
            Self::Alone(task) => Ok(Self::Alone(Box::new(FeedTask { feed: task.feed.with_server()?, ..*task }))),
            clustered @ Self::Clustered(_) => Ok(clustered),
        }
    }

    /// Runs until the stop.
    pub(super) async fn run(self, stop: watch::Receiver<bool>) -> io::Result<()> {
        match self {
            Self::Alone(task) => task.run(stop).await,
            Self::Clustered(shard) => shard.run(stop).await,
        }
    }
}

/// A feed, and what its connections feed.
pub(super) struct FeedTask {
    feed: Feed,
    sinks: MakeIngest,
    targets: Vec<Arc<SymbolState>>,
    changes: mpsc::Receiver<Vec<ListChange<Arc<SymbolState>>>>,
    metrics: FeedMetrics,
    recording: Option<Recording>,
}

impl FeedTask {
    /// Runs the feed until the stop, and then waits until its recording is written.
    async fn run(self, stop: watch::Receiver<bool>) -> io::Result<()> {
        self.feed.run(self.sinks, self.targets, self.changes, self.metrics, stop).await?;
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
    let MemoryAtLimits { streams, subscriptions, rings, requests, delayed, history } =
        MemoryAtLimits::of(config, &machine);
    let memory = machine.memory;
    info!(streams, subscriptions, rings, requests, delayed, history, memory, "bytes of memory that full limits take");
    let descriptors = limits::raise_descriptors();
    let fitted = limits::fit(
        descriptors.now,
        reserved(config, &config.feeds),
        config.limits.streams,
        config.limits.connections,
    )?;
    Ok(Permits::new(fitted, config.limits.subscriptions))
}

/// What the machine has for this configuration.
fn machine(config: &Config) -> Machine {
    let descriptors = limits::raise_descriptors().now;
    Machine {
        client_descriptors: Some(descriptors.saturating_sub(reserved(config, &config.feeds))),
        memory: limits::memory(),
        somaxconn: limits::somaxconn(),
    }
}

/// How many descriptors are not for clients, with these feeds.
pub(super) fn reserved(config: &Config, feeds: &[config::Feed]) -> u64 {
    let connections = feeds.iter().map(config::Feed::connections_at_most).sum();
    let recordings = feeds.iter().filter(|feed| feed.record.is_some()).count();
    limits::reserved(feeds.len(), connections, recordings, worker_count(&config.fanout))
}

/// What the listener for https needs, where one is configured.
pub(super) fn tls_services(
    config: &Config,
    certificates: Option<&Arc<Certificates>>,
    workers: &Arc<WorkerPool>,
) -> io::Result<Option<TlsServices>> {
    let (Some(tls), Some(certificates)) = (&config.tls, certificates) else { return Ok(None) };
    let protocols = tls::server_config(tls.http2, tls.min_version, certificates.clone()).map_err(io::Error::other)?;
    Ok(Some(TlsServices { config: protocols, http2: tls.http2.then(|| workers.clone()) }))
}

/// The way of changes into the list of a feed that runs.
pub(super) type ListChanges = mpsc::Sender<Vec<ListChange<Arc<SymbolState>>>>;

/// How many changes of a feed's list may wait. A reload makes one or two, and streams one at a time.
const LIST_CHANGES_MAX: usize = 64;

/// A feed that is connected to the cache and the workers.
pub(super) struct Wired {
    pub(super) task: FeedRun,
    pub(super) status: FeedStatus,
    /// Sets its key.
    pub(super) key: VenueKey,
    pub(super) symbols: Vec<Arc<SymbolState>>,
    /// Where its list may change.
    pub(super) changes: Option<ListChanges>,
    /// The name of its primary, where it is a standby, and how often one took over from the other.
    pub(super) standby_for: Option<(Arc<str>, Arc<FailoverCounts>)>,
    /// Where streams ask for its symbols.
    pub(super) on_demand: Option<DemandFeed>,
}

/// What a feed is wired to.
#[derive(Clone, Copy)]
pub(super) struct WiredTo<'a> {
    pub(super) cache: &'a Cache,
    pub(super) workers: &'a Arc<WorkerPool>,
    pub(super) limits: &'a config::Limits,
    /// The pace of requests to the venues.
    pub(super) pace: &'a AccountPace,
    /// Where streams may have symbols of feeds that start later.
    pub(super) on_demand: Option<&'a OnDemand>,
}

/// The states of a feed that runs before.
pub(super) type Known = HashMap<Symbol, Arc<SymbolState>>;

/// The feeds in the order of the configuration, standbys last: their symbols are those of other feeds.
pub(super) fn primaries_first(feeds: &[config::Feed]) -> impl Iterator<Item = &config::Feed> {
    let (standbys, primaries): (Vec<_>, Vec<_>) = feeds.iter().partition(|feed| feed.standby.is_some());
    primaries.into_iter().chain(standbys)
}

/// Registers a feed's symbols, except those whose states are known, and connects the feed to the cache and the workers.
/// A primary comes before its standby.
pub(super) fn wire_feed(feed: &config::Feed, known: &Known, to: WiredTo<'_>) -> Result<Wired, GatewayError> {
    let now = Now::read();
    let runs =
        Feed::new(feed, to.limits, now).map_err(|source| GatewayError::Venue { feed: feed.name.clone(), source })?;
    let (runs, recording) = record_while_serving(runs.with_pace(to.pace.clone()), feed)?;
    let sinks = MakeIngest::new(to.workers.clone());
    let (symbols, sinks, standby_for) = match &feed.standby {
        None => (list(feed, &feed.symbols, known, to.cache, to.on_demand, now)?, sinks, None),
        Some(standby) => {
            let counts = known.values().find_map(|state| state.failover_counts()).unwrap_or_default();
            let primary: Arc<str> = standby.primary.as_str().into();
            let symbols = stand_in(feed, standby, &feed.symbols, known, &counts, to.cache, now)?;
            // The standby logs the failovers of both, and looks at what time alone brings.
            let log = FailoverLog::new(primary.clone(), feed.name.as_str().into(), counts.clone());
            (symbols, sinks.of_two(Source::Standby, Some(log)), Some((primary, counts)))
        }
    };
    let metrics = FeedMetrics::register(&feed.name);
    let status = runs.status();
    let key = runs.key();
    let (changes_tx, changes) = mpsc::channel(LIST_CHANGES_MAX);
    let on_demand = DemandFeed::new(feed, changes_tx.clone());
    let targets = symbols.clone();
    let task = FeedRun::Alone(Box::new(FeedTask { feed: runs, sinks, targets, changes, metrics, recording }));
    Ok(Wired { task, status, key, symbols, changes: Some(changes_tx), standby_for, on_demand })
}

/// Gives these symbols to a standby as their second feed, except those whose states are known: they have it. Where that
/// fails, none of the others has it.
pub(super) fn stand_in(
    feed: &config::Feed,
    standby: &config::Standby,
    symbols: &[ListedSymbol],
    known: &Known,
    counts: &Arc<FailoverCounts>,
    cache: &Cache,
    now: Now,
) -> Result<Vec<Arc<SymbolState>>, RegisterError> {
    let name: Arc<str> = feed.name.as_str().into();
    let one = |entry: &ListedSymbol| {
        if let Some(state) = known.get(&entry.symbol) {
            state.set_failover_limits(standby.limits);
            return Ok(state.clone());
        }
        let of_primary = cache.get(&entry.symbol).filter(|state| *state.feed() == *standby.primary);
        let state = of_primary.ok_or_else(|| RegisterError::NoPrimary(entry.symbol.clone()))?;
        state
            .add_standby(name.clone(), feed.origin(), standby.limits, counts.clone(), now)
            .map_err(|_| RegisterError::Twice(entry.symbol.clone()))?;
        // The delay line of the primary, not another venue's delayed feed.
        if let Some(delayed) = cache.delayed(&entry.symbol).filter(|delayed| delayed.feed() == state.feed()) {
            delayed.name_source();
        }
        Ok(state)
    };
    let mut states: Vec<Arc<SymbolState>> = Vec::with_capacity(symbols.len());
    for entry in symbols {
        match one(entry) {
            Ok(state) => states.push(state),
            Err(error) => {
                // It has said nothing yet, so nothing that is shown changes.
                let new = states.iter().filter(|state| !known.contains_key(state.symbol()));
                new.for_each(|state| _ = state.remove_standby(now));
                return Err(error);
            }
        }
    }
    Ok(states)
}

/// Registers those of these symbols whose states are not known, also where streams have them on demand: from now on
/// they are of the feed that lists them.
pub(super) fn list(
    feed: &config::Feed,
    symbols: &[ListedSymbol],
    known: &Known,
    cache: &Cache,
    on_demand: Option<&OnDemand>,
    now: Now,
) -> Result<Vec<Arc<SymbolState>>, RegisterError> {
    let register = || register(feed, symbols, known, cache, None, now);
    match on_demand {
        Some(on_demand) if feed.tier.tiers().contains(&Tier::Live) => {
            let new = symbols.iter().map(|listed| &listed.symbol).filter(|symbol| !known.contains_key(*symbol));
            on_demand.give_way(new, now, register)
        }
        _ => register(),
    }
}

/// Registers those of these symbols whose states are not known, in a cluster as those of the feed's shard. Where that
/// fails, none is left registered.
pub(super) fn register(
    feed: &config::Feed,
    symbols: &[ListedSymbol],
    known: &Known,
    cache: &Cache,
    shard: Option<&Arc<Shard>>,
    now: Now,
) -> Result<Vec<Arc<SymbolState>>, RegisterError> {
    let name: Arc<str> = feed.name.as_str().into();
    let origin = feed.origin();
    let one = |entry: &ListedSymbol| match (known.get(&entry.symbol), feed.tier, shard) {
        (Some(state), ..) => Ok(state.clone()),
        (None, FeedTier::Delayed { by }, _) => {
            cache.register_delayed(entry.symbol.clone(), name.clone(), origin, whole_seconds(by), now)
        }
        (None, _, None) => cache.register(entry.symbol.clone(), name.clone(), origin, now),
        (None, _, Some(shard)) => cache.register_in(shard, entry.symbol.clone(), name.clone(), origin, now),
    };
    let mut states = Vec::with_capacity(symbols.len());
    for entry in symbols {
        match one(entry) {
            Ok(state) => {
                if !known.contains_key(&entry.symbol) {
                    state.learn(&feed.speaks().facts_of(entry));
                }
                states.push(state);
            }
            Err(error) => {
                for state in states.iter().filter(|state| !known.contains_key(state.symbol())) {
                    cache.retire_state(state);
                }
                return Err(error);
            }
        }
    }
    Ok(states)
}

/// The delay line of a feed, where it has one: it shows these symbols late too.
pub(super) fn delay_line(
    feed: &config::Feed,
    symbols: &[Arc<SymbolState>],
    cache: &Cache,
) -> Result<Option<Line>, RegisterError> {
    let Some(line) = feed.tier.line() else { return Ok(None) };
    let config::DelayLine { delay, step } = line;
    let symbols = followed(feed, line, symbols, cache)?;
    Ok(Some(Line::new(delay, step, symbols, DelayMetrics::register(&feed.name), Now::read())))
}

/// Registers delayed states for live ones of a feed, for its delay line.
pub(super) fn followed(
    feed: &config::Feed,
    line: config::DelayLine,
    symbols: &[Arc<SymbolState>],
    cache: &Cache,
) -> Result<Vec<Followed>, RegisterError> {
    let now = Now::read();
    let origin = feed.origin().delayed();
    let follow = |live: &Arc<SymbolState>| {
        let symbol = live.symbol().clone();
        let delayed = cache.register_delayed(symbol, live.feed(), origin, whole_seconds(line.delay), now)?;
        if live.has_standby() {
            delayed.name_source();
        }
        Ok(Followed::new(live.clone(), delayed))
    };
    symbols.iter().map(follow).collect()
}

/// A delay as clients read it.
fn whole_seconds(delay: Duration) -> NonZero<u32> {
    let seconds = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
    NonZero::new(seconds).unwrap_or(NonZero::<u32>::MIN)
}
