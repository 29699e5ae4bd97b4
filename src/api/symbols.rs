//! `/v1/symbols`: what can be asked for.

use super::{
    error::ApiError,
    rights::{self, Readable},
};
use crate::{
    access::Refusal,
    cache::{Cache, SymbolState},
    demand::OnDemand,
    market::{Currency, Digits, Facts, InstrumentKind, Name, Symbol},
    server::{Parameter, Query, Quoted, Response, Rights, json},
};
use serde::{Serialize, Serializer};
use std::{collections::BTreeSet, sync::Arc};

const PARAMETERS: [Parameter; 4] =
    [Parameter::Scalar("prefix"), Parameter::Scalar("q"), Parameter::List("symbols"), Parameter::Scalar("limit")];
/// How many symbols are listed unless the client says.
const LISTED: usize = 100;
/// How many are listed at most: about 150 KB, and 450 KB with the longest names.
const LISTED_MAX: usize = 1_000;

/// The answer, with its keys in the order of their names.
#[derive(Serialize)]
struct Listing {
    more: bool,
    symbols: Vec<Listed>,
}

struct Listed {
    state: Arc<SymbolState>,
    /// What is known of it besides its prices.
    facts: Arc<Facts>,
    /// A client that may not read the symbol does not learn that it is halted, either.
    shows_state: bool,
    /// Where clients sign on, how this one may read it.
    access: Option<&'static str>,
    /// Whether its feed has it because streams ask for it.
    on_demand: bool,
}

/// A symbol on the wire. What is unknown is left out.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    feed: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    on_demand: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    price_digits: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_digits: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    symbol: &'a str,
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Facts { name, currency, kind, price_digits, size_digits } = &*self.facts;
        let entry = Entry {
            access: self.access,
            currency: currency.as_ref().map(Currency::as_str),
            feed: &self.state.feed(),
            kind: kind.map(InstrumentKind::word),
            name: name.as_ref().map(Name::as_str),
            on_demand: self.on_demand,
            price_digits: price_digits.map(Digits::count),
            size_digits: size_digits.map(Digits::count),
            state: self.shows_state.then(|| self.state.newest().snapshot.state().name()),
            symbol: self.state.symbol().as_str(),
        };
        entry.serialize(serializer)
    }
}

/// How many symbols a query has to look at, at most: a search looks at all.
pub(super) fn looked_at(query: &Query, cache: &Cache) -> usize {
    if query.first("symbols").is_some() {
        query.all("symbols").map(|list| list.split(',').count()).sum()
    } else if query.first("q").is_some() {
        cache.len()
    } else {
        query.limit(LISTED, LISTED_MAX).unwrap_or_default()
    }
}

/// The symbols that start with `prefix=` and contain `q=`, by name, `limit=` of them; of those in `symbols=`, where it
/// names some. Of those that contain it, the ones that begin with it come first.
///
/// # Errors
/// As [`Query::check`] and [`Query::limit`]; where `symbols=` has more than `symbols_max`, or what is not a symbol; and
/// where it cannot be said yet what the client may read.
pub(super) fn symbols(
    query: &Query,
    rights: &Rights,
    cache: &Cache,
    on_demand: Option<&OnDemand>,
    symbols_max: usize,
) -> Result<Response, ApiError> {
    query.check(&PARAMETERS)?;
    let limit = query.limit(LISTED, LISTED_MAX)?;
    let prefix = query.first("prefix").unwrap_or_default().to_ascii_uppercase();
    let named = named(query, symbols_max)?;
    rights::check(rights)?;
    let (listed, more) = match (named, query.first("q")) {
        (Some(named), typed) => cache.search_among(&named, &prefix, typed.unwrap_or_default(), limit),
        (None, Some(typed)) => cache.search(&prefix, typed, limit),
        (None, None) => cache.list(&prefix, limit),
    };
    let is_on_demand = |state: &SymbolState| on_demand.is_some_and(|on_demand| on_demand.has(&state.feed()));
    let listed = listed.into_iter().map(|state| {
        let on_demand = is_on_demand(&state);
        entry(rights, cache, state).map(|entry| Listed { on_demand, ..entry })
    });
    let symbols = listed.collect::<Result<_, Refusal>>()?;
    let listing = Listing { more, symbols };
    Ok(json(serde_json::to_vec(&listing).expect("a listing has only strings and small numbers")))
}

/// The symbols that the query names, each once, in their order; `None`: it names none.
fn named(query: &Query, symbols_max: usize) -> Result<Option<BTreeSet<Symbol>>, ApiError> {
    if query.first("symbols").is_none() {
        return Ok(None);
    }
    let mut named = BTreeSet::new();
    for name in query.all("symbols").flat_map(|list| list.split(',')).filter(|name| !name.is_empty()) {
        named.insert(Symbol::fold(name).map_err(|why| ApiError::BadSymbol { name: Quoted::new(name), why })?);
        if named.len() > symbols_max {
            return Err(ApiError::TooManySymbols { limit: symbols_max });
        }
    }
    Ok(Some(named))
}

/// A symbol as a client may see it, from the state that the cache lists of it: the live one where there are two, whose
/// facts count for both.
fn entry(rights: &Rights, cache: &Cache, listed: Arc<SymbolState>) -> Result<Listed, Refusal> {
    let facts = listed.facts();
    let all = Listed { state: listed, facts, shows_state: true, access: None, on_demand: false };
    if let Rights::All = rights {
        return Ok(all);
    }
    let readable = rights::readable(rights, cache, all.state.symbol())?;
    let access = Some(readable.word());
    Ok(match readable {
        Readable::Live(state) | Readable::Delayed(state) => Listed { state, access, ..all },
        Readable::Denied | Readable::Unknown => Listed { shows_state: false, access, ..all },
    })
}
