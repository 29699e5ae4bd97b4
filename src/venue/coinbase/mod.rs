//! Coinbase Advanced Trade: the channels `market_trades`, `ticker`, `status` and `heartbeats`.
//!
//! ```json
//! {"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"market_trades"}
//! {"channel":"subscriptions","timestamp":"2026-08-09T21:05:48.229226136Z","sequence_num":2,
//!  "events":[{"subscriptions":{"market_trades":["BTC-USD","ETH-USD"],"heartbeats":["heartbeats"]}}]}
//! {"type":"error","message":"..."}
//! {"channel":"market_trades","timestamp":"2026-08-09T21:05:48.251397169Z","sequence_num":9,
//!  "events":[{"type":"update","trades":[{"product_id":"BTC-USD","trade_id":"1000000091","price":"65083.67",
//!  "size":"0.01034361","time":"2026-08-09T21:05:48.167634Z","side":"SELL"}]}]}
//! {"channel":"ticker","timestamp":"2026-08-09T21:05:48.298032046Z","sequence_num":10,
//!  "events":[{"type":"update","tickers":[{"type":"ticker","product_id":"ETH-USD","price":"1919.41",
//!  "volume_24_h":"19975.95927439","low_24_h":"1911.04","high_24_h":"1925","low_52_w":"1505","high_52_w":"4955.9",
//!  "price_percent_chg_24_h":"0.02501394006035","best_bid":"1919.44","best_ask":"1919.49",
//!  "best_bid_quantity":"0.02858092","best_ask_quantity":"0.07814824"}]}]}
//! {"channel":"status","timestamp":"2026-08-09T21:05:48.3Z","sequence_num":11,
//!  "events":[{"type":"snapshot","products":[{"product_type":"SPOT","id":"BTC-USD","base_currency":"BTC",
//!  "quote_currency":"USD","base_increment":"0.00000001","quote_increment":"0.01","display_name":"BTC/USD",
//!  "status":"online","status_message":"","min_market_funds":"1"}]}]}
//! {"channel":"heartbeats","timestamp":"2026-08-09T21:05:49.114Z","sequence_num":12,
//!  "events":[{"current_time":"2026-08-09 21:05:49.114 +0000 UTC m=+41691.26","heartbeat_counter":41691}]}
//! ```
//! Older frames also have a `client_id`.
//!
//! - **Trades** are ordered by `trade_id`, and have a time of their own. They come newest first; of a snapshot only the
//!   newest of each product counts. `side` is the maker's: the taker is the other.
//! - **Quotes, statistics and statuses** are ordered by the time of their frame. The statistics span 24 hours, without
//!   open and previous close. The `price` of a ticker lags behind the trades, and moves nothing.
//! - **Statuses**: a product that is not `online` is halted until it is. That one is `online` proves no data.
//! - **Facts** come with the status: the currency of a product's prices, and the decimals of its two increments. Its
//!   `display_name` says no more than its id.
//! - **`sequence_num`** counts all frames of the connection from 0. A hole means that frames were lost.
//! - **Answers** list all that is subscribed so far. An error names no request: it refuses the oldest one without an
//!   answer, whose products are asked for again in smaller requests until the bad one is found. No error is fatal.
//! - **The trades and the ticker** of a product must both be granted; heartbeats and statuses are extras.
//! - **Books in USDC are the book in USD**: `BTC-USDC` is asked for under its name, and its data come as `BTC-USD`.

mod answer;
mod endpoint;
mod event;
mod product;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Request, Rules, Setup, Silence,
    Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts, frame_count::FrameCount},
};
use crate::market::{FeedSymbol, Hours, Origin, Reason, Symbol, Update};
use answer::Listed;
use event::Kind;
use std::{collections::HashSet, time::Duration};

const BASE_URL: &str = "wss://advanced-trade-ws.coinbase.com";

/// The venue documents no limit. All of these are asked for within five seconds.
const SYMBOLS_MAX: usize = 500;
/// The venue documents no limit: some 700 bytes.
const SYMBOLS_PER_REQUEST: usize = 50;
/// The venue takes eight messages a second from an address: this leaves room for pings.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(150);
/// The venue documents no limit on open connections: as many as a feed may open.
const CONNECTIONS_MAX: usize = 64;
/// The venue accepts eight connections a second from an address. Its limit on messages is the address's too, so that a
/// connection waits until the one before has sent its 31 requests.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(5);
/// A heartbeat comes each second.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// The venue documents no limit. A snapshot of 100 trades has 15 KB.
const MESSAGE_BYTES: usize = 256 << 10;
/// An answer lists the names in three channels, each in quotes and with a comma.
const CHANNELS_WITH_NAMES: usize = 3;
const NAME_BYTES_MORE: usize = 3;
/// Room for so many updates is kept between frames.
const UPDATES_KEPT: usize = 64;

/// Coinbase Advanced Trade.
pub(super) static SPEC: Spec = Spec {
    name: "coinbase",
    about: "crypto, spot: trades, best bid and ask, 24-hour statistics, halts",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes,
    heartbeats: true,
    examples: &["BTC-USD", "ETH-USD"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name,
    quotes: &[],
    facts: |name| facts::pair_with('-', name),
    check_url: endpoint::check,
    origin: |_| Origin::Market,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Coinbase::new(setup)?)),
    local_server: None,
};

/// The longest message: a burst, or the answer that lists all names.
fn message_bytes(symbols: &[ListedSymbol]) -> usize {
    let names: usize = symbols.iter().map(|symbol| symbol.name_bytes() + NAME_BYTES_MORE).sum();
    MESSAGE_BYTES + CHANNELS_WITH_NAMES * names
}

/// What a request asks for: the venue takes one channel at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// The whole connection's, not a product's.
    Heartbeats,
    Trades,
    Ticker,
    Status,
}

impl Channel {
    const ALL: [Self; 4] = [Self::Heartbeats, Self::Trades, Self::Ticker, Self::Status];
    /// Without these a symbol is refused.
    const PRICES: [Self; 2] = [Self::Trades, Self::Ticker];
    /// What a product may be subscribed to.
    const OF_PRODUCTS: [Self; 3] = [Self::Trades, Self::Ticker, Self::Status];

    fn name(self) -> &'static str {
        match self {
            Self::Heartbeats => "heartbeats",
            Self::Trades => "market_trades",
            Self::Ticker => "ticker",
            Self::Status => "status",
        }
    }
}

static FORM: Form<Channel> = Form {
    first_id: 1,
    fit: |channel, _| if channel == Channel::Heartbeats { usize::MAX } else { SYMBOLS_PER_REQUEST },
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |channel| Channel::PRICES.contains(&channel),
};

/// The protocol of Coinbase Advanced Trade.
#[derive(Debug)]
struct Coinbase {
    url: String,
    names: Names,
    subscription: Subscription<Channel>,
    /// Whether the connection has asked for heartbeats.
    asked_for_heartbeats: bool,
    /// The products whose status was asked for.
    has_extras: HashSet<FeedSymbol>,
    frames: FrameCount,
    /// The products that were not online when the venue last spoke of them, on an earlier connection too.
    halted: HashSet<FeedSymbol>,
    /// The updates of a frame that are not handed on yet, newest first.
    updates: Vec<Update>,
}

impl Coinbase {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), "/")?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let subscription = Subscription::new(&FORM, &names);
        Ok(Self {
            url,
            names,
            subscription,
            asked_for_heartbeats: false,
            has_extras: HashSet::new(),
            frames: FrameCount::default(),
            halted: HashSet::new(),
            updates: Vec::new(),
        })
    }

    /// Appends as many of the updates as fit; the others are for the next slice of the frame.
    fn hand_on(&mut self, batch: &mut Batch) -> Message {
        while !batch.is_full()
            && let Some(update) = self.updates.pop()
        {
            batch.push(update);
        }
        batch.read_on = self.updates.len();
        self.updates.shrink_to(UPDATES_KEPT);
        Message::Data
    }

    /// An answer to a request. Of a product in USDC the list may have either name.
    fn listed(&mut self, listed: &Listed<'_>, batch: &mut Batch) -> Message {
        let lists = Channel::ALL.map(|channel| (channel, listed.of(channel)));
        let is_listed = |channel: Channel, name: &str| {
            let has = |list: &HashSet<&str>| match channel {
                Channel::Heartbeats => list.contains(channel.name()),
                _ => list.contains(name) || data_name(name).is_some_and(|name| list.contains(name.as_str())),
            };
            lists.iter().any(|(listed, list)| *listed == channel && has(list))
        };
        let message = self.subscription.listed_by_kind(is_listed, &self.names, &mut batch.requests);
        self.ask_for_extras(batch);
        message
    }

    /// The oldest request is refused, for a product that the venue does not name.
    fn refused_one(&mut self, batch: &mut Batch) -> Message {
        let message = match self.subscription.oldest() {
            Some((_, Channel::Heartbeats)) => self.subscription.refused(None, Reason::NotGranted),
            _ => self.subscription.refused_for_one(None, Reason::NotGranted, &self.names, &mut batch.requests),
        };
        self.ask_for_extras(batch);
        message
    }

    /// Once all prices have their answer: asks for the extras of the granted products, and with the first of them for
    /// heartbeats, which alone keep no connection. Without them the venue closes a quiet channel after a minute.
    fn ask_for_extras(&mut self, batch: &mut Batch) {
        if !self.subscription.is_answered() {
            return;
        }
        let mut granted = self.subscription.all_granted();
        granted.retain(|symbol| self.has_extras.insert(*symbol));
        if granted.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.asked_for_heartbeats, true) {
            let any = &granted[..1];
            batch.requests.extend(self.subscription.ask(Channel::Heartbeats, any, &self.names));
        }
        batch.requests.extend(self.subscription.ask(Channel::Status, &granted, &self.names));
    }
}

impl Venue for Coinbase {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, heartbeat_timeout: Some(HEARTBEAT_TIMEOUT), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.frames = FrameCount::default();
        self.updates.clear();
        self.asked_for_heartbeats = false;
        self.has_extras.clear();
        self.subscription.restart(&Channel::PRICES, &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        if std::mem::take(&mut batch.read_on) > 0 {
            return Ok(self.hand_on(batch));
        }
        let read = event::read(frame, &self.names, &mut self.halted, &mut self.updates, batch);
        let has_gap = match read.as_ref().ok().and_then(|frame| frame.number) {
            Some(number) => self.frames.numbered(number),
            None => {
                self.frames.count();
                false
            }
        };
        let kind = read.and_then(|frame| frame.kind);
        let message = match kind {
            Ok(Kind::Data) => {
                self.updates.reverse();
                self.hand_on(batch)
            }
            Ok(Kind::Heartbeat) => Message::Control,
            Ok(Kind::Listed(listed)) => self.listed(&listed, batch),
            Ok(Kind::Error) => self.refused_one(batch),
            Ok(Kind::Other) => Message::Other,
            Err(reason) if has_gap => {
                batch.errors.count(reason);
                Message::Gap
            }
            Err(reason) => return Err(reason),
        };
        Ok(if has_gap { Message::Gap } else { message })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        for symbol in removed {
            self.halted.remove(symbol);
            self.has_extras.remove(symbol);
        }
        Change::Requests(self.subscription.change(
            (&Channel::PRICES, &Channel::OF_PRODUCTS),
            (added, removed),
            &mut self.names,
        ))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BTC-USD` is `BTC-USD` there.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    let is_pair = symbol.split('-').count() == 2 && !symbol.ends_with('-') && !symbol.contains(['.', '_']);
    // A perpetual contract is not a pair of the spot market.
    (is_pair && !symbol.ends_with("-PERP")).then(|| symbol.to_owned())
}

/// A book in USDC is the book in USD, but for these two.
fn data_name(name: &str) -> Option<String> {
    if matches!(name, "USDT-USDC" | "EURC-USDC") {
        return None;
    }
    name.strip_suffix("-USDC").map(|base| format!("{base}-USD"))
}

fn subscribe(aim: Aim, _: u64, channel: Channel, names: &[&str]) -> String {
    let mut request = serde_json::json!({ "type": aim.word("subscribe", "unsubscribe"), "channel": channel.name() });
    if channel != Channel::Heartbeats {
        request["product_ids"] = serde_json::json!(names);
    }
    request.to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod recorded_tests;

#[cfg(test)]
mod status_tests;

#[cfg(test)]
mod subscription_tests;
