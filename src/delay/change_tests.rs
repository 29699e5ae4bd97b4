//! Lines and symbols that come and go.

use super::{
    DelayMetrics, Followed, Line, LineChange,
    line::SLICE,
    world_tests::{DELAY, STEP, World, content},
};
use crate::market::Symbol;
use std::{collections::HashSet, time::Duration};

fn names(world: &World, places: &[usize]) -> HashSet<Symbol> {
    places.iter().map(|place| world.live[*place].symbol().clone()).collect()
}

fn followed(world: &World, places: &[usize]) -> Vec<Followed> {
    places.iter().map(|place| Followed::new(world.live[*place].clone(), world.late[*place].clone())).collect()
}

fn shows(world: &World, place: usize) -> bool {
    content(&world.live[place].newest().snapshot) == content(&world.late[place].newest().snapshot)
}

#[test]
fn what_was_noted_of_a_symbol_that_leaves_is_never_shown_and_each_other_gets_its_own() {
    // Two slices, of which symbols leave in the middle.
    let count = SLICE + 4;
    let mut world = World::new(count, DELAY, STEP, 1_000_000);
    (0..count).for_each(|place| world.trade(place));
    world.run_for(STEP * 2);
    assert_eq!(world.lines.notes(), count);
    let left = [1, SLICE - 1, SLICE + 1];
    let gone = names(&world, &left);
    world.lines.change(LineChange::Leave("x".into(), gone));
    assert_eq!(world.lines.notes(), count - left.len());
    world.run_for(DELAY + STEP);
    for place in 0..count {
        assert_eq!(shows(&world, place), !left.contains(&place), "{place}");
    }
    // They come back, in the room that they left and behind it.
    let again = followed(&world, &left);
    world.lines.change(LineChange::Follow("x".into(), again));
    world.run_for(DELAY - STEP);
    assert!(!shows(&world, 1), "not before the delay");
    world.run_for(STEP * 4);
    assert!((0..count).all(|place| shows(&world, place)));
    assert_eq!(world.lines.notes(), 0);
}

#[test]
fn lines_start_and_end() {
    let mut world = World::new(3, DELAY, STEP, 1_000);
    world.trade(0);
    world.run_for(STEP);
    world.lines.change(LineChange::End("x".into()));
    assert_eq!(world.lines.notes(), 0);
    world.run_for(DELAY * 2);
    assert!(!shows(&world, 0));
    let all = followed(&world, &[0, 1, 2]);
    let line = Line::new(DELAY, STEP, all, DelayMetrics::register("y"), world.now);
    world.lines.change(LineChange::Start("y".into(), line));
    world.run_for(DELAY + STEP * 2);
    assert!(shows(&world, 0));
    // Without a symbol a line has nothing to do, and then it has.
    let gone = names(&world, &[0, 1, 2]);
    world.lines.change(LineChange::Leave("y".into(), gone));
    world.trade(1);
    world.run_for(Duration::from_secs(60));
    let again = followed(&world, &[1]);
    world.lines.change(LineChange::Follow("y".into(), again));
    world.run_for(DELAY + STEP * 2);
    assert!(shows(&world, 1));
}

/// As where the line was not told that it left.
#[test]
fn a_symbol_that_comes_back_to_a_line_that_has_it_begins_again() {
    let mut world = World::new(1, DELAY, STEP, 1_000);
    world.trade(0);
    world.run_for(STEP * 2);
    assert_eq!(world.lines.notes(), 1);
    let again = followed(&world, &[0]);
    world.lines.change(LineChange::Follow("x".into(), again));
    assert_eq!(world.lines.notes(), 0, "what was noted before is never shown");
    world.run_for(STEP * 2);
    assert_eq!(world.lines.notes(), 1, "it is followed once");
    world.run_for(DELAY);
    assert!(shows(&world, 0));
}
