//! Finnhub's stream of trades: US stocks, and by mapped names what else it has.
//!
//! ```json
//! {"type":"subscribe","symbol":"AAPL"}
//! {"data":[{"c":["1","12"],"p":164.0601,"s":"AAPL","t":1680286537581,"v":7},
//!  {"c":["1","8"],"p":164.06,"s":"AAPL","t":1680286538065,"v":142}],"type":"trade"}
//! {"data":[{"c":null,"p":35112.76,"s":"BINANCE:BTCUSDT","t":1699311054112,"v":0.00126}],"type":"trade"}
//! {"type":"ping"}
//! {"msg":"Invalid symbol AAPLX","type":"error"}
//! {"msg":"Subscribing to too many symbols","type":"error"}
//! ```
//! The key stands in the address.
//!
//! **Order.** A trade has no id, and the times of a frame are not sorted: the trades of a frame are sorted by `t`,
//! which guards them; equal times pass. Whole frames have been seen several times over, and the newest of a moment
//! first.
//!
//! **Fields.** `c` holds the venue's own numbers of conditions, or is `null` or absent: see [`event`]. A size of zero
//! is that of a price without a trade, as of currencies and indices. There is neither a side nor an exchange, and no
//! quotes, statistics or halts. Times are ms.
//!
//! **Answers.** The venue answers only what it refuses. It names the symbol that it does not know, but not the one that
//! is over the plan's limit: then it is the newest.
//!
//! **Errors.** A wrong key is refused at the handshake. What is said of the key is fatal; other errors pass.

mod event;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, Failure, ListedSymbol, Message, Request, Rules, Setup,
    Silence, Spec, Venue, VenueError,
    kit::{self, Form, Names, Subscription, address},
};
use crate::market::{Facts, FeedSymbol, Hours, Origin, Reason};
use event::{Event, Refusal};
use std::time::Duration;

const BASE_URL: &str = "wss://ws.finnhub.io";

/// The free plan has 50, the venue documents no limit for others. A symbol takes a request, so this many take 50 s.
const SYMBOLS_MAX: usize = 500;
/// The venue documents no limit on requests.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(100);
/// The venue documents no limit on attempts to connect.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(1);
/// The venue sends a ping about once a minute. Two of them.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(120);
/// The venue documents no limit on a message.
const MESSAGE_BYTES: usize = 256 << 10;
/// After too many requests. The venue documents no time.
const TOO_MANY: Duration = Duration::from_secs(60);

/// Finnhub's stream of trades.
pub(super) static SPEC: Spec = Spec {
    name: "finnhub",
    about: "US stocks: trades",
    asset_class: AssetClass::Equities,
    hours: |_| Hours::UsEquities,
    credentials: CredentialsRule::Key { key_env: "FINNHUB_KEY" },
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: 1,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: true,
    examples: &["AAPL", "MSFT", "BRK.B"],
    default_symbols: &[],
    options: &[],
    derive: kit::stock,
    data_name: |_| None,
    quotes: &[],
    facts: stock_of,
    check_url: |url| HOME.check(url),
    origin: |_| Origin::Market,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Finnhub::new(setup)?)),
    local_server: None,
};

static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), _| 1,
    write: |aim, _, (), names| {
        serde_json::json!({ "type": aim.word("subscribe", "unsubscribe"), "symbol": names.concat() }).to_string()
    },
    silence: Silence::Accepts,
    is_required: |()| true,
};

static HOME: address::Home = address::Home {
    domain: "finnhub.io",
    host: "ws",
    path: &[],
    why: "is not the address of its stream",
    instead: "write wss://ws.finnhub.io, without the key",
};

/// A plain name is a stock of the United States. Another exchange stands before a colon: `BINANCE:BTCUSDT`.
fn stock_of(name: &str) -> Facts {
    if name.contains(':') { Facts::default() } else { kit::facts::us_stock(name) }
}

/// The protocol of Finnhub's stream.
struct Finnhub {
    /// With the key.
    url: String,
    names: Names,
    subscription: Subscription<()>,
    /// Why the venue has last refused a request that it did not name.
    refusal: Reason,
}

impl Finnhub {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let base = address::join(setup.url.unwrap_or(BASE_URL), "/")?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let key = setup.key(&SPEC)?;
        let url = address::with_key(&base, "token", key);
        let subscription = Subscription::new(&FORM, &names);
        Ok(Self { url, names, subscription, refusal: Reason::NotGranted })
    }

    fn refusal(&mut self, refusal: Refusal, batch: &mut Batch) -> Message {
        match refusal {
            Refusal::Symbol(symbol) => {
                batch.refuses_symbol = true;
                match self.subscription.accepted((), symbol, &self.names) {
                    Some(id) => self.subscription.refused(Some(id), Reason::NotGranted),
                    // The venue repeats itself.
                    None => Message::Control,
                }
            }
            Refusal::Newest(reason) => {
                batch.refuses_symbol = true;
                self.refusal = reason;
                Message::Refused(None)
            }
            Refusal::Key => Message::Failed(Failure::Fatal(Reason::Unauthorized)),
            Refusal::TooMany => Message::Failed(Failure::Passing { retry_after: Some(TOO_MANY) }),
            Refusal::Other => Message::Failed(Failure::Passing { retry_after: None }),
        }
    }
}

impl Venue for Finnhub {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, heartbeat_timeout: Some(HEARTBEAT_TIMEOUT), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.subscription.restart(&[()], &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        Ok(match event::read(frame, &self.names, batch)? {
            Event::Message(message) => message,
            Event::Refused(refusal) => self.refusal(refusal, batch),
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        Change::Requests(self.subscription.change((&[()], &[()]), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        // It may be one that ended a subscription: the venue means the last one before it that began some.
        if let Some(id) = self.subscription.newest_accepted(id) {
            self.subscription.refused(Some(id), self.refusal);
        }
    }
}

#[cfg(test)]
mod tests;
