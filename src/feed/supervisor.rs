//! The connections of a feed that runs: as many as its list needs, which changes while they live.

use super::{
    AccountPace, Feed, FeedMetrics, ListChange, MakeSink, Sink, Timing, VenueKey,
    connection::{Connection, ConnectionSetup, MessageLimit, Relisting},
    pacer::ConnectPacer,
    placement::Placement,
    rotation::Overlaps,
    silence::Patience,
    status::StatusWriter,
};
use crate::{
    config,
    dial::Dialing,
    market::{Now, Origin, Reason, Symbol},
    recording::Recorder,
    venue::ListedSymbol,
};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// Changes that wait for a connection which sends or closes: then the feed's others wait too, for seconds at most.
const RELISTINGS_MAX: usize = 16;

type Target<M> = <<M as MakeSink>::Sink as Sink>::Target;

/// The connections of a feed.
pub(super) struct Supervisor<M: MakeSink> {
    config: Arc<config::Feed>,
    url: Option<String>,
    sinks: M,
    placement: Placement,
    connections: Vec<Standing<Target<M>>>,
    leaving: HashMap<Symbol, Leaving>,
    /// From when on each connection may be opened again.
    not_before: Vec<Option<Instant>>,
    /// The symbols that no connection has room for, the oldest first.
    without_room: Vec<(ListedSymbol, Target<M>)>,
    tasks: JoinSet<(usize, Option<Instant>)>,
    writers: Vec<StatusWriter>,
    key: VenueKey,
    /// Of the feed, where it is recorded: the recording goes on as long as the feed.
    recorder: Option<Recorder>,
    message_limit: MessageLimit,
    overlaps: Overlaps,
    /// Whether the first list takes several connections, so that each has a number in the log.
    are_numbered: bool,
    timing: Timing,
    dialing: Dialing,
    pace: AccountPace,
    pacer: ConnectPacer,
    metrics: FeedMetrics,
    shutdown: watch::Receiver<bool>,
}

/// How a connection is.
enum Standing<T> {
    None,
    Open(Open<T>),
    /// It closes, and is opened again for these changes.
    Closing(Vec<ListChange<T>>),
}

/// The way to an open connection.
struct Open<T> {
    relistings: mpsc::Sender<Relisting<T>>,
    /// How many were sent, and how many it has applied.
    sent: u64,
    applied: watch::Receiver<u64>,
}

/// A symbol that was removed: its connection must have applied that before another one takes it.
struct Leaving {
    nth: u64,
    applied: watch::Receiver<u64>,
}

impl Leaving {
    fn is_over(&self) -> bool {
        *self.applied.borrow() >= self.nth || self.applied.has_changed().is_err()
    }
}

impl<M: MakeSink> Supervisor<M> {
    /// Opens the connections of the first list.
    pub(super) fn start(
        feed: Feed,
        url: Option<String>,
        has_server: bool,
        sinks: M,
        targets: Vec<Target<M>>,
        metrics: FeedMetrics,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let config = Arc::new(feed.config);
        assert_eq!(targets.len(), config.symbols.len(), "each symbol of the list has a target");
        let spec = config.venue;
        let max = feed.writers.len();
        let mut supervisor = Self {
            placement: Placement::new(max, spec.symbols_per_connection),
            connections: (0..max).map(|_| Standing::None).collect(),
            without_room: Vec::new(),
            leaving: HashMap::new(),
            not_before: vec![None; max],
            tasks: JoinSet::new(),
            recorder: feed.recorders.into_iter().next(),
            writers: feed.writers,
            key: feed.key,
            message_limit: MessageLimit::new(feed.message_bytes_max, spec),
            overlaps: Overlaps {
                // A server of our own sends each connection a market or a recording from its start.
                connections_max: if has_server { 0 } else { spec.connections_max },
                connections: Arc::default(),
            },
            are_numbered: config.connection_count() > 1,
            timing: feed.timing,
            dialing: feed.dialing,
            pace: feed.pace,
            pacer: ConnectPacer::new(feed.timing.between_connects.unwrap_or(spec.between_connects)),
            config,
            url,
            sinks,
            metrics,
            shutdown,
        };
        supervisor.open_first(targets);
        supervisor.metrics.up.set_runs(true);
        supervisor
    }

    fn open_first(&mut self, targets: Vec<Target<M>>) {
        let config = self.config.clone();
        let mut targets = targets.into_iter();
        let mut first = Vec::new();
        for (connection, range) in config.connections().enumerate() {
            let symbols = &config.symbols[range];
            symbols.iter().for_each(|listed| self.placement.put(&listed.symbol, connection));
            let add = |(symbol, target): (&ListedSymbol, _)| ListChange::Add { symbol: symbol.clone(), target };
            first.push(symbols.iter().zip(&mut targets).map(add).collect::<Vec<_>>());
        }
        for (connection, changes) in first.into_iter().enumerate().filter(|(_, changes)| !changes.is_empty()) {
            self.open(connection, changes);
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            mute_after: self.config.mute_limit_of(self.placement.len()),
            part_mute_after: self.config.part_mute_after,
        }
    }

    fn open(&mut self, connection: usize, changes: Vec<ListChange<Target<M>>>) {
        let not_before = self.not_before[connection].take();
        let config = &self.config;
        let (relistings_tx, relistings) = mpsc::channel(RELISTINGS_MAX);
        let (applied_tx, applied) = watch::channel(0);
        let writer = self.writers[connection].clone();
        writer.begin(Now::read().unix);
        self.overlaps.connections.fetch_add(1, Ordering::Relaxed);
        let is_numbered = self.are_numbered || connection > 0;
        let setup = ConnectionSetup {
            name: if is_numbered { format!("{}/{}", config.name, connection + 1) } else { config.name.clone() },
            new_venue: super::new_venue(config.clone(), self.url.clone(), self.key.clone()),
            key: self.key.read(),
            overlaps: self.overlaps.clone(),
            first: Relisting { changes, patience: self.patience() },
            relistings,
            applied: applied_tx,
            not_before,
            rotate_at: config.rotate_at,
            is_delayed: config.playback.is_some() || config.origin() == Origin::Delayed,
            schedule: config.schedule.clone(),
            timing: self.timing,
            dialing: self.dialing.clone(),
            pace: self.pace.clone(),
            message_limit: self.message_limit,
            pacer: self.pacer.clone(),
            place: connection,
            connections: self.connections.len(),
            metrics: self.metrics.clone(),
            status: writer,
            recorder: self.recorder.as_ref().map(|recorder| recorder.another(connection)),
        };
        let task = Connection::new(setup, self.sinks.make()).run(self.shutdown.clone());
        self.tasks.spawn(async move {
            let not_before = task.await;
            (connection, not_before)
        });
        // The first list is one.
        self.connections[connection] = Standing::Open(Open { relistings: relistings_tx, sent: 1, applied });
    }

    /// Keeps the connections in line with the list, until the shutdown.
    pub(super) async fn run(mut self, mut changes: mpsc::Receiver<Vec<ListChange<Target<M>>>>) -> io::Result<()> {
        let mut shutdown = self.shutdown.clone();
        let mut may_change = true;
        loop {
            let next = tokio::select! {
                biased;
                () = until(&mut shutdown) => break,
                Some(ended) = self.tasks.join_next() => Next::Ended(ended.map_err(io::Error::other)?),
                batch = changes.recv(), if may_change => Next::Changes(batch),
            };
            match next {
                Next::Ended((connection, not_before)) => self.ended(connection, not_before),
                Next::Changes(Some(batch)) => self.change(batch).await,
                // What could change the list is gone: it stays as it is.
                Next::Changes(None) => may_change = false,
            }
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// A connection that was closed has ended.
    fn ended(&mut self, connection: usize, not_before: Option<Instant>) {
        self.not_before[connection] = not_before;
        self.overlaps.connections.fetch_sub(1, Ordering::Relaxed);
        let standing = std::mem::replace(&mut self.connections[connection], Standing::None);
        if *self.shutdown.borrow() {
            return;
        }
        self.writers[connection].end(Now::read().unix);
        if let Standing::Closing(changes) = standing
            && !changes.is_empty()
        {
            self.open(connection, changes);
        }
    }

    async fn change(&mut self, batch: Vec<ListChange<Target<M>>>) {
        let now = Now::read();
        let mut changes: BTreeMap<usize, Vec<ListChange<Target<M>>>> = BTreeMap::new();
        let mut told = self.without_room.len();
        self.leaving.retain(|_, leaving| !leaving.is_over());
        for change in batch {
            if let ListChange::Add { symbol, .. } = &change {
                self.wait_until_left(&symbol.symbol, &mut changes, now).await;
            }
            match change {
                ListChange::Add { symbol, .. } if self.is_listed(&symbol.symbol) => {}
                // Behind those that wait for room.
                ListChange::Add { symbol, target } => self.without_room.push((symbol, target)),
                ListChange::Remove(symbol) => match self.placement.remove(&symbol) {
                    Some(connection) => changes.entry(connection).or_default().push(ListChange::Remove(symbol)),
                    None => told -= usize::from(self.forget(&symbol, now) < told),
                },
            }
            // A symbol may be removed and added again in one batch.
            told -= self.place(&mut changes).min(told);
        }
        for (_, target) in &self.without_room[told..] {
            self.sinks.refuse(target, Reason::SymbolLimit, now);
        }
        self.send(&mut changes, now).await;
    }

    async fn send(&mut self, changes: &mut BTreeMap<usize, Vec<ListChange<Target<M>>>>, now: Now) {
        for (connection, changes) in std::mem::take(changes) {
            self.relist(connection, changes, now).await;
        }
    }

    /// A symbol that is added once more goes to another connection only when the one that had it has let go: both may
    /// have the same target.
    async fn wait_until_left(
        &mut self,
        symbol: &Symbol,
        changes: &mut BTreeMap<usize, Vec<ListChange<Target<M>>>>,
        now: Now,
    ) {
        let is_removed = |change: &ListChange<_>| matches!(change, ListChange::Remove(removed) if removed == symbol);
        if changes.values().flatten().any(is_removed) {
            self.send(changes, now).await;
        }
        if let Some(Leaving { nth, mut applied }) = self.leaving.remove(symbol) {
            // An error: the connection has ended.
            let _ = applied.wait_for(|applied| *applied >= nth).await;
        }
    }

    fn is_listed(&self, symbol: &Symbol) -> bool {
        let waits = || self.without_room.iter().any(|(listed, _)| listed.symbol == *symbol);
        self.placement.of(symbol).is_some() || waits()
    }

    /// Gives the symbols that wait for room to the connections that have some. Returns how many.
    fn place(&mut self, changes: &mut BTreeMap<usize, Vec<ListChange<Target<M>>>>) -> usize {
        let mut placed = 0;
        while self.placement.has_room() && placed < self.without_room.len() {
            let symbol = &self.without_room[placed].0.symbol;
            if self.placement.add(symbol).is_none() {
                break;
            }
            placed += 1;
        }
        for (symbol, target) in self.without_room.drain(..placed) {
            if let Some(connection) = self.placement.of(&symbol.symbol) {
                changes.entry(connection).or_default().push(ListChange::Add { symbol, target });
            }
        }
        placed
    }

    /// A symbol that waits for room is removed. Returns its place among them.
    fn forget(&mut self, symbol: &Symbol, now: Now) -> usize {
        let Some(place) = self.without_room.iter().position(|(listed, _)| listed.symbol == *symbol) else {
            return usize::MAX;
        };
        let (_, target) = self.without_room.remove(place);
        self.sinks.refuse(&target, Reason::Removed, now);
        place
    }

    /// Gives a connection its changes. One without symbols is closed.
    async fn relist(&mut self, connection: usize, changes: Vec<ListChange<Target<M>>>, now: Now) {
        let patience = self.patience();
        let is_empty = self.placement.count(connection) == 0;
        match &mut self.connections[connection] {
            Standing::Open(open) => {
                open.sent += 1;
                for change in &changes {
                    if let ListChange::Remove(symbol) = change {
                        let leaving = Leaving { nth: open.sent, applied: open.applied.clone() };
                        self.leaving.insert(symbol.clone(), leaving);
                    }
                }
                // A connection that is gone is stopped, as the feed is about to be.
                let _ = open.relistings.send(Relisting { changes, patience }).await;
                if is_empty {
                    self.connections[connection] = Standing::Closing(Vec::new());
                }
            }
            standing => {
                let mut waiting = match std::mem::replace(standing, Standing::None) {
                    Standing::Closing(waiting) => Some(waiting),
                    Standing::None | Standing::Open(_) => None,
                };
                let is_closing = waiting.is_some();
                let list = waiting.get_or_insert_default();
                for change in changes {
                    match change {
                        add @ ListChange::Add { .. } => list.push(add),
                        ListChange::Remove(symbol) => self.take_back(&symbol, list, now),
                    }
                }
                let list = std::mem::take(list);
                if is_closing {
                    self.connections[connection] = Standing::Closing(list);
                } else if !list.is_empty() {
                    self.open(connection, list);
                }
            }
        }
    }

    /// A symbol is removed that was to be given to a connection once it is open.
    fn take_back(&mut self, symbol: &Symbol, list: &mut Vec<ListChange<Target<M>>>, now: Now) {
        let is_it =
            |change: &ListChange<_>| matches!(change, ListChange::Add { symbol: added, .. } if added.symbol == *symbol);
        if let Some(place) = list.iter().position(is_it)
            && let ListChange::Add { target, .. } = list.remove(place)
        {
            self.sinks.refuse(&target, Reason::Removed, now);
        }
    }
}

/// What a feed's task waits for.
enum Next<T> {
    Ended((usize, Option<Instant>)),
    Changes(Option<Vec<ListChange<T>>>),
}

/// Waits for the shutdown, or until its sender is gone.
async fn until(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

impl<M: MakeSink> Drop for Supervisor<M> {
    fn drop(&mut self) {
        self.metrics.up.set_runs(false);
    }
}
