//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::{event::scanned, *};
use crate::{
    market::{
        Decimal, Field, Guards, Now, QuoteUpdate, Sequence, Side, Snapshot, StatsUpdate, StatsWindow, TradeUpdate,
        UnixMicros,
    },
    telemetry::labels::Label,
    venue::kit::Given,
};
use proptest::prelude::*;

/// 2026-09-27T16:42:07Z.
const AT: i64 = 1_790_527_327_000_000;
pub(super) const TRADES: &str = r#"{"channel":"market_trades","client_id":"","timestamp":"2026-09-27T16:42:07.238434983Z","sequence_num":0,"events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"1000000140","price":"84451.05","size":"0.0215708","time":"2026-09-27T16:42:07.184962Z","side":"BUY"},{"product_id":"BTC-USD","trade_id":"1000000139","price":"84451.5","size":"0.5","time":"2026-09-27T16:42:07.184962Z","side":"SELL"}]}]}"#;
const TICKER: &str = r#"{"channel":"ticker","timestamp":"2026-09-27T16:42:07.435813533Z","sequence_num":0,"events":[{"type":"update","tickers":[{"type":"ticker","product_id":"ETH-USD","price":"1919.4","volume_24_h":"19983.8525029","low_24_h":"1911.04","high_24_h":"1925","low_52_w":"1505","high_52_w":"4955.9","price_percent_chg_24_h":"0.02449281630909","best_bid":"1919.42","best_ask":"1919.49","best_bid_quantity":"0.05050291","best_ask_quantity":"0.08435716"}]}]}"#;
pub(super) const STATUS: &str = r#"{"channel":"status","timestamp":"2026-09-27T16:42:07.2Z","sequence_num":0,"events":[{"type":"snapshot","products":[{"product_type":"SPOT","id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","status":"offline","status_message":"maintenance","min_market_funds":"1"},{"product_type":"SPOT","id":"ETH-USD","status":"online","status_message":""}]}]}"#;
const HEARTBEAT: &str = r#"{"channel":"heartbeats","timestamp":"2026-09-27T16:42:08.857247086Z","sequence_num":0,"events":[{"current_time":"2026-09-27 16:42:08.854959523 +0000 UTC m=+41701.260604819","heartbeat_counter":41701}]}"#;

pub(super) fn of(names: &[(&str, Option<&str>)]) -> Coinbase {
    Coinbase::new(&Given::symbols(names).setup()).unwrap()
}

pub(super) fn venue() -> Coinbase {
    of(&[("BTC-USD", None), ("ETH-USD", None)])
}

pub(super) fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

pub(super) fn at(micros: i64) -> Sequence {
    Sequence { time: Some(UnixMicros(AT + micros)), ..Sequence::default() }
}

/// What comes of one frame: message, updates and the reasons that were counted.
pub(super) fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

#[test]
fn trades_come_newest_first_and_name_the_makers_side() {
    let trade = |id, price: &str, size: &str, side| {
        let sequence = Sequence { id: Some(id), ..at(184_962) };
        let trade = TradeUpdate {
            sequence,
            price: number(price),
            size: number(size),
            side: Field::Set(side),
            ..TradeUpdate::default()
        };
        Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() }
    };
    let older = trade(1_000_000_139, "84451.5", "0.5", Side::Buy);
    let newer = trade(1_000_000_140, "84451.05", "0.0215708", Side::Sell);
    assert_eq!(read(TRADES), (Ok(Message::Data), vec![older, newer], vec![]));
    let snapshot = TRADES.replace("\"update\"", "\"snapshot\"");
    assert_eq!(read(snapshot), (Ok(Message::Data), vec![newer], vec![]), "of a snapshot only the newest counts");
}

#[test]
fn a_snapshot_has_the_newest_trade_of_each_product() {
    let trade = |product: &str, id: u64| {
        format!(
            r#"{{"product_id":"{product}","trade_id":"{id}","price":"{id}","size":"1","time":"2026-09-27T16:42:07Z","side":"BUY"}}"#
        )
    };
    let trades: Vec<String> =
        (1..=50).rev().flat_map(|id| [trade("BTC-USD", id), trade("ETH-USD", 1_000 + id)]).collect();
    let frame = format!(
        r#"{{"channel":"market_trades","sequence_num":0,"events":[{{"type":"snapshot","trades":[{}]}}]}}"#,
        trades.join(",")
    );
    let (message, updates, counted) = read(frame);
    let mut ids: Vec<_> = updates.iter().map(|update| (update.symbol.0, update.trade.unwrap().sequence.id)).collect();
    ids.sort();
    assert_eq!((message, ids, counted), (Ok(Message::Data), vec![(0, Some(50)), (1, Some(1_050))], vec![]));
}

#[test]
fn trades_without_ids_are_ordered_by_their_times() {
    let frame = TRADES.replace(r#""trade_id":"1000000140","#, "").replace(r#""trade_id":"1000000139","#, "");
    let prices: Vec<_> = read(&frame).1.iter().map(|update| update.trade.unwrap().price).collect();
    assert_eq!(prices, [number("84451.5"), number("84451.05")], "of one time, as the venue orders them");
    let frame = frame.replacen("07.184962Z", "06Z", 1);
    let prices: Vec<_> = read(&frame).1.iter().map(|update| update.trade.unwrap().price).collect();
    assert_eq!(prices, [number("84451.05"), number("84451.5")]);
}

#[test]
fn a_ticker_has_the_quote_and_statistics_of_24_hours_and_its_price_moves_nothing() {
    let sequence = at(435_813);
    let quote = QuoteUpdate {
        sequence,
        bid: number("1919.42"),
        bid_size: number("0.05050291"),
        ask: number("1919.49"),
        ask_size: number("0.08435716"),
    };
    let stats = StatsUpdate {
        sequence,
        window: Field::Set(StatsWindow::Hours24),
        high: number("1925"),
        low: number("1911.04"),
        volume: number("19983.8525029"),
        ..StatsUpdate::default()
    };
    let update = Update { symbol: FeedSymbol(1), quote: Some(quote), stats: Some(stats), ..Update::default() };
    assert_eq!(read(TICKER), (Ok(Message::Data), vec![update], vec![]));
    let snapshot = TICKER.replace("\"update\"", "\"snapshot\"");
    assert_eq!(read(&snapshot), read(TICKER), "each is whole");
    let empty = TICKER.replace(r#""1919.42""#, r#""""#).replace(r#""0.05050291""#, r#""""#);
    let quote = read(empty).1[0].quote.unwrap();
    assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Clear, number("1919.49")));
    let empty = TICKER.replace(r#""1919.49""#, "\"0\"").replace("0.08435716", "0");
    let (_, updates, counted) = read(empty);
    assert_eq!((updates[0].quote.unwrap().ask, counted), (Field::Clear, vec![]));
}

#[test]
fn answers_heartbeats_and_other_frames_are_told_apart() {
    for (frame, message) in [
        (HEARTBEAT, Message::Control),
        (&HEARTBEAT.replace(" m=+41701.260604819", ""), Message::Control),
        (r#"{"channel":"l2_data","timestamp":"2026-09-27T16:42:07Z","sequence_num":0,"events":[]}"#, Message::Other),
        (r#"{"channel":"candles","sequence_num":0,"events":[{"type":"update","candles":[]}]}"#, Message::Other),
        (r#"{"channel":"market_trades","sequence_num":0,"events":[{"type":"update","trades":[]}]}"#, Message::Control),
        (r#"{"channel":"ticker","sequence_num":0,"events":[]}"#, Message::Control),
        (r#"{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":{}}]}"#, Message::Other),
        (r#"{"type":"error","message":"an error after all answers"}"#, Message::Refused(None)),
        ("{}", Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
}

/// The same frame with another number.
pub(super) fn numbered(frame: &str, number: u64) -> String {
    frame.replace(r#""sequence_num":0"#, &format!(r#""sequence_num":{number}"#))
}

#[test]
fn rule_7_a_hole_in_the_numbers_of_the_frames_is_a_gap() {
    let mut venue = venue();
    let mut batch = Batch::default();
    let mut read = |venue: &mut Coinbase, frame: String| venue.read(frame.as_bytes(), &mut batch);
    venue.open();
    assert_eq!(read(&mut venue, numbered(TICKER, 0)), Ok(Message::Data));
    assert_eq!(read(&mut venue, numbered(HEARTBEAT, 1)), Ok(Message::Control));
    assert_eq!(read(&mut venue, "not JSON".to_owned()), Err(DecodeError::Json), "it may have had a number");
    assert_eq!(read(&mut venue, numbered(TRADES, 3)), Ok(Message::Data));
    assert_eq!(read(&mut venue, numbered(TRADES, 3).replace("BTC", "XMR")), Err(DecodeError::UnknownSymbol));
    assert_eq!(read(&mut venue, numbered(TICKER, 5)), Ok(Message::Gap));
    venue.open();
    assert_eq!(read(&mut venue, numbered(TICKER, 1)), Ok(Message::Gap), "each connection begins with 0");
    venue.open();
    let unknown = numbered(TRADES, 2).replace("BTC", "XMR");
    assert_eq!(read(&mut venue, unknown), Ok(Message::Gap), "whatever the frame holds");
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (frame, reason) in [
        ("", DecodeError::Json),
        ("hello", DecodeError::Json),
        (&TICKER[..100], DecodeError::Json),
        ("17", DecodeError::Shape),
        (&deep, DecodeError::Shape),
        (r#"{"channel":5}"#, DecodeError::Shape),
        (r#"{"channel":"ticker"}"#, DecodeError::Shape),
        (r#"{"channel":"ticker","events":5}"#, DecodeError::Shape),
        (r#"{"channel":"ticker","events":[5]}"#, DecodeError::Shape),
        (r#"{"channel":"ticker","events":[{}]}"#, DecodeError::Shape),
        (r#"{"channel":"ticker","events":[{"tickers":[{}]}]}"#, DecodeError::Shape),
        (r#"{"channel":"ticker","events":[{"tickers":[{"product_id":"DOGE-USD"}]}]}"#, DecodeError::UnknownSymbol),
        (r#"{"channel":"market_trades","events":[{"type":"update"}]}"#, DecodeError::Shape),
        (r#"{"channel":"market_trades","events":[{"trades":[{"product_id":"btc-usd"}]}]}"#, DecodeError::UnknownSymbol),
        (r#"{"channel":"status","events":[{"products":{}}]}"#, DecodeError::Shape),
        (r#"{"channel":"subscriptions","events":[{"subscriptions":{"ticker":5}}]}"#, DecodeError::Shape),
        (r#"{"channel":"subscriptions","events":[{}]}"#, DecodeError::Shape),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]), "{frame:.80}");
    }
    for frame in [TRADES, TICKER] {
        let (from, to) = if frame == TRADES { ("\"0.5\"", "\"1e99\"") } else { ("\"1925\"", "\"NaN\"") };
        let reason = if frame == TRADES { DecodeError::Range } else { DecodeError::Number };
        let (message, updates, counted) = read(frame.replace(from, to));
        assert_eq!((message, updates.len(), counted), (Ok(Message::Data), read(frame).1.len(), vec![reason]));
    }
    let (message, updates, counted) = read(TRADES.replacen("BTC-USD", "DOGE-USD", 1));
    assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![DecodeError::UnknownSymbol]));
    let (_, updates, counted) = read(TRADES.replace("\"BUY\"", "\"HOLD\"").replace("07.184962Z", "soon"));
    assert_eq!(updates.iter().map(|update| update.trade.unwrap().side).filter(|side| *side == Field::Clear).count(), 1);
    assert_eq!(counted, [DecodeError::Time, DecodeError::Word]);
}

#[test]
fn rule_10_a_frame_with_more_updates_than_fit_is_read_in_slices() {
    let count = 2 * Batch::UPDATES_MAX + 7;
    let trades: Vec<String> = (1..=count)
        .rev()
        .map(|id| format!(r#"{{"product_id":"BTC-USD","trade_id":"{id}","price":"1","size":"1","side":"BUY"}}"#))
        .collect();
    let frame = format!(
        r#"{{"channel":"market_trades","sequence_num":0,"events":[{{"type":"update","trades":[{}]}}]}}"#,
        trades.join(",")
    );
    let mut venue = venue();
    let mut batch = Batch::default();
    let mut ids = Vec::new();
    let mut slices = 0;
    while slices == 0 || batch.read_on > 0 {
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        assert!(batch.updates.len() <= Batch::UPDATES_MAX);
        ids.extend(batch.updates.drain(..).map(|update| update.trade.unwrap().sequence.id.unwrap()));
        slices += 1;
    }
    assert_eq!((slices, ids), (3, (1..=count as u64).collect()));
    assert!(venue.updates.capacity() <= UPDATES_KEPT);
}

#[test]
fn rule_10_a_frame_with_more_updates_than_are_kept_loses_the_oldest_of_them() {
    let trades: Vec<String> =
        (1..=event::UPDATES_MAX + 2).rev().map(|id| format!(r#"{{"product_id":"BTC-USD","trade_id":{id}}}"#)).collect();
    let frame = format!(r#"{{"channel":"market_trades","events":[{{"trades":[{}]}}]}}"#, trades.join(","));
    let mut venue = venue();
    let mut batch = Batch::default();
    assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
    assert_eq!(batch.updates.len() + venue.updates.len(), event::UPDATES_MAX);
    assert_eq!(batch.updates[0].trade.unwrap().sequence.id, Some(3));
    assert_eq!(batch.errors.of(DecodeError::Shape), 2, "they are counted");
}

#[test]
fn a_product_without_a_trade_in_the_window_has_no_high_and_low() {
    let quiet = TICKER.replace("\"1911.04\"", "\"0\"").replace("\"1925\"", "\"0\"");
    let (message, updates, counted) = read(quiet);
    assert_eq!((message, counted), (Ok(Message::Data), vec![]));
    assert_eq!(updates[0].stats.map(|stats| (stats.high, stats.low)), Some((Field::Clear, Field::Clear)));
}

#[test]
fn frames_as_the_venue_writes_them_are_scanned_and_read_as_a_parser_reads_them() {
    for frame in [TRADES, TICKER] {
        assert!(scanned(frame.as_bytes()).is_some());
        for (from, to) in [
            ("\"sequence_num\":0", "\"sequence_num\": 0"),
            ("\"product_id\"", " \"product_id\""),
            ("}]}]}", "}],\"more\":[1.5]}]}"),
            ("\"timestamp\"", "\"x\":{\"y\":[]},\"timestamp\""),
        ] {
            let other = frame.replace(from, to);
            assert!(other != frame && scanned(other.as_bytes()).is_none(), "{other}");
            assert_eq!(read(&other), read(frame), "{other}");
        }
    }
    for frame in [STATUS, HEARTBEAT, &TRADES.replace("market_trades", "ticker"), &TRADES.replace("update", "snapshot")]
    {
        assert!(scanned(frame.as_bytes()).is_none(), "{frame}");
    }
}

#[test]
fn names_are_the_symbols_and_books_in_usdc_are_those_in_usd() {
    for (symbol, name) in [
        ("BTC-USD", Some("BTC-USD")),
        ("BTC-USDC", Some("BTC-USDC")),
        ("00-USD", Some("00-USD")),
        ("BTCUSD", None),
        ("BTC-USD-PERP", None),
        ("BRK.B", None),
        ("BTC-", None),
        ("A_B-USD", None),
    ] {
        assert_eq!(derive(&symbol.parse().unwrap()).as_deref(), name, "{symbol}");
    }
    for (name, data) in
        [("BTC-USDC", Some("BTC-USD")), ("BTC-USD", None), ("USDT-USDC", None), ("EURC-USDC", None), ("USDC-EUR", None)]
    {
        assert_eq!(data_name(name).as_deref(), data, "{name}");
    }
    let mut venue = of(&[("BTC-USDC", None)]);
    let asked = venue.open().remove(0).text.unwrap();
    assert_eq!(asked, r#"{"channel":"market_trades","product_ids":["BTC-USDC"],"type":"subscribe"}"#);
    let mut batch = Batch::default();
    for frame in [TRADES, &numbered(STATUS, 1), &numbered(&STATUS.replace("BTC-USD\"", "BTC-USDC\""), 2)] {
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
    }
    assert!(batch.updates.len() == 4 && batch.updates.iter().all(|update| update.symbol == FeedSymbol(0)));
    let both = Given::symbols(&[("BTC-USDC", None), ("BTC-USD", None)]);
    assert!(matches!(Coinbase::new(&both.setup()), Err(VenueError::NamesMeet { .. })));
}

proptest! {
    /// Any interleaving and repetition of frames.
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(
        told in prop::collection::vec((any::<bool>(), prop::collection::vec(1_u64..40, 1..4)), 1..60),
    ) {
        let mut venue = venue();
        let now = Now::read();
        let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
        let mut guards = Guards::default();
        let mut highest = [0; 2];
        for (number, (is_trade, places)) in told.into_iter().enumerate() {
            let first = places[0];
            let elements: Vec<String> = if is_trade {
                places.iter().map(|place| format!(
                    r#"{{"product_id":"BTC-USD","trade_id":"{place}","price":"{place}","size":"1","time":"2026-09-27T16:42:{:02}Z","side":"BUY"}}"#,
                    place / 8,
                )).collect()
            } else {
                vec![format!(
                    r#"{{"product_id":"BTC-USD","price":"9","volume_24_h":"1","low_24_h":"1","high_24_h":"{first}","best_bid":"{first}","best_bid_quantity":"1","best_ask":"{first}","best_ask_quantity":"1"}}"#
                )]
            };
            let (channel, list) = if is_trade { ("market_trades", "trades") } else { ("ticker", "tickers") };
            let frame = format!(
                r#"{{"channel":"{channel}","timestamp":"2026-09-27T16:42:07.{first:09}Z","sequence_num":{number},"events":[{{"type":"update","{list}":[{}]}}]}}"#,
                elements.join(","),
            ).replace("07.0000000", "07.0000");
            let mut batch = Batch::default();
            prop_assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            prop_assert_eq!(batch.errors.total(), 0);
            for update in &batch.updates {
                let _ = snapshot.apply(update, &mut guards, now);
            }
            let newest = if is_trade { places.iter().copied().max().unwrap() } else { first };
            let part = usize::from(is_trade);
            highest[part] = highest[part].max(newest as i64);
            let known = highest.map(|place| Decimal::new(place, 0).filter(|_| place > 0));
            prop_assert_eq!([snapshot.quote.ask, snapshot.trade.price], known);
            prop_assert_eq!(snapshot.stats.high, known[0]);
        }
    }

    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(frame in 0_usize..4, at in 0_usize..700, byte in any::<u8>(), cut in 0_usize..900) {
        let mut frame = [TRADES, TICKER, STATUS, HEARTBEAT][frame].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        let text = String::from_utf8_lossy(&frame).into_owned();
        if scanned(text.as_bytes()).is_some() {
            // A blank in front is left to the parser.
            prop_assert_eq!(read(&text), read(format!(" {text}")));
        }
        frame.truncate(cut);
        let (message, updates, _) = read(frame);
        prop_assert!(updates.is_empty() || matches!(message, Ok(Message::Data | Message::Gap)));
    }
}
