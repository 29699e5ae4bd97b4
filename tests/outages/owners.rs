//! The owner of a shard is killed, paused, cut off, or stops.

use super::{bound, runs_all, tool, world::World};
use std::time::{Duration, Instant};

/// Silence after an owner has handed over.
const HANDED_OVER_MAX: Duration = Duration::from_secs(1);
/// Silence after an owner is lost.
const LOST_MAX: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_is_killed_is_replaced() {
    let Some(tool) = tool() else { return };
    let mut world = World::start("owner killed", &tool).await;
    let owner = world.owner();
    let number = world.fault();
    world.kill(owner);
    world.all_live_after(number).await;
    // It comes back as another process, and follows.
    world.nodes[owner].start();
    world.open_clients(owner).await;
    world.goes_on(2).await;
    world.synced();
    assert_ne!(world.owner(), owner);
    world.check(bound(LOST_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_stops_hands_over_without_a_loss() {
    let Some(tool) = tool() else { return };
    let mut world = World::start("owner drains", &tool).await;
    let owner = world.owner();
    let number = world.fault();
    world.send_away(owner);
    world.all_live_after(number).await;
    world.stop(owner);
    world.goes_on(1).await;
    world.assert_same_epoch();
    world.check(bound(HANDED_OVER_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_loses_its_brokers_is_replaced_and_its_late_messages_are_dropped() {
    let Some(tool) = tool() else { return };
    let world = World::start("owner cut off", &tool).await;
    let owner = world.owner();
    let number = world.fault();
    world.cut_off(owner, true);
    world.others_live_after(&[owner], number).await;
    world.all_stale(&[owner]).await;
    world.cut_off(owner, false);
    world.goes_on(2).await;
    assert_ne!(world.owner(), owner);
    world.check(bound(LOST_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_was_paused_says_nothing_more() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let world = World::start("owner paused", &tool).await;
    let owner = world.owner();
    let number = world.fault();
    let awakes = Instant::now() + Duration::from_secs(15);
    world.pause(owner);
    world.others_live_after(&[owner], number).await;
    // The pause is what is tested: nothing tells of its end.
    tokio::time::sleep_until(awakes.into()).await;
    world.go_on(owner);
    world.goes_on(2).await;
    assert_ne!(world.owner(), owner);
    world.check_others(&[owner], bound(LOST_MAX));
}
