//! Frames as the venue sends them, written after its documentation, and what else may come in their place.

use super::*;
use crate::{
    market::{
        Decimal, Field, Halt, QuoteUpdate, Sequence, StatusUpdate, TradeUpdate, TradingSession, UnixMicros, Update,
    },
    venue::{Credentials, kit::Given},
};
use proptest::prelude::*;

const PRICE: &str = r#"{"service":"iex","messageType":"A","data":["2026-08-25T14:30:01.023456789Z","spy",647.250]}"#;
const QUOTE: &str = r#"{"messageType":"A","service":"iex","data":["Q","2019-01-30T13:33:46.383129126-05:00",1548873226383129126,"aapl",100,81.58,81.585,81.59,200,null,null,0,0,null,null,null]}"#;
const TRADE: &str = r#"{"messageType":"A","service":"iex","data":["T","2019-01-30T13:33:46.594808294-05:00",1548873226594808294,"aapl",null,null,null,null,null,50.285,200,null,0,0,0,0]}"#;
const SUBSCRIBED: &str =
    r#"{"response":{"code":200,"message":"Success"},"data":{"subscriptionId":77},"messageType":"I"}"#;

fn feed(names: &[&str]) -> Given {
    let names: Vec<_> = names.iter().map(|name| (*name, None)).collect();
    Given { credentials: Some(Credentials::new("hush", "")), ..Given::symbols(&names) }
}

fn venue() -> Tiingo {
    Tiingo::new(&feed(&["AAPL", "SPY"]).setup()).unwrap()
}

fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
    let mut batch = Batch::default();
    let message = venue().read(frame.as_ref(), &mut batch);
    (message, batch)
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn at(micros: i64) -> Sequence {
    Sequence { id: None, time: Some(UnixMicros(micros)), by_arrival: false }
}

fn texts(requests: Vec<Request>) -> Vec<String> {
    requests.into_iter().map(|request| request.text.unwrap()).collect()
}

#[test]
fn a_reference_price_is_a_trade_without_size_and_side() {
    let (message, batch) = read(PRICE);
    let trade = TradeUpdate {
        sequence: at(1_787_668_201_023_456),
        price: number("647.25"),
        size: Field::Clear,
        side: Field::Clear,
        ..TradeUpdate::default()
    };
    assert_eq!((message, batch.errors.total()), (Ok(Message::Data), 0));
    assert_eq!(batch.updates, [Update { symbol: FeedSymbol(1), trade: Some(trade), ..Update::default() }]);
    for (time, session) in [
        ("2026-08-25T20:00:00.9Z", TradingSession::Regular),
        ("2026-08-25T20:40:00Z", TradingSession::Extended),
        ("2026-08-25T09:05:00-04:00", TradingSession::Extended),
        ("soon", TradingSession::Regular),
    ] {
        let (_, batch) = read(PRICE.replace("2026-08-25T14:30:01.023456789Z", time));
        assert_eq!(batch.updates[0].trade.unwrap().session, session, "{time}");
    }
}

#[test]
fn trades_quotes_and_halts_of_the_other_levels_are_exact() {
    let status = |halted, sequence| Some(StatusUpdate { sequence, closed: None, halted, resume_is_reported: true });
    let sequence = at(1_548_873_226_383_129);
    let quote = QuoteUpdate {
        sequence,
        bid: number("81.58"),
        bid_size: number("100"),
        ask: number("81.59"),
        ask_size: number("200"),
    };
    let (_, batch) = read(QUOTE);
    let update = Update { quote: Some(quote), status: status(Field::Clear, sequence), ..Update::default() };
    assert_eq!((batch.updates, batch.errors.total()), (vec![update], 0));

    let trade = TradeUpdate {
        sequence: at(1_548_873_226_594_808),
        price: number("50.285"),
        size: number("200"),
        side: Field::Clear,
        session: TradingSession::Regular,
        key: None,
    };
    let (_, batch) = read(TRADE);
    assert_eq!(batch.updates, [Update { trade: Some(trade), ..Update::default() }]);
    let (_, batch) = read(TRADE.replace("null,0,0,0,0]", "1,1,0,0,0]"));
    let halted = batch.updates[0];
    assert_eq!(halted.trade.unwrap().session, TradingSession::Extended);
    assert_eq!(halted.status, status(Field::Set(Halt::Other), trade.sequence));
    let (_, batch) = read(TRADE.replace("null,0,0,0,0]", "null,0,0,1,0]"));
    assert_eq!((batch.updates.len(), batch.ineligible), (0, 1), "an odd lot is never the last price");
    let (message, batch) = read(TRADE.replace("\"T\"", "\"B\""));
    assert_eq!((message, batch.updates.len()), (Ok(Message::Data), 0), "a break does not say of which trade");
}

#[test]
fn the_key_goes_with_the_request_and_later_ones_name_the_subscription() {
    let mut venue = venue();
    let first = venue.open();
    let shown = format!("{first:?}");
    assert!(!shown.contains("hush"), "{shown}");
    assert_eq!(
        texts(first),
        [
            r#"{"authorization":"hush","eventData":{"thresholdLevel":"6","tickers":["aapl","spy"]},"eventName":"subscribe"}"#
        ]
    );
    let ibm = [(FeedSymbol(2), "IBM".parse::<Symbol>().unwrap().into())];
    assert_eq!(venue.change(&ibm, &[]), Change::Requests(vec![]), "its number is on its way");
    let mut batch = Batch::default();
    assert_eq!(venue.read(SUBSCRIBED.as_bytes(), &mut batch), Ok(Message::Acknowledged(1)));
    let asked = |event: &str, ticker: &str| {
        format!(
            r#"{{"authorization":"hush","eventData":{{"subscriptionId":77,"tickers":["{ticker}"]}},"eventName":"{event}"}}"#
        )
    };
    assert_eq!(texts(std::mem::take(&mut batch.requests)), [asked("subscribe", "ibm")]);
    let listed = |tickers: &str| {
        format!(
            r#"{{"data":{{"tickers":[{tickers}],"thresholdLevel":"6"}},"messageType":"I","response":{{"code":200,"message":"Success"}}}}"#
        )
    };
    let answer = listed(r#""aapl","spy","ibm""#);
    assert_eq!(venue.read(answer.as_bytes(), &mut batch), Ok(Message::Acknowledged(2)));
    assert_eq!(venue.read(answer.as_bytes(), &mut batch), Ok(Message::Control), "it repeats itself");
    let Change::Requests(ends) = venue.change(&[], &[FeedSymbol(0)]) else { panic!("it can") };
    assert_eq!(texts(ends), [asked("unsubscribe", "aapl")]);
    assert_eq!(venue.read(listed(r#""spy","ibm""#).as_bytes(), &mut batch), Ok(Message::Acknowledged(3)));
    assert_eq!((venue.refused(), batch.errors.total()), (vec![], 0));
    let shown = format!("{venue:?} {batch:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn a_ticker_that_a_list_lacks_is_asked_for_again_and_then_refused() {
    let mut venue = venue();
    venue.open();
    let mut batch = Batch::default();
    venue.read(SUBSCRIBED.as_bytes(), &mut batch).unwrap();
    let Change::Requests(_) = venue.change(&[(FeedSymbol(2), "NOPE".parse::<Symbol>().unwrap().into())], &[]) else {
        panic!("it can")
    };
    let listed = r#"{"data":{"tickers":["spy","aapl"]},"messageType":"I","response":{"code":200}}"#;
    let says = |venue: &mut Tiingo, batch: &mut Batch| venue.read(listed.as_bytes(), batch).unwrap();
    assert_eq!(says(&mut venue, &mut batch), Message::Superseded(2));
    assert_eq!(says(&mut venue, &mut batch), Message::Superseded(3));
    assert_eq!(says(&mut venue, &mut batch), Message::Refused(Some(4)));
    assert_eq!(venue.refused(), [(FeedSymbol(2), Reason::NotGranted)]);
}

#[test]
fn a_ticker_that_the_venue_cannot_read_costs_no_other() {
    let mut venue = venue();
    venue.open();
    let mut batch = Batch::default();
    venue.read(SUBSCRIBED.as_bytes(), &mut batch).unwrap();
    let added = [2, 3].map(|place| (FeedSymbol(place), format!("NEW{place}").parse::<Symbol>().unwrap().into()));
    let Change::Requests(requests) = venue.change(&added, &[]) else { panic!("it can") };
    assert_eq!(requests.len(), 1);
    let bad = br#"{"messageType":"E","response":{"code":400,"message":"a ticker is not valid"}}"#;
    assert_eq!(venue.read(bad, &mut batch), Ok(Message::Superseded(2)));
    let halves = texts(std::mem::take(&mut batch.requests));
    assert!(halves.len() == 2 && halves.iter().all(|half| half.contains(r#""subscriptionId":77"#)), "{halves:?}");
    assert_eq!(venue.read(bad, &mut batch), Ok(Message::Refused(Some(3))));
    // By the number alone.
    assert_eq!(venue.read(SUBSCRIBED.as_bytes(), &mut batch), Ok(Message::Acknowledged(4)));
    assert_eq!(venue.read(SUBSCRIBED.as_bytes(), &mut batch), Ok(Message::Control), "it repeats itself");
    assert_eq!(venue.refused(), [(FeedSymbol(2), Reason::NotGranted)]);
}

#[test]
fn errors_are_fatal_or_passing() {
    let fatal = |reason| Message::Failed(Failure::Fatal(reason));
    let passing = |retry_after| Message::Failed(Failure::Passing { retry_after });
    for (code, expected) in [
        ("400", passing(Some(TOO_MANY))),
        ("401", fatal(Reason::Unauthorized)),
        ("403", fatal(Reason::NotEntitled)),
        ("429", passing(Some(TOO_MANY))),
        ("500", passing(None)),
        ("null", passing(None)),
    ] {
        for kind in ["E", "I"] {
            let frame = format!(
                r#"{{"messageType":"{kind}","response":{{"code":{code},"message":"as it says"}},"data":{{}}}}"#
            );
            assert_eq!(read(frame).0, Ok(expected), "{kind} {code}");
        }
    }
    let level = r#"{"messageType":"E","response":{"code":400,"message":"thresholdLevel not valid"}}"#;
    assert_eq!(read(level).0, Ok(fatal(Reason::NotEntitled)));
    assert_eq!(read(r#"{"response":{"code":200,"message":"HeartBeat"},"messageType":"H"}"#).0, Ok(Message::Control));
}

#[test]
fn the_address_sets_the_level() {
    let level = |url: &str| {
        let feed = Given { url: Some(url.to_owned()), ..feed(&["AAPL"]) };
        Tiingo::new(&feed.setup()).unwrap().level
    };
    assert_eq!((venue().url(), venue().level.as_str()), ("wss://api.tiingo.com/iex", "6"));
    assert_eq!(level("wss://api.tiingo.com/iex?thresholdLevel=5"), "5");
    assert_eq!(level("ws://127.0.0.1:9?thresholdLevel=0"), "0");
    for url in ["wss://api.tiingo.com", "wss://api.tiingo.com/iex?thresholdLevel=0", "ws://127.0.0.1:9/x"] {
        assert_eq!(check_url(url), Ok(()), "{url}");
    }
    for (url, expected) in [
        ("wss://api.tiingo.com/crypto", "/iex"),
        ("wss://api.tiingo.com/fx", "/iex"),
        ("wss://www.tiingo.com/iex", "/iex"),
        ("ws://api.tiingo.com/iex", "TLS"),
        ("wss://api.tiingo.com/iex?thresholdLevel=7", "level"),
    ] {
        let error = check_url(url).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_share_class_has_a_dash() {
    let name = |symbol: &str| derive(&symbol.parse().unwrap());
    assert_eq!((name("BRK.B").as_deref(), name("SPY").as_deref()), (Some("brk-b"), Some("spy")));
    assert_eq!((name("BTC-USD"), name("A_B")), (None, None));
}

#[test]
fn rule_9_bad_bytes_are_dropped_and_counted() {
    for (frame, reason) in [
        ("", DecodeError::Json),
        ("[]", DecodeError::Shape),
        (r#"{"messageType":"A","service":"iex","data":[]}"#, DecodeError::Shape),
        (r#"{"messageType":"A","service":"iex","data":["Q","x"]}"#, DecodeError::Shape),
        (r#"{"messageType":"A","service":"iex","data":7}"#, DecodeError::Shape),
        (r#"{"messageType":"A","service":"iex","data":["2026-08-25T14:30:00Z","ibm",1]}"#, DecodeError::UnknownSymbol),
        (r#"{"messageType":"I","response":{"code":200},"data":{"tickers":7}}"#, DecodeError::Shape),
        (r#"{"messageType":"I","response":7}"#, DecodeError::Shape),
    ] {
        assert_eq!(read(frame).0, Err(reason), "{frame}");
    }
    for (from, to, reason) in [
        ("647.250", "\"x\"", DecodeError::Number),
        ("647.250", "0", DecodeError::Price),
        ("2026-08-25T14:30:01.023456789Z", "soon", DecodeError::Time),
    ] {
        assert_eq!(read(PRICE.replace(from, to)).1.errors.of(reason), 1, "{to}");
    }
    for other in [
        r#"{"service":"crypto_data","messageType":"A","data":["T","btcusd","2026-09-06T03:55:54+00:00","x",0.1,8]}"#,
        r#"{"messageType":"Z"}"#,
        "{}",
    ] {
        assert_eq!(read(other).0, Ok(Message::Other), "{other}");
    }
}

proptest! {
    #[test]
    fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(bytes);
    }

    #[test]
    fn rule_9_no_damage_to_a_frame_panics(
        which in 0_usize..4, at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..250,
    ) {
        let mut frame = [PRICE, QUOTE, TRADE, SUBSCRIBED][which].as_bytes().to_vec();
        let at = at % frame.len();
        frame[at] = byte;
        frame.truncate(cut);
        let _ = read(frame);
    }
}
