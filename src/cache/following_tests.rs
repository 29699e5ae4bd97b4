//! What a symbol of a cluster's shard shows, whatever comes of its owner, and what a tap sees of it.

use super::*;
use crate::{
    cache::{Cache, RingLimits, Shard, WorkerIndex, WorkerMask, interest::Demand},
    market::{Field, Origin, TradeUpdate, Update},
};
use proptest::prelude::*;
use std::{collections::VecDeque, sync::Mutex, time::Duration};

fn epoch(bits: u64) -> Epoch {
    Epoch::from_bits(bits).unwrap()
}

fn trade() -> Update {
    let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
    Update { trade: Some(trade), ..Update::default() }
}

fn worker() -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(3).unwrap())
}

fn parts(parts: &[Part]) -> Parts {
    parts.iter().copied().collect()
}

/// A symbol of a shard that is cut off, as at a node's start, with the epoch 1.
fn world(now: Now) -> (Arc<Shard>, Arc<SymbolState>) {
    let cache = Cache::new(epoch(99), RingLimits { count: 8, age: Duration::from_secs(10) });
    let shard = cache.add_shard("x.0".into(), epoch(1)).unwrap();
    let state = cache.register_in(&shard, "AAPL".parse().unwrap(), "x".into(), Origin::Sim, now).unwrap();
    state.join(worker(), Parts::ALL, &mut VecDeque::new());
    (shard, state)
}

/// A tick of the owner; a full one has the parts' `prior`.
fn owners(epoch: Epoch, seq: u64, n: u64, prior: Option<[u64; 4]>) -> OwnersTick {
    OwnersTick { epoch, seq, n, changed: parts(&[Part::Trade]), prior }
}

fn follow(state: &SymbolState, tick: OwnersTick, now: Now) -> Published {
    state.follow(&tick, now, |snapshot, guards| _ = snapshot.apply(&trade(), guards, now))
}

/// The `seq` that is shown, the `n` and the epoch of its id, its generation, and its state.
fn shown(state: &SymbolState) -> (u64, u64, u64, u32, State) {
    let newest = state.newest();
    (newest.seq, newest.id.n, newest.id.epoch.bits(), newest.generation, newest.snapshot.state())
}

fn ring(state: &SymbolState) -> Vec<u64> {
    let mut recent = VecDeque::from([state.newest()]);
    state.read_older(100, &mut recent);
    recent.iter().map(|tick| tick.seq).collect()
}

#[test]
fn what_the_owner_says_is_stale_until_it_is_known_to_be_fresh() {
    let now = Now::read();
    let (shard, state) = world(now);
    assert_eq!((shown(&state), state.have()), ((0, 0, 1, 0, State::Waiting), None));
    assert_eq!(state.absent(now), Published::Unchanged, "no owner has said anything");
    let tick = owners(epoch(7), 410, 1_000, Some([409; 4]));
    assert_eq!(follow(&state, tick, now), Published::Tick { interest: worker() });
    assert_eq!(shown(&state), (1, 1_000, 7, 0, State::Stale));
    assert_eq!(state.newest().snapshot.not_live_since(), Some((now.unix, Reason::NoOwner)));
    assert_eq!((state.have(), shard.epoch()), (Some(Have { epoch: epoch(7), seq: 410 }), epoch(1)));
    assert_eq!(follow(&state, tick, now), Published::Late);
    shard.restore(epoch(7));
    assert_eq!(state.restore(now), Published::Tick { interest: worker() });
    assert_eq!(shown(&state), (410, 1_000, 7, 1, State::Live));
    assert_eq!((state.newest().kind, state.newest().changed), (parts(&[Part::Trade]), Parts::ALL));
    assert_eq!(state.restore(now), Published::Unchanged);
}

/// A symbol that follows the epoch 7 at `seq` 410, and is live.
fn live(now: Now) -> (Arc<Shard>, Arc<SymbolState>) {
    let (shard, state) = world(now);
    follow(&state, owners(epoch(7), 410, 1_000, Some([409; 4])), now);
    shard.restore(epoch(7));
    state.restore(now);
    (shard, state)
}

#[test]
fn a_ring_goes_on_at_the_next_tick_and_starts_over_behind_lost_ones() {
    let now = Now::read();
    let (_, state) = live(now);
    follow(&state, owners(epoch(7), 411, 1_001, None), now);
    assert_eq!((ring(&state), state.newest().version), (vec![410, 411], 3));
    let mut recent = VecDeque::new();
    state.read_new(&mut recent);
    let prior = [412, 413, 410, 409];
    follow(&state, owners(epoch(7), 414, 1_005, Some(prior)), now);
    state.read_new(&mut recent);
    let newest = state.newest();
    assert_eq!((ring(&state), newest.version), (vec![414], 4), "versions have no hole");
    assert_eq!(newest.kind, parts(&[Part::Trade]), "as on each other node");
    assert_eq!(newest.changed, parts(&[Part::Trade, Part::Quote]), "the quote of a lost tick is news here");
    assert_eq!(recent.iter().map(|tick| tick.version).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(newest.generation, 1);
    assert_eq!(follow(&state, owners(epoch(7), 413, 1_004, None), now), Published::Late);
}

#[test]
fn a_new_owners_epoch_begins_with_a_full_tick() {
    let now = Now::read();
    let (shard, state) = live(now);
    follow(&state, owners(epoch(8), 410, 2_000, Some([409; 4])), now);
    assert_eq!(shown(&state), (410, 2_000, 8, 2, State::Live));
    assert_eq!((shard.epoch(), shard.former().to_vec()), (epoch(8), vec![epoch(7)]));
    assert_eq!((ring(&state), state.newest().changed), (vec![410], Parts::ALL));
}

#[test]
fn a_symbol_that_is_cut_off_has_numbers_of_its_own_and_the_ids_of_its_owner() {
    let now = Now::read();
    let (shard, state) = live(now);
    let later = now.after(Duration::from_secs(2));
    shard.cut_off(epoch(50));
    assert_eq!(state.show_cut_off(Reason::NoOwner, later), Published::Tick { interest: worker() });
    assert_eq!(state.show_cut_off(Reason::NoOwner, later), Published::Unchanged);
    assert_eq!((shown(&state), shard.epoch()), ((1, 1_000, 7, 2, State::Stale), epoch(50)));
    follow(&state, owners(epoch(7), 411, 1_001, None), later.after(Duration::from_secs(1)));
    assert_eq!(shown(&state), (2, 1_001, 7, 2, State::Stale));
    assert_eq!(state.newest().snapshot.not_live_since(), Some((later.unix, Reason::NoOwner)));
    follow(&state, owners(epoch(8), 300, 2_000, Some([299; 4])), later);
    assert_eq!((shown(&state), shard.epoch()), ((3, 2_000, 8, 2, State::Stale), epoch(50)));
    shard.cut_off(epoch(51));
    state.show_cut_off(Reason::ConnectionLost, later);
    assert_eq!(shown(&state), (1, 2_000, 8, 3, State::Stale), "another cut-off, without a moment between");
    shard.restore(epoch(8));
    state.restore(later);
    assert_eq!(shown(&state), (300, 2_000, 8, 4, State::Live));
}

/// Keeps what it is given.
#[derive(Default)]
struct Kept(Mutex<Vec<Numbers>>);

/// The `seq`, the `n`, the changed parts, `prior`, and the state before and after.
type Numbers = (u64, u64, Parts, [u64; 4], State, State);

impl Tap for Kept {
    fn tick(&self, tick: &Tapped<'_>) {
        assert_eq!((tick.index, tick.name.as_str()), (0, "AAPL"));
        let Tapped { seq, n, changed, prior, before, snapshot, .. } = *tick;
        self.0.lock().unwrap().push((seq, n, changed, prior, before.state(), snapshot.state()));
    }
}

impl Kept {
    fn take(&self) -> Vec<Numbers> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_tap_sees_each_tick_of_an_owner_whatever_is_shown() {
    let now = Now::read();
    let (shard, state) = live(now);
    let tap = Kept::default();
    let time = now.unix.0.unsigned_abs();
    let (news, status) = (parts(&[Part::Trade]), Parts::STATUS);
    shard.begin(epoch(9));
    state.open(Reason::Reconnect, now, Some(&tap));
    assert_eq!(tap.take(), [(411, time, status, [410, 409, 409, 409], State::Live, State::Stale)]);
    assert_eq!(shown(&state), (411, time, 9, 2, State::Stale), "no venue has said anything to this node");
    let both = parts(&[Part::Trade, Part::Status]);
    state.through(Some(&tap)).publish(&trade(), now);
    state.through(Some(&tap)).publish(&trade(), now);
    assert_eq!(
        tap.take(),
        [
            (412, time + 1, both, [410, 409, 409, 411], State::Stale, State::Live),
            (413, time + 2, news, [412, 409, 409, 412], State::Live, State::Live)
        ]
    );
    state.read(&tap);
    assert_eq!(tap.take(), [(413, time + 2, news, [412, 409, 409, 412], State::Live, State::Live)]);
    shard.cut_off(epoch(50));
    state.show_cut_off(Reason::NoOwner, now);
    state.through(Some(&tap)).publish(&trade(), now);
    assert_eq!(tap.take(), [(414, time + 3, news, [413, 409, 409, 412], State::Live, State::Live)]);
    assert_eq!(shown(&state), (2, time + 3, 9, 3, State::Stale), "a suspended owner shows nothing as live");
    shard.begin(epoch(9));
    state.restore(now);
    assert_eq!(shown(&state), (414, time + 3, 9, 4, State::Live));
    state.through(Some(&tap)).outage(Reason::ConnectionLost, now);
    assert_eq!(tap.take(), [(415, time + 4, status, [414, 409, 409, 412], State::Live, State::Stale)]);
}

#[test]
fn a_symbol_that_its_owner_does_not_have_waits_and_draws_no_number_of_its_owner() {
    let now = Now::read();
    let (shard, state) = live(now);
    assert_eq!(state.absent(now), Published::Tick { interest: worker() });
    assert_eq!((shown(&state), state.have()), ((0, 0, 7, 2, State::Waiting), None), "its streams are greeted again");
    assert_eq!((state.generation(), shard.generation()), (2, 1), "the other symbols go on");
    assert_eq!((state.absent(now), state.restore(now)), (Published::Unchanged, Published::Unchanged));
    // It was only left out for a while: what the owner says of it counts, whatever its number.
    follow(&state, owners(epoch(7), 409, 999, Some([408; 4])), now);
    let have = Some(Have { epoch: epoch(7), seq: 409 });
    assert_eq!((shown(&state), state.have()), ((409, 999, 7, 2, State::Live), have));
    state.absent(now);
    follow(&state, owners(epoch(7), 0, 0, Some([0; 4])), now);
    assert_eq!(state.have(), Some(Have { epoch: epoch(7), seq: 0 }), "the owner has it, and no tick yet");
    shard.follow(epoch(8));
    state.absent(now);
    assert_eq!((shown(&state), state.have()), ((0, 0, 8, 4, State::Waiting), None));
    let tap = Kept::default();
    shard.begin(epoch(9));
    state.open(Reason::Reconnect, now, Some(&tap));
    assert_eq!(tap.take(), [(0, 0, Parts::STATUS, [0; 4], State::Waiting, State::Waiting)]);
    assert_eq!(shown(&state), (0, 0, 9, 5, State::Waiting));
    assert_eq!(state.have(), Some(Have { epoch: epoch(9), seq: 0 }));
}

#[test]
fn an_heir_whose_owner_did_not_have_a_symbol_goes_on_behind_the_numbers_of_the_epoch_that_it_knows() {
    let now = Now::read();
    for is_cut_off in [false, true] {
        let (shard, state) = live(now);
        if is_cut_off {
            shard.cut_off(epoch(50));
            state.show_cut_off(Reason::NoOwner, now);
        }
        assert_eq!([state.absent(now), state.absent(now)][1], Published::Unchanged);
        let tap = Kept::default();
        state.through(Some(&tap)).publish(&trade(), now);
        assert_eq!(tap.take()[0].0, 411, "410 of the epoch is another tick");
        assert_eq!(state.have(), Some(Have { epoch: epoch(7), seq: 411 }));
    }
}

#[test]
fn a_symbol_that_is_wanted_elsewhere_keeps_its_ring() {
    let now = Now::read();
    let (_, state) = live(now);
    state.leave(worker(), Parts::ALL, now);
    assert!(!state.is_wanted_here());
    state.set_wanted_elsewhere(true, now);
    assert_eq!(state.demand(), Demand::Now);
    let later = now.after(Duration::from_secs(60));
    (411..414).for_each(|seq| _ = follow(&state, owners(epoch(7), seq, 1_000 + seq, None), later));
    assert_eq!(ring(&state), [411, 412, 413]);
    state.set_wanted_elsewhere(false, later);
    assert_eq!(state.demand(), Demand::Until(later.instant));
    let much_later = later.after(Duration::from_secs(60));
    follow(&state, owners(epoch(7), 414, 9_000, None), much_later);
    assert_eq!(ring(&state), [414]);
}

#[derive(Debug, Clone)]
enum Step {
    Publish,
    Follow { missed: u64 },
    FollowEpoch { ahead: u64 },
    Begin,
    CutOff,
    Restore,
    Absent,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Publish),
        4 => (0..3_u64).prop_map(|missed| Step::Follow { missed }),
        2 => (0..4_u64).prop_map(|ahead| Step::FollowEpoch { ahead }),
        1 => Just(Step::Begin),
        2 => Just(Step::CutOff),
        2 => Just(Step::Restore),
        1 => Just(Step::Absent),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Versions have no hole. In one generation `seq` rises. What is cut off is not live, and what is not is as the
    /// owner says, with its numbers.
    #[test]
    fn whatever_comes_of_an_owner_views_are_in_order(steps in steps()) {
        let mut now = Now::read();
        let (shard, state) = world(now);
        let mut recent = VecDeque::from([state.newest()]);
        let mut drawn = 100;
        for step in steps {
            now = now.after(Duration::from_millis(1));
            let before = state.newest();
            let (owner, have) = (shard.owner_epoch(), state.have());
            let said = have.map_or(0, |have| have.seq);
            drawn += 1;
            match step {
                Step::Publish if owner.is_some() => _ = state.publish(&trade(), now),
                Step::Follow { missed } if let Some(owner) = owner => {
                    let seq = said + 1 + missed;
                    let is_next = missed == 0 && have.is_some_and(|have| have.epoch == owner);
                    let prior = (!is_next).then_some([seq - 1; 4]);
                    follow(&state, owners(owner, seq, now.unix.0.unsigned_abs(), prior), now);
                    prop_assert_eq!(state.have(), Some(Have { epoch: owner, seq }));
                }
                Step::FollowEpoch { ahead } => {
                    let seq = (said + ahead).saturating_sub(2).max(1);
                    follow(&state, owners(epoch(drawn), seq, now.unix.0.unsigned_abs(), Some([seq - 1; 4])), now);
                    prop_assert_eq!(state.have(), Some(Have { epoch: epoch(drawn), seq }));
                }
                Step::Begin => {
                    shard.begin(epoch(drawn));
                    state.open(Reason::Reconnect, now, None);
                    let seq = if said == 0 { 0 } else { said + 1 };
                    prop_assert_eq!(state.have(), Some(Have { epoch: epoch(drawn), seq }));
                }
                Step::CutOff => {
                    shard.cut_off(epoch(drawn));
                    state.show_cut_off(Reason::NoOwner, now);
                }
                Step::Restore if let Some(owner) = owner => {
                    shard.restore(owner);
                    state.restore(now);
                }
                Step::Absent => {
                    state.absent(now);
                    prop_assert!(state.have().is_none());
                    prop_assert!(shard.is_cut_off() || state.newest().seq == 0);
                }
                _ => {}
            }
            let newest = state.newest();
            prop_assert!(newest.version - before.version <= 1);
            prop_assert!(newest.generation >= shard.generation() && newest.generation <= state.generation());
            if newest.version > before.version {
                let begins = newest.generation > before.generation;
                prop_assert!(begins || newest.seq > before.seq, "seq {} after {}", newest.seq, before.seq);
            } else {
                prop_assert_eq!(newest.generation, before.generation);
            }
            state.read_new(&mut recent);
            let versions: Vec<u64> = recent.iter().map(|tick| tick.version).collect();
            prop_assert!(versions.windows(2).all(|pair| pair[1] == pair[0] + 1), "{:?}", versions);
            let have = state.have();
            if shard.is_cut_off() {
                prop_assert!(matches!(newest.snapshot.state(), State::Stale | State::Waiting));
            } else if have.is_none() {
                prop_assert_eq!((newest.seq, newest.snapshot.state()), (0, State::Waiting));
            } else {
                prop_assert_eq!(have, Some(Have { epoch: newest.id.epoch, seq: newest.seq }));
                prop_assert_eq!(Some(newest.id.epoch), shard.owner_epoch());
            }
            prop_assert!(newest.id.n == 0 || shard.knows(newest.id.epoch) );
        }
    }
}

/// By which a patch may be made of it.
#[test]
fn a_tick_follows_the_one_before_unless_ticks_are_lost_or_its_numbers_begin() {
    let now = Now::read();
    let (shard, state) = world(now);
    shard.begin(epoch(2));
    state.open(Reason::Reconnect, now, None);
    state.publish(&trade(), now);
    let mut before = state.newest();
    state.publish(&trade(), now);
    assert!(state.newest().follows(&before));
    before = state.newest();
    shard.begin(epoch(3));
    state.open(Reason::Reconnect, now, None);
    let opened = state.newest();
    assert_eq!((opened.seq, opened.version), (before.seq + 1, before.version + 1));
    assert!(!opened.follows(&before), "of another epoch");
    follow(&state, owners(epoch(7), 5, 50, Some([4; 4])), now);
    before = state.newest();
    follow(&state, owners(epoch(7), 6, 51, None), now);
    assert!(state.newest().follows(&before));
    before = state.newest();
    follow(&state, owners(epoch(7), 8, 53, Some([7; 4])), now);
    assert_eq!(state.newest().version, before.version + 1);
    assert!(!state.newest().follows(&before), "behind a hole of the bus");
}
