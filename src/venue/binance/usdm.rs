//! Binance's USD-margined futures.
//!
//! Its host has two paths. `/public` carries trades and quotes, `/market` statistics. A feed has one connection per
//! list of symbols, so it asks for trades and quotes alone; statistics are read where they arrive, in recordings. The
//! paths `/ws` and `/stream` of before April 2026 no longer carry both.
//!
//! - Sizes are in coins. A symbol ends in `-PERP`: `BTC-USDT-PERP` is `BTCUSDT` there. Dated contracts such as
//!   `BTCUSDT_261225` are mapped by the configuration.
//! - A trade has `X`. All but `MARKET` (`INSURANCE_FUND`, `ADL`, `NA`) are off the book and set no price.
//! - `bookTicker` has the name of an event and times, which the spot market's lacks:
//!
//! ```json
//! {"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":5123107839020,"s":"BTCUSDT","ps":"BTCUSDT",
//!  "b":"61800.20","B":"2.507","a":"61800.30","A":"2.510","T":1723161256313,"E":1723161256314,"st":1}}
//! ```

use super::{
    BETWEEN_CONNECTS, Binance, CONNECTIONS_MAX, MESSAGE_BYTES, Market, STREAMS_MAX, SYMBOLS_PER_REQUEST, subscribe,
};
use crate::{
    market::{Facts, Hours, InstrumentKind, Origin, Symbol},
    venue::{
        AssetClass, CredentialsRule, Rules, Silence, Spec, VenueError,
        kit::{Form, address, facts},
    },
};
use std::time::Duration;

const STREAMS: &[&str] = &["trade", "bookTicker"];
const HOST: &str = "fstream.binance.com";
/// The hosts of the test network.
const TEST_HOSTS: [&str; 2] = ["stream.binancefuture.com", "fstream.binancefuture.com"];
const ADDRESS: &str = "write wss://fstream.binance.com, or with the path /public/stream";

/// Binance's USD-margined futures.
pub(in crate::venue) static SPEC: Spec = Spec {
    name: "binance-usdm",
    about: "crypto, futures margined in dollars: trades, best bid and ask",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: STREAMS_MAX / STREAMS.len(),
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    // It sends websocket pings alone.
    heartbeats: false,
    examples: &["BTC-USDT-PERP", "ETH-USDT-PERP"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &["USDT", "USDC", "USD1", "BTC"],
    facts: contract_of,
    check_url: check,
    origin,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Binance::new(&FUTURES, setup)?)),
    local_server: None,
};

pub(super) static FUTURES: Market = Market {
    spec: &SPEC,
    base_url: "wss://fstream.binance.com",
    path: "/public/stream",
    form: &FORM,
    rules: Rules {
        // The venue cuts off a client that sends more than ten messages a second, pongs included.
        between_requests: Duration::from_millis(150),
        requests_per_hour: None,
        // The venue ends a connection after 24 hours.
        lifetime: Some(Duration::from_secs(23 * 3_600)),
        ping: None,
        heartbeat_timeout: None,
        eviction: None,
    },
};

/// Subscriptions: trades and quotes of each symbol.
static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), _| SYMBOLS_PER_REQUEST,
    write: |aim, id, (), names| subscribe(aim, id, STREAMS, names),
    silence: Silence::Disconnects,
    is_required: |()| true,
};

/// `BTC-USDT-PERP` is `BTCUSDT` there. `BTC-USDT` is a pair of the spot market.
fn derive(symbol: &Symbol) -> Option<String> {
    let (coin, margin) = symbol.as_str().strip_suffix("-PERP")?.split_once('-')?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(['.', '_', '-']);
    (is_plain(coin) && is_plain(margin)).then(|| format!("{coin}{margin}"))
}

/// A dated contract has its day behind a `_`: `BTCUSDT_260925`.
fn contract_of(name: &str) -> Facts {
    let (pair, kind) = match name.split_once('_') {
        Some((pair, _)) => (pair, InstrumentKind::Future),
        None => (name, InstrumentKind::Perpetual),
    };
    match facts::split_joined(pair, SPEC.quotes) {
        Some((_, margin)) => facts::priced_in(margin, Some(kind)),
        None => Facts { kind: Some(kind), ..Facts::default() },
    }
}

/// Rejects what can never carry these trades and quotes. Another host than the venue's own has paths of its own.
fn check(url: &str) -> Result<(), VenueError> {
    let (host, path) = address::parts(url);
    if !["binance.com", "binance.us", "binance.vision", "binancefuture.com"]
        .iter()
        .any(|domain| address::is_within(&host, domain))
    {
        return Ok(());
    }
    let wrong = |why| Err(address::wrong(url, why, ADDRESS));
    if host.starts_with("dstream.") {
        return wrong("carries coin-margined futures, which no venue here supports");
    }
    if host != HOST && !TEST_HOSTS.contains(&host.as_str()) {
        return wrong("is not a host of these futures' streams");
    }
    match path.as_slice() {
        [] | ["public", "stream"] | ["public", "ws", ..] => {}
        ["ws", ..] | ["stream"] => return wrong("is an old path, which no longer carries all streams"),
        ["market", ..] => return wrong("carries statistics and mark prices, but no quotes"),
        ["private", ..] => return wrong("carries no market data"),
        _ => return wrong("has a path without such streams"),
    }
    if !url.to_ascii_lowercase().starts_with("wss://") {
        return wrong("is not served without TLS");
    }
    Ok(())
}

/// What the data are.
fn origin(url: Option<&str>) -> Origin {
    let is_test = url.is_some_and(|url| TEST_HOSTS.contains(&address::parts(url).0.as_str()));
    if is_test { Origin::Sim } else { Origin::Market }
}

#[cfg(test)]
#[path = "usdm_tests.rs"]
mod tests;
