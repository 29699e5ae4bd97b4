//! Massive (before: Polygon.io), the stream of all US stocks: trades, quotes, the day's volume, halts.
//!
//! ```json
//! [{"ev":"status","status":"connected","message":"Connected Successfully"}]
//! {"action":"auth","params":"..."}
//! [{"ev":"status","status":"auth_success","message":"authenticated"}]
//! {"action":"subscribe","params":"T.AAPL,T.MSFT"}
//! [{"ev":"status","status":"success","message":"subscribed to: T.AAPL"}]
//! [{"ev":"T","sym":"AAPL","i":"143542","x":4,"p":297.855,"s":40,"c":[14,41],"t":1781622376037,"pt":1781622376029,
//!   "q":4938313,"z":3,"trfi":202,"trft":1781622376036,"ds":"40.0"}]
//! [{"ev":"Q","sym":"AAPL","i":[604],"bx":15,"ax":12,"bp":297.83,"ap":297.87,"bs":80,"as":80,"t":1781622375953,
//!   "q":44424716,"z":3}]
//! [{"ev":"A","sym":"FCX","v":4989,"av":4332126,"op":75.98,"vw":78.0894,"o":78.1,"c":78.08,"h":78.125,"l":78.07,
//!   "a":76.8404,"z":62,"s":1788877043000,"e":1788877044000,"dav":"4332126.038360"}]
//! [{"ev":"LULD","h":3.63,"l":2.97,"i":[17],"z":3,"T":"ATHR","t":1788877046310003386,"q":3209682}]
//! ```
//! Every frame is an array, and one of data may mix kinds.
//!
//! **Order.** That of arrival, for trades and quotes: the feed is consolidated, and `q` neither rises surely nor is it
//! unique. A trade with the exchange, the facility and the id of the symbol's trade before it is that one again. The
//! figures of the day are guarded by `e`, halts by `t`.
//!
//! **Fields.** `ds` is the exact size, which may be fractional; `s` where it is absent. `c` holds ids of
//! [`conditions`]. In `A` only `op`, `av` and `dav` are of the day: the others are of a second. Times are ms, but ns in
//! `LULD`. Its indicators 17 and 18 are a halt and its end, and come for stocks that are listed on Nasdaq.
//!
//! **Answers.** Each topic is acknowledged by name, unless it is held already. Names are not checked. `not authorized`
//! names no topic: it answers one of the oldest request's. Where one error stands for a whole request, the silence
//! about the others refuses them. Quotes and halts come in real time alone, so the delayed host is not asked for them.
//!
//! **Errors.** A wrong key, and a plan without trades, are fatal; others pass. `max_connections` comes after the login.

mod conditions;
mod endpoint;
mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, Eviction, Failure, ListedSymbol, Message, Request, Rules,
    Secret, Setup, Silence, Spec, Venue, VenueError,
    kit::{self, Aim, Form, Names, Subscription, address},
};
use crate::market::{FeedSymbol, Reason};
use event::{Channel, Event, Status, Trades};
use std::time::Duration;

const BASE_URL: &str = "wss://socket.massive.com";
const PATH: &str = "/stocks";

/// The venue documents no limit: more than there are listed stocks with trades on most days.
const SYMBOLS_MAX: usize = 10_000;
/// The venue documents no limit on a request.
const TOPICS_PER_REQUEST: usize = 200;
/// The venue documents no limit on requests.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(100);
/// The venue documents no limit on attempts to connect.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// Its own client reads messages of up to a megabyte.
const MESSAGE_BYTES: usize = 1 << 20;
/// How long another connection of the account may take to end. The venue documents no time.
const OTHER_CONNECTION: Duration = Duration::from_secs(60);
/// Where another connection logs in, the older one is closed as a violation of the policy.
const EVICTION: Eviction = Eviction { close_codes: &[1008], wait: OTHER_CONNECTION };

/// The venue speaks first: it says that we are connected.
const WELCOME: u64 = 0;
/// The login.
const LOGIN: u64 = 1;

/// Massive's stream of US stocks.
pub(super) static SPEC: Spec = Spec {
    name: "massive",
    about: "US stocks: trades, quotes, the day's volume, halts",
    asset_class: AssetClass::Equities,
    hours: |_| crate::market::Hours::UsEquities,
    credentials: CredentialsRule::Key { key_env: "MASSIVE_KEY" },
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: 1,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: false,
    examples: &["AAPL", "MSFT", "BRK.B"],
    default_symbols: &[],
    options: &[],
    derive: kit::stock,
    data_name: |_| None,
    quotes: &[],
    facts: kit::facts::us_stock,
    check_url: endpoint::check,
    origin: endpoint::origin,
    delay: endpoint::delay,
    snapshots: None,
    new: |setup| Ok(Box::new(Massive::new(setup)?)),
    local_server: None,
};

static FORM: Form<Channel> = Form {
    first_id: 2,
    fit: |_, names| names.len().min(TOPICS_PER_REQUEST),
    write: |aim, _, channel, names| {
        let topics: Vec<String> = names.iter().map(|name| format!("{}.{name}", channel.prefix())).collect();
        serde_json::json!({ "action": aim.word("subscribe", "unsubscribe"), "params": topics.join(",") }).to_string()
    },
    silence: Silence::Disconnects,
    is_required: |channel| !channel.is_extra(),
};

/// The protocol of Massive's stream.
#[derive(Debug)]
struct Massive {
    url: String,
    channels: &'static [Channel],
    names: Names,
    key: Secret,
    stage: Stage,
    subscription: Subscription<Channel>,
    trades: Trades,
}

/// The stage of a connection.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    /// Until the venue says that we are connected.
    Connected,
    /// Until it accepts our key.
    LogIn,
    Subscribed,
}

impl Massive {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let key = setup.key(&SPEC)?;
        let is_late = endpoint::delay(setup.url).is_some();
        Ok(Self {
            url,
            channels: if is_late { Channel::LATE } else { Channel::ALL },
            subscription: Subscription::new(&FORM, &names),
            names,
            key: key.clone(),
            stage: Stage::Connected,
            trades: Trades::default(),
        })
    }

    fn status(&mut self, status: Status, batch: &mut Batch) -> Message {
        match status {
            Status::Connected if self.stage == Stage::Connected => {
                self.stage = Stage::LogIn;
                let login = serde_json::json!({ "action": "auth", "params": self.key.expose() });
                batch.requests.push(Request::send(LOGIN, login.to_string()));
                Message::Acknowledged(WELCOME)
            }
            Status::LoggedIn if self.stage == Stage::LogIn => {
                self.stage = Stage::Subscribed;
                let mut requests = self.subscription.restart(self.channels, &self.names);
                self.forgive_extras(&mut requests);
                batch.requests.extend(requests);
                Message::Acknowledged(LOGIN)
            }
            Status::Held(aim, channel, symbol) => {
                match self.subscription.awaiting(aim, channel, symbol, &self.names) {
                    Some(id) => self.subscription.answered(id, symbol, None, &self.names, batch),
                    // The venue repeats itself.
                    None => Message::Control,
                }
            }
            Status::NotAuthorized => self.not_authorized(batch),
            Status::WrongKey => Message::Failed(Failure::Fatal(Reason::Unauthorized)),
            Status::TooManyConnections => Message::Failed(Failure::ConnectionLimit { retry_after: OTHER_CONNECTION }),
            Status::Failed => Message::Failed(Failure::Passing { retry_after: None }),
            Status::Connected | Status::LoggedIn | Status::Other => Message::Other,
        }
    }

    /// One topic is not in the plan. What ends a subscription is never refused for that.
    fn not_authorized(&mut self, batch: &mut Batch) -> Message {
        let Some(id) = self.subscription.oldest_id(Aim::Begin) else { return Message::Control };
        let is_for_trades = self.subscription.asks(id) == Some((Aim::Begin, Channel::Trades));
        if is_for_trades && !self.subscription.is_part_granted(id) {
            // Without trades it is nothing.
            return Message::Failed(Failure::Fatal(Reason::NotEntitled));
        }
        match self.subscription.open_symbols(id).first() {
            Some(&symbol) => self.subscription.answered(id, symbol, Some(Reason::NotEntitled), &self.names, batch),
            None => Message::Control,
        }
    }

    /// Silence about quotes, bars or halts costs these alone.
    fn forgive_extras(&self, requests: &mut [Request]) {
        for request in requests {
            if self.subscription.asks(request.id).is_some_and(|(aim, channel)| aim == Aim::Begin && channel.is_extra())
            {
                request.silence = Silence::Refuses;
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, batch: &mut Batch) -> Result<Message, DecodeError> {
        match event.status(&self.names)? {
            Some(status) => Ok(self.status(status, batch)),
            None => event.read(&self.names, &mut self.trades, batch),
        }
    }
}

impl Venue for Massive {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, eviction: Some(EVICTION), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.stage = Stage::Connected;
        self.trades = Trades::default();
        self.subscription = Subscription::new(&FORM, &self.names);
        vec![Request::wait_for(WELCOME)]
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        kit::read_each(frame, batch, |event: &Event<'_>, batch| self.event(event, batch))
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        let places = added.iter().map(|(symbol, _)| symbol).chain(removed);
        places.for_each(|symbol| self.trades.forget(*symbol));
        let mut requests = self.subscription.change((self.channels, self.channels), (added, removed), &mut self.names);
        self.forgive_extras(&mut requests);
        // The list is asked for after the login.
        Change::Requests(if self.stage == Stage::Subscribed { requests } else { Vec::new() })
    }

    fn unanswered(&mut self, id: u64) {
        let is_for_trades = self.subscription.asks(id) == Some((Aim::Begin, Channel::Trades));
        for symbol in self.subscription.open_symbols(id).to_vec() {
            // A topic that is held already has no answer: its trades are one.
            let is_held = is_for_trades && self.trades.has(symbol);
            let refused = (!is_held).then_some(Reason::NotGranted);
            self.subscription.answered(id, symbol, refused, &self.names, &mut Batch::default());
        }
    }
}

#[cfg(test)]
mod tests;
