//! Twelve Data's stream of prices: stocks of many exchanges, currencies, coins.
//!
//! ```json
//! {"action":"subscribe","params":{"symbols":"AAPL,EUR/USD,RY:TSX"}}
//! {"event":"subscribe-status","status":"ok","success":[{"symbol":"AAPL","exchange":"NASDAQ","mic_code":"XNGS",
//!  "country":"United States","type":"Common Stock"}],"fails":[{"symbol":"GBP/USDX"}]}
//! {"event":"price","symbol":"AAPL","currency":"USD","exchange":"NASDAQ","mic_code":"XNGS","type":"Common Stock",
//!  "timestamp":1684508045,"price":175.6897,"day_volume":15991637}
//! {"event":"price","symbol":"BTC/USD","currency_base":"Bitcoin","currency_quote":"US Dollar",
//!  "exchange":"Coinbase Pro","type":"Digital Currency","timestamp":1653116989,"price":29299.5,"bid":29299.0,
//!  "ask":29300.0,"day_volume":28306}
//! {"action":"heartbeat"}
//! {"event":"heartbeat","status":"ok"}
//! {"status":"error","code":401,"message":"..."}
//! ```
//! The key stands in the address.
//!
//! **Order.** Times are whole seconds: they guard all parts, and equal times pass. A price that is repeated within its
//! second is not a trade.
//!
//! **Fields.** `price` is a last price, a trade without size and side. `bid`, `ask` (without sizes) and `day_volume`
//! are optional. The venue does not tell halts.
//!
//! **Names.** `RY` and `RY:TSX` both arrive as `RY`, and differ in `exchange`: a name with an exchange is found by
//! both, one without is found by the symbol alone. Where both are listed, the answer tells the exchange of the one
//! without, and what comes from neither is dropped.
//!
//! **Answers.** An answer lists the symbols that are granted and those that are refused, and no number of its request:
//! it is for the oldest one that has one of them. What it leaves out may be in another one, so it is asked for again.
//!
//! **Errors.** 401 and 403 are fatal. 400, 404 and 414 refuse a request, which is asked again in halves. Others pass. A
//! connection over the plan's number closes the oldest one.

mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, Eviction, Failure, ListedSymbol, Message, Ping, Request,
    Rules, Setup, Silence, Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{Facts, FeedSymbol, Hours, InstrumentKind, Origin, Reason, Symbol};
use event::{Answer, Event, Prices};
use std::time::Duration;

const BASE_URL: &str = "wss://ws.twelvedata.com";
const PATH: &str = "/v1/quotes/price";

/// A plan has credits, and a symbol takes one: the largest public plan has fewer than this.
const SYMBOLS_MAX: usize = 2_000;
/// The venue documents three connections for a key.
const CONNECTIONS_MAX: usize = 3;
/// The venue documents no limit on attempts to connect.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// The venue documents no pace.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(1);
/// The venue takes 100 messages on a connection, heartbeats apart. Some are kept in reserve.
const REQUESTS_MAX: usize = 90;
/// The venue wants a heartbeat about every 10 seconds, and answers it.
const PING: Ping = Ping { every: Duration::from_secs(10), text: r#"{"action":"heartbeat"}"# };
/// Three heartbeats without an answer.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
/// After too many requests: the venue counts them by the minute.
const TOO_MANY: Duration = Duration::from_secs(60);
/// A connection over the plan's number closes the oldest one. The venue documents neither the code nor a time: these
/// codes say nothing of the server.
const EVICTION: Eviction = Eviction { close_codes: &[1000, 1005, 1008], wait: Duration::from_secs(60) };
/// The venue's own limit on a message.
const MESSAGE_BYTES: usize = 1 << 20;

/// Twelve Data's stream of prices.
pub(super) static SPEC: Spec = Spec {
    name: "twelvedata",
    about: "stocks, currencies, coins: last prices, the day's volume, best bid and ask where it has them",
    asset_class: AssetClass::Mixed,
    hours: |_| Hours::UsEquities,
    credentials: CredentialsRule::Key { key_env: "TWELVEDATA_KEY" },
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: true,
    examples: &["AAPL", "BTC-USD", "EUR-USD"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[],
    facts: pair_of,
    check_url: |url| HOME.check(url),
    origin: |_| Origin::Market,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(TwelveData::new(setup)?)),
    local_server: None,
};

static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), names| names.len(),
    write: |aim, _, (), names| {
        serde_json::json!({ "action": aim.word("subscribe", "unsubscribe"), "params": { "symbols": names.join(",") } })
            .to_string()
    },
    silence: Silence::Disconnects,
    is_required: |()| true,
};

static HOME: address::Home = address::Home {
    domain: "twelvedata.com",
    host: "ws",
    path: &["v1", "quotes", "price"],
    why: "is not the address of its prices",
    instead: "write wss://ws.twelvedata.com, without the key",
};

/// The protocol of Twelve Data's stream.
struct TwelveData {
    /// With the key.
    url: String,
    names: Names,
    subscription: Subscription<()>,
    prices: Prices,
    /// The requests of this connection.
    requests: usize,
    /// The newest request for what an answer has left out.
    asked_again: Option<u64>,
}

impl TwelveData {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let base = address::join(setup.url.unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let key = setup.key(&SPEC)?;
        let url = address::with_key(&base, "apikey", key);
        let subscription = Subscription::new(&FORM, &names);
        let prices = Prices::of(setup.symbols);
        Ok(Self { url, names, subscription, prices, requests: 0, asked_again: None })
    }

    fn failed(&mut self, code: u64, batch: &mut Batch) -> Message {
        Message::Failed(match code {
            401 => Failure::Fatal(Reason::Unauthorized),
            403 => Failure::Fatal(Reason::NotEntitled),
            400 | 404 | 414 => match self.subscription.oldest_id(Aim::Begin) {
                Some(id) => return self.refused_as_a_whole(id, batch),
                // It is our fault, so it may come again.
                None => Failure::Passing { retry_after: Some(TOO_MANY) },
            },
            429 => Failure::Passing { retry_after: Some(TOO_MANY) },
            _ => Failure::Passing { retry_after: None },
        })
    }

    /// A name that the venue cannot read, or a list that is too long, costs no other symbol: it is asked for again in
    /// halves, as long as the connection has requests left.
    fn refused_as_a_whole(&mut self, id: u64, batch: &mut Batch) -> Message {
        batch.refuses_symbol = true;
        if self.requests + 2 > REQUESTS_MAX {
            return self.subscription.refused(Some(id), Reason::NotGranted);
        }
        let before = batch.requests.len();
        let message = self.subscription.refused_for_one(Some(id), Reason::NotGranted, &self.names, &mut batch.requests);
        self.requests += batch.requests.len() - before;
        message
    }

    fn answer(&mut self, answer: Answer, batch: &mut Batch) -> Message {
        let (granted, refused) = match answer {
            Answer::Begun { granted, refused } => (granted, refused),
            Answer::Ended => {
                return match self.subscription.oldest_id(Aim::End) {
                    Some(id) => self.subscription.granted(id),
                    None => Message::Control,
                };
            }
            Answer::Failed(code) => return self.failed(code, batch),
        };
        let names_some = !granted.is_empty() || !refused.is_empty();
        let mut named = granted.iter().chain(&refused);
        let of_one = named.find_map(|symbol| self.subscription.awaiting(Aim::Begin, (), *symbol, &self.names));
        let id = if names_some { of_one } else { self.subscription.oldest_id(Aim::Begin) };
        // What all have their answer already may answer the request that asked for them again.
        let Some(id) = id else {
            let done = self.asked_again.filter(|again| self.subscription.asks(*again).is_none());
            return done.map_or(Message::Control, Message::Acknowledged);
        };
        let verdicts = granted.iter().map(|symbol| (*symbol, None));
        let refusals = refused.iter().map(|symbol| (*symbol, Some(Reason::NotGranted)));
        let mut answers = Vec::new();
        for (symbol, refused) in verdicts.chain(refusals) {
            answers.push(self.subscription.answered(id, symbol, refused, &self.names, batch));
        }
        let answer = answers.into_iter().find(|answer| *answer != Message::Control);
        if self.subscription.open_symbols(id).is_empty() {
            return answer.unwrap_or(Message::Control);
        }
        self.answered_in_part(id, names_some, batch)
    }

    /// What an answer does not name, it does not grant: prices are found by the same names. But a second answer may
    /// name the rest, so that is asked for again, as long as the connection has requests left.
    fn answered_in_part(&mut self, id: u64, names_some: bool, batch: &mut Batch) -> Message {
        if !names_some || self.requests >= REQUESTS_MAX {
            let mut message = Message::Control;
            for symbol in self.subscription.open_symbols(id).to_vec() {
                let refused = Some(Reason::NotGranted);
                message = self.subscription.answered(id, symbol, refused, &self.names, batch);
            }
            return message;
        }
        let before = batch.requests.len();
        let message = self.subscription.answered_in_part(id, &self.names, &mut batch.requests);
        self.requests += batch.requests.len() - before;
        self.asked_again = batch.requests[before..].last().map(|request| request.id).or(self.asked_again);
        message
    }
}

impl Venue for TwelveData {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules {
            between_requests: BETWEEN_REQUESTS,
            ping: Some(PING),
            heartbeat_timeout: Some(HEARTBEAT_TIMEOUT),
            eviction: Some(EVICTION),
            ..Rules::default()
        }
    }

    fn open(&mut self) -> Vec<Request> {
        self.prices.forget_all();
        let requests = self.subscription.restart(&[()], &self.names);
        self.requests = requests.len();
        self.asked_again = None;
        requests
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        Ok(match event::read(frame, &self.names, &mut self.prices, batch)? {
            Event::Message(message) => message,
            Event::Answer(answer) => self.answer(answer, batch),
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        self.prices.change(added, removed);
        let requests = self.subscription.change((&[()], &[()]), (added, removed), &mut self.names);
        self.requests += requests.len();
        if self.requests > REQUESTS_MAX { Change::Reconnect } else { Change::Requests(requests) }
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BTC-USD` is `BTC/USD` there, and `BRK.B` is itself.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    let is_one = |name: &str| !name.is_empty() && !name.contains(['-', '_']);
    match symbol.split_once('-') {
        None => is_one(symbol).then(|| symbol.to_owned()),
        Some((base, quote)) => {
            // A perpetual contract is not a pair.
            let is_pair = is_one(base) && is_one(quote) && !symbol.contains('.') && quote != "PERP";
            is_pair.then(|| format!("{base}/{quote}"))
        }
    }
}

/// Prices of a pair are in its second asset. What kinds of asset they are, the answer to the subscription tells.
fn pair_of(name: &str) -> Facts {
    let pair = name.split(':').next().unwrap_or_default();
    match pair.split_once('/') {
        Some((base, quote)) => facts::priced_in(quote, facts::is_forex(base, quote).then_some(InstrumentKind::Forex)),
        None => Facts::default(),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod facts_tests;
