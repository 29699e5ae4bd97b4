//! Tiingo's stream of US stocks, which it derives from exchange IEX: a reference price, or trades and quotes.
//!
//! ```json
//! {"authorization":"...","eventData":{"thresholdLevel":"6","tickers":["spy","aapl"]},"eventName":"subscribe"}
//! {"response":{"code":200,"message":"Success"},"data":{"subscriptionId":2563368},"messageType":"I"}
//! {"data":{"tickers":["spy","aapl"],"thresholdLevel":"6"},"messageType":"I",
//!  "response":{"code":200,"message":"Success"}}
//! {"response":{"code":200,"message":"HeartBeat"},"messageType":"H"}
//! {"service":"iex","messageType":"A","data":["2026-08-25T14:30:01.023456789Z","spy",647.25]}
//! {"messageType":"A","service":"iex","data":["Q","2019-01-30T13:33:46.383129126-05:00",1548873226383129126,"vym",100,
//!  81.58,81.585,81.59,100,null,null,0,0,null,null,null]}
//! {"messageType":"A","service":"iex","data":["T","2019-01-30T13:33:46.594808294-05:00",1548873226594808294,"wes",null,
//!  null,null,null,null,50.285,200,null,0,0,0,0]}
//! {"messageType":"E","response":{"code":400,"message":"thresholdLevel not valid"}}
//! ```
//! **Levels.** 6 is the only level of usual plans: a price that the venue derives, a trade without size and side.
//! Levels 0 and 5 have trades and quotes, and need an agreement with the exchange; `?thresholdLevel=5` in the address
//! asks for it.
//!
//! **Order.** Times of ns are the order of all parts; equal times pass.
//!
//! **Fields.** Data are lists: see [`event`]. A flag says that a stock is halted, or no longer. The venue sends
//! no statistics.
//!
//! **Answers.** The first request is answered with the number of the subscription, which later ones name; those are
//! answered with all tickers that are subscribed by then. A ticker that is not known stays silent.
//!
//! **Errors.** 400 for the level, 401 and 403 are fatal. Another 400 refuses a later request, which is asked again in
//! halves. Others pass.

mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, Failure, ListedSymbol, Message, Request, Rules, Secret,
    Setup, Silence, Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{FeedSymbol, Hours, Origin, Reason, Symbol};
use event::{Answer, Event};
use std::time::Duration;

const BASE_URL: &str = "wss://api.tiingo.com";
const PATH: &str = "/iex";
/// The field of an address that sets the level, which is also its name in a request.
const LEVEL_FIELD: &str = "thresholdLevel";
/// The level of usual plans: the reference price.
const LEVEL: &str = "6";

/// The venue documents no limit. More than exchange IEX trades on most days.
const SYMBOLS_MAX: usize = 5_000;
/// The venue documents no limit on requests, and ours are a few at the start.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(1);
/// The venue documents no limit on attempts to connect.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// The venue documents no limit on connections: one for each account is safe.
const CONNECTIONS_MAX: usize = 1;
/// The venue sends a heartbeat every 30 seconds, or more often: two of them.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(60);
/// After too many requests. The venue documents no time.
const TOO_MANY: Duration = Duration::from_secs(60);
/// An answer without its tickers, or a message of data.
const MESSAGE_BYTES_MIN: usize = 1 << 10;
/// A name in an answer has quotes, a comma, and perhaps a blank.
const NAME_BYTES_MORE: usize = 4;

/// Tiingo's stream of US stocks.
pub(super) static SPEC: Spec = Spec {
    name: "tiingo",
    about: "US stocks: a reference price derived from exchange IEX; with an agreement its trades, quotes, halts",
    asset_class: AssetClass::Equities,
    hours: |_| Hours::UsEquities,
    credentials: CredentialsRule::Key { key_env: "TIINGO_KEY" },
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes,
    heartbeats: true,
    examples: &["AAPL", "BRK.B", "SPY"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[],
    facts: facts::us_stock,
    check_url,
    origin: |_| Origin::Market,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Tiingo::new(setup)?)),
    local_server: None,
};

/// The longest answer to a request.
fn message_bytes(symbols: &[ListedSymbol]) -> usize {
    MESSAGE_BYTES_MIN + symbols.iter().map(|symbol| symbol.name_bytes() + NAME_BYTES_MORE).sum::<usize>()
}

static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), names| names.len(),
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |()| true,
};

static HOME: address::Home = address::Home {
    domain: "tiingo.com",
    host: "api",
    path: &["iex"],
    why: "is not the address of its stocks",
    instead: "write wss://api.tiingo.com/iex",
};

/// Rejects what can never carry the stream.
fn check_url(url: &str) -> Result<(), VenueError> {
    if address::field(url, LEVEL_FIELD).is_some_and(|level| !matches!(level, "0" | "5" | "6")) {
        let why = "asks for a level that the venue does not have";
        return Err(address::wrong(url, why, "write ?thresholdLevel=0, 5 or 6"));
    }
    HOME.check(url)
}

/// The protocol of Tiingo's stream.
#[derive(Debug)]
struct Tiingo {
    url: String,
    level: String,
    names: Names,
    key: Secret,
    subscription: Subscription<()>,
    /// The number that the venue has given the subscription of this connection.
    id: Option<u64>,
    /// Changes of the list that wait for the number.
    waiting: Vec<Request>,
}

impl Tiingo {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let key = setup.key(&SPEC)?;
        Ok(Self {
            level: address::field(&url, LEVEL_FIELD).unwrap_or(LEVEL).to_owned(),
            url,
            subscription: Subscription::new(&FORM, &names),
            names,
            key: key.clone(),
            id: None,
            waiting: Vec::new(),
        })
    }

    /// Adds what each request needs beside its tickers: the key, and what it changes.
    fn sign(&self, mut request: Request) -> Request {
        let Some(Ok(mut whole)) = request.text.as_deref().map(serde_json::from_str::<serde_json::Value>) else {
            return request;
        };
        whole["authorization"] = self.key.expose().into();
        match self.id {
            Some(id) => whole["eventData"]["subscriptionId"] = id.into(),
            None => whole["eventData"][LEVEL_FIELD] = self.level.as_str().into(),
        }
        request.text = Some(whole.to_string());
        request
    }

    fn sign_all(&self, requests: Vec<Request>) -> Vec<Request> {
        requests.into_iter().map(|request| self.sign(request)).collect()
    }

    fn answer(&mut self, answer: Answer<'_>, batch: &mut Batch) -> Message {
        match answer {
            Answer::Subscribed(id) => {
                if id.is_none() {
                    return Message::Control;
                }
                if self.id.is_some() {
                    // A later request may be answered by the same number, without the tickers.
                    let oldest = self.subscription.oldest().filter(|_| self.id == id);
                    let oldest = oldest.and_then(|(aim, ())| self.subscription.oldest_id(aim));
                    return oldest.map_or(Message::Control, |id| self.subscription.granted(id));
                }
                self.id = id;
                let waiting = std::mem::take(&mut self.waiting);
                batch.requests.extend(self.sign_all(waiting));
                match self.subscription.oldest_id(Aim::Begin) {
                    Some(id) => self.subscription.granted(id),
                    None => Message::Control,
                }
            }
            // It may follow the answer to the first request, and then it says nothing new.
            Answer::Listed(_) if self.subscription.is_answered() => Message::Control,
            Answer::Listed(listed) => {
                let mut requests = Vec::new();
                let has_all = listed.contains("*");
                let is_listed = |name: &str| has_all || listed.contains(name);
                let message = self.subscription.listed_by_kind(|(), name| is_listed(name), &self.names, &mut requests);
                batch.requests.extend(self.sign_all(requests));
                message
            }
            Answer::Failed(code, is_for_the_level) => self.failed(code, is_for_the_level, batch),
        }
    }

    fn failed(&mut self, code: u64, is_for_the_level: bool, batch: &mut Batch) -> Message {
        Message::Failed(match code {
            401 => Failure::Fatal(Reason::Unauthorized),
            403 => Failure::Fatal(Reason::NotEntitled),
            400 if is_for_the_level => Failure::Fatal(Reason::NotEntitled),
            400 => match self.subscription.oldest_id(Aim::Begin).filter(|_| self.id.is_some()) {
                // A ticker that was added later costs the others nothing.
                Some(id) => {
                    batch.refuses_symbol = true;
                    let mut halves = Vec::new();
                    let message =
                        self.subscription.refused_for_one(Some(id), Reason::NotGranted, &self.names, &mut halves);
                    batch.requests.extend(self.sign_all(halves));
                    return message;
                }
                // It is our fault, so it may come again.
                None => Failure::Passing { retry_after: Some(TOO_MANY) },
            },
            429 => Failure::Passing { retry_after: Some(TOO_MANY) },
            _ => Failure::Passing { retry_after: None },
        })
    }
}

impl Venue for Tiingo {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, heartbeat_timeout: Some(HEARTBEAT_TIMEOUT), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.id = None;
        self.waiting.clear();
        let requests = self.subscription.restart(&[()], &self.names);
        self.sign_all(requests)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        Ok(match event::read(frame, &self.names, batch)? {
            Event::Message(message) => message,
            Event::Answer(answer) => self.answer(answer, batch),
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        let is_first_open = self.id.is_none() && !self.subscription.is_answered();
        let requests = self.subscription.change((&[()], &[()]), (added, removed), &mut self.names);
        if is_first_open {
            // They name the subscription, whose number is on its way.
            self.waiting.extend(requests);
            return Change::Requests(Vec::new());
        }
        Change::Requests(self.sign_all(requests))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BRK.B` is `brk-b` there.
fn derive(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    (!symbol.contains(['-', '_'])).then(|| symbol.replace('.', "-").to_lowercase())
}

/// The part of a request that does not depend on the connection.
fn subscribe(aim: Aim, _: u64, (): (), names: &[&str]) -> String {
    serde_json::json!({ "eventName": aim.word("subscribe", "unsubscribe"), "eventData": { "tickers": names } })
        .to_string()
}

#[cfg(test)]
mod tests;
