//! Clients whose rights change and end: by renewals, and by clocks.

use super::{STEPS, heartbeats, more_seeds, simulate};
use crate::world::{DELAY, Grant, Settings, World};
use std::{ops::Range, time::Duration};
use tickfan::{
    fanout::{CloseMode, CloseReason},
    market::UnixMicros,
};

/// Rights change at any moment, also in the middle of a cut block: they are renewed, lost and gained, all of them are
/// lost, and they end, by a wall clock that is set too. Permits and revisions are refused, others' streams are asked
/// for, transports wear out, streams are compressed, symbols leave their lists, and feeds fail. No tick of a symbol
/// comes before the right to it, and none after.
#[test]
fn the_rules_hold_where_rights_change_and_end() {
    let signing = Settings { signing: true, ..Settings::default() };
    let choosy = Settings { choosy: true, ..signing };
    let flush_interval = Some(Duration::from_millis(20));
    let kinds = [
        (205, signing),
        (205, Settings { symbols: 2, workers: 1, clients_max: 8, ..choosy }),
        (305, choosy),
        (155, Settings { holding: true, ..choosy }),
        (205, Settings { sharing: true, ..signing }),
        (155, Settings { sharing: true, ..choosy }),
        (150, Settings { flush_interval, ..choosy }),
        (60, Settings { compressing: true, ..choosy }),
        (60, Settings { listing: true, ..choosy }),
        (60, Settings { failing: true, ..choosy }),
    ];
    let mut from = 3_000;
    for (count, settings) in kinds {
        simulate(from..from + count, settings);
        from += count;
    }
    for (kind, (_, settings)) in (0..).zip(kinds) {
        simulate(more_seeds(kind, kinds.len(), 10_000 * (kind + 11)), settings);
    }
}

/// Symbols pass between live and delayed at any moment, also in the middle of a cut block: with a renewal, with a new
/// list, twice before a client is told. Of each symbol a client may read one state, and no tick of the other one comes
/// behind the event that says so.
#[test]
fn the_rules_hold_where_symbols_pass_between_live_and_delayed() {
    let delayed = Settings { signing: true, delayed: true, ..Settings::default() };
    let choosy = Settings { choosy: true, ..delayed };
    let flush_interval = Some(Duration::from_millis(20));
    let kinds = [
        (48, delayed),
        (48, Settings { symbols: 2, workers: 1, clients_max: 8, ..choosy }),
        (48, choosy),
        (24, Settings { holding: true, ..choosy }),
        (32, Settings { sharing: true, ..delayed }),
        (24, Settings { sharing: true, ..choosy }),
        (16, Settings { flush_interval, ..choosy }),
        (32, Settings { compressing: true, ..choosy }),
        (32, Settings { failing: true, ..choosy }),
    ];
    let mut from = 5_000;
    for (count, settings) in kinds {
        simulate(from..from + count, settings);
        from += count;
    }
    for (kind, (_, settings)) in (0..).zip(kinds) {
        simulate(more_seeds(kind, kinds.len(), 10_000 * (kind + 21)), settings);
    }
}

/// A block is cut anywhere, and a symbol passes to the other tier then, or there and back: what was begun comes whole,
/// and behind the event come the ticks of the state that may be read, from its newest on.
#[test]
fn a_symbol_may_pass_between_live_and_delayed_at_every_byte_of_a_cut_block() {
    for room in 0..700 {
        for (from_late, comes_back) in [(false, false), (true, false), (false, true), (true, true)] {
            let settings = Settings { symbols: 3, workers: 1, interrupts: 0.0, delayed: true, ..Settings::default() };
            let mut world = World::new(room as u64, settings);
            let publish = |world: &mut World| {
                (0..3).for_each(|symbol| world.publish(symbol));
                // It notes them, and then shows them.
                for _ in 0..2 {
                    world.advance(DELAY);
                    world.show_late();
                }
            };
            publish(&mut world);
            let (mut state, mut other) = (0, world.late(0));
            if from_late {
                (state, other) = (other, state);
            }
            let to = |world: &World, state| Grant { symbols: [state, 1].into(), ..grant(world, 0..0, 10) };
            let rights = to(&world, state);
            let client = world.join_as(0, &[state, 1], room, heartbeats(), None, rights);
            while world.turn(0) {}
            publish(&mut world);
            world.renew(client, to(&world, other));
            while world.turn(0) {}
            if comes_back {
                publish(&mut world);
                world.renew(client, to(&world, state));
                while world.turn(0) {}
            } else {
                (state, other) = (other, state);
            }
            let passed_at = world.newest(state);
            publish(&mut world);
            world.settle();
            let client = world.client(client);
            let newest = |state| client.symbols.get(&state).and_then(|progress| progress.last);
            let seen = (newest(state), newest(other), client.closed);
            assert_eq!(seen, (Some(world.newest(state)), None, None), "{room} bytes, late at first: {from_late}");
            assert!(client.events_seen >= 1 && (comes_back || client.symbols[&state].seqs[0] >= passed_at));
        }
    }
}

#[test]
fn the_rules_hold_where_rights_change_and_end_in_a_drain() {
    for seed in 4_700..4_860 {
        let sharing = seed % 2 == 1;
        let mut world = World::new(seed, Settings { signing: true, choosy: true, sharing, ..Settings::default() });
        (0..STEPS / 2).for_each(|_| world.step());
        world.drain(Duration::from_millis(500));
        (0..STEPS / 2).for_each(|_| world.step());
    }
}

/// Rights to some symbols, which end in so many seconds.
fn grant(world: &World, symbols: Range<usize>, seconds: i64) -> Grant {
    Grant {
        subject: 1,
        symbols: symbols.collect(),
        until: Some(UnixMicros(world.now().unix.0 + seconds * 1_000_000)),
        interval_min: None,
        streams: None,
    }
}

/// A block is cut anywhere, and the rights end then, or leave fewer symbols: what was begun comes whole, and nothing
/// else of what may not be read any longer.
#[test]
fn rights_may_end_at_every_byte_of_a_cut_block() {
    for room in 0..700 {
        for way in ["lose one", "lose all", "end", "end by a clock that is set", "end by the other clock"] {
            let settings = Settings { symbols: 3, workers: 1, interrupts: 0.0, ..Settings::default() };
            let mut world = World::new(room as u64, settings);
            (0..3).for_each(|symbol| world.publish(symbol));
            let all = grant(&world, 0..3, 1);
            let client = world.join_as(0, &[0, 1], room, heartbeats(), None, all);
            while world.turn(0) {}
            (0..2).for_each(|symbol| world.publish(symbol));
            let second = Duration::from_secs(1);
            match way {
                "lose one" => world.renew(client, grant(&world, 1..3, 10)),
                "lose all" => world.renew(client, grant(&world, 2..3, 10)),
                "end" => world.advance(second),
                "end by a clock that is set" => world.set_clock(3_600),
                _ => {
                    world.set_clock(-3_600);
                    world.advance(second);
                }
            }
            while world.turn(0) {}
            (0..2).for_each(|symbol| world.publish(symbol));
            while world.turn(0) {}
            world.settle();
            let client = world.client(client);
            let bye = client.bye.as_deref();
            let newest = |symbol| client.symbols.get(&symbol).and_then(|progress| progress.last);
            match way {
                "lose one" => {
                    assert_eq!((bye, client.closed, client.events_seen), (None, None, 1), "{room} bytes");
                    assert_eq!((newest(0), newest(1)), (None, Some(3)), "{room} bytes");
                }
                "lose all" => {
                    assert_eq!((bye, client.closed), (Some("denied"), Some(CloseMode::Finish)), "{room} bytes")
                }
                _ => {
                    assert_eq!((bye, client.closed), (Some("expired"), Some(CloseMode::Finish)), "{way}, {room} bytes")
                }
            }
        }
    }
}

/// New rights come to a stream whose transport must end: it gets them, or says that it ends, and ends soon.
#[test]
fn a_renewal_does_not_revive_a_stream_whose_transport_is_worn_out() {
    for room in [0, 10, 100, 300, 1_000, usize::MAX] {
        let mut world = World::new(31, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
        let all = grant(&world, 0..2, 10);
        let client = world.join_as(0, &[0, 1], usize::MAX, heartbeats(), None, all.clone());
        while world.turn(0) {}
        {
            let mut client = world.client(client);
            (client.is_worn, client.room) = (true, room);
        }
        world.publish(0);
        world.renew(client, all.clone());
        while world.turn(0) {}
        world.renew(client, Grant { until: None, ..all });
        world.publish(1);
        while world.turn(0) {}
        world.settle();
        let client = world.client(client);
        let seen = (client.bye.clone(), client.closed);
        assert_eq!(seen, (Some("shutdown".to_owned()), Some(CloseMode::Finish)), "room for {room} bytes");
    }
}

/// A client that does not take its goodbye is cut off, and counts as what it is.
#[test]
fn rule_5_a_full_stream_whose_rights_end_is_cut_off_before_it_would_have_stalled() {
    let mut world = World::new(32, Settings { symbols: 2, workers: 1, interrupts: 0.0, ..Settings::default() });
    let all = grant(&world, 0..2, 1);
    let ends = world.join_as(0, &[0, 1], 10, heartbeats(), None, all.clone());
    let loses = world.join_as(0, &[0, 1], 10, heartbeats(), None, Grant { until: None, ..all.clone() });
    while world.turn(0) {}
    world.renew(loses, Grant { symbols: [].into(), until: None, ..all });
    for _ in 0..25 {
        world.advance(Duration::from_millis(100));
        while world.turn(0) {}
    }
    for client in [ends, loses] {
        let client = world.client(client);
        assert_eq!((client.closed, client.goodbyes), (Some(CloseMode::Abort), 0));
    }
    let counts = world.counts(0);
    let closed =
        [CloseReason::Expired, CloseReason::Denied, CloseReason::Stalled].map(|why| counts.closed[why as usize]);
    assert_eq!((closed, counts.full), ([1, 1, 0], 0));
}
