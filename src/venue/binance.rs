//! Binance spot: the combined streams `trade` and `bookTicker`.
//!
//! ```json
//! {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343000,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",
//!  "q":"0.02000000","T":1723161255342000,"m":true,"M":true}}
//! {"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000",
//!  "a":"61837.64000000","A":"1.54698000"}}
//! {"result":null,"id":1}
//! ```
//! Keys differ by their case alone. A quote has an id and no time. `m` says that the buyer was the maker: the taker sold.

use super::{
    Batch, DecodeError, Message, Request, Rules, Venue, VenueError, address,
    names::Names,
    raw::{self, Exact, Plain, Raw, Value, required, side_of_quote},
    scan,
};
use crate::{
    config::Feed,
    market::{QuoteUpdate, Reason, Sequence, Side, Symbol, TradeUpdate, Update},
};
use serde::Deserialize;
use std::time::Duration;

const NAME: &str = "binance";
const BASE_URL: &str = "wss://stream.binance.com:9443";
const PATH: &str = "/stream?timeUnit=MICROSECOND";

/// The venue's limit is 1,024 streams on a connection; a symbol takes two.
const SYMBOLS_MAX: usize = 512;
/// Symbols in one request: some 5 KB, far below any limit on a message, and all 512 are asked for within two seconds.
const SYMBOLS_PER_REQUEST: usize = 100;
/// The venue cuts off a client that sends more than five messages a second, pongs among them: this leaves room for those.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(300);
/// The venue ends a connection after 24 hours; half an hour earlier it is still our choice.
const LIFETIME: Duration = Duration::from_secs(23 * 3_600 + 1_800);
/// It trades at all hours: half a minute without a quote or a trade of any symbol is an outage.
const MUTE_AFTER: Duration = Duration::from_secs(30);

/// The protocol of Binance's spot market.
#[derive(Debug)]
pub struct Binance {
    url: String,
    names: Names,
}

impl Binance {
    /// # Errors
    /// [`VenueError`], as [`super::new`].
    pub fn new(feed: &Feed) -> Result<Self, VenueError> {
        if feed.symbols.len() > SYMBOLS_MAX {
            return Err(VenueError::TooManySymbols { count: feed.symbols.len(), max: SYMBOLS_MAX, venue: NAME });
        }
        let url = address::join(feed.url.as_deref().unwrap_or(BASE_URL), PATH)?;
        Ok(Self { url, names: Names::new(&feed.symbols, derive)? })
    }

    fn frame<'a>(&self, frame: &Frame<impl Value<'a>>, batch: &mut Batch) -> Result<Message, DecodeError> {
        if let Some(event) = &frame.data {
            return self.event(event, batch);
        }
        if frame.e.text().is_some_and(|name| name == "serverShutdown") {
            return Ok(Message::Closing);
        }
        let id = frame.id.id(&mut batch.errors);
        if frame.code.is_there() || frame.error.is_there() {
            return Ok(Message::Refused(id));
        }
        Ok(match id {
            Some(id) if frame.result.is_there() => Message::Acknowledged(id),
            _ => Message::Other,
        })
    }
    fn event<'a>(&self, event: &Event<impl Value<'a>>, batch: &mut Batch) -> Result<Message, DecodeError> {
        if !event.e.is_there() {
            // A quote is the one event without a name of its own.
            return if event.u.is_there() { self.quote(event, batch) } else { Ok(Message::Other) };
        }
        match event.e.text().ok_or(DecodeError::Shape)?.as_ref() {
            "trade" => self.trade(event, batch),
            "bookTicker" => self.quote(event, batch),
            "serverShutdown" => Ok(Message::Closing),
            _ => Ok(Message::Other),
        }
    }

    fn trade<'a>(&self, event: &Event<impl Value<'a>>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let symbol = self.symbol(event)?;
        let errors = &mut batch.errors;
        let trade = TradeUpdate {
            sequence: Sequence { id: event.t.id(errors), time: event.T.time(errors), by_arrival: false },
            price: required(event.p.decimal(errors), errors),
            size: required(event.q.decimal(errors), errors),
            side: required(event.m.word(errors, taker), errors),
            ..TradeUpdate::default()
        };
        batch.updates.push(Update { symbol, trade: Some(trade), ..Update::default() });
        Ok(Message::Data)
    }

    fn quote<'a>(&self, event: &Event<impl Value<'a>>, batch: &mut Batch) -> Result<Message, DecodeError> {
        let symbol = self.symbol(event)?;
        let errors = &mut batch.errors;
        let (bid, bid_size) = side_of_quote(event.b, event.B, errors);
        let (ask, ask_size) = side_of_quote(event.a, event.A, errors);
        let sequence = Sequence { id: event.u.id(errors), ..Sequence::default() };
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        batch.updates.push(Update { symbol, quote: Some(quote), ..Update::default() });
        Ok(Message::Data)
    }

    fn symbol<'a>(&self, event: &Event<impl Value<'a>>) -> Result<u32, DecodeError> {
        let name = event.s.text().ok_or(DecodeError::Shape)?;
        self.names.index(&name).ok_or(DecodeError::UnknownSymbol)
    }
}

impl Venue for Binance {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { between_requests: BETWEEN_REQUESTS, lifetime: Some(LIFETIME), mute_after: Some(MUTE_AFTER) }
    }

    fn open(&mut self) -> Vec<Request> {
        self.names.requests(SYMBOLS_PER_REQUEST, subscription)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        if let Some(event) = scanned(frame) {
            return self.event(&event, batch);
        }
        match raw::plain::<Frame<Plain<'_>>>(frame) {
            Some(frame) => self.frame(&frame, batch),
            None => self.frame(&raw::exact::<Frame<Exact<'_>>>(frame)?, batch),
        }
    }

    fn refused(&self, requests: &[u64]) -> Vec<(u32, Reason)> {
        self.names.refused(requests, SYMBOLS_PER_REQUEST)
    }
}

/// `BTC-USDT` is `BTCUSDT` there. What has other separators, or more than one, is no spot pair.
fn derive(symbol: &Symbol) -> Result<String, VenueError> {
    let text = symbol.as_str();
    if text.contains(['.', '_']) || text.matches('-').count() > 1 {
        return Err(VenueError::NotDerivable { symbol: symbol.clone(), venue: NAME });
    }
    Ok(text.replace('-', ""))
}

fn subscription(id: u64, names: &[Box<str>]) -> String {
    let names = names.iter().map(|name| name.to_lowercase());
    let params: Vec<String> = names.flat_map(|name| [format!("{name}@trade"), format!("{name}@bookTicker")]).collect();
    serde_json::json!({ "method": "SUBSCRIBE", "params": params, "id": id }).to_string()
}

fn taker(buyer_is_maker: &str) -> Option<Side> {
    match buyer_is_maker {
        "true" => Some(Side::Sell),
        "false" => Some(Side::Buy),
        _ => None,
    }
}

/// An event as the venue writes it: such frames are read in two thirds of the instructions that they take by serde.
fn scanned(frame: &[u8]) -> Option<Event<Plain<'_>>> {
    let stream = std::str::from_utf8(frame).ok()?.strip_prefix(r#"{"stream":""#)?;
    let (_, rest) = scan::string(stream)?;
    let mut event = Event::default();
    let rest = scan::fields(rest.strip_prefix(r#","data":"#)?, |key, value| event.set(key, value))?;
    (rest == "}").then_some(event)
}

/// Any message: an event in its envelope, or an answer without one.
#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"))]
struct Frame<V> {
    #[serde(default)]
    data: Option<Event<V>>,
    #[serde(default)]
    e: V,
    #[serde(default)]
    id: V,
    #[serde(default)]
    result: V,
    #[serde(default)]
    code: V,
    #[serde(default)]
    error: V,
}

/// The fields of all events that are used, under the venue's own names, so that one pass over the bytes is enough.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"))]
#[expect(non_snake_case, reason = "the venue's keys, which differ by case alone")]
struct Event<V> {
    #[serde(default)]
    e: V,
    #[serde(default)]
    s: V,
    #[serde(default)]
    t: V,
    #[serde(default)]
    T: V,
    #[serde(default)]
    p: V,
    #[serde(default)]
    q: V,
    #[serde(default)]
    m: V,
    #[serde(default)]
    u: V,
    #[serde(default)]
    b: V,
    #[serde(default)]
    B: V,
    #[serde(default)]
    a: V,
    #[serde(default)]
    A: V,
}

impl<'a> Event<Plain<'a>> {
    /// Sets a field, if it is one that is used. `None` where it is there already, which is no event.
    fn set(&mut self, key: &str, value: Raw<'a>) -> Option<()> {
        let field = match key {
            "e" => &mut self.e,
            "s" => &mut self.s,
            "t" => &mut self.t,
            "T" => &mut self.T,
            "p" => &mut self.p,
            "q" => &mut self.q,
            "m" => &mut self.m,
            "u" => &mut self.u,
            "b" => &mut self.b,
            "B" => &mut self.B,
            "a" => &mut self.a,
            "A" => &mut self.A,
            _ => return Some(()),
        };
        (!field.is_there()).then(|| *field = Plain(value))
    }
}

#[cfg(test)]
#[path = "binance_tests.rs"]
mod tests;
