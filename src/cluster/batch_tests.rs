use super::*;
use crate::cluster::{
    message::{HEAD_BYTES, Message},
    support::{OwnSymbol, each, largest, millis, token},
};

const WINDOW: Duration = Duration::from_millis(1);

fn traded(index: u32, name: &str) -> OwnSymbol {
    let mut symbol = OwnSymbol::new(index, name);
    symbol.trade(10, 100);
    symbol
}

fn batch(table: u32) -> OpenBatch {
    OpenBatch::new(token(1, 1), table, 0, WINDOW)
}

/// For each tick, its index and whether it is full.
fn ticks(sealed: &Sealed) -> Vec<(u32, bool)> {
    Message::open(&sealed.bytes).unwrap().ticks().map(|tick| (tick.index, tick.full.is_some())).collect()
}

#[test]
fn a_batch_is_sealed_at_once_after_silence_and_then_once_a_window() {
    let symbol = traded(0, "A");
    let mut batch = batch(1);
    assert_eq!((batch.due(), batch.seal(1, millis(4))), (None, None));
    batch.push(&symbol.tick());
    assert!(batch.due() <= Some(millis(5)), "at once");
    let first = batch.seal(8, millis(5)).unwrap();
    batch.push(&symbol.tick());
    assert_eq!(batch.due(), Some(millis(6)));
    let second = batch.seal(9, millis(6)).unwrap();
    assert_eq!((first.number, second.number, batch.last()), (1, 2, 2));
    let head = Message::open(&second.bytes).unwrap().head;
    assert_eq!((head.batch, head.revision, head.sent, head.table, head.count), (2, 9, millis(6), 1, 1));
    assert_eq!((head.kind, head.token, head.base), (Kind::Batch, token(1, 1), 10));
    batch.push(&symbol.tick());
    assert!(batch.due() <= Some(millis(9)));
}

#[test]
fn rule_10_a_batch_is_full_at_512_ticks_or_48_kib() {
    let symbol = traded(0, "A");
    let mut batch = batch(1);
    for _ in 0..BATCH_TICKS_MAX {
        assert!(!batch.is_full());
        batch.push(&symbol.tick());
    }
    assert!(batch.is_full() && batch.due() == Some(Boot(0)));
    let sealed = batch.seal(1, millis(1)).unwrap();
    assert_eq!(ticks(&sealed).len(), 512);

    let mut batch = OpenBatch::new(token(1, 1), 1_000, 0, WINDOW);
    let symbols: Vec<_> = (0..1_000).map(largest).collect();
    let mut pushed = symbols.iter();
    while !batch.is_full() {
        batch.push(&pushed.next().unwrap().tick());
    }
    let sealed = batch.seal(1, millis(1)).unwrap();
    assert!((BATCH_BYTES_MAX..BATCH_BYTES_MAX + 512).contains(&sealed.bytes.len()), "{}", sealed.bytes.len());
}

#[test]
fn the_first_tick_of_a_symbol_in_a_term_names_it_and_is_full() {
    let symbols = [traded(0, "A"), traded(1, "B")];
    let mut batch = batch(2);
    for index in [0, 0, 1, 0] {
        batch.push(&symbols[index].tick());
    }
    assert_eq!(ticks(&batch.seal(1, millis(1)).unwrap()), [(0, true), (0, false), (1, true), (0, false)]);
    batch.push(&symbols[1].tick());
    let sealed = batch.seal(1, millis(2)).unwrap();
    assert_eq!(ticks(&sealed), [(1, false)]);
    assert!(sealed.bytes.len() < HEAD_BYTES + 45, "{}", sealed.bytes.len());
}

#[test]
fn an_opening_has_all_symbols_and_marks_its_ends() {
    let symbols: Vec<_> = (0..1_300).map(|index| traded(index, &format!("S{index}"))).collect();
    let mut batch = batch(1_300);
    let opening = batch.open(each(&symbols), 3, millis(1));
    let heads: Vec<_> = opening.iter().map(|sealed| Message::open(&sealed.bytes).unwrap().head).collect();
    assert!(heads.iter().all(|head| head.kind == Kind::Opening) && heads.len() > 2);
    let last = heads.len() as u64;
    assert_eq!(heads.iter().map(|head| head.batch).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(heads.iter().filter(|head| head.is_first).map(|head| head.batch).collect::<Vec<_>>(), [1]);
    assert_eq!(heads.iter().filter(|head| head.is_last).map(|head| head.batch).collect::<Vec<_>>(), [last]);
    let indices: Vec<_> = opening.iter().flat_map(ticks).collect();
    assert_eq!(indices, (0..1_300).map(|index| (index, true)).collect::<Vec<_>>());
    batch.push(&symbols[7].tick());
    let next = batch.seal(3, millis(2)).unwrap();
    assert_eq!((next.number, ticks(&next)), (last + 1, vec![(7, false)]));
}

#[test]
fn an_owner_without_symbols_opens_with_one_empty_batch() {
    let opening = batch(0).open(|_| {}, 1, millis(1));
    let head = Message::open(&opening[0].bytes).unwrap().head;
    assert_eq!((opening.len(), head.batch, head.count, head.is_first, head.is_last), (1, 1, 0, true, true));
}
