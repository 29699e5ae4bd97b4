//! Where the debug routes look.

use crate::{
    cache::{Cache, FailoverCounts, SymbolState, WorkerIndex},
    cluster::handle::ClusterHandle,
    demand::OnDemand,
    fanout::{Announcer, Counts, SlowestStreams, WorkerPool},
    feed::FeedStatus,
    issuer::IssuerKeys,
    market::{Snapshot, Source},
};
use std::{
    borrow::Cow,
    sync::{Arc, mpsc::Receiver},
    time::Instant,
};

/// Where operators may look.
#[derive(Clone)]
pub struct DebugSources {
    /// All symbols.
    pub cache: Arc<Cache>,
    /// The feeds, in the order of the configuration.
    pub feeds: Arc<[DebugFeed]>,
    /// The workers, which own the streams.
    pub workers: Arc<dyn WorkerReports>,
    /// The keys that verify tokens, where clients sign on.
    pub issuer: Option<IssuerKeys>,
    /// Where the gateway is a node of a cluster.
    pub cluster: Option<ClusterHandle>,
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
    /// Where it subscribes on demand.
    pub on_demand: Option<Arc<OnDemand>>,
    /// The name of its primary, where it is a standby, and how often one took over from the other.
    pub standby_for: Option<(Arc<str>, Arc<FailoverCounts>)>,
}

impl DebugFeed {
    /// Which of its symbols' feeds it is.
    pub fn source(&self) -> Source {
        if self.standby_for.is_some() { Source::Standby } else { Source::Primary }
    }

    /// Its symbols at this moment.
    pub fn listed(&self) -> Cow<'_, [Arc<SymbolState>]> {
        match &self.on_demand {
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
