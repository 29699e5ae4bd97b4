//! A seeded simulation of publishers, workers and clients, without sockets, threads or clocks.
//!
//! Every step is checked against the rules. A failure prints its seed, and `SIMULATION_SEED=… cargo test --test
//! simulation` repeats it. `scripts/mutants` injects bugs into the workers and checks that this test catches them.

#![expect(clippy::unwrap_used, reason = "a test")]

mod client;
#[path = "../support/h2_peer.rs"]
#[expect(dead_code, unreachable_pub, reason = "it serves other tests too")]
mod h2_peer;
mod holds;
mod rights;
mod shared;
mod world;

use h2_peer::INITIAL_WINDOW_SIZE;
use std::{ops::Range, time::Duration};
use tickfan::{
    fanout::{CloseMode, CloseReason, Options, Resume},
    market::Part,
};
use world::{Settings, World};

const STEPS: usize = 300;

/// Any mix of publishes, joins, turns, and clients that keep up, drip, stall and leave. Each run checks all rules; the
/// tests share the seeds.
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
        world.settle();
    }
}

/// The seeds that each of so many kinds of worlds gets beside its own: its share of `SIMULATION_MORE`, rounded up, from
/// `SIMULATION_FIRST` on, or else from this one on.
fn more_seeds(kind: u64, kinds: usize, from: u64) -> Range<u64> {
    let variable = |name: &str| std::env::var(name).ok().map(|number| number.parse::<u64>().expect(name));
    let more = variable("SIMULATION_MORE").unwrap_or(0).div_ceil(kinds as u64);
    let from = variable("SIMULATION_FIRST").map_or(from, |first| first + more * kind);
    from..from + more
}

#[test]
fn rule_1_within_a_stream_a_symbols_seq_only_rises() {
    simulate(0..250, Settings::default());
}

#[test]
fn rule_2_a_stream_that_keeps_up_misses_none_and_any_other_gets_the_newest() {
    simulate(250..500, Settings { symbols: 2, workers: 1, clients_max: 8, ..Settings::default() });
}

#[test]
fn rule_3_every_stream_ends_on_the_newest_of_each_of_its_symbols() {
    simulate(500..700, Settings { symbols: 9, workers: 3, clients_max: 20, ..Settings::default() });
}

#[test]
fn rule_5_a_stream_that_takes_nothing_is_closed_and_no_other() {
    simulate(700..850, Settings { symbols: 3, workers: 1, clients_max: 30, ..Settings::default() });
}

#[test]
fn rule_11_a_frame_is_encoded_once_for_all_and_only_if_some_stream_wants_it() {
    simulate(850..1_000, Settings { symbols: 20, workers: 4, clients_max: 16, ..Settings::default() });
}

#[test]
fn the_rules_hold_whatever_parts_and_rates_clients_choose_and_wherever_they_resume() {
    simulate(1_000..1_400, Settings { choosy: true, ..Settings::default() });
}

#[test]
fn the_rules_hold_where_transports_hold_bytes_until_they_are_flushed() {
    simulate(1_500..1_650, Settings { holding: true, ..Settings::default() });
    simulate(1_650..1_700, Settings { holding: true, choosy: true, ..Settings::default() });
}

/// Records are cut, windows close and open, readers stop, and clients reset streams or leave with all of them.
#[test]
fn the_rules_hold_where_streams_share_connections() {
    simulate(1_700..2_000, Settings { sharing: true, ..Settings::default() });
    simulate(2_000..2_100, Settings { sharing: true, choosy: true, ..Settings::default() });
    let flush_interval = Some(Duration::from_millis(20));
    simulate(2_100..2_150, Settings { sharing: true, flush_interval, ..Settings::default() });
}

/// Decoded, a compressed stream is what a plain one is: with patches, resumed, slow, and cut in the middle of a frame.
#[test]
fn the_rules_hold_where_streams_are_compressed() {
    let compressing = Settings { compressing: true, ..Settings::default() };
    simulate(2_200..2_280, compressing);
    simulate(2_280..2_360, Settings { choosy: true, ..compressing });
    simulate(2_360..2_400, Settings { changing: true, choosy: true, ..compressing });
    simulate(2_400..2_440, Settings { holding: true, symbols: 2, workers: 1, ..compressing });
}

/// Each of a symbol's two feeds speaks and fails at random: every rule holds for what is shown, and no tick mixes them.
#[test]
fn the_rules_hold_where_two_feeds_of_a_symbol_fail() {
    let failing = Settings { failing: true, ..Settings::default() };
    let kinds = [
        (80, failing),
        (60, Settings { choosy: true, ..failing }),
        (40, Settings { sharing: true, choosy: true, ..failing }),
        (40, Settings { changing: true, ..failing }),
    ];
    for (kind, (count, settings)) in (0..).zip(kinds) {
        let from = 100_000 + 10_000 * kind;
        simulate(from..from + count, settings);
        simulate(more_seeds(kind, kinds.len(), from + count), settings);
    }
}

/// Symbols leave the list of their feed and come back, as the same state where a stream holds it, and as another one in
/// any place where none does. A mark of the old one may be on its way, and lists may change too.
#[test]
fn the_rules_hold_where_symbols_leave_and_come_back() {
    let listing = Settings { listing: true, ..Settings::default() };
    let flush_interval = Some(Duration::from_millis(20));
    let kinds = [
        (80, listing),
        (60, Settings { symbols: 9, workers: 3, clients_max: 6, ..listing }),
        (60, Settings { choosy: true, ..listing }),
        (60, Settings { changing: true, ..listing }),
        (60, Settings { changing: true, choosy: true, clients_max: 4, ..listing }),
        (40, Settings { sharing: true, changing: true, ..listing }),
        (40, Settings { changing: true, choosy: true, flush_interval, ..listing }),
    ];
    for (kind, (count, settings)) in (0..).zip(kinds) {
        let from = 200_000 + 10_000 * kind;
        simulate(from..from + count, settings);
        simulate(more_seeds(kind, kinds.len(), from + count), settings);
    }
}

/// Lists change at any moment: while a transport is full, in the middle of a cut block, before the first write, twice
/// in a turn, in a drain. No tick of a removed symbol comes behind the event, and none of an added one before it.
#[test]
fn the_rules_hold_where_clients_change_their_lists() {
    let changing = Settings { changing: true, ..Settings::default() };
    let choosy = Settings { choosy: true, ..changing };
    let flush_interval = Some(Duration::from_millis(20));
    let kinds = [
        (60, changing),
        (60, Settings { symbols: 2, workers: 1, clients_max: 8, ..choosy }),
        (80, choosy),
        (40, Settings { holding: true, ..choosy }),
        (60, Settings { sharing: true, ..changing }),
        (40, Settings { sharing: true, ..choosy }),
        (40, Settings { flush_interval, ..choosy }),
    ];
    let mut from = 2_150;
    for (count, settings) in kinds {
        simulate(from..from + count, settings);
        from += count;
    }
    for (kind, (_, settings)) in (0..).zip(kinds) {
        simulate(more_seeds(kind, kinds.len(), 10_000 * (kind + 1)), settings);
    }
}

#[test]
fn the_rules_hold_where_lists_change_in_a_drain() {
    for seed in 2_950..3_000 {
        let mut world = World::new(seed, Settings { changing: true, ..Settings::default() });
        (0..STEPS / 2).for_each(|_| world.step());
        world.drain(Duration::from_millis(500));
        (0..STEPS / 2).for_each(|_| world.step());
    }
}

/// A block is cut anywhere, and the list changes then: once, or there and back.
#[test]
fn a_list_may_change_at_every_byte_of_a_cut_block() {
    let ways: [fn(&mut World, usize) -> usize; 3] = [
        |world, room| world.join(0, &[0, 1], room),
        // Over a connection whose socket is full in the middle of a record. Settings and head come first.
        |world, room| join_alone_on(world, 200 + room, 1 << 20),
        // Over one whose window is.
        |world, room| join_alone_on(world, usize::MAX, room as u32),
    ];
    for (way, join) in ways.iter().enumerate() {
        let mut cut = 0;
        for room in 0..900 {
            let settings = Settings { symbols: 3, workers: 1, interrupts: 0.0, ..Settings::default() };
            let mut world = World::new(room as u64, settings);
            (0..3).for_each(|symbol| world.publish(symbol));
            let client = join(&mut world, room);
            while world.turn(0) {}
            world.publish(1);
            let is_cut = world.client(client).is_cut();
            world.change_list(client, &[2, 1]);
            world.turn(0);
            cut += usize::from(is_cut || world.client(client).full);
            if room % 2 == 1 {
                world.change_list(client, &[1, 0]);
                world.publish(0);
                world.turn(0);
            }
            world.settle();
            let mut client = world.client(client);
            let list = if room % 2 == 1 { [0, 1] } else { [1, 2] };
            let mut has: Vec<usize> = client.symbols.keys().copied().collect();
            has.sort_unstable();
            assert_eq!((has, client.lacks()), (list.to_vec(), 0), "way {way}, room for {room} bytes at first");
            assert!(client.events_seen >= 1 && client.symbols.remove(&1).unwrap().seqs.last() == Some(&2));
        }
        assert!(cut > 100, "way {way}: only {cut} blocks are cut");
    }
}

/// A client with a connection of its own, whose socket has this room and whose streams have this window.
fn join_alone_on(world: &mut World, room: usize, window: u32) -> usize {
    let shared = world.connect(0, room, &[(INITIAL_WINDOW_SIZE, window)]);
    let client = world.join_on(shared, &[0, 1], heartbeats(), None);
    world.turn_all(0);
    client
}

/// A stream without room is told of the newest list alone.
#[test]
fn an_event_that_is_not_begun_is_replaced_by_the_newer() {
    let mut world = World::new(21, Settings { symbols: 3, workers: 1, interrupts: 0.0, ..Settings::default() });
    let client = world.join_all(0, usize::MAX);
    while world.turn(0) {}
    world.client(client).room = 10;
    (0..3).for_each(|symbol| world.publish(symbol));
    while world.turn(0) {}
    assert!(world.client(client).full);
    for list in [&[0][..], &[1, 2], &[2], &[0, 1, 2]] {
        world.change_list(client, list);
        world.turn(0);
    }
    world.give_room(client, usize::MAX);
    while world.turn(0) {}
    assert_eq!(world.client(client).events_seen, 1);
    world.settle();
    let client = world.client(client);
    assert!(client.symbols.values().all(|progress| progress.seqs == [0, 1]), "nothing is lost, and nothing repeated");
}

/// A change is written at once, whatever the rate; then the rate holds again.
#[test]
fn a_change_does_not_wait_for_the_rate_of_its_stream() {
    let mut world = World::new(22, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
    (0..2).for_each(|symbol| world.publish(symbol));
    let options = heartbeats().every(Duration::from_millis(1_000));
    let client = world.join_with(0, &[0], usize::MAX, options, None);
    while world.turn(0) {}
    world.publish(0);
    world.publish(1);
    world.change_list(client, &[0, 1]);
    while world.turn(0) {}
    let seqs = |world: &World, symbol| world.client(client).symbols[&symbol].seqs.clone();
    assert_eq!((seqs(&world, 0), seqs(&world, 1)), (vec![1, 2], vec![2]));
    world.publish(1);
    world.advance(Duration::from_millis(999));
    while world.turn(0) {}
    assert_eq!(seqs(&world, 1), [2]);
    world.advance(Duration::from_millis(1));
    while world.turn(0) {}
    assert_eq!(seqs(&world, 1), [2, 3]);
}

/// A status that the transport had no room for goes once it has some, whatever the rate.
#[test]
fn a_status_that_finds_no_room_does_not_wait_for_the_rate_of_its_stream() {
    let mut world = World::new(24, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
    let options = heartbeats().every(Duration::from_millis(1_000));
    let client = world.join_with(0, &[0, 1], usize::MAX, options, None);
    while world.turn(0) {}
    world.client(client).room = 10; // for the begin of one frame
    (0..2).for_each(|symbol| world.publish(symbol)); // from waiting to live
    while world.turn(0) {}
    assert!(world.client(client).is_cut());
    world.give_room(client, usize::MAX);
    while world.turn(0) {}
    assert_eq!([0, 1].map(|symbol| world.client(client).symbols[&symbol].last), [Some(1); 2]);
}

/// A storm of changes delays open streams by no more than one turn's share of it.
#[test]
fn rule_10_a_turn_changes_only_so_many_streams() {
    let mut world = World::new(23, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
    let open = world.join_all(0, usize::MAX);
    let storm: Vec<usize> = (0..200).map(|_| world.join(0, &[0], usize::MAX)).collect();
    while world.turn(0) {}
    storm.iter().for_each(|&client| world.change_list(client, &[1]));
    world.publish(0);
    for turn in 1..=200_usize.div_ceil(64) {
        world.turn(0);
        let changed = storm.iter().filter(|&&client| world.client(client).events_seen == 1).count();
        assert_eq!(changed, 200.min(turn * 64), "rule 10: in turn {turn}");
        assert_eq!(world.client(open).lacks(), 0, "rule 4: an open stream waits for the storm");
    }
    world.settle();
}

#[test]
fn the_rules_hold_where_changes_are_gathered() {
    let flush_interval = Some(Duration::from_millis(20));
    simulate(1_400..1_450, Settings { flush_interval, ..Settings::default() });
    simulate(1_450..1_500, Settings { flush_interval, choosy: true, ..Settings::default() });
}

/// Changes within an interval are written at its end.
#[test]
fn changes_within_a_flush_interval_share_a_write() {
    let flush_interval = Some(Duration::from_millis(20));
    let mut world = World::new(13, Settings { symbols: 2, workers: 1, flush_interval, ..Settings::default() });
    let client = world.join_with(0, &[0, 1], usize::MAX, Options::new(Duration::from_secs(15)), None);
    let seqs = |world: &mut World, millis| {
        world.advance(Duration::from_millis(millis));
        while world.turn(0) {}
        let client = world.client(client);
        [0, 1].map(|symbol| client.symbols[&symbol].last.unwrap())
    };
    assert_eq!(seqs(&mut world, 0), [0, 0]);
    world.publish(0);
    assert_eq!(seqs(&mut world, 0), [1, 0], "at once: a turn without changes does not begin an interval");
    world.publish(0);
    assert_eq!(seqs(&mut world, 19), [1, 0], "what an interval gathers waits for its end");
    world.publish(1);
    world.publish(1);
    assert_eq!(seqs(&mut world, 1), [2, 2]);
    assert_eq!(seqs(&mut world, 1_000), [2, 2]);
    world.publish(0);
    assert_eq!(seqs(&mut world, 0), [3, 2], "at once after quiet");
    world.publish(1);
    world.drain(Duration::ZERO);
    assert_eq!(seqs(&mut world, 0), [3, 3], "what is gathered comes before the goodbye");
}

/// A stream whose rate is due in the middle of an interval gets the newest tick, not the one that the worker took last.
#[test]
fn a_stream_that_is_written_in_mid_interval_gets_the_newest() {
    let millis = Duration::from_millis;
    let flush_interval = Some(millis(20));
    let mut world = World::new(15, Settings { symbols: 1, workers: 1, flush_interval, ..Settings::default() });
    world.publish(0); // from waiting to live: a status would not wait
    let options = Options::new(Duration::from_secs(15)).every(millis(30));
    let client = world.join_with(0, &[0], usize::MAX, options, None);
    while world.turn(0) {}
    world.publish(0);
    world.advance(millis(20)); // the worker takes the tick, which has to wait 10 ms more
    while world.turn(0) {}
    world.publish(0);
    world.advance(millis(10));
    while world.turn(0) {}
    assert_eq!(world.client(client).symbols[&0].seqs, [1, 3]);
}

/// A round of several turns writes no tick that is published while it runs.
#[test]
fn a_round_of_a_flush_interval_is_closed() {
    const STREAMS: usize = 200;
    let flush_interval = Some(Duration::from_millis(20));
    let mut world = World::new(14, Settings { symbols: 2, workers: 1, flush_interval, ..Settings::default() });
    let clients: Vec<usize> = (0..2 * STREAMS).map(|place| world.join(0, &[place / STREAMS], usize::MAX)).collect();
    while world.turn(0) {}
    let next_interval = |world: &mut World| world.advance(Duration::from_millis(20));
    next_interval(&mut world);
    (0..2).for_each(|symbol| world.publish(symbol));
    assert!(world.turn(0), "one turn does not write all");
    (0..2).for_each(|symbol| world.publish(symbol));
    while world.turn(0) {}
    let all_have = |world: &World, seq| {
        clients.iter().all(|&client| world.client(client).symbols.values().all(|of| of.last == Some(seq)))
    };
    assert!(all_have(&world, 1));
    next_interval(&mut world);
    while world.turn(0) {}
    assert!(all_have(&world, 2));
}

/// A stream of one symbol that is cut anywhere, and resumes with the last id that its client saw, goes on without a
/// hole while the ring holds what the client missed.
#[test]
fn a_resumed_stream_of_one_symbol_gets_all_that_the_ring_holds() {
    let options = Options::new(Duration::from_secs(15));
    for cut_at in 0..1_000 {
        let mut world = World::new(cut_at as u64, Settings { symbols: 1, workers: 1, ..Settings::default() });
        world.publish(0);
        let first = world.join(0, &[0], 7 + cut_at);
        world.turn(0);
        for _ in 0..6 {
            world.publish(0);
            world.turn(0);
        }
        world.client(first).leave();
        world.turn(0);
        let mut seen = world.client(first).symbols[&0].seqs.clone();
        if world.client(first).is_cut() {
            seen.pop();
        }
        for _ in 0..cut_at % 4 {
            world.publish(0);
        }
        let resume = seen.last().map(|&seq| Resume { after: world.n(0, seq), bytes: 64 * 1024 });
        let second = world.join_with(0, &[0], usize::MAX, options, resume);
        world.turn(0);
        let more = world.client(second).symbols[&0].seqs.clone();
        let newest = 7 + cut_at as u64 % 4;
        assert_eq!(more.last(), Some(&newest), "cut at {cut_at}: the newest comes in any case");
        if seen.last().is_some_and(|&last| last < newest) {
            seen.extend(&more);
            assert_eq!(seen, (1..=newest).collect::<Vec<_>>(), "cut at {cut_at}");
        } else {
            assert_eq!(more, [newest], "cut at {cut_at}");
        }
        let none = world.join_with(0, &[0], usize::MAX, options, Some(Resume { after: u64::MAX, bytes: 64 * 1024 }));
        world.turn(0);
        assert_eq!(world.client(none).symbols[&0].seqs, [newest], "an id of the future is a snapshot");
    }
}

/// The newest tick comes even if its part is not wanted, and even if the replay before it is cut by a full transport.
#[test]
fn rule_3_a_resumed_stream_gets_the_newest_tick_however_its_replay_is_cut() {
    let trades = Options::new(Duration::from_secs(15)).on([Part::Trade].into_iter().collect());
    for room in (0..3_000).step_by(50) {
        let mut world = World::new(7, Settings { symbols: 1, workers: 1, ..Settings::default() });
        world.join(0, &[0], usize::MAX); // a stream that wants all parts
        for _ in 0..10 {
            world.publish_part(0, Part::Trade);
        }
        world.publish_part(0, Part::Quote);
        let client = world.join_with(0, &[0], room, trades, Some(Resume { after: 0, bytes: 64 * 1024 }));
        world.turn(0);
        world.give_room(client, usize::MAX);
        while world.turn(0) {}
        assert_eq!(world.client(client).symbols[&0].last, Some(11), "rule 3: room for {room} bytes at first");
    }
}

/// A stream with patches gets one whole tick of a symbol, and then patches alone, for which nothing else is encoded.
#[test]
fn rule_11_of_a_tick_only_the_form_that_a_stream_wants_is_encoded() {
    let mut world = World::new(24, Settings { symbols: 1, workers: 1, interrupts: 0.0, ..Settings::default() });
    let publish = |world: &mut World| {
        world.publish(0);
        world.advance(Duration::from_millis(1_100)); // longer than a worker, and a ring, hold what is not the newest
        while world.turn(0) {}
        world.encoded()
    };
    world.publish(0);
    world.join_with(0, &[0], usize::MAX, heartbeats().with_patches(true), None);
    while world.turn(0) {}
    assert_eq!(world.encoded(), (1, 0), "the first comes whole");
    assert_eq!([1, 2, 3].map(|_| publish(&mut world)), [(1, 1), (1, 2), (1, 3)]);
    let whole = world.join_with(0, &[0], usize::MAX, heartbeats(), None);
    while world.turn(0) {}
    assert_eq!((world.encoded(), publish(&mut world)), ((2, 3), (3, 4)));
    world.client(whole).leave();
    assert_eq!([publish(&mut world), publish(&mut world)], [(3, 5), (3, 6)]);
}

/// What a replay as patches brings is measured as what it brings.
#[test]
fn rule_10_a_replay_of_patches_is_cut_to_their_bytes() {
    let mut world = World::new(25, Settings { symbols: 1, workers: 1, ..Settings::default() });
    world.join_all(0, usize::MAX); // a symbol without readers keeps no ticks
    world.turn(0);
    (0..12).for_each(|_| world.publish_part(0, Part::Trade));
    let replayed = |world: &mut World, bytes, patches| {
        let resume = Some(Resume { after: 0, bytes });
        let client = world.join_with(0, &[0], usize::MAX, heartbeats().with_patches(patches), resume);
        world.turn(0);
        world.client(client).symbols[&0].seqs.len()
    };
    assert_eq!([false, true].map(|patches| replayed(&mut world, 0, patches)), [1, 1]);
    let [whole, patches] = [false, true].map(|patches| replayed(&mut world, 1_000, patches));
    assert!(whole > 1 && patches > whole, "{whole} whole, {patches} as patches");
    assert_eq!(replayed(&mut world, 64 * 1024, true), 12);
}

/// A connect storm delays open streams by no more than one turn's share of it.
#[test]
fn rule_10_a_turn_opens_only_so_many_streams() {
    for (symbols, per_turn) in [(1, 64), (500, 3)] {
        let mut world = World::new(11, Settings { symbols, workers: 1, ..Settings::default() });
        let open = world.join_all(0, usize::MAX);
        while world.turn(0) {}
        let storm: Vec<usize> = (0..200).map(|_| world.join_all(0, usize::MAX)).collect();
        world.publish(0);
        for turn in 1..=200_usize.div_ceil(per_turn) {
            world.turn(0);
            let opened = storm.iter().filter(|&&client| world.client(client).key != 0).count();
            assert_eq!(opened, 200.min(turn * per_turn), "rule 10: in turn {turn}");
            assert_eq!(world.client(open).lacks(), 0, "rule 4: an open stream waits for the storm");
        }
        world.settle();
    }
}

/// A replay brings the newest ticks that fit before the newest tick of all.
#[test]
fn rule_10_a_replay_is_cut_to_its_bytes_over_all_symbols() {
    let mut world = World::new(5, Settings { symbols: 2, workers: 1, ..Settings::default() });
    world.join_all(0, usize::MAX); // a symbol without readers keeps no ticks
    world.turn(0);
    for _ in 0..5 {
        world.publish(0);
        world.publish(1);
    }
    for (bytes, replayed) in [(0, 2), (200, 3), (400, 4), (64 * 1024, 10)] {
        let resume = Some(Resume { after: 0, bytes });
        let client = world.join_with(0, &[0, 1], usize::MAX, Options::new(Duration::from_secs(15)), resume);
        world.turn(0);
        let client = world.client(client);
        let mut seqs: Vec<u64> = client.symbols.values().flat_map(|progress| progress.seqs.clone()).collect();
        seqs.sort_unstable();
        assert_eq!(seqs.len(), replayed, "{bytes} bytes: {seqs:?}");
        assert!(seqs.iter().rev().zip([5, 5, 4, 4, 3, 3, 2, 2, 1, 1]).all(|(seq, newest)| *seq == newest), "{seqs:?}");
    }
}

/// A tick that a ring should have dropped by its age is not replayed, however long the symbol has been quiet.
#[test]
fn a_replay_brings_nothing_older_than_a_ring_is_to_hold() {
    let mut world = World::new(10, Settings { symbols: 1, workers: 1, ..Settings::default() });
    let options = Options::new(Duration::from_secs(15));
    let resumed_after = |world: &mut World, quiet| {
        world.advance(Duration::from_millis(quiet));
        let client = world.join_with(0, &[0], usize::MAX, options, Some(Resume { after: 0, bytes: 64 * 1024 }));
        world.turn(0);
        world.client(client).symbols[&0].seqs.clone()
    };
    world.join(0, &[0], usize::MAX); // a symbol without readers keeps no ticks
    world.turn(0);
    (0..5).for_each(|_| world.publish(0));
    assert_eq!(resumed_after(&mut world, 900), [1, 2, 3, 4, 5]);
    assert_eq!(resumed_after(&mut world, 200), [5], "the others are too old");
    world.publish(0);
    assert_eq!(resumed_after(&mut world, 0), [6], "the tick before it is too old: the ring kept it only as the newest");
}

/// Ticks that one write does not carry come with the next writes, though nothing marks their symbols again.
#[test]
fn rule_3_what_does_not_fit_one_write_is_not_lost() {
    const SYMBOLS: usize = 700;
    let at_once = Settings { workers: 1, interrupts: 0.0, ..Settings::default() };
    let mut world = World::new(8, Settings { symbols: SYMBOLS, ..at_once });
    let many = world.join_all(0, usize::MAX);
    for round in 0..3 {
        while world.turn(0) {}
        assert_eq!(world.client(many).lacks(), 0, "rule 3: a stream of {SYMBOLS} lacks some of round {round}");
        (0..SYMBOLS).for_each(|symbol| world.publish(symbol));
    }
    assert!(world.client(many).writes >= 4, "two rounds of ticks are more than two writes");
    let mut world = World::new(9, Settings { symbols: 1, ring: 1_024, ..at_once });
    let deep = world.join(0, &[0], usize::MAX);
    while world.turn(0) {}
    (0..1_000).for_each(|_| world.publish(0));
    while world.turn(0) {}
    assert_eq!(world.client(deep).symbols[&0].seqs, (0..=1_000).collect::<Vec<_>>(), "rule 2: every tick, in order");
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

/// A symbol with many streams is written in rounds: none of them waits while another is written twice.
#[test]
fn rule_3_no_stream_starves_in_a_round_and_cold_symbols_pass_it() {
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
            assert_eq!(world.client(lone).lacks(), 0, "a lone stream waits for a round");
        }
        world.turn(0);
        world.advance(Duration::from_millis(1));
        let writes: Vec<usize> = crowd.iter().map(|&client| world.client(client).writes).collect();
        let least = writes.iter().min().unwrap();
        let most = writes.iter().max().unwrap();
        assert!(most - least <= 1, "in turn {round} a stream was written {most} times, another {least}");
    }
    world.settle();
}

/// A full stream of a hot symbol that reports room turn after turn does not delay the rounds of the others.
#[test]
fn rule_3_a_stream_that_drips_does_not_starve_the_crowd_of_a_hot_symbol() {
    const CROWD: usize = 300;
    const TURNS: usize = 200;
    let mut world = World::new(6, Settings { symbols: 1, workers: 1, ..Settings::default() });
    let crowd: Vec<usize> = (0..CROWD).map(|_| world.join(0, &[0], usize::MAX)).collect();
    let drips = world.join(0, &[0], usize::MAX);
    while world.turn(0) {}
    world.publish(0); // it takes its place in the round
    while world.turn(0) {}
    world.client(drips).room = 0;
    for turn in 0..TURNS {
        world.publish(0);
        world.advance(Duration::from_millis(1));
        world.give_room(drips, 50); // less than a frame: it is full again at once
        world.turn(0);
        let least = crowd.iter().map(|&client| world.client(client).writes).min().unwrap();
        assert!(least >= turn / 3, "rule 3: in turn {turn} a stream that has room was written {least} times");
    }
    world.settle();
}

/// The end of a client's input does not say whether it still reads: a write finds out.
#[test]
fn rule_5_a_client_that_half_closes_is_written_to_at_once_and_ends_only_if_it_is_gone() {
    let mut world = World::new(17, Settings { symbols: 1, workers: 1, interrupts: 0.0, ..Settings::default() });
    let reads = world.join_all(0, usize::MAX);
    let gone = world.join_all(0, usize::MAX);
    let full = world.join_all(0, 40);
    while world.turn(0) {}
    assert!(world.client(full).full);
    for (client, is_gone) in [(reads, false), (gone, true), (full, false)] {
        world.client(client).half_close(is_gone);
    }
    while world.turn(0) {}
    world.client(reads).half_close(false); // reported again with each later event
    while world.turn(0) {}
    let seen = |client: usize| {
        let client = world.client(client);
        (client.heartbeats, client.closed)
    };
    assert_eq!(seen(reads), (1, None));
    assert_eq!(seen(gone), (1, Some(CloseMode::Abort)));
    assert_eq!(seen(full), (0, None), "a full transport is left alone");
    world.publish(0);
    world.give_room(full, usize::MAX);
    world.settle();
    for client in [reads, full] {
        assert_eq!(world.client(client).lacks(), 0, "rule 3: it reads on");
    }
}

/// A slow reader is nearly always full, also at the moment that a drain has chosen for it. It still gets its goodbye;
/// only a client that reads nothing is cut off.
#[test]
fn rule_12_a_drain_says_goodbye_to_every_client_that_reads() {
    const PER_KIND: usize = 20;
    let mut world = World::new(12, Settings { symbols: 3, workers: 1, ..Settings::default() });
    let mut join = |room: usize| -> Vec<usize> { (0..PER_KIND).map(|_| world.join_all(0, room)).collect() };
    let fast = join(usize::MAX);
    let slow = join(700);
    let stalled = join(700);
    let step = |world: &mut World| {
        (0..3).for_each(|symbol| world.publish(symbol));
        world.advance(Duration::from_millis(10));
        slow.iter().for_each(|&client| world.give_room(client, 60));
        while world.turn(0) {}
    };
    (0..20).for_each(|_| step(&mut world));
    assert!(slow.iter().all(|&client| world.client(client).full), "a client that takes 60 bytes at a time is full");
    world.drain(Duration::from_millis(500));
    (0..200).for_each(|_| step(&mut world));
    for (clients, goodbyes, closed) in
        [(fast, 1, CloseMode::Finish), (slow, 1, CloseMode::Finish), (stalled, 0, CloseMode::Abort)]
    {
        for client in clients {
            let client = world.client(client);
            assert_eq!((client.goodbyes, client.closed), (goodbyes, Some(closed)), "rule 12");
            assert!(!client.is_cut() || goodbyes == 0, "the goodbye comes whole");
        }
    }
}

/// A stream that gets its goodbye in the middle of a hot symbol's round has the newest tick, though the round does not
/// bring it.
#[test]
fn rule_12_a_goodbye_does_not_wait_for_a_round() {
    let mut world = World::new(16, Settings { symbols: 1, workers: 1, interrupts: 0.0, ..Settings::default() });
    let mut staying: Vec<usize> = (0..400).map(|_| world.join(0, &[0], usize::MAX)).collect();
    while world.turn(0) {}
    world.drain(Duration::from_millis(500));
    for seq in 1..=300 {
        world.publish(0);
        world.advance(Duration::from_millis(2));
        world.turn(0); // one turn does not write all of them
        staying.retain(|&place| {
            let client = world.client(place);
            let stays = client.goodbyes == 0;
            assert!(stays || client.symbols[&0].last == Some(seq), "rule 12: client {place} leaves without {seq}");
            stays
        });
    }
    assert!(staying.is_empty(), "rule 12");
}

/// However many other streams are queued between them.
#[test]
fn queued_streams_of_a_connection_share_a_record() {
    const STREAMS: usize = 30;
    let mut world = World::new(18, Settings { symbols: 1, workers: 1, interrupts: 0.0, ..Settings::default() });
    let shared = world.connect(0, usize::MAX, &[(INITIAL_WINDOW_SIZE, 1 << 30)]);
    world.peer(shared).window_update(0, 1 << 30);
    for _ in 0..STREAMS {
        world.join_on(shared, &[0], heartbeats(), None);
        (0..40).for_each(|_| _ = world.join(0, &[0], usize::MAX));
        world.turn_all(0);
    }
    world.connections[shared].records();
    for _ in 0..20 {
        world.publish(0);
        world.turn_all(0);
        // A turn that has written enough leaves the others to the next.
        let records = world.connections[shared].records();
        assert!((1..=2).contains(&records), "{records} records");
        assert!(world.lacks_nothing());
    }
    world.settle();
}

/// A line that takes two or three ticks at a time, and ten streams that always lack one.
#[test]
fn rule_4_the_streams_of_a_slow_connection_have_equal_shares_of_its_line() {
    const STREAMS: usize = 10;
    let mut world = World::new(23, Settings { symbols: STREAMS, workers: 1, interrupts: 0.0, ..Settings::default() });
    let shared = world.connect(0, 8_000, &[(INITIAL_WINDOW_SIZE, 1 << 30)]);
    world.peer(shared).window_update(0, 1 << 30);
    let clients: Vec<_> = (0..STREAMS).map(|symbol| world.join_on(shared, &[symbol], heartbeats(), None)).collect();
    world.turn_all(0);
    let mut writes = Vec::new();
    for _ in 0..300 {
        (0..STREAMS).for_each(|symbol| world.publish(symbol));
        world.give_room(clients[0], 300);
        world.turn_all(0);
        writes = clients.iter().map(|&client| world.client(client).writes).collect();
    }
    let (least, most) = (writes.iter().min().unwrap(), writes.iter().max().unwrap());
    assert!(*least > 20 && most - least < least / 4, "{writes:?}");
}

/// A reader that has stopped, whose symbol is quiet by now, ends for the one that lacks the window.
#[test]
fn rule_5_a_stream_without_news_ends_if_its_unread_bytes_stop_the_others() {
    let mut world = World::new(19, Settings { symbols: 3, workers: 1, interrupts: 0.0, ..Settings::default() });
    let shared = world.connect(0, usize::MAX, &[(INITIAL_WINDOW_SIZE, 1 << 20)]);
    let [blocked, first, second] = [0, 1, 2].map(|symbol| world.join_on(shared, &[symbol], heartbeats(), None));
    world.turn_all(0);
    let stream = world.client(blocked).stream;
    world.peer(shared).unread.push(stream);
    while !world.client(first).full {
        world.publish(0);
        world.turn(0);
        if world.client(blocked).full {
            world.publish(1); // it is the first that lacks room
            world.publish(2);
            world.turn(0);
        }
    }
    assert!(world.client(second).full);
    for _ in 0..40 {
        world.advance(Duration::from_millis(100));
        while world.turn(0) {}
    }
    assert_eq!(world.client(blocked).closed, Some(CloseMode::Abort));
    assert_eq!([first, second].map(|client| world.client(client).closed), [None; 2]);
    let counts = world.counts(0);
    assert_eq!((counts.closed[CloseReason::Window as usize], counts.full), (1, 0));
    world.settle();
}

/// Chromium's tab whose script hangs: its stream is held long before the window that it shares is used up.
#[test]
fn rule_4_a_blocked_tab_costs_its_neighbour_nothing() {
    const WINDOW: u32 = 6 << 20;
    let mut world = World::new(20, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
    let shared = world.connect(0, usize::MAX, &[(INITIAL_WINDOW_SIZE, WINDOW)]);
    world.peer(shared).window_update(0, 1 << 20);
    let blocked = world.join_on(shared, &[0], heartbeats(), None);
    let neighbour = world.join_on(shared, &[1], heartbeats(), None);
    let stream = world.client(blocked).stream;
    world.turn_all(0);
    let mut fullest = 0;
    for second in 0..60 {
        for _ in 0..300 {
            world.publish(0);
            world.publish(1);
            world.turn_all(0);
            world.advance(Duration::from_millis(3));
            assert_eq!(world.client(neighbour).lacks(), 0, "after {second} s");
        }
        if second == 6 {
            world.peer(shared).unread.push(stream);
        }
        fullest = fullest.max(world.peer(shared).streams[&stream].unread);
    }
    assert!((64 << 10..2 << 20).contains(&fullest), "{fullest} bytes");
    assert_eq!(world.client(blocked).closed, Some(CloseMode::Abort), "a reader that does not come back");
    let seqs = &world.client(neighbour).symbols[&1].seqs;
    assert_eq!(seqs.len() as u64, seqs.last().unwrap() - seqs[0] + 1, "rule 2: the neighbour misses nothing");
}

fn heartbeats() -> Options {
    Options::new(Duration::from_millis(1_500))
}
