//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{Decimal, Field, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, TradeUpdate, UnixMicros, Update},
    telemetry::labels::Label,
    venue::{Failure, kit::Given},
};
use proptest::prelude::*;

pub(super) const TRADE: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":64315.30,"qty":0.00146780,"ord_type":"limit","trade_id":84107151,"timestamp":"2026-06-14T05:36:39.325000Z"}]}"#;
pub(super) const TICKER: &str = r#"{"channel":"ticker","type":"update","data":[{"symbol":"ETH/USD","bid":1774.14,"bid_qty":0.50100000,"ask":1774.15,"ask_qty":12.00146780,"last":1774.15,"volume":20568.17362100,"vwap":1771.2,"low":1730.00,"high":1801.5,"change":-12.3,"change_pct":-0.69,"trades":41840,"timestamp":"2026-06-14T05:36:39.325123Z"}]}"#;
const STATUS: &str = r#"{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":16201843374511870021,"upcoming_maintenance":[],"emergency":[]}]}"#;
const FRAMES: [&str; 3] = [TRADE, TICKER, STATUS];
/// 2026-06-14T05:36:39.325Z.
const AT: i64 = 1_781_415_399_325_000;

pub(super) fn feed(names: &[(&str, Option<&str>)]) -> Given {
    Given::symbols(names)
}

pub(super) fn venue() -> Kraken {
    Kraken::new(&feed(&[("BTC-USD", None), ("ETH-USD", None)]).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

/// What comes of one frame: message, updates and the reasons that were counted.
pub(super) fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

fn data(update: Update) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    (Ok(Message::Data), vec![update], vec![])
}

#[test]
fn a_trade_keeps_its_digits_and_has_its_takers_side() {
    let trade = TradeUpdate {
        sequence: Sequence { id: Some(84_107_151), time: Some(UnixMicros(AT)), by_arrival: false },
        price: number("64315.3"),
        size: number("0.0014678"),
        side: Field::Set(Side::Sell),
        ..TradeUpdate::default()
    };
    assert_eq!(read(TRADE), data(Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() }));
    let (_, bought, _) = read(TRADE.replace("sell", "buy"));
    assert_eq!(bought[0].trade.unwrap().side, Field::Set(Side::Buy));
}

#[test]
fn a_ticker_is_a_quote_and_the_statistics_of_24_hours_in_one_update() {
    let sequence = Sequence { time: Some(UnixMicros(AT + 123)), ..Sequence::default() };
    let quote = QuoteUpdate {
        sequence,
        bid: number("1774.14"),
        bid_size: number("0.501"),
        ask: number("1774.15"),
        ask_size: number("12.0014678"),
    };
    let stats = StatsUpdate {
        sequence,
        window: Field::Set(StatsWindow::Hours24),
        high: number("1801.5"),
        low: number("1730"),
        volume: number("20568.173621"),
        ..StatsUpdate::default()
    };
    let expected = Update { symbol: FeedSymbol(1), quote: Some(quote), stats: Some(stats), ..Update::default() };
    assert_eq!(read(TICKER), data(expected));
    assert_eq!(read(TICKER.replace("update", "snapshot")), data(expected), "a snapshot is as whole as an update");
    assert_eq!(read(TICKER.replace(r#""trades":41840,"#, "")), data(expected), "the number of trades is new");
    let bare = r#"{"channel":"ticker","type":"update","data":[{"symbol":"ETH/USD","bid":1774.14,"bid_qty":0.501,"ask":1774.15,"ask_qty":12.0014678}]}"#;
    let quote = QuoteUpdate { sequence: Sequence::default(), ..quote };
    assert_eq!(
        read(bare),
        data(Update { quote: Some(quote), stats: None, ..expected }),
        "older ones have neither time nor statistics"
    );
}

#[test]
fn rule_6_a_pair_without_a_quote_has_neither_side_nor_time() {
    let placeholder = r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"ETH/USD","bid":0,"bid_qty":0,"ask":0,"ask_qty":0,"last":0,"volume":0,"vwap":0,"low":0,"high":0,"change":0,"change_pct":0,"timestamp":"1970-01-01T00:00:00.000000Z"}]}"#;
    let (bid, bid_size, ask, ask_size) = (Field::Clear, Field::Clear, Field::Clear, Field::Clear);
    let quote = QuoteUpdate { sequence: Sequence::default(), bid, bid_size, ask, ask_size };
    let stats = StatsUpdate {
        window: Field::Set(StatsWindow::Hours24),
        high: Field::Clear,
        low: Field::Clear,
        volume: number("0"),
        ..StatsUpdate::default()
    };
    let expected = Update { symbol: FeedSymbol(1), quote: Some(quote), stats: Some(stats), ..Update::default() };
    assert_eq!(read(placeholder), data(expected));
    let one_side = TICKER.replace(r#""bid":1774.14,"bid_qty":0.50100000"#, r#""bid":0.0,"bid_qty":0.00000000"#);
    let quote = read(one_side).1[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Clear, number("1774.15")));
}

/// A message of trades, each of a symbol, with its id, which is also its price.
pub(super) fn trades(kind: &str, trades: &[(&str, u64)]) -> String {
    let trade = |&(symbol, id): &(&str, u64)| {
        format!(
            r#"{{"symbol":"{symbol}","side":"buy","price":{id},"qty":0.5,"ord_type":"market","trade_id":{id},"timestamp":"2026-06-14T05:36:39.325000Z"}}"#
        )
    };
    let list: Vec<String> = trades.iter().map(trade).collect();
    format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, list.join(","))
}

/// The symbols and ids of a frame's trades.
fn ids(frame: &str) -> Vec<(u32, u64)> {
    let (message, updates, counted) = read(frame);
    assert_eq!((message, counted), (Ok(Message::Data), vec![]), "{frame}");
    updates.iter().map(|update| (update.symbol.0, update.trade.unwrap().sequence.id.unwrap())).collect()
}

#[test]
fn trades_of_one_frame_are_all_told_and_of_a_snapshot_only_the_newest() {
    let told = [("BTC/USD", 7), ("BTC/USD", 8), ("ETH/USD", 3), ("BTC/USD", 9)];
    assert_eq!(ids(&trades("update", &told)), [(0, 7), (0, 8), (1, 3), (0, 9)]);
    assert_eq!(ids(&trades("snapshot", &told)), [(1, 3), (0, 9)]);
    assert_eq!(ids(&trades("snapshot", &[("BTC/USD", 9), ("BTC/USD", 8)])), [(0, 9)], "in whatever order they come");
    let blanks = trades("snapshot", &told).replace("\":", "\" : ").replace('{', "{ ");
    assert_eq!(ids(&blanks), [(1, 3), (0, 9)]);
    assert_eq!(read(trades("snapshot", &[])), (Ok(Message::Control), vec![], vec![]), "a pair without trades");
}

#[test]
fn a_frame_is_read_the_same_however_it_is_written() {
    for frame in [TRADE, TICKER] {
        let item = &frame[frame.find('[').unwrap() + 1..frame.find(']').unwrap()];
        let others = [
            frame.replace("\":", "\" : "),
            format!(" {frame} "),
            frame.replace(r#"{"channel""#, r#"{"new":{"a":[1]},"channel""#),
            frame.replace("]}", r#"],"new":[{"a":[1]}]}"#),
            frame.replace("}]}", r#","new":{"a":[1.50,"]"]}}]}"#),
            frame.replace(r#""symbol""#, r#""s\u0079mbol""#),
            format!(
                r#"{{"data":[{item}],"type":"update","channel":"{}"}}"#,
                if frame == TRADE { "trade" } else { "ticker" }
            ),
        ];
        for other in others {
            assert_ne!(other, frame);
            assert_eq!(read(&other), read(frame), "{other}");
        }
    }
}

#[test]
fn notices_and_other_channels_are_told_apart() {
    for (frame, message) in [
        (r#"{"channel":"heartbeat"}"#, Message::Control),
        (STATUS, Message::Control),
        (r#"{"method":"pong","req_id":42,"time_in":"2026-09-25T09:05:00.1Z"}"#, Message::Control),
        (
            r#"{"method":"unsubscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true}"#,
            Message::Control,
        ),
        (r#"{"method":"subscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}"#, Message::Control),
        (r#"{"error":"Unsupported","method":"ping","success":false}"#, Message::Control),
        (r#"{"Error":"Exceeded msg rate"}"#, Message::Failed(Failure::Passing { retry_after: None })),
        (
            r#"{"channel":"executions","error":"ESession:Invalid session","method":"subscribe","status":"error","success":false}"#,
            Message::Failed(Failure::Fatal(Reason::Unauthorized)),
        ),
        (
            r#"{"error":"Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com","method":"subscribe","success":false}"#,
            Message::Failed(Failure::Fatal(Reason::NotEntitled)),
        ),
        (r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[]}]}"#, Message::Other),
        (r#"{"channel":"ohlc","type":"update","timestamp":"2026-06-14T05:36:39Z","data":[]}"#, Message::Other),
        ("{}", Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = TICKER.replace("1774.14", &format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)));
    for (frame, reason) in [
        (&b""[..], DecodeError::Json),
        (b"\x00\x01\xff", DecodeError::Json),
        (&TRADE.as_bytes()[..100], DecodeError::Json),
        (b"hello", DecodeError::Json),
        (b"17", DecodeError::Shape),
        (b"[]", DecodeError::Shape),
        (br#"{"channel":5}"#, DecodeError::Shape),
        (br#"{"channel":"trade"}"#, DecodeError::Shape),
        (br#"{"channel":"trade","type":"update","data":{}}"#, DecodeError::Shape),
        (br#"{"channel":"ticker","type":"update","data":[1]}"#, DecodeError::Shape),
        (br#"{"channel":"ticker","type":"update","data":[{}]}"#, DecodeError::Shape),
        (br#"{"channel":"status","type":"update","data":7}"#, DecodeError::Shape),
        (br#"{"method":"subscribe","success":true}"#, DecodeError::Shape),
        (br#"{"channel":"trade","channel":"trade","data":[]}"#, DecodeError::Shape),
        (br#"{"error":"Currency pair not supported X/Y","success":false,"symbol":"X/Y"}"#, DecodeError::UnknownSymbol),
        (TRADE.replace("BTC/USD", "XBT/USD").as_bytes(), DecodeError::UnknownSymbol),
        (TRADE.replace("\"BTC/USD\"", "7").as_bytes(), DecodeError::Shape),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]), "{}", frame.escape_ascii());
    }
    let (message, updates, counted) = read(deep);
    assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![DecodeError::Range]));
    let unknown = STATUS.replace("online", "sleeping");
    assert_eq!(read(unknown), (Ok(Message::Control), vec![], vec![DecodeError::Word]));
}

#[test]
fn rule_9_a_bad_field_is_dropped_and_the_rest_stands() {
    for (from, to, reason) in [
        ("64315.30", "1e99", DecodeError::Range),
        ("64315.30", "\"NaN\"", DecodeError::Number),
        (r#""price":64315.30,"#, "", DecodeError::Missing),
        ("\"sell\"", "\"both\"", DecodeError::Word),
        ("84107151", "-1", DecodeError::Number),
        ("2026-06-14T05:36:39.325000Z", "soon", DecodeError::Time),
    ] {
        let (message, updates, counted) = read(TRADE.replace(from, to));
        let size = updates[0].trade.unwrap().size;
        assert_eq!((message, size, counted), (Ok(Message::Data), number("0.0014678"), vec![reason]), "{to}");
    }
    for price in ["0", "-1.5", "0.00"] {
        let dropped = (Ok(Message::Data), vec![], vec![DecodeError::Price]);
        assert_eq!(read(TRADE.replace("64315.30", price)), dropped, "{price}");
    }
    let negative = TICKER.replace("1774.14", "-1");
    let (_, updates, counted) = read(negative);
    let quote = updates[0].quote.unwrap();
    assert_eq!((quote.bid, quote.ask, counted), (Field::Clear, number("1774.15"), vec![DecodeError::Price]));
}

#[test]
fn a_bad_item_does_not_take_the_others_of_its_frame_with_it() {
    let frame = trades("update", &[("BTC/USD", 1), ("XBT/USD", 2), ("BTC/USD", 3)]);
    let (message, updates, counted) = read(&frame);
    assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 2, vec![DecodeError::UnknownSymbol]));
    let (message, updates, counted) = read(&frame[..frame.len() - 2]);
    assert_eq!((message, updates.len()), (Ok(Message::Data), 2));
    assert_eq!(counted, [DecodeError::Json, DecodeError::UnknownSymbol], "it was cut off behind its items");
    let cut = &trades("update", &[("BTC/USD", 1)]);
    assert_eq!(read(&cut[..cut.len() - 1]).2, [DecodeError::Json]);
}

#[test]
fn rule_10_however_many_trades_a_frame_holds_a_batch_holds_a_slice_of_them() {
    const COUNT: u64 = 2 * Batch::UPDATES_MAX as u64 + 7;
    let list: Vec<(&str, u64)> = (1..=COUNT).map(|id| ("BTC/USD", id)).collect();
    let whole = trades("update", &list);
    for frame in [whole.clone(), whole.replace("\"type\":", "\"type\": ")] {
        let mut venue = venue();
        let mut batch = Batch::default();
        let mut ids = Vec::new();
        loop {
            assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            assert!(batch.updates.len() <= Batch::UPDATES_MAX);
            ids.extend(batch.updates.drain(..).filter_map(|update| update.trade?.sequence.id));
            if batch.read_on == 0 {
                break;
            }
        }
        assert_eq!(ids, (1..=COUNT).collect::<Vec<_>>());
    }
}

#[test]
fn rule_10_the_longest_message_fits_its_limit() {
    let symbol = "X".repeat(31);
    let list = vec![(symbol.as_str(), u64::MAX); 50];
    let longest = trades("snapshot", &list).len();
    assert!(longest * 4 < MESSAGE_BYTES, "{longest}");
    assert!(SPEC.message_bytes_max(&[]) >= MESSAGE_BYTES);
}

/// Every recorded frame is read or counted, where the recordings are there.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let folder = std::path::Path::new(&folder).join("samples");
    let names = [("BTC-USD", None), ("ETH-USD", None), ("ANETX-USD", Some("ANETx/USD")), ("USDT-USD", None)];
    let mut venue = Kraken::new(&feed(&[&names[..], &[("NOPE-USD", None)]].concat()).setup()).unwrap();
    let mut batch = Batch::default();
    let mut messages = Vec::new();
    for file in ["kraken.jsonl", "kraken-2.jsonl"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        venue.open();
        for line in text.lines() {
            let message = venue.read(line.as_bytes(), &mut batch).unwrap();
            let is_of_other_channel = line.contains("\"book\"") || line.contains("\"ohlc\"");
            assert_eq!(message == Message::Other, is_of_other_channel, "{line}");
            messages.push(message);
        }
    }
    let count = |kind: Message| messages.iter().filter(|message| **message == kind).count();
    assert_eq!((count(Message::Data), count(Message::Other), messages.len()), (9, 3, 19));
    assert_eq!((batch.updates.len(), batch.errors.total()), (10, 0));
    assert!(batch.updates.iter().any(|update| update.quote.is_some_and(|quote| quote.bid == Field::Clear)));
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        which in 0_usize..3, at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..420, read_on in 0_usize..400,
    ) {
        let mut frame = FRAMES[which].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let (message, updates, _) = read(&frame);
        prop_assert!(updates.is_empty() || message.is_ok_and(|message| message == Message::Data));
        let mut batch = Batch { read_on: read_on.min(frame.len()), ..Batch::default() };
        if frame.get(batch.read_on).is_some_and(|byte| *byte == b'{') {
            let _ = venue().read(&frame, &mut batch);
        }
    }
}
