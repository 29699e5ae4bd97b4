//! Bitstamp's spot market: the channels `live_trades_` and `order_book_` of each pair.
//!
//! ```json
//! {"event":"bts:subscribe","data":{"channel":"live_trades_btcusd"}}
//! {"event":"bts:subscription_succeeded","channel":"live_trades_btcusd","data":{}}
//! {"event":"bts:error","channel":"","data":{"code":null,"message":"Bad subscription string."}}
//! {"data":{"id":590713377,"timestamp":"1781417002","amount":0.00133402,"amount_str":"0.00133402","price":64301.18,
//!  "price_str":"64301.18","type":0,"microtimestamp":"1781417002411000","buy_order_id":2017615984250880,
//!  "sell_order_id":2017615983190017},"channel":"live_trades_btcusd","event":"trade"}
//! {"data":{"timestamp":"1781417002","microtimestamp":"1781417002411000","bids":[["64301","0.12000000"]],
//!  "asks":[["64302","0.50000000"]]},"channel":"order_book_btcusd","event":"data"}
//! {"event":"bts:heartbeat","channel":"","data":""}
//! {"event":"bts:request_reconnect","channel":"","data":""}
//! ```
//! **Order.** Trades are guarded by `id`, quotes by `microtimestamp`. There are neither statistics nor a status.
//!
//! **Fields.** `price_str` and `amount_str` are exact, and may have an exponent (`"1E-8"`); `price` and `amount` are
//! floats, and are not read. `type` is the taker's side: 0 bought, 1 sold. A book holds the 100 best levels of each
//! side, best first: the first one is the quote, and an empty side clears it. Times are µs.
//!
//! **Answers.** An acknowledgement names its channel, a refusal names none. Once as many refusals have come as requests
//! are open, those are refused; and so is a channel that is not acknowledged in time.
//!
//! **Errors.** None is known that ends a connection; `bts:request_reconnect` must be followed.

mod book;
mod endpoint;
mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Ping, Request, Rules, Setup,
    Silence, Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{FeedSymbol, Hours, Reason, Symbol};
use event::{Channel, Event};
use std::time::Duration;

const BASE_URL: &str = "wss://ws.bitstamp.net";

/// The venue documents no limit. A symbol takes two requests, so this many are asked for within ten seconds.
const SYMBOLS_MAX: usize = 100;
/// The venue documents no limit on requests.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// The venue documents no limit on open connections: as many as a feed may open.
const CONNECTIONS_MAX: usize = 64;
/// The venue documents no limit on attempts to connect.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// Clients send a heartbeat every 8 to 30 seconds.
const PING: Ping = Ping { every: Duration::from_secs(30), text: r#"{"event":"bts:heartbeat"}"# };
/// The venue returns each heartbeat: two without an answer.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest message is a book of 200 levels, with some 40 bytes each. The venue documents no limit: four times that.
const MESSAGE_BYTES: usize = 32 << 10;

/// Bitstamp's spot market.
pub(super) static SPEC: Spec = Spec {
    name: "bitstamp",
    about: "crypto, spot: trades, best bid and ask",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: true,
    examples: &["BTC-USD", "ETH-EUR"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &["USD", "EUR", "GBP", "BTC", "ETH", "USDT", "USDC"],
    facts: |name| facts::joined_pair(name, SPEC.quotes),
    check_url: endpoint::check,
    origin: endpoint::origin,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Bitstamp::new(setup)?)),
    local_server: None,
};

static FORM: Form<Channel> =
    Form { first_id: 1, fit: |_, _| 1, write: subscribe, silence: Silence::Refuses, is_required: |_| true };

/// The protocol of Bitstamp's spot market.
#[derive(Debug)]
struct Bitstamp {
    url: String,
    names: Names,
    subscription: Subscription<Channel>,
    /// The refusals of this connection that name no channel.
    refusals: usize,
}

impl Bitstamp {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), "")?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let subscription = Subscription::new(&FORM, &names);
        Ok(Self { url, names, subscription, refusals: 0 })
    }

    fn answered(&mut self, aim: Aim, channel: Channel, symbol: FeedSymbol, is_granted: bool) -> Message {
        match self.subscription.awaiting(aim, channel, symbol, &self.names) {
            Some(id) if is_granted => self.subscription.granted(id),
            Some(id) => self.subscription.refused(Some(id), Reason::NotGranted),
            // The venue repeats itself.
            None => Message::Control,
        }
    }

    /// Refuses all open requests if there are as many refusals without a channel: they mean these.
    fn settle(&mut self, answer: Message, batch: &mut Batch) -> Message {
        let mut last = answer;
        if self.refusals >= self.subscription.unanswered() {
            while !self.subscription.is_answered() {
                let before = std::mem::replace(&mut last, self.subscription.refused(None, Reason::NotGranted));
                batch.answers.extend((before != Message::Control).then_some(before));
            }
            // They meant these, and no later ones.
            self.refusals = 0;
        }
        last
    }
}

impl Venue for Bitstamp {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules {
            between_requests: BETWEEN_REQUESTS,
            ping: Some(PING),
            heartbeat_timeout: Some(HEARTBEAT_TIMEOUT),
            ..Rules::default()
        }
    }

    fn open(&mut self) -> Vec<Request> {
        self.refusals = 0;
        self.subscription.restart(&Channel::ALL, &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let answer = match event::read(frame, &self.names, batch)? {
            Event::Message(message) => return Ok(message),
            Event::Granted(aim, channel, symbol) => self.answered(aim, channel, symbol, true),
            Event::Refused(Some((channel, symbol))) => self.answered(Aim::Begin, channel, symbol, false),
            Event::Refused(None) => {
                self.refusals += 1;
                batch.refuses_symbol = true;
                Message::Control
            }
        };
        Ok(self.settle(answer, batch))
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        Change::Requests(self.subscription.change((&Channel::ALL, &Channel::ALL), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        // A refusal that named no channel meant this request, and no other; unless it was for an end.
        if matches!(self.subscription.refused(Some(id), Reason::NotGranted), Message::Refused(_)) {
            self.refusals = self.refusals.saturating_sub(1);
        }
    }
}

/// `BTC-USD` is `btcusd` there. A symbol with other separators, or more than one, is not a spot pair.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    // A perpetual contract is not a pair of the spot market.
    if symbol.contains(['.', '_']) || symbol.matches('-').count() > 1 || symbol.ends_with("-PERP") {
        return None;
    }
    Some(symbol.replace('-', "").to_lowercase())
}

fn subscribe(aim: Aim, _: u64, channel: Channel, names: &[&str]) -> String {
    let channels: String = names.iter().map(|name| format!("{}{name}", channel.prefix())).collect();
    serde_json::json!({ "event": aim.word("bts:subscribe", "bts:unsubscribe"), "data": { "channel": channels } })
        .to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod dialogue_tests;
