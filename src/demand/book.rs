//! Which names feeds have on demand, and who may ask for another one: pure.

use crate::{limits::ClientAddress, market::Symbol};
use std::{
    collections::HashMap,
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
    /// How long a name stays that no stream wants.
    pub(super) linger: Duration,
}

/// Why a name is not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// The feed has as many names as it may.
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
    /// When each address has all of its new names of a minute again: in a minute at most.
    rates: HashMap<ClientAddress, Instant>,
}

#[derive(Debug)]
struct FeedBook {
    limits: DemandLimits,
    names: HashMap<Symbol, Held>,
    /// How many names the streams of each address have.
    shares: HashMap<ClientAddress, usize>,
}

#[derive(Debug)]
struct Held {
    /// How many streams of each address have it.
    holders: HashMap<ClientAddress, u32>,
    /// When a stream asked for it last, or gave it back.
    used: Instant,
}

impl Book {
    /// A book without names.
    pub(super) fn new(limits: impl IntoIterator<Item = DemandLimits>) -> Self {
        let feed = |limits| FeedBook { limits, names: HashMap::new(), shares: HashMap::new() };
        Self { feeds: limits.into_iter().map(feed).collect(), rates: HashMap::new() }
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
    /// Returns whether the feed did not have the name before.
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
    ) -> Result<bool, TurnedAway> {
        let FeedBook { limits, names, shares } = &mut self.feeds[feed];
        let is_new = !names.contains_key(symbol);
        let is_its_own = names.get(symbol).is_some_and(|held| held.holders.contains_key(&by));
        if is_new && names.len() >= limits.symbols {
            return Err(TurnedAway::Full);
        }
        if !is_its_own && shares.get(&by).copied().unwrap_or_default() >= limits.per_address {
            return Err(TurnedAway::Share);
        }
        if is_new {
            let period = MINUTE / u32::try_from(per_minute.max(1)).unwrap_or(u32::MAX);
            let whole = self.rates.get(&by).copied().unwrap_or(now).max(now) + period;
            if whole > now + MINUTE {
                return Err(TurnedAway::Rate);
            }
            self.rates.insert(by, whole);
        }
        let held = names.entry(symbol.clone()).or_insert_with(|| Held { holders: HashMap::new(), used: now });
        held.used = now;
        *held.holders.entry(by).or_default() += 1;
        *shares.entry(by).or_default() += usize::from(!is_its_own);
        Ok(is_new)
    }

    /// A stream of this address has a name no longer.
    pub(super) fn give_back(&mut self, feed: usize, symbol: &Symbol, by: ClientAddress, now: Instant) {
        let FeedBook { names, shares, .. } = &mut self.feeds[feed];
        let Some(held) = names.get_mut(symbol) else { return };
        held.used = now;
        let Some(streams) = held.holders.get_mut(&by) else { return };
        *streams -= 1;
        if *streams > 0 {
            return;
        }
        held.holders.remove(&by);
        if let Some(share) = shares.get_mut(&by) {
            *share -= 1;
            if *share == 0 {
                shares.remove(&by);
            }
        }
    }

    /// Gives up the names that no stream has had for as long as they linger; returns them.
    pub(super) fn sweep(&mut self, feed: usize, now: Instant) -> Vec<Symbol> {
        self.rates.retain(|_, whole| *whole > now);
        let FeedBook { limits, names, .. } = &mut self.feeds[feed];
        let linger = limits.linger;
        let is_over = |held: &Held| held.holders.is_empty() && now.saturating_duration_since(held.used) >= linger;
        names.extract_if(|_, held| is_over(held)).map(|(symbol, _)| symbol).collect()
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
