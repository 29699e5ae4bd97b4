//! Kraken's spot market, version 2 of its streams: the channels `trade` and `ticker`, and `status`, which comes by
//! itself.
//!
//! ```json
//! {"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",
//!  "connection_id":16201843374511870021,"upcoming_maintenance":[],"emergency":[]}]}
//! {"method":"subscribe","params":{"channel":"trade","snapshot":true,"symbol":["BTC/USD","NOPE/USD"]},"req_id":1}
//! {"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},"success":true,
//!  "time_in":"2026-09-24T03:54:28.829165Z","time_out":"2026-09-24T03:54:28.829217Z","req_id":1}
//! {"error":"Currency pair not supported NOPE/USD","method":"subscribe","success":false,"symbol":"NOPE/USD",
//!  "time_in":"2026-09-24T03:54:28.829165Z","time_out":"2026-09-24T03:54:28.829301Z"}
//! {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":64315.3,"qty":0.00146780,
//!  "ord_type":"limit","trade_id":84107151,"timestamp":"2026-06-14T05:36:39.325000Z"}]}
//! {"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":64315.2,"bid_qty":0.50100000,"ask":64315.3,
//!  "ask_qty":0.00146780,"last":64315.3,"volume":2056.81736210,"vwap":64022.6,"low":63101.0,"high":64820.4,
//!  "change":110.3,"change_pct":0.17,"trades":61840,"timestamp":"2026-06-14T05:36:39.325000Z"}]}
//! {"channel":"heartbeat"}
//! {"Error":"Exceeded msg rate"}
//! ```
//! **Order.** Trades are guarded by `trade_id`, quotes and statistics by `timestamp`. A frame holds several trades,
//! oldest first; a `snapshot` holds the last 50, of which only the newest counts.
//!
//! **Fields.** Numbers are bare and keep the venue's digits. `side` is the taker's. The statistics span 24 hours; there
//! is neither an open nor a previous close, and `last` moves nothing. A ticker is always whole. A pair without a quote
//! has zeros and a time of 1970, which clear both sides.
//!
//! **Status.** While `system` is anything but `online`, nothing matches: every symbol is halted. See [`system`].
//!
//! **Errors.** Each symbol has an answer of its own; an error without `symbol` is for the whole request. Too many
//! requests pass. Errors of private data never pass: the address or the channel is wrong.

mod data;
mod endpoint;
mod event;
mod system;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Request, Rules, Setup, Silence,
    Spec, Venue, VenueError,
    kit::{Aim, Form, Names, Subscription, address, facts},
};
use crate::market::{Facts, FeedSymbol, Hours, Origin, Reason, Symbol};
use data::Channel;
use event::Event;
use std::time::Duration;
use system::System;

/// The venue's older names of `BTC` and `DOGE`, which version 2 refuses.
const OLD_NAMES: [&str; 2] = ["XBT", "XDG"];

const BASE_URL: &str = "wss://ws.kraken.com";
const PATH: &str = "/v2";

/// The venue documents no limit. It has some 1,500 pairs, and this many are asked for within eight seconds.
const SYMBOLS_MAX: usize = 2_000;
/// Symbols in one request. The venue documents no limit; this is some 600 bytes.
const SYMBOLS_PER_REQUEST: usize = 50;
/// The venue documents no limit on requests, and disconnects clients that exceed it; a public client sends 20 a second.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(100);
/// The venue documents no limit on open connections: as many as a feed may open.
const CONNECTIONS_MAX: usize = 64;
/// The venue bans an address after about 150 attempts in ten minutes, one in four seconds. After a maintenance it wants
/// five seconds between two attempts.
const BETWEEN_CONNECTS: Duration = Duration::from_secs(5);
/// The venue sends a heartbeat each second while it has nothing else to send.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest message is a snapshot of 50 trades, with some 160 bytes each. The venue documents no limit: eight times
/// that.
const MESSAGE_BYTES: usize = 64 << 10;

/// Kraken's spot market.
pub(super) static SPEC: Spec = Spec {
    name: "kraken",
    about: "crypto, spot: trades, best bid and ask, 24-hour statistics, halts",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: CONNECTIONS_MAX,
    between_connects: BETWEEN_CONNECTS,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: true,
    examples: &["BTC-USD", "ETH-USD"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[],
    facts: pair_of,
    check_url: endpoint::check,
    origin: |_| Origin::Market,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Kraken::new(setup)?)),
    local_server: None,
};

/// Each channel is a request of its own.
static FORM: Form<Channel> = Form {
    first_id: 1,
    fit: |_, _| SYMBOLS_PER_REQUEST,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |_| true,
};

/// The protocol of Kraken's spot market.
#[derive(Debug)]
struct Kraken {
    url: String,
    names: Names,
    subscription: Subscription<Channel>,
    system: System,
}

impl Kraken {
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        let url = address::join(setup.url.unwrap_or(BASE_URL), PATH)?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let subscription = Subscription::new(&FORM, &names);
        let system = System::new(names.len());
        Ok(Self { url, names, subscription, system })
    }

    /// An answer for one symbol.
    fn answered(&mut self, id: Option<u64>, symbol: FeedSymbol, refusal: Option<Reason>, batch: &mut Batch) -> Message {
        match id {
            Some(id) => self.subscription.answered(id, symbol, refusal, &self.names, batch),
            None => Message::Control,
        }
    }

    /// The oldest request that has no answer for this symbol: a refusal names neither the request nor the channel.
    fn oldest_with(&self, aim: Aim, symbol: FeedSymbol) -> Option<u64> {
        let awaiting = |channel| self.subscription.awaiting(aim, channel, symbol, &self.names);
        Channel::ALL.into_iter().filter_map(awaiting).min()
    }
}

impl Venue for Kraken {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, heartbeat_timeout: Some(HEARTBEAT_TIMEOUT), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.system.restart();
        self.subscription.restart(&Channel::ALL, &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let first = batch.updates.len();
        let event = event::read(frame, &self.names, batch);
        self.system.heard(&mut batch.updates[first..]);
        Ok(match event? {
            Event::Message(message) => message,
            Event::System { is_online } => self.system.tell(is_online, batch),
            Event::Granted { id, aim, channel, symbol } => {
                let id = id.or_else(|| self.subscription.awaiting(aim, channel, symbol, &self.names));
                self.answered(id, symbol, None, batch)
            }
            Event::Refused { id, aim, symbol: Some(symbol) } => {
                let id = id.or_else(|| self.oldest_with(aim, symbol));
                self.answered(id, symbol, Some(Reason::NotGranted), batch)
            }
            Event::Refused { id, aim, symbol: None } => {
                let id = id.or_else(|| self.subscription.oldest_id(aim));
                self.subscription.refused(id, Reason::NotGranted)
            }
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        self.system.relist(added.iter().map(|(symbol, _)| *symbol), removed);
        Change::Requests(self.subscription.change((&Channel::ALL, &Channel::ALL), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

/// `BTC-USD` is `BTC/USD` there.
fn derive(symbol: &Symbol) -> Option<String> {
    let (base, quote) = symbol.as_str().split_once('-')?;
    let is_one = |name: &str| !name.is_empty() && !name.contains(['-', '_']) && !OLD_NAMES.contains(&name);
    // A perpetual contract is not a pair of the spot market.
    (is_one(base) && is_one(quote) && quote != "PERP").then(|| format!("{base}/{quote}"))
}

/// A pair. A token of a share, `AAPLx/USD`, has a small letter: what it is does not follow from its name.
fn pair_of(name: &str) -> Facts {
    let told = facts::pair_with('/', name);
    let is_token = name.bytes().any(|byte| byte.is_ascii_lowercase());
    Facts { kind: told.kind.filter(|_| !is_token), ..told }
}

/// The venue's defaults have changed over time, so nothing is left to them.
fn subscribe(aim: Aim, id: u64, channel: Channel, names: &[&str]) -> String {
    let mut params = serde_json::json!({ "channel": channel.name(), "symbol": names });
    if aim == Aim::Begin {
        params["snapshot"] = true.into();
    }
    if channel == Channel::Ticker {
        params["event_trigger"] = "bbo".into();
    }
    serde_json::json!({ "method": aim.word("subscribe", "unsubscribe"), "params": params, "req_id": id }).to_string()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod dialogue_tests;

#[cfg(test)]
mod disorder_tests;
