//! A seeded simulation of publishers, workers and clients, without sockets, threads or clocks.
//!
//! Every step is checked against the rules; a failure prints the seed, and `SIMULATION_SEED=… cargo test --test simulation`
//! runs that one alone. `scripts/faults` plants faults in the workers and sees this test find them.

#![expect(clippy::unwrap_used, reason = "a test")]

mod client;
mod world;

use std::{ops::Range, time::Duration};
use world::{Settings, World};

const STEPS: usize = 300;

/// Any mix of publishes, joins, turns, readers that keep up, drip, stall and die. Each run checks all rules; the tests
/// share the seeds among them, a thousand in all.
fn simulate(seeds: Range<u64>, settings: Settings) {
    let seeds = match std::env::var("SIMULATION_SEED") {
        Ok(seed) => vec![seed.parse().expect("SIMULATION_SEED is a whole number")],
        Err(_) => seeds.collect(),
    };
    for seed in seeds {
        let mut world = World::new(seed, settings);
        for _ in 0..STEPS {
            world.step();
        }
        world.come_to_rest();
    }
}

#[test]
fn rule_1_within_a_stream_a_symbols_seq_only_rises() {
    simulate(0..250, Settings::default());
}

#[test]
fn rule_2_a_stream_that_keeps_up_misses_none_and_any_other_gets_the_newest() {
    simulate(250..500, Settings { symbols: 2, workers: 1, clients_max: 8, choosy: false });
}

#[test]
fn rule_3_every_stream_ends_on_the_newest_of_each_of_its_symbols() {
    simulate(500..700, Settings { symbols: 9, workers: 3, clients_max: 20, choosy: false });
}

#[test]
fn rule_5_a_stream_that_takes_nothing_is_closed_and_no_other() {
    simulate(700..850, Settings { symbols: 3, workers: 1, clients_max: 30, choosy: false });
}

#[test]
fn rule_11_a_frame_is_encoded_once_for_all_and_only_if_some_stream_wants_it() {
    simulate(850..1_000, Settings { symbols: 20, workers: 4, clients_max: 16, choosy: false });
}

#[test]
fn the_rules_hold_whatever_parts_and_rates_clients_choose_and_wherever_they_resume() {
    simulate(1_000..1_400, Settings { choosy: true, ..Settings::default() });
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
