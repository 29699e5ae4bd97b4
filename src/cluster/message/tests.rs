//! What is written is read back, whatever it is, and no bytes panic.

use super::*;
use crate::{
    cluster::{
        batch::{NewTick, OpenBatch},
        clock::Boot,
        history::SnapshotWriter,
        support::{NOW_MICROS, OwnSymbol, happening, largest, now, places, token},
        token::Token,
    },
    feed::FeedState,
    market::{Part, Parts, Reason},
};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;

#[path = "recorded_tests.rs"]
mod recorded;

const TABLE: u32 = 2;

fn batch(token: Token) -> OpenBatch {
    OpenBatch::new(token, TABLE, 0, Duration::ZERO)
}

fn seal(batch: &mut OpenBatch) -> Bytes {
    batch.seal(7, Boot(1)).unwrap().bytes
}

/// A batch with one tick of a symbol that was named before.
fn tick_message(tick: &NewTick<'_>) -> Bytes {
    let mut batch = batch(token(1, 1));
    batch.push(&OwnSymbol::new(tick.index, "A").tick());
    seal(&mut batch);
    batch.push(tick);
    seal(&mut batch)
}

fn only_tick(message: &[u8]) -> Tick<'_> {
    let mut ticks = Message::open(message).unwrap().ticks();
    let tick = ticks.next().unwrap();
    assert!(ticks.next().is_none());
    tick
}

/// A message with its bytes changed, and the checksum of the new ones.
fn with(message: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = message.to_vec();
    change(&mut bytes);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..4]);
    hasher.update(&bytes[8..]);
    bytes[4..8].copy_from_slice(&hasher.finalize().to_le_bytes());
    bytes
}

#[test]
fn the_longest_tick_fits_its_limit_and_comes_back_whole() {
    let symbol = largest(TABLE_MAX - 1);
    let mut draft = Draft::default();
    let small = OwnSymbol::new(0, "B");
    draft.push(&small.tick().full());
    let before = draft.length();
    draft.push(&symbol.tick().full());
    let length = draft.length() - before;
    assert!((400..=tick::TICK_BYTES_MAX).contains(&length), "{length} bytes");
    let sender = Sender { token: token(1, 1), revision: 0, table: TABLE_MAX, sent: Boot(0) };
    let finish = Finish { kind: Kind::Snapshot, batch: 1, is_first: true, is_last: false };
    let message = draft.finish(&finish, &sender);
    let tick = Message::open(&message).unwrap().ticks().nth(1).unwrap();
    let (mut snapshot, mut guards) = (small.shown, Guards::default());
    tick.merge_into(&mut snapshot, &mut guards);
    assert_eq!(snapshot, symbol.shown);
    assert_eq!(places(&guards), places(&symbol.shown_guards));
    assert_eq!((tick.index, tick.seq, tick.n, tick.changed), (symbol.index, symbol.seq, symbol.n, symbol.changed));
    let full = tick.full.unwrap();
    assert_eq!((full.name, full.prior, full.origin), (symbol.name.as_str(), symbol.prior, symbol.shown.origin));
}

#[test]
fn rule_10_a_message_has_a_limit_of_bytes() {
    let symbol = largest(TABLE_MAX - 1);
    let mut draft = Draft::default();
    while !draft.is_full() {
        draft.push(&symbol.tick().full());
    }
    let sender = Sender { token: token(1, 1), revision: 0, table: TABLE_MAX, sent: Boot(0) };
    let message = draft.finish(&Finish { kind: Kind::Snapshot, batch: 1, is_first: true, is_last: false }, &sender);
    assert!(message.len() > MESSAGE_BYTES_MAX - 2 * tick::TICK_BYTES_MAX && message.len() <= MESSAGE_BYTES_MAX);
    assert_eq!(
        usize::from(Message::open(&message).unwrap().head.count),
        Message::open(&message).unwrap().ticks().count()
    );
    let longer = with(&message, |bytes| bytes.resize(MESSAGE_BYTES_MAX + 1, 0));
    assert_eq!(Message::open(&longer).err(), Some(DecodeError::Length));
}

#[test]
fn a_head_comes_back_as_it_was_written() {
    let sender = Sender { token: token(u64::MAX, (1 << 48) - 1), revision: 3, table: TABLE_MAX, sent: Boot(u64::MAX) };
    let said = Beat { wall: UnixMicros(-5), feed: FeedState::Quiet };
    let written = write_beat(&said, 9, &sender);
    let message = Message::open(&written).unwrap();
    assert_eq!(message.beat, Some(said));
    let head = Head {
        kind: Kind::Beat,
        token: sender.token,
        batch: 9,
        revision: 3,
        base: 0,
        sent: sender.sent,
        table: TABLE_MAX,
        count: 0,
        is_first: false,
        is_last: false,
    };
    assert_eq!((message.head, message.ticks().count()), (head, 0));
    for (bytes, kind, count) in [
        (write_end(4, 9, &sender), Kind::End, 4),
        (write_gone(9, &sender), Kind::Gone, 0),
        (write_busy(9, &sender), Kind::Busy, 0),
    ] {
        assert_eq!(Message::open(&bytes).unwrap().head, Head { kind, count, ..head });
    }
}

#[test]
fn each_reason_to_drop_a_message_has_its_error() {
    let mut symbol = OwnSymbol::new(1, "A");
    symbol.trade(5, 100);
    let tick = tick_message(&symbol.tick());
    let mut full = batch(token(1, 1));
    full.push(&symbol.tick());
    let full = seal(&mut full);
    let end = write_end(0, 1, &Sender { token: token(1, 1), revision: 0, table: 0, sent: Boot(0) });
    let changed = |message: &[u8], at: usize, byte: u8| with(message, |bytes| bytes[at] = byte);
    let name = HEAD_BYTES + 1 + full[HEAD_BYTES..].windows(2).position(|bytes| bytes == b"\x01A").unwrap();
    let reason = |bytes: &[u8]| Message::open(bytes).err();
    for (bytes, expected) in [
        (b"xf".to_vec(), DecodeError::Magic),
        (Vec::new(), DecodeError::Magic),
        (tick[..HEAD_BYTES - 1].to_vec(), DecodeError::Length),
        ([&tick[..70], &[tick[70] ^ 1], &tick[71..]].concat(), DecodeError::Crc),
        (tick[..tick.len() - 1].to_vec(), DecodeError::Crc),
        (changed(&tick, 2, 2), DecodeError::Version),
        (changed(&tick, 3, 7), DecodeError::Value),
        (changed(&tick, 23, 1), DecodeError::Value), // an epoch of more than 48 bits
        (with(&tick, |bytes| bytes[24..32].fill(255)), DecodeError::Value), // a batch without a next one
        (changed(&tick, 62, 4), DecodeError::Value), // a flag without a meaning
        (changed(&tick, 58, 2), DecodeError::Index), // a table of 131,074 symbols
        (changed(&tick, 56, 1), DecodeError::Index), // a table without the tick's symbol
        (changed(&tick, 60, 2), DecodeError::Length),
        (with(&tick, |bytes| bytes.truncate(HEAD_BYTES + 4)), DecodeError::Length),
        (with(&tick, |bytes| bytes.push(0)), DecodeError::Length),
        (with(&end, |bytes| bytes.push(0)), DecodeError::Length),
        (changed(&tick, HEAD_BYTES + 4, 1 << 6), DecodeError::Value), // a part without a meaning
        (changed(&tick, HEAD_BYTES + 4, 2), DecodeError::Value),      // it changed a quote that it does not carry
        (changed(&tick, 3, Kind::Opening as u8), DecodeError::Value), // an opening has full ticks
        (with(&full, |bytes| bytes[name] = b'a'), DecodeError::Value),
    ] {
        assert_eq!(reason(&bytes), Some(expected), "{bytes:?}");
    }
    let names: std::collections::BTreeSet<_> = DecodeError::ALL.iter().map(|error| error.name()).collect();
    assert_eq!(names.len(), DecodeError::ALL.len());
}

#[test]
fn what_a_newer_version_appends_to_a_tick_is_skipped() {
    let mut symbol = OwnSymbol::new(1, "A");
    symbol.trade(5, 100);
    let message = tick_message(&symbol.tick());
    let longer = with(&message, |bytes| {
        bytes[HEAD_BYTES] += 3;
        bytes.extend_from_slice(b"new");
    });
    let (mut known, mut longer_known) = ((symbol.before, Guards::default()), (symbol.before, Guards::default()));
    only_tick(&message).merge_into(&mut known.0, &mut known.1);
    only_tick(&longer).merge_into(&mut longer_known.0, &mut longer_known.1);
    assert_eq!(known.0, longer_known.0);
    assert_eq!(known.0, symbol.shown);
}

#[test]
fn a_tick_carries_the_parts_that_it_changed_and_a_standing_that_is_new() {
    let mut symbol = OwnSymbol::new(0, "A");
    symbol.trade(5, 100);
    let present = |symbol: &OwnSymbol| only_tick(&tick_message(&symbol.tick())).present();
    assert_eq!(present(&symbol), Parts::from_iter([Part::Trade, Part::Status]), "it is live from now on");
    symbol.trade(6, 101);
    assert_eq!(present(&symbol), Parts::from_iter([Part::Trade]));
    // No client sees a refusal's end behind a closed session, but an heir must know of it.
    symbol.change(7, |snapshot, _| snapshot.set_closed(true, now()));
    symbol.snapshot.status.halted = Some((UnixMicros(1), Reason::Halt(crate::market::Halt::News)));
    symbol.trade(8, 102);
    assert_eq!(symbol.changed, Parts::from_iter([Part::Trade]));
    assert_eq!(present(&symbol), Parts::from_iter([Part::Trade, Part::Status]));
}

proptest! {
    /// Through real updates, tick by tick and by snapshots, a follower's state is always the owner's.
    #[test]
    fn what_was_encoded_is_decoded_as_it_was(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut symbol = OwnSymbol::new(1, "BRK.B");
        let mut batch = batch(token(3, 1 << 47));
        let (mut followed, mut followed_guards) = (symbol.shown, Guards::default());
        let mut at = now();
        for (place, (happening, later)) in happenings.iter().enumerate() {
            at = at.after(*later);
            let n = at.unix.0.cast_unsigned() + place as u64;
            if !happening.happen(&mut symbol, n, at) {
                continue;
            }
            batch.push(&symbol.tick());
            let message = seal(&mut batch);
            let tick = only_tick(&message);
            prop_assert_eq!((tick.index, tick.seq, tick.n, tick.changed), (1, symbol.seq, n, symbol.changed));
            tick.merge_into(&mut followed, &mut followed_guards);
            prop_assert_eq!(followed, symbol.shown);

            let mut writer = SnapshotWriter::default();
            let sender = Sender { token: token(3, 1), revision: 0, table: TABLE, sent: Boot(5) };
            writer.prepare(place as u64);
            prop_assert_eq!(writer.push(&symbol.tick(), &sender), None);
            let messages = writer.finish(place as u64, &sender);
            let full = only_tick(&messages[0]);
            let (mut state, mut guards) = (symbol.before, Guards::default());
            state.origin = Origin::Replay;
            full.merge_into(&mut state, &mut guards);
            prop_assert_eq!(state, symbol.shown);
            prop_assert_eq!(places(&guards), places(&symbol.shown_guards));
            prop_assert_eq!(full.full.map(|full| (full.name, full.prior)), Some(("BRK.B", symbol.prior)));
            for part in tick.present().iter() {
                let of_part = |guards: &Guards| match part {
                    Part::Trade => (guards.trade.id, guards.trade.time),
                    Part::Quote => (guards.quote.id, guards.quote.time),
                    Part::Stats => (guards.stats.id, guards.stats.time),
                    Part::Status => (guards.status.id, guards.status.time),
                };
                prop_assert_eq!(of_part(&followed_guards), of_part(&symbol.shown_guards));
            }
        }
    }

    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Message::open(&bytes);
        let _ = Ask::decode(&bytes);
    }

    /// Bytes with the right checksum get to the readers of the fields.
    #[test]
    fn rule_9_no_damage_to_a_message_panics(
        happenings in prop::collection::vec(happening(), 1..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut batch = batch(token(1, 1));
        let mut symbol = OwnSymbol::new(0, "A");
        batch.push(&symbol.tick());
        for (happening, _) in &happenings {
            if happening.happen(&mut symbol, NOW_MICROS as u64, now()) {
                batch.push(&symbol.tick());
            }
        }
        let message = with(&seal(&mut batch), |bytes| {
            for (place, byte) in &damage {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            if is_cut {
                bytes.truncate(HEAD_BYTES + cut.index(bytes.len() - HEAD_BYTES));
            }
        });
        if let Ok(message) = Message::open(&message) {
            let (mut snapshot, mut guards) = (symbol.before, Guards::default());
            let count = message.ticks().map(|tick| tick.merge_into(&mut snapshot, &mut guards)).count();
            prop_assert!(!message.head.kind.has_ticks() || count == usize::from(message.head.count));
        }
    }
}
