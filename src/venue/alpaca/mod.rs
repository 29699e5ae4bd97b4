//! Alpaca's stock stream: trades, quotes, daily bars and trading statuses of one feed (IEX, or the consolidated SIP).
//!
//! ```json
//! [{"T":"success","msg":"connected"}]
//! {"action":"auth","key":"...","secret":"..."}
//! [{"T":"success","msg":"authenticated"}]
//! {"action":"subscribe","quotes":["AAPL"],"trades":["AAPL"]}
//! [{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":[],"corrections":["AAPL"],"cancelErrors":["AAPL"]}]
//! [{"T":"t","S":"AAPL","i":628,"x":"K","p":162.92,"s":3,"c":["@","F","T","I"],
//!   "z":"C","t":"2023-04-06T11:54:26.838232225Z"}]
//! [{"T":"q","S":"AMD","bx":"K","bp":91.95,"bs":2,"ax":"Q","ap":91.98,"as":1,"c":["R"],
//!   "z":"C","t":"2023-04-06T11:54:21.670905508Z"}]
//! [{"T":"error","code":406,"msg":"connection limit exceeded"}]
//! ```
//! Every frame is an array, and one of data may mix kinds. An answer to a subscription lists all that is subscribed by
//! then. Trades are numbered per exchange, and the feed is consolidated: the order of trades and quotes is that of
//! their arrival. The stream does not begin with the state of a symbol: [`snapshot`] asks for it beside. [`coins`] says
//! in what the stream of coins differs.

mod coins;
mod conditions;
mod days;
mod dialogue;
mod endpoint;
mod event;
mod snapshot;
mod status;

use super::{
    AssetClass, Batch, Change, Credentials, CredentialsRule, DecodeError, Failure, ListedSymbol, Message, Request,
    Rules, Secret, Setup, SnapshotRequest, Spec, Venue, VenueError,
    kit::{self, Names, address, raw::Value},
};
use crate::market::{FeedSymbol, Reason};
pub(super) use coins::SPEC as COINS;
use days::Days;
use dialogue::{Channels, Dialogue, LOGIN, WELCOME};
use event::Event;
use std::time::Duration;

const BASE_URL: &str = "wss://stream.data.alpaca.markets";
/// Exchange IEX alone, which is free.
const PATH: &str = "/v2/iex";

/// More than there are listed stocks; what a plan allows, the venue says itself.
const SYMBOLS_MAX: usize = 20_000;
/// The venue documents no limit on requests, and ours are a few at the start.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// After a lost connection the venue holds on to the old session, for about 90 seconds, and refuses a second one.
const OLD_SESSION: Duration = Duration::from_secs(90);

/// An answer to a subscription lists every symbol in each channel: five that are asked for, and corrections and
/// cancels, which come with trades. A name has quotes and a comma.
const CHANNELS: usize = 7;
const NAME_BYTES_MORE: usize = 3;
/// The names of all channels, also of those that are empty.
const ANSWER_BYTES_MIN: usize = 1 << 10;

/// Alpaca's stock stream.
pub(super) static SPEC: Spec = Spec {
    name: "alpaca",
    about: "US stocks: trades, quotes, daily bars, halts",
    asset_class: AssetClass::Equities,
    hours: endpoint::hours,
    credentials: CREDENTIALS,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: 1,
    between_connects: Duration::ZERO,
    message_bytes,
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
    snapshots: Some(snapshot::RULE),
    new: |setup| Ok(Box::new(Alpaca::new(&STOCKS, setup)?)),
    local_server: None,
};

/// One account has both markets.
const CREDENTIALS: CredentialsRule =
    CredentialsRule::KeyAndSecret { key_env: "ALPACA_KEY", secret_env: "ALPACA_SECRET" };

/// In what the venue's markets differ.
#[derive(Debug)]
struct Market {
    spec: &'static Spec,
    /// Of its own address.
    path: &'static str,
    /// What is asked for beside prices.
    extras: Channels,
    /// Whether trades and quotes have times of one clock. Else their order is that of arrival.
    has_one_clock: bool,
    read_snapshots: snapshot::ReadAnswer,
}

static STOCKS: Market = Market {
    spec: &SPEC,
    path: PATH,
    extras: Channels::Extras,
    has_one_clock: false,
    read_snapshots: snapshot::stocks,
};

/// The longest answer to a subscription.
fn message_bytes(symbols: &[ListedSymbol]) -> usize {
    let names: usize = symbols.iter().map(|symbol| symbol.name_bytes() + NAME_BYTES_MORE).sum();
    ANSWER_BYTES_MIN + CHANNELS * names
}

/// The protocol of Alpaca's stock stream.
#[derive(Debug)]
struct Alpaca {
    market: &'static Market,
    url: String,
    names: Names,
    key: Secret,
    secret: Secret,
    stage: Stage,
    /// Where the latest state of symbols is asked for.
    snapshots: Option<String>,
    days: Days,
}

/// The stage of a connection.
#[derive(Debug)]
enum Stage {
    /// Until the venue says that we are connected.
    Connected,
    /// Until it accepts our key.
    LogIn,
    Subscribed(Box<Dialogue>),
}

impl Alpaca {
    fn new(market: &'static Market, setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), market.path)?;
        let names = Names::new(market.spec, setup.symbols)?;
        let Some(Credentials { key, secret: Some(secret) }) = setup.credentials.cloned() else {
            return Err(VenueError::NoCredentials { venue: market.spec.name, rule: CREDENTIALS });
        };
        let snapshots = endpoint::snapshots(&url);
        Ok(Self { market, url, names, key, secret, stage: Stage::Connected, snapshots, days: Days::default() })
    }

    fn success(&mut self, message: &str, batch: &mut Batch) -> Message {
        match (message, &self.stage) {
            ("connected", Stage::Connected) => {
                self.stage = Stage::LogIn;
                let login =
                    serde_json::json!({ "action": "auth", "key": self.key.expose(), "secret": self.secret.expose() });
                batch.requests.push(Request::send(LOGIN, login.to_string()));
                Message::Acknowledged(WELCOME)
            }
            ("authenticated", Stage::LogIn) => {
                let (dialogue, requests) = Dialogue::begin(self.market.extras, &self.names);
                self.stage = Stage::Subscribed(Box::new(dialogue));
                batch.requests.extend(requests);
                Message::Acknowledged(LOGIN)
            }
            _ => Message::Other,
        }
    }

    fn subscription(&mut self, event: &Event<'_>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let Stage::Subscribed(dialogue) = &mut self.stage else { return Ok(Message::Other) };
        let Some(channels) = dialogue.awaits() else { return Ok(Message::Other) };
        let lists = event.lists(channels).ok_or(DecodeError::Shape)?;
        let is_listed = |name: &str| lists.iter().all(|list| list.contains(name) || list.contains("*"));
        Ok(dialogue.answered(is_listed, &self.names, batch))
    }

    fn error(&mut self, code: u64, batch: &mut Batch) -> Message {
        if let (405, Stage::Subscribed(dialogue)) = (code, &mut self.stage)
            && let Some(message) = dialogue.over_the_limit(&self.names, batch)
        {
            return message;
        }
        let refused = match code {
            400 => Some(Reason::NotGranted),
            // A feed without trading statuses is still one with prices.
            409..=411 if matches!(&self.stage, Stage::Subscribed(asked) if asked.awaits().is_some_and(Channels::is_extra)) => {
                Some(Reason::NotEntitled)
            }
            _ => None,
        };
        if let (Some(reason), Stage::Subscribed(dialogue)) = (refused, &mut self.stage)
            && let Some(message) = dialogue.refused(reason, &self.names, batch)
        {
            return message;
        }
        Message::Failed(match code {
            402 => Failure::Fatal(Reason::Unauthorized),
            408..=411 => Failure::Fatal(Reason::NotEntitled),
            // Logged in already: then all is well.
            403 => return Message::Other,
            406 => Failure::ConnectionLimit { retry_after: OLD_SESSION },
            // Not logged in, not in time, too slow, a fault of the venue's, or a code of tomorrow.
            _ => Failure::Passing { retry_after: None },
        })
    }

    fn event(&mut self, event: &Event<'_>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let kind = event.kind.text().ok_or(DecodeError::Shape)?;
        match &*kind {
            "success" => {
                let message = event.msg.text().ok_or(DecodeError::Shape)?;
                Ok(self.success(&message, batch))
            }
            "subscription" => self.subscription(event, batch),
            "error" => {
                let code = event.code.id(&mut batch.errors).unwrap_or_default();
                Ok(self.error(code, batch))
            }
            data => event.read(data, self.market.has_one_clock, &self.names, &mut self.days, batch),
        }
    }
}

impl Venue for Alpaca {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.stage = Stage::Connected;
        self.days.reconnect();
        vec![Request::wait_for(WELCOME)]
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        if frame.first() == Some(&b'{') {
            return self.read_snapshots(frame, batch);
        }
        kit::read_each(frame, batch, |event: &Event<'_>, batch| self.event(event, batch))
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        match &self.stage {
            Stage::Subscribed(dialogue) => dialogue.refusals(),
            Stage::Connected | Stage::LogIn => Vec::new(),
        }
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        removed.iter().for_each(|symbol| self.days.remove(*symbol));
        Change::Requests(match &mut self.stage {
            Stage::Subscribed(dialogue) => dialogue.change(added, removed, &mut self.names),
            // The list is asked for after the login.
            Stage::Connected | Stage::LogIn => {
                removed.iter().for_each(|symbol| self.names.remove(*symbol));
                added.iter().for_each(|(symbol, listed)| _ = self.names.add(*symbol, listed));
                Vec::new()
            }
        })
    }

    fn snapshots(&self, symbols: &[FeedSymbol]) -> Option<SnapshotRequest> {
        self.snapshot_request(symbols)
    }

    fn unanswered(&mut self, id: u64) {
        if let Stage::Subscribed(dialogue) = &mut self.stage {
            dialogue.unanswered(id);
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod dialogue_tests;
