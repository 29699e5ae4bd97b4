//! Frames to updates.

use crate::{
    market::{
        Facts, FeedSymbol, Field, Halt, InstrumentKind, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow,
        StatusUpdate, TradeUpdate, Update,
    },
    venue::{
        Batch, DecodeError,
        kit::{
            Names, facts,
            raw::{self, Exact, Plain, TimeUnit, Value},
        },
    },
};
use serde::Deserialize;

/// The answer to a ping: the one frame that is not JSON.
const PONG: &[u8] = b"pong";

/// What a frame was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Market data; its update was appended.
    Data,
    /// A request is granted: for one symbol, or whole.
    Granted {
        id: Option<u64>,
        symbol: Option<FeedSymbol>,
    },
    /// A request is refused: for one symbol, or whole.
    Refused {
        id: Option<u64>,
        symbol: Option<FeedSymbol>,
    },
    /// A request is refused as a whole for one bad symbol.
    Split {
        id: Option<u64>,
    },
    /// The simulator lives, and has sent this many frames of data.
    Heartbeat {
        sent: Option<u64>,
    },
    /// What is known of a symbol besides its prices; it was told.
    Facts,
    Pong,
    Closing,
    Other,
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    if frame == PONG {
        return Ok(Event::Pong);
    }
    let event = match raw::plain::<Frame<Plain<'_>>>(frame) {
        Some(frame) => frame.read(names, batch)?,
        None => raw::exact::<Frame<Exact<'_>>>(frame)?.read(names, batch)?,
    };
    if event == Event::Facts {
        raw::exact::<Told<'_>>(frame)?.read(names, batch)?;
    }
    Ok(event)
}

/// The facts of a symbol. They are rare: a frame of data is read without these fields.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Told<'a> {
    symbol: Exact<'a>,
    #[serde(default)]
    name: Exact<'a>,
    #[serde(default)]
    currency: Exact<'a>,
    #[serde(default)]
    kind: Exact<'a>,
    #[serde(default)]
    price_digits: Exact<'a>,
    #[serde(default)]
    size_digits: Exact<'a>,
}

impl Told<'_> {
    fn read(&self, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
        let symbol = names.find(self.symbol)?;
        let errors = &mut batch.errors;
        let facts = Facts {
            name: facts::name(self.name, errors),
            currency: facts::currency(self.currency, errors),
            kind: facts::kind(self.kind, InstrumentKind::of_word, errors),
            price_digits: facts::digits(self.price_digits, errors),
            size_digits: facts::digits(self.size_digits, errors),
        };
        batch.tell(symbol, facts);
        Ok(())
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
    /// How many frames of data the simulator has sent.
    #[serde(default)]
    sent: V,
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
    /// `halted`, `resumed`.
    #[serde(default)]
    trading: V,
    /// `closed`, `open`.
    #[serde(default)]
    session: V,
}

impl<'a, V: Value<'a>> Frame<V> {
    fn read(&self, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
        if let Some(operation) = self.op.text() {
            return self.operation(&operation, names, batch);
        }
        let kind = self.kind.text().ok_or(DecodeError::Shape)?;
        if !matches!(kind.as_ref(), "trade" | "quote" | "stats" | "status") {
            return Ok(Event::Other);
        }
        let symbol = names.find(self.symbol)?;
        let update = self.update(&kind, symbol, batch);
        batch.push(update);
        Ok(Event::Data)
    }

    fn operation(&self, operation: &str, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
        let id = self.id.id(&mut batch.errors);
        Ok(match (operation, id) {
            ("ack", id) => Event::Granted { id, symbol: self.answered(names)? },
            ("refuse", id) => Event::Refused { id, symbol: self.answered(names)? },
            ("split", id) => Event::Split { id },
            ("heartbeat", _) => Event::Heartbeat { sent: self.sent.id(&mut batch.errors) },
            ("facts", _) => Event::Facts,
            ("closing", _) => Event::Closing,
            _ => Event::Other,
        })
    }

    /// The symbol that an answer names, if it names one.
    fn answered(&self, names: &Names) -> Result<Option<FeedSymbol>, DecodeError> {
        let Some(name) = self.symbol.text() else { return Ok(None) };
        names.answer_of(&name).map(Some)
    }

    fn update(&self, kind: &str, symbol: FeedSymbol, batch: &mut Batch) -> Update {
        let update = Update { symbol, ..Update::default() };
        match kind {
            "trade" => Update { trade: Some(self.trade(batch)), ..update },
            "status" => Update { status: Some(self.status(batch)), ..update },
            "quote" => Update { quote: Some(self.quote(batch)), ..update },
            _ => Update { stats: Some(self.stats(batch)), ..update },
        }
    }

    fn sequence(&self, batch: &mut Batch) -> Sequence {
        Sequence {
            id: self.id.id(&mut batch.errors),
            time: self.time.time(TimeUnit::Micros, &mut batch.errors),
            by_arrival: false,
        }
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

    fn status(&self, batch: &mut Batch) -> StatusUpdate {
        let sequence = self.sequence(batch);
        let errors = &mut batch.errors;
        let trading = self.trading.word(errors, |word| match word {
            "halted" => Some(true),
            "resumed" => Some(false),
            _ => None,
        });
        let session = self.session.word(errors, |word| match word {
            "closed" => Some(true),
            "open" => Some(false),
            _ => None,
        });
        let halted = match trading {
            Field::Set(true) => Field::Set(Halt::News),
            Field::Set(false) => Field::Clear,
            _ => Field::Keep,
        };
        let closed = if let Field::Set(closed) = session { Some(closed) } else { None };
        StatusUpdate { sequence, closed, halted, resume_is_reported: true }
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
