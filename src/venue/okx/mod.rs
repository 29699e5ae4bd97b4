//! OKX v5: the public channels `trades`, `bbo-tbt` and `tickers`, of spot pairs, swaps and dated contracts.
//!
//! ```json
//! {"op":"subscribe","args":[{"channel":"trades","instId":"BTC-USDT"},{"channel":"trades","instId":"ETH-USDT"}]}
//! {"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}
//! {"event":"error","msg":"Subscribe failed, wrong URL or channel:trades,instId:NOPE-USDT doesn't exist. Please use the
//!  correct URL, channel and parameters referring to API document.","code":"60018","connId":"a4d3ae55"}
//! {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"1000000715","px":"83772.6",
//!  "sz":"0.0000178","side":"buy","ts":"1790358565298","count":"1","source":"1","seqId":81625379835}]}
//! {"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["83774.2","0.25697131","0","3"]],
//!  "bids":[["83774.1","0.65302934","0","9"]],"ts":"1790358564077","seqId":123456}]}
//! {"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT","last":"83766.8",
//!  "lastSz":"0.0000102","askPx":"83774.2","askSz":"0.25697131","bidPx":"83774.1","bidSz":"0.65302934",
//!  "open24h":"84180.1","high24h":"85258.8","low24h":"83174.7","sodUtc0":"84409.9","sodUtc8":"83800",
//!  "volCcy24h":"458903124.056360828","vol24h":"5449.95415651","ts":"1790358564077"}]}
//! {"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please
//!  reconnect."}
//! {"event":"channel-conn-count","channel":"trades","connCount":"1","connId":"a4d3ae55"}
//! {"event":"channel-conn-count-error","channel":"trades","connCount":"20","connId":"a4d3ae55"}
//! ```
//! A ping is the text `ping`, its answer the text `pong`. Frames of 2022 have neither `connId` nor `seqId`.
//!
//! - **Trades** are ordered by `tradeId`, and come oldest first. `side` is the taker's. `sz` sums up the fills of one
//!   taker at one price.
//! - **Quotes** are ordered by `seqId`, and where that is missing by `ts`, in ms; a newer `ts` counts also where
//!   `seqId` has begun again. **Statistics** are ordered by `ts`. An empty side of the book, or an empty string,
//!   clears. The bid, the ask and the last price of `tickers` are not used: `bbo-tbt` and `trades` have them first.
//! - **Statistics** span 24 hours, without previous close. The volume is in base units; of a swap or a dated contract
//!   it is in contracts, as all sizes are.
//! - **Statuses**: none. The channel `instruments` would send all instruments of a kind first.
//! - **Answers** come for each channel of each symbol. A refusal names both in its text alone. Another error refuses
//!   the oldest request without an answer, which is asked for again in smaller ones. Too many requests (60014) and too
//!   many connections with a channel pass. No error is fatal.

mod endpoint;
mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, Failure, ListedSymbol, Message, Ping, Request, Rules,
    Setup, Silence, Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{Facts, FeedSymbol, Hours, InstrumentKind, Reason, Symbol};
use event::Event;
use std::time::Duration;

const BASE_URL: &str = "wss://ws.okx.com:8443";
const PATH: &str = "/ws/v5/public";

/// The venue takes 64 KB of arguments on a connection. In three channels, a symbol of 32 characters has 200 bytes.
const SYMBOLS_MAX: usize = 320;
/// The venue's limit on the requests of a connection.
const REQUESTS_PER_HOUR: u32 = 480;
/// The venue's limit is on requests an hour, and on three connections a second: this keeps each below three a second.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(350);
/// The venue lets 30 connections have a channel.
const CONNECTIONS_MAX: usize = 30;
/// The venue accepts three connections a second from an address: this leaves a third for other programs.
const BETWEEN_CONNECTS: Duration = Duration::from_millis(500);
/// The venue closes a connection after 30 seconds without a frame.
const PING: Ping = Ping { every: Duration::from_secs(25), text: "ping" };
/// It answers each ping.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// The venue documents no limit. A frame mostly has less than 1 KB.
const MESSAGE_BYTES: usize = 256 << 10;
/// Too many connections have a channel.
const CONNECTIONS_WAIT: Duration = Duration::from_secs(60);
/// The code of too many requests.
const TOO_MANY_REQUESTS: u64 = 60_014;

/// OKX.
pub(super) static SPEC: Spec = Spec {
    name: "okx",
    about: "crypto, spot, swaps, futures: trades, best bid and ask, 24-hour statistics",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    // It answers pings alone.
    heartbeats: false,
    examples: &["BTC-USDT", "BTC-USDT-PERP"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[],
    facts: instrument_of,
    check_url: endpoint::check,
    origin: endpoint::origin,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Okx::new(setup)?)),
    local_server: None,
};

/// What is asked for, each in a request of its own: the venue answers for each channel of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Trades,
    Quotes,
    Tickers,
}

impl Channel {
    const ALL: [Self; 3] = [Self::Trades, Self::Quotes, Self::Tickers];

    fn name(self) -> &'static str {
        match self {
            Self::Trades => "trades",
            Self::Quotes => "bbo-tbt",
            Self::Tickers => "tickers",
        }
    }
}

static FORM: Form<Channel> = Form {
    first_id: 1,
    // However many arguments a request has, it counts once.
    fit: |_, _| usize::MAX,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |channel| channel != Channel::Tickers,
};

/// The protocol of OKX.
#[derive(Debug)]
struct Okx {
    url: String,
    names: Names,
    subscription: Subscription<Channel>,
}

impl Okx {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let subscription = Subscription::new(&FORM, &names);
        Ok(Self { url, names, subscription })
    }

    /// An answer for one channel of a symbol. The venue repeats those of a repeated request.
    fn answered(
        &mut self,
        aim: Aim,
        channel: Channel,
        symbol: FeedSymbol,
        refused: Option<Reason>,
        batch: &mut Batch,
    ) -> Message {
        match self.subscription.awaiting(aim, channel, symbol, &self.names) {
            Some(id) => self.subscription.answered(id, symbol, refused, &self.names, batch),
            None => Message::Control,
        }
    }

    fn error(&mut self, code: u64, message: &str, batch: &mut Batch) -> Message {
        if code == TOO_MANY_REQUESTS {
            return Message::Failed(Failure::Passing { retry_after: None });
        }
        let Some(symbol) = value_of(message, "instId:").and_then(|name| self.names.answer_of(name).ok()) else {
            return self.subscription.refused_for_one(None, Reason::NotGranted, &self.names, &mut batch.requests);
        };
        let named = value_of(message, "channel:");
        let is_awaited = |(aim, channel): &(Aim, Channel)| {
            named.is_none_or(|name| name == channel.name())
                && self.subscription.awaiting(*aim, *channel, symbol, &self.names).is_some()
        };
        let all = [Aim::Begin, Aim::End].into_iter().flat_map(|aim| Channel::ALL.map(|channel| (aim, channel)));
        match all.into_iter().find(is_awaited) {
            Some((aim, channel)) => self.answered(aim, channel, symbol, Some(Reason::NotGranted), batch),
            None => Message::Control,
        }
    }
}

/// What follows a key in the text of an error, up to a comma or a blank.
fn value_of<'m>(message: &'m str, key: &str) -> Option<&'m str> {
    let (_, rest) = message.split_once(key)?;
    rest.split([',', ' ']).next()
}

impl Venue for Okx {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules {
            between_requests: BETWEEN_REQUESTS,
            requests_per_hour: Some(REQUESTS_PER_HOUR),
            lifetime: None,
            ping: Some(PING),
            heartbeat_timeout: Some(SILENCE_MAX),
            eviction: None,
        }
    }

    fn open(&mut self) -> Vec<Request> {
        self.subscription.restart(&Channel::ALL, &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        Ok(match event::read(frame, &self.names, batch)? {
            Event::Data => Message::Data,
            Event::Done(aim, channel, symbol) => self.answered(aim, channel, symbol, None, batch),
            Event::Error { code, message } => self.error(code, &message, batch),
            Event::Control => Message::Control,
            Event::Closing => Message::Closing,
            Event::TooManyConnections => Message::Failed(Failure::ConnectionLimit { retry_after: CONNECTIONS_WAIT }),
            Event::Other => Message::Other,
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        Change::Requests(self.subscription.change((&Channel::ALL, &Channel::ALL), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BTC-USDT` is `BTC-USDT` there, and a perpetual contract is a swap. A symbol without a dash, or with other
/// separators, is not of a pair.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    if !symbol.contains('-') || symbol.ends_with('-') || symbol.contains(['.', '_']) {
        return None;
    }
    Some(match symbol.strip_suffix("-PERP") {
        Some(pair) if pair.contains('-') => format!("{pair}-SWAP"),
        Some(_) => return None,
        None => symbol.to_owned(),
    })
}

/// `BTC-USDT`, `BTC-USDT-SWAP`, `BTC-USD-260925`. Other names are of options.
fn instrument_of(name: &str) -> Facts {
    let parts: Vec<&str> = name.split('-').collect();
    match parts.as_slice() {
        [base, quote] => facts::pair(base, quote),
        [_, quote, "SWAP"] => facts::priced_in(quote, Some(InstrumentKind::Perpetual)),
        [_, quote, day] if day.len() == 6 && day.bytes().all(|byte| byte.is_ascii_digit()) => {
            facts::priced_in(quote, Some(InstrumentKind::Future))
        }
        _ => Facts::default(),
    }
}

fn subscribe(aim: Aim, _: u64, channel: Channel, names: &[&str]) -> String {
    let arg = |name: &&str| serde_json::json!({ "channel": channel.name(), "instId": name });
    let args: Vec<serde_json::Value> = names.iter().map(arg).collect();
    serde_json::json!({ "op": aim.word("subscribe", "unsubscribe"), "args": args }).to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod subscription_tests;
