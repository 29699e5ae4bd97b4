//! How a shard's epochs and numbers follow each other.

use super::*;
use crate::{
    cache::{Cache, RegisterError, RingLimits, SHARDS_MAX, SymbolState},
    market::{Origin, UnixMicros},
};
use std::time::{Duration, Instant};

fn epoch(bits: u64) -> Epoch {
    Epoch::from_bits(bits).unwrap()
}

fn cache() -> Cache {
    Cache::new(epoch(1), RingLimits { count: 8, age: Duration::from_secs(10) })
}

fn state(cache: &Cache, shard: &Arc<Shard>, name: &str) -> Arc<SymbolState> {
    cache.register_in(shard, name.parse().unwrap(), "x".into(), Origin::Sim, Now::read()).unwrap()
}

#[test]
fn the_former_epochs_are_the_last_three_newest_first() {
    let cache = cache();
    let shard = cache.add_shard("x.0".into(), epoch(9)).unwrap();
    assert_eq!((shard.epoch(), shard.owner_epoch(), shard.is_cut_off()), (epoch(9), None, true));
    assert!(!cache.knows(epoch(9)), "no id has an epoch that was drawn for a cut-off");
    for bits in 10..15 {
        shard.begin(epoch(bits));
    }
    let former = |bits: [u64; 3]| FormerEpochs::from(bits.map(epoch));
    assert_eq!((shard.epoch(), shard.former()), (epoch(14), former([13, 12, 11])));
    for bits in [1, 11, 12, 13, 14] {
        assert!(cache.knows(epoch(bits)), "{bits}");
    }
    assert!(!cache.knows(epoch(10)));
    shard.begin(epoch(12));
    assert_eq!(shard.former(), former([14, 13, 11]), "an epoch that comes back is not a former one");
}

#[test]
fn a_shard_learns_of_former_epochs_that_others_know() {
    let shard = cache().add_shard("x.0".into(), epoch(9)).unwrap();
    shard.begin(epoch(10));
    shard.remember(&[epoch(10), epoch(8), epoch(7), epoch(6), epoch(5)]);
    assert_eq!(shard.former().to_vec(), [8, 7, 6].map(epoch));
    shard.begin(epoch(11));
    assert_eq!(shard.former().to_vec(), [10, 8, 7].map(epoch));
}

#[test]
fn each_change_of_an_epoch_begins_a_generation_and_nothing_else_does() {
    let cache = cache();
    let (one, other) = (cache.add_shard("x.0".into(), epoch(8)), cache.add_shard("y.0".into(), epoch(9)));
    let (one, other) = (one.unwrap(), other.unwrap());
    let seen = || (cache.generation(), one.generation(), other.generation());
    assert_eq!(seen(), (0, 0, 0));
    one.begin(epoch(10));
    assert_eq!(seen(), (1, 1, 0));
    one.begin(epoch(10));
    one.follow(epoch(10));
    assert_eq!(seen(), (1, 1, 0), "it is the same epoch");
    other.follow(epoch(11));
    assert_eq!((seen(), other.epoch()), ((1, 1, 0), epoch(9)), "it is cut off: clients see nothing of it");
    other.restore(epoch(11));
    assert_eq!((seen(), other.epoch()), ((2, 1, 2), epoch(11)));
    one.cut_off(epoch(12));
    assert_eq!((seen(), one.epoch(), one.owner_epoch()), ((3, 3, 2), epoch(12), Some(epoch(10))));
    one.begin(epoch(10));
    assert_eq!((seen(), one.epoch()), ((4, 4, 2), epoch(10)), "an owner that was suspended goes on");
    other.follow(epoch(13));
    assert_eq!((seen(), other.epoch()), ((5, 4, 5), epoch(13)));
}

#[test]
fn n_counts_from_1_in_a_single_gateway_and_by_the_time_in_a_cluster() {
    let cache = cache();
    let now = Now { unix: UnixMicros(1_000), instant: Instant::now() };
    assert_eq!([(); 3].map(|()| cache.shard.next_n(now)), [1, 2, 3]);
    let shard = cache.add_shard("x.0".into(), epoch(9)).unwrap();
    assert_eq!([(); 3].map(|()| shard.next_n(now)), [1_000, 1_001, 1_002]);
    shard.raise_n(5_000);
    shard.raise_n(4_000);
    assert_eq!(shard.next_n(now), 5_001, "it is higher than what the owner before has drawn");
    assert_eq!(shard.next_n(now.after(Duration::from_secs(1))), 1_001_000);
    assert_eq!(shard.next_n(Now { unix: UnixMicros(-7), ..now }), 1_001_001);
}

#[test]
fn the_epoch_of_several_shards_stands_for_all_of_theirs_in_any_order() {
    let cache = cache();
    let mut shards = ["y.0", "x.0"].map(|name| cache.add_shard(name.into(), epoch(5)).unwrap());
    let states = [state(&cache, &shards[0], "A"), state(&cache, &shards[1], "B"), state(&cache, &shards[1], "C")];
    assert_eq!(states.each_ref().map(|state| state.place()), [0, 0, 1]);
    assert_eq!(Cache::epoch_of(&states), epoch(5), "they have the same");
    shards[0].begin(epoch(7));
    shards[1].begin(epoch(6));
    assert_eq!(Cache::epoch_of(&states[..1]), epoch(7));
    assert_eq!(Cache::epoch_of(&states[1..]), epoch(6));
    let bytes = [6_u64, 7].iter().flat_map(|bits| bits.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(Cache::epoch_of(&states), epoch(hash >> 16), "x.0 comes before y.0");
    let mut backwards = states.clone();
    backwards.reverse();
    assert_eq!(Cache::epoch_of(&backwards), Cache::epoch_of(&states));
    shards.reverse();
    shards[0].begin(epoch(7));
    assert_eq!(Cache::epoch_of(&states), epoch(7));
}

#[test]
fn rule_10_there_are_only_so_many_shards() {
    let cache = cache();
    for number in 0..SHARDS_MAX {
        cache.add_shard(format!("x.{number}").into(), epoch(9)).unwrap();
    }
    assert_eq!(cache.add_shard("y.0".into(), epoch(9)).err(), Some(RegisterError::Shards));
}
