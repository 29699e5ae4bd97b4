use super::*;
use crate::{
    cluster::{
        message::{DecodeError, HEAD_BYTES, MESSAGE_BYTES_MAX, Message},
        support::{OwnSymbol, millis, token},
    },
    feed::FeedState,
    market::UnixMicros,
};

const BEAT: Beat = Beat { wall: UnixMicros(1), feed: FeedState::Live };

fn epoch() -> Epoch {
    token(1, 5).epoch
}

fn sender() -> Sender {
    Sender { token: token(1, 5), revision: 2, table: 100_000, sent: millis(7) }
}

/// Batches of this many bytes, one a second, up to a number.
fn history(bytes: usize, last: u64) -> History {
    let mut history = History::new(epoch(), 0);
    for number in 1..=last {
        let batch = Sealed { number, bytes: Bytes::from(vec![number as u8; bytes]) };
        history.push(&batch, millis(number * 1_000));
    }
    history
}

/// The first bytes of the batches of a range, if the history has all of it.
fn get(history: &History, from: u64, to: u64) -> Option<Vec<u8>> {
    history.get(epoch(), from, to).map(|batches| batches.map(|bytes| bytes[0]).collect())
}

#[test]
fn a_history_has_the_newest_batches_of_its_epoch() {
    let history = history(100, 5);
    assert_eq!(get(&history, 2, 4), Some(vec![2, 3, 4]));
    assert_eq!(get(&history, 5, 5), Some(vec![5]));
    for (from, to) in [(0, 2), (4, 6), (6, 6), (4, 3), (u64::MAX, u64::MAX)] {
        assert_eq!(get(&history, from, to), None, "{from} to {to}");
    }
    assert!(history.get(token(1, 6).epoch, 2, 4).is_none());
    assert_eq!((history.last(), History::new(epoch(), 9).last()), (5, 9));
    assert_eq!(get(&History::new(epoch(), 9), 9, 9), None, "an heir has only its own");
}

#[test]
fn rule_10_a_history_has_a_limit_of_age_and_of_bytes() {
    let by_age = history(100, 15);
    assert_eq!((get(&by_age, 5, 15).map(|batches| batches.len()), get(&by_age, 4, 15)), (Some(11), None));
    let mut quiet = history(100, 15);
    quiet.sweep(millis(60_000));
    assert_eq!((quiet.bytes(), quiet.last(), get(&quiet, 15, 15)), (0, 15, None));
    let by_bytes = history(5 << 20, 9);
    assert!(by_bytes.bytes() <= HISTORY_BYTES_MAX);
    assert_eq!((get(&by_bytes, 4, 9).map(|batches| batches.len()), get(&by_bytes, 3, 9)), (Some(6), None));
}

fn kinds(messages: &[Bytes]) -> Vec<(Kind, u16)> {
    let head = |bytes: &Bytes| Message::open(bytes).map(|message| (message.head.kind, message.head.count));
    messages.iter().map(|bytes| head(bytes).unwrap()).collect()
}

#[test]
fn rule_10_four_asks_are_answered_at_a_time_and_others_are_told_to_come_back() {
    let history = history(100, 5);
    let mut answers = Answers::default();
    let answer = |answers: &mut Answers, ask| answers.answer(ask, &history, &BEAT, &sender());
    let batches = Ask::History { epoch: epoch(), from: 4, to: 5 };
    for ask in [Ask::Snapshot, batches, Ask::Snapshot, batches] {
        match answer(&mut answers, ask) {
            Answer::Snapshot => assert_eq!(ask, Ask::Snapshot),
            Answer::History(messages) => {
                assert_eq!(messages[..2], [Bytes::from(vec![4; 100]), Bytes::from(vec![5; 100])]);
                assert_eq!(kinds(&messages[2..]), [(Kind::End, 2)]);
            }
            Answer::Messages(messages) | Answer::Later(messages) => panic!("{:?}", kinds(&messages)),
        }
    }
    for ask in [Ask::Snapshot, batches] {
        let Answer::Messages(messages) = answer(&mut answers, ask) else { panic!("a fifth") };
        assert_eq!(kinds(&messages), [(Kind::Busy, 0)]);
    }
    let Answer::Messages(messages) = answer(&mut answers, Ask::Beat) else { panic!("a beat costs nothing") };
    let beat = Message::open(&messages[0]).unwrap();
    assert_eq!((beat.head.kind, beat.head.batch, beat.head.sent, beat.beat), (Kind::Beat, 5, millis(7), Some(BEAT)));
    answers.done();
    assert_eq!(answer(&mut answers, Ask::Snapshot), Answer::Snapshot);
}

#[test]
fn an_ask_for_batches_that_are_not_there_is_answered_and_takes_no_place() {
    let history = history(100, 5);
    let mut answers = Answers::default();
    for _ in 0..9 {
        let ask = Ask::History { epoch: epoch(), from: 4, to: 6 };
        let Answer::Messages(messages) = answers.answer(ask, &history, &BEAT, &sender()) else { panic!("not there") };
        assert_eq!(kinds(&messages), [(Kind::Gone, 0)]);
    }
    assert_eq!(answers.answer(Ask::Snapshot, &history, &BEAT, &sender()), Answer::Snapshot);
}

#[test]
fn a_snapshot_names_for_each_message_the_batch_before_its_first_symbol_was_read() {
    let mut writer = SnapshotWriter::default();
    let mut messages = Vec::new();
    for index in 0..8_000 {
        let mut symbol = OwnSymbol::new(index, &format!("{index:0>32}"));
        symbol.trade(1, 100);
        writer.prepare(u64::from(index) / 100);
        messages.extend(writer.push(&symbol.tick(), &sender()));
    }
    messages.extend(writer.finish(80, &sender()));
    let opened: Vec<_> = messages.iter().map(|bytes| Message::open(bytes).unwrap()).collect();
    let (end, parts) = opened.split_last().unwrap();
    assert_eq!((end.head.kind, usize::from(end.head.count)), (Kind::End, parts.len()));
    assert!(parts.len() > 2 && messages.iter().all(|bytes| bytes.len() <= MESSAGE_BYTES_MAX));
    assert!(messages[0].len() > MESSAGE_BYTES_MAX - 1_024);
    for part in parts {
        let first = part.ticks().next().unwrap();
        assert_eq!((part.head.kind, part.head.batch), (Kind::Snapshot, u64::from(first.index) / 100));
    }
    let indices = parts.iter().flat_map(|part| part.ticks().map(|tick| tick.index));
    assert!(indices.eq(0..8_000));

    let empty = SnapshotWriter::default().finish(3, &sender());
    assert_eq!(kinds(&empty), [(Kind::Snapshot, 0), (Kind::End, 1)]);
    assert_eq!((empty[1].len(), Message::open(&empty[1][1..]).err()), (HEAD_BYTES, Some(DecodeError::Magic)));
}
