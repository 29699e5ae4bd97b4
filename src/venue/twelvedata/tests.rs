//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Decimal, Field, QuoteUpdate, Sequence, StatsUpdate, StatsWindow, TradeUpdate, TradingSession, UnixMicros,
        Update,
    },
    venue::{Credentials, kit::Given},
};
use proptest::prelude::*;

pub(super) const PRICE: &str = r#"{"event":"price","symbol":"AAPL","currency":"USD","exchange":"NASDAQ","mic_code":"XNGS","type":"Common Stock","timestamp":1684508045,"price":175.68970}"#;
pub(super) const COIN: &str = r#"{"event":"price","symbol":"BTC/USD","currency_base":"Bitcoin","currency_quote":"US Dollar","exchange":"Coinbase Pro","type":"Digital Currency","timestamp":1653116989,"price":29299.5,"bid":29299.0,"ask":29300.0,"day_volume":28306}"#;

fn feed(names: &[(&str, Option<&str>)]) -> Given {
    Given { credentials: Some(Credentials::new("hush", "")), ..Given::symbols(names) }
}

pub(super) fn venue() -> TwelveData {
    TwelveData::new(&feed(&[("AAPL", None), ("BTC-USD", None), ("RY", None), ("RY.TO", Some("RY:TSX"))]).setup())
        .unwrap()
}

fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    (message, batch)
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn at(seconds: i64) -> Sequence {
    Sequence { id: None, time: Some(UnixMicros(seconds * 1_000_000)), by_arrival: false }
}

fn trade(price: &str, seconds: i64) -> Option<TradeUpdate> {
    Some(TradeUpdate {
        sequence: at(seconds),
        price: number(price),
        size: Field::Clear,
        side: Field::Clear,
        ..TradeUpdate::default()
    })
}

#[test]
fn a_price_is_a_trade_and_may_bring_a_quote_and_the_days_volume() {
    let (message, batch) = read(PRICE);
    assert_eq!((message, batch.errors.total()), (Ok(Message::Data), 0));
    assert_eq!(batch.updates, [Update { trade: trade("175.6897", 1_684_508_045), ..Update::default() }]);
    let (_, batch) = read(COIN);
    let sequence = at(1_653_116_989);
    let quote = QuoteUpdate { sequence, bid: number("29299"), ask: number("29300"), ..QuoteUpdate::default() };
    let stats = StatsUpdate {
        sequence,
        window: Field::Set(StatsWindow::Day),
        volume: number("28306"),
        ..StatsUpdate::default()
    };
    let trade = trade("29299.5", 1_653_116_989);
    let update = Update { symbol: FeedSymbol(1), trade, quote: Some(quote), stats: Some(stats), ..Update::default() };
    assert_eq!((batch.updates, batch.errors.total()), (vec![update], 0));
    let (_, batch) = read(COIN.replace("29299.0", "0"));
    assert_eq!(batch.updates[0].quote.unwrap().bid, Field::Clear);
    let (_, batch) = read(COIN.replace(r#","ask":29300.0"#, ""));
    let quote = batch.updates[0].quote.unwrap();
    assert_eq!((quote.bid, quote.ask), (number("29299"), Field::Clear), "an ask of before is not that of now");
}

#[test]
fn a_us_stock_has_its_session_by_the_time() {
    let session = |frame: &str, time: &str| {
        let (_, batch) = read(frame.replace("1684508045", time).replace("1653116989", time));
        batch.updates[0].trade.unwrap().session
    };
    // 2023-05-19, a Friday: 10:54, 16:00:00, 16:00:01, 9:29:59 and 18:00 in New York.
    for (time, expected) in [
        ("1684508045", TradingSession::Regular),
        ("1684526400", TradingSession::Regular),
        ("1684526401", TradingSession::Extended),
        ("1684502999", TradingSession::Extended),
        ("1684533600", TradingSession::Extended),
    ] {
        assert_eq!(session(PRICE, time), expected, "{time}");
        assert_eq!(session(COIN, time), TradingSession::Regular, "a coin at {time}");
    }
    let late = "1684533600";
    let of_name = PRICE.replace(r#","mic_code":"XNGS""#, "");
    assert_eq!(session(&of_name, late), TradingSession::Extended);
    let of_london = PRICE.replace("NASDAQ", "LSE").replace("XNGS", "XLON");
    assert_eq!(session(&of_london, late), TradingSession::Regular, "another exchange has other hours");
}

#[test]
fn a_price_that_is_repeated_within_its_second_is_not_a_trade() {
    let mut venue = venue();
    venue.open();
    let mut trades = |frame: &str| {
        let mut batch = Batch::default();
        assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        (batch.updates.len(), batch.updates.iter().filter(|update| update.trade.is_some()).count())
    };
    assert_eq!(trades(PRICE), (1, 1));
    assert_eq!(trades(PRICE), (0, 0));
    assert_eq!(trades(&PRICE.replace("175.68970", "175.7")), (1, 1), "another price of the same second");
    assert_eq!(trades(PRICE), (1, 1), "it is back");
    assert_eq!(trades(&PRICE.replace("1684508045", "1684508046")), (1, 1), "the same price of the next second");
    assert_eq!(trades(&PRICE.replace("1684508045", "1684508040")), (1, 1), "the guard drops what is late");
    assert_eq!(trades(&PRICE.replace("1684508045", "1684508046")), (0, 0));
    assert_eq!(trades(COIN), (1, 1));
    assert_eq!(trades(COIN), (1, 0), "its quote may be new");
    venue.open();
    let mut batch = Batch::default();
    venue.read(COIN.as_bytes(), &mut batch).unwrap();
    assert!(batch.updates[0].trade.is_some(), "another connection renews it");
}

#[test]
fn a_name_with_an_exchange_is_found_by_both() {
    let mut venue = venue();
    venue.open();
    let home =
        r#"[{"symbol":"AAPL"},{"symbol":"RY","exchange":"NYSE","mic_code":"XNYS"},{"symbol":"RY","exchange":"TSX"}]"#;
    venue.read(status(home, "null").as_bytes(), &mut Batch::default()).unwrap();
    let frame =
        |exchange: &str| format!(r#"{{"event":"price","symbol":"RY","timestamp":1684508045,"price":99.5{exchange}}}"#);
    let mut price = 0;
    let mut symbol = |exchange: &str| {
        let mut batch = Batch::default();
        // A repeated price would be none.
        price += 1;
        let frame = frame(exchange).replace("99.5", &price.to_string());
        venue.read(frame.as_bytes(), &mut batch).map(|_| batch.updates[0].symbol)
    };
    assert_eq!(symbol(r#","exchange":"TSX","mic_code":"XTSE""#), Ok(FeedSymbol(3)));
    assert_eq!(symbol(r#","exchange":"NYSE","mic_code":"XNYS""#), Ok(FeedSymbol(2)));
    assert_eq!(symbol(r#","exchange":"New York","mic_code":"XNYS""#), Ok(FeedSymbol(2)));
    for other in ["", r#","exchange":"Toronto Stock Exchange","mic_code":"XTSX""#, r#","exchange":"tsx""#] {
        assert_eq!(symbol(other), Err(DecodeError::UnknownSymbol), "{other}: it may be the price of the other");
    }
    let mut alone = TwelveData::new(&feed(&[("RY", None)]).setup()).unwrap();
    for exchange in ["", r#","exchange":"Toronto Stock Exchange""#] {
        let read = alone.read(frame(exchange).as_bytes(), &mut Batch::default());
        assert_eq!(read, Ok(Message::Data), "{exchange}: there is one");
    }
    let by_code = TwelveData::new(&feed(&[("RY.TO", Some("RY:XTSE"))]).setup()).unwrap();
    let mut by_code = by_code;
    let mut batch = Batch::default();
    let frame = r#"{"event":"price","symbol":"RY","exchange":"TSX","mic_code":"XTSE","timestamp":1,"price":9}"#;
    assert_eq!(by_code.read(frame.as_bytes(), &mut batch), Ok(Message::Data));
    let elsewhere = frame.replace("TSX", "NYSE").replace("XTSE", "XNYS");
    assert_eq!(by_code.read(elsewhere.as_bytes(), &mut batch), Err(DecodeError::UnknownSymbol));
}

fn status(success: &str, fails: &str) -> String {
    format!(r#"{{"event":"subscribe-status","status":"ok","success":{success},"fails":{fails}}}"#)
}

#[test]
fn all_symbols_are_asked_for_at_once_and_refused_by_name() {
    let mut venue = venue();
    let texts = |requests: Vec<Request>| requests.into_iter().map(|request| request.text.unwrap()).collect::<Vec<_>>();
    assert_eq!(texts(venue.open()), [r#"{"action":"subscribe","params":{"symbols":"AAPL,BTC/USD,RY,RY:TSX"}}"#]);
    assert_eq!(venue.url(), "wss://ws.twelvedata.com/v1/quotes/price?apikey=hush");
    let mut batch = Batch::default();
    let success =
        r#"[{"symbol":"AAPL","exchange":"NASDAQ"},{"symbol":"RY","exchange":"TSX"},{"symbol":"RY","exchange":"NYSE"}]"#;
    let answer = status(success, r#"[{"symbol":"BTC/USD"}]"#);
    assert_eq!(venue.read(answer.as_bytes(), &mut batch), Ok(Message::Acknowledged(1)));
    assert_eq!((venue.refused(), batch.refuses_symbol), (vec![(FeedSymbol(1), Reason::NotGranted)], true));
    assert_eq!(venue.read(answer.as_bytes(), &mut batch), Ok(Message::Control), "it repeats itself");
    let Change::Requests(requests) = venue.change(&[], &[FeedSymbol(0)]) else { panic!("it can") };
    assert_eq!(texts(requests), [r#"{"action":"unsubscribe","params":{"symbols":"AAPL"}}"#]);
    let ended = r#"{"event":"unsubscribe-status","status":"ok"}"#;
    assert_eq!(venue.read(ended.as_bytes(), &mut batch), Ok(Message::Acknowledged(2)));
}

#[test]
fn what_an_answer_leaves_out_is_asked_for_twice_more_and_then_refused() {
    for (success, fails, expected) in [
        (r#"[{"symbol":"AAPL"}]"#, "null", [Message::Acknowledged(1), Message::Refused(Some(3))]),
        (r#"[{"symbol":"aapl"}]"#, r#"[{"symbol":"AAPL"}]"#, [Message::Superseded(1), Message::Refused(Some(3))]),
    ] {
        let mut venue = venue();
        venue.open();
        let mut batch = Batch::default();
        assert_eq!(venue.read(status(success, fails).as_bytes(), &mut batch), Ok(expected[0]), "{success} {fails}");
        let again = r#"{"action":"subscribe","params":{"symbols":"BTC/USD,RY,RY:TSX"}}"#;
        assert_eq!(batch.requests, [Request::send(2, again.to_owned())]);
        let refuses = |message, venue: &TwelveData| (message, venue.refused().len());
        let refused_before = venue.refused().len();
        // The answers to the second and the third request leave out two of the three.
        let one = status("null", r#"[{"symbol":"BTC/USD"}]"#);
        let message = venue.read(one.as_bytes(), &mut batch);
        assert_eq!(refuses(message, &venue), (Ok(Message::Superseded(2)), refused_before + 1));
        let one = status("null", r#"[{"symbol":"RY"}]"#);
        let message = venue.read(one.as_bytes(), &mut batch);
        assert_eq!(refuses(message, &venue), (Ok(expected[1]), refused_before + 3), "{success} {fails}");
        assert_eq!(batch.requests.len(), 2);
    }
}

#[test]
fn an_answer_in_two_parts_grants_all_of_its_symbols() {
    let parts = [
        r#"[{"symbol":"AAPL"},{"symbol":"BTC/USD"}]"#,
        r#"[{"symbol":"RY","exchange":"NYSE"},{"symbol":"RY","exchange":"TSX"}]"#,
    ];
    let [first, second] = parts.map(|part| status(part, "null"));
    let mut venue = venue();
    venue.open();
    let mut batch = Batch::default();
    assert_eq!(venue.read(first.as_bytes(), &mut batch), Ok(Message::Acknowledged(1)));
    assert_eq!(venue.read(second.as_bytes(), &mut batch), Ok(Message::Acknowledged(2)), "it is not sent yet");
    assert_eq!(venue.read(second.as_bytes(), &mut batch), Ok(Message::Acknowledged(2)), "its own answer");
    assert_eq!((venue.refused(), batch.requests.len()), (Vec::new(), 1));
    venue.open();
    assert_eq!(venue.read(first.as_bytes(), &mut batch), Ok(Message::Acknowledged(1)));
    assert_eq!(venue.read(first.as_bytes(), &mut batch), Ok(Message::Control), "it repeats itself");
}

#[test]
fn an_answer_that_names_nothing_refuses_all_and_one_without_a_list_of_refusals_grants_what_it_names() {
    let mut venue = venue();
    venue.open();
    let message = venue.read(status("[]", "null").as_bytes(), &mut Batch::default());
    assert_eq!((message, venue.refused().len()), (Ok(Message::Refused(Some(1))), 4));
    let absent = r#"{"event":"subscribe-status","status":"ok","success":[{"symbol":"AAPL"}]}"#;
    venue.open();
    assert_eq!(venue.read(absent.as_bytes(), &mut Batch::default()), Ok(Message::Acknowledged(1)));
}

#[test]
fn rule_10_what_an_answer_leaves_out_is_refused_where_the_connection_has_no_requests_left() {
    let mut venue = venue();
    venue.open();
    venue.requests = REQUESTS_MAX;
    let mut batch = Batch::default();
    let message = venue.read(status(r#"[{"symbol":"AAPL"}]"#, "null").as_bytes(), &mut batch);
    assert_eq!((message, venue.refused().len(), batch.requests.len()), (Ok(Message::Acknowledged(1)), 3, 0));
}

#[test]
fn errors_are_fatal_or_passing() {
    let passing = |retry_after| Message::Failed(Failure::Passing { retry_after });
    for (code, expected) in [
        ("401", Message::Failed(Failure::Fatal(Reason::Unauthorized))),
        ("\"403\"", Message::Failed(Failure::Fatal(Reason::NotEntitled))),
        ("429", passing(Some(TOO_MANY))),
        ("400", passing(Some(TOO_MANY))),
        ("404", passing(Some(TOO_MANY))),
        ("414", passing(Some(TOO_MANY))),
        ("500", passing(None)),
        ("\"x\"", passing(None)),
    ] {
        assert_eq!(read(format!(r#"{{"status":"error","code":{code},"message":"x"}}"#)).0, Ok(expected), "{code}");
    }
    assert_eq!(read(r#"{"event":"heartbeat","status":"ok"}"#).0, Ok(Message::Control));
    assert_eq!(read(r#"{"event":"news"}"#).0, Ok(Message::Other));
    assert_eq!(read("{}").0, Ok(Message::Other));
}

/// Plays a venue that answers 400 to a request with a bad name in it. Returns how many requests it took.
fn refused_for_their_form(venue: &mut TwelveData, is_bad: impl Fn(&str) -> bool) -> usize {
    let mut asked = std::collections::VecDeque::from(venue.open());
    let mut count = 0;
    while let Some(request) = asked.pop_front() {
        count += 1;
        let request: serde_json::Value = serde_json::from_str(request.text.as_deref().unwrap()).unwrap();
        let names: Vec<&str> = request["params"]["symbols"].as_str().unwrap().split(',').collect();
        let answer = if names.iter().any(|name| is_bad(name)) {
            r#"{"status":"error","code":400,"message":"as it says"}"#.to_owned()
        } else {
            let granted: Vec<_> = names.iter().map(|name| serde_json::json!({ "symbol": name })).collect();
            status(&serde_json::to_string(&granted).unwrap(), "null")
        };
        let mut batch = Batch::default();
        venue.read(answer.as_bytes(), &mut batch).unwrap();
        asked.extend(batch.requests);
    }
    count
}

#[test]
fn a_name_that_the_venue_cannot_read_costs_no_other_symbol() {
    let names: Vec<String> = (0..100).map(|number| format!("S{number}")).collect();
    let names: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), None)).collect();
    let mut venue = TwelveData::new(&feed(&names).setup()).unwrap();
    let count = refused_for_their_form(&mut venue, |name| name == "S42");
    assert_eq!(venue.refused(), [(FeedSymbol(42), Reason::NotGranted)]);
    assert!(count < 20, "{count} requests");
}

#[test]
fn rule_10_halves_are_asked_for_as_long_as_the_connection_has_requests() {
    let names: Vec<String> = (0..1_000).map(|number| format!("S{number}")).collect();
    let names: Vec<(&str, Option<&str>)> = names.iter().map(|name| (name.as_str(), None)).collect();
    let mut venue = TwelveData::new(&feed(&names).setup()).unwrap();
    let count = refused_for_their_form(&mut venue, |_| true);
    assert!((REQUESTS_MAX - 1..=REQUESTS_MAX).contains(&count), "{count} requests");
    assert_eq!(venue.refused().len(), 1_000);
}

#[test]
fn rule_10_a_connection_that_was_asked_too_often_is_replaced() {
    let mut venue = venue();
    venue.open();
    let aapl = || (FeedSymbol(0), ListedSymbol::from("AAPL".parse::<Symbol>().unwrap()));
    let is_asked = |_: &u32| venue.change(&[aapl()], &[FeedSymbol(0)]) != Change::Reconnect;
    assert_eq!((0..1_000).take_while(is_asked).count(), (REQUESTS_MAX - 1) / 2);
    assert_eq!(venue.open().len(), 1);
    assert!(matches!(venue.change(&[aapl()], &[FeedSymbol(0)]), Change::Requests(_)));
}

#[test]
fn pairs_have_a_slash_and_addresses_without_prices_are_refused() {
    let name = |symbol: &str| derive(&symbol.parse().unwrap());
    assert_eq!([name("AAPL"), name("BRK.B"), name("EUR-USD")].map(Option::unwrap), ["AAPL", "BRK.B", "EUR/USD"]);
    for other in ["BTC-PERP", "BTC-USD-PERP", "A_B", "BTC-", "BRK.B-USD"] {
        assert_eq!(name(other), None, "{other}");
    }
    for url in ["wss://ws.twelvedata.com", "wss://ws.twelvedata.com/v1/quotes/price", "ws://127.0.0.1:9/x"] {
        assert_eq!(HOME.check(url), Ok(()), "{url}");
    }
    for (url, expected) in [
        ("wss://api.twelvedata.com/v1/quotes/price?apikey=hush", "not the address of its prices"),
        ("wss://ws.twelvedata.com/v1/prices", "not the address of its prices"),
        ("ws://ws.twelvedata.com", "TLS"),
    ] {
        let error = HOME.check(url).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("hush"), "{error}");
    }
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted() {
    for (frame, reason) in [
        ("".to_owned(), DecodeError::Json),
        ("[]".to_owned(), DecodeError::Shape),
        (r#"{"event":7}"#.to_owned(), DecodeError::Shape),
        (r#"{"event":"subscribe-status","success":7}"#.to_owned(), DecodeError::Shape),
        (PRICE.replace("AAPL", "IBM"), DecodeError::UnknownSymbol),
    ] {
        assert_eq!(read(&frame).0, Err(reason), "{frame}");
    }
    for (from, to, reason) in [
        ("175.68970", "\"x\"", DecodeError::Number),
        ("175.68970", "0", DecodeError::Price),
        ("1684508045", "\"soon\"", DecodeError::Time),
        (r#","price":175.68970"#, "", DecodeError::Missing),
    ] {
        assert_eq!(read(PRICE.replace(from, to)).1.errors.of(reason), 1, "{to}");
    }
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(coin: bool, at in 0_usize..250, byte in any::<u8>(), cut in 0_usize..300) {
        let mut frame = if coin { COIN } else { PRICE }.as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let _ = read(frame);
    }
}
