//! What differs for futures.

use super::*;
use crate::{
    market::{Decimal, Field, QuoteUpdate, Sequence, Side, UnixMicros, Update},
    venue::{Batch, Message, Venue, binance::event::scanned, kit::Given},
};

const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256325,"T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}"#;
const QUOTE: &str = r#"{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","ps":"BTCUSDT","b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256314,"st":1}}"#;
const TICKER: &str = r#"{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":1723161256350,"s":"BTCUSDT","p":"-88.17","P":"-0.855","w":"61223.98","c":"61800.30","Q":"2.097","o":"61888.47","h":"62310.10","l":"61000.70","v":"20248.900","q":"207024349.13","O":1723074856342,"C":1723161256346,"F":148927,"L":181349,"n":32423}}"#;

fn venue() -> Binance {
    Binance::new(&FUTURES, &Given::symbols(&[("BTC-USDT-PERP", None)]).setup()).unwrap()
}

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn read(frame: &str) -> Vec<Update> {
    let mut batch = Batch::default();
    assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data), "{frame}");
    assert_eq!(batch.errors.total(), 0, "{frame}");
    batch.updates
}

#[test]
fn a_quote_has_an_id_and_a_time() {
    let quote = QuoteUpdate {
        sequence: Sequence {
            id: Some(5_123_107_839_020),
            time: Some(UnixMicros(1_723_161_256_313_000)),
            by_arrival: false,
        },
        bid: number("61800.2"),
        bid_size: number("2.507"),
        ask: number("61800.3"),
        ask_size: number("2.51"),
    };
    let bare = &QUOTE[QUOTE.find("\"data\":").unwrap() + 7..QUOTE.len() - 1];
    for frame in [QUOTE, bare] {
        assert_eq!(read(frame), [Update { quote: Some(quote), ..Update::default() }]);
        assert!(scanned(frame.as_bytes()).is_some());
    }
}

#[test]
fn trades_of_the_market_alone_set_a_price() {
    let trade = read(TRADE)[0].trade.unwrap();
    assert_eq!((trade.price, trade.size, trade.side), (number("61800.3"), number("0.006"), Field::Set(Side::Buy)));
    assert_eq!(trade.sequence.id, Some(5_266_583_935));
    for kind in ["INSURANCE_FUND", "ADL", "NA"] {
        let mut batch = Batch::default();
        let frame = TRADE.replace("MARKET", kind);
        assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        assert_eq!((batch.updates.len(), batch.ineligible), (0, 1), "{kind}");
    }
    assert_eq!(read(&TRADE.replace(r#""X":"MARKET","#, "")).len(), 1, "as before 2020");
}

#[test]
fn statistics_are_read_where_they_arrive_and_not_asked_for() {
    let stats = read(TICKER)[0].stats.unwrap();
    assert_eq!([stats.open, stats.high, stats.low], ["61888.47", "62310.1", "61000.7"].map(number));
    assert_eq!((stats.volume, stats.prev_close), (number("20248.9"), Field::Keep));
    assert_eq!(stats.sequence, Sequence { time: Some(UnixMicros(1_723_161_256_350_000)), ..Sequence::default() });
    let asked = venue().open().remove(0).text.unwrap();
    assert_eq!(asked, r#"{"id":1,"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker"]}"#);
    assert_eq!(venue().url(), "wss://fstream.binance.com/public/stream");
    assert_eq!(SPEC.symbols_per_connection, 512);
}

#[test]
fn names_follow_from_perpetual_symbols_alone() {
    for (symbol, name) in [
        ("BTC-USDT-PERP", Some("BTCUSDT")),
        ("ETH-USDC-PERP", Some("ETHUSDC")),
        ("BTC-USDT", None),
        ("BTCUSDT", None),
        ("BTCUSDT-PERP", None),
        ("A-B-C-PERP", None),
        ("A.B-USDT-PERP", None),
    ] {
        assert_eq!(derive(&symbol.parse().unwrap()).as_deref(), name, "{symbol}");
    }
}

#[test]
fn an_address_that_can_never_carry_trades_and_quotes_is_refused_with_what_would_be_right() {
    for url in [
        "wss://fstream.binance.com",
        "wss://FSTREAM.binance.com/public/stream?streams=btcusdt@trade",
        "wss://fstream.binance.com/public/ws/btcusdt@trade",
        "wss://stream.binancefuture.com/public/stream",
        "ws://127.0.0.1:9/ws",
        "wss://proxy.example/stream",
    ] {
        assert_eq!(check(url), Ok(()), "{url}");
    }
    for (url, expected) in [
        ("wss://fstream.binance.com/ws", "old path"),
        ("wss://fstream.binance.com/ws/btcusdt@trade", "old path"),
        ("wss://fstream.binance.com/stream?streams=btcusdt@trade", "old path"),
        ("wss://fstream.binance.com/market/stream", "no quotes"),
        ("wss://fstream.binance.com/private/ws", "no market data"),
        ("wss://fstream.binance.com/public", "without such streams"),
        ("wss://dstream.binance.com/stream", "coin-margined"),
        ("wss://stream.binance.com:9443", "not a host"),
        ("wss://fapi.binance.com/public/stream", "not a host"),
        ("ws://fstream.binance.com/public/stream", "TLS"),
    ] {
        let error = check(url).unwrap_err().to_string();
        assert!(error.contains(expected) && error.ends_with("/public/stream"), "{error}");
    }
    assert_eq!(origin(Some("wss://stream.binancefuture.com")), Origin::Sim);
    assert_eq!([origin(None), origin(Some("wss://fstream.binance.com"))], [Origin::Market; 2]);
}

/// Every recorded frame of a stream that is read, where the recordings are there.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let path = std::path::Path::new(&folder).join("samples/binance_usdm-2.jsonl");
    let names = ["BTCUSDT", "ETCUSDT", "ETHUSDT", "BTCUSDT_220624", "BTCUSDT_210625"].map(|name| (name, Some(name)));
    let mut venue = Binance::new(&FUTURES, &Given::symbols(&names).setup()).unwrap();
    let mut batch = Batch::default();
    let mut read = 0;
    for frame in std::fs::read_to_string(path).unwrap().lines() {
        let message = venue.read(frame.as_bytes(), &mut batch);
        let is_read = ["\"trade\"", "\"bookTicker\"", "\"24hrTicker\""].iter().any(|kind| frame.contains(kind));
        assert_eq!(message, Ok(if is_read { Message::Data } else { Message::Other }), "{frame}");
        if is_read {
            assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
            read += 1;
        }
        assert_eq!(batch.updates.len() as u64 + batch.ineligible, read, "{frame}");
    }
    assert_eq!((batch.errors.total(), batch.ineligible), (0, 1));
}
