//! Symbols counted by state. The states have the names of the wire, except that a planned outage has its own: no
//! operator should be woken for it.

use crate::market::{Reason, Snapshot, State};
use serde_json::Value;
use std::collections::BTreeMap;

/// The name of a snapshot's state. For a planned outage it is the outage's reason.
pub(super) fn state_label(snapshot: &Snapshot) -> &'static str {
    let planned = snapshot.not_live_since().filter(|(_, reason)| Reason::PLANNED.contains(reason));
    planned.map_or(snapshot.state().name(), |(_, reason)| reason.name())
}

/// How many symbols are in each state, with zeros.
pub(super) fn by_state(symbols: impl IntoIterator<Item = Snapshot>) -> BTreeMap<&'static str, u32> {
    let names = State::NAMES.into_iter().map(|(_, name)| name).chain(Reason::PLANNED.map(Reason::name));
    let mut counts: BTreeMap<_, _> = names.map(|name| (name, 0)).collect();
    for symbol in symbols {
        counts.entry(state_label(&symbol)).and_modify(|count| *count += 1);
    }
    counts
}

/// The same as JSON, without zeros.
pub(super) fn by_state_json(symbols: impl IntoIterator<Item = Snapshot>) -> Value {
    let counted = by_state(symbols).into_iter().filter(|(_, count)| *count > 0);
    Value::Object(counted.map(|(name, count)| (name.to_owned(), count.into())).collect())
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
    fn a_planned_outage_is_counted_apart() {
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::ZERO });
        let register = |name: &str| cache.register(name.parse().unwrap(), "feed".into(), Origin::Market, Now::read());
        let symbols = ["A", "B", "C", "D"].map(|name| register(name).unwrap());
        let trade = TradeUpdate { price: Field::Set("1".parse().unwrap()), ..TradeUpdate::default() };
        for symbol in &symbols[1..] {
            symbol.publish(&Update { trade: Some(trade), ..Update::default() }, Now::read());
        }
        symbols[2].outage(Reason::Reconnect, Now::read());
        symbols[3].outage(Reason::Mute, Now::read());
        let counts = by_state(symbols.iter().map(|symbol| symbol.newest().snapshot));
        let counted: Vec<_> =
            counts.iter().filter(|(_, count)| **count > 0).map(|(name, count)| (*name, *count)).collect();
        assert_eq!(counted, [("live", 1), ("reconnect", 1), ("stale", 1), ("waiting", 1)]);
        assert_eq!(counts.len(), State::NAMES.len() + Reason::PLANNED.len());
    }
}
