//! How a hole is repaired, or replaced by a snapshot.

use super::*;

#[test]
fn live_repairs_a_hole_and_loses_no_tick() {
    let mut pair = Pair::live();
    pair.trade();
    pair.trade();
    let last = pair.trade();
    pair.hear(last);
    assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Repairing, Cause::Hole, pair.missing(3, 4)));
    let later = pair.trade();
    pair.hear(later);
    let missing: Vec<_> = pair.history.get(pair.token.epoch, 3, 4).unwrap().cloned().collect();
    pair.answer(missing);
    assert_eq!((pair.state(), pair.cause()), (State::Live, Cause::Filled));
    assert_eq!((pair.taken(), pair.follower.applied()), (vec![2, 3, 4, 5], Some((pair.token.epoch, 6))));
    assert_eq!((pair.follower.counts().filled, pair.follower.counts().lost), (1, 0));
}

#[test]
fn live_finds_a_hole_by_a_beat_and_by_the_last_batch_of_an_owner_that_hands_over() {
    let mut pair = Pair::live();
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!((pair.state(), pair.actions.as_slice()), (State::Live, &[][..]));
    pair.trade();
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(3, 3)));
    let missing: Vec<_> = pair.history.get(pair.token.epoch, 3, 3).unwrap().cloned().collect();
    pair.answer(missing);
    assert_eq!((pair.state(), pair.taken()), (State::Live, vec![2]));

    pair.trade();
    pair.on(Event::Last { epoch: token(1, 1).epoch, batch: 4 });
    pair.on(Event::Last { epoch: pair.token.epoch, batch: 3 });
    assert_eq!(pair.state(), State::Live);
    pair.on(Event::Last { epoch: pair.token.epoch, batch: 4 });
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(4, 4)));
}

/// Leases and live batches come by different connections.
#[test]
fn the_last_batches_may_come_behind_the_hand_over_that_names_them() {
    let mut pair = Pair::live();
    let late = [pair.trade(), pair.trade()];
    pair.on(Event::Last { epoch: pair.token.epoch, batch: 4 });
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(3, 4)));
    for batch in late {
        pair.hear(batch);
    }
    assert_eq!((pair.state(), pair.cause()), (State::Live, Cause::Filled));
    assert_eq!((pair.taken(), pair.follower.applied()), (vec![2, 3], Some((pair.token.epoch, 4))));
}

#[test]
fn a_second_hole_while_repairing_is_asked_for_too() {
    let mut pair = Pair::live();
    let batches: Vec<_> = (3..=7).map(|_| pair.trade()).collect();
    pair.hear(batches[1].clone());
    pair.hear(batches[3].clone());
    assert_eq!(pair.ask().1, pair.missing(3, 3));
    pair.answer([batches[0].clone(), write_end(1, 7, &pair.sender())]);
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(4, 5)));
    pair.hear(batches[4].clone());
    pair.answer(batches[1..3].to_vec());
    assert_eq!((pair.state(), pair.taken()), (State::Live, vec![2, 3, 4, 5, 6]));
}

#[test]
fn repairing_gives_up_and_what_a_snapshot_skips_is_counted() {
    type Give = fn(&mut Pair);
    let ways: [(Give, Cause); 3] = [
        (|pair| pair.answer([write_gone(4, &pair.sender())]), Cause::Gone),
        (|pair| pair.answer([write_end(0, 4, &pair.sender())]), Cause::Gone),
        (|pair| (0..6).for_each(|_| pair.pass(500)), Cause::Timeout),
    ];
    for (give, cause) in ways {
        let mut pair = repairing();
        give(&mut pair);
        assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Asking, cause, Ask::Snapshot));
        let snapshot = pair.snapshot(4);
        pair.answer(snapshot);
        assert_eq!((pair.state(), pair.book.steps.as_slice()), (State::Live, &[(0, 3, Step::Jump { missed: 1 })][..]));
        let counts = pair.follower.counts();
        assert_eq!((counts.lost, counts.replaced, counts.filled), (1, 1, 0));
    }
}

#[test]
fn a_busy_owner_is_asked_again_after_a_pause() {
    let mut pair = repairing();
    let busy = write_busy(4, &pair.sender());
    let (first, _) = pair.ask();
    pair.answer([busy.clone()]);
    pair.pass(99);
    assert_eq!(pair.ask().0, first);
    pair.pass(401);
    assert_eq!((pair.ask().1, pair.ask().0 != first), (pair.missing(3, 3), true));
    let (second, _) = pair.ask();
    pair.on(Event::Unanswered(second));
    pair.pass(499);
    assert_eq!((pair.state(), pair.ask().0 != second), (State::Repairing, true));

    let mut pair = Pair::new();
    let opening = pair.opening();
    let batch = pair.trade();
    drop((opening, batch));
    let beat = pair.beat();
    pair.hear(beat);
    let (first, _) = pair.ask();
    pair.answer([busy]);
    pair.pass(500);
    let (second, ask) = pair.ask();
    assert!(second != first && ask == Ask::Snapshot);
    pair.pass(1_000);
    pair.pass(500);
    assert_ne!(pair.ask().0, second, "no answer for a second");
}

#[test]
fn an_owner_that_does_not_answer_is_asked_for_the_hole_again_for_three_seconds() {
    let mut pair = repairing();
    let (first, _) = pair.ask();
    pair.pass(999);
    assert_eq!(pair.ask().0, first);
    pair.pass(1);
    pair.pass(499);
    let (second, ask) = pair.ask();
    assert_eq!((pair.state(), ask, second != first), (State::Repairing, pair.missing(3, 3), true));
    pair.pass(1_000);
    pair.pass(499);
    assert_eq!((pair.state(), pair.ask().1, pair.ask().0 != second), (State::Repairing, pair.missing(3, 3), true));
    let missing: Vec<_> = pair.history.get(pair.token.epoch, 3, 3).unwrap().cloned().collect();
    pair.answer(missing);
    assert_eq!((pair.state(), pair.cause(), pair.taken()), (State::Live, Cause::Filled, vec![2, 3]));
    assert_eq!(pair.follower.counts().lost, 0);
}

#[test]
fn an_answer_to_an_ask_that_was_given_up_is_ignored() {
    let mut pair = repairing();
    let (old, _) = pair.ask();
    pair.pass(3_000);
    let missing: Vec<_> = pair.history.get(pair.token.epoch, 3, 3).unwrap().cloned().collect();
    pair.on(Event::Answer(old, missing[0].clone()));
    assert_eq!((pair.state(), pair.taken()), (State::Asking, vec![]));
}

#[test]
fn rule_10_repairing_gives_up_before_more_waits_than_may() {
    let mut pair = repairing();
    // It repairs for as long as batches come: here one each 900 ms of a hole that grows.
    for _ in 0..5 {
        let number = pair.follower.next;
        let missing: Vec<_> = pair.history.get(pair.token.epoch, number, number).unwrap().cloned().collect();
        let skipped = (pair.trade(), pair.trade());
        pair.hear(skipped.1);
        pair.now += 900;
        pair.answer(missing);
    }
    assert_eq!(pair.state(), State::Repairing);
    let last = pair.trade();
    pair.hear(last);
    pair.follower.buffer.push(pair.batch.last() + 1, Boot(0), Bytes::from(vec![0; BUFFER_BYTES_MAX]), millis(pair.now));
    pair.on(Event::Due);
    assert_eq!((pair.state(), pair.cause()), (State::Asking, Cause::Overflow));
    assert!(pair.follower.buffered_bytes() <= BUFFER_BYTES_MAX);
}

#[test]
fn a_snapshot_waits_for_the_batches_of_its_ticks() {
    let mut pair = Pair::new();
    pair.opening();
    let beat = pair.beat();
    pair.hear(beat);
    let batches = [pair.trade(), pair.trade()];
    let snapshot = pair.snapshot(1);
    pair.answer(snapshot);
    pair.hear(batches[0].clone());
    assert_eq!((pair.state(), pair.taken()), (State::Asking, vec![]), "B may have an older tick in the next batch");
    pair.hear(batches[1].clone());
    assert_eq!((pair.state(), pair.taken()), (State::Live, vec![2]));
    assert_eq!(pair.follower.applied(), Some((pair.token.epoch, 3)));
}

/// A follower that has asked for a snapshot, and its first part.
fn asking() -> (Pair, Bytes) {
    let mut pair = Pair::new();
    pair.opening();
    let beat = pair.beat();
    pair.hear(beat);
    assert_eq!((pair.state(), pair.ask().1), (State::Asking, Ask::Snapshot));
    let part = pair.snapshot(1).swap_remove(0);
    (pair, part)
}

#[test]
fn a_snapshot_joins_the_batches_behind_it_however_long_it_takes() {
    let (mut pair, part) = asking();
    for _ in 0..20 {
        pair.answer([part.clone()]);
        let batch = pair.trade();
        pair.hear(batch);
        pair.pass(900);
    }
    let end = write_end(20, 21, &pair.sender());
    pair.answer([end]);
    assert_eq!((pair.state(), pair.cause()), (State::Live, Cause::Complete));
    assert_eq!((pair.taken().last(), pair.follower.counts().unjoined), (Some(&20), 0));
    assert!(pair.follower.is_fresh());
}

#[test]
fn rule_10_a_snapshot_that_cannot_be_taken_is_counted_told_and_asked_for_again() {
    // A batch behind it was too much; a part is missing.
    for (bytes, parts, cause) in [(BUFFER_BYTES_MAX, 1, Cause::Unjoined), (0, 2, Cause::Incomplete)] {
        let (mut pair, part) = asking();
        pair.answer([part.clone()]);
        pair.follower.buffer.push(2, Boot(0), Bytes::from(vec![0; bytes]), millis(0));
        pair.on(Event::Due);
        assert!(pair.follower.buffered_bytes() <= BUFFER_BYTES_MAX);
        let end = write_end(parts, 1, &pair.sender());
        pair.answer([end]);
        assert_eq!((pair.state(), pair.cause(), pair.follower.counts().unjoined), (State::Asking, cause, 1));
        let before = pair.ask().0;
        pair.trade();
        let batch = pair.trade();
        pair.hear(batch);
        pair.pass(500);
        assert_eq!(
            (pair.ask().0 != before, pair.follower.buffered_bytes()),
            (true, 0),
            "the next has what came so far"
        );
        let snapshot = pair.snapshot(3);
        pair.answer(snapshot);
        assert_eq!((pair.state(), pair.follower.applied()), (State::Live, Some((pair.token.epoch, 3))));
    }
}
