//! How an owner's clock is asked for.

use super::*;

fn probes(actions: Vec<Action>) -> Vec<AskId> {
    let id = |action: &Action| if let Action::Ask(id, Ask::Beat) = action { Some(*id) } else { None };
    actions.iter().filter_map(id).collect()
}

#[test]
fn the_owner_is_asked_for_its_clock_at_once_and_then_every_few_seconds() {
    let mut follower = Follower::new(STALE_AFTER, 1);
    let mut pair = Pair::new();
    let opening = pair.opening();
    let mut book = Notes::default();
    assert_eq!(follower.due(), None);
    let first = probes(follower.on(Event::Live(opening[0].clone()), millis(0), &mut book));
    assert_eq!((first.len(), follower.due()), (1, Some(millis(500))));
    assert!(!follower.is_fresh(), "no age is known");
    let again = probes(follower.on(Event::Due, millis(500), &mut book));
    assert_eq!(again.len(), 1);
    pair.now = 500;
    let actions = follower.on(Event::Answer(again[0], pair.beat()), millis(510), &mut book);
    assert_eq!(actions, [Action::Fresh]);
    assert!(follower.on(Event::Due, millis(5_509), &mut book).iter().all(|action| !matches!(action, Action::Ask(..))));
    assert_eq!(probes(follower.on(Event::Due, millis(5_510), &mut book)).len(), 1);
}

#[test]
fn an_answer_that_takes_longer_than_the_pause_between_asks_counts() {
    let mut follower = Follower::new(STALE_AFTER, 1);
    let mut pair = Pair::new();
    let opening = pair.opening();
    let mut book = Notes::default();
    let mut asked = probes(follower.on(Event::Live(opening[0].clone()), millis(0), &mut book));
    for now in [500, 1_000, 1_500] {
        asked.extend(probes(follower.on(Event::Due, millis(now), &mut book)));
    }
    assert_eq!(asked.len(), 4);
    // Each answer takes 1.2 s.
    pair.now = 1_100;
    let (second, beat) = (asked[1], pair.beat());
    assert_eq!(follower.on(Event::Answer(second, beat.clone()), millis(1_700), &mut book), [Action::Fresh]);
    let counts = follower.counts().clone();
    assert_eq!(follower.on(Event::Answer(asked[0], beat), millis(1_701), &mut book), [], "a later one had its answer");
    assert_eq!((follower.counts(), follower.is_fresh()), (&counts, true));
    // The next one is not far: a better answer may come.
    assert_eq!(probes(follower.on(Event::Due, millis(2_200), &mut book)).len(), 1);
}

#[test]
fn an_answer_to_what_was_asked_before_the_clock_lost_time_does_not_count() {
    let mut follower = Follower::new(STALE_AFTER, 1);
    let mut pair = Pair::new();
    let opening = pair.opening();
    let mut book = Notes::default();
    let before = probes(follower.on(Event::Live(opening[0].clone()), millis(0), &mut book));
    // The machine is stopped from outside while the answer waits for it: its clock does not count that.
    let beat = pair.beat();
    let after = probes(follower.on(Event::LostTime, millis(10), &mut book));
    assert_eq!(after.len(), 1);
    follower.on(Event::Answer(before[0], beat), millis(10), &mut book);
    assert!(!follower.is_fresh());
    pair.now = 10;
    follower.on(Event::Answer(after[0], pair.beat()), millis(11), &mut book);
    assert!(follower.is_fresh());
}

#[test]
fn a_snapshot_that_was_asked_for_before_the_clock_lost_time_does_not_count_for_it() {
    let mut follower = Follower::new(STALE_AFTER, 1);
    let mut pair = Pair::new();
    pair.opening();
    let mut book = Notes::default();
    let actions = follower.on(Event::Live(pair.beat()), millis(0), &mut book);
    let snapshot = actions.iter().find_map(|action| match action {
        Action::Ask(id, Ask::Snapshot) => Some(*id),
        _ => None,
    });
    let parts = pair.snapshot(1);
    let after = probes(follower.on(Event::LostTime, millis(10), &mut book));
    for part in parts {
        follower.on(Event::Answer(snapshot.unwrap(), part), millis(11), &mut book);
    }
    assert_eq!((follower.state(), follower.is_fresh()), (State::Live, false));
    follower.on(Event::Answer(after[0], pair.beat()), millis(12), &mut book);
    assert!(follower.is_fresh());
}

#[test]
fn rule_10_four_asks_wait_for_an_answer() {
    let mut follower = Follower::new(STALE_AFTER, 1);
    let mut pair = Pair::new();
    let opening = pair.opening();
    let mut book = Notes::default();
    let first = probes(follower.on(Event::Live(opening[0].clone()), millis(0), &mut book));
    for again in 1..=20 {
        assert_eq!(probes(follower.on(Event::Due, millis(500 * again), &mut book)).len(), 1);
        assert!(follower.probes.len() <= PROBES_MAX);
    }
    pair.now = 10_000;
    assert_eq!(follower.on(Event::Answer(first[0], pair.beat()), millis(10_000), &mut book), []);
    assert!(!follower.is_fresh());
}
