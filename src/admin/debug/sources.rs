//! Where the debug routes look.

use crate::{
    cache::{Cache, FailoverCounts, SymbolState, WorkerIndex},
    cluster::handle::ClusterHandle,
    demand::OnDemand,
    fanout::{Announcer, Counts, SlowestStreams, WorkerPool},
    feed::FeedStatus,
    issuer::IssuerKeys,
    market::{Snapshot, Source},
    telemetry::catalog,
};
use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, OnceLock, PoisonError, RwLock, mpsc::Receiver},
    time::Instant,
};

/// Where operators may look.
#[derive(Clone)]
pub struct DebugSources {
    /// All symbols.
    pub cache: Arc<Cache>,
    /// The feeds, in the order of the configuration.
    pub feeds: LiveFeeds,
    /// The workers, which own the streams.
    pub workers: Arc<dyn WorkerReports>,
    /// The keys that verify tokens, where clients sign on.
    pub issuer: Option<IssuerKeys>,
    /// Where the gateway is a node of a cluster.
    pub cluster: Option<ClusterHandle>,
}

/// The feeds of a gateway. A clone shares them.
#[derive(Clone, Default)]
pub struct LiveFeeds(Arc<RwLock<Current>>);

/// A std lock: held for a copy or a swap of pointers.
#[derive(Default)]
struct Current {
    feeds: Arc<[Arc<DebugFeed>]>,
    /// The names of feeds that there were.
    gone: HashSet<Arc<str>>,
}

impl LiveFeeds {
    /// The feeds at this moment, in the order of the configuration.
    pub fn current(&self) -> Arc<[Arc<DebugFeed>]> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).feeds.clone()
    }

    /// Tells those that subscribe on demand where their symbols are.
    pub fn set_on_demand(&self, on_demand: &Arc<OnDemand>) {
        for feed in self.current().iter().filter(|feed| on_demand.has(&feed.name)) {
            let _ = feed.on_demand.set(on_demand.clone()); // at the start, once
        }
    }

    /// Replaces all at once.
    pub fn replace(&self, feeds: Vec<Arc<DebugFeed>>) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Current { feeds: before, gone } = &mut *current;
        gone.extend(before.iter().map(|feed| feed.name.clone()));
        gone.retain(|name| feeds.iter().all(|feed| feed.name != *name));
        *before = feeds.into();
    }

    /// Metrics in Prometheus' text format, without those of feeds that are gone: the recorder keeps them for ever, and
    /// their last values would look like those of feeds that are down. The counters of a feed that comes back go on.
    pub fn without_gone(&self, text: String) -> String {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_of_two = |feed: &DebugFeed| {
            let stands_in = |other: &Arc<DebugFeed>| other.primary().is_some_and(|primary| *primary == feed.name);
            feed.primary().is_some() || current.feeds.iter().any(stands_in)
        };
        let alone = current.feeds.iter().filter(|feed| !is_of_two(feed));
        let gone = |name: &str, labels: &[&str]| -> Vec<String> {
            labels.iter().map(|label| format!("{label}=\"{name}\"")).collect()
        };
        let of_gone: Vec<_> = current.gone.iter().flat_map(|name| gone(name, &["feed", "from", "to"])).collect();
        let of_alone: Vec<_> = alone.flat_map(|feed| gone(&feed.name, &["feed"])).collect();
        let has = |line: &str, labels: &[String]| labels.iter().any(|label| line.contains(label.as_str()));
        let is_of_alone = |line: &str| line.starts_with(catalog::FEED_ACTIVE_SYMBOLS.name()) && has(line, &of_alone);
        let is_hidden = |line: &str| line.contains('{') && (has(line, &of_gone) || is_of_alone(line));
        text.split_inclusive('\n').filter(|line| line.starts_with('#') || !is_hidden(line)).collect()
    }
}

/// A feed that operators may look into.
pub struct DebugFeed {
    /// Its name.
    pub name: Arc<str>,
    /// The name of its venue.
    pub venue: &'static str,
    /// How it is doing.
    pub status: FeedStatus,
    /// Its symbols; those on demand are not among them.
    pub symbols: Vec<Arc<SymbolState>>,
    /// Where it subscribes on demand; set once all feeds are known.
    pub on_demand: OnceLock<Arc<OnDemand>>,
    /// The name of its primary, where it is a standby, and how often one took over from the other.
    pub standby_for: Option<(Arc<str>, Arc<FailoverCounts>)>,
}

impl DebugFeed {
    /// The name of its primary, where it is a standby.
    pub fn primary(&self) -> Option<&Arc<str>> {
        self.standby_for.as_ref().map(|(primary, _)| primary)
    }

    /// Which of its symbols' feeds it is.
    pub fn source(&self) -> Source {
        if self.standby_for.is_some() { Source::Standby } else { Source::Primary }
    }

    /// Its symbols at this moment.
    pub fn listed(&self) -> Cow<'_, [Arc<SymbolState>]> {
        match self.on_demand.get() {
            Some(on_demand) => on_demand.states(&self.name).into(),
            None => Cow::Borrowed(&self.symbols),
        }
    }

    /// What it says of each of its symbols.
    pub fn said(&self) -> impl Iterator<Item = Snapshot> {
        let source = self.source();
        self.listed().into_owned().into_iter().map(move |symbol| symbol.said_by(source))
    }

    /// How many of its symbols that have two feeds show prices of this one.
    pub fn active_symbols(&self) -> usize {
        let of_two = self.symbols.iter().filter(|symbol| symbol.has_standby());
        of_two.filter(|symbol| symbol.newest().snapshot.source == self.source()).count()
    }

    /// How many of its symbols have two feeds.
    pub fn symbols_of_two(&self) -> usize {
        self.symbols.iter().filter(|symbol| symbol.has_standby()).count()
    }
}

/// The workers, as operators ask and wake them: in a gateway the worker pool.
pub trait WorkerReports: Send + Sync {
    /// Asks every worker for its `limit` slowest streams, as far as it has looked at them by `until`. Returns the
    /// receiver of the answers and the number of workers asked. A stuck worker does not answer.
    fn ask_slowest(&self, limit: usize, until: Instant) -> (Receiver<SlowestStreams>, usize);

    /// The counts of one worker, at most a second old: for a worker that does not answer.
    fn counts_of(&self, worker: WorkerIndex) -> Counts;

    /// The way of changed symbols to the workers.
    fn announcer(self: Arc<Self>) -> Announcer;
}

impl WorkerReports for WorkerPool {
    fn ask_slowest(&self, limit: usize, until: Instant) -> (Receiver<SlowestStreams>, usize) {
        self.slowest(limit, until)
    }

    fn counts_of(&self, worker: WorkerIndex) -> Counts {
        Self::counts_of(self, worker)
    }

    fn announcer(self: Arc<Self>) -> Announcer {
        Announcer::new(self)
    }
}
