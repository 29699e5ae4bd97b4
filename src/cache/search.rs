//! Finds symbols by a part of their name.

use super::{Cache, SymbolState};
use crate::market::{Name, Symbol};
use std::sync::{Arc, PoisonError};

impl Cache {
    /// The first `limit` symbols that start with `prefix` and contain `typed`, and whether there are more. Those that
    /// begin with it come first, then those that contain it, then those whose [name for people](Name) does; each group
    /// by symbol. Case does not count, nor do the marks between a name's parts: `btcusdt` and `btc/usdt` find
    /// `BTC-USDT`. A symbol is listed once, as by [`list`](Self::list).
    ///
    /// It looks at every symbol, under a lock that only holds up changes of the list.
    pub fn search(&self, prefix: &str, typed: &str, limit: usize) -> (Vec<Arc<SymbolState>>, bool) {
        let sorted = self.sorted.read().unwrap_or_else(PoisonError::into_inner);
        choose(&sorted.states, prefix, typed, limit)
    }

    /// The same among these symbols alone, of which none comes twice.
    pub fn search_among<'a>(
        &self,
        symbols: impl IntoIterator<Item = &'a Symbol>,
        prefix: &str,
        typed: &str,
        limit: usize,
    ) -> (Vec<Arc<SymbolState>>, bool) {
        let find = |symbol| self.get(symbol).or_else(|| self.delayed(symbol));
        let states: Vec<_> = symbols.into_iter().filter_map(find).collect();
        choose(&states, prefix, typed, limit)
    }
}

/// The first of these states, which are in the order of their symbols, and whether there are more.
fn choose(states: &[Arc<SymbolState>], prefix: &str, typed: &str, limit: usize) -> (Vec<Arc<SymbolState>>, bool) {
    let typed = Typed { symbol: Bare::of(typed), name: Name::fold(typed) };
    let mut groups: [Vec<&Arc<SymbolState>>; 3] = Default::default();
    let mut before: Option<&Symbol> = None;
    for state in states {
        let is_listed = before.replace(state.symbol()) == Some(state.symbol());
        if is_listed || !state.symbol().as_str().starts_with(prefix) {
            continue;
        }
        let Some(place) = typed.place_in(state) else { continue };
        let group = &mut groups[place as usize];
        // One more than is listed tells that there are more.
        if group.len() <= limit {
            group.push(state);
        }
    }
    let count: usize = groups.iter().map(Vec::len).sum();
    (groups.into_iter().flatten().take(limit).cloned().collect(), count > limit)
}

/// Where what was typed is found: the best place first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    Within,
    Name,
}

/// What was typed.
struct Typed {
    /// As symbols are compared; `None`: it is longer than any.
    symbol: Option<Bare>,
    /// As names are compared.
    name: String,
}

impl Typed {
    fn place_in(&self, state: &SymbolState) -> Option<Place> {
        let in_symbol = self.symbol.as_ref().and_then(|typed| typed.is_found_in(state.symbol().as_str()));
        in_symbol.or_else(|| {
            let is_named = !self.name.is_empty() && state.facts.has_name(|name| name.folded().contains(&self.name));
            is_named.then_some(Place::Name)
        })
    }
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
        market::{Facts, Now, Origin},
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
        (texts(&found), more)
    }

    fn texts(found: &[Arc<SymbolState>]) -> String {
        found.iter().map(|state| state.symbol().as_str()).collect::<Vec<_>>().join(" ")
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
    fn symbols_are_found_by_their_names_for_people_after_those_that_contain_it() {
        let cache = cache();
        for (symbol, name) in
            [("AAPL", "Apple Inc."), ("BTC-USDT", "Bitcoin, in Tether"), ("BRK.B", "B. Hathaway & Co")]
        {
            let facts = Facts { name: Name::new(name), ..Facts::default() };
            cache.get(&symbol.parse().unwrap()).unwrap().learn(&facts);
        }
        for (typed, names) in [
            ("apple", "AAPL"),
            ("APPLE inc", "AAPL"),
            ("b", "BRK.B BTC-USDT BTC-USDT-PERP"),
            ("in", "AAPL BTC-USDT"),
            ("a", "AA AAPL BRK.B"),
            ("b hathaway", "BRK.B"),
            ("coin in teth", "BTC-USDT"),
            ("&", "AA AAPL BRK.B BTC-USDT BTC-USDT-PERP ETH-USDT USDT-USD"),
            ("pear", ""),
            (&"bitcoin".repeat(99), ""),
        ] {
            let (found, more) = cache.search("", typed, 9);
            assert_eq!((texts(&found), more), (names.to_owned(), false), "{typed}");
        }
        let (found, more) = cache.search("", "in", 1);
        assert_eq!((texts(&found), more), ("AAPL".to_owned(), true));
        let among: Vec<Symbol> = ["AA", "BTC-USDT", "NOPE"].iter().map(|name| name.parse().unwrap()).collect();
        for (typed, names) in [("", "AA BTC-USDT"), ("bitcoin", "BTC-USDT"), ("apple", "")] {
            let (found, more) = cache.search_among(&among, "", typed, 9);
            assert_eq!((texts(&found), more), (names.to_owned(), false), "{typed}");
        }
        assert_eq!(texts(&cache.search_among(&among, "B", "", 9).0), "BTC-USDT");
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
