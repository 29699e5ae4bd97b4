//! How a symbol's state keeps ticks, for whom, and whom it names to be woken.

use super::{
    Cache, RingLimits, WorkerIndex, WorkerMask, interest::Demand, published::Published, state::SymbolState, tick::Tick,
};
use crate::{
    market::{Field, Now, Origin, Part, Parts, QuoteUpdate, TradeUpdate, Update},
    wire::Epoch,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

fn worker(index: usize) -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(index).unwrap())
}

fn state(count: usize, now: Now) -> Arc<SymbolState> {
    let cache = Cache::new(Epoch::new(1), RingLimits { count, age: Duration::from_secs(10) });
    cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap()
}

fn trade() -> Update {
    let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
    Update { trade: Some(trade), ..Update::default() }
}

fn seqs(recent: &VecDeque<Arc<Tick>>) -> Vec<u64> {
    recent.iter().map(|tick| tick.seq).collect()
}

#[test]
fn a_join_starts_at_the_newest_and_misses_nothing_after_it() {
    let now = Now::read();
    let state = state(8, now);
    let mut recent = VecDeque::new();
    assert_eq!(state.publish(&trade(), now), Published::Tick { interest: WorkerMask::NONE });
    state.join(worker(3), Parts::ALL, &mut recent);
    assert_eq!(seqs(&recent), [1]);
    assert_eq!(state.publish(&trade(), now), Published::Tick { interest: worker(3) });
    state.read_new(&mut recent);
    assert_eq!(seqs(&recent), [1, 2]);
    state.publish(&trade(), now);
    state.join(worker(3), Parts::ALL, &mut recent);
    assert_eq!(seqs(&recent), [1, 2, 3], "a second stream of the worker finds no hole");
    state.leave(worker(3), Parts::ALL, now);
    assert_eq!(state.publish(&trade(), now), Published::Tick { interest: WorkerMask::NONE });
}

#[test]
fn older_ticks_are_read_as_far_back_as_the_ring_goes() {
    let now = Now::read();
    let state = state(4, now);
    let mut recent = VecDeque::new();
    state.join(worker(4), Parts::ALL, &mut VecDeque::new());
    (0..6).for_each(|_| _ = state.publish(&trade(), now)); // the ring holds 3 to 6
    state.join(worker(3), Parts::ALL, &mut recent);
    state.read_older(2, &mut recent);
    assert_eq!(seqs(&recent), [4, 5, 6]);
    state.publish(&trade(), now);
    state.join(worker(3), Parts::ALL, &mut recent);
    state.read_older(9, &mut recent);
    assert_eq!(seqs(&recent), [4, 5, 6, 7], "4 is the oldest that there is");
    recent.truncate(1);
    (0..6).for_each(|_| _ = state.publish(&trade(), now));
    state.read_older(9, &mut recent);
    assert_eq!(seqs(&recent), [4], "no hole, however old the ticks are");
}

#[test]
fn only_workers_that_want_a_changed_part_are_named() {
    let now = Now::read();
    let state = state(8, now);
    let mut recent = VecDeque::new();
    let trades = Parts::from_iter([Part::Trade, Part::Status]);
    state.join(worker(0), trades, &mut recent);
    state.join(worker(1), Parts::ALL, &mut recent);
    let quote = QuoteUpdate { bid: Field::Set("1".parse().unwrap()), ..QuoteUpdate::default() };
    let quote = Update { quote: Some(quote), ..Update::default() };
    assert_eq!(state.publish(&trade(), now), Published::Tick { interest: worker(0).union(worker(1)) });
    assert_eq!(state.publish(&quote, now), Published::Tick { interest: worker(1) });
    let newest = state.newest();
    assert_eq!(Part::ALL.map(|part| newest.last_change(Parts::from_iter([part]))), [1, 2, 0, 1]);
    assert_eq!((newest.last_change(trades), newest.last_change_before(Parts::ALL)), (1, 1));
    state.leave(worker(1), Parts::ALL, now);
    assert_eq!(state.publish(&trade(), now), Published::Tick { interest: worker(0) });
}

#[test]
fn before_the_first_tick_a_join_finds_seq_0() {
    let now = Now::read();
    let state = state(8, now);
    let mut recent = VecDeque::new();
    state.join(worker(3), Parts::ALL, &mut recent);
    assert_eq!((seqs(&recent), recent[0].id.n), (vec![0], 0));
}

#[test]
fn rule_10_a_ring_is_bounded_by_count_and_age_and_always_has_the_newest() {
    let now = Now::read();
    let state = state(4, now);
    let mut recent = VecDeque::new();
    state.join(worker(3), Parts::ALL, &mut recent);
    for _ in 0..9 {
        state.publish(&trade(), now);
    }
    state.read_new(&mut recent);
    assert_eq!(seqs(&recent), [6, 7, 8, 9], "what the ring dropped is a hole, and the list starts over");
    state.publish(&trade(), now.after(Duration::from_secs(11)));
    assert_eq!(state.ring_len(), 1);
    assert_eq!(state.newest().seq, 10);
}

/// Publishes fifty trades, one a millisecond; returns how many ticks the ring then holds.
fn ring_after_50(state: &SymbolState, start: Now) -> usize {
    for step in 0..50 {
        state.publish(&trade(), start.after(Duration::from_millis(step)));
    }
    state.ring_len()
}

#[test]
fn a_symbol_without_readers_keeps_only_its_newest_tick() {
    let start = Now::read();
    let state = state(100, start);
    assert_eq!(ring_after_50(&state, start), 1, "no worker has ever wanted it");
    state.join(worker(3), Parts::ALL, &mut VecDeque::new());
    assert_eq!(ring_after_50(&state, start.after(Duration::from_millis(100))), 51);
    state.leave(worker(3), Parts::ALL, start.after(Duration::from_millis(200)));
    assert_eq!(ring_after_50(&state, start.after(Duration::from_millis(300))), 100, "a client may come back soon");
    assert_eq!(ring_after_50(&state, start.after(Duration::from_millis(10_201))), 1);
}

#[test]
fn rule_11_a_frame_is_encoded_once_and_only_if_wanted() {
    let now = Now::read();
    let cache = Cache::new(Epoch::new(1), RingLimits { count: 8, age: Duration::from_secs(10) });
    let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
    state.publish(&trade(), now);
    assert_eq!(cache.frames_encoded(), 0);
    let tick = state.newest();
    let first = state.frame(&tick).clone();
    assert_eq!(first.as_ptr(), state.frame(&tick).as_ptr());
    assert_eq!(cache.frames_encoded(), 1);
}

#[test]
fn demand_says_whether_streams_want_a_symbol_or_did() {
    let now = Now::read();
    let state = state(8, now);
    assert_eq!(state.demand(), Demand::Never);
    for worker in [worker(3), worker(4)] {
        state.join(worker, Parts::ALL, &mut VecDeque::new());
    }
    assert_eq!(state.demand(), Demand::Now);
    state.leave(worker(3), Parts::ALL, now);
    assert_eq!(state.demand(), Demand::Now);
    let left = now.after(Duration::from_secs(1));
    state.leave(worker(4), Parts::ALL, left);
    assert_eq!(state.demand(), Demand::Until(left.instant));
    state.join(worker(3), Parts::ALL, &mut VecDeque::new());
    assert_eq!(state.demand(), Demand::Now);
}
