//! Bybit v5: the public streams of its spot market, of linear and of inverse contracts.
//!
//! ```json
//! {"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1781415763123,"data":[{"i":"2290000001189048101",
//!  "T":1781415763121,"p":"65140.5","v":"0.002705","S":"Buy","seq":112488547164,"s":"BTCUSDT","BT":false,"RPI":false}]}
//! {"topic":"orderbook.1.BTCUSDT","ts":1781415763123,"type":"snapshot","data":{"s":"BTCUSDT",
//!  "b":[["65140.4","0.885797"]],"a":[["65140.5","0.31"]],"u":62505425,"seq":112488545865},"cts":1781415763121}
//! {"topic":"tickers.BTCUSDT","type":"delta","data":{"symbol":"BTCUSDT","bid1Price":"65114.20","bid1Size":"6.054"},
//!  "cs":753843907770,"ts":1781415763183}
//! {"success":true,"ret_msg":"","conn_id":"d8bu-j6akw","req_id":"1","op":"subscribe"}
//! {"success":false,"ret_msg":"error:already subscribed,topic:tickers.BTCUSDT","conn_id":"d8bu-j6akw","req_id":"2",
//!  "op":"subscribe"}
//! ```
//! A feed is one category, since a name such as `BTCUSDT` means another thing in each.
//!
//! | part | spot | linear, inverse |
//! |---|---|---|
//! | trade | `publicTrade`, by its id `i` and time `T` | `publicTrade`, by `T`: `i` is a UUID, so equal times pass |
//! | quote | `orderbook.1`, by `u` and time `cts`, else `ts` | `tickers`, by `cs` and time `ts` |
//! | statistics | `tickers`, by `ts`: `cs` repeats | `tickers`, by `cs` and `ts` |
//!
//! - After a restart of the venue's service `u` begins at 1 again; its newer time shows that.
//! - A ticker of contracts is a snapshot first, then deltas: what a delta leaves out has not changed. A delta before
//!   any snapshot of its connection has nothing to add to, so what it leaves out is unknown. In the book's deltas `[]`
//!   is an unchanged side, and a size of zero takes a level away. `""` means none.
//! - The window is 24 hours; `prevPrice24h` is the price at its start. `lastPrice` moves nothing: the trades do.
//! - `S` is the taker's side. `BT` marks a block trade, which is off the book and sets no price.
//! - The venue refuses a request as a whole, for one name that it does not know or one topic that the connection holds.
//!   It documents no error that ends a connection: a refused handshake says by its status whether that passes.

mod book;
mod category;
mod endpoint;
mod event;
mod trades;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Ping, Request, Rules, Setup,
    Silence, Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address},
};
use crate::market::{FeedSymbol, Hours, Reason};
use category::{Category, Channel};
use event::{Answer, Bases};
use std::time::Duration;

/// The venue's limit on the topics of a connection, in characters.
const TOPIC_CHARACTERS_MAX: usize = 21_000;
/// What a name adds to a topic: nearly all names have 10 letters or fewer, and each topic has two quotes and a comma.
const NAME_CHARACTERS: usize = 13;
/// The venue's limit on the topics of a request for spot pairs.
const SPOT_TOPICS_PER_REQUEST: usize = 10;
/// It has none for contracts: so many are some 2 KB.
const TOPICS_PER_REQUEST: usize = 100;
/// The venue documents no rate: this is 20 requests a second.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// The venue allows 1,000 connections of an address: as many as a feed may open.
const CONNECTIONS_MAX: usize = 64;
/// The venue allows an address 500 attempts in five minutes, one in 600 ms: this leaves two fifths for other programs.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// 1,024 trades in a frame are 240 KB.
const MESSAGE_BYTES: usize = 256 << 10;
/// The venue asks for a ping every 20 s, and cuts off after ten minutes without one.
const PING: Ping = Ping { every: Duration::from_secs(20), text: r#"{"op":"ping"}"# };
/// A connection without any frame for two pings is dead.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(40);

/// How many symbols of a category the venue's limit on topics allows.
const fn symbols_max(channels: &[Channel]) -> usize {
    let mut characters = 0;
    let mut place = 0;
    while place < channels.len() {
        characters += channels[place].prefix().len() + NAME_CHARACTERS;
        place += 1;
    }
    TOPIC_CHARACTERS_MAX / characters
}

/// The spec of a category.
macro_rules! spec {
    ($category:ident, $name:literal, $about:literal, $examples:expr) => {
        Spec {
            name: $name,
            about: $about,
            asset_class: AssetClass::Crypto,
            hours: |_| Hours::Always,
            credentials: CredentialsRule::Public,
            symbols_per_connection: symbols_max(Category::$category.channels()),
            connections_max: CONNECTIONS_MAX,
            between_connects: BETWEEN_CONNECTS,
            message_bytes: |_| MESSAGE_BYTES,
            // It answers pings, and sends statistics or quotes every few seconds: without data it is mute.
            heartbeats: false,
            examples: $examples,
            default_symbols: &[],
            options: &[],
            derive: |symbol| Category::$category.derive(symbol),
            data_name: |_| None,
            quotes: Category::$category.quotes(),
            facts: |name| Category::$category.facts(name),
            check_url: |url| endpoint::check(Category::$category, url),
            origin: endpoint::origin,
            delay: |_| None,
            snapshots: None,
            new: |setup| Ok(Box::new(Bybit::new(Category::$category, setup)?)),
            local_server: None,
        }
    };
}

/// Pairs.
pub(super) static SPOT: Spec =
    spec!(Spot, "bybit-spot", "crypto, spot: trades, best bid and ask, 24-hour statistics", &["BTC-USDT", "ETH-USDT"]);
/// Contracts settled in USDT or USDC.
pub(super) static LINEAR: Spec = spec!(
    Linear,
    "bybit-linear",
    "crypto, perpetuals and futures settled in USDT or USDC: trades, best bid and ask, 24-hour statistics",
    &["BTC-USDT-PERP", "ETH-USDT-PERP"]
);
/// Contracts settled in coins.
pub(super) static INVERSE: Spec = spec!(
    Inverse,
    "bybit-inverse",
    "crypto, perpetuals and futures settled in the coin: trades, best bid and ask, 24-hour statistics",
    &["BTC-USD-PERP", "ETH-USD-PERP"]
);

/// Subscriptions to pairs. Without its statistics a symbol still has prices.
static SPOT_FORM: Form<Channel> = Form {
    first_id: 1,
    fit: |_, _| SPOT_TOPICS_PER_REQUEST,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |channel| channel != Channel::Tickers,
};

/// Subscriptions to contracts.
static FORM: Form<Channel> = Form {
    first_id: 1,
    fit: |_, _| TOPICS_PER_REQUEST,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |_| true,
};

/// The protocol of one category.
#[derive(Debug)]
struct Bybit {
    url: String,
    category: Category,
    names: Names,
    subscription: Subscription<Channel>,
    bases: Bases,
}

impl Bybit {
    fn new(category: Category, setup: &Setup<'_>) -> Result<Self, VenueError> {
        let (spec, form) = match category {
            Category::Spot => (&SPOT, &SPOT_FORM),
            Category::Linear => (&LINEAR, &FORM),
            Category::Inverse => (&INVERSE, &FORM),
        };
        let base = setup.url.unwrap_or("wss://stream.bybit.com");
        let url = address::join(base, &format!("/v5/public/{}", category.path()))?;
        let names = Names::new(spec, setup.symbols)?;
        let subscription = Subscription::new(form, &names);
        let bases = Bases::new(names.len());
        Ok(Self { url, category, names, subscription, bases })
    }

    /// A request is refused as a whole: for a topic that the connection holds, which the venue names, or for a name
    /// that it does not know.
    fn ask_in_parts(&mut self, aim: Aim, id: Option<u64>, why: &str, batch: &mut Batch) -> Message {
        let id = id.or_else(|| self.subscription.oldest_id(aim));
        let requests = &mut batch.requests;
        let topic = why.split_once("already subscribed,topic:").map(|(_, topic)| topic.trim());
        match topic.and_then(Channel::of).and_then(|(_, name)| self.names.answer_of(name).ok()) {
            Some(held) => self.subscription.refused_for_held(id, held, &self.names, requests),
            None => self.subscription.refused_for_one(id, Reason::NotGranted, &self.names, requests),
        }
    }
}

impl Venue for Bybit {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules {
            between_requests: BETWEEN_REQUESTS,
            requests_per_hour: None,
            lifetime: None,
            ping: Some(PING),
            heartbeat_timeout: Some(HEARTBEAT_TIMEOUT),
            eviction: None,
        }
    }

    fn open(&mut self) -> Vec<Request> {
        self.bases = Bases::new(self.names.len());
        self.subscription.restart(self.category.channels(), &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let answer = event::read(frame, self.category, &self.names, &mut self.bases, batch)?;
        Ok(match answer {
            Answer::Message(message) => message,
            Answer::Granted(aim, id) => match id.or_else(|| self.subscription.oldest_id(aim)) {
                Some(id) => self.subscription.granted(id),
                None => Message::Control,
            },
            Answer::Refused(aim, id, why) => self.ask_in_parts(aim, id, &why, batch),
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        self.bases.relist(added.iter().map(|(symbol, _)| *symbol));
        let channels = self.category.channels();
        Change::Requests(self.subscription.change((channels, channels), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

fn subscribe(aim: Aim, id: u64, channel: Channel, names: &[&str]) -> String {
    let topics: Vec<String> = names.iter().map(|name| format!("{}{name}", channel.prefix())).collect();
    serde_json::json!({ "op": aim.word("subscribe", "unsubscribe"), "req_id": id.to_string(), "args": topics })
        .to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod order_tests;

#[cfg(test)]
mod dialogue_tests;

#[cfg(test)]
mod recording_tests;
