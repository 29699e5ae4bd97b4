//! What a client may read of what there is.

use super::error::ApiError;
use crate::{
    access::{Refusal, has_other_scheme},
    auth::{Access, Grant},
    cache::{Cache, SymbolState},
    fanout::OpenRights,
    market::Symbol,
    server::Rights,
};
use http::HeaderMap;
use std::sync::Arc;

/// What a client may read of a symbol.
pub(super) enum Readable {
    /// Its live prices.
    Live(Arc<SymbolState>),
    /// Its delayed prices: the client may not read live ones, or there are none.
    Delayed(Arc<SymbolState>),
    /// Nothing, though a feed has it.
    Denied,
    /// No feed has it.
    Unknown,
}

/// What a client may read of a symbol: live prices where it may and there are some, else delayed ones. A right to
/// delayed prices is worth nothing where there are none.
///
/// # Errors
/// [`Refusal::NoKeys`]: it cannot be said yet.
pub(super) fn readable(rights: &Rights, cache: &Cache, symbol: &Symbol) -> Result<Readable, Refusal> {
    let access = match rights {
        Rights::All => Access::Live,
        Rights::Granted(grant) => grant.access(symbol),
        Rights::Unknown => return Err(Refusal::NoKeys),
    };
    let live = cache.get(symbol);
    Ok(match (access, live) {
        (Access::Live, Some(live)) => Readable::Live(live),
        (Access::Live | Access::Delayed, live) => match cache.delayed(symbol) {
            Some(delayed) => Readable::Delayed(delayed),
            None if live.is_some() => Readable::Denied,
            None => Readable::Unknown,
        },
        (Access::Denied, live) if live.is_some() || cache.delayed(symbol).is_some() => Readable::Denied,
        (Access::Denied, _) => Readable::Unknown,
    })
}

/// Whether a client may read a state that the cache may have no longer.
pub(super) fn allow(rights: &Rights, state: &SymbolState) -> bool {
    match rights {
        Rights::All => true,
        Rights::Granted(grant) => grant.allows(state.symbol(), state.tier()),
        Rights::Unknown => false,
    }
}

impl OpenRights for Grant {
    fn allow(&self, state: &SymbolState) -> bool {
        self.allows(state.symbol(), state.tier())
    }
}

/// Whether a client may read the live prices of a symbol, if there are some.
pub(super) fn allow_live(rights: &Rights, symbol: &Symbol) -> bool {
    match rights {
        Rights::All => true,
        Rights::Granted(grant) => grant.access(symbol) == Access::Live,
        Rights::Unknown => false,
    }
}

/// Checks that it can be said what a client may read.
///
/// # Errors
/// [`Refusal::NoKeys`].
pub(super) fn check(rights: &Rights) -> Result<(), Refusal> {
    match rights {
        Rights::All | Rights::Granted(_) => Ok(()),
        Rights::Unknown => Err(Refusal::NoKeys),
    }
}

/// The same error, which also says that an `Authorization` does not count, where that is so.
pub(super) fn explained(error: ApiError, headers: &HeaderMap) -> ApiError {
    match error {
        ApiError::Refused(Refusal::NotForAll) if has_other_scheme(headers) => Refusal::NotForAllByOtherScheme.into(),
        error => error,
    }
}

/// Why a client may read none of the symbols that it asks for.
pub(super) fn denied(rights: &Rights) -> Refusal {
    match rights {
        Rights::Granted(grant) if grant.subject.is_none() => Refusal::NotForAll,
        _ => Refusal::NotEntitled,
    }
}

impl Readable {
    /// The state to read, if there is one.
    pub(super) fn state(self) -> Option<Arc<SymbolState>> {
        match self {
            Self::Live(state) | Self::Delayed(state) => Some(state),
            Self::Denied | Self::Unknown => None,
        }
    }

    /// The word for it, as the wire has it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Live(_) => "live",
            Self::Delayed(_) => "delayed",
            Self::Denied | Self::Unknown => "denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::{Groups, Lists, Policy},
        cache::RingLimits,
        market::{Now, Origin},
        wire::Epoch,
    };
    use std::{num::NonZero, time::Duration};

    /// LIVE has live prices alone, LATE delayed ones, BOTH both, and NOPE none.
    fn cache() -> Cache {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["LIVE", "BOTH"] {
            cache.register(symbol.parse().unwrap(), "x".into(), Origin::Market, Now::read()).unwrap();
        }
        for symbol in ["LATE", "BOTH"] {
            let delay = NonZero::new(900).unwrap();
            cache.register_delayed(symbol.parse().unwrap(), "x".into(), Origin::Delayed, delay, Now::read()).unwrap();
        }
        cache
    }

    fn granted(live: &[&str], delayed: &[&str]) -> Rights {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let lists = Lists { live: patterns(live), delayed: patterns(delayed) };
        Rights::Granted(Policy::new(Groups::default(), &Lists::default(), &lists, 1).anonymous())
    }

    #[test]
    fn a_client_reads_live_prices_where_it_may_else_delayed_ones_where_there_are_some() {
        let cache = cache();
        for (rights, expected) in [
            (Rights::All, "live delayed live unknown"),
            (granted(&["*"], &[]), "live delayed live unknown"),
            (granted(&["*"], &["*"]), "live delayed live unknown"),
            (granted(&[], &["*"]), "denied delayed delayed unknown"),
            (granted(&["LIVE"], &["BOTH"]), "live denied delayed unknown"),
            (granted(&["LATE"], &["LIVE"]), "denied delayed denied unknown"),
            (granted(&[], &[]), "denied denied denied unknown"),
        ] {
            let found = ["LIVE", "LATE", "BOTH", "NOPE"].map(|name| {
                match readable(&rights, &cache, &name.parse().unwrap()).unwrap() {
                    Readable::Unknown => "unknown",
                    other => {
                        let word = other.word();
                        let tier = other.state().map_or("denied", |state| state.tier().name());
                        assert_eq!(word, tier, "{name}");
                        word
                    }
                }
            });
            assert_eq!(found.join(" "), expected, "{rights:?}");
        }
        assert_eq!(readable(&Rights::Unknown, &cache, &"LIVE".parse().unwrap()).err(), Some(Refusal::NoKeys));
    }

    #[test]
    fn a_state_that_the_cache_may_have_no_longer_is_read_where_the_rights_are_to_its_tier() {
        let cache = cache();
        let both: Symbol = "BOTH".parse().unwrap();
        let states = [cache.get(&both).unwrap(), cache.delayed(&both).unwrap()];
        for (rights, expected) in [
            (Rights::All, [true, true]),
            (granted(&["*"], &[]), [true, true]),
            (granted(&[], &["*"]), [false, true]),
            (granted(&["LIVE"], &["LATE"]), [false, false]),
            (Rights::Unknown, [false, false]),
        ] {
            assert_eq!(states.each_ref().map(|state| allow(&rights, state)), expected, "{rights:?}");
        }
    }
}
