//! Gateways and brokers restart one after the other, and clients go from node to node.

use super::{PATIENCE, bound, brokers::BROKERS, client::Client, runs_all, tool, venue, world::World};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const GUESTS: usize = 60;
const RESTARTS: usize = 20;
const MOVES: usize = 1_000;
/// Silence of a client elsewhere, while the owner hands over.
const HANDED_OVER_MAX: Duration = Duration::from_secs(1);
/// Silence of a client that its gateway has sent away: the drain of a second, and the hand-over.
const SENT_AWAY_MAX: Duration = Duration::from_secs(3);

impl World {
    /// Opens clients that go from node to node, spread over all.
    async fn invite(&mut self, count: usize) {
        let symbols = venue::symbols();
        for guest in 0..count {
            let address = self.nodes[guest % self.nodes.len()].address;
            // Of all symbols, or of some.
            let symbols = if guest % 3 == 0 { &symbols[..] } else { &symbols[guest % 17..][..3] };
            self.guests.push(Client::open(format!("guest {guest}"), address, symbols, self.ledger.clone()).await);
        }
        self.all_live_after(0).await;
    }

    /// Clients that were sent away go to other nodes, by their number.
    async fn rehouse(&mut self, places: &[usize], moved: &mut BTreeSet<usize>) {
        for (number, guest) in self.guests.iter_mut().enumerate() {
            if guest.see(|watch| watch.ended.is_some()) {
                guest.move_to(self.nodes[places[number % places.len()]].address).await;
                moved.insert(number);
            }
        }
    }

    /// Restarts a gateway as an operator does, who waits until the others can take over. Returns which guests had to
    /// move.
    async fn restart(&mut self, place: usize) -> BTreeSet<usize> {
        let mut moved = BTreeSet::new();
        self.send_away(place);
        let others: Vec<usize> = self.running().filter(|other| *other != place).collect();
        let until = Instant::now() + PATIENCE;
        while !self.has_ended(place) {
            self.rehouse(&others, &mut moved).await;
            assert!(Instant::now() < until, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.rehouse(&others, &mut moved).await;
        self.nodes[place].start();
        self.open_clients(place).await;
        self.synced();
        moved
    }

    /// Checks how long the clients of the other gateways were silent, which had to move nowhere, and those that had to.
    fn assert_silent_for(&self, restarted: usize, moved: &BTreeSet<usize>) {
        let of_nodes = self.nodes.iter().enumerate().filter(|(place, _)| *place != restarted);
        let of_nodes = of_nodes.flat_map(|(_, node)| &node.clients).map(|client| (client, HANDED_OVER_MAX));
        let guests = self
            .guests
            .iter()
            .enumerate()
            .map(|(number, guest)| (guest, if moved.contains(&number) { SENT_AWAY_MAX } else { HANDED_OVER_MAX }));
        for (client, silent_max) in of_nodes.chain(guests) {
            let silent = client.see(|watch| watch.silent);
            assert!(silent <= bound(silent_max), "{} is silent for {silent:?}: {}", client.name, self.transitions());
        }
    }

    /// Checks that no client of these has missed a tick, and that all are in the epoch of the start.
    fn assert_nothing_lost(&self, epoch: &str) {
        for guest in &self.guests {
            let (holes, not_resumed, hellos) =
                guest.see(|watch| (watch.holes, watch.not_resumed, watch.hellos.clone()));
            assert_eq!((holes, not_resumed), (0, 0), "{}: holes, not resumed; {}", guest.name, self.transitions());
            assert!(hellos.iter().all(|hello| hello == epoch), "{}: {hellos:?}, {}", guest.name, self.transitions());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_rolling_restarts_cost_no_tick() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("rolling restarts", &tool).await;
    world.invite(GUESTS).await;
    let epoch = world.reign().1;
    for count in 0..RESTARTS {
        // Each second time the shard has to be handed over.
        let owner = world.owner();
        let place = if count % 2 == 0 { owner } else { count % 3 };
        let _ = world.fault();
        let moved = world.restart(place).await;
        world.goes_on(1).await;
        assert_eq!(world.owner() == owner, place != owner, "round {count}: {}", world.transitions());
        world.assert_nothing_lost(&epoch);
        world.assert_silent_for(place, &moved);
    }
    world.check(bound(SENT_AWAY_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_restart_one_after_the_other_cost_no_tick() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("rolling restarts of brokers", &tool).await;
    for count in 0..2 * BROKERS {
        let number = world.fault();
        let place = count % BROKERS;
        world.brokers.stop(place);
        world.brokers.restart(place);
        world.all_live_after(number).await;
        world.brokers_serve();
        world.goes_on(2).await;
        world.assert_same_epoch();
        world.check(bound(Duration::from_secs(1)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_resumes_from_node_to_node_miss_nothing() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("resumes", &tool).await;
    world.invite(10).await;
    let epoch = world.reign().1;
    let _ = world.fault();
    for count in 0..MOVES {
        let address = world.nodes[(count / 10 + count) % 3].address;
        let guest = count % 10;
        world.guests[guest].move_to(address).await;
        // Some have had ticks again, others only their greeting.
        if count % 3 > 0 {
            let number = world.venue.market.newest();
            world.guests[guest].until("it goes on", |watch| watch.is_live_after(number)).await;
        }
        if count % 100 == 50 {
            world.give_away();
        }
    }
    world.goes_on(1).await;
    world.assert_nothing_lost(&epoch);
    world.check(bound(SENT_AWAY_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_is_paused_harms_only_its_own_clients() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let world = World::start("follower paused", &tool).await;
    let owner = world.owner();
    let follower = (owner + 1) % 3;
    let number = world.fault();
    world.pause(follower);
    world.others_live_after(&[follower], number + 12 * venue::RATE).await;
    world.go_on(follower);
    world.goes_on(3).await;
    for client in &world.nodes[owner].clients {
        assert_eq!(client.see(|watch| watch.holes), 0);
    }
    world.check_others(&[follower], bound(Duration::from_millis(500)));
}
