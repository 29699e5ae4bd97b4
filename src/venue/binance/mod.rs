//! Binance: the combined streams of its spot market, and of its USD-margined futures.
//!
//! ```json
//! {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343000,"s":"BTCUSDT","t":3735683259,
//!  "p":"61837.63000000","q":"0.02000000","T":1723161255342000,"m":true,"M":true}}
//! {"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",
//!  "a":"61837.64000000","A":"1.54698000"}}
//! {"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":1723161255343000,"s":"BTCUSDT","p":"-88.17","P":"-0.142",
//!  "x":"61925.80000000","c":"61837.63000000","o":"61925.79000000","h":"62310.00000000","l":"61002.10000000",
//!  "v":"20248.90000000","q":"1251234567.1","O":1723074855342000,"C":1723161255342000,"F":1,"L":32424,"n":32424}}
//! {"result":null,"id":1}
//! ```
//! An address with `/ws` sends the same events without their envelope: they are read too. Keys differ by their case
//! alone. `m` says that the buyer was the maker: the taker sold.
//!
//! | part | from | order |
//! |---|---|---|
//! | trade | `trade` | the id `t`, and the time `T` |
//! | quote | `bookTicker` | the id `u`; futures have the time `T` too |
//! | statistics | `ticker`, of the last 24 hours | the time `E` |
//!
//! `x` is the close before the window; futures have none. `c`, `b` and `a` of a ticker move nothing: the other streams
//! do. No message ends a connection but `serverShutdown`, which announces it. A ban comes as the status of the
//! handshake, and passes. [`usdm`] says what else differs for futures.

mod endpoint;
mod event;
mod statistics;
mod usdm;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Request, Rules, Setup, Silence,
    Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{FeedSymbol, Hours, Reason, Symbol};
use event::Answer;
use std::time::Duration;

pub(super) use usdm::SPEC as USDM;

const BASE_URL: &str = "wss://stream.binance.com:9443";
const PATH: &str = "/stream?timeUnit=MICROSECOND";

/// The venue's limit on the streams of a connection.
const STREAMS_MAX: usize = 1_024;
const STREAMS: &[&str] = &["trade", "bookTicker", "ticker"];
/// Symbols in one request: some 7 KB, far below any limit on a message, and all are asked for within two seconds.
const SYMBOLS_PER_REQUEST: usize = 100;
/// The venue cuts off a client that sends more than five messages a second, pongs included: this leaves room for those.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(300);
/// The venue documents no limit on open connections: as many as a feed may open.
const CONNECTIONS_MAX: usize = 64;
/// The venue bans an address after 300 attempts in five minutes, one a second: this leaves a third for other programs.
const BETWEEN_CONNECTS: Duration = Duration::from_millis(1_500);
/// The venue ends a connection after 24 hours; half an hour earlier it is still our choice.
const LIFETIME: Duration = Duration::from_secs(23 * 3_600 + 1_800);
/// An answer is short, and so is an event.
const MESSAGE_BYTES: usize = 4 << 10;

/// Binance spot.
pub(super) static SPEC: Spec = Spec {
    name: "binance",
    about: "crypto, spot: trades, best bid and ask, 24-hour statistics",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: STREAMS_MAX / STREAMS.len(),
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    // It sends websocket pings alone.
    heartbeats: false,
    examples: &["BTC-USDT", "ETH-USDT"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[
        "USDT", "USDC", "FDUSD", "USD1", "TUSD", "DAI", "BTC", "ETH", "BNB", "EUR", "EURI", "TRY", "BRL", "JPY", "ARS",
        "PLN", "MXN", "COP", "ZAR", "UAH", "RON", "CZK", "IDR", "XRP", "TRX", "DOGE", "SOL",
    ],
    facts: |name| facts::joined_pair(name, SPEC.quotes),
    check_url: endpoint::check,
    origin: endpoint::origin,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Binance::new(&SPOT, setup)?)),
    local_server: None,
};

/// One of the venue's markets.
#[derive(Debug)]
struct Market {
    spec: &'static Spec,
    base_url: &'static str,
    path: &'static str,
    form: &'static Form<()>,
    rules: Rules,
}

static SPOT: Market = Market {
    spec: &SPEC,
    base_url: BASE_URL,
    path: PATH,
    form: &FORM,
    rules: Rules {
        between_requests: BETWEEN_REQUESTS,
        requests_per_hour: None,
        lifetime: Some(LIFETIME),
        ping: None,
        heartbeat_timeout: None,
        eviction: None,
    },
};

/// Subscriptions: trades, quotes and statistics of each symbol.
static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), _| SYMBOLS_PER_REQUEST,
    write: |aim, id, (), names| subscribe(aim, id, STREAMS, names),
    silence: Silence::Disconnects,
    is_required: |()| true,
};

/// The protocol of a market.
#[derive(Debug)]
struct Binance {
    url: String,
    rules: Rules,
    names: Names,
    subscription: Subscription<()>,
}

impl Binance {
    fn new(market: &Market, setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(market.base_url), market.path)?;
        let names = Names::new(market.spec, setup.symbols)?;
        let subscription = Subscription::new(market.form, &names);
        Ok(Self { url, rules: market.rules, names, subscription })
    }
}

impl Venue for Binance {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        self.rules
    }

    fn open(&mut self) -> Vec<Request> {
        self.subscription.restart(&[()], &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        Ok(match event::read(frame, &self.names, batch)? {
            Answer::Message(message) => message,
            Answer::Granted(id) => self.subscription.granted(id),
            // It does not say which name it means.
            Answer::Refused(id) => {
                self.subscription.refused_for_one(id, Reason::NotGranted, &self.names, &mut batch.requests)
            }
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        Change::Requests(self.subscription.change((&[()], &[()]), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BTC-USDT` is `BTCUSDT` there. A symbol with other separators, or more than one, is not a spot pair.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    if symbol.contains(['.', '_']) || symbol.matches('-').count() > 1 {
        return None;
    }
    Some(symbol.replace('-', ""))
}

fn subscribe(aim: Aim, id: u64, streams: &[&str], names: &[&str]) -> String {
    let params: Vec<String> = names
        .iter()
        .map(|name| name.to_lowercase())
        .flat_map(|name| streams.iter().map(move |stream| format!("{name}@{stream}")))
        .collect();
    serde_json::json!({ "method": aim.word("SUBSCRIBE", "UNSUBSCRIBE"), "params": params, "id": id }).to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod stats_tests;
