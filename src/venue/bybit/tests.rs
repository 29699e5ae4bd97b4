//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{Decimal, Field, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, TradeUpdate, UnixMicros, Update},
    telemetry::labels::Label,
    venue::kit::Given,
};
use proptest::prelude::*;

const SPOT_TRADE: &str = r#"{"topic":"publicTrade.BTCUSDT","ts":1781415763125,"type":"snapshot","data":[{"i":"2290000001189048101","T":1781415763121,"p":"65140.50","v":"0.002705","S":"Buy","seq":112488547164,"s":"BTCUSDT","BT":false,"RPI":false}]}"#;
const TRADE: &str = r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1781415763125,"data":[{"T":1781415763121,"s":"BTCUSDT","S":"Sell","v":"0.010","p":"64345.20","L":"MinusTick","i":"25319862-77a2-5ebe-851b-3836573c4fe9","BT":false,"RPI":false,"seq":598180439295}]}"#;
const BOOK: &str = r#"{"topic":"orderbook.1.BTCUSDT","ts":1781415763125,"type":"snapshot","data":{"s":"BTCUSDT","b":[["65140.40","0.885797"]],"a":[["65140.5","0.310"]],"u":62505425,"seq":112488545865},"cts":1781415763121}"#;
const SPOT_TICKER: &str = r#"{"topic":"tickers.ETHUSDT","ts":1781415763125,"type":"snapshot","cs":178477361130,"data":{"symbol":"ETHUSDT","lastPrice":"1923.27","highPrice24h":"1927.40","lowPrice24h":"1912.2","prevPrice24h":"1921.21","volume24h":"19794.00132","turnover24h":"38006188.5189037","price24hPcnt":"0.0011","usdIndexPrice":"1921.802757"}}"#;
const TICKER: &str = r#"{"topic":"tickers.BTCUSDT","type":"snapshot","data":{"symbol":"BTCUSDT","tickDirection":"PlusTick","price24hPcnt":"-0.001624","lastPrice":"65114.30","prevPrice24h":"65008.70","highPrice24h":"65282.30","lowPrice24h":"64694.40","markPrice":"65117.44","turnover24h":"1142118412.9021","volume24h":"17573.9120","nextFundingTime":"","bid1Price":"65114.20","bid1Size":"5.954","ask1Price":"65114.30","ask1Size":"10.480"},"cs":753843907761,"ts":1781415763125}"#;
const DELTA: &str = r#"{"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","bid1Price":"65114.10","bid1Size":"6.054"},"cs":753843907770,"ts":1781415763183}"#;

pub(super) fn venue(category: Category) -> Bybit {
    let names: &[(&str, Option<&str>)] = match category {
        Category::Spot => &[("BTC-USDT", None), ("ETH-USDT", None)],
        Category::Linear => &[("BTC-USDT-PERP", None), ("ETH-USDT-PERP", None)],
        Category::Inverse => &[("BTC-USD-PERP", None), ("ETH-USD-PERP", None)],
    };
    Bybit::new(category, &Given::symbols(names).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

/// What comes of one frame: message, updates and the reasons that were counted.
type Read = (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>);

fn read_on(venue: &mut Bybit, frame: impl AsRef<[u8]>) -> Read {
    let mut batch = Batch::default();
    let message = venue.read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

fn read(category: Category, frame: impl AsRef<[u8]>) -> Read {
    read_on(&mut venue(category), frame)
}

/// The same frame as no venue writes it, so that only a parser reads it.
fn odd(frame: &str) -> String {
    frame.replacen("{\"topic\"", "{ \"topic\"", 1)
}

fn at(millis: i64) -> Option<UnixMicros> {
    Some(UnixMicros(millis * 1_000))
}

#[test]
fn a_spot_trade_is_ordered_by_its_id_and_one_of_a_contract_by_its_time() {
    let trade = TradeUpdate {
        sequence: Sequence { id: Some(2_290_000_001_189_048_101), time: at(1_781_415_763_121), by_arrival: false },
        price: number("65140.5"),
        size: number("0.002705"),
        side: Field::Set(Side::Buy),
        ..TradeUpdate::default()
    };
    let update = Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() };
    let expected = (Ok(Message::Data), vec![update], vec![]);
    assert_eq!(read(Category::Spot, SPOT_TRADE), expected);
    assert_eq!(read(Category::Spot, odd(SPOT_TRADE)), expected);
    let (message, updates, counted) = read(Category::Linear, TRADE);
    let trade = updates[0].trade.unwrap();
    assert_eq!((message, trade.side, counted), (Ok(Message::Data), Field::Set(Side::Sell), vec![]));
    assert_eq!((trade.price, trade.size), (number("64345.2"), number("0.01")));
    assert_eq!(trade.sequence, Sequence { time: at(1_781_415_763_121), ..Sequence::default() });
    assert_eq!(read(Category::Inverse, TRADE.replace("BTCUSDT", "BTCUSD")).1, updates);
}

/// A frame with these trades; each is its id, price and more fields.
fn trades(all: &[(u64, u64, &str)]) -> String {
    let trade = |(id, price, more): &(u64, u64, &str)| {
        format!(r#"{{"i":"{id}","T":1781415763121,"p":"{price}","v":"1","S":"Buy","s":"BTCUSDT"{more}}}"#)
    };
    let all: Vec<String> = all.iter().map(trade).collect();
    format!(r#"{{"topic":"publicTrade.BTCUSDT","ts":1781415763125,"type":"snapshot","data":[{}]}}"#, all.join(","))
}

fn prices(updates: &[Update]) -> Vec<Field<Decimal>> {
    updates.iter().map(|update| update.trade.unwrap().price).collect()
}

#[test]
fn several_trades_of_a_frame_are_as_many_updates_and_block_trades_are_not_shown() {
    let frame = trades(&[(1, 10, ""), (2, 99, ",\"BT\":true"), (3, 12, ",\"BT\":false,\"x\":[1.5]"), (4, 13, "")]);
    for frame in [frame.clone(), odd(&frame), frame.replace("},{", "} ,\n{"), frame.replace("]}", "],\"cts\":1.5}")] {
        let mut batch = Batch::default();
        assert_eq!(venue(Category::Spot).read(frame.as_bytes(), &mut batch), Ok(Message::Data), "{frame}");
        assert_eq!(prices(&batch.updates), ["10", "12", "13"].map(number), "{frame}");
        assert_eq!((batch.ineligible, batch.errors.total()), (1, 0), "{frame}");
    }
    assert_eq!(read(Category::Spot, trades(&[])), (Ok(Message::Data), vec![], vec![]));
    assert_eq!(read(Category::Spot, odd(&trades(&[]))), (Ok(Message::Data), vec![], vec![]));
}

#[test]
fn rule_10_a_frame_with_more_trades_than_a_batch_holds_is_read_in_slices() {
    let all: Vec<_> = (0..2_500).map(|number| (number, number + 1, "")).collect();
    let frame = trades(&all);
    for frame in [frame.clone(), odd(&frame)] {
        let mut venue = venue(Category::Spot);
        let mut batch = Batch::default();
        let mut read = Vec::new();
        let mut slices = 0;
        loop {
            assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            assert!(batch.updates.len() <= Batch::UPDATES_MAX);
            read.extend(prices(&batch.updates));
            batch.updates.clear();
            slices += 1;
            if batch.read_on == 0 {
                break;
            }
        }
        assert_eq!(read, (1..=2_500).map(|price| number(&price.to_string())).collect::<Vec<_>>());
        assert_eq!(slices, 3);
    }
}

#[test]
fn trades_before_a_broken_one_stand() {
    let two = trades(&[(1, 10, ""), (2, 11, "")]);
    for (frame, reason) in [
        (two.replace(r#"{"i":"2""#, "[2"), DecodeError::Json),
        (two.replace("]}", "]"), DecodeError::Json),
        (two.replace("]}", "]}}"), DecodeError::Json),
        (two[..two.len() - 20].to_owned(), DecodeError::Json),
        (two.replace(r#"}]}"#, r#"},7]}"#), DecodeError::Shape),
    ] {
        let (message, updates, _) = read(Category::Spot, &frame);
        assert_eq!(
            (message, updates.first().map(|update| update.trade.unwrap().price)),
            (Err(reason), Some(number("10"))),
            "{frame}"
        );
    }
}

#[test]
fn a_book_is_the_quote_of_the_spot_market_by_its_id_and_the_engines_time() {
    let quote = QuoteUpdate {
        sequence: Sequence { id: Some(62_505_425), time: at(1_781_415_763_121), by_arrival: false },
        bid: number("65140.4"),
        bid_size: number("0.885797"),
        ask: number("65140.5"),
        ask_size: number("0.31"),
    };
    let update = Update { symbol: FeedSymbol(0), quote: Some(quote), ..Update::default() };
    for frame in [BOOK.to_owned(), odd(BOOK), BOOK.replace("[[\"65140.5\"", "[ [\"65140.5\"")] {
        assert_eq!(read(Category::Spot, &frame), (Ok(Message::Data), vec![update], vec![]), "{frame}");
    }
    let older = read(Category::Spot, BOOK.replace(",\"cts\":1781415763121", "")).1[0].quote.unwrap();
    assert_eq!(older.sequence.time, at(1_781_415_763_125), "without the engine's time");
    for category in [Category::Linear, Category::Inverse] {
        let frame = BOOK.replace("BTCUSDT", "BTCUSD");
        assert_eq!(read(category, frame), (Ok(Message::Other), vec![], vec![]), "their quote comes from tickers");
    }
}

#[test]
fn a_side_of_the_book_is_set_kept_or_cleared() {
    let kept = (Field::Keep, Field::Keep);
    let none = (Field::Clear, Field::Clear);
    let best = (number("7"), number("2"));
    for (side, of_a_snapshot, of_a_delta) in [
        (r#","b":[]"#, none, kept),
        ("", none, kept),
        (r#","b":[["6","0"]]"#, none, none),
        (r#","b":[["6","0.000"],["7","2"],["5","1"]]"#, best, best),
        (r#","b":[["7","2"],["6","0"]]"#, best, best),
        (r#","b":[["7","2","more"]]"#, best, best),
    ] {
        let data = BOOK.replace(r#","b":[["65140.40","0.885797"]]"#, side);
        for (frame, expected) in [(data.clone(), of_a_snapshot), (data.replace("snapshot", "delta"), of_a_delta)] {
            for frame in [frame.clone(), odd(&frame)] {
                let mut venue = venue(Category::Spot);
                assert!(read_on(&mut venue, BOOK).0.is_ok());
                let (message, updates, counted) = read_on(&mut venue, &frame);
                let quote = updates[0].quote.unwrap();
                assert_eq!(
                    (message, (quote.bid, quote.bid_size), counted),
                    (Ok(Message::Data), expected, vec![]),
                    "{frame}"
                );
                assert_eq!(quote.ask, number("65140.5"));
            }
        }
    }
}

#[test]
fn a_delta_without_a_snapshot_of_its_connection_keeps_nothing() {
    let book = BOOK.replace("snapshot", "delta").replace(r#"[["65140.40","0.885797"]]"#, "[]");
    for (category, frame) in [(Category::Spot, book.as_str()), (Category::Linear, DELTA)] {
        let mut venue = venue(category);
        let cleared = |updates: &[Update]| {
            let quote = updates[0].quote.unwrap();
            [quote.bid, quote.bid_size, quote.ask, quote.ask_size].contains(&Field::Clear)
        };
        assert!(cleared(&read_on(&mut venue, frame).1), "{frame}");
        assert!(!cleared(&read_on(&mut venue, frame).1), "the first one is what the next adds to");
        venue.open();
        assert!(cleared(&read_on(&mut venue, frame).1), "another connection");
    }
}

#[test]
fn a_spot_ticker_has_statistics_alone_by_the_venues_time() {
    let stats = StatsUpdate {
        sequence: Sequence { time: at(1_781_415_763_125), ..Sequence::default() },
        window: Field::Set(StatsWindow::Hours24),
        open: number("1921.21"),
        high: number("1927.4"),
        low: number("1912.2"),
        volume: number("19794.00132"),
        prev_close: Field::Keep,
    };
    let update = Update { symbol: FeedSymbol(1), stats: Some(stats), ..Update::default() };
    for frame in [SPOT_TICKER.to_owned(), odd(SPOT_TICKER)] {
        assert_eq!(read(Category::Spot, frame), (Ok(Message::Data), vec![update], vec![]));
    }
    let never_traded = SPOT_TICKER.replace("1927.40", "0").replace("1912.2", "").replace("1921.21", "0.00");
    let (message, updates, counted) = read(Category::Spot, never_traded);
    let stats = updates[0].stats.unwrap();
    assert_eq!((message, counted), (Ok(Message::Data), vec![]));
    assert_eq!([stats.high, stats.low, stats.open], [Field::Clear; 3]);
}

#[test]
fn a_ticker_of_a_contract_has_quote_and_statistics_and_a_delta_what_changed() {
    let sequence = |cs, millis| Sequence { id: Some(cs), time: at(millis), by_arrival: false };
    let quote = QuoteUpdate {
        sequence: sequence(753_843_907_761, 1_781_415_763_125),
        bid: number("65114.2"),
        bid_size: number("5.954"),
        ask: number("65114.3"),
        ask_size: number("10.48"),
    };
    let stats = StatsUpdate {
        sequence: quote.sequence,
        window: Field::Set(StatsWindow::Hours24),
        open: number("65008.7"),
        high: number("65282.3"),
        low: number("64694.4"),
        volume: number("17573.912"),
        prev_close: Field::Keep,
    };
    let whole = Update { quote: Some(quote), stats: Some(stats), ..Update::default() };
    let delta = QuoteUpdate {
        sequence: sequence(753_843_907_770, 1_781_415_763_183),
        bid: number("65114.1"),
        bid_size: number("6.054"),
        ..QuoteUpdate::default()
    };
    let volume = DELTA.replace(r#""bid1Price":"65114.10","bid1Size":"6.054""#, r#""volume24h":"17573.915""#);
    let mark = DELTA.replace(r#""bid1Price":"65114.10","bid1Size":"6.054""#, r#""markPrice":"65117.4""#);
    for written in [str::to_owned, odd as fn(&str) -> String] {
        let mut venue = venue(Category::Linear);
        assert_eq!(read_on(&mut venue, written(TICKER)), (Ok(Message::Data), vec![whole], vec![]));
        let update = Update { quote: Some(delta), ..Update::default() };
        assert_eq!(read_on(&mut venue, written(DELTA)), (Ok(Message::Data), vec![update], vec![]));
        let (_, updates, _) = read_on(&mut venue, written(&volume));
        let stats = updates[0].stats.unwrap();
        assert_eq!((updates[0].quote, stats.volume, stats.high), (None, number("17573.915"), Field::Keep));
        assert_eq!(read_on(&mut venue, written(&mark)), (Ok(Message::Data), vec![], vec![]), "nothing that is shown");
    }
}

#[test]
fn an_empty_string_or_a_zero_is_an_empty_side_of_a_ticker() {
    for none in ["", "0", "0.00"] {
        let frame = TICKER.replace("65114.20", none).replace("5.954", none);
        let (_, updates, counted) = read(Category::Linear, frame);
        let quote = updates[0].quote.unwrap();
        assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Clear, number("65114.3")));
        assert_eq!(counted, vec![], "{none}");
    }
    let (_, updates, _) = read(Category::Linear, TICKER.replace(r#""ask1Price":"65114.30","#, ""));
    assert_eq!(updates[0].quote.unwrap().ask, Field::Clear, "a snapshot is whole");
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (frame, reason) in [
        (&b""[..], DecodeError::Json),
        (b"\x00\x01\x02\xff", DecodeError::Json),
        (&TICKER.as_bytes()[..200], DecodeError::Json),
        (b"pong", DecodeError::Json),
        (b"\"text\"", DecodeError::Shape),
        (b"17", DecodeError::Shape),
        (b"{\"topic\":5}", DecodeError::Shape),
        (b"{\"topic\":\"tickers.BTCUSDT\"}", DecodeError::Shape),
        (b"{\"topic\":\"tickers.BTCUSDT\",\"data\":[]}", DecodeError::Word),
        (b"{\"topic\":\"tickers.BTCUSDT\",\"type\":\"other\",\"data\":{}}", DecodeError::Word),
        (b"{\"topic\":\"tickers.BTCUSDT\",\"type\":\"delta\",\"data\":\"x\"}", DecodeError::Shape),
        (b"{\"topic\":\"publicTrade.BTCUSDT\",\"data\":{}}", DecodeError::Shape),
        (b"{\"topic\":\"publicTrade.BTCUSDT\",\"data\":[5]}", DecodeError::Shape),
        (b"{\"topic\":\"orderbook.1.BTCUSDT\",\"type\":\"snapshot\",\"data\":{\"b\":5}}", DecodeError::Shape),
        (b"{\"topic\":\"tickers.DOGEUSDT\",\"type\":\"delta\",\"data\":{}}", DecodeError::UnknownSymbol),
        (b"{\"topic\":\"publicTrade.\",\"type\":\"snapshot\",\"data\":[]}", DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(Category::Spot, frame), (Err(reason), vec![], vec![]), "{}", frame.escape_ascii());
    }
    assert_eq!(read(Category::Spot, &deep).0, Err(DecodeError::Shape));
    let (message, updates, counted) =
        read(Category::Spot, BOOK.replace("[[\"65140.5\"", &format!("[{deep},[\"65140.5\"")));
    assert_eq!((message, updates[0].quote.unwrap().ask), (Ok(Message::Data), Field::Clear));
    assert_eq!(counted, [DecodeError::Shape], "a deep field is a bad field");
}

#[test]
fn rule_9_a_bad_field_is_dropped_and_the_rest_stands() {
    for (from, to, reason) in [
        ("\"64345.20\"", "\"1e99\"", DecodeError::Range),
        ("\"64345.20\"", "\"NaN\"", DecodeError::Number),
        (",\"p\":\"64345.20\"", "", DecodeError::Missing),
    ] {
        let (message, updates, counted) = read(Category::Linear, TRADE.replace(from, to));
        let trade = updates[0].trade.unwrap();
        assert_eq!((message, trade.price, trade.size), (Ok(Message::Data), Field::Clear, number("0.01")), "{to}");
        assert_eq!(counted, [reason], "{to}");
    }
    for (from, to, reason) in [
        ("\"Sell\"", "\"sell\"", DecodeError::Word),
        ("1781415763121", "\"soon\"", DecodeError::Time),
        ("\"BT\":false", "\"BT\":5", DecodeError::Word),
    ] {
        let (message, updates, counted) = read(Category::Linear, TRADE.replace(from, to));
        assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![reason]), "{to}");
    }
    let below = read(Category::Linear, TRADE.replace("64345.20", "-1"));
    assert_eq!(below, (Ok(Message::Data), vec![], vec![DecodeError::Price]), "it never sets a price");
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(Category::Spot, bytes);
    }

    /// What the scan takes, a parser reads alike.
    #[test]
    fn rule_9_no_damage_to_a_frame_panics(which in 0_usize..6, at in 0_usize..400, byte in any::<u8>(), cut in 0_usize..600) {
        let (category, frame) = [
            (Category::Spot, SPOT_TRADE), (Category::Linear, TRADE), (Category::Spot, BOOK),
            (Category::Spot, SPOT_TICKER), (Category::Linear, TICKER), (Category::Linear, DELTA),
        ][which];
        let mut frame = frame.as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let (message, updates, counted) = read(category, &frame);
        prop_assert!(updates.is_empty() || message == Ok(Message::Data) || message == Err(DecodeError::Json));
        if message.is_ok() {
            frame.push(b' ');
            prop_assert_eq!(read(category, &frame), (message, updates, counted));
        }
    }
}
