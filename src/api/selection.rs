//! The symbols that a request names, valid by construction.

use super::error::ApiError;
use crate::{
    cache::{Cache, SymbolState},
    market::Symbol,
    server::{Query, Quoted},
};
use std::{collections::HashSet, sync::Arc};

/// The symbols of a request, each once: at least one known, and no more than the limit in all.
pub(super) struct Selection {
    /// Those that a feed has, in the order of the request.
    pub(super) known: Vec<Arc<SymbolState>>,
    /// Those that no feed has, in the same order.
    pub(super) unknown: Vec<Symbol>,
}

impl Selection {
    /// Looks up the symbols that a query names, in `symbols=A,B`, which may come more than once.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub(super) fn from_query(query: &Query, cache: &Cache, limit: usize) -> Result<Self, ApiError> {
        let names = query.all("symbols").flat_map(|list| list.split(','));
        Self::new(names.filter(|name| !name.is_empty()), cache, limit)
    }

    /// Looks up symbols as a person may write them: lower case is folded to upper case, repeats are dropped.
    ///
    /// # Errors
    /// If no symbol is named, one of the names is not a symbol, there are too many, or no feed has any of them.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>, cache: &Cache, limit: usize) -> Result<Self, ApiError> {
        let mut seen = HashSet::new();
        let mut selection = Self { known: Vec::new(), unknown: Vec::new() };
        for name in names {
            let symbol = Symbol::fold(name).map_err(|why| ApiError::BadSymbol { name: Quoted::new(name), why })?;
            if !seen.insert(symbol.clone()) {
                continue;
            }
            if seen.len() > limit {
                return Err(ApiError::TooManySymbols { limit });
            }
            match cache.get(&symbol) {
                Some(state) => selection.known.push(state),
                None => selection.unknown.push(symbol),
            }
        }
        match (selection.known.is_empty(), selection.unknown.is_empty()) {
            (true, true) => Err(ApiError::NoSymbols),
            (true, false) => Err(ApiError::NoneKnown),
            (false, _) => Ok(selection),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::RingLimits,
        market::{Now, Origin, SymbolError},
        wire::Epoch,
    };
    use std::time::Duration;

    fn select(list: &str, limit: usize) -> Result<(String, String), ApiError> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["AAPL", "MSFT", "BRK.B"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let query = vec![("max_rate".to_owned(), "4".to_owned()), ("symbols".to_owned(), list.to_owned())];
        Selection::from_query(&query.into(), &cache, limit).map(|selection| {
            let names = |list: Vec<&Symbol>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            (
                names(selection.known.iter().map(|state| state.symbol()).collect()),
                names(selection.unknown.iter().collect()),
            )
        })
    }

    #[test]
    fn symbols_are_folded_and_repeats_dropped() {
        let names = |known: &str, unknown: &str| Ok((known.to_owned(), unknown.to_owned()));
        assert_eq!(select("msft,AAPL,MSFT,aapl", 2), names("MSFT AAPL", ""));
        assert_eq!(select("AAPL,NOPE,brk.b,nope", 3), names("AAPL BRK.B", "NOPE"));
        assert_eq!(select(",AAPL,,", 1), names("AAPL", ""));
    }

    #[test]
    fn each_mistake_in_a_list_has_its_own_error() {
        let bad = |text: &str, why| Err(ApiError::BadSymbol { name: Quoted::new(text), why });
        assert_eq!(select("", 2), Err(ApiError::NoSymbols));
        assert_eq!(select(",,", 2), Err(ApiError::NoSymbols));
        assert_eq!(select("NOPE", 2), Err(ApiError::NoneKnown));
        assert_eq!(select("AAPL,MSFT,BRK.B", 2), Err(ApiError::TooManySymbols { limit: 2 }));
        assert_eq!(select("NOPE1,NOPE2,NOPE3", 2), Err(ApiError::TooManySymbols { limit: 2 }));
        assert_eq!(select("AAPL,A\r\nid: 1", 2), bad("A\r\nid: 1", SymbolError::Character));
        assert_eq!(select("AAPL, MSFT", 2), bad(" MSFT", SymbolError::Character));
        assert_eq!(select(&"A".repeat(33), 2), bad(&"A".repeat(33), SymbolError::TooLong));
    }
}
