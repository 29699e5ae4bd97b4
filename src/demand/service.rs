//! What the requests of clients and the sweep share.

use super::{
    book::{Book, DemandLimits, TurnedAway},
    feed::{DemandFeed, added},
    log::DemandLog,
    metrics::DemandMetrics,
    refusals::Refusals,
};
use crate::{
    cache::{Cache, RegisterError, SymbolState},
    config,
    feed::ListChange,
    limits::ClientAddress,
    market::{Now, Reason, Symbol, Tier},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use tracing::{debug, info};

/// The feeds of the gateway that subscribe on demand.
pub struct OnDemand {
    cache: Arc<Cache>,
    feeds: Box<[DemandFeed]>,
    metrics: Box<[DemandMetrics]>,
    /// A std mutex: held for the names of one request, for a look at all names in each second, or while names that a
    /// feed on demand covers are registered for a feed that lists them; never across an await.
    state: Mutex<State>,
    /// What ended streams had, until the next look. A leaf, held for a push.
    released: Arc<Mutex<Vec<Released>>>,
}

struct State {
    book: Book,
    lists: Box<[Lists]>,
}

/// What a venue says of a name, which asking again soon does not change. A key that is refused, or an account without
/// room, says nothing of the name.
const OF_THE_NAME: [Reason; 2] = [Reason::NotGranted, Reason::NotEntitled];

/// What is known of the names of one feed beside the book.
struct Lists {
    log: DemandLog,
    /// The changes that the feed was not told of yet, in their order.
    pending: Vec<ListChange<Arc<SymbolState>>>,
    /// What the venue has refused, of names that the feed no longer has.
    refusals: Refusals,
    /// The refused states of names that the feed does not have, by the reason too, as long as streams hold them.
    orphans: HashMap<(Symbol, &'static str), Orphan>,
    /// How many of them the streams of each address have asked for.
    orphans_of: HashMap<ClientAddress, usize>,
}

impl Lists {
    fn new(feed: &DemandFeed) -> Self {
        let config::OnDemand { symbols_max, linger, .. } = feed.settings;
        Self {
            log: DemandLog::default(),
            pending: Vec::new(),
            refusals: Refusals::new(symbols_max, linger),
            orphans: HashMap::new(),
            orphans_of: HashMap::new(),
        }
    }
}

struct Orphan {
    state: Weak<SymbolState>,
    by: ClientAddress,
}

/// What a stream has on demand. Dropping it gives that back.
pub struct DemandLease {
    released: Arc<Mutex<Vec<Released>>>,
    names: Released,
}

/// Names that a stream of this address had.
struct Released {
    by: ClientAddress,
    names: Vec<Leased>,
}

/// A name that a stream has of the feed at this place, and in which term of the book.
struct Leased {
    place: usize,
    name: Symbol,
    term: u64,
}

impl Drop for DemandLease {
    /// A worker drops it, so it waits for no look at all names: the next one takes it.
    fn drop(&mut self) {
        let Released { by, names } = &mut self.names;
        if !names.is_empty() {
            let released = Released { by: *by, names: std::mem::take(names) };
            self.released.lock().unwrap_or_else(PoisonError::into_inner).push(released);
        }
    }
}

/// Who asks, and when.
#[derive(Clone, Copy)]
struct Asks {
    by: ClientAddress,
    per_minute: usize,
    now: Now,
}

/// What a feed on demand has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandUsage {
    /// How many symbols.
    pub symbols: usize,
    /// How many it may have.
    pub limit: usize,
}

impl OnDemand {
    /// The feeds on demand, none of which has a symbol yet; `None` where there are none.
    pub fn new(cache: Arc<Cache>, feeds: Vec<DemandFeed>) -> Option<Self> {
        let limits = |feed: &DemandFeed| DemandLimits {
            symbols: feed.settings.symbols_max,
            per_address: feed.settings.symbols_per_address(),
            linger: feed.settings.linger,
        };
        let book = Book::new(feeds.iter().map(limits));
        let lists = feeds.iter().map(Lists::new).collect();
        let metrics = feeds.iter().map(|feed| DemandMetrics::register(&feed.name, feed.settings.symbols_max)).collect();
        (!feeds.is_empty()).then(|| Self {
            cache,
            feeds: feeds.into(),
            metrics,
            state: State { book, lists }.into(),
            released: Arc::default(),
        })
    }

    /// Whether a stream may ask for a name that no feed has.
    pub fn covers(&self, symbol: &Symbol) -> bool {
        self.place(symbol).is_some()
    }

    /// Whether this feed subscribes on demand.
    pub fn has(&self, feed: &str) -> bool {
        self.feeds.iter().any(|own| *own.name == *feed)
    }

    /// What a feed has, if it is on demand.
    pub fn usage(&self, feed: &str) -> Option<DemandUsage> {
        let place = self.feeds.iter().position(|own| *own.name == *feed)?;
        let state = self.lock();
        Some(DemandUsage { symbols: state.book.count(place), limit: state.book.limit(place) })
    }

    /// The symbols that a feed has on demand at this moment.
    pub fn states(&self, feed: &str) -> Vec<Arc<SymbolState>> {
        let Some(place) = self.feeds.iter().position(|own| *own.name == *feed) else { return Vec::new() };
        let names: Vec<Symbol> = self.lock().book.names(place).cloned().collect();
        names.iter().filter_map(|name| self.cache.get(name)).collect()
    }

    /// The states of these names, for a stream of this address, whose streams may have so many new names in a minute,
    /// and what the stream holds as long as it has them. A name that no feed has is subscribed, or its state is
    /// refused.
    /// `None`: not even that has room, or no feed on demand has the name.
    pub fn ask(
        &self,
        names: &[Symbol],
        by: ClientAddress,
        per_minute: usize,
        now: Now,
    ) -> (Vec<Option<Arc<SymbolState>>>, DemandLease) {
        let mut held = Vec::new();
        let mut state = self.lock();
        self.take_back(&mut state, now);
        let asks = Asks { by, per_minute, now };
        let states = names.iter().map(|name| self.ask_one(&mut state, name, asks, &mut held)).collect();
        self.tell(&mut state);
        drop(state);
        (states, DemandLease { released: self.released.clone(), names: Released { by, names: held } })
    }

    fn ask_one(
        &self,
        State { book, lists }: &mut State,
        name: &Symbol,
        asks: Asks,
        held: &mut Vec<Leased>,
    ) -> Option<Arc<SymbolState>> {
        let Asks { by, per_minute, now } = asks;
        let known = self.cache.get(name);
        let place = match &known {
            Some(known) => self.feeds.iter().position(|feed| *feed.name == *known.feed()),
            None => Some(self.place(name)?),
        };
        let Some(place) = place else { return known }; // another feed lists it
        let list = &mut lists[place];
        if known.is_none()
            && let Some(reason) = list.refusals.reason(name, now.instant)
        {
            self.metrics[place].refused_by_venue.increment(1);
            return self.orphan(place, list, name, reason, asks);
        }
        let granted = if known.is_none() && list.pending.len() > self.feeds[place].settings.symbols_max {
            Err(TurnedAway::Full) // the feed does not take its changes
        } else {
            book.hold(place, name, by, per_minute, now.instant)
        };
        match granted {
            Ok(granted) => {
                if let Some(name) = granted.evicted {
                    debug!(feed = %self.feeds[place].name, symbol = %name, "dropping a symbol that no stream has, for another one");
                    self.drop_name(list, name, now);
                }
                held.push(Leased { place, name: name.clone(), term: granted.term });
                known.or_else(|| self.add(place, list, name, now))
            }
            Err(why) => {
                self.metrics[place].refused(why);
                list.log.refused(&self.feeds[place].name, name, why, by, now.instant);
                self.orphan(place, list, name, Reason::Limit, asks)
            }
        }
    }

    /// Registers a name that the book holds, and has it subscribed.
    fn add(&self, place: usize, list: &mut Lists, name: &Symbol, now: Now) -> Option<Arc<SymbolState>> {
        let feed = &self.feeds[place];
        // The cache has room for what the configuration allows, but for states that streams hold.
        let state = self.cache.register(name.clone(), feed.name.clone(), feed.origin, now).ok()?;
        state.learn(&feed.facts_of(name));
        self.metrics[place].subscribed.increment(1);
        debug!(feed = %feed.name, symbol = %name, "subscribing a symbol on demand");
        list.pending.push(added(&state));
        Some(state)
    }

    /// Takes a name that the book no longer has out of the cache, and has it unsubscribed. What the venue has said of
    /// it is remembered.
    fn drop_name(&self, list: &mut Lists, name: Symbol, now: Now) {
        let retired = self.cache.retire(&name, Tier::Live).map(|state| state.newest());
        let reason = retired.and_then(|tick| tick.snapshot.not_live_since()).map(|(_, reason)| reason);
        if let Some(reason) = reason.filter(|reason| OF_THE_NAME.contains(reason)) {
            list.refusals.remember(name.clone(), reason, now.instant);
        }
        list.pending.push(ListChange::Remove(name));
    }

    /// The refused state of a name that the feed does not get. All streams share it, and those of one address have a
    /// share of all.
    fn orphan(
        &self,
        place: usize,
        list: &mut Lists,
        name: &Symbol,
        reason: Reason,
        Asks { by, now, .. }: Asks,
    ) -> Option<Arc<SymbolState>> {
        let feed = &self.feeds[place];
        let key = (name.clone(), reason.name());
        if let Some(held) = list.orphans.get(&key).and_then(|orphan| orphan.state.upgrade()) {
            return Some(held);
        }
        let of_address = list.orphans_of.get(&by).copied().unwrap_or_default();
        let is_full = list.orphans.len() >= feed.settings.symbols_max;
        if is_full || of_address >= feed.settings.symbols_per_address() {
            return None;
        }
        let orphan = self.cache.orphan(name.clone(), feed.name.clone(), reason, now).ok()?;
        list.orphans.insert(key, Orphan { state: Arc::downgrade(&orphan), by });
        *list.orphans_of.entry(by).or_default() += 1;
        Some(orphan)
    }

    /// Drops the names that no stream has had for as long as they linger. Called each second.
    pub fn sweep(&self, now: Now) {
        let mut locked = self.lock();
        self.take_back(&mut locked, now);
        let State { book, lists } = &mut *locked;
        for (place, list) in lists.iter_mut().enumerate() {
            for name in book.sweep(place, now.instant) {
                debug!(feed = %self.feeds[place].name, symbol = %name, "dropping a symbol that no stream has any longer");
                self.drop_name(list, name, now);
            }
            list.refusals.sweep(now.instant);
            list.orphans.retain(|_, orphan| orphan.state.strong_count() > 0);
            list.orphans_of.clear();
            for orphan in list.orphans.values() {
                *list.orphans_of.entry(orphan.by).or_default() += 1;
            }
            self.metrics[place].symbols.set(book.count(place) as f64);
        }
        self.tell(&mut locked);
    }

    /// These symbols are of another feed from now on, which `register` gives them to. Streams that have them on demand
    /// see them removed; no stream can ask for them meanwhile.
    ///
    /// # Errors
    /// As `register`. A symbol that a third feed has, and a cache without room, are found before streams lose one.
    pub fn give_way<'a, T>(
        &self,
        symbols: impl Iterator<Item = &'a Symbol> + Clone,
        now: Now,
        register: impl FnOnce() -> Result<T, RegisterError>,
    ) -> Result<T, RegisterError> {
        if !symbols.clone().any(|symbol| self.covers(symbol)) {
            return register(); // no stream can have them
        }
        let mut locked = self.lock();
        self.may_register(symbols.clone())?;
        self.take_back(&mut locked, now);
        let State { book, lists } = &mut *locked;
        let mut moved = vec![0; lists.len()];
        for name in symbols {
            for (place, list) in lists.iter_mut().enumerate() {
                if book.give_way(place, name) {
                    self.drop_name(list, name.clone(), now);
                    moved[place] += 1;
                }
            }
        }
        for (feed, symbols) in self.feeds.iter().zip(moved).filter(|(_, symbols)| *symbols > 0) {
            info!(feed = %feed.name, symbols, "symbols that streams have on demand are of a feed that lists them");
        }
        self.tell(&mut locked);
        register()
    }

    /// Whether a feed that lists these symbols may register them, once feeds on demand have given way.
    fn may_register<'a>(&self, symbols: impl Iterator<Item = &'a Symbol>) -> Result<(), RegisterError> {
        let mut new = 0;
        for symbol in symbols {
            match self.cache.get(symbol) {
                None => new += 1,
                Some(state) if self.has(&state.feed()) => {}
                Some(_) => return Err(RegisterError::Twice(symbol.clone())),
            }
        }
        if self.cache.has_room(Tier::Live, new) { Ok(()) } else { Err(RegisterError::Full) }
    }

    /// Takes back what ended streams had.
    fn take_back(&self, state: &mut State, now: Now) {
        let released = std::mem::take(&mut *self.released.lock().unwrap_or_else(PoisonError::into_inner));
        for Released { by, names } in released {
            for Leased { place, name, term } in names {
                state.book.give_back(place, &name, term, by, now.instant);
            }
        }
    }

    /// Tells each feed what has changed of its list.
    fn tell(&self, State { lists, .. }: &mut State) {
        for (feed, list) in self.feeds.iter().zip(lists) {
            feed.tell(&mut list.pending);
        }
    }

    fn place(&self, symbol: &Symbol) -> Option<usize> {
        self.feeds.iter().position(|feed| feed.covers(symbol))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
