//! The built-in simulator: a small protocol that is able to say all that a tick can show, and a server that speaks it.
//!
//! ```json
//! {"op":"subscribe","id":1,"symbols":["AAPL","MSFT"]}
//! {"op":"unsubscribe","id":2,"symbols":["MSFT"]}
//! {"op":"ack","id":1}                         granted, whole
//! {"op":"ack","id":1,"symbol":"AAPL"}         granted, for one symbol; the id may be missing
//! {"op":"refuse","id":1}                      refused, whole
//! {"op":"refuse","id":1,"symbol":"MSFT"}      refused, for one symbol
//! {"op":"split","id":1}                       refused, whole, for one bad symbol that is not named: ask again in parts
//! {"op":"facts","symbol":"AAPL","name":"Apple Inc.","currency":"USD","kind":"stock","price_digits":2,"size_digits":0}
//! {"op":"heartbeat","sent":4711}              each second; so many frames of data were sent before
//! {"op":"closing"}
//! {"type":"trade","symbol":"AAPL","id":7,"time":1732283045123456,"price":"182.34","size":100,"side":"buy"}
//! {"type":"quote","symbol":"AAPL","id":9,"time":1732283045123456,"bid":"182.33","bid_size":3,
//!  "ask":"182.35","ask_size":2}
//! {"type":"stats","symbol":"AAPL","time":1732283045123456,"window":"day","open":"180","high":"183.1","low":"179.5",
//!  "volume":123456,"prev_close":"181.2"}
//! {"type":"status","symbol":"AAPL","time":1732283045123456,"trading":"halted","session":"open"}
//! ```
//! The frames `ping` and `pong` are bare words. Numbers may be strings. A field that is absent is kept, one that is
//! `null` is cleared. Times are µs. Trades and quotes are guarded by id, statistics by time.

mod event;
mod random_walk;
mod server;
mod stage;

use super::{
    AssetClass, Batch, Change, CredentialsRule, DecodeError, ListedSymbol, Message, Options, Ping, Request, Rules,
    Setup, Silence, Spec, StartServer, Venue, VenueError, VenueOption,
    kit::{Aim, Form, Names, Subscription, address, frame_count::FrameCount},
};
use crate::market::{Facts, FeedSymbol, Hours, Origin, Reason};
use event::Event;
use random_walk::LISTINGS;
use server::Simulator;
use std::time::Duration;

/// Symbols of one connection to the simulator: more than any market has.
const SYMBOLS_MAX: usize = 20_000;
/// Symbols in one request: well below the simulator's limit on a message.
const SYMBOLS_PER_REQUEST: usize = 500;
/// The simulator does not count requests; the pause is there because every venue has one.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(5);
/// The simulator's messages are short.
const MESSAGE_BYTES: usize = 4 << 10;
/// The simulator sends a heartbeat each second.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
const PING: Ping = Ping { every: Duration::from_secs(20), text: "ping" };

/// Updates a second. The default is a page full of moving prices, and not a load. The lowest is one update in ten
/// seconds, the highest is what one core can take in.
static RATE: VenueOption = VenueOption {
    name: "rate",
    default: 100.0,
    range: 0.1..=1_000_000.0,
    about: "Updates a second, of all symbols together",
};

/// The symbols of a feed that lists none: the listings, in their order.
const SYMBOLS: [&str; LISTINGS.len()] = {
    let mut symbols = [""; LISTINGS.len()];
    let mut place = 0;
    while place < LISTINGS.len() {
        symbols[place] = LISTINGS[place].symbol;
        place += 1;
    }
    symbols
};

/// The built-in simulator.
pub(super) static SPEC: Spec = Spec {
    name: "sim",
    about: "a simulated market inside the process",
    asset_class: AssetClass::Mixed,
    hours: |_| Hours::Always,
    credentials: CredentialsRule::Public,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: server::CONNECTIONS_MAX,
    between_connects: Duration::ZERO,
    message_bytes: |_| MESSAGE_BYTES,
    heartbeats: true,
    examples: &["AAPL", "BTC-USDT"],
    default_symbols: &SYMBOLS,
    options: &[&RATE],
    derive: |symbol| Some(symbol.as_str().to_owned()),
    data_name: |_| None,
    quotes: &[],
    facts: |_| Facts::default(),
    check_url: |_| Ok(()),
    origin: |_| Origin::Sim,
    delay: |_| None,
    snapshots: None,
    new: |setup| Ok(Box::new(Sim::new(setup)?)),
    local_server: Some(StartServer::Simulator(|options: &Options, script| {
        Simulator::bind(options.get(&RATE), rand::random(), script)?.into_local_server()
    })),
};

static FORM: Form<()> = Form {
    first_id: 1,
    fit: |(), _| SYMBOLS_PER_REQUEST,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |()| true,
};

/// The protocol of the built-in simulator.
#[derive(Debug)]
struct Sim {
    url: String,
    names: Names,
    subscription: Subscription<()>,
    frames: FrameCount,
}

impl Sim {
    /// Without an address, a local server must be started before the venue can be connected to.
    fn new(setup: &Setup<'_>) -> Result<Self, VenueError> {
        // The discard port: a feed without a local server finds nothing there.
        let url = address::join(setup.url.unwrap_or("ws://127.0.0.1:9"), "/")?;
        let names = Names::new(&SPEC, setup.symbols)?;
        let subscription = Subscription::new(&FORM, &names);
        Ok(Self { url, names, subscription, frames: FrameCount::default() })
    }

    fn refuse(&mut self, id: Option<u64>, symbol: Option<FeedSymbol>, batch: &mut Batch) -> Message {
        match symbol {
            Some(symbol) => self.answered(id, symbol, Some(Reason::NotGranted), batch),
            None => self.subscription.refused(id, Reason::NotGranted),
        }
    }

    /// An answer for one symbol. It may leave out the request.
    fn answered(&mut self, id: Option<u64>, symbol: FeedSymbol, refusal: Option<Reason>, batch: &mut Batch) -> Message {
        let awaiting = |aim| self.subscription.awaiting(aim, (), symbol, &self.names);
        // The older of two.
        match id.or_else(|| awaiting(Aim::Begin).into_iter().chain(awaiting(Aim::End)).min()) {
            Some(id) => self.subscription.answered(id, symbol, refusal, &self.names, batch),
            None => Message::Control,
        }
    }
}

impl Venue for Sim {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules {
            between_requests: BETWEEN_REQUESTS,
            requests_per_hour: None,
            lifetime: None,
            ping: Some(PING),
            heartbeat_timeout: Some(HEARTBEAT_TIMEOUT),
            eviction: None,
        }
    }

    fn open(&mut self) -> Vec<Request> {
        self.frames = FrameCount::default();
        self.subscription.restart(&[()], &self.names)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let event = event::read(frame, &self.names, batch);
        // A frame of data that cannot be read did arrive.
        if matches!(event, Ok(Event::Data | Event::Other) | Err(_)) {
            self.frames.count();
        }
        Ok(match event? {
            Event::Data => Message::Data,
            Event::Granted { id, symbol: Some(symbol) } => self.answered(id, symbol, None, batch),
            Event::Granted { id: Some(id), symbol: None } => self.subscription.granted(id),
            Event::Granted { id: None, symbol: None } => Message::Other,
            Event::Refused { id, symbol } => self.refuse(id, symbol, batch),
            Event::Split { id } => {
                self.subscription.refused_for_one(id, Reason::NotGranted, &self.names, &mut batch.requests)
            }
            Event::Heartbeat { sent: Some(sent) } if self.frames.has_gap(sent) => Message::Gap,
            Event::Heartbeat { .. } | Event::Facts | Event::Pong => Message::Control,
            Event::Closing => Message::Closing,
            Event::Other => Message::Other,
        })
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) -> Change {
        Change::Requests(self.subscription.change((&[()], &[()]), (added, removed), &mut self.names))
    }

    fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }
}

fn subscribe(aim: Aim, id: u64, (): (), names: &[&str]) -> String {
    serde_json::json!({ "op": aim.word("subscribe", "unsubscribe"), "id": id, "symbols": names }).to_string()
}

#[cfg(test)]
mod tests;
