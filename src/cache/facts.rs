//! What is known of a symbol besides its prices. Listings and searches read it; the path of a tick does not.

use crate::market::{Facts, Name};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The facts of one symbol; `None` while there are none. A std mutex: held to look, or to put others in their place.
#[derive(Default)]
pub(super) struct KnownFacts(Mutex<Option<Arc<Facts>>>);

impl KnownFacts {
    pub(super) fn get(&self) -> Arc<Facts> {
        self.lock().clone().unwrap_or_default()
    }

    /// Takes over what was said. What was not said stays.
    pub(super) fn learn(&self, said: &Facts) {
        let mut known = self.lock();
        let mut facts = known.as_deref().cloned().unwrap_or_default();
        if facts.learn(said) {
            *known = Some(Arc::new(facts));
        }
    }

    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    /// Whether the name for people is known, and like this.
    pub(super) fn has_name(&self, is_meant: impl FnOnce(&Name) -> bool) -> bool {
        self.lock().as_ref().and_then(|facts| facts.name.as_ref()).is_some_and(is_meant)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Facts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, RingLimits},
        market::{Currency, Now, Origin, Symbol, Tier},
        wire::Epoch,
    };
    use std::time::Duration;

    #[test]
    fn the_facts_of_a_symbol_go_when_it_is_listed_no_longer_even_where_a_stream_holds_it() {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
        let symbol: Symbol = "AAPL".parse().unwrap();
        let register = || cache.register(symbol.clone(), "sim".into(), Origin::Sim, Now::read()).unwrap();
        let held = register();
        assert!(held.facts().is_empty());
        held.learn(&Facts { name: Name::new("Apple"), ..Facts::default() });
        held.learn(&Facts { currency: Currency::fold("USD"), ..Facts::default() });
        let known = held.facts();
        assert_eq!((known.name.clone(), known.currency.clone()), (Name::new("Apple"), Currency::fold("USD")));
        cache.retire(&symbol, Tier::Live).unwrap();
        assert!(held.facts().is_empty());
        assert!(Arc::ptr_eq(&register(), &held) && held.facts().is_empty());
    }
}
