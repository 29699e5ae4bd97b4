//! The symbols that a request names, valid by construction.

use super::{
    error::ApiError,
    rights::{self, Readable},
};
use crate::{
    cache::{Cache, SymbolState},
    demand::{DemandLease, OnDemand},
    limits::ClientAddress,
    market::{Now, Symbol, Tier},
    server::{Query, Quoted, Rights},
};
use std::{collections::HashSet, sync::Arc};

/// A stream has the feeds on demand subscribe what it asks for.
pub(super) const SUBSCRIBES: bool = true;
/// All else reads what there is.
pub(super) const READS: bool = false;

/// Where the symbols of a request are looked up.
#[derive(Clone, Copy)]
pub(super) struct Market<'a> {
    pub(super) cache: &'a Cache,
    /// Where feeds subscribe on demand.
    pub(super) on_demand: Option<&'a OnDemand>,
    /// Whether this request has them subscribe: a stream does.
    pub(super) subscribes: bool,
}

impl Market<'_> {
    fn covers(&self, symbol: &Symbol) -> bool {
        self.on_demand.is_some_and(|on_demand| on_demand.covers(symbol))
    }
}

/// The symbols of a request, each once: at least one known that its client may read, and no more than the limit in all.
pub(super) struct Selection {
    /// Those that a feed has and the client may read, live or delayed, in the order of the request.
    pub(super) known: Vec<Arc<SymbolState>>,
    /// Those that a feed subscribes on demand, each with its place in the order of the known ones, itself among them.
    pub(super) demanded: Vec<(usize, Symbol)>,
    /// Those that no feed has, in the same order.
    pub(super) unknown: Vec<Symbol>,
    /// Those that the client may not read, in the same order.
    pub(super) denied: Vec<Symbol>,
}

impl Selection {
    /// How many symbols the request names.
    pub(super) fn count(&self) -> usize {
        self.known.len() + self.demanded.len() + self.unknown.len() + self.denied.len()
    }

    /// Looks up the symbols that a query names, in `symbols=A,B`, which may come more than once.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub(super) fn from_query(
        query: &Query,
        rights: &Rights,
        market: Market<'_>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let names = query.all("symbols").flat_map(|list| list.split(','));
        Self::new(names.filter(|name| !name.is_empty()), rights, market, limit)
    }

    /// Looks up symbols as a person may write them: lower case is folded to upper case, repeats are dropped.
    ///
    /// # Errors
    /// If no symbol is named, one of the names is not a symbol, there are too many, no feed has any of them, or the
    /// client may read none, or it cannot be said yet what it may.
    pub(super) fn new<'a>(
        names: impl Iterator<Item = &'a str>,
        rights: &Rights,
        market: Market<'_>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        let cache = market.cache;
        let mut has_uncalled = false;
        rights::check(rights)?;
        let mut seen = HashSet::new();
        let mut selection = Self { known: Vec::new(), demanded: Vec::new(), unknown: Vec::new(), denied: Vec::new() };
        for name in names {
            let symbol = Symbol::fold(name).map_err(|why| ApiError::BadSymbol { name: Quoted::new(name), why })?;
            if !seen.insert(symbol.clone()) {
                continue;
            }
            if seen.len() > limit {
                return Err(ApiError::TooManySymbols { limit });
            }
            match rights::readable(rights, cache, &symbol)? {
                Readable::Live(state) | Readable::Delayed(state) => selection.known.push(state),
                Readable::Denied => {
                    // A stream remembers it, so it shares the name that the cache has.
                    let state = cache.get(&symbol).or_else(|| cache.delayed(&symbol));
                    selection.denied.push(state.map_or(symbol, |state| state.symbol().clone()));
                }
                Readable::Unknown if !market.covers(&symbol) => selection.unknown.push(symbol),
                // It is as secret as one that is subscribed.
                Readable::Unknown if !rights::allow_live(rights, &symbol) => selection.denied.push(symbol),
                Readable::Unknown if market.subscribes => {
                    let place = selection.known.len() + selection.demanded.len();
                    selection.demanded.push((place, symbol));
                }
                Readable::Unknown => {
                    has_uncalled = true;
                    selection.unknown.push(symbol);
                }
            }
        }
        if !selection.known.is_empty() || !selection.demanded.is_empty() {
            Ok(selection)
        } else if !selection.denied.is_empty() {
            Err(rights::denied(rights).into())
        } else if has_uncalled {
            Err(ApiError::NotSubscribed)
        } else if !selection.unknown.is_empty() {
            Err(ApiError::NoneKnown)
        } else {
            Err(ApiError::NoSymbols)
        }
    }

    /// Asks for those that are on demand, for a stream of this client. Afterwards all are known but those that have no
    /// room. The stream holds what is returned as long as it has them.
    pub(super) fn subscribe(
        &mut self,
        on_demand: &Arc<OnDemand>,
        by: ClientAddress,
        per_minute: usize,
        now: Now,
    ) -> Option<DemandLease> {
        let demanded = std::mem::take(&mut self.demanded);
        let is_on_demand = |state: &SymbolState| state.tier() == Tier::Live && on_demand.has(&state.feed());
        if demanded.is_empty() && !self.known.iter().any(|state| is_on_demand(state)) {
            return None;
        }
        let mut known = std::mem::take(&mut self.known).into_iter();
        let mut demanded = demanded.into_iter().peekable();
        // In the order of the request; a state that is known already may be about to be dropped.
        let mut states: Vec<Result<Arc<SymbolState>, Symbol>> = Vec::new();
        loop {
            if let Some((_, symbol)) = demanded.next_if(|(place, _)| *place == states.len()) {
                states.push(Err(symbol));
                continue;
            }
            let Some(state) = known.next() else { break };
            states.push(if is_on_demand(&state) { Err(state.symbol().clone()) } else { Ok(state) });
        }
        let names: Vec<Symbol> = states.iter().filter_map(|state| state.as_ref().err().cloned()).collect();
        let (asked, lease) = on_demand.ask(&names, by, per_minute, now);
        let mut asked = asked.into_iter();
        for state in states {
            match state {
                Ok(state) => self.known.push(state),
                Err(symbol) => match asked.next().flatten() {
                    Some(state) => self.known.push(state),
                    None => self.unknown.push(symbol),
                },
            }
        }
        Some(lease)
    }

    /// Those of the known ones whose prices are delayed, in the same order.
    pub(super) fn delayed(&self) -> Vec<Symbol> {
        let delayed = self.known.iter().filter(|state| state.tier() == Tier::Delayed);
        delayed.map(|state| state.symbol().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::Refusal,
        auth::{Groups, Lists, Policy},
        cache::RingLimits,
        config,
        demand::DemandFeed,
        market::{Now, Origin, SymbolError},
        venue,
        wire::Epoch,
    };
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Duration,
    };

    fn select(list: &str, limit: usize) -> Result<(String, String), ApiError> {
        select_as(&Rights::All, list, limit).map(|[known, unknown, _]| (known, unknown))
    }

    fn select_as(rights: &Rights, list: &str, limit: usize) -> Result<[String; 3], ApiError> {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["AAPL", "MSFT", "BRK.B"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        let query = vec![("max_rate".to_owned(), "4".to_owned()), ("symbols".to_owned(), list.to_owned())];
        Selection::from_query(&query.into(), rights, Market { cache: &cache, on_demand: None, subscribes: true }, limit)
            .map(|selection| {
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

    /// Feeds that subscribe `X-…` on demand.
    fn on_demand(cache: &Arc<Cache>) -> Arc<OnDemand> {
        let settings = config::OnDemand {
            patterns: vec!["X-*".parse().unwrap()],
            symbols_max: 8,
            linger: Duration::from_secs(60),
        };
        let feed = config::Feed { on_demand: Some(settings), ..config::Feed::new(venue::DEFAULT, Vec::new()) };
        let feed = DemandFeed::new(&feed, tokio::sync::mpsc::channel(8).0).unwrap();
        Arc::new(OnDemand::new(cache.clone(), vec![feed]).unwrap())
    }

    #[test]
    fn a_symbol_is_subscribed_for_a_stream_whose_client_may_read_it_and_in_its_place() {
        let cache = Arc::new(Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) }));
        cache.register("AAPL".parse().unwrap(), "listed".into(), Origin::Sim, Now::read()).unwrap();
        let on_demand = on_demand(&cache);
        let by = || IpAddr::V4(Ipv4Addr::LOCALHOST).into();
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let granted = |live: &[&str], delayed: &[&str]| {
            let lists = Lists { live: patterns(live), delayed: patterns(delayed) };
            Rights::Granted(Policy::new(Groups::default(), &Lists::default(), &lists, 1).anonymous())
        };
        let select = |rights: &Rights, list: &str, subscribes| {
            let market = Market { cache: &cache, on_demand: Some(&on_demand), subscribes };
            Selection::new(list.split(','), rights, market, 9)
        };
        let names = |symbols: &[Symbol]| symbols.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        // None of these has a symbol subscribed.
        assert_eq!(select(&Rights::All, "X-1", false).err(), Some(ApiError::NotSubscribed));
        assert_eq!(names(&select(&Rights::All, "AAPL,X-1", false).unwrap().unknown), "X-1");
        for rights in [granted(&["AAPL"], &[]), granted(&["AAPL"], &["*"])] {
            let mut denied = select(&rights, "AAPL,X-1,NOPE", true).unwrap();
            assert!(denied.subscribe(&on_demand, by(), 9, Now::read()).is_none());
            assert_eq!((names(&denied.denied), names(&denied.unknown)), ("X-1".to_owned(), "NOPE".to_owned()));
        }
        assert_eq!(cache.len(), 1);

        let mut selection = select(&granted(&["*"], &[]), "X-2,AAPL,NOPE,X-1", true).unwrap();
        assert_eq!((selection.count(), selection.known.len()), (4, 1));
        let _lease = selection.subscribe(&on_demand, by(), 9, Now::read()).unwrap();
        let known: Vec<Symbol> = selection.known.iter().map(|state| state.symbol().clone()).collect();
        assert_eq!((names(&known), names(&selection.unknown)), ("X-2 AAPL X-1".to_owned(), "NOPE".to_owned()));
        assert_eq!(cache.len(), 3);
        // Subscribed by now, it is as secret as before.
        let denied = select(&granted(&["AAPL"], &[]), "AAPL,X-1", true).unwrap();
        assert_eq!(names(&denied.denied), "X-1");
        let mut again = select(&Rights::All, "X-1,AAPL", true).unwrap();
        let _lease = again.subscribe(&on_demand, by(), 9, Now::read());
        assert!(Arc::ptr_eq(&again.known[0], &selection.known[2]));
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
