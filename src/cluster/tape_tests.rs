use super::*;
use crate::cluster::{
    message::{Kind, Message},
    support::{NOW_MICROS, OwnSymbol, each, token},
};

const WINDOW: Duration = Duration::from_millis(1);
const HOLD: Duration = Duration::from_secs(8);

fn at(millis: u64) -> Moment {
    Moment { boot: Boot(millis * 1_000), wall: UnixMicros(NOW_MICROS + millis.cast_signed() * 1_000) }
}

fn validity(millis: u64) -> Option<Validity> {
    Some(Validity { token: token(1, 1), counts_from: at(millis), hold: HOLD })
}

/// A tape behind its opening, and its symbol.
fn opened() -> (Tape, OwnSymbol) {
    let symbol = OwnSymbol::new(0, "A");
    let mut tape = Tape::new(token(1, 1), 1, Start::NewEpoch, WINDOW);
    tape.set_lease(validity(0), Some(7));
    tape.set_connected(true);
    tape.open(each(std::slice::from_ref(&symbol)), at(0).boot);
    (tape, symbol)
}

fn trade(tape: &mut Tape, symbol: &mut OwnSymbol, millis: u64) {
    symbol.trade(millis, 100);
    tape.push(&symbol.tick(), at(millis).boot);
}

/// For each message, its kind and batch.
fn heads(messages: &[Bytes]) -> Vec<(Kind, u64)> {
    let heads = messages.iter().map(|bytes| Message::open(bytes).unwrap().head);
    heads.map(|head| (head.kind, head.batch)).collect()
}

#[test]
fn batches_are_published_in_order_and_a_beat_after_silence() {
    let (mut tape, mut symbol) = opened();
    assert_eq!(tape.due(), Some(Boot(0)));
    assert_eq!(heads(&tape.take(at(0))), [(Kind::Opening, 1)]);
    assert_eq!((tape.take(at(249)), tape.due()), (vec![], Some(at(250).boot)));
    assert_eq!(heads(&tape.take(at(250))), [(Kind::Beat, 1)]);
    trade(&mut tape, &mut symbol, 260);
    assert_eq!(heads(&tape.take(at(260))), [(Kind::Batch, 2)]);
    trade(&mut tape, &mut symbol, 261);
    trade(&mut tape, &mut symbol, 261);
    tape.set_feed(FeedState::Live);
    let batch = tape.take(at(261));
    let head = Message::open(&batch[0]).unwrap().head;
    assert_eq!((head.batch, head.count, head.revision), (3, 2, 7));
    let beat = tape.take(at(511));
    assert_eq!(Message::open(&beat[0]).unwrap().beat, Some(Beat { wall: at(511).wall, feed: FeedState::Live }));
}

#[test]
fn a_beat_among_batches_tells_each_second_how_the_feed_and_the_clock_are() {
    let (mut tape, mut symbol) = opened();
    tape.take(at(0));
    tape.set_feed(FeedState::Live);
    let mut beats = Vec::new();
    for step in 1..=2_500 {
        trade(&mut tape, &mut symbol, step);
        let messages = tape.take(at(step));
        let batch = (Kind::Batch, step + 1);
        if messages.len() == 1 {
            assert_eq!(heads(&messages), [batch]);
            continue;
        }
        assert_eq!(heads(&messages), [batch, (Kind::Beat, step + 1)], "behind the batch that it names");
        let beat = Message::open(&messages[1]).unwrap().beat;
        assert_eq!(beat, Some(Beat { wall: at(step).wall, feed: FeedState::Live }));
        beats.push(step);
    }
    assert_eq!(beats, [1_000, 2_000]);
    // A beat that has no room is not sent again; the batches before it are.
    tape.take(at(2_700));
    trade(&mut tape, &mut symbol, 2_999);
    tape.seal(at(2_999).boot);
    trade(&mut tape, &mut symbol, 3_000);
    tape.seal(at(3_000).boot);
    assert_eq!(heads(&tape.take(at(3_000))).len(), 3);
    assert_eq!(tape.published(2, at(3_000).boot), 1);
    assert_eq!(heads(&tape.take(at(3_001))), [(Kind::Batch, 2_503)]);
}

#[test]
fn a_full_batch_is_sealed_before_the_next_tick() {
    let (mut tape, mut symbol) = opened();
    for _ in 0..=crate::cluster::batch::BATCH_TICKS_MAX {
        trade(&mut tape, &mut symbol, 1);
    }
    assert_eq!(tape.last(), 2);
    assert_eq!(heads(&tape.take(at(1))), [(Kind::Opening, 1), (Kind::Batch, 2)]);
    assert_eq!(heads(&tape.take(at(2))), [(Kind::Batch, 3)], "its window begins with the batch before");
}

#[test]
fn nothing_leaves_after_the_lease_by_either_clock_and_what_was_kept_follows_once_it_is_renewed() {
    let (mut tape, mut symbol) = opened();
    (0..32).for_each(|quarter| drop(tape.take(at(quarter * 250))));
    trade(&mut tape, &mut symbol, 7_999);
    let wall_ahead = Moment { wall: at(8_000).wall, ..at(7_999) };
    assert!(tape.may_take(at(7_999)) && !tape.may_take(at(8_000)) && !tape.may_take(wall_ahead));
    assert_eq!((tape.take(at(8_000)), tape.take(wall_ahead)), (vec![], vec![]));
    tape.set_lease(None, Some(7));
    assert_eq!((tape.take(at(7_999)), tape.due(), tape.last()), (vec![], None, 1));
    tape.seal(at(8_100).boot);
    tape.set_lease(validity(8_200), Some(8));
    assert_eq!(heads(&tape.take(at(8_200))), [(Kind::Batch, 2)]);
    let of_another = validity(8_200).map(|validity| Validity { token: token(2, 1), ..validity });
    tape.set_lease(of_another, Some(9));
    assert!(!tape.may_take(at(8_200)));
}

#[test]
fn rule_7_an_owner_that_was_stopped_reads_what_waits_before_it_says_that_all_is_as_of_now() {
    let (mut tape, mut symbol) = opened();
    tape.set_connected(false);
    tape.take(at(0));
    tape.set_connected(true);
    trade(&mut tape, &mut symbol, 10);
    assert_eq!((tape.take(at(1_000)), tape.due()), (vec![], Some(at(1_250).boot)));
    trade(&mut tape, &mut symbol, 1_100);
    assert_eq!((tape.take(at(1_249)), tape.answer(Ask::Beat, at(1_249))), (vec![], None));
    assert_eq!(heads(&tape.take(at(1_250))), [(Kind::Batch, 2)]);
    // A machine that was stopped from outside counts the time by its wall clock alone.
    assert_eq!(tape.take(Moment { wall: at(2_500).wall, ..at(1_500) }), Vec::<Bytes>::new());
}

#[test]
fn what_becomes_due_while_disconnected_is_skipped_and_can_be_asked_for() {
    let (mut tape, mut symbol) = opened();
    tape.take(at(0));
    tape.set_connected(false);
    trade(&mut tape, &mut symbol, 5);
    assert_eq!((tape.take(at(5)), tape.last(), tape.due()), (vec![], 2, None));
    tape.set_connected(true);
    assert_eq!(tape.take(at(100)), Vec::<Bytes>::new());
    trade(&mut tape, &mut symbol, 101);
    assert_eq!(heads(&tape.take(at(101))), [(Kind::Batch, 3)]);
    let ask = Ask::History { epoch: token(1, 1).epoch, from: 2, to: 2 };
    let Some(Answer::History(messages)) = tape.answer(ask, at(102)) else { panic!("the history has it") };
    assert_eq!(heads(&messages), [(Kind::Batch, 2), (Kind::End, 3)]);
}

#[test]
fn rule_10_a_retired_tape_answers_for_its_batches_alone_and_for_ten_seconds() {
    let (mut tape, _) = opened();
    tape.retire(at(1_000).boot);
    tape.set_lease(validity(1_000), Some(8));
    assert_eq!((tape.take(at(1_000)), tape.due()), (vec![], None));
    let epoch = token(1, 1).epoch;
    let ask = |to| Ask::History { epoch, from: 1, to };
    assert_eq!(tape.answer(Ask::Snapshot, at(1_001)), None);
    assert_eq!(tape.answer(Ask::Beat, at(1_001)), None);
    let ask_from = |from| Ask::History { epoch, from, to: 9 };
    assert_eq!(tape.answer(ask_from(2), at(1_001)), None, "the next owner has it");
    let Some(Answer::History(messages)) = tape.answer(ask_from(1), at(1_001)) else { panic!("it has the first") };
    assert_eq!(heads(&messages), [(Kind::Opening, 1), (Kind::End, 1)]);
    tape.answered();
    assert!(matches!(tape.answer(ask(1), at(10_999)), Some(Answer::History(_))));
    assert!(!tape.is_over(at(10_999).boot) && tape.is_over(at(11_000).boot));
    assert_eq!(tape.answer(ask(1), at(11_000)), None);
}

#[test]
fn an_epoch_goes_on_behind_its_last_batch() {
    let mut symbol = OwnSymbol::new(0, "A");
    let mut tape = Tape::new(token(1, 1), 1, Start::After(41), WINDOW);
    tape.set_lease(validity(0), None);
    tape.set_connected(true);
    assert_eq!(heads(&tape.take(at(0))), [(Kind::Beat, 41)]);
    trade(&mut tape, &mut symbol, 1);
    assert_eq!(heads(&tape.take(at(1))), [(Kind::Batch, 42)]);
}

#[test]
fn an_heir_lets_the_owner_before_answer_for_its_batches_as_long_as_that_one_has_them() {
    let mut tape = Tape::new(token(2, 1), 1, Start::After(41), WINDOW);
    tape.set_lease(validity(0), None);
    tape.take(at(0));
    let ask = |from| Ask::History { epoch: token(2, 1).epoch, from, to: 50 };
    let Some(Answer::Later(messages)) = tape.answer(ask(41), at(9_999)) else { panic!("the owner before has it") };
    assert_eq!(heads(&messages), [(Kind::Gone, 41)]);
    for (ask, millis) in [(ask(42), 1), (ask(41), 10_000)] {
        let Some(Answer::Messages(messages)) = tape.answer(ask, at(millis)) else { panic!("at once") };
        assert_eq!(heads(&messages), [(Kind::Gone, 41)]);
    }
}

#[test]
fn a_connection_without_room_gets_the_rest_a_moment_later_and_in_order() {
    let (mut tape, mut symbol) = opened();
    tape.take(at(0));
    for millis in 1..=4 {
        trade(&mut tape, &mut symbol, millis);
        tape.seal(at(millis).boot);
    }
    assert_eq!(heads(&tape.take(at(4))).len(), 4);
    assert_eq!(tape.published(3, at(4).boot), 0);
    assert_eq!((tape.take(at(4)), tape.due()), (vec![], Some(at(5).boot)));
    trade(&mut tape, &mut symbol, 5);
    assert_eq!(heads(&tape.take(at(5))), [3, 4, 5, 6].map(|batch| (Kind::Batch, batch)));
    assert_eq!((tape.published(0, at(5).boot), tape.due()), (0, Some(at(255).boot)));
    // The next beat says what one without room would have said.
    assert_eq!(heads(&tape.take(at(255))), [(Kind::Beat, 6)]);
    assert_eq!((tape.published(1, at(255).boot), tape.due()), (1, Some(at(505).boot)));
}

#[test]
fn rule_10_a_connection_without_room_for_a_second_skips_what_waits() {
    let (mut tape, mut symbol) = opened();
    let mut skipped = 0;
    for millis in 0..1_000 {
        assert_eq!(skipped, 0, "at {millis} ms");
        let left = tape.take(at(millis)).len();
        skipped = tape.published(left, at(millis).boot);
    }
    trade(&mut tape, &mut symbol, 1_000);
    let left = tape.take(at(1_000)).len();
    assert_eq!((left, tape.published(left, at(1_000).boot)), (2, 2));
    assert_eq!(heads(&tape.take(at(1_250))), [(Kind::Beat, 2)], "followers ask for the others");
}

#[test]
fn rule_10_a_quiet_shard_forgets_its_history() {
    let (mut tape, _) = opened();
    tape.take(at(0));
    tape.take(at(10_000));
    assert!(tape.bytes() > 0);
    tape.set_lease(None, None);
    tape.take(at(10_001));
    assert_eq!(tape.bytes(), 0);
}
