//! What a client asks for, valid by construction.

use super::{
    problem::{Problem, Quoted},
    stream_params::StreamParams,
};
use crate::{
    cache::{Cache, SymbolState},
    market::Symbol,
};
use http::{HeaderMap, header};
use std::{collections::HashSet, sync::Arc};

/// The parameters of a query, decoded, in order. What is not known is ignored: v1 grows by adding.
pub(crate) type Query = Vec<(String, String)>;

/// The symbols of a request, each once: at least one known, and no more than the limit in all.
#[derive(Clone)]
pub(crate) struct Selection {
    /// Those that a feed has, in the order in which they were named.
    pub(crate) known: Vec<Arc<SymbolState>>,
    /// Those that none has.
    pub(crate) unknown: Vec<Symbol>,
}

impl Selection {
    /// Looks up the symbols that a query names, in `symbols=A,B`, which may come more than once.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub(crate) fn from_query(query: &Query, cache: &Cache, limit: usize) -> Result<Self, Problem> {
        let lists = query.iter().filter(|(name, _)| name == "symbols");
        Self::new(lists.flat_map(|(_, list)| list.split(',')).filter(|text| !text.is_empty()), cache, limit)
    }

    /// Looks up symbols as a person may write them: lower case is folded to upper case, repeats are dropped.
    ///
    /// # Errors
    /// The problem, if there is none, one is no symbol, they are too many, or no feed has any of them.
    pub(crate) fn new<'a>(texts: impl Iterator<Item = &'a str>, cache: &Cache, limit: usize) -> Result<Self, Problem> {
        let mut seen = HashSet::new();
        let mut selection = Self { known: Vec::new(), unknown: Vec::new() };
        for text in texts {
            let symbol = Symbol::fold(text).map_err(|why| Problem::BadSymbol { text: Quoted::new(text), why })?;
            if !seen.insert(symbol.clone()) {
                continue;
            }
            if seen.len() > limit {
                return Err(Problem::TooManySymbols { limit });
            }
            match cache.get(&symbol) {
                Some(state) => selection.known.push(state),
                None => selection.unknown.push(symbol),
            }
        }
        match (selection.known.is_empty(), selection.unknown.is_empty()) {
            (true, true) => Err(Problem::NoSymbols),
            (true, false) => Err(Problem::NoneKnown),
            (false, _) => Ok(selection),
        }
    }
}

/// A stream that may be opened as far as its request goes.
#[derive(Clone)]
pub(crate) struct StreamRequest {
    /// What it carries.
    pub(crate) selection: Selection,
    /// What else was asked for.
    pub(crate) params: StreamParams,
}

impl StreamRequest {
    /// Makes one of the symbols and of what the client says of itself.
    ///
    /// # Errors
    /// [`Problem::NotAcceptable`] if the client cannot take a stream, and as [`StreamParams::new`].
    pub(crate) fn new(selection: Selection, query: &Query, headers: &HeaderMap) -> Result<Self, Problem> {
        if !accepts_stream(headers) {
            return Err(Problem::NotAcceptable);
        }
        Ok(Self { selection, params: StreamParams::new(query, headers)? })
    }
}

/// Whether `Accept` allows `text/event-stream`. A client that does not say takes everything.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    accepts.peek().is_none()
        || accepts.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let fits = ["*/*", "text/*", "text/event-stream"].iter().any(|ours| media.eq_ignore_ascii_case(ours));
            fits && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::RingLimits,
        market::{Now, Origin, SymbolError},
        wire::Epoch,
    };
    use http::HeaderValue;
    use std::time::Duration;

    fn select(list: &str, limit: usize) -> Result<(String, String), Problem> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["AAPL", "MSFT", "BRK.B"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let query = vec![("max_rate".to_owned(), "4".to_owned()), ("symbols".to_owned(), list.to_owned())];
        Selection::from_query(&query, &cache, limit).map(|selection| {
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
    fn what_is_wrong_is_said() {
        let bad = |text: &str, why| Err(Problem::BadSymbol { text: Quoted::new(text), why });
        assert_eq!(select("", 2), Err(Problem::NoSymbols));
        assert_eq!(select(",,", 2), Err(Problem::NoSymbols));
        assert_eq!(select("NOPE", 2), Err(Problem::NoneKnown));
        assert_eq!(select("AAPL,MSFT,BRK.B", 2), Err(Problem::TooManySymbols { limit: 2 }));
        assert_eq!(select("NOPE1,NOPE2,NOPE3", 2), Err(Problem::TooManySymbols { limit: 2 }));
        assert_eq!(select("AAPL,A\r\nid: 1", 2), bad("A\r\nid: 1", SymbolError::Character));
        assert_eq!(select("AAPL, MSFT", 2), bad(" MSFT", SymbolError::Character));
        assert_eq!(select(&"A".repeat(33), 2), bad(&"A".repeat(33), SymbolError::TooLong));
    }

    #[test]
    fn a_client_that_excludes_streams_gets_none() {
        for (accept, accepts) in [
            (None, true),
            (Some("text/event-stream"), true),
            (Some("*/*"), true),
            (Some("text/html, */*;q=0.8"), true),
            (Some("application/json, TEXT/*"), true),
            (Some("application/json"), false),
            (Some("text/event-stream; q=0"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            accept.map(|accept| headers.insert(header::ACCEPT, HeaderValue::from_static(accept)));
            assert_eq!(accepts_stream(&headers), accepts, "{accept:?}");
        }
    }
}
