//! Brokers are killed, paused, stopped, or cut off from each other.

use super::{
    bound,
    brokers::BROKERS,
    runs_all, tool,
    venue::RATE,
    world::{HOLD_MAX, SILENT_MAX, World},
};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Silence while a node goes over to another broker: half a second, and the time between two updates of a symbol.
const MOVED_MAX: Duration = Duration::from_millis(570);
/// Silence while a node finds out that its broker is mute, and for a second its followers ask the owner in vain, whose
/// other connection was to the same broker.
const MUTE_MAX: Duration = Duration::from_millis(3_500);
/// Silence after an owner is lost.
const LOST_MAX: Duration = Duration::from_secs(12);
/// Silence while the leases have no leader: the node at its broker goes over to another one.
const LEADER_MAX: Duration = Duration::from_secs(1);
/// Silence over a short loss of all brokers during which the lease does not run out.
const ALL_KILLED_KEPT_MAX: Duration = Duration::from_secs(12);
/// The same if it does: they elect a leader again, and the lease may have to run out.
const ALL_KILLED_MAX: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_costs_no_tick() {
    let Some(tool) = tool() else { return };
    let mut world = World::start("broker killed", &tool).await;
    let (owner, all) = (world.owner(), 0..BROKERS);
    // One of a broker that none is connected to would cost no tick in any case.
    let places: Vec<usize> = all.filter(|&place| runs_all() || world.is_at(owner, place)).collect();
    for place in if runs_all() { &places[..] } else { &places[..1] } {
        let place = *place;
        let number = world.fault();
        world.brokers.kill(place);
        world.all_live_after(number).await;
        world.goes_on(3).await;
        world.assert_same_epoch();
        world.check(bound(MOVED_MAX));
        world.brokers.restart(place);
        world.brokers_serve();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_mute_is_left() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let world = World::start("broker mute", &tool).await;
    for place in 0..BROKERS {
        let number = world.fault();
        let (reign, lost) = (world.reign(), world.lost());
        let is_owners = world.is_at(reign.0, place);
        world.brokers.signal(place, Signal::STOP);
        world.all_live_after(number + 4 * RATE).await;
        println!("measured: broker mute: {} ticks lost, the owner's broker: {is_owners}", world.lost() - lost);
        assert_eq!(world.reign(), reign, "a lease outlasts a broker");
        assert_eq!(world.lost(), lost, "history has what the broker kept: {}", world.transitions());
        world.check(bound(MUTE_MAX));
        world.brokers.signal(place, Signal::CONT);
        world.brokers_serve();
        world.goes_on(1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owners_broker_is_cut_off_from_the_others() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    // Each gateway is connected to a broker of its own.
    let world = World::start_with("owner's broker cut off", &tool, |place| vec![place]).await;
    let owner = world.owner();
    let number = world.fault();
    let (followers, began) = (world.followers(), Instant::now());
    world.brokers.cut_off(owner, true);
    tokio::join!(async { world.all_stale_within(&[owner], began, HOLD_MAX).await }, async {
        world.all_stale_within(&followers, began, SILENT_MAX).await;
        world.others_live_after(&[owner], number).await;
    });
    // What waits in the routes grows old.
    world.others_live_after(&[owner], world.venue.market.newest() + 10 * RATE).await;
    world.brokers.cut_off(owner, false);
    world.goes_on(2).await;
    assert!(world.fenced() > 0, "nothing waited in the routes");
    world.check_others(&[owner], bound(LOST_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_of_the_leases_is_killed_paused_and_stopped() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("leader of the leases", &tool).await;
    for fault in ["killed", "paused", "stopped"] {
        let number = world.fault();
        let reign = world.reign();
        let leader = world.brokers.leader();
        let others: Vec<usize> = (0..BROKERS).filter(|&place| place != leader).collect();
        match fault {
            "killed" => world.brokers.kill(leader),
            "paused" => world.brokers.signal(leader, Signal::STOP),
            _ => world.brokers.stop(leader),
        }
        world.all_live_after(number).await;
        world.brokers.leader_of(&others);
        world.goes_on(2).await;
        assert_eq!(world.reign(), reign, "a lease outlasts an election: {}", world.transitions());
        world.check(bound(if fault == "paused" { MUTE_MAX } else { LEADER_MAX }));
        match fault {
            "paused" => world.brokers.signal(leader, Signal::CONT),
            _ => world.brokers.restart(leader),
        }
        world.brokers_serve();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_brokers_are_killed_for_three_seconds() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("all brokers killed", &tool).await;
    let (_, epoch) = world.reign();
    let number = world.fault();
    (0..BROKERS).for_each(|place| world.brokers.kill(place));
    let until = Instant::now() + Duration::from_secs(3);
    // The owner shows on what it has while its lease is valid.
    world.all_stale(&world.followers()).await;
    tokio::time::sleep_until(until.into()).await;
    (0..BROKERS).for_each(|place| world.brokers.restart(place));
    world.all_live_after(number).await;
    // The lease may have run out before the brokers have elected a leader.
    world.brokers_serve();
    world.goes_on(2).await;
    let is_kept = world.reign().1 == epoch;
    println!("measured: all brokers killed: the epoch goes on: {is_kept}");
    world.check(bound(if is_kept { ALL_KILLED_KEPT_MAX } else { ALL_KILLED_MAX }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_all_is_stale_until_it_is_back() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("no majority", &tool).await;
    let _ = world.fault();
    let (owner, followers) = (world.owner(), world.followers());
    let leader = world.brokers.leader();
    let began = Instant::now();
    let killed: Vec<usize> = (0..BROKERS).filter(|&place| place != leader).collect();
    killed.iter().for_each(|&place| world.brokers.kill(place));
    // The broker that is left carries the owner's ticks on, as long as its lease lasts.
    tokio::join!(
        async { world.all_stale_within(&[owner], began, HOLD_MAX).await },
        world.all_stale_within(&followers, began, HOLD_MAX + SILENT_MAX),
    );
    let number = world.venue.market.newest();
    // Nothing may be live without a lease.
    world.forbid_live(true);
    tokio::time::sleep(Duration::from_secs(10)).await;
    world.forbid_live(false);
    killed.iter().for_each(|&place| world.brokers.restart(place));
    let back = Instant::now();
    world.all_live_after(number).await;
    println!("measured: no majority: live {:.1?} after its return", back.elapsed());
    assert!(back.elapsed() <= bound(ALL_KILLED_MAX), "{:?}", back.elapsed());
    world.goes_on(2).await;
    world.check(Duration::MAX);
}
