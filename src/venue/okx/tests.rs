//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::{event::scanned, *};
use crate::{
    market::{
        Decimal, Field, Guards, Now, Origin, QuoteUpdate, Sequence, Side, Snapshot, StatsUpdate, StatsWindow,
        TradeUpdate, UnixMicros, Update,
    },
    telemetry::labels::Label,
    venue::kit::Given,
};
use proptest::prelude::*;

const TRADE: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1000000715","px":"83772.6","sz":"0.0000178","side":"buy","ts":"1790358565298","count":"1","source":"1","seqId":81625379835}]}"#;
const QUOTE: &str = r#"{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["83774.2","0.25697131","0","3"]],"bids":[["83774.1","0.65302934","0","9"]],"ts":"1790358564077","seqId":123456}]}"#;
const TICKER: &str = r#"{"arg":{"channel":"tickers","instId":"ETH-USDT-SWAP"},"data":[{"instType":"SWAP","instId":"ETH-USDT-SWAP","last":"2963.5","lastSz":"2","askPx":"2960","askSz":"12","bidPx":"2959.9","bidSz":"431","open24h":"3158.3","high24h":"3190.7","low24h":"2930.2","sodUtc0":"2980.5","sodUtc8":"3075.7","volCcy24h":"108540.53","vol24h":"10854053","ts":"1790358564077"}]}"#;

fn venue() -> Okx {
    Okx::new(&Given::symbols(&[("BTC-USDT", None), ("ETH-USDT-PERP", None)]).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn at(millis: i64) -> Sequence {
    Sequence { time: Some(UnixMicros(millis * 1_000)), ..Sequence::default() }
}

/// What comes of one frame: message, updates and the reasons that were counted.
fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Vec<Update>, Vec<DecodeError>) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    let counted = DecodeError::ALL.iter().copied().filter(|&reason| batch.errors.of(reason) > 0).collect();
    (message, batch.updates, counted)
}

#[test]
fn a_trade_is_exact_and_names_the_takers_side() {
    let trade = TradeUpdate {
        sequence: Sequence { id: Some(1_000_000_715), ..at(1_790_358_565_298) },
        price: number("83772.6"),
        size: number("0.0000178"),
        side: Field::Set(Side::Buy),
        ..TradeUpdate::default()
    };
    let update = Update { symbol: FeedSymbol(0), trade: Some(trade), ..Update::default() };
    assert_eq!(read(TRADE), (Ok(Message::Data), vec![update], vec![]));
    let older = TRADE.replace(r#","count":"1","source":"1","seqId":81625379835"#, "");
    assert_eq!(read(older), read(TRADE), "as it was before 2025");
    let sold = read(TRADE.replace("\"buy\"", "\"sell\"")).1[0].trade.unwrap();
    assert_eq!(sold.side, Field::Set(Side::Sell));
}

#[test]
fn several_trades_are_several_updates_oldest_first() {
    let (_, element) = TRADE.split_once("\"data\":[").unwrap();
    let element = element.strip_suffix("]}").unwrap();
    let next = element.replace("1000000715", "1000000716").replace("83772.6", "83772.5");
    let (message, updates, counted) = read(TRADE.replace(element, &format!("{element},{next}")));
    let trades: Vec<_> = updates.iter().map(|update| update.trade.unwrap()).collect();
    let known: Vec<_> = trades.iter().map(|trade| (trade.sequence.id.unwrap(), trade.price)).collect();
    assert_eq!((message, counted), (Ok(Message::Data), vec![]));
    assert_eq!(known, [(1_000_000_715, number("83772.6")), (1_000_000_716, number("83772.5"))]);
}

#[test]
fn a_quote_is_the_best_level_and_an_empty_side_clears() {
    let quote = QuoteUpdate {
        sequence: Sequence { id: Some(123_456), ..at(1_790_358_564_077) },
        bid: number("83774.1"),
        bid_size: number("0.65302934"),
        ask: number("83774.2"),
        ask_size: number("0.25697131"),
    };
    let update = |quote| Update { symbol: FeedSymbol(0), quote: Some(quote), ..Update::default() };
    assert_eq!(read(QUOTE), (Ok(Message::Data), vec![update(quote)], vec![]));
    let deeper = QUOTE.replace(r#""0","9"]]"#, r#""0","9"],["83774","1","0","1"]]"#);
    assert_eq!(read(deeper), read(QUOTE), "the best comes first");
    let no_bid = QuoteUpdate { bid: Field::Clear, bid_size: Field::Clear, ..quote };
    let level = r#"[["83774.1","0.65302934","0","9"]]"#;
    for (side, counted) in [
        ("[]", vec![]),
        (r#"[["","","0","0"]]"#, vec![]),
        ("null", vec![DecodeError::Shape]),
        ("5", vec![DecodeError::Shape]),
        (r#"[["83774.1"]]"#, vec![DecodeError::Shape]),
        (r#"[{"px":"83774.1"}]"#, vec![DecodeError::Shape]),
        (r#"[["0","0","0","0"]]"#, vec![DecodeError::Price]),
    ] {
        assert_eq!(read(QUOTE.replace(level, side)), (Ok(Message::Data), vec![update(no_bid)], counted), "{side}");
    }
    let without = QUOTE.replace(&format!(r#""bids":{level},"#), "");
    assert_eq!(read(without), (Ok(Message::Data), vec![update(no_bid)], vec![DecodeError::Missing]));
}

/// As when two connections overlap: what the one brings last, the other has brought before something newer.
#[test]
fn of_quotes_of_one_millisecond_the_one_with_the_higher_number_is_newer() {
    let mut venue = venue();
    let now = Now::read();
    let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, now.unix), Guards::default());
    let quote = |number: u64, millis: u64| {
        let bid = format!("\"{number}\"");
        let frame = QUOTE.replace("123456", &number.to_string()).replace("\"83774.1\"", &bid);
        frame.replace("1790358564077", &millis.to_string())
    };
    for (number, millis, shown) in [
        (100, 1_790_358_564_077, 100),
        (101, 1_790_358_564_077, 101),
        (100, 1_790_358_564_077, 101),
        (101, 1_790_358_564_077, 101),
        (5, 1_790_358_564_078, 5),
        (6, 1_790_358_564_078, 6),
    ] {
        let mut batch = Batch::default();
        venue.read(quote(number, millis).as_bytes(), &mut batch).unwrap();
        let _ = snapshot.apply(&batch.updates[0], &mut guards, now);
        assert_eq!(snapshot.quote.bid, Decimal::new(shown, 0), "{number} at {millis}");
    }
    // Without a number, as in 2022, the time decides.
    let without = quote(7, 1_790_358_564_078).replace(",\"seqId\":7", "");
    let (_, updates, counted) = read(without);
    assert_eq!((updates[0].quote.unwrap().sequence.id, counted), (None, vec![]));
}

#[test]
fn a_ticker_has_the_statistics_of_24_hours_and_no_quote() {
    let stats = StatsUpdate {
        sequence: at(1_790_358_564_077),
        window: Field::Set(StatsWindow::Hours24),
        open: number("3158.3"),
        high: number("3190.7"),
        low: number("2930.2"),
        volume: number("10854053"),
        prev_close: Field::Keep,
    };
    let update = Update { symbol: FeedSymbol(1), stats: Some(stats), ..Update::default() };
    assert_eq!(read(TICKER), (Ok(Message::Data), vec![update], vec![]));
    for none in ["\"\"", "\"0\""] {
        let (_, updates, counted) = read(TICKER.replace("\"2959.9\"", none).replace("\"3158.3\"", none));
        assert_eq!((updates[0].stats.unwrap().open, counted), (Field::Clear, vec![]), "{none} clears");
    }
}

#[test]
fn notices_errors_and_other_frames_are_told_apart() {
    let passing = Message::Failed(Failure::Passing { retry_after: None });
    let crowded = Message::Failed(Failure::ConnectionLimit { retry_after: Duration::from_secs(60) });
    for (frame, message) in [
        ("pong", Message::Control),
        (
            r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}"#,
            Message::Closing,
        ),
        (r#"{"event":"notice","code":"64009","msg":"Something else."}"#, Message::Other),
        (r#"{"event":"channel-conn-count","channel":"tickers","connCount":"1","connId":"a4d3ae55"}"#, Message::Control),
        (r#"{"event":"channel-conn-count-error","channel":"tickers","connCount":"20","connId":"a4d3ae55"}"#, crowded),
        (r#"{"event":"error","code":"60014","msg":"Requests too frequent","connId":"a4d3ae55"}"#, passing),
        (r#"{"event":"error","code":"60012","msg":"Invalid request"}"#, Message::Refused(None)),
        (r#"{"event":"unsubscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#, Message::Control),
        (r#"{"event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"}}"#, Message::Other),
        (r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#, Message::Control),
        (r#"{"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1654154580000","29930.7"]]}"#, Message::Other),
        (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[]}"#, Message::Control),
        (r#"{"id":"1"}"#, Message::Other),
        ("{}", Message::Other),
    ] {
        assert_eq!(read(frame), (Ok(message), vec![], vec![]), "{frame}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted_by_a_closed_set_of_reasons() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    for (frame, reason) in [
        ("", DecodeError::Json),
        ("ping", DecodeError::Json),
        ("\"pong", DecodeError::Json),
        (&TRADE[..100], DecodeError::Json),
        ("17", DecodeError::Shape),
        ("\"pong\"", DecodeError::Shape),
        (&deep, DecodeError::Shape),
        (r#"{"event":5}"#, DecodeError::Shape),
        (r#"{"event":"subscribe"}"#, DecodeError::Shape),
        (r#"{"event":"subscribe","arg":{"channel":"trades","instId":"DOGE-USDT"}}"#, DecodeError::UnknownSymbol),
        (r#"{"arg":5,"data":[]}"#, DecodeError::Shape),
        (r#"{"arg":{"channel":"trades","instId":"DOGE-USDT"},"data":[{}]}"#, DecodeError::UnknownSymbol),
        (r#"{"arg":{"channel":"trades","instId":7},"data":[{}]}"#, DecodeError::Shape),
        (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"}}"#, DecodeError::Shape),
        (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":{}}"#, DecodeError::Shape),
        (r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[5]}"#, DecodeError::Shape),
    ] {
        assert_eq!(read(frame), (Err(reason), vec![], vec![]), "{frame:.80}");
    }
    let (message, updates, counted) = read(TRADE.replace("}]}", "},5]}"));
    assert_eq!((message, updates.len(), counted), (Ok(Message::Data), 1, vec![DecodeError::Shape]));
    for (from, to, reason) in [
        ("\"83772.6\"", "\"1e99\"", DecodeError::Range),
        ("\"83772.6\"", "\"NaN\"", DecodeError::Number),
        ("\"px\":\"83772.6\",", "", DecodeError::Missing),
    ] {
        let (message, updates, counted) = read(TRADE.replace(from, to));
        let trade = updates[0].trade.unwrap();
        assert_eq!((message, trade.price, trade.size), (Ok(Message::Data), Field::Clear, number("0.0000178")), "{to}");
        assert_eq!(counted, [reason], "{to}");
    }
    let (_, updates, counted) = read(TRADE.replace("\"buy\"", "\"hold\"").replace("1790358565298", "soon"));
    assert_eq!(updates[0].trade.unwrap().side, Field::Clear);
    assert_eq!(counted, [DecodeError::Time, DecodeError::Word]);
    let zero = (Ok(Message::Data), vec![], vec![DecodeError::Price]);
    assert_eq!(read(TRADE.replace("83772.6", "0")), zero, "nothing trades at zero");
}

#[test]
fn rule_10_a_frame_with_more_updates_than_fit_is_read_in_slices() {
    let count = 2 * Batch::UPDATES_MAX + 7;
    let trades: Vec<String> =
        (1..=count).map(|id| format!(r#"{{"tradeId":"{id}","px":"1","sz":"1","side":"buy"}}"#)).collect();
    let frame = format!(r#"{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{}]}}"#, trades.join(","));
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
}

#[test]
fn frames_as_the_venue_writes_them_are_scanned_and_read_as_a_parser_reads_them() {
    for frame in [TRADE, QUOTE, TICKER] {
        assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
        for (from, to) in [
            ("\"channel\"", " \"channel\""),
            ("\"ts\":", "\"ts\": "),
            ("}]}", "}],\"action\":{}}"),
            ("\"ts\":", "\"more\":[1.5],\"ts\":"),
        ] {
            let other = frame.replace(from, to);
            assert!(other != frame && scanned(other.as_bytes()).is_none(), "{other}");
            assert_eq!(read(&other), read(frame), "{other}");
        }
    }
    let turned =
        QUOTE.replace(r#""asks":"#, r#""x":"#).replace(r#""bids":"#, r#""asks":"#).replace(r#""x":"#, r#""bids":"#);
    assert!(scanned(turned.as_bytes()).is_some(), "in any order of keys");
    let empty = QUOTE.replace(r#"[["83774.2","0.25697131","0","3"]]"#, "[]");
    assert!(scanned(empty.as_bytes()).is_some());
    for frame in [r#"{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}"#, "pong", "{}"] {
        assert!(scanned(frame.as_bytes()).is_none(), "{frame}");
    }
}

#[test]
fn a_perpetual_contract_is_a_swap() {
    for (symbol, name) in [
        ("BTC-USDT", Some("BTC-USDT")),
        ("BTC-USDT-PERP", Some("BTC-USDT-SWAP")),
        ("BTC-USD-250627", Some("BTC-USD-250627")),
        ("BTC-USD-250627-50000-C", Some("BTC-USD-250627-50000-C")),
        ("BTC-PERP", None),
        ("BTCUSDT", None),
        ("BRK.B", None),
        ("A_B-USDT", None),
        ("BTC-", None),
    ] {
        assert_eq!(derive(&symbol.parse().unwrap()).as_deref(), name, "{symbol}");
    }
}

/// Every frame of the recordings is read without a loss, where they are there.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let folder = std::path::Path::new(&folder);
    let mut session = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(folder.join("okx.txt.gz")).unwrap());
    std::io::Read::read_to_string(&mut file, &mut session).unwrap();
    let samples = std::fs::read_to_string(folder.join("samples/okx-2.jsonl")).unwrap();
    let mut read = 0;
    for frame in session.lines().map(|line| line.split_once(' ').unwrap().1).chain(samples.lines()) {
        let document: serde_json::Value = serde_json::from_str(frame).unwrap();
        let name = document["arg"]["instId"].as_str().unwrap_or("BTC-USDT");
        let mut venue = Okx::new(&Given::symbols(&[("SYMBOL", Some(name))]).setup()).unwrap();
        let mut batch = Batch::default();
        let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
        assert_eq!(batch.errors.total(), 0, "{frame}");
        let element = &document["data"][0];
        let is_told =
            |part: Option<()>, keys: &[&str]| part.is_some() && keys.iter().all(|key| !element[key].is_null());
        match document["arg"]["channel"].as_str() {
            _ if document["event"].is_string() => {
                // Nothing was asked for, so an error of a known channel answers nothing.
                assert!(matches!(message, Message::Control | Message::Refused(None)), "{frame}");
            }
            Some("trades") => {
                let trade = batch.updates[0].trade.unwrap();
                assert_eq!([trade.price, trade.size], ["px", "sz"].map(|key| number(element[key].as_str().unwrap())));
                assert!(is_told(trade.sequence.id.map(|_| ()), &["tradeId", "ts"]) && message == Message::Data);
                assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
            }
            Some("bbo-tbt") => {
                let quote = batch.updates[0].quote.unwrap();
                let best = |side: &str, place: usize| number(element[side][0][place].as_str().unwrap());
                assert_eq!([quote.bid, quote.bid_size], [best("bids", 0), best("bids", 1)], "{frame}");
                assert_eq!([quote.ask, quote.ask_size], [best("asks", 0), best("asks", 1)], "{frame}");
                assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
            }
            Some("tickers") => {
                let stats = batch.updates[0].stats.unwrap();
                let keys = ["open24h", "high24h", "low24h", "vol24h"];
                let told = keys.map(|key| number(element[key].as_str().unwrap()));
                assert_eq!([stats.open, stats.high, stats.low, stats.volume], told, "{frame}");
                assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
            }
            _ => assert_eq!((message, batch.updates.len()), (Message::Other, 0), "{frame}"),
        }
        read += 1;
    }
    assert!(read > 90, "{read}");
}

proptest! {
    /// Any interleaving and repetition of frames, several to a millisecond.
    #[test]
    fn rule_8_no_disorder_of_frames_moves_a_part_back(told in prop::collection::vec((0_usize..3, 1_u64..40), 1..80)) {
        let mut venue = venue();
        let now = Now::read();
        let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
        let mut guards = Guards::default();
        let mut highest = [0; 3];
        for (part, place) in told {
            // Trades and quotes have ids, so that several may share a time.
            let millis = 1_790_358_564_000 + if part < 2 { place / 8 } else { place };
            let (channel, fields) = [
                ("trades", format!(r#""tradeId":"{place}","px":"{place}","sz":"1","side":"buy""#)),
                ("bbo-tbt", format!(r#""asks":[["{place}","1","0","1"]],"bids":[["{place}","1","0","1"]],"seqId":{place}"#)),
                ("tickers", format!(r#""last":"9","open24h":"1","high24h":"{place}","low24h":"1","vol24h":"1""#)),
            ][part].clone();
            let frame = format!(
                r#"{{"arg":{{"channel":"{channel}","instId":"BTC-USDT"}},"data":[{{{fields},"ts":"{millis}"}}]}}"#
            );
            let mut batch = Batch::default();
            prop_assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
            prop_assert_eq!(batch.errors.total(), 0);
            for update in &batch.updates {
                let _ = snapshot.apply(update, &mut guards, now);
            }
            highest[part] = highest[part].max(place as i64);
            let known = highest.map(|place| Decimal::new(place, 0).filter(|_| place > 0));
            prop_assert_eq!([snapshot.trade.price, snapshot.quote.ask, snapshot.stats.high], known);
        }
    }

    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(frame in 0_usize..3, at in 0_usize..600, byte in any::<u8>(), cut in 0_usize..700) {
        let mut frame = [TRADE, QUOTE, TICKER][frame].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        let text = String::from_utf8_lossy(&frame).into_owned();
        if scanned(text.as_bytes()).is_some() {
            // A blank in front is left to the parser.
            prop_assert_eq!(read(&text), read(format!(" {text}")));
        }
        frame.truncate(cut);
        let (message, updates, _) = read(frame);
        prop_assert!(updates.is_empty() || message == Ok(Message::Data));
    }
}
