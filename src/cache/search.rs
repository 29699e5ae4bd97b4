//! Finds symbols by a part of their name.

use super::{Cache, SymbolState};
use crate::market::Symbol;
use std::sync::{Arc, PoisonError};

impl Cache {
    /// The first `limit` symbols that start with `prefix` and contain `typed`, and whether there are more. Those that
    /// begin with it come first, each group by name. Case does not count, nor do the marks between a name's parts:
    /// `btcusdt` and `btc/usdt` find `BTC-USDT`. A symbol is listed once, as by [`list`](Self::list).
    ///
    /// It looks at every symbol, under a lock that only holds up changes of the list.
    pub fn search(&self, prefix: &str, typed: &str, limit: usize) -> (Vec<Arc<SymbolState>>, bool) {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        let typed = Bare::of(typed);
        let (mut begin, mut contain) = (Vec::new(), Vec::new());
        let mut before: Option<&Symbol> = None;
        for state in &sorted.states {
            let is_listed = before.replace(state.symbol()) == Some(state.symbol());
            let name = state.symbol().as_str();
            if is_listed || !name.starts_with(prefix) {
                continue;
            }
            let group = match typed.as_ref().and_then(|typed| typed.is_found_in(name)) {
                Some(Place::Beginning) => &mut begin,
                Some(Place::Within) => &mut contain,
                None => continue,
            };
            // One more than is listed tells that there are more.
            if group.len() <= limit {
                group.push(state);
            }
        }
        let count = begin.len() + contain.len();
        (begin.into_iter().chain(contain).take(limit).cloned().collect(), count > limit)
    }
}

/// Where a name contains what was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    Within,
}

/// The letters and digits of a name, folded to upper case.
struct Bare {
    bytes: [u8; Symbol::LENGTH_MAX],
    len: usize,
}

impl Bare {
    /// `None`: there are more than a symbol has.
    fn of(text: &str) -> Option<Self> {
        let mut bare = Self { bytes: [0; Symbol::LENGTH_MAX], len: 0 };
        // What is not ASCII is kept, and found nowhere.
        for byte in text.bytes().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) {
            *bare.bytes.get_mut(bare.len)? = byte.to_ascii_uppercase();
            bare.len += 1;
        }
        Some(bare)
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn is_found_in(&self, name: &str) -> Option<Place> {
        let name = Self::of(name)?;
        if name.as_slice().starts_with(self.as_slice()) {
            Some(Place::Beginning)
        } else if name.as_slice().windows(self.len).any(|part| part == self.as_slice()) {
            Some(Place::Within)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::RingLimits,
        market::{Now, Origin},
        wire::Epoch,
    };
    use std::{num::NonZero, time::Duration};

    fn cache() -> Cache {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        for symbol in ["BTC-USDT", "ETH-USDT", "USDT-USD", "BRK.B", "AAPL", "AA", "BTC-USDT-PERP"] {
            cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        }
        cache
    }

    /// The symbols found, and whether there are more.
    fn found(prefix: &str, typed: &str, limit: usize) -> (String, bool) {
        let (found, more) = cache().search(prefix, typed, limit);
        (found.iter().map(|state| state.symbol().to_string()).collect::<Vec<_>>().join(" "), more)
    }

    #[test]
    fn symbols_are_found_by_any_part_of_their_name_those_that_begin_with_it_first() {
        for (typed, names) in [
            ("usdt", "USDT-USD BTC-USDT BTC-USDT-PERP ETH-USDT"),
            ("USD", "USDT-USD BTC-USDT BTC-USDT-PERP ETH-USDT"),
            ("btcusdt", "BTC-USDT BTC-USDT-PERP"),
            ("btc/usdt", "BTC-USDT BTC-USDT-PERP"),
            (" btc usdt ", "BTC-USDT BTC-USDT-PERP"),
            ("brkb", "BRK.B"),
            ("k.b", "BRK.B"),
            ("a", "AA AAPL"),
            ("pp", ""),
            ("perp", "BTC-USDT-PERP"),
            ("btc-usdt-perp-x", ""),
            ("", "AA AAPL BRK.B BTC-USDT BTC-USDT-PERP ETH-USDT USDT-USD"),
            ("-", "AA AAPL BRK.B BTC-USDT BTC-USDT-PERP ETH-USDT USDT-USD"),
            ("ä", ""),
            ("aä", ""),
        ] {
            assert_eq!(found("", typed, 10), (names.into(), false), "{typed}");
        }
        assert_eq!(found("", &"a".repeat(33), 10), (String::new(), false));
        assert_eq!(found("", &"-".repeat(999), 10).0.len(), found("", "", 10).0.len());
    }

    #[test]
    fn a_search_has_a_limit_and_says_whether_there_are_more() {
        assert_eq!(found("", "usdt", 4), ("USDT-USD BTC-USDT BTC-USDT-PERP ETH-USDT".into(), false));
        assert_eq!(found("", "usdt", 3), ("USDT-USD BTC-USDT BTC-USDT-PERP".into(), true));
        assert_eq!(found("", "usdt", 1), ("USDT-USD".into(), true));
        assert_eq!(found("", "usdt", 0), (String::new(), true));
        assert_eq!(found("B", "usdt", 9), ("BTC-USDT BTC-USDT-PERP".into(), false));
        assert_eq!(found("X", "usdt", 9), (String::new(), false));
    }

    #[test]
    fn a_symbol_that_is_live_and_delayed_is_found_once() {
        let cache = cache();
        for symbol in ["AAPL", "AMZN"] {
            let delay = NonZero::<u32>::MIN;
            cache
                .register_delayed(symbol.parse().unwrap(), "late".into(), Origin::Delayed, delay, Now::read())
                .unwrap();
        }
        let (found, more) = cache.search("", "a", 3);
        let names: Vec<_> = found.iter().map(|state| (state.symbol().as_str(), &*state.feed() == "sim")).collect();
        assert_eq!((names, more), (vec![("AA", true), ("AAPL", true), ("AMZN", false)], false));
    }
}
