//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Decimal, Field, Guards, Now, Origin, QuoteUpdate, Sequence, Side, Snapshot, TradeUpdate, UnixMicros, Update,
    },
    telemetry::labels::Label,
    venue::kit::Given,
};
use proptest::prelude::*;

pub(super) const TRADE: &str = r#"{"data":{"id":590713377,"timestamp":"1781417002","amount":0.0013340200000000001,"amount_str":"0.00133402","price":64301.180000000002,"price_str":"64301.18","type":1,"microtimestamp":"1781417002411000","buy_order_id":2017615984250880,"sell_order_id":2017615983190017},"channel":"live_trades_btcusd","event":"trade"}"#;
pub(super) const BOOK: &str = r#"{"data":{"timestamp":"1781417002","microtimestamp":"1781417002411001","bids":[["1774.10","0.50000000"],["1774.00","2.00000000"]],"asks":[["1774.20","3.00000000"],["1774.40","1.00000000"]]},"channel":"order_book_ethusd","event":"data"}"#;
const AT: i64 = 1_781_417_002_411_000;

pub(super) fn venue() -> Bitstamp {
    Bitstamp::new(&Given::symbols(&[("BTC-USD", None), ("ETH-USD", None)]).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

/// What comes of one frame: message, updates and the reasons that were counted.
fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

fn data(update: Update) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    (Ok(Message::Data), vec![update], vec![])
}

#[test]
fn a_trade_is_read_from_its_strings_and_never_from_its_floats() {
    let trade = TradeUpdate {
        sequence: Sequence { id: Some(590_713_377), time: Some(UnixMicros(AT)), by_arrival: false },
        price: number("64301.18"),
        size: number("0.00133402"),
        side: Field::Set(Side::Sell),
        ..TradeUpdate::default()
    };
    let update = Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() };
    assert_eq!(read(TRADE), data(update));
    let bought = TradeUpdate { side: Field::Set(Side::Buy), ..trade };
    assert_eq!(read(TRADE.replace(r#""type":1"#, r#""type":0"#)), data(Update { trade: Some(bought), ..update }));
    let tiny = TradeUpdate { size: number("0.00000001"), ..trade };
    let exponents = TRADE.replace("0.0013340200000000001", "1e-08").replace("\"0.00133402\"", "\"1E-8\"");
    assert_eq!(read(exponents), data(Update { trade: Some(tiny), ..update }));
    let old = TRADE.replace(r#""microtimestamp":"1781417002411000","#, "");
    assert_eq!(
        read(old).1[0].trade.unwrap().sequence.time,
        Some(UnixMicros(1_781_417_002_000_000)),
        "an old one has seconds"
    );
    let without = TRADE.replace(r#""price_str":"64301.18","#, "");
    let (_, updates, counted) = read(without);
    assert_eq!((updates[0].trade.unwrap().price, counted), (Field::Clear, vec![DecodeError::Missing]));
}

#[test]
fn a_quote_is_the_first_level_of_each_side() {
    let quote = QuoteUpdate {
        sequence: Sequence { time: Some(UnixMicros(AT + 1)), ..Sequence::default() },
        bid: number("1774.1"),
        bid_size: number("0.5"),
        ask: number("1774.2"),
        ask_size: number("3"),
    };
    let update = Update { symbol: FeedSymbol(1), quote: Some(quote), ..Update::default() };
    assert_eq!(read(BOOK), data(update));
    let (no_bids, no_asks) = (
        QuoteUpdate { bid: Field::Clear, bid_size: Field::Clear, ..quote },
        QuoteUpdate { ask: Field::Clear, ask_size: Field::Clear, ..quote },
    );
    let bids = r#"[["1774.10","0.50000000"],["1774.00","2.00000000"]]"#;
    let asks = r#"[["1774.20","3.00000000"],["1774.40","1.00000000"]]"#;
    assert_eq!(read(BOOK.replace(bids, "[]")), data(Update { quote: Some(no_bids), ..update }));
    assert_eq!(read(BOOK.replace(asks, "[]")), data(Update { quote: Some(no_asks), ..update }));
    let bare = BOOK.replace(bids, "[[1774.10,0.5]]");
    assert_eq!(read(bare), data(update));
}

#[test]
fn a_frame_is_read_the_same_however_it_is_written() {
    for frame in [TRADE, BOOK] {
        let (inner, tail) = frame[8..].split_once("},").unwrap();
        let others = [
            frame.replace("\":", "\" : "),
            format!(" {frame} "),
            format!(r#"{{{},"data":{inner}}}}}"#, tail.trim_end_matches('}')),
            frame.replace("},", r#","new":{"a":[1.5]}},"new":[1],"#),
            frame.replace(r#""timestamp""#, r#""t\u0069mestamp""#),
            frame.replace("_eth", r"_\u0065th").replace("_btc", r"_\u0062tc"),
        ];
        for other in others {
            assert_ne!(other, frame);
            assert_eq!(read(&other), read(frame), "{other}");
        }
    }
    assert!(event::scanned_trade(TRADE.as_bytes()).is_some() && book::scanned(BOOK.as_bytes()).is_some());
}

#[test]
fn notices_and_other_channels_are_told_apart() {
    for (frame, message) in [
        (r#"{"event":"bts:heartbeat","channel":"","data":""}"#, Message::Control),
        (r#"{"event":"bts:request_reconnect","channel":"","data":""}"#, Message::Closing),
        (r#"{"event":"bts:subscription_succeeded","channel":"diff_order_book_btcusd","data":{}}"#, Message::Control),
        (r#"{"event":"bts:unsubscription_succeeded","channel":"live_trades_btcusd","data":{}}"#, Message::Control),
        (
            r#"{"data":{"timestamp":"1","bids":[],"asks":[["1","2"]]},"event":"data","channel":"diff_order_book_btcusd"}"#,
            Message::Other,
        ),
        (
            r#"{"data":{"timestamp":"1","bids":[],"asks":[]},"event":"snapshot","channel":"diff_order_book_btcusd","generated":true}"#,
            Message::Other,
        ),
        (r#"{"data":{"id":1},"channel":"live_orders_btcusd","event":"order_created"}"#, Message::Other),
        ("{}", Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    for (frame, reason) in [
        (&b""[..], DecodeError::Json),
        (b"\x00\xff", DecodeError::Json),
        (&TRADE.as_bytes()[..100], DecodeError::Json),
        (&BOOK.as_bytes()[..BOOK.len() - 1], DecodeError::Json),
        (b"17", DecodeError::Shape),
        (br#"{"event":5}"#, DecodeError::Shape),
        (br#"{"event":"trade","channel":"live_trades_btcusd"}"#, DecodeError::Shape),
        (br#"{"event":"trade","channel":"live_trades_btcusd","data":[]}"#, DecodeError::Shape),
        (br#"{"event":"data","channel":"live_trades_btcusd","data":{}}"#, DecodeError::Shape),
        (br#"{"event":"trade","channel":"order_book_btcusd","data":{}}"#, DecodeError::Shape),
        (br#"{"event":"bts:subscription_succeeded","channel":"live_trades_dogeusd"}"#, DecodeError::UnknownSymbol),
        (TRADE.replace("btcusd", "BTCUSD").as_bytes(), DecodeError::UnknownSymbol),
        (BOOK.replace("ethusd", "").as_bytes(), DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]), "{}", frame.escape_ascii());
    }
}

#[test]
fn rule_9_a_bad_field_is_dropped_and_the_rest_stands() {
    for (from, to, reason) in [
        ("\"64301.18\"", "\"1e99\"", DecodeError::Range),
        ("\"64301.18\"", "{}", DecodeError::Number),
        (r#""type":1"#, r#""type":2"#, DecodeError::Word),
        (r#""type":1,"#, "", DecodeError::Missing),
        ("590713377", "-1", DecodeError::Number),
        ("\"1781417002411000\"", "\"soon\"", DecodeError::Time),
    ] {
        let (message, updates, counted) = read(TRADE.replace(from, to));
        let size = updates[0].trade.unwrap().size;
        assert_eq!((message, size, counted), (Ok(Message::Data), number("0.00133402"), vec![reason]), "{to}");
    }
    for price in ["0", "0.00", "-1"] {
        let dropped = (Ok(Message::Data), vec![], vec![DecodeError::Price]);
        assert_eq!(read(TRADE.replace("\"64301.18\"", &format!("\"{price}\""))), dropped, "{price}");
    }
    for (bids, reason) in [
        (r#"[["0","1"]]"#, DecodeError::Price),
        (r#"[["x","1"]]"#, DecodeError::Number),
        (r#"[["1"]]"#, DecodeError::Shape),
        ("[7]", DecodeError::Shape),
        ("{}", DecodeError::Shape),
        ("7", DecodeError::Shape),
    ] {
        let frame = BOOK.replace(r#"[["1774.10","0.50000000"],["1774.00","2.00000000"]]"#, bids);
        let (message, updates, counted) = read(&frame);
        let quote = updates[0].quote.unwrap();
        assert_eq!((message, quote.bid, quote.ask), (Ok(Message::Data), Field::Clear, number("1774.2")), "{bids}");
        assert_eq!(counted, [reason], "{bids}");
    }
    let (_, updates, counted) = read(BOOK.replace(r#""asks""#, r#""sells""#));
    assert_eq!((updates[0].quote.unwrap().ask, counted), (Field::Clear, vec![DecodeError::Missing]));
}

#[test]
fn rule_10_the_longest_book_fits_the_limit_of_a_message() {
    let level = r#"["1234567890.12345678","1234567890.12345678"]"#;
    let levels = vec![level; 100].join(",");
    let longest = BOOK.len() + 2 * levels.len();
    assert!(longest * 3 < MESSAGE_BYTES, "{longest}");
    assert!(SPEC.message_bytes_max(&[]) >= MESSAGE_BYTES);
}

/// Every recorded frame is read or counted, where the recordings are there.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let folder = std::path::Path::new(&folder);
    let mut session = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(folder.join("bitstamp.txt.gz")).unwrap());
    std::io::Read::read_to_string(&mut file, &mut session).unwrap();
    let samples = std::fs::read_to_string(folder.join("samples/bitstamp-2.jsonl")).unwrap();
    let session = session.lines().map(|line| line.split_once(' ').unwrap().1);
    let frames: Vec<&str> = session.chain(samples.lines()).collect();
    let pairs = ["SGB-EUR", "ETH-USD", "XRP-EUR", "BAT-EUR", "USDT-EUR", "USDT-USD", "XLM-GBP", "ADA-EUR", "BAT-BTC"];
    let more = ["GALA-EUR", "BTC-USD", "BTC-EUR", "BTC-USDT"];
    let names: Vec<_> = pairs.iter().chain(&more).map(|name| (*name, None)).collect();
    let mut venue = Bitstamp::new(&Given::symbols(&names).setup()).unwrap();
    venue.open();
    let mut batch = Batch::default();
    let mut data = 0;
    for frame in &frames {
        let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
        let is_of_another_book = frame.contains("diff_order_book") && !frame.contains("bts:");
        assert_eq!(message == Message::Other, is_of_another_book, "{frame}");
        data += usize::from(message == Message::Data);
    }
    assert_eq!((data, batch.updates.len(), batch.errors.total()), (11, 11, 0));
    let sizes: Vec<String> = batch
        .updates
        .iter()
        .filter_map(|update| update.trade)
        .map(|trade| match trade.size {
            Field::Set(size) => size.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(sizes.contains(&"0.00000001".to_owned()) && sizes.contains(&"0.001643".to_owned()), "{sizes:?}");
}

proptest! {
    /// Any interleaving and repetition of frames: trades are guarded by their ids, quotes by their times.
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(
        told in prop::collection::vec((any::<bool>(), 1_u64..40), 1..80),
    ) {
        let mut venue = venue();
        let mut batch = Batch::default();
        // The venue's times must not lie ahead of the clock.
        let now = Now { unix: UnixMicros(AT + 1_000_000), ..Now::read() };
        let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
        let mut guards = Guards::default();
        let mut highest = [0, 0];
        for (is_trade, place) in told {
            let micros = AT as u64 + place;
            let frame = if is_trade {
                TRADE.replace("590713377", &place.to_string()).replace("\"64301.18\"", &format!("\"{place}\""))
            } else {
                BOOK.replace("1781417002411001", &micros.to_string()).replace("ethusd", "btcusd").replace("1774.20", &place.to_string())
            };
            prop_assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            for update in batch.updates.drain(..) {
                let _ = snapshot.apply(&update, &mut guards, now);
            }
            let part = usize::from(is_trade);
            highest[part] = highest[part].max(place as i64);
            let known = highest.map(|place| Decimal::new(place, 0).filter(|_| place > 0));
            prop_assert_eq!([snapshot.quote.ask, snapshot.trade.price], known);
        }
        prop_assert_eq!(batch.errors.total(), 0);
    }

    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        is_trade in any::<bool>(), at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..420,
    ) {
        let mut frame = if is_trade { TRADE } else { BOOK }.as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let (message, updates, _) = read(frame);
        prop_assert!(updates.is_empty() || message == Ok(Message::Data));
    }
}
