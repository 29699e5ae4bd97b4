//! What the requests of clients and the sweep share.

use super::{
    book::{Book, DemandLimits},
    feed::{DemandFeed, added},
    metrics::DemandMetrics,
};
use crate::{
    cache::{Cache, Demand, SymbolState},
    feed::ListChange,
    limits::ClientAddress,
    market::{Now, Reason, Symbol, Tier},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

/// The feeds of the gateway that subscribe on demand.
pub struct OnDemand {
    cache: Arc<Cache>,
    feeds: Box<[DemandFeed]>,
    metrics: Box<[DemandMetrics]>,
    /// A std mutex: held for the names of one request, or for a look at all names in each second, never across an
    /// await.
    state: Mutex<State>,
}

struct State {
    book: Book,
    lists: Box<[Lists]>,
}

/// What is known of the names of one feed beside the book.
#[derive(Default)]
struct Lists {
    /// The changes that the feed was not told of yet, in their order.
    pending: Vec<ListChange<Arc<SymbolState>>>,
    /// The names that were dropped a short time ago. A stream that was opened in the same moment may want one.
    dropped: HashMap<Symbol, Dropped>,
    /// The refused states of names that had no room, as long as streams hold them.
    orphans: HashMap<Symbol, Weak<SymbolState>>,
}

struct Dropped {
    state: Weak<SymbolState>,
    by: ClientAddress,
    at: Instant,
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
        let lists = feeds.iter().map(|_| Lists::default()).collect();
        let metrics = feeds.iter().map(|feed| DemandMetrics::register(&feed.name, feed.settings.symbols_max)).collect();
        (!feeds.is_empty()).then(|| Self { cache, feeds: feeds.into(), metrics, state: State { book, lists }.into() })
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

    /// The states of these names, for a stream of this address, whose streams may have so many new names in a minute. A
    /// name that no feed has is subscribed, or its state is refused. `None`: not even that has room, or no feed on
    /// demand has the name.
    pub fn ask(
        &self,
        names: &[Symbol],
        by: ClientAddress,
        per_minute: usize,
        now: Now,
    ) -> Vec<Option<Arc<SymbolState>>> {
        let mut state = self.lock();
        let states = names.iter().map(|name| self.ask_one(&mut state, name, by, per_minute, now)).collect();
        self.tell(&mut state);
        states
    }

    fn ask_one(
        &self,
        State { book, lists }: &mut State,
        name: &Symbol,
        by: ClientAddress,
        per_minute: usize,
        now: Now,
    ) -> Option<Arc<SymbolState>> {
        if let Some(known) = self.cache.get(name) {
            if let Some(place) = self.feeds.iter().position(|feed| *feed.name == *known.feed()) {
                book.touch(place, name, now.instant);
            }
            return Some(known);
        }
        let place = self.place(name)?;
        let (feed, list) = (&self.feeds[place], &mut lists[place]);
        let held = if list.pending.len() > feed.settings.symbols_max {
            Err(super::book::TurnedAway::Full) // the feed does not take its changes
        } else {
            book.hold(place, name, by, per_minute, now.instant)
        };
        match held {
            Ok(()) => {
                self.metrics[place].subscribed.increment(1);
                self.add(place, list, name, now)
            }
            Err(why) => {
                self.metrics[place].refused(why);
                self.orphan(feed, list, name, now)
            }
        }
    }

    /// Registers a name that the book holds, and has it subscribed.
    fn add(&self, place: usize, list: &mut Lists, name: &Symbol, now: Now) -> Option<Arc<SymbolState>> {
        let feed = &self.feeds[place];
        // The cache has room for what the configuration allows, but for states that streams hold.
        let state = self.cache.register(name.clone(), feed.name.clone(), feed.origin, now).ok()?;
        list.dropped.remove(name);
        list.pending.push(added(&state));
        Some(state)
    }

    /// The refused state of a name that has no room. All streams share it.
    fn orphan(&self, feed: &DemandFeed, list: &mut Lists, name: &Symbol, now: Now) -> Option<Arc<SymbolState>> {
        if let Some(held) = list.orphans.get(name).and_then(Weak::upgrade) {
            return Some(held);
        }
        if list.orphans.len() >= feed.settings.symbols_max {
            list.orphans.retain(|_, orphan| orphan.strong_count() > 0);
        }
        if list.orphans.len() >= feed.settings.symbols_max {
            return None;
        }
        let orphan = self.cache.orphan(name.clone(), feed.name.clone(), Reason::Limit, now).ok()?;
        list.orphans.insert(name.clone(), Arc::downgrade(&orphan));
        Some(orphan)
    }

    /// Drops the names that no stream has wanted for as long as they linger, and takes up again those that one joined
    /// meanwhile. Called each second.
    pub fn sweep(&self, now: Now) {
        let mut locked = self.lock();
        let State { book, lists } = &mut *locked;
        for (place, list) in lists.iter_mut().enumerate() {
            self.take_up(place, book, list, now);
            let demand = |name: &Symbol| self.cache.get(name).map_or(Demand::Never, |state| state.demand());
            for (name, by) in book.sweep(place, now.instant, demand) {
                if let Some(state) = self.cache.retire(&name, Tier::Live) {
                    let state = Arc::downgrade(&state);
                    list.dropped.insert(name.clone(), Dropped { state, by, at: now.instant });
                }
                list.pending.push(ListChange::Remove(name));
            }
            list.orphans.retain(|_, orphan| orphan.strong_count() > 0);
            self.metrics[place].symbols.set(book.count(place) as f64);
        }
        self.tell(&mut locked);
    }

    /// A stream that was about to join when its name was dropped wants it still.
    fn take_up(&self, place: usize, book: &mut Book, list: &mut Lists, now: Now) {
        let linger = self.feeds[place].settings.linger;
        list.dropped.retain(|_, dropped| {
            dropped.state.strong_count() > 0 && now.instant.saturating_duration_since(dropped.at) <= linger
        });
        let wanted = list.dropped.iter().filter_map(|(name, dropped)| {
            let state = dropped.state.upgrade().filter(|state| state.is_wanted_here())?;
            Some((name.clone(), dropped.by, state))
        });
        let wanted: Vec<_> = wanted.collect();
        for (name, by, _state) in wanted {
            if self.cache.get(&name).is_none() && book.hold_again(place, &name, by, now.instant) {
                self.add(place, list, &name, now);
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
