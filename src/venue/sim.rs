//! The simulator's own protocol: small, and able to say all that a tick can show.
//!
//! ```json
//! {"op":"subscribe","id":1,"symbols":["AAPL","MSFT"]}
//! {"op":"ack","id":1}
//! {"op":"refuse","id":1}
//! {"op":"closing"}
//! {"type":"trade","symbol":"AAPL","id":7,"time":1732283045123456,"price":"182.34","size":100,"side":"buy"}
//! {"type":"quote","symbol":"AAPL","id":9,"time":1732283045123456,"bid":"182.33","bid_size":3,"ask":"182.35","ask_size":2}
//! {"type":"stats","symbol":"AAPL","time":1732283045123456,"window":"day","open":"180","high":"183.1","low":"179.5",
//!  "volume":123456,"prev_close":"181.2"}
//! ```
//! Numbers may be strings. A field that is absent is kept, one that is `null` is cleared.

use super::{
    Batch, DecodeError, Message, Request, Rules, Venue, VenueError, address,
    names::Names,
    raw::{self, Exact, Plain, Value},
};
use crate::{
    config::Feed,
    market::{QuoteUpdate, Reason, Sequence, Side, StatsUpdate, StatsWindow, TradeUpdate, Update},
};
use serde::Deserialize;
use std::time::Duration;

/// Symbols of one connection to the simulator: more than any market has.
pub(crate) const SYMBOLS_MAX: usize = 20_000;
/// Symbols in one request: well below the simulator's limit on a message.
const SYMBOLS_PER_REQUEST: usize = 500;
/// The simulator does not count requests; a little air all the same, as for any venue.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(5);

/// The protocol of the built-in simulator.
#[derive(Debug)]
pub struct Sim {
    url: String,
    names: Names,
}

impl Sim {
    /// Without a `url` of its own the feed must be given the address of a simulator before it can connect.
    ///
    /// # Errors
    /// [`VenueError`], as [`super::new`].
    pub fn new(feed: &Feed) -> Result<Self, VenueError> {
        if feed.symbols.len() > SYMBOLS_MAX {
            return Err(VenueError::TooManySymbols { count: feed.symbols.len(), max: SYMBOLS_MAX, venue: "sim" });
        }
        // The discard port: a feed that was given no simulator finds nothing there.
        let url = address::join(feed.url.as_deref().unwrap_or("ws://127.0.0.1:9"), "/")?;
        Ok(Self { url, names: Names::new(&feed.symbols, |symbol| Ok(symbol.as_str().to_owned()))? })
    }

    fn frame<'a>(&self, frame: &Frame<impl Value<'a>>, batch: &mut Batch) -> Result<Message, DecodeError> {
        if let Some(operation) = frame.op.text() {
            let id = frame.id.id(&mut batch.errors);
            return Ok(match (operation.as_ref(), id) {
                ("ack", Some(id)) => Message::Acknowledged(id),
                ("refuse", id) => Message::Refused(id),
                ("closing", _) => Message::Closing,
                _ => Message::Other,
            });
        }
        let kind = frame.kind.text().ok_or(DecodeError::Shape)?;
        if !matches!(kind.as_ref(), "trade" | "quote" | "stats") {
            return Ok(Message::Other);
        }
        let name = frame.symbol.text().ok_or(DecodeError::Shape)?;
        let symbol = self.names.index(&name).ok_or(DecodeError::UnknownSymbol)?;
        let update = frame.update(&kind, symbol, batch);
        batch.updates.push(update);
        Ok(Message::Data)
    }
}

impl Venue for Sim {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        // Its rate can be set as low as one likes: silence is no outage.
        Rules { between_requests: BETWEEN_REQUESTS, lifetime: None, mute_after: None }
    }

    fn open(&mut self) -> Vec<Request> {
        let text = |id: u64, names: &[Box<str>]| {
            serde_json::json!({ "op": "subscribe", "id": id, "symbols": names }).to_string()
        };
        self.names.requests(SYMBOLS_PER_REQUEST, text)
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        match raw::plain::<Frame<Plain<'_>>>(frame) {
            Some(frame) => self.frame(&frame, batch),
            None => self.frame(&raw::exact::<Frame<Exact<'_>>>(frame)?, batch),
        }
    }

    fn refused(&self, requests: &[u64]) -> Vec<(u32, Reason)> {
        self.names.refused(requests, SYMBOLS_PER_REQUEST)
    }
}

/// Any message of the simulator.
#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"))]
struct Frame<V> {
    #[serde(default)]
    op: V,
    #[serde(default, rename = "type")]
    kind: V,
    #[serde(default)]
    symbol: V,
    #[serde(default)]
    id: V,
    #[serde(default)]
    time: V,
    #[serde(default)]
    price: V,
    #[serde(default)]
    size: V,
    #[serde(default)]
    side: V,
    #[serde(default)]
    bid: V,
    #[serde(default)]
    bid_size: V,
    #[serde(default)]
    ask: V,
    #[serde(default)]
    ask_size: V,
    #[serde(default)]
    window: V,
    #[serde(default)]
    open: V,
    #[serde(default)]
    high: V,
    #[serde(default)]
    low: V,
    #[serde(default)]
    volume: V,
    #[serde(default)]
    prev_close: V,
}

impl<'a, V: Value<'a>> Frame<V> {
    fn update(&self, kind: &str, symbol: u32, batch: &mut Batch) -> Update {
        let update = Update { symbol, ..Update::default() };
        match kind {
            "trade" => Update { trade: Some(self.trade(batch)), ..update },
            "quote" => Update { quote: Some(self.quote(batch)), ..update },
            _ => Update { stats: Some(self.stats(batch)), ..update },
        }
    }

    fn sequence(&self, batch: &mut Batch) -> Sequence {
        Sequence { id: self.id.id(&mut batch.errors), time: self.time.time(&mut batch.errors), by_arrival: false }
    }

    fn trade(&self, batch: &mut Batch) -> TradeUpdate {
        let sequence = self.sequence(batch);
        let errors = &mut batch.errors;
        let side = |word: &str| match word {
            "buy" => Some(Side::Buy),
            "sell" => Some(Side::Sell),
            _ => None,
        };
        TradeUpdate {
            sequence,
            price: self.price.decimal(errors),
            size: self.size.decimal(errors),
            side: self.side.word(errors, side),
            ..TradeUpdate::default()
        }
    }

    fn quote(&self, batch: &mut Batch) -> QuoteUpdate {
        let sequence = self.sequence(batch);
        let errors = &mut batch.errors;
        QuoteUpdate {
            sequence,
            bid: self.bid.decimal(errors),
            bid_size: self.bid_size.decimal(errors),
            ask: self.ask.decimal(errors),
            ask_size: self.ask_size.decimal(errors),
        }
    }

    fn stats(&self, batch: &mut Batch) -> StatsUpdate {
        let sequence = self.sequence(batch);
        let errors = &mut batch.errors;
        let window = |word: &str| match word {
            "day" => Some(StatsWindow::Day),
            "24h" => Some(StatsWindow::Hours24),
            _ => None,
        };
        StatsUpdate {
            sequence,
            window: self.window.word(errors, window),
            open: self.open.decimal(errors),
            high: self.high.decimal(errors),
            low: self.low.decimal(errors),
            volume: self.volume.decimal(errors),
            prev_close: self.prev_close.decimal(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::VenueKind,
        market::{Decimal, Field, UnixMicros},
        venue::names::symbols,
    };
    use proptest::prelude::*;

    fn venue() -> Sim {
        let symbols = symbols(&[("MSFT", None), ("AAPL", None)]);
        Sim::new(&Feed::new(VenueKind::Sim, symbols)).unwrap()
    }

    fn read(frame: impl AsRef<[u8]>) -> (Result<Message, DecodeError>, Batch) {
        let mut batch = Batch::default();
        (venue().read(frame.as_ref(), &mut batch), batch)
    }

    fn number(text: &str) -> Field<Decimal> {
        Field::Set(text.parse().unwrap())
    }

    #[test]
    fn every_field_of_a_tick_can_be_said() {
        let sequence = Sequence { id: Some(7), time: Some(UnixMicros(1_732_283_045_123_456)), by_arrival: false };
        let (_, batch) = read(
            r#"{"type":"trade","symbol":"AAPL","id":7,"time":1732283045123456,"price":"182.34","size":100,"side":"buy"}"#,
        );
        let side = Field::Set(Side::Buy);
        let trade =
            TradeUpdate { sequence, price: number("182.34"), size: number("100"), side, ..TradeUpdate::default() };
        assert_eq!(batch.updates, [Update { symbol: 1, trade: Some(trade), ..Update::default() }]);

        let (_, batch) = read(
            r#"{"type":"quote","symbol":"AAPL","id":7,"time":1732283045123456,"bid":182.33,"bid_size":3,"ask":"182.35","ask_size":2}"#,
        );
        let (bid, bid_size, ask, ask_size) = (number("182.33"), number("3"), number("182.35"), number("2"));
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        assert_eq!(batch.updates, [Update { symbol: 1, quote: Some(quote), ..Update::default() }]);

        let (_, batch) = read(
            r#"{"type":"stats","symbol":"AAPL","id":7,"time":1732283045123456,"window":"24h","open":1,"high":4,"low":0.5,"volume":9,"prev_close":2}"#,
        );
        let stats = StatsUpdate {
            sequence,
            window: Field::Set(StatsWindow::Hours24),
            open: number("1"),
            high: number("4"),
            low: number("0.5"),
            volume: number("9"),
            prev_close: number("2"),
        };
        assert_eq!(batch.updates, [Update { symbol: 1, stats: Some(stats), ..Update::default() }]);
    }

    #[test]
    fn absent_keeps_and_null_clears() {
        let (_, batch) = read(r#"{"type":"quote","symbol":"AAPL","bid":null,"ask":"1"}"#);
        let quote = batch.updates[0].quote.unwrap();
        assert_eq!((quote.bid, quote.bid_size, quote.ask), (Field::Clear, Field::Keep, number("1")));
        assert_eq!(batch.errors.total(), 0);
    }

    #[test]
    fn rule_9_messages_are_told_apart_and_bad_ones_counted() {
        for (frame, message) in [
            (r#"{"op":"ack","id":3}"#, Ok(Message::Acknowledged(3))),
            (r#"{"op":"refuse","id":3}"#, Ok(Message::Refused(Some(3)))),
            (r#"{"op":"refuse"}"#, Ok(Message::Refused(None))),
            (r#"{"op":"closing"}"#, Ok(Message::Closing)),
            (r#"{"op":"ack"}"#, Ok(Message::Other)),
            (r#"{"type":"news","symbol":5}"#, Ok(Message::Other)),
            (r#"{"type":"trade","symbol":"IBM"}"#, Err(DecodeError::UnknownSymbol)),
            (r#"{"type":"trade"}"#, Err(DecodeError::Shape)),
            ("{}", Err(DecodeError::Shape)),
            ("[[[[", Err(DecodeError::Json)),
            ("", Err(DecodeError::Json)),
        ] {
            let (got, batch) = read(frame);
            assert_eq!((got, batch.updates.len()), (message, 0), "{frame}");
        }
        let (message, batch) = read(r#"{"type":"trade","symbol":"AAPL","id":"x","time":"y","price":{},"side":"up"}"#);
        assert_eq!((message, batch.updates.len()), (Ok(Message::Data), 1));
        for reason in [DecodeError::Number, DecodeError::Time, DecodeError::Word] {
            assert!(batch.errors.of(reason) > 0, "{reason}");
        }
    }

    #[test]
    fn it_asks_for_its_symbols_in_batches() {
        let text = r#"{"id":1,"op":"subscribe","symbols":["MSFT","AAPL"]}"#.to_owned();
        assert_eq!(venue().open(), [Request { id: 1, text: Some(text) }]);
    }

    #[test]
    fn rule_10_more_symbols_than_a_simulator_takes_are_an_error() {
        let names: Vec<_> = (0..=SYMBOLS_MAX).map(|number| format!("S{number}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
        let sim = |count: usize| {
            let symbols = symbols(&entries[..count]);
            Sim::new(&Feed::new(VenueKind::Sim, symbols))
        };
        let requests = sim(SYMBOLS_MAX).unwrap().open();
        assert_eq!(requests.len(), SYMBOLS_MAX / SYMBOLS_PER_REQUEST);
        assert!(matches!(sim(SYMBOLS_MAX + 1), Err(VenueError::TooManySymbols { .. })));
    }

    proptest! {
        #[test]
        fn rule_9_no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(bytes);
        }
    }
}
