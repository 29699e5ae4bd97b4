//! What each venue is asked when the list of a living connection changes, in the words of its documentation.

use super::*;
use crate::market::{FeedSymbol, Symbol};
use serde_json::{Value, json};

fn listed(name: &str) -> ListedSymbol {
    name.parse::<Symbol>().unwrap().into()
}

/// A connection of two symbols that has asked for them.
fn asked(spec: &'static Spec, symbols: [&str; 2]) -> Box<dyn Venue> {
    let symbols = symbols.map(listed);
    let credentials = (spec.credentials != CredentialsRule::Public).then(|| Credentials::new("key", "secret"));
    let setup = Setup { url: None, symbols: &symbols, credentials: credentials.as_ref(), playback: None };
    let mut venue = super::new(spec, &setup).unwrap();
    venue.open();
    for frame in welcome(spec.name) {
        venue.read(frame.to_string().as_bytes(), &mut Batch::default()).unwrap();
    }
    venue
}

/// What the venue says before its list can change.
fn welcome(venue: &str) -> Vec<Value> {
    match venue {
        "alpaca" | "alpaca-crypto" => {
            ["connected", "authenticated"].map(|said| json!([{ "T": "success", "msg": said }])).to_vec()
        }
        "massive" => ["connected", "auth_success"].map(|said| json!([{ "ev": "status", "status": said }])).to_vec(),
        "tiingo" => vec![json!({ "messageType": "I", "response": { "code": 200 }, "data": { "subscriptionId": 7 } })],
        _ => Vec::new(),
    }
}

/// The venues that are asked for the list after a login.
const LOG_IN: [&str; 3] = ["massive", "alpaca", "alpaca-crypto"];

/// What it asks for as the first symbol goes and a third one comes; without the ids.
fn change(spec: &'static Spec, symbols: [&str; 3]) -> Vec<Value> {
    let mut venue = asked(spec, [symbols[0], symbols[1]]);
    let added = [(FeedSymbol(2), listed(symbols[2]))];
    let Change::Requests(requests) = venue.change(&added, &[FeedSymbol(0)]) else { panic!("{} can", spec.name) };
    let is_end = |request: &Request| request.silence == Silence::Ends;
    let ends = requests.iter().filter(|request| is_end(request)).count();
    assert!(requests.iter().take(ends).all(is_end), "{}: ends go first", spec.name);
    let text = |request: Request| {
        let mut text: Value = serde_json::from_str(&request.text.unwrap()).unwrap();
        for key in ["id", "req_id"] {
            text.as_object_mut().unwrap().remove(key);
        }
        text
    };
    requests.into_iter().map(text).collect()
}

#[test]
fn each_venue_is_asked_in_its_own_words_to_end_subscriptions_and_to_begin_others() {
    let spot = ["BTC-USDT", "ETH-USDT", "SOL-USDT"];
    let perpetual = ["BTC-USDT-PERP", "ETH-USDT-PERP", "SOL-USDT-PERP"];
    let dollars = ["BTC-USD", "ETH-USD", "SOL-USD"];
    let kraken = |method: &str, channel: &str, symbol: &str| {
        let mut params = json!({ "channel": channel, "symbol": [symbol] });
        if method == "subscribe" {
            params["snapshot"] = true.into();
        }
        if channel == "ticker" {
            params["event_trigger"] = "bbo".into();
        }
        json!({ "method": method, "params": params })
    };
    let coinbase = |kind: &str, channel: &str, product: &str| json!({ "type": kind, "channel": channel, "product_ids": [product] });
    let okx =
        |op: &str, channel: &str, name: &str| json!({ "op": op, "args": [{ "channel": channel, "instId": name }] });
    let bybit = |op: &str, topic: &str| json!({ "op": op, "args": [topic] });
    let bitstamp = |event: &str, channel: &str| json!({ "event": event, "data": { "channel": channel } });
    let cases: Vec<(&str, [&str; 3], Vec<Value>)> = vec![
        (
            "sim",
            ["AAPL", "MSFT", "IBM"],
            vec![json!({ "op": "unsubscribe", "symbols": ["AAPL"] }), json!({ "op": "subscribe", "symbols": ["IBM"] })],
        ),
        (
            "binance",
            spot,
            vec![
                json!({ "method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@ticker"] }),
                json!({ "method": "SUBSCRIBE", "params": ["solusdt@trade", "solusdt@bookTicker", "solusdt@ticker"] }),
            ],
        ),
        (
            "binance-usdm",
            perpetual,
            vec![
                json!({ "method": "UNSUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@bookTicker"] }),
                json!({ "method": "SUBSCRIBE", "params": ["solusdt@trade", "solusdt@bookTicker"] }),
            ],
        ),
        (
            "kraken",
            dollars,
            vec![
                kraken("unsubscribe", "trade", "BTC/USD"),
                kraken("unsubscribe", "ticker", "BTC/USD"),
                kraken("subscribe", "trade", "SOL/USD"),
                kraken("subscribe", "ticker", "SOL/USD"),
            ],
        ),
        (
            "coinbase",
            dollars,
            vec![
                coinbase("unsubscribe", "market_trades", "BTC-USD"),
                coinbase("unsubscribe", "ticker", "BTC-USD"),
                coinbase("unsubscribe", "status", "BTC-USD"),
                coinbase("subscribe", "market_trades", "SOL-USD"),
                coinbase("subscribe", "ticker", "SOL-USD"),
            ],
        ),
        (
            "okx",
            perpetual,
            vec![
                okx("unsubscribe", "trades", "BTC-USDT-SWAP"),
                okx("unsubscribe", "bbo-tbt", "BTC-USDT-SWAP"),
                okx("unsubscribe", "tickers", "BTC-USDT-SWAP"),
                okx("subscribe", "trades", "SOL-USDT-SWAP"),
                okx("subscribe", "bbo-tbt", "SOL-USDT-SWAP"),
                okx("subscribe", "tickers", "SOL-USDT-SWAP"),
            ],
        ),
        (
            "bybit-spot",
            spot,
            vec![
                bybit("unsubscribe", "publicTrade.BTCUSDT"),
                bybit("unsubscribe", "orderbook.1.BTCUSDT"),
                bybit("unsubscribe", "tickers.BTCUSDT"),
                bybit("subscribe", "publicTrade.SOLUSDT"),
                bybit("subscribe", "orderbook.1.SOLUSDT"),
                bybit("subscribe", "tickers.SOLUSDT"),
            ],
        ),
        (
            "bybit-linear",
            perpetual,
            vec![
                bybit("unsubscribe", "publicTrade.BTCUSDT"),
                bybit("unsubscribe", "tickers.BTCUSDT"),
                bybit("subscribe", "publicTrade.SOLUSDT"),
                bybit("subscribe", "tickers.SOLUSDT"),
            ],
        ),
        (
            "bitstamp",
            dollars,
            vec![
                bitstamp("bts:unsubscribe", "live_trades_btcusd"),
                bitstamp("bts:unsubscribe", "order_book_btcusd"),
                bitstamp("bts:subscribe", "live_trades_solusd"),
                bitstamp("bts:subscribe", "order_book_solusd"),
            ],
        ),
        (
            "alpaca",
            ["AAPL", "MSFT", "IBM"],
            vec![
                json!({ "action": "unsubscribe", "trades": ["AAPL"], "quotes": ["AAPL"] }),
                json!({ "action": "unsubscribe", "dailyBars": ["AAPL"], "statuses": ["AAPL"], "lulds": ["AAPL"] }),
                json!({ "action": "subscribe", "trades": ["IBM"], "quotes": ["IBM"] }),
            ],
        ),
        (
            "alpaca-crypto",
            dollars,
            vec![
                json!({ "action": "unsubscribe", "trades": ["BTC/USD"], "quotes": ["BTC/USD"] }),
                json!({ "action": "unsubscribe", "dailyBars": ["BTC/USD"] }),
                json!({ "action": "subscribe", "trades": ["SOL/USD"], "quotes": ["SOL/USD"] }),
            ],
        ),
        (
            "finnhub",
            ["AAPL", "MSFT", "IBM"],
            vec![json!({ "type": "unsubscribe", "symbol": "AAPL" }), json!({ "type": "subscribe", "symbol": "IBM" })],
        ),
        (
            "massive",
            ["AAPL", "MSFT", "IBM"],
            ["T", "Q", "A", "LULD"]
                .map(|channel| json!({ "action": "unsubscribe", "params": format!("{channel}.AAPL") }))
                .into_iter()
                .chain(
                    ["T", "Q", "A", "LULD"]
                        .map(|channel| json!({ "action": "subscribe", "params": format!("{channel}.IBM") })),
                )
                .collect(),
        ),
        (
            "tiingo",
            ["AAPL", "MSFT", "IBM"],
            ["unsubscribe aapl", "subscribe ibm"]
                .map(|asked| asked.split_once(' ').unwrap())
                .map(|(event, ticker)| {
                    let data = json!({ "subscriptionId": 7, "tickers": [ticker] });
                    json!({ "authorization": "key", "eventName": event, "eventData": data })
                })
                .to_vec(),
        ),
        (
            "twelvedata",
            dollars,
            vec![
                json!({ "action": "unsubscribe", "params": { "symbols": "BTC/USD" } }),
                json!({ "action": "subscribe", "params": { "symbols": "SOL/USD" } }),
            ],
        ),
    ];
    for (name, symbols, expected) in &cases {
        assert_eq!(change(find(name).unwrap(), *symbols), *expected, "{name}");
    }
    let known = |spec: &&&Spec| spec.plays_recordings() || cases.iter().any(|(name, ..)| *name == spec.name);
    let missing: Vec<_> = VENUES.iter().filter(|spec| !known(spec)).map(|spec| spec.name).collect();
    assert_eq!(missing, ["bybit-inverse"], "which is as the linear one");
}

#[test]
fn before_the_login_the_list_changes_without_a_request() {
    for spec in LOG_IN.map(|name| find(name).unwrap()) {
        let credentials = Credentials::new("key", "secret");
        let setup = Setup { url: None, symbols: &[], credentials: Some(&credentials), playback: None };
        let mut venue = super::new(spec, &setup).unwrap();
        venue.open();
        let added = [(FeedSymbol(0), listed(spec.examples[0]))];
        assert_eq!(venue.change(&added, &[]), Change::Requests(Vec::new()), "{}", spec.name);
    }
}
