//! The symbols that a request names, valid by construction.

use super::{error::ApiError, rights};
use crate::{
    auth::Access,
    cache::{Cache, SymbolState},
    market::Symbol,
    server::{Query, Quoted, Rights},
};
use std::{collections::HashSet, sync::Arc};

/// The symbols of a request, each once: at least one known that its client may read, and no more than the limit in all.
pub(super) struct Selection {
    /// Those that a feed has and the client may read, in the order of the request.
    pub(super) known: Vec<Arc<SymbolState>>,
    /// Those that no feed has, in the same order.
    pub(super) unknown: Vec<Symbol>,
    /// Those that the client may not read, in the same order.
    pub(super) denied: Vec<Symbol>,
}

impl Selection {
    /// How many symbols the request names.
    pub(super) fn count(&self) -> usize {
        self.known.len() + self.unknown.len() + self.denied.len()
    }

    /// Looks up the symbols that a query names, in `symbols=A,B`, which may come more than once.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub(super) fn from_query(query: &Query, rights: &Rights, cache: &Cache, limit: usize) -> Result<Self, ApiError> {
        let names = query.all("symbols").flat_map(|list| list.split(','));
        Self::new(names.filter(|name| !name.is_empty()), rights, cache, limit)
    }

    /// Looks up symbols as a person may write them: lower case is folded to upper case, repeats are dropped.
    ///
    /// # Errors
    /// If no symbol is named, one of the names is not a symbol, there are too many, no feed has any of them, or the
    /// client may read none, or it cannot be said yet what it may.
    pub(super) fn new<'a>(
        names: impl Iterator<Item = &'a str>,
        rights: &Rights,
        cache: &Cache,
        limit: usize,
    ) -> Result<Self, ApiError> {
        rights::check(rights)?;
        let mut seen = HashSet::new();
        let mut selection = Self { known: Vec::new(), unknown: Vec::new(), denied: Vec::new() };
        for name in names {
            let symbol = Symbol::fold(name).map_err(|why| ApiError::BadSymbol { name: Quoted::new(name), why })?;
            if !seen.insert(symbol.clone()) {
                continue;
            }
            if seen.len() > limit {
                return Err(ApiError::TooManySymbols { limit });
            }
            match cache.get(&symbol) {
                Some(state) if rights::access(rights, &symbol)? == Access::Live => selection.known.push(state),
                // Its name is shared: a stream remembers it.
                Some(state) => selection.denied.push(state.symbol().clone()),
                None => selection.unknown.push(symbol),
            }
        }
        if !selection.known.is_empty() {
            Ok(selection)
        } else if !selection.denied.is_empty() {
            Err(rights::denied(rights).into())
        } else if !selection.unknown.is_empty() {
            Err(ApiError::NoneKnown)
        } else {
            Err(ApiError::NoSymbols)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Refusal,
        auth::{Groups, Lists, Policy},
        cache::RingLimits,
        market::{Now, Origin, SymbolError},
        wire::Epoch,
    };
    use std::time::Duration;

    fn select(list: &str, limit: usize) -> Result<(String, String), ApiError> {
        select_as(&Rights::All, list, limit).map(|[known, unknown, _]| (known, unknown))
    }

    fn select_as(rights: &Rights, list: &str, limit: usize) -> Result<[String; 3], ApiError> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["AAPL", "MSFT", "BRK.B"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let query = vec![("max_rate".to_owned(), "4".to_owned()), ("symbols".to_owned(), list.to_owned())];
        Selection::from_query(&query.into(), rights, &cache, limit).map(|selection| {
            let names = |list: Vec<&Symbol>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            [
                names(selection.known.iter().map(|state| state.symbol()).collect()),
                names(selection.unknown.iter().collect()),
                names(selection.denied.iter().collect()),
            ]
        })
    }

    #[test]
    fn a_symbol_that_the_client_may_not_read_is_left_out_and_named() {
        let grant = |live: &[&str], delayed: &[&str]| {
            let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
            let lists = Lists { live: patterns(live), delayed: patterns(delayed) };
            Rights::Granted(Policy::new(Groups::default(), &Lists::default(), &lists, 1).anonymous())
        };
        let names = |known: &str, unknown: &str, denied: &str| Ok([known, unknown, denied].map(str::to_owned));
        let list = "MSFT,NOPE,AAPL,BRK.B";
        assert_eq!(select_as(&grant(&["*"], &[]), list, 4), names("MSFT AAPL BRK.B", "NOPE", ""));
        assert_eq!(select_as(&grant(&["AAPL"], &["*"]), list, 4), names("AAPL", "NOPE", "MSFT BRK.B"));
        assert_eq!(select_as(&grant(&[], &["*"]), list, 4), Err(Refusal::NotForAll.into()));
        assert_eq!(select_as(&grant(&[], &[]), "NOPE", 4), Err(ApiError::NoneKnown));
        assert_eq!(select_as(&grant(&[], &[]), "", 4), Err(ApiError::NoSymbols));
        assert_eq!(select_as(&grant(&["*"], &[]), list, 3), Err(ApiError::TooManySymbols { limit: 3 }));
        assert_eq!(select_as(&Rights::Unknown, list, 4), Err(Refusal::NoKeys.into()));
        assert_eq!(select_as(&Rights::Unknown, "NOPE", 4), Err(Refusal::NoKeys.into()));
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
