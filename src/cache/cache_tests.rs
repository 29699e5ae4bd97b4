use super::*;
use crate::market::{Parts, TradeUpdate, Update};
use std::{collections::VecDeque, time::Duration};

fn cache(symbols: &[&str]) -> Cache {
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(1) });
    for symbol in symbols {
        cache.register(symbol.parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
    }
    cache
}

#[test]
fn a_symbol_has_one_feed() {
    let cache = cache(&["AAPL"]);
    let again = cache.register("AAPL".parse().unwrap(), "other".into(), Origin::Market, Now::read());
    assert_eq!(again.err(), Some(RegisterError::Twice("AAPL".parse().unwrap())));
    assert_eq!(&*cache.get(&"AAPL".parse().unwrap()).unwrap().feed(), "sim");
    assert!(cache.get(&"MSFT".parse().unwrap()).is_none());
}

/// The listed symbols with a prefix, and whether there are more.
fn names(cache: &Cache, prefix: &str, limit: usize) -> (String, bool) {
    let (listed, more) = cache.list(prefix, limit);
    (listed.iter().map(|state| state.symbol().to_string()).collect::<Vec<_>>().join(" "), more)
}

#[test]
fn symbols_are_listed_by_prefix_in_order() {
    let cache = cache(&["MSFT", "AAPL", "AA", "AMZN", "BRK.B"]);
    assert_eq!(names(&cache, "", 10), ("AA AAPL AMZN BRK.B MSFT".into(), false));
    assert_eq!(names(&cache, "A", 2), ("AA AAPL".into(), true));
    assert_eq!(names(&cache, "A", 3), ("AA AAPL AMZN".into(), false));
    assert_eq!(names(&cache, "Z", 3), (String::new(), false));
    assert_eq!(names(&cache, "", 0), (String::new(), true));
}

fn ring_lens(states: &[Arc<SymbolState>]) -> Vec<usize> {
    states.iter().map(|state| state.ring_len()).collect()
}

#[test]
fn rule_10_a_sweep_takes_from_quiet_symbols_what_is_too_old_some_at_a_time() {
    let now = Now::read();
    let age = Duration::from_secs(1);
    let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
    let cache = cache(&["A", "B", "C", "D", "E"]);
    let states = cache.list("", 5).0;
    let trade = Update { trade: Some(TradeUpdate::default()), ..Update::default() };
    states.iter().for_each(|state| state.join(worker, Parts::ALL, &mut VecDeque::new()));
    states.iter().for_each(|state| (0..4).for_each(|_| _ = state.publish(&trade, now)));
    assert_eq!(cache.sweep(0, 9, now.after(age / 2)), 0);
    assert_eq!(ring_lens(&states), [5; 5]);
    let later = now.after(age * 2);
    assert_eq!(cache.sweep(0, 2, later), 2);
    assert_eq!(ring_lens(&states), [1, 1, 5, 5, 5]);
    assert_eq!(cache.sweep(2, 2, later), 4);
    assert_eq!(cache.sweep(4, 2, later), 0, "and from the first again");
    assert_eq!((ring_lens(&states), states[4].newest().seq), (vec![1; 5], 4));
}

#[test]
fn a_symbol_is_live_and_delayed_and_listed_once() {
    let cache = cache(&["AAPL", "MSFT"]);
    let delay = NonZero::new(900).unwrap();
    let delayed =
        |name: &str| cache.register_delayed(name.parse().unwrap(), "late".into(), Origin::Delayed, delay, Now::read());
    let [late, _] = ["AAPL", "BRK.B"].map(|name| delayed(name).unwrap());
    assert_eq!(delayed("AAPL").err(), Some(RegisterError::Twice("AAPL".parse().unwrap())));
    let aapl = "AAPL".parse().unwrap();
    let live = cache.get(&aapl).unwrap();
    assert_eq!((live.tier(), late.tier(), late.id().index()), (Tier::Live, Tier::Delayed, 2));
    assert!(Arc::ptr_eq(&late, &cache.delayed(&aapl).unwrap()));
    assert!(cache.delayed(&"MSFT".parse().unwrap()).is_none() && cache.get(&"BRK.B".parse().unwrap()).is_none());
    assert_eq!(names(&cache, "", 10), ("AAPL BRK.B MSFT".into(), false));
    assert_eq!(names(&cache, "", 1), ("AAPL".into(), true));
    assert_eq!(names(&cache, "A", 1), ("AAPL".into(), false), "its second state is not a second symbol");
    assert!(Arc::ptr_eq(&live, &cache.list("A", 1).0[0]));
    assert_eq!(cache.len(), 4);
}

#[test]
fn rule_10_the_maps_have_limits() {
    let cache = cache(&[]);
    for number in 0..SYMBOLS_MAX {
        cache.register(format!("S{number:06}").parse().unwrap(), "sim".into(), Origin::Sim, Now::read()).unwrap();
    }
    let one_more = cache.register("X".parse().unwrap(), "sim".into(), Origin::Sim, Now::read());
    assert_eq!(one_more.err(), Some(RegisterError::Full));
    let delayed = |name: &str| {
        let symbol = name.parse().unwrap();
        cache.register_delayed(symbol, "sim".into(), Origin::Sim, NonZero::<u32>::MIN, Now::read())
    };
    for number in 0..SYMBOLS_MAX {
        delayed(&format!("S{number:06}")).unwrap();
    }
    assert_eq!(delayed("X").err(), Some(RegisterError::Full));
}

#[test]
fn a_state_is_retired_only_as_long_as_its_symbol_has_it() {
    let cache = cache(&["A"]);
    let first = cache.get(&"A".parse().unwrap()).unwrap();
    assert!(cache.retire_state(&first).is_some() && cache.retire_state(&first).is_none());
    let other = cache.register("A".parse().unwrap(), "other".into(), Origin::Sim, Now::read()).unwrap();
    assert!(cache.retire_state(&first).is_none());
    assert!(Arc::ptr_eq(&cache.get(first.symbol()).unwrap(), &other));
}
