//! Frames to updates.

use super::{Channel, answer::Listed, product::Product};
use crate::{
    market::{
        FeedSymbol, Field, Halt, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, StatusUpdate, TradeUpdate,
        UnixMicros, Update,
    },
    venue::{
        Batch, DecodeError,
        kit::{
            Names,
            raw::{self, Exact, Plain, Raw, Value, required, side_of_quote, unless_zero},
            record::record,
            scan,
        },
    },
};
use serde::Deserialize;
use std::collections::HashSet;

/// The most updates of a frame, 2.4 MB: more of them than real trades fit into the longest message. Empty ones are
/// shorter, and would take 20 times the memory of their frame.
pub(super) const UPDATES_MAX: usize = 4_096;

/// A frame: its number on the connection, where it has one, and what it is.
pub(super) struct Frame<'a> {
    pub(super) number: Option<u64>,
    pub(super) kind: Result<Kind<'a>, DecodeError>,
}

/// What a frame is.
pub(super) enum Kind<'a> {
    /// Market data; its updates were appended.
    Data,
    Heartbeat,
    /// The answer to a request: all that is subscribed so far.
    Listed(Listed<'a>),
    /// The venue refuses a request.
    Error,
    Other,
}

/// Reads a frame. Appends its updates, oldest first.
///
/// # Errors
/// [`DecodeError`] for a frame whose number cannot be read either.
pub(super) fn read<'a>(
    frame: &'a [u8],
    names: &Names,
    halted: &mut HashSet<FeedSymbol>,
    updates: &mut Vec<Update>,
    batch: &mut Batch,
) -> Result<Frame<'a>, DecodeError> {
    let mut reader = Reader { names, halted, updates, batch, dropped: None };
    if let Some(scanned) = scanned(frame) {
        return Ok(scanned.read(reader));
    }
    let envelope: Envelope<Exact<'_>> = raw::exact(frame)?;
    let number = envelope.number.id(&mut reader.batch.errors);
    let kind = match envelope.data_channel() {
        Some(channel) => {
            envelope.data(channel, &mut reader);
            reader.finish()
        }
        None => envelope.other(),
    };
    Ok(Frame { number, kind })
}

record! {
    /// What frames have. An error has a kind instead of a channel.
    Envelope {
        channel = "channel",
        kind = "type",
        time = "timestamp",
        number = "sequence_num",
        events = "events",
    }
}

/// An element of a frame's events.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: Exact<'a>,
    trades: Exact<'a>,
    tickers: Exact<'a>,
    products: Exact<'a>,
}

record! {
    /// A trade.
    Trade {
        product = "product_id",
        id = "trade_id",
        price = "price",
        size = "size",
        time = "time",
        side = "side",
    }
}

record! {
    /// Bid and ask of a product, and its statistics.
    Ticker {
        product = "product_id",
        bid = "best_bid",
        bid_size = "best_bid_quantity",
        ask = "best_ask",
        ask_size = "best_ask_quantity",
        high = "high_24_h",
        low = "low_24_h",
        volume = "volume_24_h",
    }
}

impl<'a> Envelope<Exact<'a>> {
    /// The channel of market data that it is of.
    fn data_channel(&self) -> Option<Channel> {
        let name = self.channel.text()?;
        [Channel::Trades, Channel::Ticker, Channel::Status].into_iter().find(|channel| channel.name() == name)
    }

    fn data(&self, channel: Channel, reader: &mut Reader<'_>) {
        // Trades have times of their own.
        let time = if channel == Channel::Trades { None } else { self.time.rfc3339(&mut reader.batch.errors) };
        let read = self.events.each(|event: Event<'_>| {
            let read = match channel {
                Channel::Ticker => event.tickers.each(|ticker: Ticker<Exact<'_>>| reader.ticker(&ticker, time)),
                Channel::Status => reader.products(event.products, time),
                Channel::Trades | Channel::Heartbeats => reader.trades(&event),
            };
            reader.note(read);
        });
        reader.note(read);
    }

    fn other(&self) -> Result<Kind<'a>, DecodeError> {
        if self.kind.text().is_some_and(|kind| kind == "error") {
            return Ok(Kind::Error);
        }
        if !self.channel.is_there() {
            return Ok(Kind::Other);
        }
        match &*self.channel.text().ok_or(DecodeError::Shape)? {
            "heartbeats" => Ok(Kind::Heartbeat),
            "subscriptions" => Listed::read(self.events).map(Kind::Listed),
            _ => Ok(Kind::Other),
        }
    }
}

/// Collects the updates of a frame.
struct Reader<'r> {
    names: &'r Names,
    /// The products that are not online.
    halted: &'r mut HashSet<FeedSymbol>,
    updates: &'r mut Vec<Update>,
    /// Takes what is counted, and what was said of products besides their prices.
    batch: &'r mut Batch,
    /// Why the last element that could not be read was dropped; the earlier ones are counted.
    dropped: Option<DecodeError>,
}

impl Reader<'_> {
    /// Appends an update, if there is room. Trades come newest first, so that the oldest find none.
    fn push(&mut self, update: Update) {
        if self.updates.len() == UPDATES_MAX {
            return self.note(Err(DecodeError::Shape));
        }
        self.updates.push(update);
    }

    fn note(&mut self, read: Result<(), DecodeError>) {
        if let Err(reason) = read
            && let Some(earlier) = self.dropped.replace(reason)
        {
            self.batch.errors.count(earlier);
        }
    }

    /// What the frame was. It is dropped as a whole if nothing of it could be read; else its other elements stand.
    fn finish<'a>(self) -> Result<Kind<'a>, DecodeError> {
        match self.dropped {
            Some(reason) if self.updates.is_empty() => return Err(reason),
            Some(reason) => self.batch.errors.count(reason),
            // An empty list says nothing of the market.
            None if self.updates.is_empty() => return Ok(Kind::Heartbeat),
            None => {}
        }
        Ok(Kind::Data)
    }

    /// Reads trades, newest first as the venue sends them. Of a snapshot only the newest of each product counts.
    fn trades(&mut self, event: &Event<'_>) -> Result<(), DecodeError> {
        let from = self.updates.len();
        let read = event.trades.each(|trade: Trade<Exact<'_>>| self.trade(&trade));
        self.sort_trades(from);
        if event.kind.text().is_some_and(|kind| kind == "snapshot") {
            let mut seen = HashSet::new();
            let mut newest: Vec<Update> =
                self.updates.drain(from..).rev().filter(|update| seen.insert(update.symbol)).collect();
            newest.reverse();
            self.updates.append(&mut newest);
        }
        read
    }

    /// Puts the trades from this place on into their order, oldest first.
    fn sort_trades(&mut self, from: usize) {
        let trades = &mut self.updates[from..];
        if trades.len() > 1 {
            trades.reverse();
            trades.sort_by_key(|update| update.trade.map(|trade| (trade.sequence.id, trade.sequence.time)));
        }
    }

    fn trade<'a>(&mut self, trade: &Trade<impl Value<'a>>) {
        let symbol = match self.names.find(trade.product) {
            Ok(symbol) => symbol,
            Err(reason) => return self.note(Err(reason)),
        };
        let errors = &mut self.batch.errors;
        let trade = TradeUpdate {
            sequence: Sequence { id: trade.id.id(errors), time: trade.time.rfc3339(errors), by_arrival: false },
            price: required(trade.price.decimal(errors), errors),
            size: required(trade.size.decimal(errors), errors),
            side: required(trade.side.word(errors, taker), errors),
            ..TradeUpdate::default()
        };
        self.push(Update { symbol, trade: Some(trade), ..Update::default() });
    }

    fn ticker<'a>(&mut self, ticker: &Ticker<impl Value<'a>>, time: Option<UnixMicros>) {
        let symbol = match self.names.find(ticker.product) {
            Ok(symbol) => symbol,
            Err(reason) => return self.note(Err(reason)),
        };
        let sequence = Sequence { time, ..Sequence::default() };
        let errors = &mut self.batch.errors;
        let (bid, bid_size) = side_of_quote(ticker.bid, ticker.bid_size, errors);
        let (ask, ask_size) = side_of_quote(ticker.ask, ticker.ask_size, errors);
        let stats = StatsUpdate {
            sequence,
            window: Field::Set(StatsWindow::Hours24),
            high: unless_zero(required(ticker.high.decimal(errors), errors)),
            low: unless_zero(required(ticker.low.decimal(errors), errors)),
            volume: required(ticker.volume.decimal(errors), errors),
            ..StatsUpdate::default()
        };
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        self.push(Update { symbol, quote: Some(quote), stats: Some(stats), ..Update::default() });
    }

    /// Reads statuses. The venue may send those of products that were not asked for. That a product is online says
    /// nothing of one that was not halted: its prices may be old, and a status would make it live.
    fn products(&mut self, products: Exact<'_>, time: Option<UnixMicros>) -> Result<(), DecodeError> {
        let mut is_for_us = false;
        let mut is_for_others = false;
        let read = products.each(|product: Product<'_>| match product.status(self.names) {
            Ok((symbol, is_online)) => {
                is_for_us = true;
                let facts = product.facts(&mut self.batch.errors);
                self.batch.tell(symbol, facts);
                let was_halted = self.halted.remove(&symbol);
                if !is_online {
                    self.halted.insert(symbol);
                }
                if was_halted || !is_online {
                    self.status(symbol, is_online, time);
                }
            }
            Err(DecodeError::UnknownSymbol | DecodeError::RemovedSymbol) => is_for_others = true,
            Err(reason) => self.note(Err(reason)),
        });
        if is_for_others && !is_for_us {
            self.note(Err(DecodeError::UnknownSymbol));
        }
        read
    }

    fn status(&mut self, symbol: FeedSymbol, is_online: bool, time: Option<UnixMicros>) {
        let status = StatusUpdate {
            sequence: Sequence { time, ..Sequence::default() },
            closed: None,
            halted: if is_online { Field::Clear } else { Field::Set(Halt::Other) },
            resume_is_reported: true,
        };
        self.push(Update { symbol, status: Some(status), ..Update::default() });
    }
}

/// The venue has the maker's side.
fn taker(maker: &str) -> Option<Side> {
    match maker {
        "BUY" => Some(Side::Sell),
        "SELL" => Some(Side::Buy),
        _ => None,
    }
}

/// The most trades of a frame that is scanned: the venue sends one to six.
const SCANNED_MAX: usize = 8;

/// A frame of one list of trades, or one ticker, as the venue writes it.
#[derive(Default)]
pub(super) struct Scanned<'a> {
    envelope: Envelope<Plain<'a>>,
    trades: Vec<Trade<Plain<'a>>>,
    ticker: Option<Ticker<Plain<'a>>>,
}

/// Scans a frame. `None` for what is left to a parser: snapshots, several events, statuses, answers.
pub(super) fn scanned(frame: &[u8]) -> Option<Scanned<'_>> {
    let frame = std::str::from_utf8(frame).ok()?;
    let mut scanned = Scanned::default();
    let rest = scan::object(frame, |key, text| match key {
        "events" => scan::list(text, |text| scanned.event(text)),
        _ => {
            let (value, rest) = scan::value(text)?;
            scanned.envelope.set(key, value)?;
            Some(rest)
        }
    })?;
    let channel = match (scanned.trades.as_slice(), scanned.ticker) {
        ([_, ..], None) => Channel::Trades,
        ([], Some(_)) => Channel::Ticker,
        _ => return None,
    };
    (rest.is_empty() && scanned.envelope.channel.raw() == Raw::Text(channel.name())).then_some(scanned)
}

impl<'a> Scanned<'a> {
    fn event(&mut self, text: &'a str) -> Option<&'a str> {
        if !self.trades.is_empty() || self.ticker.is_some() {
            return None;
        }
        scan::object(text, |key, text| match key {
            "type" => text.strip_prefix(r#""update""#),
            "trades" => scan::list(text, |text| {
                let mut trade = Trade::default();
                let rest = scan::fields(text, |key, value| trade.set(key, value))?;
                self.trades.push(trade);
                (self.trades.len() <= SCANNED_MAX).then_some(rest)
            }),
            "tickers" => scan::list(text, |text| {
                let mut ticker = Ticker::default();
                let rest = scan::fields(text, |key, value| ticker.set(key, value))?;
                self.ticker.replace(ticker).is_none().then_some(rest)
            }),
            _ => None,
        })
    }

    fn read<'f>(&self, mut reader: Reader<'_>) -> Frame<'f> {
        let number = self.envelope.number.id(&mut reader.batch.errors);
        self.trades.iter().for_each(|trade| reader.trade(trade));
        reader.sort_trades(0);
        if let Some(ticker) = &self.ticker {
            let time = self.envelope.time.rfc3339(&mut reader.batch.errors);
            reader.ticker(ticker, time);
        }
        Frame { number, kind: reader.finish() }
    }
}
