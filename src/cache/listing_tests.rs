//! Symbols that leave the list of their feed, and come back.

use super::*;
use crate::{
    cache::id_pool::STATES_MAX,
    market::{Field, Parts, State, TradeUpdate, Update},
};
use proptest::prelude::*;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

const LATE: NonZero<u32> = NonZero::<u32>::MIN;

fn cache() -> Cache {
    Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::from_secs(1) })
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn register(cache: &Cache, name: &str) -> Arc<SymbolState> {
    cache.register(symbol(name), "x".into(), Origin::Market, Now::read()).unwrap()
}

fn retire(cache: &Cache, name: &str) -> Arc<SymbolState> {
    cache.retire(&symbol(name), Tier::Live).unwrap()
}

fn trade(state: &SymbolState) -> u64 {
    let price = Field::Set("7".parse().unwrap());
    let trade = Update { trade: Some(TradeUpdate { price, ..TradeUpdate::default() }), ..Update::default() };
    state.publish(&trade, Now::read());
    state.newest().seq
}

fn shown(state: &SymbolState) -> (State, Option<Reason>) {
    let snapshot = state.newest().snapshot;
    (snapshot.state(), snapshot.not_live_since().map(|(_, reason)| reason))
}

#[test]
fn a_retired_symbol_is_in_no_map_and_its_streams_see_it_refused() {
    let cache = cache();
    let [aapl, msft] = ["AAPL", "MSFT"].map(|name| register(&cache, name));
    trade(&aapl);
    let held = retire(&cache, "AAPL");
    assert!(Arc::ptr_eq(&held, &aapl));
    assert!(cache.get(&symbol("AAPL")).is_none() && cache.retire(&symbol("AAPL"), Tier::Live).is_none());
    assert_eq!((cache.len(), cache.list("", 9).0.len(), cache.slice(0, 9).len()), (1, 1, 1));
    assert!(Arc::ptr_eq(&cache.get(&symbol("MSFT")).unwrap(), &msft));
    assert!(matches!(aapl.remove(Reason::Removed, Now::read()), Published::Tick { .. }));
    assert_eq!(shown(&aapl), (State::Refused, Some(Reason::Removed)));
    assert_eq!(aapl.newest().snapshot.stale(), Parts::from_iter([crate::market::Part::Trade]));
    assert_eq!(aapl.remove(Reason::Removed, Now::read()), Published::Unchanged, "it is told once");
}

#[test]
fn a_symbol_that_a_stream_still_holds_is_revived_and_its_seq_goes_on() {
    let cache = cache();
    let held = register(&cache, "AAPL");
    assert_eq!((trade(&held), trade(&held)), (1, 2));
    retire(&cache, "AAPL").remove(Reason::Removed, Now::read());
    let again = register(&cache, "AAPL");
    assert!(Arc::ptr_eq(&held, &again));
    assert_eq!(shown(&again), (State::Refused, Some(Reason::Removed)));
    assert!(matches!(again.readmit(Now::read()), Published::Tick { .. }));
    assert_eq!((shown(&again), again.newest().seq), ((State::Stale, Some(Reason::Reconnect)), 4), "it may be old");
    assert_eq!(again.readmit(Now::read()), Published::Unchanged);
    assert_eq!((trade(&again), shown(&again)), (5, (State::Live, None)));
    retire(&cache, "AAPL");
    let other = cache.register(symbol("AAPL"), "y".into(), Origin::Market, Now::read()).unwrap();
    assert!(!Arc::ptr_eq(&held, &other), "another feed's is another state");
    assert_eq!((other.newest().seq, shown(&other)), (6, (State::Waiting, Some(Reason::NoData))));
}

#[test]
fn rule_1_a_symbol_that_comes_back_has_a_seq_above_each_that_it_had() {
    let cache = cache();
    let other = register(&cache, "MSFT");
    let first = register(&cache, "AAPL");
    assert_eq!((first.newest().seq, first.newest().id.n), (0, 0), "nothing has ticked");
    (0..3).for_each(|_| _ = (trade(&first), trade(&other)));
    let last = retire(&cache, "AAPL").newest();
    let id = first.id();
    drop(first);
    let again = register(&cache, "AAPL");
    let newest = again.newest();
    assert_eq!((last.seq, again.id(), newest.seq), (3, id, newest.id.n), "another state, in the same place");
    assert!(newest.seq > last.seq && newest.id.n > last.id.n);
    assert_eq!(shown(&again), (State::Waiting, Some(Reason::NoData)));
    assert_eq!(trade(&again), newest.seq + 1);
}

#[test]
fn a_symbol_with_two_tiers_loses_one() {
    let cache = cache();
    let live = register(&cache, "AAPL");
    let late = |delay| cache.register_delayed(symbol("AAPL"), "x".into(), Origin::Delayed, delay, Now::read()).unwrap();
    let delayed = late(LATE);
    assert!(Arc::ptr_eq(&cache.retire(&symbol("AAPL"), Tier::Delayed).unwrap(), &delayed));
    assert!(cache.delayed(&symbol("AAPL")).is_none() && Arc::ptr_eq(&cache.get(&symbol("AAPL")).unwrap(), &live));
    assert!(Arc::ptr_eq(&late(LATE), &delayed), "revived");
    cache.retire(&symbol("AAPL"), Tier::Delayed).unwrap();
    assert!(!Arc::ptr_eq(&late(LATE.saturating_add(1)), &delayed), "its prices are later");
    assert!(cache.retire(&symbol("AAPL"), Tier::Live).is_some());
    assert_eq!(cache.list("", 9).0.len(), 1);
}

#[test]
fn a_symbol_with_two_feeds_is_refused_whichever_is_shown() {
    use crate::market::{FailoverLimits, Source};
    let cache = cache();
    let now = Now::read();
    let state = register(&cache, "AAPL");
    let limits = FailoverLimits { age: Duration::ZERO, failback_after: Duration::ZERO };
    state.add_standby("spare".into(), Origin::Market, limits, Arc::default(), now).unwrap();
    trade(&state);
    retire(&cache, "AAPL").remove(Reason::Removed, now);
    assert_eq!(shown(&state), (State::Refused, Some(Reason::Removed)));
    for source in Source::ALL {
        let said = state.said_by(source);
        assert_eq!(said.not_live_since().map(|(_, reason)| reason), Some(Reason::Removed));
        state.through(None).of(source).due(now.after(Duration::from_secs(1)));
    }
    assert_eq!(shown(&state), (State::Refused, Some(Reason::Removed)), "there is nothing to fail over to");
}

#[test]
fn a_clusters_list_is_fixed() {
    let cache = cache();
    let shard = cache.add_shard("x".into(), Epoch::new(2)).unwrap();
    cache.register_in(&shard, symbol("AAPL"), "x".into(), Origin::Market, Now::read()).unwrap();
    assert!(cache.retire(&symbol("AAPL"), Tier::Live).is_none() && cache.get(&symbol("AAPL")).is_some());
}

#[test]
fn an_orphan_is_refused_from_the_start_and_in_no_map() {
    let cache = cache();
    trade(&register(&cache, "MSFT"));
    let orphan = cache.orphan(symbol("AAPL"), "x".into(), Reason::Limit, Now::read()).unwrap();
    assert_eq!((shown(&orphan), orphan.newest().seq), ((State::Refused, Some(Reason::Limit)), 2));
    assert!(cache.get(&symbol("AAPL")).is_none() && cache.len() == 1);
    let state = register(&cache, "AAPL");
    assert!(!Arc::ptr_eq(&orphan, &state) && state.newest().seq > orphan.newest().seq && state.id() != orphan.id());
}

#[test]
fn rule_10_so_many_states_are_held() {
    let cache = cache();
    let orphan = || cache.orphan(symbol("A"), "x".into(), Reason::Limit, Now::read());
    let mut held: Vec<_> = (0..STATES_MAX).map(|_| orphan().unwrap()).collect();
    assert_eq!(orphan().err(), Some(RegisterError::Full));
    let id = held.swap_remove(7).id();
    assert_eq!(orphan().unwrap().id(), id);
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Register(usize),
    Retire(usize),
    Hold(usize),
    Drop(usize),
    Trade(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let place = 0_usize..6;
    prop_oneof![
        place.clone().prop_map(Step::Register),
        place.clone().prop_map(Step::Retire),
        place.clone().prop_map(Step::Hold),
        (0_usize..4).prop_map(Step::Drop),
        place.prop_map(Step::Trade),
    ]
}

proptest! {
    /// Ids are never shared, and no more of them are needed than states live at once; `seq` only rises for a name.
    #[test]
    fn ids_and_numbers_hold_whatever_comes_and_goes(steps in prop::collection::vec(step(), 1..200)) {
        let cache = cache();
        let names: Vec<Symbol> = (0..6).map(|place| symbol(&format!("S{place}"))).collect();
        let mut held: Vec<Arc<SymbolState>> = Vec::new();
        let mut highest: HashMap<Symbol, u64> = HashMap::new();
        let mut alive_max = 0;
        for step in steps {
            match step {
                Step::Register(place) => {
                    let name = &names[place];
                    let orphan = held.iter().find(|held| held.symbol() == name).cloned();
                    match cache.register(name.clone(), "x".into(), Origin::Market, Now::read()) {
                        Ok(state) => {
                            if let Some(orphan) = orphan {
                                prop_assert!(Arc::ptr_eq(&state, &orphan));
                                state.readmit(Now::read());
                            }
                            let seq = state.newest().seq;
                            let before = highest.insert(name.clone(), seq);
                            prop_assert!(before.is_none_or(|before| seq > before), "{seq} after {before:?}");
                        }
                        Err(error) => prop_assert_eq!(error, RegisterError::Twice(name.clone())),
                    }
                }
                Step::Retire(place) => {
                    if let Some(state) = cache.retire(&names[place], Tier::Live) {
                        state.remove(Reason::Removed, Now::read());
                        highest.insert(names[place].clone(), state.newest().seq);
                    }
                }
                Step::Hold(place) => held.extend(cache.get(&names[place])),
                Step::Drop(place) => {
                    if place < held.len() {
                        held.swap_remove(place);
                    }
                }
                Step::Trade(place) => {
                    if let Some(state) = cache.get(&names[place]) {
                        highest.insert(names[place].clone(), trade(&state));
                    }
                }
            }
            let mut alive: HashMap<SymbolId, *const SymbolState> = HashMap::new();
            for state in cache.slice(0, 99).iter().chain(&held) {
                let known = alive.insert(state.id(), Arc::as_ptr(state));
                prop_assert!(known.is_none_or(|known| known == Arc::as_ptr(state)), "two states have an id");
            }
            alive_max = alive_max.max(alive.len());
        }
        prop_assert!(cache.shared.ids.high_water() <= alive_max);
    }
}

#[test]
fn what_a_worker_reads_of_a_symbol_that_comes_and_goes_is_never_of_another() {
    let cache = cache();
    let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
    let mut seen = HashSet::new();
    for number in 0..1_000 {
        let name = format!("S{number}");
        let state = register(&cache, &name);
        let mut recent = VecDeque::new();
        state.join(worker, Parts::ALL, &mut recent);
        assert!(seen.insert(recent[0].seq) || recent[0].seq == 0);
        assert_eq!((recent.len(), state.id().index()), (1, 0));
        trade(&state);
        retire(&cache, &name);
    }
    assert_eq!(cache.shared.ids.high_water(), 1);
}
