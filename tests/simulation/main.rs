//! A seeded simulation of publishers, workers and clients, without sockets, threads or clocks.
//!
//! Every step is checked against the rules; a failure prints the seed, and `SIMULATION_SEED=… cargo test --test simulation`
//! runs that one alone. `scripts/faults` plants faults in the workers and sees this test find them.

#![expect(clippy::unwrap_used, reason = "a test")]

mod client;
mod world;

use std::time::Duration;
use world::{Settings, World};

/// How many seeds one run tries.
const SEEDS: u64 = 1_000;
const STEPS: usize = 300;

fn seeds() -> Vec<u64> {
    match std::env::var("SIMULATION_SEED") {
        Ok(seed) => vec![seed.parse().expect("SIMULATION_SEED is a whole number")],
        Err(_) => (0..SEEDS).collect(),
    }
}

/// Any mix of publishes, joins, turns, readers that keep up, drip, stall, come back and die.
#[test]
fn rules_1_to_5_and_11_hold_in_any_order_of_events() {
    for seed in seeds() {
        let mut world = World::new(seed, Settings::default());
        for _ in 0..STEPS {
            world.step();
        }
        world.come_to_rest();
    }
}

/// Symbols of a slow stream take turns, however hot some of them are.
#[test]
fn rule_3_no_symbol_starves_in_a_stream_that_drips() {
    const SYMBOLS: usize = 8;
    let mut world = World::new(3, Settings { symbols: SYMBOLS, workers: 1, ..Settings::default() });
    let client = world.join_all(0, 1 << 20);
    world.turn(0);
    world.client(client).room = 0;
    for _ in 0..400 {
        for symbol in 0..SYMBOLS {
            world.publish(symbol);
        }
        world.advance(Duration::from_millis(60)); // more than max_lag: each symbol coalesces
        world.turn(0);
        world.give_room(client, 300); // a frame and a bit
        world.turn(0);
    }
    let longest = world.client(client).longest_wait();
    assert!(longest <= 2 * SYMBOLS, "a symbol waited while {longest} frames of others went out");
}

/// A symbol with many streams is written in rounds: none of them waits for two others to be written twice.
#[test]
fn rule_3_no_stream_starves_in_a_round_and_small_symbols_pass_it() {
    const CROWD: usize = 1_500;
    let mut world = World::new(4, Settings { symbols: 2, workers: 1, ..Settings::default() });
    let crowd: Vec<usize> = (0..CROWD).map(|_| world.join(0, &[0], usize::MAX)).collect();
    let lone = world.join(0, &[1], usize::MAX);
    while world.turn(0) {}
    for round in 0..200 {
        world.publish(0);
        if round % 10 == 0 {
            world.publish(1);
            world.turn(0);
            world.turn(0);
            assert_eq!(world.client(lone).lacks(), 0, "a lone stream waits no round");
        }
        world.turn(0);
        world.advance(Duration::from_millis(1));
        let writes: Vec<usize> = crowd.iter().map(|&client| world.client(client).writes).collect();
        let (least, most) = (writes.iter().min().unwrap(), writes.iter().max().unwrap());
        assert!(most - least <= 1, "in turn {round} a stream was written {most} times, another {least}");
    }
    world.come_to_rest();
}
