//! `/v1/symbols`: what can be asked for.

use super::{
    error::ApiError,
    rights::{self, Readable},
};
use crate::{
    access::Refusal,
    cache::{Cache, SymbolState},
    demand::OnDemand,
    server::{Parameter, Query, Response, Rights, json},
};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};
use std::sync::Arc;

const PARAMETERS: [Parameter; 3] = [Parameter::Scalar("prefix"), Parameter::Scalar("q"), Parameter::Scalar("limit")];
/// How many symbols are listed unless the client says.
const LISTED: usize = 100;
/// How many are listed at most: about 60 KB.
const LISTED_MAX: usize = 1_000;

/// The answer, with its keys in the order of their names.
#[derive(Serialize)]
struct Listing {
    more: bool,
    symbols: Vec<Listed>,
}

struct Listed {
    state: Arc<SymbolState>,
    /// A client that may not read the symbol does not learn that it is halted, either.
    shows_state: bool,
    /// Where clients sign on, how this one may read it.
    access: Option<&'static str>,
    /// Whether its feed has it because streams ask for it.
    on_demand: bool,
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let optional = [self.access.is_some(), self.on_demand, self.shows_state].map(usize::from);
        let fields = 2 + optional.iter().sum::<usize>();
        let mut listed = serializer.serialize_struct("Listed", fields)?;
        if let Some(access) = self.access {
            listed.serialize_field("access", access)?;
        }
        listed.serialize_field("feed", &*self.state.feed())?;
        if self.on_demand {
            listed.serialize_field("on_demand", &true)?;
        }
        if self.shows_state {
            listed.serialize_field("state", self.state.newest().snapshot.state().name())?;
        }
        listed.serialize_field("symbol", self.state.symbol().as_str())?;
        listed.end()
    }
}

/// How many symbols a query has to look at, at most: a search looks at all.
pub(super) fn looked_at(query: &Query, cache: &Cache) -> usize {
    if query.first("q").is_some() { cache.len() } else { query.limit(LISTED, LISTED_MAX).unwrap_or_default() }
}

/// The symbols that start with `prefix=` and contain `q=`, by name, `limit=` of them. Of those that contain it, the
/// ones that begin with it come first.
///
/// # Errors
/// As [`Query::check`] and [`Query::limit`], and where it cannot be said yet what the client may read.
pub(super) fn symbols(
    query: &Query,
    rights: &Rights,
    cache: &Cache,
    on_demand: Option<&OnDemand>,
) -> Result<Response, ApiError> {
    query.check(&PARAMETERS)?;
    let limit = query.limit(LISTED, LISTED_MAX)?;
    let prefix = query.first("prefix").unwrap_or_default().to_ascii_uppercase();
    rights::check(rights)?;
    let (listed, more) = match query.first("q") {
        Some(typed) => cache.search(&prefix, typed, limit),
        None => cache.list(&prefix, limit),
    };
    let is_on_demand = |state: &SymbolState| on_demand.is_some_and(|on_demand| on_demand.has(&state.feed()));
    let listed = listed.into_iter().map(|state| {
        let on_demand = is_on_demand(&state);
        entry(rights, cache, state).map(|entry| Listed { on_demand, ..entry })
    });
    let symbols = listed.collect::<Result<_, Refusal>>()?;
    let listing = Listing { more, symbols };
    Ok(json(serde_json::to_vec(&listing).expect("a listing has only strings")))
}

/// A symbol as a client may see it, from the state that the cache lists of it.
fn entry(rights: &Rights, cache: &Cache, listed: Arc<SymbolState>) -> Result<Listed, Refusal> {
    if let Rights::All = rights {
        return Ok(Listed { state: listed, shows_state: true, access: None, on_demand: false });
    }
    let readable = rights::readable(rights, cache, listed.symbol())?;
    let access = Some(readable.word());
    Ok(match readable {
        Readable::Live(state) | Readable::Delayed(state) => {
            Listed { state, shows_state: true, access, on_demand: false }
        }
        Readable::Denied | Readable::Unknown => Listed { state: listed, shows_state: false, access, on_demand: false },
    })
}
