//! What a delay line shows, and when.

use super::{
    DelayLines, DelayMetrics, Followed, Line,
    line::SLICE,
    round::Note,
    world_tests::{DELAY, STEP, World, price, quote, status, trade},
};
use crate::{
    cache::{Cache, SymbolState, Tick, WorkerIndex, WorkerMask},
    config::DELAY_NOTE_BYTES,
    market::{Correction, Decimal, Field, Halt, Kind, Origin, Part, Parts, Reason, State, TradeKey, Update},
};
use std::{collections::VecDeque, num::NonZero, slice, sync::Arc, time::Duration};

#[test]
fn a_price_is_shown_when_it_is_as_old_as_the_delay_and_not_before() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.run_for(STEP);
    world.wait(Duration::from_secs(2));
    world.trade(0);
    let start = world.now.instant;
    world.run_for(DELAY);
    let waiting = world.newest();
    assert_eq!((waiting.seq, waiting.snapshot.state()), (0, State::Waiting), "it waits for the delay");
    world.run_for(STEP);
    let shown = world.newest();
    assert_eq!((shown.seq, price(&shown).as_deref()), (1, Some("1")));
    let age = shown.published - start;
    assert!(age >= DELAY && age < DELAY + STEP, "{age:?}");
    let symbol = &world.late[0];
    let text = String::from_utf8(symbol.frame(&shown).to_vec()).unwrap();
    assert!(text.contains("\"origin\":\"delayed\",\"delay_seconds\":900,"), "{text}");
}

#[test]
fn a_late_timer_shows_late_and_a_tick_that_came_after_the_clock_was_read_is_not_shown_early() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    let read = world.now;
    world.wait(Duration::from_secs(3));
    world.trade(0);
    world.turn_once(read);
    world.now = read;
    world.wait(DELAY);
    world.turn();
    assert_eq!(world.newest().seq, 0, "it is noted 3 s before it was received");
    world.wait(Duration::from_secs(3));
    world.turn();
    assert_eq!(world.newest().seq, 1);
    for _ in 0..3 {
        world.trade(0);
        world.run_for(STEP);
    }
    world.wait(DELAY * 2);
    world.trade(0);
    world.turn();
    assert_eq!((world.newest().seq, price(&world.newest()).as_deref()), (4, Some("4")), "all in order, but the last");
}

#[test]
fn what_changes_between_two_looks_is_one_tick_with_all_its_parts() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
    world.late[0].join(worker, Parts::ALL, &mut VecDeque::new());
    world.run_for(STEP / 2);
    world.trade(0);
    world.change(0, |state, now| state.publish(&quote(1), now));
    world.run_for(STEP);
    world.change(0, |state, now| state.publish(&quote(2), now));
    world.run_for(STEP);
    let cancel = Correction { of: TradeKey { exchange: b'K', id: 1 }, now: None };
    world.change(0, |state, now| state.publish(&quote(3), now));
    world.change(0, |state, now| state.publish(&Update { correction: Some(cancel), ..Update::default() }, now));
    world.run_for(DELAY + STEP);
    let mut ticks = VecDeque::new();
    world.late[0].read_new(&mut ticks);
    let kinds: Vec<_> = ticks.iter().filter(|tick| tick.seq > 0).map(|tick| Kind::of(tick.changed).name()).collect();
    assert_eq!(kinds, ["trade", "quote", "correction"]);
    let changed: Vec<_> = ticks.iter().filter(|tick| tick.seq > 0).map(|tick| tick.changed.iter().count()).collect();
    assert_eq!(changed, [3, 1, 2], "the first came with the status");
    let mut only_trades = ticks.iter().map(|tick| tick.last_change(Parts::from_iter([Part::Trade])));
    assert_eq!(only_trades.next_back(), Some(3));
}

#[test]
fn a_state_is_shown_as_late_as_a_price_and_keeps_when_data_were_shown_last() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.trade(0);
    world.run_for(DELAY - STEP);
    world.set_clock(-3_600);
    world.run_for(STEP);
    assert_eq!(
        world.newest().snapshot.recv,
        Some(world.now.unix),
        "the moment at which it is shown, by the clock as it is"
    );
    world.run_for(STEP * 3);
    let halted = world.now;
    world.change(0, |state, now| state.publish(&status(Field::Set(Halt::News)), now));
    world.run_for(STEP * 3);
    let lost = world.now;
    world.change(0, |state, now| state.outage(Reason::ConnectionLost, now));
    world.run_for(STEP * 3);
    world.change(0, |state, now| state.set_closed(true, now));
    world.run_for(STEP * 3);
    world.change(0, |state, now| state.set_refused(Some(Reason::Unauthorized), now));
    let mut course = Vec::new();
    while world.newest().snapshot.state() != State::Refused {
        world.run_for(STEP);
        let snapshot = world.newest().snapshot;
        let seen = (snapshot.state(), snapshot.not_live_since().map(|(since, _)| since), snapshot.recv);
        if course.last() != Some(&seen) {
            course.push(seen);
        }
    }
    let states: Vec<_> = course.iter().map(|(state, ..)| state.name()).collect();
    assert_eq!(states, ["live", "halted", "stale", "closed", "refused"]);
    assert_eq!((course[1].1, course[2].1), (Some(halted.unix), Some(lost.unix)), "since when it was so");
    assert!(course[1].2 > course[0].2, "the venue has spoken");
    let gateway_alone: Vec<_> = course[1..].iter().map(|(_, _, recv)| *recv).collect();
    assert_eq!(gateway_alone, [course[1].2; 4], "the words of the gateway are not data");
}

#[test]
fn a_large_feed_is_shown_a_slice_at_a_time() {
    let mut world = World::new(SLICE * 4 + 1, DELAY, STEP, 10_000);
    (0..world.live.len()).for_each(|place| world.trade(place));
    let mut pieces = Vec::new();
    let end = world.now.instant + DELAY + STEP;
    let mut next = Some(world.now.instant);
    while let Some(at) = next.filter(|at| *at < end) {
        world.wait(at.saturating_duration_since(world.now.instant));
        let mut shown = 0;
        next = world.lines.turn(world.now, &mut |_, _| shown += 1);
        if shown > 0 {
            pieces.push((shown, world.now.instant));
        }
    }
    assert_eq!(pieces.iter().map(|(shown, _)| *shown).collect::<Vec<_>>(), [SLICE, SLICE, SLICE, SLICE, 1]);
    assert!(pieces.windows(2).all(|pair| pair[1].1 - pair[0].1 == STEP / 5), "evenly over the step");
    assert!(world.late.iter().all(|late| late.newest().seq == 1));
}

#[test]
fn a_stall_is_made_up_for_by_one_look_at_each_slice() {
    let mut world = World::new(SLICE * 2, DELAY, STEP, 10_000);
    world.run_for(STEP);
    world.wait(STEP * 100);
    world.trade(0);
    let mut looks = 1;
    while world.turn_once(world.now).is_some_and(|next| next <= world.now.instant) {
        looks += 1;
    }
    assert_eq!(looks, 2);
    assert_eq!(world.lines.notes(), 1);
}

#[test]
fn a_price_that_is_noted_and_does_not_change_again_outlasts_a_doubled_step() {
    let mut world = World::new(3, DELAY, STEP, 60);
    // The first and the last symbol trade once, before and while the other fills the line.
    world.trade(0);
    world.run_for(STEP);
    world.trade(2);
    world.run_for(STEP);
    for _ in 0..150 {
        world.trade(1);
        world.run_for(STEP);
    }
    assert!(world.lines.steps().next().unwrap() > STEP, "there were too many");
    world.run_for(DELAY * 2);
    assert_eq!(world.late.iter().map(|late| price(&late.newest())).collect::<Vec<_>>(), {
        world.live.iter().map(|live| price(&live.newest())).collect::<Vec<_>>()
    });
}

#[test]
fn rule_10_at_the_limit_of_notes_the_step_doubles_and_later_halves_again() {
    let limit = 2_000;
    let mut world = World::new(100, DELAY, STEP, limit);
    let trade_for = |world: &mut World, steps: u32, symbols: usize| {
        for _ in 0..steps {
            (0..symbols).for_each(|place| world.trade(place));
            world.run_for(STEP);
        }
    };
    trade_for(&mut world, 15, 100);
    assert_eq!(world.lines.notes(), 1_500, "each in each of fifteen looks");
    trade_for(&mut world, 400, 100);
    let step = |world: &World| world.lines.steps().next().unwrap();
    // 100 symbols in each of 900 / 80 steps are at most 1,200.
    assert_eq!(step(&world), STEP * 16);
    let shown: Vec<_> = world.late.iter().map(|late| late.newest().published).collect();
    assert!(shown.iter().all(|shown| world.now.instant - *shown <= STEP * 16), "all are shown");
    trade_for(&mut world, 1_500, 1);
    assert_eq!(step(&world), STEP, "the market is quiet");
    assert_eq!(world.cache.frames_encoded(), 0);
}

#[test]
fn rule_10_the_line_with_the_most_notes_makes_room_for_all() {
    let mut world = World::new(40, DELAY, STEP, 500);
    let now = world.now;
    let register = |cache: &Cache, name: &str, delay: Option<NonZero<u32>>| {
        let symbol = name.parse().unwrap();
        match delay {
            Some(delay) => cache.register_delayed(symbol, "y".into(), Origin::Sim, delay, now).unwrap(),
            None => cache.register(symbol, "y".into(), Origin::Sim, now).unwrap(),
        }
    };
    let live = register(&world.cache, "OTHER", None);
    let late = register(&world.cache, "OTHER", NonZero::new(900));
    let followed = |live: &[Arc<SymbolState>], late: &[Arc<SymbolState>]| {
        live.iter().zip(late).map(|(live, late)| Followed::new(live.clone(), late.clone())).collect()
    };
    let line = |symbols| Line::new(DELAY, STEP, symbols, DelayMetrics::register("x"), now);
    let lines = vec![
        ("small".into(), line(followed(slice::from_ref(&live), slice::from_ref(&late)))),
        ("large".into(), line(followed(&world.live, &world.late))),
    ];
    world.lines = DelayLines::new(lines, 500);
    for count in 1..300 {
        (0..40).for_each(|place| world.trade(place));
        live.publish(&trade(Decimal::new(count, 0).unwrap()), world.now);
        world.run_for(STEP);
    }
    let steps: Vec<_> = world.lines.steps().collect();
    assert_eq!(steps[0], STEP);
    assert!(steps[1] > STEP * 8, "{steps:?}");
    assert!(world.now.instant - late.newest().published <= STEP);
}

/// What the start logs as `delayed` counts so much for each.
#[test]
fn a_price_that_is_held_takes_about_what_the_start_says() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.trade(0);
    world.change(0, |state, now| state.publish(&quote(1_234), now));
    let tick = world.live[0].newest();
    let counts = 2 * size_of::<usize>(); // of an `Arc`
    let frame = world.live[0].frame(&tick).len() + 2 * counts;
    let held = (size_of::<Tick>() + counts + size_of::<Note>() + frame) as u64;
    assert!((DELAY_NOTE_BYTES / 2..=DELAY_NOTE_BYTES).contains(&held), "{held} bytes");
}
