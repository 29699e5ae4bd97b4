//! The list of a connection: which symbol has which place. Pure.
//!
//! Updates and answers name a symbol by its place, so a place that was left rests until nothing that is under way can
//! mean the symbol that had it.

use crate::{
    market::{FeedSymbol, Symbol},
    venue::ListedSymbol,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    mem::take,
};

/// The places of a connection.
#[derive(Debug, Default)]
pub(super) struct Places {
    symbols: Vec<Option<ListedSymbol>>,
    by_symbol: HashMap<Symbol, FeedSymbol>,
    free: Vec<FeedSymbol>,
    /// With the request whose answer, and those of all before it, each awaits. Oldest first.
    resting: VecDeque<(FeedSymbol, u64)>,
    untold: Untold,
}

/// Changes that the venue has not been told of. However often the list changes, each place is here once.
#[derive(Debug, Default)]
pub(super) struct Untold {
    added: BTreeMap<FeedSymbol, ListedSymbol>,
    removed: Vec<FeedSymbol>,
}

impl Places {
    /// The number of symbols.
    pub(super) fn len(&self) -> usize {
        self.by_symbol.len()
    }

    /// The list, in the order of the places.
    pub(super) fn listed(&self) -> Vec<(FeedSymbol, ListedSymbol)> {
        let places = FeedSymbol::all(self.symbols.len()).zip(&self.symbols);
        places.filter_map(|(place, symbol)| Some((place, symbol.clone()?))).collect()
    }

    /// The list without the places.
    pub(super) fn symbols(&self) -> Vec<ListedSymbol> {
        self.symbols.iter().flatten().cloned().collect()
    }

    /// The names of the list.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.symbols.iter().flatten().map(|listed| listed.symbol.as_str())
    }

    /// All places that are taken.
    pub(super) fn taken(&self) -> impl Iterator<Item = FeedSymbol> {
        FeedSymbol::all(self.symbols.len()).filter(|place| self.symbols[place.index()].is_some())
    }

    /// Gives a symbol a place; `None` where it has one.
    pub(super) fn add(&mut self, symbol: &ListedSymbol) -> Option<FeedSymbol> {
        if self.by_symbol.contains_key(&symbol.symbol) {
            return None;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.symbols.push(None);
            FeedSymbol(u32::try_from(self.symbols.len() - 1).unwrap_or(u32::MAX))
        });
        self.symbols[place.index()] = Some(symbol.clone());
        self.by_symbol.insert(symbol.symbol.clone(), place);
        self.untold.added.insert(place, symbol.clone());
        Some(place)
    }

    /// The symbol leaves its place. Where the venue was never told of it, nothing can mean it.
    pub(super) fn remove(&mut self, symbol: &Symbol) -> Option<FeedSymbol> {
        let place = self.by_symbol.remove(symbol)?;
        self.symbols[place.index()] = None;
        match self.untold.added.remove(&place) {
            Some(_) => self.free.push(place),
            None => self.untold.removed.push(place),
        }
        Some(place)
    }

    /// Whether a symbol has this place.
    pub(super) fn is_taken(&self, place: FeedSymbol) -> bool {
        self.symbols.get(place.index()).is_some_and(Option::is_some)
    }

    /// Whether there is something that the venue has not been told of.
    pub(super) fn is_untold(&self) -> bool {
        !self.untold.added.is_empty() || !self.untold.removed.is_empty()
    }

    /// Whether the venue does not know yet that a symbol was removed.
    pub(super) fn has_untold_removals(&self) -> bool {
        !self.untold.removed.is_empty()
    }

    /// What the venue has to be told. The places that were left must rest, or be freed.
    pub(super) fn tell(&mut self) -> (Vec<(FeedSymbol, ListedSymbol)>, Vec<FeedSymbol>) {
        let Untold { added, removed } = take(&mut self.untold);
        (added.into_iter().collect(), removed)
    }

    /// A place that nothing can mean may be taken again.
    pub(super) fn free(&mut self, place: FeedSymbol) {
        self.free.push(place);
    }

    /// A place rests until each request up to this one has its answer.
    pub(super) fn rest(&mut self, place: FeedSymbol, request: u64) {
        self.resting.push_back((place, request));
    }

    /// Requests up to this one follow from those before: what they ask for again may be of a place that rests.
    pub(super) fn rest_until(&mut self, request: u64) {
        for (_, until) in &mut self.resting {
            *until = (*until).max(request);
        }
    }

    /// Frees the places that have rested for long enough.
    pub(super) fn wake(&mut self, has_answers_up_to: impl Fn(u64) -> bool) {
        let (rested, resting) =
            take(&mut self.resting).into_iter().partition::<Vec<_>, _>(|(_, id)| has_answers_up_to(*id));
        self.resting = resting.into();
        self.free.extend(rested.into_iter().map(|(place, _)| place));
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
