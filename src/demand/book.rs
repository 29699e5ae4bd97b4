//! Which names feeds have on demand, and who may ask for another one: pure.

use crate::{limits::ClientAddress, market::Symbol};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

/// In so much time an address may have its number of new names.
const MINUTE: Duration = Duration::from_secs(60);

/// The limits of one feed.
#[derive(Debug, Clone, Copy)]
pub(super) struct DemandLimits {
    /// The most names at a time.
    pub(super) symbols: usize,
    /// The most of them that the streams of one address have.
    pub(super) per_address: usize,
    /// How long a name stays that no stream wants, unless its place is needed.
    pub(super) linger: Duration,
}

/// Why a name is not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// The feed has as many names as it may, and streams have them all.
    Full,
    /// The streams of this address have as many as they may.
    Share,
    /// The streams of this address have asked for too many in the last minute.
    Rate,
}

impl TurnedAway {
    pub(super) const ALL: [Self; 3] = [Self::Full, Self::Share, Self::Rate];

    /// Its name for operators.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Share => "address_share",
            Self::Rate => "address_rate",
        }
    }
}

/// All names of all feeds.
#[derive(Debug)]
pub(super) struct Book {
    feeds: Vec<FeedBook>,
    /// The new names of each address in the last minute.
    rates: HashMap<ClientAddress, Rate>,
    /// How often a name was new.
    terms: u64,
}

/// How many new names an address had in the last minute, and when. It has at most as many entries as it may have names.
#[derive(Debug, Default)]
struct Rate {
    asked: VecDeque<(Instant, usize)>,
    count: usize,
}

impl Rate {
    /// Forgets what is older than a minute.
    fn pass(&mut self, now: Instant) {
        while let Some((_, count)) = self.asked.pop_front_if(|(at, _)| now.saturating_duration_since(*at) >= MINUTE) {
            self.count -= count;
        }
    }

    /// Takes one more of so many in a minute, unless they are all taken.
    fn take(&mut self, per_minute: usize, now: Instant) -> bool {
        self.pass(now);
        if self.count >= per_minute {
            return false;
        }
        match self.asked.back_mut() {
            Some((at, count)) if *at == now => *count += 1,
            _ => self.asked.push_back((now, 1)),
        }
        self.count += 1;
        true
    }
}

/// That a stream has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    /// Whether the feed did not have the name before.
    pub(super) is_new: bool,
    /// Which time it is that the feed has the name: a stream gives back what it had, and no later term.
    pub(super) term: u64,
    /// The name that the feed gave up for it: of those that no stream had, the one that lingered longest.
    pub(super) evicted: Option<Symbol>,
}

#[derive(Debug)]
struct FeedBook {
    limits: DemandLimits,
    names: HashMap<Symbol, Held>,
    /// Those that no stream has, by when the last one gave them back.
    lingering: BTreeSet<(Instant, Symbol)>,
    /// How many names the streams of each address have.
    shares: HashMap<ClientAddress, usize>,
}

#[derive(Debug)]
struct Held {
    term: u64,
    /// How many streams of each address have it.
    holders: HashMap<ClientAddress, u32>,
    /// When the last stream gave it back, if none has it.
    unused_since: Option<Instant>,
}

impl Book {
    /// A book without names.
    pub(super) fn new(limits: impl IntoIterator<Item = DemandLimits>) -> Self {
        let feed =
            |limits| FeedBook { limits, names: HashMap::new(), lingering: BTreeSet::new(), shares: HashMap::new() };
        Self { feeds: limits.into_iter().map(feed).collect(), rates: HashMap::new(), terms: 0 }
    }

    /// How many names a feed has.
    pub(super) fn count(&self, feed: usize) -> usize {
        self.feeds[feed].names.len()
    }

    /// The names that a feed has, in any order.
    pub(super) fn names(&self, feed: usize) -> impl Iterator<Item = &Symbol> {
        self.feeds[feed].names.keys()
    }

    /// How many names a feed may have.
    pub(super) fn limit(&self, feed: usize) -> usize {
        self.feeds[feed].limits.symbols
    }

    /// A stream of this address, which may have so many new names in a minute, asks for a name: it has it from now on.
    ///
    /// # Errors
    /// Why the stream does not have it.
    pub(super) fn hold(
        &mut self,
        feed: usize,
        symbol: &Symbol,
        by: ClientAddress,
        per_minute: usize,
        now: Instant,
    ) -> Result<Granted, TurnedAway> {
        let FeedBook { limits, names, lingering, shares } = &mut self.feeds[feed];
        let is_new = !names.contains_key(symbol);
        let is_its_own = names.get(symbol).is_some_and(|held| held.holders.contains_key(&by));
        let is_full = is_new && names.len() >= limits.symbols;
        if is_full && lingering.is_empty() {
            return Err(TurnedAway::Full);
        }
        if !is_its_own && shares.get(&by).copied().unwrap_or_default() >= limits.per_address {
            return Err(TurnedAway::Share);
        }
        if is_new && !self.rates.entry(by).or_default().take(per_minute, now) {
            return Err(TurnedAway::Rate);
        }
        // An address has only its share of what streams have, so what lingers must not keep others out either.
        let evicted = if is_full { lingering.pop_first().map(|(_, name)| name) } else { None };
        if let Some(name) = &evicted {
            names.remove(name);
        }
        self.terms += u64::from(is_new);
        let new = || Held { term: self.terms, holders: HashMap::new(), unused_since: None };
        let held = names.entry(symbol.clone()).or_insert_with(new);
        if let Some(since) = held.unused_since.take() {
            lingering.remove(&(since, symbol.clone()));
        }
        *held.holders.entry(by).or_default() += 1;
        *shares.entry(by).or_default() += usize::from(!is_its_own);
        Ok(Granted { is_new, term: held.term, evicted })
    }

    /// A stream of this address has a name no longer, which it had in this term.
    pub(super) fn give_back(&mut self, feed: usize, symbol: &Symbol, term: u64, by: ClientAddress, now: Instant) {
        let FeedBook { names, lingering, shares, .. } = &mut self.feeds[feed];
        let Some(held) = names.get_mut(symbol).filter(|held| held.term == term) else { return };
        let Some(streams) = held.holders.get_mut(&by) else { return };
        *streams -= 1;
        if *streams > 0 {
            return;
        }
        held.holders.remove(&by);
        fewer(shares, by);
        if held.holders.is_empty() {
            held.unused_since = Some(now);
            lingering.insert((now, symbol.clone()));
        }
    }

    /// Another feed has the name from now on, whatever streams have it. Returns whether this one had it.
    pub(super) fn give_way(&mut self, feed: usize, symbol: &Symbol) -> bool {
        let FeedBook { names, lingering, shares, .. } = &mut self.feeds[feed];
        let Some(held) = names.remove(symbol) else { return false };
        if let Some(since) = held.unused_since {
            lingering.remove(&(since, symbol.clone()));
        }
        held.holders.into_keys().for_each(|by| fewer(shares, by));
        true
    }

    /// Gives up the names that no stream has had for as long as they linger; returns them.
    pub(super) fn sweep(&mut self, feed: usize, now: Instant) -> Vec<Symbol> {
        self.rates.retain(|_, rate| {
            rate.pass(now);
            rate.count > 0
        });
        let FeedBook { limits, names, lingering, .. } = &mut self.feeds[feed];
        let is_over = |since: Instant| now.saturating_duration_since(since) >= limits.linger;
        let mut over = Vec::new();
        while lingering.first().is_some_and(|(since, _)| is_over(*since)) {
            over.extend(lingering.pop_first().map(|(_, name)| name));
        }
        for name in &over {
            names.remove(name);
        }
        over
    }
}

/// An address has one name less.
fn fewer(shares: &mut HashMap<ClientAddress, usize>, by: ClientAddress) {
    if let Some(share) = shares.get_mut(&by) {
        *share -= 1;
        if *share == 0 {
            shares.remove(&by);
        }
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
