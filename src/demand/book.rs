//! Which names feeds have on demand, and who may ask for another one: pure.

use crate::{cache::Demand, limits::ClientAddress, market::Symbol};
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
    /// The most of them that streams of one address have asked for.
    pub(super) per_address: usize,
    /// How long a name stays that no stream wants.
    pub(super) linger: Duration,
}

/// Why a name is not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// The feed has as many names as it may.
    Full,
    /// The streams of this address have asked for as many as they may.
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
    /// How many of them the streams of each address have asked for first.
    shares: HashMap<ClientAddress, usize>,
}

#[derive(Debug)]
struct Held {
    /// Who asked for it first.
    by: ClientAddress,
    /// When a stream asked for it last.
    asked: Instant,
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

    /// A stream asks for a name that its feed has: it lingers from now on. Returns whether the feed has it.
    pub(super) fn touch(&mut self, feed: usize, symbol: &Symbol, now: Instant) -> bool {
        match self.feeds[feed].names.get_mut(symbol) {
            Some(held) => {
                held.asked = now;
                true
            }
            None => false,
        }
    }

    /// A stream of this address, which may have so many new names in a minute, asks for a name that no feed has. It is
    /// held from now on.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn hold(
        &mut self,
        feed: usize,
        symbol: &Symbol,
        by: ClientAddress,
        per_minute: usize,
        now: Instant,
    ) -> Result<(), TurnedAway> {
        let FeedBook { limits, names, shares } = &mut self.feeds[feed];
        if names.len() >= limits.symbols {
            return Err(TurnedAway::Full);
        }
        if shares.get(&by).copied().unwrap_or_default() >= limits.per_address {
            return Err(TurnedAway::Share);
        }
        let whole = self.rates.get(&by).copied().unwrap_or(now).max(now) + MINUTE / per_minute.max(1) as u32;
        if whole > now + MINUTE {
            return Err(TurnedAway::Rate);
        }
        self.rates.insert(by, whole);
        names.insert(symbol.clone(), Held { by, asked: now });
        *shares.entry(by).or_default() += 1;
        Ok(())
    }

    /// The same for a name that streams want already, of any address: only the feed's own limit counts.
    pub(super) fn hold_again(&mut self, feed: usize, symbol: &Symbol, by: ClientAddress, now: Instant) -> bool {
        let FeedBook { limits, names, shares } = &mut self.feeds[feed];
        let has_room = names.len() < limits.symbols;
        if has_room && names.insert(symbol.clone(), Held { by, asked: now }).is_none() {
            *shares.entry(by).or_default() += 1;
        }
        has_room
    }

    /// Gives up names that no stream has wanted for as long as they linger; returns them, each with the address that
    /// asked for it. `wanted` says whether streams want a name.
    pub(super) fn sweep(
        &mut self,
        feed: usize,
        now: Instant,
        mut wanted: impl FnMut(&Symbol) -> Demand,
    ) -> Vec<(Symbol, ClientAddress)> {
        self.rates.retain(|_, whole| *whole > now);
        let FeedBook { limits, names, shares } = &mut self.feeds[feed];
        let is_over = |held: &Held, demand| {
            let since = match demand {
                Demand::Now => return false,
                Demand::Until(left) => left.max(held.asked),
                Demand::Never => held.asked,
            };
            now.saturating_duration_since(since) >= limits.linger
        };
        let given_up: Vec<(Symbol, ClientAddress)> = names
            .iter()
            .filter(|(symbol, held)| is_over(held, wanted(symbol)))
            .map(|(symbol, held)| (symbol.clone(), held.by))
            .collect();
        for (symbol, by) in &given_up {
            names.remove(symbol);
            if let Some(share) = shares.get_mut(by) {
                *share -= 1;
                if *share == 0 {
                    shares.remove(by);
                }
            }
        }
        given_up
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
