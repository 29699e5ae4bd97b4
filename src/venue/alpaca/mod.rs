//! Alpaca's stock stream: trades, quotes, daily bars and trading statuses of one feed (IEX, or the consolidated SIP).
//!
//! ```json
//! [{"T":"success","msg":"connected"}]
//! {"action":"auth","key":"...","secret":"..."}
//! [{"T":"success","msg":"authenticated"}]
//! {"action":"subscribe","quotes":["AAPL"],"trades":["AAPL"]}
//! [{"T":"subscription","trades":["AAPL"],"quotes":["AAPL"],"bars":[],"corrections":["AAPL"],"cancelErrors":["AAPL"]}]
//! [{"T":"t","S":"AAPL","i":628,"x":"K","p":162.92,"s":3,"c":["@","F","T","I"],"z":"C","t":"2023-04-06T11:54:26.838232225Z"}]
//! [{"T":"q","S":"AMD","bx":"K","bp":91.95,"bs":2,"ax":"Q","ap":91.98,"as":1,"c":["R"],"z":"C","t":"2023-04-06T11:54:21.670905508Z"}]
//! [{"T":"error","code":406,"msg":"connection limit exceeded"}]
//! ```
//! Every frame is an array, and one of data may mix kinds. An answer to a subscription lists all that is subscribed by then.
//! Trades are numbered per exchange, and the feed is consolidated: the order of trades and quotes is that of their arrival.

mod conditions;
mod event;
mod status;
mod subscription;

use super::{
    Batch, DecodeError, Failure, Message, Request, Rules, Venue, VenueError, address,
    names::Names,
    raw::{self, Value},
};
use crate::{
    config::{Credentials, Feed},
    market::{Origin, Reason, Symbol},
};
use event::Event;
use std::time::Duration;
use subscription::{Channels, LOGIN, Subscription, WELCOME};

const NAME: &str = "alpaca";
const BASE_URL: &str = "wss://stream.data.alpaca.markets";
/// Exchange IEX alone, which is free.
const PATH: &str = "/v2/iex";

/// More than there are listed stocks; what a plan allows, the venue says itself.
const SYMBOLS_MAX: usize = 20_000;
/// The venue documents no limit on requests, and ours are a few at the start.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// In the regular session, and for all symbols together: half a minute without anything is an outage.
const MUTE_AFTER: Duration = Duration::from_secs(30);
/// After a lost connection the venue holds on to the old session, for about 90 seconds, and refuses a second one.
const OLD_SESSION: Duration = Duration::from_secs(90);

/// The protocol of Alpaca's stock stream.
#[derive(Debug)]
pub struct Alpaca {
    url: String,
    names: Names,
    credentials: Credentials,
    stage: Stage,
}

/// How far a connection has come.
#[derive(Debug)]
enum Stage {
    /// Until the venue says that we are connected.
    Connected,
    /// Until it takes our key.
    LogIn,
    Subscribed(Subscription),
}

/// What a feed's data are, by its address.
pub(super) fn origin(feed: &Feed) -> Origin {
    let address = feed.url.as_deref().map_or(PATH, address::without_query);
    match address.trim_end_matches('/').rsplit('/').next() {
        Some("delayed_sip") => Origin::Delayed,
        // The venue's own simulator, for its users to test with.
        Some("test") => Origin::Sim,
        _ => Origin::Market,
    }
}

impl Alpaca {
    /// # Errors
    /// [`VenueError`], as [`super::new`].
    pub fn new(feed: &Feed) -> Result<Self, VenueError> {
        if feed.symbols.len() > SYMBOLS_MAX {
            return Err(VenueError::TooManySymbols { count: feed.symbols.len(), max: SYMBOLS_MAX, venue: NAME });
        }
        let url = address::join(feed.url.as_deref().unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&feed.symbols, derive)?;
        let credentials = feed.credentials.clone().ok_or(VenueError::NoCredentials { venue: NAME })?;
        Ok(Self { url, names, credentials, stage: Stage::Connected })
    }

    fn success(&mut self, message: &str, batch: &mut Batch) -> Message {
        match (message, &self.stage) {
            ("connected", Stage::Connected) => {
                self.stage = Stage::LogIn;
                let (key, secret) = (self.credentials.key.expose(), self.credentials.secret.expose());
                let text = serde_json::json!({ "action": "auth", "key": key, "secret": secret }).to_string();
                batch.requests.push(Request { id: LOGIN, text: Some(text) });
                Message::Acknowledged(WELCOME)
            }
            ("authenticated", Stage::LogIn) => {
                let (subscription, requests) = Subscription::begin(self.names.all());
                self.stage = Stage::Subscribed(subscription);
                batch.requests.extend(requests);
                Message::Acknowledged(LOGIN)
            }
            _ => Message::Other,
        }
    }

    fn subscription(&mut self, event: &Event<'_>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let Stage::Subscribed(subscription) = &mut self.stage else { return Ok(Message::Other) };
        let Some(channels) = subscription.awaits() else { return Ok(Message::Other) };
        let lists = event.lists(channels).ok_or(DecodeError::Shape)?;
        let is_listed = |name: &str| lists.iter().all(|list| list.contains(name) || list.contains("*"));
        Ok(subscription.answered(is_listed, self.names.all(), &mut batch.requests))
    }

    fn error(&mut self, code: u64, batch: &mut Batch) -> Message {
        let refused = match code {
            405 => Some(Reason::SymbolLimit),
            400 => Some(Reason::NotGranted),
            // A feed without trading statuses is still one with prices.
            409..=411 if matches!(&self.stage, Stage::Subscribed(asked) if asked.awaits() == Some(Channels::Extras)) => {
                Some(Reason::NotEntitled)
            }
            _ => None,
        };
        if let (Some(reason), Stage::Subscribed(subscription)) = (refused, &mut self.stage)
            && let Some(message) = subscription.refused(reason, self.names.all(), &mut batch.requests)
        {
            return message;
        }
        Message::Failed(match code {
            402 => Failure::Fatal(Reason::Unauthorized),
            408..=411 => Failure::Fatal(Reason::NotEntitled),
            // Logged in already: then all is well.
            403 => return Message::Other,
            406 => Failure::Passing { retry_after: Some(OLD_SESSION) },
            // Not logged in, not in time, too slow, a fault of the venue's, or a code of tomorrow.
            _ => Failure::Passing { retry_after: None },
        })
    }

    fn event(&mut self, event: &Event<'_>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let kind = event.T.text().ok_or(DecodeError::Shape)?;
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
            data => event.read(data, &self.names, batch),
        }
    }
}

impl Venue for Alpaca {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, lifetime: None, mute_after: Some(MUTE_AFTER) }
    }

    fn open(&mut self) -> Vec<Request> {
        self.stage = Stage::Connected;
        vec![Request { id: WELCOME, text: None }]
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let mut most = Message::Other;
        let read = raw::each(frame, |event: Event<'_>| match self.event(&event, batch) {
            Ok(message) if rank(message) > rank(most) => most = message,
            Ok(_) => {}
            // The others of its frame stand.
            Err(reason) => batch.errors.count(reason),
        });
        match read {
            Err(reason) if most == Message::Other => return Err(reason),
            Err(reason) => batch.errors.count(reason),
            Ok(()) => {}
        }
        Ok(most)
    }

    fn refused(&self, _: &[u64]) -> Vec<(u32, Reason)> {
        match &self.stage {
            Stage::Subscribed(subscription) => subscription.refusals(),
            Stage::Connected | Stage::LogIn => Vec::new(),
        }
    }
}

/// Which of a frame's messages is the one that is told: it holds one answer at most.
fn rank(message: Message) -> u8 {
    match message {
        Message::Other => 0,
        Message::Data => 1,
        Message::Acknowledged(_) => 2,
        Message::Refused(_) => 3,
        Message::Closing => 4,
        Message::Failed(_) => 5,
    }
}

/// `BRK.B` is `BRK.B` there; what has other separators is no stock of the United States.
fn derive(symbol: &Symbol) -> Result<String, VenueError> {
    let text = symbol.as_str();
    if text.contains(['-', '_']) {
        return Err(VenueError::NotDerivable { symbol: symbol.clone(), venue: NAME });
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "alpaca_tests.rs"]
mod tests;

#[cfg(test)]
mod dialogue_tests;
