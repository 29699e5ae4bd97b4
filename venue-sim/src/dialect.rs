//! The venues as they speak: one [`Dialect`] per connection, and [`DIALECTS`] with all of them, so that one test runs
//! against every venue.

use std::collections::BTreeSet;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::{
    alpaca, binance, binance_usdm, bitstamp, bybit, coinbase, finnhub, kraken, massive, okx, sim, tiingo,
    time::time_of, twelvedata,
};

/// A venue's side of its protocol, in text frames: one value per connection. It is written from the venue's
/// documentation, not from our reader.
///
/// Frames are sent in the order in which they are written, so that a dialect may number them.
pub trait Dialect: Send {
    /// The status of the answer to a handshake for this path and query: 101 opens the websocket.
    ///
    /// # Panics
    ///
    /// If the venue has no such path.
    fn handshake(&mut self, _target: &str) -> u16 {
        101
    }

    /// The client's account is of this kind from here on. False where the venue's documentation knows of none.
    fn account(&mut self, _account: Account) -> bool {
        false
    }

    /// What the venue sends before it is asked for anything.
    fn greeting(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The answers to one frame of the client: a login, a subscription, a ping. It refuses the names that it was made
    /// with, in the venue's manner.
    ///
    /// # Panics
    ///
    /// If the venue would not accept the frame: a wrong shape, too many names, a connection over its limit.
    fn answer(&mut self, request: &str) -> Vec<String>;

    /// The close frame that follows the last answer, where the venue ends the connection.
    fn closing(&self) -> Option<Message> {
        None
    }

    /// The names in frames of data that are subscribed in each channel, in their order.
    fn subscribed(&self) -> Vec<String> {
        Vec::new()
    }

    /// A trade of the symbol that the venue calls `name`. A higher `number` is a newer one: id, time or both follow
    /// from it.
    fn trade(&mut self, name: &str, number: u64, price: &str, size: &str) -> String {
        self.trade_at(name, number, time_of(number), price, size)
    }

    /// The same with a time of its own, in µs since 1970. Where the venue counts in ms or s, the rest is cut off.
    fn trade_at(&mut self, name: &str, number: u64, micros: u64, price: &str, size: &str) -> String;

    /// A quote. `None` where the venue has none. Where one frame has quote and statistics, the high is the ask, so that
    /// it is as new as the quote.
    fn quote(&mut self, name: &str, number: u64, bid: &str, ask: &str) -> Option<String>;

    /// The statistics of a window, with this high, or with this volume where the venue has no high. `None` where it has
    /// none. Where one frame has both, bid and ask are this high.
    fn statistics(&mut self, _name: &str, _number: u64, _high: &str) -> Option<String> {
        None
    }

    /// Says that prices of the symbol have 2 decimals, and sizes 8. `None` where the venue does not tell that.
    fn decimals(&mut self, _name: &str) -> Option<String> {
        None
    }

    /// The parts that stand in each frame of a trade too.
    fn beside_trades(&self) -> &'static [Part] {
        &[]
    }

    /// The venue's heartbeat. `None` where it has none.
    fn heartbeat(&mut self) -> Option<String> {
        None
    }

    /// Frames that say that the symbol, or all of the venue, stops at the time of this number, and goes on at that of
    /// the next one.
    fn halt(&mut self, _name: &str, _number: u64) -> Option<[String; 2]> {
        None
    }

    /// What announces the end of the connection.
    fn planned_end(&mut self) -> Option<String> {
        None
    }

    /// Loses a frame: the next heartbeat, or the next frame where there is none, shows a gap. False where the protocol
    /// cannot show one.
    fn lose_a_frame(&mut self) -> bool {
        false
    }

    /// How the venue ends this connection because the account has opened another one. `None` where it documents none.
    fn eviction(&mut self) -> Option<Vec<Message>> {
        None
    }

    /// An error that only a person can mend.
    fn fatal_error(&mut self) -> Option<String> {
        None
    }

    /// An error that passes.
    fn passing_error(&mut self) -> Option<String> {
        None
    }
}

/// What is subscribed on a connection: channels of names.
#[derive(Debug, Default)]
pub(crate) struct Held(BTreeSet<(String, String)>);

impl Held {
    /// Begins or ends a subscription. Returns whether that changes something.
    pub(crate) fn set(&mut self, name: &str, channel: &str, is_held: bool) -> bool {
        let one = (name.to_owned(), channel.to_owned());
        if is_held { self.0.insert(one) } else { self.0.remove(&one) }
    }

    /// The names that are subscribed in so many channels.
    pub(crate) fn names(&self, channels: usize) -> Vec<String> {
        let names: BTreeSet<&String> = self.0.iter().map(|(name, _)| name).collect();
        let count = |name: &String| self.0.iter().filter(|(other, _)| other == name).count();
        names.into_iter().filter(|name| count(name) == channels).cloned().collect()
    }

    /// All of them: names and channels.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, channel)| (name.as_str(), channel.as_str()))
    }
}

/// Whether a request begins subscriptions, by these words for a begin and an end.
///
/// # Panics
///
/// If it is neither.
pub(crate) fn begins(word: &serde_json::Value, [begin, end]: [&str; 2], request: &str) -> bool {
    assert!(*word == begin || *word == end, "{request}");
    *word == begin
}

/// An account that lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Its plan allows so many symbols.
    Symbols(usize),
    /// Its plan lacks what the address has.
    WithoutStream,
    /// Its plan has trades, and nothing that comes beside them.
    TradesOnly,
    /// Its other connections are as many as the plan allows. They hold their places.
    NoConnectionLeft,
}

/// A close frame with this code.
pub(crate) fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }))
}

/// What of a symbol has an order of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The last trade.
    Trade,
    /// Bid and ask.
    Quote,
    /// The statistics of a window.
    Statistics,
}

/// How to play a venue.
#[derive(Debug)]
pub struct Manner {
    /// The name of its spec.
    pub venue: &'static str,
    /// The query of its address, where that says what it sends.
    pub query: &'static str,
    /// Two canonical symbols, and the names that the venue's frames of data have for them.
    pub symbols: [(&'static str, &'static str); 2],
    /// A canonical symbol, and the name that the venue is asked for and refuses.
    pub refused: (&'static str, &'static str),
    /// Whether the venue refuses a name that it does not know. Others accept it, and stay silent.
    pub checks_names: bool,
    /// The parts whose frames hold neither an id nor a time that orders them: the last to arrive counts.
    pub by_arrival: &'static [Part],
    /// The venue's side of a connection, which refuses these names.
    pub new: fn(refused: &[&str]) -> Box<dyn Dialect>,
}

/// All venues: as many as `tickfan::venue::VENUES`.
pub const DIALECTS: &[Manner] = &[
    sim::MANNER,
    binance::MANNER,
    binance_usdm::MANNER,
    bybit::SPOT,
    bybit::LINEAR,
    bybit::INVERSE,
    coinbase::MANNER,
    kraken::MANNER,
    okx::MANNER,
    bitstamp::MANNER,
    alpaca::MANNER,
    alpaca::CRYPTO,
    massive::MANNER,
    finnhub::MANNER,
    tiingo::MANNER,
    tiingo::WITH_QUOTES,
    twelvedata::MANNER,
];
