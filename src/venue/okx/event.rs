//! Frames to updates.

use super::Channel;
use crate::{
    market::{Decimal, FeedSymbol, Field, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, TradeUpdate, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError,
        kit::{
            Aim, Names,
            raw::{self, Exact, Plain, TimeUnit, Value, required, unless_zero},
            record::record,
            scan,
        },
    },
};
use serde::Deserialize;

/// The answer to a ping: the one frame that is not JSON.
const PONG: &[u8] = b"pong";
/// The code of a notice that the connection will be closed.
const CLOSING: u64 = 64_008;

/// What a frame was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Market data; its updates were appended.
    Data,
    /// A channel of a symbol is granted, or no longer subscribed.
    Done(Aim, Channel, FeedSymbol),
    /// An error, with its code and what it says.
    Error {
        code: u64,
        message: String,
    },
    /// Says nothing that has to be known.
    Control,
    /// The venue will close the connection.
    Closing,
    /// Too many connections have a channel: the venue closes this one.
    TooManyConnections,
    Other,
}

/// Reads a frame, from the place on that the batch has.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    if frame == PONG {
        return Ok(Event::Control);
    }
    let from = std::mem::take(&mut batch.read_on);
    if from == 0
        && let Some(scanned) = scanned(frame)
    {
        return scanned.read(names, batch);
    }
    let frame: Frame<'_> = raw::exact(frame)?;
    if frame.event.is_there() {
        return frame.event(names, &mut batch.errors);
    }
    let Some(arg) = &frame.arg else { return Ok(Event::Other) };
    let Some(channel) = arg.channel() else { return Ok(Event::Other) };
    let symbol = names.find(arg.name)?;
    frame.data(channel, symbol, from, batch)
}

/// Any message.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
struct Frame<'a> {
    event: Exact<'a>,
    code: Exact<'a>,
    msg: Exact<'a>,
    arg: Option<Arg<Exact<'a>>>,
    data: Exact<'a>,
}

record! {
    /// What a frame is of.
    Arg {
        channel = "channel",
        name = "instId",
    }
}

record! {
    /// The fields of all kinds of data.
    Item {
        time = "ts",
        id = "tradeId",
        number = "seqId",
        price = "px",
        size = "sz",
        side = "side",
        bids = "bids",
        asks = "asks",
        open = "open24h",
        high = "high24h",
        low = "low24h",
        volume = "vol24h",
    }
}

impl<'a, V: Value<'a>> Arg<V> {
    /// The channel, if it is one that is subscribed.
    fn channel(&self) -> Option<Channel> {
        let name = self.channel.text()?;
        Channel::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

impl Frame<'_> {
    fn event(&self, names: &Names, errors: &mut Tally<DecodeError>) -> Result<Event, DecodeError> {
        let code = self.code.id(errors).unwrap_or_default();
        Ok(match &*self.event.text().ok_or(DecodeError::Shape)? {
            word @ ("subscribe" | "unsubscribe") => {
                let aim = if word == "subscribe" { Aim::Begin } else { Aim::End };
                let arg = self.arg.as_ref().ok_or(DecodeError::Shape)?;
                match arg.channel() {
                    Some(channel) => Event::Done(aim, channel, names.find_answer(arg.name)?),
                    None => Event::Other,
                }
            }
            "error" => Event::Error { code, message: self.msg.text().unwrap_or_default().into_owned() },
            "notice" if code == CLOSING => Event::Closing,
            "channel-conn-count" => Event::Control,
            "channel-conn-count-error" => Event::TooManyConnections,
            _ => Event::Other,
        })
    }

    /// Reads data from this place on. Those before an element that cannot be read stand.
    fn data(&self, channel: Channel, symbol: FeedSymbol, from: usize, batch: &mut Batch) -> Result<Event, DecodeError> {
        let mut is_empty = true;
        let read = self.data.each_from(from, |item: Item<Exact<'_>>| {
            is_empty = false;
            let book = |errors: &mut _| [best_level(item.bids, errors), best_level(item.asks, errors)];
            item.read(channel, symbol, book, batch);
            !batch.is_full()
        });
        match read {
            Ok(rest) => batch.read_on = rest,
            Err(reason) if is_empty => return Err(reason),
            Err(reason) => batch.errors.count(reason),
        }
        Ok(if is_empty { Event::Control } else { Event::Data })
    }
}

/// Price and size of the best level of a side of the book.
type Level = (Field<Decimal>, Field<Decimal>);

/// The best level of a side as it came: a list of levels, the best first.
fn best_level(levels: Exact<'_>, errors: &mut Tally<DecodeError>) -> Level {
    let mut best = None;
    let read = levels.each(|level: Exact<'_>| _ = best.get_or_insert(level));
    match (read, best) {
        (Ok(()), Some(level)) => level.level(errors),
        (Ok(()), None) => (Field::Clear, Field::Clear),
        (Err(reason), _) => {
            errors.count(if levels.is_there() { reason } else { DecodeError::Missing });
            (Field::Clear, Field::Clear)
        }
    }
}

impl<'a, V: Value<'a>> Item<V> {
    /// `book` has the best levels, of bids and of asks.
    fn read(
        &self,
        channel: Channel,
        symbol: FeedSymbol,
        book: impl FnOnce(&mut Tally<DecodeError>) -> [Level; 2],
        batch: &mut Batch,
    ) {
        let errors = &mut batch.errors;
        let time = self.time.time(TimeUnit::Millis, errors);
        let sequence = Sequence { time, ..Sequence::default() };
        let mut update = Update { symbol, ..Update::default() };
        match channel {
            Channel::Trades => {
                update.trade = Some(TradeUpdate {
                    sequence: Sequence { id: self.id.id(errors), ..sequence },
                    price: required(self.price.decimal(errors), errors),
                    size: required(self.size.decimal(errors), errors),
                    side: required(self.side.word(errors, taker), errors),
                    ..TradeUpdate::default()
                });
            }
            Channel::Quotes => {
                let [(bid, bid_size), (ask, ask_size)] = book(errors);
                // Two quotes may be of the same ms.
                let sequence = Sequence { id: self.number.id(errors), ..sequence };
                update.quote = Some(QuoteUpdate { sequence, bid, bid_size, ask, ask_size });
            }
            Channel::Tickers => {
                update.stats = Some(StatsUpdate {
                    sequence,
                    window: Field::Set(StatsWindow::Hours24),
                    open: unless_zero(required(self.open.decimal(errors), errors)),
                    high: unless_zero(required(self.high.decimal(errors), errors)),
                    low: unless_zero(required(self.low.decimal(errors), errors)),
                    volume: required(self.volume.decimal(errors), errors),
                    prev_close: Field::Keep,
                });
            }
        }
        batch.push(update);
    }
}

fn taker(word: &str) -> Option<Side> {
    match word {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        _ => None,
    }
}

/// A frame with one element of data, as the venue writes it.
pub(super) struct Scanned<'a> {
    arg: Arg<Plain<'a>>,
    item: Item<Plain<'a>>,
    bids: Best<'a>,
    asks: Best<'a>,
}

/// A scanned side of the book.
#[derive(Clone, Copy, PartialEq)]
enum Best<'a> {
    Missing,
    Empty,
    Level { price: Plain<'a>, size: Plain<'a> },
}

impl Best<'_> {
    fn read(self, errors: &mut Tally<DecodeError>) -> Level {
        match self {
            Self::Level { price, size } => (price.decimal(errors), size.decimal(errors)),
            Self::Empty => (Field::Clear, Field::Clear),
            Self::Missing => {
                errors.count(DecodeError::Missing);
                (Field::Clear, Field::Clear)
            }
        }
    }
}

/// Scans a frame. `None` for what is left to a parser.
pub(super) fn scanned(frame: &[u8]) -> Option<Scanned<'_>> {
    let frame = std::str::from_utf8(frame).ok()?;
    let mut arg = Arg::default();
    let mut scanned = None;
    let rest = scan::object(frame, |key, text| match key {
        "arg" => scan::fields(text, |key, value| arg.set(key, value)),
        "data" => scan::list(text, |text| {
            let (element, rest) = scanned_item(text)?;
            scanned.replace(element).is_none().then_some(rest)
        }),
        _ => None,
    })?;
    let scanned = scanned.filter(|_| rest.is_empty() && arg.channel().is_some())?;
    Some(Scanned { arg, ..scanned })
}

fn scanned_item(text: &str) -> Option<(Scanned<'_>, &str)> {
    let mut element = Scanned { arg: Arg::default(), item: Item::default(), bids: Best::Missing, asks: Best::Missing };
    let rest = scan::object(text, |key, text| {
        let side = match key {
            "bids" => &mut element.bids,
            "asks" => &mut element.asks,
            _ => {
                let (value, rest) = scan::value(text)?;
                element.item.set(key, value)?;
                return Some(rest);
            }
        };
        let (best, rest) = scanned_side(text)?;
        (*side == Best::Missing).then(|| *side = best)?;
        Some(rest)
    })?;
    Some((element, rest))
}

/// A side of the book with one level, or none.
fn scanned_side(text: &str) -> Option<(Best<'_>, &str)> {
    let mut best = Best::Empty;
    let rest = scan::list(text, |text| {
        let mut fields = [Plain::default(); 2];
        let mut count = 0;
        let rest = scan::list(text, |text| {
            let (value, rest) = scan::value(text)?;
            if let Some(place) = fields.get_mut(count) {
                *place = Plain(value);
            }
            count += 1;
            Some(rest)
        })?;
        let [price, size] = fields;
        let is_first = best == Best::Empty && count >= 2;
        best = Best::Level { price, size };
        is_first.then_some(rest)
    })?;
    Some((best, rest))
}

impl Scanned<'_> {
    fn read(self, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
        let symbol = names.find(self.arg.name)?;
        let Some(channel) = self.arg.channel() else { return Ok(Event::Other) };
        self.item.read(channel, symbol, |errors| [self.bids.read(errors), self.asks.read(errors)], batch);
        Ok(Event::Data)
    }
}
