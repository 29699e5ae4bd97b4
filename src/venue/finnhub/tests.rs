//! Frames as the venue sends them, written after its documentation and recorded ones, and what else may come instead.

use super::*;
use crate::{
    market::{Decimal, Field, TradingSession, UnixMicros, Update},
    venue::{Credentials, kit::Given},
};
use proptest::prelude::*;

const TRADES: &str = r#"{"data":[{"c":["1"],"p":164.0600,"s":"AAPL","t":1680286538064,"v":142},{"c":["1","8","24"],"p":330.5,"s":"MSFT","t":1680286538001,"v":100},{"c":null,"p":164.05,"s":"AAPL","t":1680286537999,"v":0}],"type":"trade"}"#;

fn feed(names: &[(&str, Option<&str>)]) -> Given {
    Given { credentials: Some(Credentials::new("KEY&1", "")), ..Given::symbols(names) }
}

fn venue() -> Finnhub {
    Finnhub::new(&feed(&[("AAPL", None), ("MSFT", None), ("BTC-USDT", Some("BINANCE:BTCUSDT"))]).setup()).unwrap()
}

fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    (message, batch)
}

/// Place, time, price, size and session of a trade.
type Shown = (u32, i64, Field<Decimal>, Field<Decimal>, TradingSession);

fn shown(updates: &[Update]) -> Vec<Shown> {
    let shown = |update: &Update| {
        let trade = update.trade.unwrap();
        let UnixMicros(time) = trade.sequence.time.unwrap();
        assert!(trade.sequence.id.is_none() && !trade.sequence.by_arrival && trade.key.is_none());
        (update.symbol.0, time, trade.price, trade.size, trade.session)
    };
    updates.iter().map(shown).collect()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

#[test]
fn the_trades_of_a_frame_are_exact_and_sorted_by_their_times() {
    let (message, batch) = read(TRADES);
    assert_eq!((message, batch.errors.total(), batch.ineligible), (Ok(Message::Data), 0, 0));
    assert_eq!(
        shown(&batch.updates),
        [
            (0, 1_680_286_537_999_000, number("164.05"), Field::Clear, TradingSession::Regular),
            (1, 1_680_286_538_001_000, number("330.5"), number("100"), TradingSession::Extended),
            (0, 1_680_286_538_064_000, number("164.06"), number("142"), TradingSession::Regular),
        ]
    );
    let spaced = TRADES.replace(':', " : ").replace(',', " , ");
    assert_eq!(shown(&read(spaced).1.updates), shown(&read(TRADES).1.updates));
}

#[test]
fn trades_of_one_moment_keep_their_order() {
    let trade = |price: u32| format!(r#"{{"p":{price},"s":"AAPL","t":1680286538064,"v":1}}"#);
    let list = [5, 3, 9].map(trade).join(",");
    let (_, batch) = read(format!(r#"{{"data":[{list}],"type":"trade"}}"#));
    let prices: Vec<_> = shown(&batch.updates).into_iter().map(|shown| shown.2).collect();
    assert_eq!(prices, ["5", "3", "9"].map(number));
}

#[test]
fn an_odd_lot_is_not_shown_and_an_unknown_condition_hides_nothing() {
    for (conditions, session) in [
        (r#"["1","8"]"#, Some(TradingSession::Regular)),
        ("[]", Some(TradingSession::Regular)),
        ("null", Some(TradingSession::Regular)),
        ("7", Some(TradingSession::Regular)),
        ("[12]", Some(TradingSession::Regular)),
        (r#"["1","99","x"]"#, Some(TradingSession::Regular)),
        (r#"["\u0031\u0032"]"#, None),
        (r#"["24","\/"]"#, Some(TradingSession::Extended)),
        (r#"["24"]"#, Some(TradingSession::Extended)),
        (r#"["1","12"]"#, None),
        (r#"["1","24","12"]"#, None),
    ] {
        let frame =
            format!(r#"{{"data":[{{"c":{conditions},"p":1,"s":"AAPL","t":1680286538064,"v":5}}],"type":"trade"}}"#);
        let (_, batch) = read(frame);
        let found = batch.updates.first().map(|update| update.trade.unwrap().session);
        assert_eq!((found, batch.ineligible), (session, u64::from(session.is_none())), "{conditions}");
    }
}

#[test]
fn a_stock_without_conditions_has_its_session_by_the_time() {
    let session = |symbol: &str, conditions: &str, time: u64| {
        let frame = format!(r#"{{"data":[{{{conditions}"p":1,"s":"{symbol}","t":{time},"v":5}}],"type":"trade"}}"#);
        read(frame).1.updates[0].trade.unwrap().session
    };
    // 2023-03-31, a Friday: 14:15 and 18:15 in New York.
    let (open, late) = (1_680_286_538_064, 1_680_300_938_064);
    for conditions in ["", r#""c":null,"#, r#""c":[],"#, r#""c":[1],"#] {
        assert_eq!(session("AAPL", conditions, open), TradingSession::Regular, "{conditions}");
        assert_eq!(session("AAPL", conditions, late), TradingSession::Extended, "{conditions}");
        assert_eq!(session("BINANCE:BTCUSDT", conditions, late), TradingSession::Regular, "{conditions}");
    }
    assert_eq!(session("AAPL", r#""c":["1"],"#, late), TradingSession::Regular, "the venue says so");
}

#[test]
fn symbols_are_asked_for_one_by_one_with_the_key_in_the_address() {
    let mut venue = venue();
    let asked: Vec<String> = venue.open().into_iter().map(|request| request.text.unwrap()).collect();
    let subscribe = |name: &str| format!(r#"{{"symbol":"{name}","type":"subscribe"}}"#);
    assert_eq!(asked, ["AAPL", "MSFT", "BINANCE:BTCUSDT"].map(subscribe));
    assert_eq!(venue.url(), "wss://ws.finnhub.io/?token=KEY%261");
    let own = Given { url: Some("ws://127.0.0.1:9/x?y=1".to_owned()), ..feed(&[("AAPL", None)]) };
    assert_eq!(Finnhub::new(&own.setup()).unwrap().url(), "ws://127.0.0.1:9/x?y=1&token=KEY%261");
    let without = Given { credentials: None, ..feed(&[("AAPL", None)]) };
    assert!(matches!(Finnhub::new(&without.setup()), Err(VenueError::NoCredentials { .. })));
}

#[test]
fn what_the_venue_refuses_is_a_symbol_the_newest_request_or_the_connection() {
    let error = |words: &str| format!(r#"{{"msg":"{words}","type":"error"}}"#);
    let fatal = Message::Failed(Failure::Fatal(Reason::Unauthorized));
    let passing = |retry_after| Message::Failed(Failure::Passing { retry_after });
    for (words, expected, refused) in [
        ("Invalid symbol MSFT", Message::Refused(Some(2)), vec![(FeedSymbol(1), Reason::NotGranted)]),
        ("Invalid symbol BINANCE:BTCUSDT", Message::Refused(Some(3)), vec![(FeedSymbol(2), Reason::NotGranted)]),
        ("Subscribing to too many symbols", Message::Refused(None), vec![(FeedSymbol(2), Reason::SymbolLimit)]),
        ("You don't have access to this resource.", Message::Refused(None), vec![(FeedSymbol(2), Reason::NotEntitled)]),
        ("Invalid symbol", Message::Refused(None), vec![(FeedSymbol(2), Reason::NotGranted)]),
        ("Invalid API key", fatal, vec![]),
        ("API limit reached", passing(Some(TOO_MANY)), vec![]),
        ("Something else", passing(None), vec![]),
    ] {
        let mut venue = venue();
        let requests = venue.open();
        let mut batch = Batch::default();
        assert_eq!(venue.read(error(words).as_bytes(), &mut batch), Ok(expected), "{words}");
        if expected == Message::Refused(None) {
            venue.unanswered(requests.last().unwrap().id);
        }
        assert_eq!((venue.refused(), batch.refuses_symbol), (refused.clone(), !refused.is_empty()), "{words}");
    }
    assert_eq!(read(error("Invalid symbol IBM")).0, Err(DecodeError::UnknownSymbol));
    assert_eq!(read(r#"{"type":"ping"}"#).0, Ok(Message::Control));
    assert_eq!(read(r#"{"type":"news","data":[{"id":1}]}"#).0, Ok(Message::Other));
}

#[test]
fn ends_are_not_awaited_and_not_refused() {
    let mut venue = venue();
    venue.open();
    let Change::Requests(ends) = venue.change(&[], &[FeedSymbol(0), FeedSymbol(2)]) else { panic!("it can") };
    assert!(ends.iter().all(|request| request.silence == Silence::Accepts));
    assert_eq!(ends[0].text.as_deref(), Some(r#"{"symbol":"AAPL","type":"unsubscribe"}"#));
    let too_many = br#"{"msg":"Subscribing to too many symbols","type":"error"}"#;
    assert_eq!(venue.read(too_many, &mut Batch::default()), Ok(Message::Refused(None)));
    venue.unanswered(ends[1].id);
    assert_eq!(venue.refused(), [(FeedSymbol(1), Reason::SymbolLimit)], "the newest that is still listed");
}

#[test]
fn an_address_that_can_never_carry_the_stream_is_refused() {
    for url in ["wss://ws.finnhub.io", "wss://WS.finnhub.io:443/", "ws://127.0.0.1:9", "wss://proxy.example/api/v1"] {
        assert_eq!(HOME.check(url), Ok(()), "{url}");
    }
    for (url, expected) in [
        ("wss://finnhub.io/api/v1", "not the address of its stream"),
        ("wss://ws.finnhub.io/v1?token=hush", "not the address of its stream"),
        ("ws://ws.finnhub.io", "TLS"),
    ] {
        let error = HOME.check(url).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hush"), "{error}");
    }
}

#[test]
fn rule_9_a_bad_field_is_counted_and_costs_no_other_trade() {
    for (from, to, reason) in [
        ("164.0600", "\"x\"", DecodeError::Number),
        ("164.0600", "0", DecodeError::Price),
        (r#""p":164.0600,"#, "", DecodeError::Missing),
        ("1680286538064", "\"soon\"", DecodeError::Time),
        (r#""s":"AAPL","t":1680286538064"#, r#""s":"IBM","t":1680286538064"#, DecodeError::UnknownSymbol),
        (r#""s":"AAPL","t":1680286538064"#, r#""s":7,"t":1680286538064"#, DecodeError::Shape),
    ] {
        let (message, batch) = read(TRADES.replacen(from, to, 1));
        assert_eq!((message, batch.errors.of(reason)), (Ok(Message::Data), 1), "{to}");
        assert!(batch.updates.len() >= 2, "{to}");
    }
    for (frame, reason) in [
        ("", DecodeError::Json),
        ("[]", DecodeError::Shape),
        (r#"{"type":7}"#, DecodeError::Shape),
        (r#"{"type":"trade"}"#, DecodeError::Shape),
        (r#"{"data":{},"type":"trade"}"#, DecodeError::Shape),
        (r#"{"data":[1],"type":"trade"}"#, DecodeError::Shape),
    ] {
        assert_eq!(read(frame).0, Err(reason), "{frame}");
    }
}

#[test]
fn rule_10_a_long_frame_is_read_in_slices_and_sorted_as_a_whole() {
    let trade = |time: usize| format!(r#"{{"p":1,"s":"AAPL","t":{time},"v":100}}"#);
    let list: Vec<_> = (1..=3_000).rev().map(trade).collect();
    let list = list.join(",");
    let frame = format!(r#"{{"data":[{list}],"type":"trade"}}"#);
    let mut venue = venue();
    let mut batch = Batch::default();
    let (mut slices, mut times) = (Vec::new(), Vec::new());
    loop {
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        slices.push(batch.updates.len());
        times.extend(shown(&batch.updates).into_iter().map(|shown| shown.1 / 1_000));
        batch.updates.clear();
        if batch.read_on == 0 {
            break;
        }
    }
    assert_eq!(slices, [1_024, 1_024, 952]);
    assert_eq!(times, (1..=3_000).collect::<Vec<i64>>());
}

/// Every recorded trade is read, where the recordings are there: the two conditions mean what is said of them.
#[test]
fn recorded_trades_bear_the_conditions_out() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let mut count = 0;
    for file in ["finnhub.jsonl", "finnhub-2.jsonl"] {
        let path = std::path::Path::new(&folder).join("samples").join(file);
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let frame: serde_json::Value = serde_json::from_str(line).unwrap();
            let list = frame["data"].as_array().into_iter().flatten();
            for trade in list.filter(|trade| trade["c"].is_array()) {
                let has = |condition: &str| trade["c"].as_array().unwrap().iter().any(|has| has == condition);
                assert_eq!(has("12"), trade["v"].as_f64().unwrap() < 100.0, "{trade}");
                // Minutes of the day in UTC: these frames are of the winter, after 16:00 in New York, or of the day.
                let minute = trade["t"].as_i64().unwrap() / 60_000 % 1_440;
                assert_eq!(has("24"), minute >= 21 * 60, "{trade}");
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} trades");
}

#[test]
fn no_secret_is_shown_by_an_error() {
    let error = Finnhub::new(&Given { url: Some("https://x?token=hush".into()), ..feed(&[]) }.setup()).err().unwrap();
    assert!(!error.to_string().contains("hush") && !error.to_string().contains("KEY"), "{error}");
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(at in 0_usize..250, byte in any::<u8>(), cut in 0_usize..300) {
        let mut frame = TRADES.as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let _ = read(frame);
    }

    #[test]
    fn times_never_fall_within_a_frame(times in prop::collection::vec(1_u64..50, 0..30)) {
        let trade = |time: &u64| format!(r#"{{"p":1,"s":"AAPL","t":{time},"v":100}}"#);
        let list: Vec<_> = times.iter().map(trade).collect();
        let (_, batch) = read(format!(r#"{{"data":[{}],"type":"trade"}}"#, list.join(",")));
        prop_assert_eq!(batch.updates.len(), times.len());
        prop_assert!(batch.updates.is_sorted_by_key(|update| update.trade.unwrap().sequence.time));
    }
}
