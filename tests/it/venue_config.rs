//! What `check` says of a venue's symbols and addresses: a hint that it would refuse next is worse than none.

use std::{fs, path::PathBuf};
use tickfan::{
    config::{Config, Overrides, load},
    market::{Hours, Origin, Schedule},
    venue::{self, CredentialsRule},
};

/// Loads one feed of this venue, with these lines.
fn feed(test: &str, venue: &str, lines: &str) -> Result<Config, String> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("venue_config_{test}.toml"));
    let keys = match venue::find(venue).unwrap().credentials {
        CredentialsRule::Public => "",
        CredentialsRule::Key { .. } => "key_env = \"K\"\n",
        CredentialsRule::KeyAndSecret { .. } => "key_env = \"K\"\nsecret_env = \"S\"\n",
    };
    fs::write(&path, format!("[[feed]]\nvenue = \"{venue}\"\n{keys}{lines}\n")).unwrap();
    let variables = ["K", "S"].map(|name| (name.into(), "x".into()));
    load(Some(&path), variables, &Overrides::default()).map_err(|error| error.to_string())
}

fn hint(message: &str) -> Option<&str> {
    message.split_once("did you mean `")?.1.split('`').next()
}

#[test]
fn a_hint_for_a_symbol_is_one_that_the_same_venue_accepts() {
    for (venue, symbol, expected) in [
        ("alpaca", "BRK/B", Some("BRK.B")),
        ("alpaca", "brk.b", Some("BRK.B")),
        ("alpaca", "BRK-B", Some("BRK.B")),
        ("alpaca", "BRK B", Some("BRK.B")),
        ("alpaca", " aapl ", Some("AAPL")),
        ("alpaca", "BTC/USDT", None),
        ("alpaca", "BTC-USD", None),
        ("alpaca", "(AAPL)", None),
        ("alpaca-crypto", "BTC/USD", Some("BTC-USD")),
        ("alpaca-crypto", "AAPL", None),
        ("finnhub", "BRK/B", Some("BRK.B")),
        ("tiingo", "aapl", Some("AAPL")),
        ("twelvedata", "eur/usd", Some("EUR-USD")),
        ("binance", "BTC/USDT", Some("BTC-USDT")),
        ("binance", "btcusdt", Some("BTCUSDT")),
        ("binance", "btc_usdt", Some("BTC-USDT")),
        ("binance", "BTC:USDT", Some("BTC-USDT")),
        ("binance", "BTC/USDT/PERP", None),
        ("binance", "BTC-USDT-PERP", None),
        ("binance", "BTCUSDT@trade", None),
        ("binance-usdm", "BTC-USDT", Some("BTC-USDT-PERP")),
        ("binance-usdm", "btc/usdt/perp", Some("BTC-USDT-PERP")),
        ("binance-usdm", "BTCUSDT", None),
        ("bybit-spot", "BTC/USDT", Some("BTC-USDT")),
        ("bybit-spot", "BTC-USDT-PERP", None),
        ("bybit-linear", "BTC-USDT", Some("BTC-USDT-PERP")),
        ("bybit-linear", "BTC-USD", None),
        ("bybit-linear", "BTC-USDC-PERP", None),
        ("bybit-inverse", "BTC-USD", Some("BTC-USD-PERP")),
        ("kraken", "BTC/USD", Some("BTC-USD")),
        ("kraken", "xbt/usd", None),
        ("kraken", "BTCUSD", None),
        ("bitstamp", "btcusd", Some("BTCUSD")),
        ("bitstamp", "eth/eur", Some("ETH-EUR")),
        ("coinbase", "BTC/USD", Some("BTC-USD")),
        ("coinbase", "btc_usd", Some("BTC-USD")),
        ("coinbase", "BTC-USD-PERP", None),
        ("okx", "BTC/USDT", Some("BTC-USDT")),
        ("okx", "btc_usdt", Some("BTC-USDT")),
        ("okx", "BTC-PERP", None),
        ("sim", "brk/b", Some("BRK-B")),
        ("sim", "", None),
    ] {
        let message = feed("hints", venue, &format!("symbols = [\"{symbol}\"]")).unwrap_err();
        assert_eq!(hint(&message), expected, "{venue} {message}");
        if let Some(hinted) = expected {
            assert!(feed("hints", venue, &format!("symbols = [\"{hinted}\"]")).is_ok(), "{venue} {hinted}");
        }
    }
    for (venue, symbol) in [
        ("alpaca", "BRK.B"),
        ("binance", "BTCUSDT"),
        ("binance", "BTC-USDT"),
        ("coinbase", "BTC-USDC"),
        ("okx", "BTC-USDT-PERP"),
    ] {
        assert!(feed("hints", venue, &format!("symbols = [\"{symbol}\"]")).is_ok(), "{venue} {symbol}");
    }
}

#[test]
fn a_name_that_the_file_gives_passes_whatever_the_venue_derives() {
    for (venue, symbol, name) in [
        ("alpaca", "BRK-B", "BRK.B"),
        ("alpaca", "BTC-USD", "BTC/USD"),
        ("binance", "BTC-USDT-PERP", "BTCUSDT"),
        ("binance", "BRK.B", "X"),
        ("binance-usdm", "BTC-USDT-261225", "BTCUSDT_261225"),
        ("bybit-linear", "BTC-USDC-PERP", "BTCPERP"),
        ("kraken", "AAPLX-USD", "AAPLx/USD"),
    ] {
        assert!(feed("mapped", venue, &format!("symbols = {{ \"{symbol}\" = \"{name}\" }}")).is_ok(), "{symbol}");
    }
    for (venue, symbol, name, expected) in [
        ("binance", "btc/usdt", "BTCUSDT", Some("BTC-USDT")),
        ("alpaca", "BRK/B", "BRK.B", Some("BRK.B")),
        ("alpaca", "BTC/USD", "btc/usd", Some("BTC-USD")),
        ("binance", "XBT/USDT", "BTC-USDT", None),
    ] {
        let message = feed("mapped", venue, &format!("symbols = {{ \"{symbol}\" = \"{name}\" }}")).unwrap_err();
        assert_eq!(hint(&message), expected, "{message}");
    }
}

#[test]
fn two_symbols_whose_data_a_venue_sends_under_one_name_are_refused_together() {
    let message = feed("one-book", "coinbase", "symbols = [\"BTC-USD\", \"BTC-USDC\"]").unwrap_err();
    assert!(message.contains("`BTC-USD` and `BTC-USDC` are both `BTC-USD` at the venue"), "{message}");
    assert!(feed("two-books", "coinbase", "symbols = [\"USDT-USD\", \"USDT-USDC\"]").is_ok());
}

#[test]
fn an_address_that_can_never_work_is_refused_at_its_place_with_what_would_be_right() {
    for (venue, url, expected) in [
        ("binance", "wss://fstream.binance.com/ws", "venue = \"binance-usdm\""),
        ("binance-usdm", "wss://fstream.binance.com/stream", "/public/stream"),
        ("binance-usdm", "wss://stream.binance.com:9443", "/public/stream"),
        ("bybit-spot", "wss://stream.bybit.com/v5/public/linear", "venue = \"bybit-linear\""),
        ("bybit-inverse", "wss://stream.bybit.com/v5/private", "/v5/public/inverse"),
        ("binance", "wss://stream.binance.com:9443/api", "/stream or /ws"),
        ("binance", "https://stream.binance.com:9443/ws", "write \"wss://\""),
        ("binance", "ws://stream.binance.com:9443/ws", "write wss://"),
        ("kraken", "wss://ws-auth.kraken.com/v2", "wss://ws.kraken.com/v2"),
        ("bitstamp", "wss://www.bitstamp.net/websocket", "wss://ws.bitstamp.net"),
        ("coinbase", "wss://ws-feed.exchange.coinbase.com", "wss://advanced-trade-ws.coinbase.com"),
        ("okx", "wss://ws.okx.com:8443/ws/v5/private", "wss://ws.okx.com:8443/ws/v5/public"),
        ("alpaca", "wss://stream.data.alpaca.markets/v1beta1/news", "/v2/iex"),
        ("alpaca", "wss://stream.data.alpaca.markets/v1beta1/options", "/v2/iex"),
        ("alpaca", "wss://stream.data.alpaca.markets/v1beta3/crypto", "/v1beta3/crypto/us"),
        ("alpaca", "wss://stream.data.alpaca.markets/v1beta3/crypto/us", "venue = \"alpaca-crypto\""),
        ("alpaca-crypto", "wss://stream.data.alpaca.markets/v2/iex", "venue = \"alpaca\""),
        ("massive", "wss://socket.massive.com/options", "wss://socket.massive.com/stocks"),
        ("finnhub", "wss://finnhub.io/api/v1", "wss://ws.finnhub.io"),
        ("tiingo", "wss://api.tiingo.com/crypto", "wss://api.tiingo.com/iex"),
        ("twelvedata", "wss://api.twelvedata.com/price", "wss://ws.twelvedata.com"),
    ] {
        let symbol = venue::find(venue).unwrap().examples[0];
        let message = feed("urls", venue, &format!("url = \"{url}\"\nsymbols = [\"{symbol}\"]")).unwrap_err();
        assert!(message.contains(expected) && message.contains(".toml:") && message.contains(url), "{message}");
    }
}

#[test]
fn a_feeds_hours_and_origin_follow_its_address_unless_the_file_says_otherwise() {
    let of = |path: &str, hours: &str| {
        let lines = format!(
            "url = \"wss://stream.data.alpaca.markets{path}\"\n{hours}\nsymbols = {{ \"BTC-USD\" = \"BTC/USD\" }}"
        );
        let feed = feed("hours", "alpaca", &lines).unwrap().feeds.remove(0);
        (feed.schedule, (feed.venue.origin)(feed.url.as_deref()))
    };
    let schedule = |hours| Schedule::new(hours, Vec::new());
    for (path, hours, origin) in [
        ("/v2/sip", Hours::UsEquities, Origin::Market),
        ("/v2/delayed_sip", Hours::UsEquities, Origin::Delayed),
        ("/v2/test", Hours::Always, Origin::Sim),
        ("/v1beta1/overnight", Hours::UsOvernight, Origin::Market),
        ("/v1beta1/boats", Hours::UsOvernight, Origin::Market),
    ] {
        assert_eq!(of(path, ""), (schedule(hours), origin), "{path}");
        assert_eq!(of(path, "hours = \"us-equities\"").0, schedule(Hours::UsEquities), "{path}");
    }
    assert_eq!(of("/v2/sip", "hours = \"us-overnight\"").0, schedule(Hours::UsOvernight));
    for (venue, lines, hours, origin) in [
        ("alpaca-crypto", "symbols = [\"BTC-USD\"]", Hours::Always, Origin::Market),
        ("massive", "symbols = [\"AAPL\"]", Hours::UsEquities, Origin::Market),
        (
            "massive",
            "symbols = [\"AAPL\"]\nurl = \"wss://delayed.massive.com/stocks\"",
            Hours::UsEquities,
            Origin::Delayed,
        ),
    ] {
        let feed = feed("venues-hours", venue, lines).unwrap().feeds.remove(0);
        assert_eq!(feed.schedule, schedule(hours), "{venue}");
        assert_eq!((feed.venue.origin)(feed.url.as_deref()), origin, "{lines}");
    }
}
