//! What operators are told of symbols' states: the words of the wire, but what is stale as planned apart, for nobody is to be
//! woken for it.

use crate::{
    cache::SymbolState,
    market::{Reason, Snapshot, State},
};
use std::{collections::BTreeMap, sync::Arc};

/// The state of a quote: where it is stale as planned, why.
pub(super) fn state_label(snapshot: &Snapshot) -> &'static str {
    let planned = snapshot.not_live_since().filter(|(_, reason)| Reason::PLANNED.contains(reason));
    planned.map_or(snapshot.state().name(), |(_, reason)| reason.name())
}

/// How many symbols are in each state, those that none is in too.
pub(super) fn by_state<'a>(symbols: impl IntoIterator<Item = &'a Arc<SymbolState>>) -> BTreeMap<&'static str, u32> {
    let names = State::NAMES.into_iter().map(|(_, name)| name).chain(Reason::PLANNED.map(Reason::name));
    let mut counts: BTreeMap<_, _> = names.map(|name| (name, 0)).collect();
    for symbol in symbols {
        counts.entry(state_label(&symbol.newest().snapshot)).and_modify(|count| *count += 1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, RingLimits},
        market::{Field, Now, Origin, TradeUpdate, Update},
        wire::Epoch,
    };
    use std::time::Duration;

    #[test]
    fn what_is_stale_as_planned_is_told_apart() {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
        let register = |name: &str| cache.register(name.parse().unwrap(), "feed".into(), Origin::Market, Now::read());
        let symbols = ["A", "B", "C", "D"].map(|name| register(name).unwrap());
        let trade = TradeUpdate { price: Field::Set("1".parse().unwrap()), ..TradeUpdate::default() };
        for symbol in &symbols[1..] {
            symbol.publish(&Update { trade: Some(trade), ..Update::default() }, Now::read());
        }
        symbols[2].outage(Reason::Reconnect, Now::read());
        symbols[3].outage(Reason::Mute, Now::read());
        let counts = by_state(&symbols);
        let counted: Vec<_> =
            counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (*name, *count)).collect();
        assert_eq!(counted, [("live", 1), ("reconnect", 1), ("stale", 1), ("waiting", 1)]);
        assert_eq!(counts.len(), State::NAMES.len() + Reason::PLANNED.len());
    }
}
