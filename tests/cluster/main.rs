//! A seeded simulation of a cluster: nodes with the real machines, a store and a bus that fail in all the ways that
//! real ones do, clocks that differ, processes and machines that stop, crash and drain.
//!
//! Every step is checked. A failure prints its seed, and `CLUSTER_SEED=… cargo test --test cluster` repeats it; with
//! `CLUSTER_TRACE=1` and `--nocapture` it prints what happens. Planted faults show that the checks find what they are
//! for.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod bus;
mod checks;
mod clock;
mod faults;
mod inspection;
mod market;
mod node;
mod shelf;
mod store;
mod streams;
mod world;

use checks::Rule;
use node::{Channel, Input};
use std::{
    collections::BTreeSet,
    ops::Range,
    time::{Duration, Instant},
};
use tickfan::cluster::{follower::State, message::DecodeError};
use world::{MILLI, SECOND, Seen, World, run};

/// What the world is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) nodes: usize,
    pub(crate) shards: usize,
    /// Whether anything fails.
    pub(crate) faults: bool,
    /// Whether the store forgets what it had acknowledged.
    pub(crate) loses: bool,
    /// Whether the store answers late, though in time.
    pub(crate) answers_late: bool,
    /// Whether some machines do not reach the venue, as long as faults happen.
    pub(crate) venue_fails: bool,
    /// Whether the limits are so small that they are reached: messages are many, and buffers full.
    pub(crate) is_tight: bool,
}

const FAULTY: Settings = Settings {
    nodes: 3,
    shards: 2,
    faults: true,
    loses: false,
    answers_late: false,
    venue_fails: false,
    is_tight: false,
};
/// Nothing fails.
const CALM: Settings = Settings { faults: false, ..FAULTY };
/// A world in which a request is on its way for long, so that often a fault comes before its answer.
const LATE_ANSWERS: Settings = Settings { answers_late: true, ..FAULTY };
/// A world in which an opening and a snapshot have several messages, and buffers are soon full.
const TIGHT: Settings = Settings { is_tight: true, ..FAULTY };

/// A planted fault has to be found in so many seeds.
const SEEDS_MAX: u64 = 200;

/// A known bug, which the checks have to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    /// An owner holds its lease as long as the others wait.
    HoldsAsLongAsOthersWait,
    /// A renewal counts from its answer.
    CountsFromAnswer,
    /// An owner does not look at the clock before it publishes.
    NoLookAtTheClock,
    /// The time that only the wall clock counted is left out.
    NoWallClock,
    /// A follower takes a lower token.
    LowerTokenTaken,
    /// An heir goes on with the epoch of an owner that died.
    HeirKeepsEpoch,
    /// A follower takes the first message of an owner for one that came at once.
    AgeWithoutBacklog,
    /// A follower takes the ticks of a snapshot and of a batch without a look at their numbers.
    MergesWithoutSeq,
    /// A follower takes a snapshot without the batches of its ticks.
    SnapshotAlone,
    /// An owner whose lease was not renewed in time shows on what it has.
    NeverSuspends,
    /// A successor leaves a number out behind the last batch.
    HeirSkipsABatch,
    /// Buffers have no limits.
    NoLimits,
}

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a whole number")))
}

/// Runs these seeds. Then `CLUSTER_MORE` more, from `CLUSTER_FIRST` on, or behind these; or the ones behind these for
/// `CLUSTER_SECONDS`.
fn simulate(seeds: Range<u64>, settings: Settings) -> Seen {
    let began = Instant::now();
    let lasts = Duration::from_secs(variable("CLUSTER_SECONDS").unwrap_or(0));
    let more = variable("CLUSTER_MORE").unwrap_or(0);
    let first = variable("CLUSTER_FIRST").unwrap_or(seeds.end);
    let one = variable("CLUSTER_SEED");
    let of_all = seeds.clone().chain(first..first + more);
    let timed = (seeds.end..).take_while(|_| more == 0 && began.elapsed() < lasts);
    let seeds: Box<dyn Iterator<Item = u64>> = match one {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new(of_all.chain(timed)),
    };
    let (mut all, mut count) = (Seen::default(), 0);
    for seed in seeds {
        count += 1;
        match run(seed, settings, None) {
            Ok(seen) => all.add(seen),
            Err(violation) => panic!("CLUSTER_SEED={seed}: {:?}: {}", violation.rule, violation.text),
        }
    }
    println!("{count} seeds, {more} of them from {first}: {all:?}");
    // A venue that is out of reach ends what would end otherwise.
    if one.is_none() && !settings.venue_fails {
        assert_saw_enough(count, settings, &all);
    }
    all
}

/// A world in which nothing happens shows nothing.
fn assert_saw_enough(seeds: usize, settings: Settings, all: &Seen) {
    let least = |count: usize| count * 10 > seeds;
    assert!(least(all.claimed) && least(all.went_on) && least(all.expired), "{all:?}");
    // While the store forgets nothing, an owner that is replaced has nearly always seen its lease expire before, and a
    // feed is nearly always closed in time: that both happen at all is what can be asked for.
    let happens = |count: usize| seeds < 100 || count > 0;
    let is_outranked = if settings.loses { all.outranked * 20 > seeds } else { happens(all.outranked) };
    assert!(is_outranked && (settings.loses || happens(all.unclean)), "{all:?}");
    assert!(least(all.replayed) && least(all.filled as usize) && least(all.replaced as usize), "{all:?}");
    assert!(least(all.fenced as usize) && least(all.lost as usize), "{all:?}");
    assert!(happens(all.resumed_before_hello), "{all:?}");
}

/// Runs seeds until one breaks a rule: one of these, and none without the fault.
fn finds(planted: Planted, rules: &[Rule]) {
    finds_from(0, FAULTY, planted, rules);
}

/// The same from a seed on, which saves those that are known to find nothing.
fn finds_from(first: u64, settings: Settings, planted: Planted, rules: &[Rule]) {
    let mut seeds = first..first + SEEDS_MAX;
    let broken = seeds.find_map(|seed| run(seed, settings, Some(planted)).err().map(|found| (seed, found)));
    let (seed, found) = broken.unwrap_or_else(|| panic!("{planted:?} is not found in {SEEDS_MAX} seeds"));
    println!("{planted:?}: seed {seed}: {}", found.text);
    assert!(rules.contains(&found.rule), "{planted:?}: seed {seed}: {:?}: {}", found.rule, found.text);
    let without = run(seed, settings, None).err();
    assert!(without.is_none(), "{planted:?} is not what seed {seed} finds: {without:?}");
}

#[test]
fn one_node_at_most_owns_a_shard_and_all_agree_after_the_last_fault() {
    simulate(0..120, FAULTY);
}

#[test]
fn after_a_loss_of_the_store_tokens_order_the_owners_and_all_agree() {
    simulate(10_000..10_060, Settings { loses: true, ..FAULTY });
}

#[test]
fn openings_and_snapshots_of_many_messages_and_full_buffers_break_no_rule_and_all_agree() {
    let seen = simulate(40_000..40_040, TIGHT);
    if variable("CLUSTER_SEED").is_none() {
        assert!(seen.unjoined > 0 && seen.most_buffered > node::Limits::SMALL.buffer_bytes / 2, "{seen:?}");
    }
}

#[test]
fn answers_of_the_store_that_come_late_change_nothing_and_all_agree() {
    simulate(20_000..20_020, LATE_ANSWERS);
}

#[test]
fn a_cluster_without_faults_has_one_owner_from_its_start() {
    for seed in 0..20 {
        let mut world = World::new(seed, CALM, None);
        world.run_until(8 * SECOND).unwrap();
        assert_eq!((world.seen.claimed, world.seen.expired, world.seen.outranked), (2, 0, 0), "seed {seed}");
    }
}

#[test]
fn a_node_that_drains_hands_over_within_a_second_without_a_hole() {
    for seed in 0..20 {
        let mut world = World::new(seed, CALM, None);
        world.run_until(8 * SECOND).unwrap();
        let owners = [0, 1].map(|shard| world.owner(shard).expect("a calm cluster has owners"));
        let owned = owners.iter().filter(|owner| **owner == owners[0]).count();
        let tokens = [0, 1].map(|shard| world.token(shard));
        world.drain(owners[0]);
        world.run_until(9 * SECOND).unwrap();
        assert_eq!((world.seen.granted, world.seen.went_on, world.seen.unclean), (owned, owned, 0), "seed {seed}");
        for shard in 0..2 {
            let (before, after) = (tokens[shard], world.token(shard));
            assert_eq!(after.epoch, before.epoch, "seed {seed}");
            assert_eq!(after.term > before.term, owners[shard] == owners[0], "seed {seed}");
            assert!(world.checks.is_whole(shard, after), "seed {seed}: batches are missing");
        }
        // By then the process that started again knows what the others want.
        world.run_until(24 * SECOND).unwrap();
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        // The process that started again had nothing; no other asked for a snapshot, or missed a tick.
        assert_eq!((world.missed(), world.seen.claimed), (0, 2), "seed {seed}");
    }
}

#[test]
fn batches_that_are_lost_just_before_a_hand_over_are_answered_by_the_owner_that_has_left() {
    for seed in 0..20 {
        let mut world = World::new(seed, Settings { shards: 1, ..CALM }, None);
        world.run_until(8 * SECOND).unwrap();
        let owner = world.owner(0).expect("a calm cluster has an owner");
        (0..3).for_each(|to| world.lose_live(owner, to, true));
        world.run_until(8_300 * MILLI).unwrap();
        world.drain(owner);
        world.run_until(10 * SECOND).unwrap();
        assert_eq!((world.seen.went_on, world.missed()), (1, 0), "seed {seed}");
        assert_eq!(world.filled(), 2, "seed {seed}: the successor, and the other one");
        (0..3).for_each(|to| world.lose_live(owner, to, false));
        world.run_until(24 * SECOND).unwrap();
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        assert_eq!(world.missed(), 0, "seed {seed}");
    }
}

#[test]
fn a_hand_over_whose_write_has_no_answer_is_one() {
    for seed in 0..20 {
        let mut world = World::new(seed, Settings { shards: 1, ..CALM }, None);
        world.run_until(8 * SECOND).unwrap();
        let owner = world.owner(0).expect("a calm cluster has an owner");
        let token = world.token(0);
        (0..3).for_each(|to| world.lose_live(owner, to, true));
        world.run_until(8_300 * MILLI).unwrap();
        world.machines[owner].loses_answers = true;
        world.drain(owner);
        world.run_until(10 * SECOND).unwrap();
        assert_eq!((world.seen.granted, world.seen.outranked, world.seen.expired), (1, 0, 0), "seed {seed}");
        assert_eq!((world.seen.went_on, world.missed(), world.filled()), (1, 0, 2), "seed {seed}");
        assert_eq!(world.token(0).epoch, token.epoch, "seed {seed}");
        world.machines[owner].loses_answers = false;
        (0..3).for_each(|to| world.lose_live(owner, to, false));
        world.run_until(24 * SECOND).unwrap();
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        assert_eq!(world.missed(), 0, "seed {seed}");
    }
}

#[test]
fn an_owner_that_has_left_may_answer_slowly_and_its_successor_does_not_cut_it_off() {
    for seed in 0..20 {
        let mut world = World::new(seed, Settings { shards: 1, ..CALM }, None);
        world.run_until(8 * SECOND).unwrap();
        let owner = world.owner(0).expect("a calm cluster has an owner");
        let (heir, third) = ((owner + 1) % 3, (owner + 2) % 3);
        world.lose_live(owner, third, true);
        // Its whole answer takes longer than the successor waits with its own.
        world.machines[owner].links[third][Channel::Asks as usize].answers_every = 120 * MILLI;
        world.run_until(8_400 * MILLI).unwrap();
        world.tell(owner, Input::GiveAway { shard: 0, to: Some(heir) });
        world.run_until(12 * SECOND).unwrap();
        assert_eq!((world.seen.went_on, world.owner(0)), (1, Some(heir)), "seed {seed}");
        assert_eq!((world.missed(), world.filled()), (0, 1), "seed {seed}");
        world.run_until(24 * SECOND).unwrap();
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        assert_eq!(world.missed(), 0, "seed {seed}");
    }
}

#[test]
fn a_node_of_another_version_stays_cut_off_and_claims_nothing_until_all_are_of_it() {
    for seed in 0..20 {
        let mut world = World::new(seed, Settings { shards: 1, ..CALM }, None);
        world.run_until(8 * SECOND).unwrap();
        let owner = world.owner(0).expect("a calm cluster has an owner");
        let (first, second) = ((owner + 1) % 3, (owner + 2) % 3);
        world.upgrade(first);
        let mut owners = BTreeSet::new();
        for second_of_time in 13..40 {
            match second_of_time {
                16 => world.drain(owner),
                24 => world.crash(second),
                _ => {}
            }
            world.run_until(second_of_time * SECOND).unwrap();
            owners.extend(world.owner(0));
            let of = &world.machines[first].node.as_ref().expect("it runs").shards[0].node;
            let follower = of.follower();
            assert!(follower.counts().dropped(DecodeError::Version) > 0, "seed {seed}");
            assert_eq!((follower.state(), of.is_fresh(), of.owns()), (State::Cold, false, false), "seed {seed}");
        }
        assert_eq!(owners, [owner, second].into(), "seed {seed}");
        assert_eq!((world.seen.went_on, world.seen.claimed, world.missed()), (1, 2, 0), "seed {seed}");
        world.upgrade(second);
        world.run_until(46 * SECOND).unwrap();
        world.upgrade(owner);
        world.run_until(64 * SECOND).unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
    }
}

#[test]
fn an_owner_that_does_not_reach_the_venue_gives_its_shards_to_one_that_does() {
    // A node that restarts, or a lease that expires, ends a failure of 30 s too early for it to be seen. So nothing
    // else fails.
    let seeds = 20;
    let given = (0..seeds).map(|seed| {
        let seen = run(seed, Settings { venue_fails: true, ..CALM }, None);
        let seen = seen.unwrap_or_else(|violation| panic!("seed {seed}: {:?}: {}", violation.rule, violation.text));
        assert_eq!((seen.expired, seen.failed), (0, seen.went_on), "seed {seed}");
        assert!(seen.failed <= 4, "seed {seed}: a shard moves at most twice");
        seen.failed
    });
    let given: usize = given.sum();
    println!("{given} shards given away");
    assert!(given >= seeds as usize, "two of three nodes do not reach the venue: {given}");
}

#[test]
fn a_venue_that_some_nodes_do_not_reach_breaks_no_rule_whatever_else_fails_and_all_agree() {
    simulate(30_000..30_020, Settings { venue_fails: true, ..FAULTY });
}

#[test]
fn a_feed_that_fails_on_one_node_moves_once_and_stays() {
    for seed in 0..3 {
        let mut world = World::new(seed, CALM, None);
        world.run_until(8 * SECOND).unwrap();
        let owner = world.owner(0).expect("a calm cluster has owners");
        let owned = (0..2).filter(|shard| world.owner(*shard) == Some(owner)).count();
        world.cut_venue(owner, 1_000 * SECOND);
        world.run_until(36 * SECOND).unwrap();
        assert_eq!(world.seen.granted, 0, "seed {seed}: the venue may come back");
        world.run_until(40 * SECOND).unwrap();
        assert_eq!((world.seen.granted, world.seen.went_on), (owned, owned), "seed {seed}");
        world.settle().unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        world.run_until(700 * SECOND).unwrap_or_else(|violation| panic!("seed {seed}: {}", violation.text));
        assert!((0..2).all(|shard| world.owner(shard).is_some_and(|now| now != owner)), "seed {seed}");
        assert_eq!((world.seen.granted, world.seen.claimed), (owned, 2), "seed {seed}: it moved once");
    }
}

#[test]
fn a_feed_that_fails_on_all_nodes_is_tried_by_each_once_in_ten_minutes() {
    for seed in 0..3 {
        let mut world = World::new(seed, Settings { shards: 1, ..CALM }, None);
        world.run_until(8 * SECOND).unwrap();
        (0..3).for_each(|machine| world.cut_venue(machine, 10_000 * SECOND));
        // The venue says nothing, and no symbol is live.
        (world.settles, world.agreed_from) = (true, u64::MAX);
        let mut moves = Vec::new();
        for minutes in [5, 10, 20, 40] {
            world.run_until(8 * SECOND + minutes * 60 * SECOND).unwrap();
            moves.push(world.seen.granted);
        }
        // Two moves bring the shard to all nodes.
        assert_eq!(moves[..2], [2, 2], "seed {seed}");
        assert!((3..=5).contains(&moves[2]) && moves[3] <= 10, "seed {seed}: {moves:?}");
        assert_eq!((world.seen.claimed, world.seen.expired), (1, 0), "seed {seed}");
    }
}

#[test]
fn the_checks_find_an_owner_that_holds_as_long_as_the_others_wait() {
    finds_from(45, FAULTY, Planted::HoldsAsLongAsOthersWait, &[Rule::OneOwner]);
}

#[test]
fn the_checks_find_a_renewal_that_counts_from_its_answer() {
    finds_from(30, LATE_ANSWERS, Planted::CountsFromAnswer, &[Rule::OneOwner]);
}

#[test]
fn the_checks_find_an_owner_that_does_not_look_at_the_clock() {
    finds(Planted::NoLookAtTheClock, &[Rule::OneOwner]);
}

#[test]
fn the_checks_find_an_owner_that_does_not_count_the_time_in_which_its_machine_was_stopped() {
    finds(Planted::NoWallClock, &[Rule::OneOwner, Rule::Age]);
}

#[test]
fn the_checks_find_a_follower_that_takes_a_lower_token() {
    finds(Planted::LowerTokenTaken, &[Rule::TokensRise]);
}

#[test]
fn the_checks_find_an_heir_that_keeps_the_epoch() {
    finds(Planted::HeirKeepsEpoch, &[Rule::SameTick, Rule::Succession, Rule::Age]);
}

#[test]
fn the_checks_find_an_age_that_leaves_out_how_long_the_first_message_was_held_back() {
    finds(Planted::AgeWithoutBacklog, &[Rule::Age]);
}

#[test]
fn the_checks_find_a_follower_that_merges_without_a_look_at_seq() {
    // An old tick goes back in the numbers. It is merged into a newer state as well: what it does not change, such as
    // an outage that began later, stays, so that its number means another tick here. A node's ticks are compared before
    // its streams get them.
    finds_from(10, FAULTY, Planted::MergesWithoutSeq, &[Rule::SeqRises, Rule::SameTick]);
}

#[test]
fn the_checks_find_a_follower_that_takes_a_snapshot_without_the_batches_of_its_ticks() {
    // Its streams get a newer tick of one symbol before an older one of another, and are resumed behind the newer one.
    let forgetful = Settings { loses: true, ..FAULTY };
    finds_from(39, forgetful, Planted::SnapshotAlone, &[Rule::Resume]);
}

#[test]
fn the_checks_find_an_owner_that_shows_on_without_its_lease() {
    finds(Planted::NeverSuspends, &[Rule::Age]);
}

#[test]
fn the_checks_find_a_successor_that_leaves_a_number_out() {
    finds(Planted::HeirSkipsABatch, &[Rule::Succession]);
}

#[test]
fn the_checks_find_buffers_without_limits() {
    finds_from(40_000, TIGHT, Planted::NoLimits, &[Rule::Limits]);
}
