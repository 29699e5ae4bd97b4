//! Whose messages count.

use super::*;

#[test]
fn a_higher_token_with_an_opening_is_followed_into_its_epoch() {
    let mut pair = Pair::live();
    let old = pair.trade();
    pair.succeed(9, 0);
    let opening = pair.opening();
    pair.hear(opening[0].clone());
    assert_eq!((pair.state(), pair.cause(), pair.follower.token()), (State::Live, Cause::Opened, Some(pair.token)));
    assert_eq!(pair.book.steps, [(0, 2, Step::Epoch), (1, 0, Step::Epoch)]);
    pair.hear(old);
    assert_eq!((pair.follower.counts().fenced, pair.book.steps.len()), (1, 2), "the dead owner's batch came late");
}

#[test]
fn a_book_that_moves_to_another_epoch_is_cut_off_until_all_its_symbols_have() {
    let mut pair = Pair::live();
    assert!(pair.book.is_live);
    pair.succeed(9, 0);
    let opening = pair.opening();
    pair.hear(opening[0].clone());
    assert!(pair.actions.contains(&Action::CutOff(CutOff::Silent)), "{:?}", pair.actions);
    assert_eq!((pair.book.steps.len(), pair.book.live.len(), pair.state()), (2, 0, State::Live));
    assert!(pair.book.is_live, "again");
}

#[test]
fn an_epoch_that_goes_on_under_a_higher_token_is_followed_without_a_snapshot() {
    let mut pair = Pair::live();
    pair.succeed(7, 2);
    let batch = pair.trade();
    pair.hear(batch);
    assert_eq!((pair.state(), pair.taken()), (State::Live, vec![2]));
    assert_eq!(pair.actions, []);
    let batch = pair.trade();
    pair.hear(batch);
    assert_eq!((pair.taken(), pair.follower.token()), (vec![3], Some(pair.token)));
}

#[test]
fn any_other_message_of_a_higher_token_asks_for_a_snapshot() {
    // Of another epoch; of the same, but from before the last batch.
    for (epoch, last) in [(9, 0), (7, 0)] {
        let mut pair = Pair::live();
        pair.succeed(epoch, last);
        let batch = pair.trade();
        pair.hear(batch);
        assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Asking, Cause::NewOwner, Ask::Snapshot));
    }
}

#[test]
fn what_is_missing_of_an_owner_that_has_handed_over_it_answers_itself_and_no_tick_is_lost() {
    // The hole is found by the heir's first message, or was known before.
    for is_known in [false, true] {
        let mut pair = Pair::live();
        let missing = pair.trade();
        let last = pair.trade();
        let before = pair.sender();
        if is_known {
            pair.hear(last.clone());
            assert_eq!(pair.state(), State::Repairing);
        }
        pair.succeed(7, 4);
        // The heir's table is another.
        pair.symbols[0].index = 1;
        let first = pair.trade();
        pair.hear(first);
        let to = if is_known { 3 } else { 4 };
        assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(3, to)));
        // It has sent the ask on under the token that counts no more.
        let answer = [missing, last, write_end(2, 4, &before)];
        pair.answer(answer.into_iter().take(if is_known { 1 } else { 3 }));
        assert_eq!((pair.state(), pair.cause(), pair.taken()), (State::Live, Cause::Filled, vec![2, 3, 4]));
        let counts = pair.follower.counts();
        assert_eq!((counts.lost, counts.replaced, counts.filled, counts.fenced), (0, 0, 1, 0));
        assert_eq!(pair.follower.token(), Some(pair.token));
    }
}

#[test]
fn the_rest_of_a_hole_that_goes_on_behind_a_hand_over_is_asked_for() {
    let mut pair = Pair::live();
    let missing = pair.trade();
    let before = pair.sender();
    pair.succeed(7, 3);
    let of_heir = pair.trade();
    let first = pair.trade();
    pair.hear(first);
    assert_eq!(pair.ask().1, pair.missing(3, 4));
    pair.answer([missing.clone(), write_end(1, 3, &before)]);
    assert_eq!((pair.state(), pair.ask().1), (State::Repairing, pair.missing(4, 4)));
    // One of an owner that is not known any more does not count.
    let fenced = pair.follower.counts().fenced;
    let mut other = Pair::new();
    other.token = token(2, 7);
    pair.answer([write_end(0, 1, &other.sender())]);
    assert_eq!((pair.state(), pair.follower.counts().fenced), (State::Repairing, fenced + 1));
    pair.answer([of_heir]);
    assert_eq!((pair.state(), pair.taken(), pair.follower.counts().lost), (State::Live, vec![2, 3, 4], 0));
}

#[test]
fn an_owner_that_does_not_have_a_batch_does_not_cut_off_the_answer_of_the_one_before() {
    let mut pair = Pair::live();
    let missing = [pair.trade(), pair.trade(), pair.trade()];
    let before = pair.sender();
    pair.succeed(7, 5);
    let first = pair.trade();
    pair.hear(first);
    assert_eq!(pair.ask().1, pair.missing(3, 5));
    let (ask, gone) = (pair.ask().0, write_gone(6, &pair.sender()));
    pair.answer([missing[0].clone(), gone, missing[1].clone()]);
    assert_eq!((pair.state(), pair.ask().0), (State::Repairing, ask), "the answer of the owner before is slow");
    pair.answer([missing[2].clone(), write_end(3, 5, &before)]);
    assert_eq!((pair.state(), pair.cause(), pair.taken()), (State::Live, Cause::Filled, vec![2, 3, 4, 5]));
    assert_eq!((pair.follower.counts().lost, pair.follower.counts().replaced), (0, 0));
}

#[test]
fn an_owner_without_a_batch_is_believed_unless_the_one_before_goes_on_to_answer() {
    // A batch that comes late does not answer.
    let mut pair = Pair::live();
    let late = pair.trade();
    pair.trade();
    pair.on(Event::Last { epoch: pair.token.epoch, batch: 4 });
    pair.hear(late);
    pair.succeed(7, 4);
    let first = pair.trade();
    pair.hear(first);
    assert_eq!(pair.state(), State::Repairing);
    let gone = write_gone(5, &pair.sender());
    pair.answer([gone]);
    assert_eq!((pair.state(), pair.cause()), (State::Asking, Cause::Gone));

    // The one before ends in the middle of its answer.
    let mut pair = Pair::live();
    let missing = [pair.trade(), pair.trade()];
    pair.succeed(7, 4);
    let first = pair.trade();
    pair.hear(first);
    let gone = write_gone(5, &pair.sender());
    pair.answer([missing[0].clone(), gone]);
    pair.pass(499);
    assert_eq!(pair.state(), State::Repairing);
    pair.pass(1);
    assert_eq!((pair.state(), pair.cause()), (State::Asking, Cause::Timeout));
}

#[test]
fn a_lower_token_is_fenced_wherever_the_higher_one_was_named() {
    let mut pair = Pair::live();
    let batch = pair.trade();
    pair.on(Event::Lease(token(4, 0)));
    pair.hear(batch);
    assert_eq!((pair.follower.counts().fenced, pair.taken()), (1, vec![]));

    let mut pair = Pair::new();
    pair.on(Event::Lease(token(4, 0)));
    let opening = pair.opening();
    pair.hear(opening[0].clone());
    assert_eq!((pair.state(), pair.follower.counts().fenced), (State::Cold, 1));

    let mut pair = repairing();
    let old = pair.token;
    let mut successor = Pair::new();
    successor.succeed(9, 0);
    pair.answer([write_gone(0, &successor.sender())]);
    let batch = pair.trade();
    pair.hear(batch);
    assert_eq!((pair.follower.token(), pair.follower.counts().fenced), (Some(old), 1));
}

#[test]
fn the_names_of_an_owner_are_not_those_of_the_owner_before() {
    let mut pair = Pair::live();
    // The successor's table has A where the one before had B, and its first batch, which says so, is not seen.
    pair.book.have[1] = Some(Have { epoch: pair.token.epoch, seq: 1 });
    pair.succeed(7, 1);
    pair.symbols[0].index = 1;
    pair.batch.push(&pair.symbols[0].tick());
    pair.batch.seal(1, millis(0)).unwrap();
    pair.symbols[0].trade(1, 100);
    pair.batch.push(&pair.symbols[0].tick());
    let batch = pair.batch.seal(1, millis(0)).unwrap();
    pair.hear(batch.bytes);
    assert_eq!((pair.state(), pair.cause(), pair.book.steps.len()), (State::Asking, Cause::Damage, 0));
}
