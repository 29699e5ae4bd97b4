//! Ingest ties a feed's connection to the cache and the workers: updates become ticks, and changed symbols are
//! announced.

use crate::{
    cache::{FailoverCounts, Published, Publisher, SymbolState, Tap},
    fanout::{Announcer, WorkerPool},
    feed::{MakeSink, Sink, Unheard},
    market::{Facts, FeedSymbol, Now, Parts, Reason, Source, State, UnixMicros, Update},
    telemetry::CacheMetrics,
};
use std::{collections::HashMap, sync::Arc};
use tracing::info;

/// Where ticks go besides the cache: to the gateways that follow this one. It never waits.
pub trait Outlet: Tap + Send + Sync {
    /// Whether this gateway still makes the ticks of these symbols. Once it does not, another does.
    fn is_open(&self) -> bool;

    /// Whether updates may be taken right now: not while it is uncertain that no other gateway makes the same ticks. If
    /// they may, they become ticks of this moment.
    fn may_take(&self) -> bool;

    /// Ticks that no update brings follow, all of this moment.
    fn begin(&self);

    /// The ticks since [`Outlet::may_take`] or [`Outlet::begin`] are complete.
    fn flush(&self);
}

/// Tells operators in the log how many symbols passed from one feed to the other, a line for each reason. The standby's
/// connections share it, and each looks once a second: any of them may be closed.
pub struct FailoverLog {
    /// The names of the primary and of the standby.
    names: [Arc<str>; 2],
    counts: Arc<FailoverCounts>,
}

impl FailoverLog {
    /// Of a primary and its standby.
    pub fn new(primary: Arc<str>, standby: Arc<str>, counts: Arc<FailoverCounts>) -> Self {
        Self { names: [primary, standby], counts }
    }

    fn tell(&self) {
        for (to, reason, symbols) in self.counts.news() {
            let [from, to] = [to.other(), to].map(|source| &*self.names[source as usize]);
            info!(from, to, reason, symbols, "failover");
        }
    }
}

/// The way of one connection into the cache. It holds the states of the connection's symbols, so that no update looks
/// them up.
pub struct Ingest {
    /// By their places in the connection's list, by which updates name them.
    symbols: Vec<Option<Arc<SymbolState>>>,
    /// Since when each place has its symbol.
    listed: Vec<UnixMicros>,
    /// When a place was last told the state of its symbol because it was asked for, rather than by the stream.
    told: HashMap<FeedSymbol, UnixMicros>,
    /// Whether the feed is closed, if that is known.
    closed: Option<bool>,
    /// Which of the symbols' feeds the connection belongs to.
    source: Source,
    /// Whether the symbols have two.
    has_standby: bool,
    /// Tells of failovers, where this feed does.
    failovers: Option<Arc<FailoverLog>>,
    announcer: Announcer,
    metrics: CacheMetrics,
    /// Where other gateways follow this one.
    outlet: Option<Arc<dyn Outlet>>,
}

impl Ingest {
    /// Of a connection without symbols.
    fn new(announcer: Announcer, metrics: CacheMetrics) -> Self {
        Self {
            symbols: Vec::new(),
            listed: Vec::new(),
            told: HashMap::new(),
            closed: None,
            source: Source::Primary,
            has_standby: false,
            failovers: None,
            announcer,
            metrics,
            outlet: None,
        }
    }

    /// Changes the standing of each symbol, and announces those that it changed.
    fn set_each(&mut self, set: impl Fn(FeedSymbol, Publisher<'_>) -> Published) {
        if !self.begin() {
            return;
        }
        for (place, state) in FeedSymbol::all(self.symbols.len()).zip(&self.symbols) {
            let Some(state) = state else { continue };
            let publisher = state.through(tap(&self.outlet)).of(self.source);
            if let Published::Tick { interest } = set(place, publisher) {
                self.announcer.add(state, interest);
            }
        }
        self.flush();
    }

    /// Changes the standing of one symbol, step by step.
    fn set_one(&mut self, state: &Arc<SymbolState>, steps: &[&dyn Fn(Publisher<'_>) -> Published]) {
        if !self.begin() {
            return;
        }
        for set in steps {
            if let Published::Tick { interest } = set(state.through(tap(&self.outlet)).of(self.source)) {
                self.announcer.add(state, interest);
            }
        }
        self.flush();
    }

    /// Whether ticks may follow.
    fn begin(&self) -> bool {
        let Some(outlet) = &self.outlet else { return true };
        outlet.begin();
        outlet.is_open()
    }

    fn flush(&mut self) {
        if let Some(outlet) = &self.outlet {
            outlet.flush();
        }
        self.announcer.flush();
    }
}

fn tap(outlet: &Option<Arc<dyn Outlet>>) -> Option<&dyn Tap> {
    outlet.as_deref().map(|outlet| outlet as &dyn Tap)
}

impl Sink for Ingest {
    type Target = Arc<SymbolState>;

    fn add(&mut self, place: FeedSymbol, state: Arc<SymbolState>, now: Now) {
        if self.symbols.len() <= place.index() {
            self.symbols.resize(place.index() + 1, None);
            self.listed.resize(place.index() + 1, now.unix);
        }
        self.listed[place.index()] = now.unix;
        self.told.remove(&place);
        self.symbols[place.index()] = Some(state.clone());
        // What the venue refuses, it says again; what the gateway itself has refused, it lists now.
        let is_ours = |reason| matches!(reason, Reason::Removed | Reason::Limit | Reason::SymbolLimit);
        if state.said_by(self.source).not_live_since().is_some_and(|(_, reason)| is_ours(reason)) {
            self.set_one(&state, &[&|state| state.set_refused(None, now)]);
        }
        if let Some(closed) = self.closed {
            self.set_one(&state, &[&|state| state.set_closed(closed, now)]);
        }
    }

    fn remove(&mut self, place: FeedSymbol, now: Now) {
        let Some(state) = self.symbols[place.index()].take() else { return };
        // Where it is listed again, its price is old, and the order of what comes then may be another.
        let over = |state: Publisher<'_>| state.start_over(now);
        self.set_one(&state, &[&over, &|state| state.set_refused(Some(Reason::Removed), now)]);
    }

    fn may_take(&self) -> bool {
        self.outlet.as_ref().is_none_or(|outlet| outlet.may_take())
    }

    fn updates(&mut self, updates: &[Update], now: Now) {
        // The feed has asked whether it may take them, which was a look at the clock.
        if self.outlet.as_ref().is_some_and(|outlet| !outlet.is_open()) {
            return;
        }
        let mut ticks = 0;
        let mut unchanged = 0;
        let mut late = 0;
        let mut hidden = 0;
        for update in updates {
            // A symbol that was removed has none.
            let Some(state) = &self.symbols[update.symbol.index()] else { continue };
            if update.is_snapshot {
                self.told.insert(update.symbol, now.unix);
            }
            match state.through(tap(&self.outlet)).of(self.source).publish(update, now) {
                Published::Tick { interest } => {
                    ticks += 1;
                    self.announcer.add(state, interest);
                }
                Published::Unchanged => unchanged += 1,
                Published::Late => late += 1,
                Published::Hidden => hidden += 1,
            }
        }
        self.flush();
        self.metrics.count(ticks, unchanged, late, hidden);
    }

    /// Of a symbol with two feeds, those of its primary count: they stay while prices pass to the standby and back.
    fn facts(&mut self, facts: Vec<(FeedSymbol, Facts)>) {
        if self.source == Source::Standby {
            return;
        }
        for (place, said) in &facts {
            if let Some(Some(state)) = self.symbols.get(place.index()) {
                state.learn(said);
            }
        }
    }

    fn outage(&mut self, reason: Reason, now: Now) {
        self.set_each(|_, state| state.outage(reason, now));
    }

    fn start_over(&mut self, now: Now) {
        self.set_each(|_, state| state.start_over(now));
    }

    fn mute(&mut self, parts: Parts, now: Now) {
        self.set_each(|_, state| state.mark_stale(parts, Reason::Mute, now));
    }

    fn is_halted(&self) -> bool {
        are_halted(self.symbols.iter().flatten(), self.source)
    }

    fn unheard(&self, since: UnixMicros, listed_by: UnixMicros) -> Unheard {
        let places = FeedSymbol::all(self.symbols.len()).zip(&self.symbols).zip(&self.listed);
        let listed = places
            .filter(|(_, since)| **since <= listed_by)
            .filter_map(|((place, state), _)| state.as_ref().map(|state| (state, self.told.get(&place).copied())));
        unheard(listed, self.source, since)
    }

    fn closed(&mut self, closed: bool, now: Now) {
        self.closed = Some(closed);
        self.set_each(|_, state| state.set_closed(closed, now));
    }

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], now: Now) {
        let reasons: HashMap<FeedSymbol, Reason> = refused.iter().copied().collect();
        self.set_each(|place, state| state.set_refused(reasons.get(&place).copied(), now));
    }

    fn due(&mut self, now: Now) {
        if self.has_standby {
            self.set_each(|_, state| state.due(now));
        }
        if let Some(failovers) = &self.failovers {
            failovers.tell();
        }
    }
}

/// Tells streams that these symbols, which were [retired](crate::cache::Cache::retire), are not listed any longer:
/// where no connection does it.
pub fn removed(states: &[Arc<SymbolState>], announcer: &mut Announcer, now: Now) {
    tell_each(states, announcer, |state| state.remove(Reason::Removed, now));
}

/// Tells streams that these symbols are listed again. Nothing changes for one that was not removed.
pub fn readmitted(states: &[Arc<SymbolState>], announcer: &mut Announcer, now: Now) {
    tell_each(states, announcer, |state| state.readmit(now));
}

fn tell_each(states: &[Arc<SymbolState>], announcer: &mut Announcer, set: impl Fn(&SymbolState) -> Published) {
    for state in states {
        if let Published::Tick { interest } = set(state) {
            announcer.add(state, interest);
        }
    }
    announcer.flush();
}

/// Makes the ways of a feed's connections.
pub struct MakeIngest {
    workers: Arc<WorkerPool>,
    /// Which feed of its symbols it is, where they have two.
    source: Option<Source>,
    /// Its connections tell of failovers.
    failovers: Option<Arc<FailoverLog>>,
    outlet: Option<Arc<dyn Outlet>>,
}

impl MakeIngest {
    /// Of a feed whose symbols have no other.
    pub fn new(workers: Arc<WorkerPool>) -> Self {
        Self { workers, source: None, failovers: None, outlet: None }
    }

    /// The same, of one of the two feeds that its symbols have; with a log, it tells of their failovers.
    pub fn of_two(self, source: Source, failovers: Option<FailoverLog>) -> Self {
        Self { source: Some(source), failovers: failovers.map(Arc::new), ..self }
    }

    /// The same, whose ticks also go through an outlet.
    pub fn with_outlet(self, outlet: Arc<dyn Outlet>) -> Self {
        Self { outlet: Some(outlet), ..self }
    }
}

impl MakeSink for MakeIngest {
    type Sink = Ingest;

    fn make(&mut self) -> Ingest {
        let ingest = Ingest::new(Announcer::new(self.workers.clone()), CacheMetrics::register());
        let outlet = self.outlet.clone();
        let has_standby = self.source.is_some();
        let source = self.source.unwrap_or(Source::Primary);
        Ingest { source, has_standby, failovers: self.failovers.clone(), outlet, ..ingest }
    }

    fn refuse(&mut self, state: &Arc<SymbolState>, reason: Reason, now: Now) {
        self.make().set_one(state, &[&|state| state.set_refused(Some(reason), now)]);
    }
}

/// Whether each of these symbols that is not refused is halted, or closed by the venue.
fn are_halted<'s>(symbols: impl Iterator<Item = &'s Arc<SymbolState>>, source: Source) -> bool {
    let mut states = symbols.map(|state| state.said_by(source).state());
    let mut is_any_halted = false;
    states.all(|state| {
        let is_halted = matches!(state, State::Halted | State::Closed);
        is_any_halted |= is_halted;
        is_halted || state == State::Refused
    }) && is_any_halted
}

/// The symbols without data since then: those that wait, and those that have been stale for longer. A symbol whose
/// state the venue told beside the stream, at this time, is one that it knows: its stream may well be silent.
fn unheard<'s>(
    symbols: impl Iterator<Item = (&'s Arc<SymbolState>, Option<UnixMicros>)>,
    source: Source,
    since: UnixMicros,
) -> Unheard {
    let mut unheard = Unheard::default();
    for (state, told) in symbols {
        let snapshot = state.said_by(source);
        let is_unheard = match (snapshot.state(), snapshot.not_live_since()) {
            (State::Waiting, _) => true,
            (State::Stale, Some((stale_since, _))) => stale_since <= since && told.is_none_or(|told| told < since),
            _ => false,
        };
        if is_unheard {
            unheard.add(state.symbol());
        }
    }
    unheard
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
