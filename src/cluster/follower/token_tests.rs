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
    for (epoch, last) in [(9, 0), (7, 3)] {
        let mut pair = Pair::live();
        pair.succeed(epoch, last);
        let batch = pair.trade();
        pair.hear(batch);
        assert_eq!((pair.state(), pair.cause(), pair.ask().1), (State::Asking, Cause::NewOwner, Ask::Snapshot));
    }
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
