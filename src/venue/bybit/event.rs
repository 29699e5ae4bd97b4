//! Frames to updates.

use super::category::{Category, Channel};
use crate::{
    market::{Decimal, FeedSymbol, Field, QuoteUpdate, Sequence, StatsUpdate, StatsWindow, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        bybit::{book::Book, trades},
        kit::{
            Aim, Names,
            raw::{self, Exact, Plain, Raw, TimeUnit, Value, unless_zero},
            scan,
        },
    },
};
use serde::Deserialize;
use std::borrow::Cow;

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Answer<'a> {
    Message(Message),
    /// The request, or the oldest one, is granted.
    Granted(Aim, Option<u64>),
    /// The request, or the oldest one, is refused; why.
    Refused(Aim, Option<u64>, Cow<'a, str>),
}

/// Of which symbols a connection has brought a book or a ticker, so that a delta has something to add to.
#[derive(Debug)]
pub(super) struct Bases {
    books: Vec<bool>,
    tickers: Vec<bool>,
}

impl Bases {
    pub(super) fn new(symbols: usize) -> Self {
        Self { books: vec![false; symbols], tickers: vec![false; symbols] }
    }

    /// These places are taken.
    pub(super) fn relist(&mut self, added: impl Iterator<Item = FeedSymbol>) {
        for place in added.map(FeedSymbol::index) {
            for known in [&mut self.books, &mut self.tickers] {
                if known.len() <= place {
                    known.resize(place + 1, false);
                }
                known[place] = false;
            }
        }
    }
}

/// Reads a frame.
pub(super) fn read<'a>(
    frame: &'a [u8],
    category: Category,
    names: &Names,
    bases: &mut Bases,
    batch: &mut Batch,
) -> Result<Answer<'a>, DecodeError> {
    let mut reader = Reader { category, names, bases, batch };
    if let Some(read) = reader.scanned(frame) {
        return read.map(Answer::Message);
    }
    let envelope: Envelope<'_> = raw::exact(frame)?;
    if !envelope.topic.is_there() {
        return Ok(envelope.answer(reader.batch));
    }
    let topic = envelope.topic.text().ok_or(DecodeError::Shape)?;
    reader.read(&topic, &envelope).map(Answer::Message)
}

/// Any message.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
#[derive(Default)]
struct Envelope<'a> {
    topic: Exact<'a>,
    #[serde(rename = "type")]
    kind: Exact<'a>,
    ts: Exact<'a>,
    cts: Exact<'a>,
    cs: Exact<'a>,
    data: Exact<'a>,
    // Answers.
    op: Exact<'a>,
    success: Exact<'a>,
    ret_msg: Exact<'a>,
    req_id: Exact<'a>,
}

impl<'a> Envelope<'a> {
    fn head(&self) -> Head<'a> {
        let [kind, ts, cts, cs] = [self.kind, self.ts, self.cts, self.cs].map(|field| Plain(field.raw()));
        Head { kind, ts, cts, cs }
    }

    /// An answer to a request or a ping. Its keys, and which of them it has, differ by category and over the years.
    fn answer(&self, batch: &mut Batch) -> Answer<'a> {
        let op = self.op.text().unwrap_or_default();
        let aim = match op.as_ref() {
            "subscribe" | "" => Some(Aim::Begin),
            "unsubscribe" => Some(Aim::End),
            _ => None,
        };
        match (self.success.raw(), aim) {
            (Raw::Flag(true), Some(aim)) if !op.is_empty() => Answer::Granted(aim, self.req_id.id(&mut batch.errors)),
            (Raw::Flag(false), Some(aim)) => {
                let why = self.ret_msg.text().unwrap_or_default();
                Answer::Refused(aim, self.req_id.id(&mut batch.errors), why)
            }
            _ if matches!(op.as_ref(), "ping" | "pong" | "unsubscribe") => Answer::Message(Message::Control),
            _ => Answer::Message(Message::Other),
        }
    }
}

/// The fields around the data of a frame.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Head<'a> {
    kind: Plain<'a>,
    ts: Plain<'a>,
    cts: Plain<'a>,
    cs: Plain<'a>,
}

impl<'a> Head<'a> {
    /// Reads the fields that follow the topic, as the venue writes them; `data` takes the value of that name, and
    /// returns what follows it.
    pub(super) fn scanned(mut rest: &'a str, mut data: impl FnMut(&'a str) -> Option<&'a str>) -> Option<Self> {
        let mut head = Self::default();
        while let Some(field) = rest.strip_prefix(',') {
            let (key, value) = scan::key(field)?;
            rest = match key {
                "data" => data(value)?,
                _ => head.set(key, scan::value(value)?)?,
            };
        }
        (rest == "}").then_some(head)
    }

    /// Sets a field, if it is used; returns the rest. `None` if it is set already.
    fn set(&mut self, key: &str, (value, rest): (Raw<'a>, &'a str)) -> Option<&'a str> {
        let field = match key {
            "type" => &mut self.kind,
            "ts" => &mut self.ts,
            "cts" => &mut self.cts,
            "cs" => &mut self.cs,
            _ => return Some(rest),
        };
        (!field.is_there()).then(|| *field = Plain(value))?;
        Some(rest)
    }

    /// Whether the data are a snapshot, and not a delta.
    fn is_whole(&self) -> Result<bool, DecodeError> {
        match self.kind.text().as_deref() {
            Some("snapshot") => Ok(true),
            Some("delta") => Ok(false),
            _ => Err(DecodeError::Word),
        }
    }

    /// When the matching engine made the data, else when the venue sent them.
    fn time(&self, errors: &mut Tally<DecodeError>) -> Sequence {
        let time = if self.cts.is_there() { self.cts } else { self.ts };
        Sequence { time: time.time(TimeUnit::Millis, errors), ..Sequence::default() }
    }
}

/// A ticker. A delta has some of these fields.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"), default, rename_all = "camelCase")]
pub(super) struct Ticker<V> {
    bid1_price: V,
    bid1_size: V,
    ask1_price: V,
    ask1_size: V,
    prev_price24h: V,
    high_price24h: V,
    low_price24h: V,
    volume24h: V,
}

impl<'a> Ticker<Plain<'a>> {
    fn set(&mut self, key: &str, value: Raw<'a>) -> Option<()> {
        let field = match key {
            "bid1Price" => &mut self.bid1_price,
            "bid1Size" => &mut self.bid1_size,
            "ask1Price" => &mut self.ask1_price,
            "ask1Size" => &mut self.ask1_size,
            "prevPrice24h" => &mut self.prev_price24h,
            "highPrice24h" => &mut self.high_price24h,
            "lowPrice24h" => &mut self.low_price24h,
            "volume24h" => &mut self.volume24h,
            _ => return Some(()),
        };
        (!field.is_there()).then(|| *field = Plain(value))
    }
}

/// Reads the ticker of a frame as the venue writes it, from what follows its topic.
pub(super) fn scanned_ticker(rest: &str) -> Option<(Head<'_>, Ticker<Plain<'_>>)> {
    let mut ticker = None;
    let head = Head::scanned(rest, |data| {
        let mut fields = Ticker::default();
        let rest = scan::fields(data, |key, value| fields.set(key, value))?;
        ticker.replace(fields).is_none().then_some(rest)
    })?;
    Some((head, ticker?))
}

/// Reads one frame.
struct Reader<'r> {
    category: Category,
    names: &'r Names,
    bases: &'r mut Bases,
    batch: &'r mut Batch,
}

impl Reader<'_> {
    /// Reads data as the venue writes them. `None` for anything else, of which nothing is read then.
    fn scanned(&mut self, frame: &[u8]) -> Option<Result<Message, DecodeError>> {
        let frame = std::str::from_utf8(frame).ok()?;
        let (topic, rest) = scan::string(frame.strip_prefix(r#"{"topic":""#)?)?;
        let (channel, name) = Channel::of(topic).filter(|(channel, _)| self.has(*channel))?;
        let symbol = self.names.symbol(name)?;
        Some(match channel {
            Channel::Trades => {
                let whole = || raw::exact::<Envelope<'_>>(frame.as_bytes());
                match trades::read(trades::list(rest)?, self.category, symbol, self.batch) {
                    Ok(None | Some("}")) => Ok(Message::Data),
                    // The trades stand. Only the whole frame says what its end is.
                    Ok(Some(_)) => whole().map(|_| Message::Data),
                    Err(reason) => Err(whole().err().unwrap_or(reason)),
                }
            }
            Channel::Book => {
                let (head, book) = Book::scanned(rest)?;
                self.book(symbol, &head, &book)
            }
            Channel::Tickers => {
                let (head, ticker) = scanned_ticker(rest)?;
                self.ticker(symbol, &head, &ticker)
            }
        })
    }

    fn has(&self, channel: Channel) -> bool {
        self.category.channels().contains(&channel)
    }

    fn read(&mut self, topic: &str, envelope: &Envelope<'_>) -> Result<Message, DecodeError> {
        let Some((channel, name)) = Channel::of(topic).filter(|(channel, _)| self.has(*channel)) else {
            return Ok(Message::Other);
        };
        let symbol = self.names.data_of(name)?;
        let Raw::Json(data) = envelope.data.raw() else { return Err(DecodeError::Shape) };
        match channel {
            Channel::Trades => match trades::read(data, self.category, symbol, self.batch)? {
                None | Some("") => Ok(Message::Data),
                Some(_) => Err(DecodeError::Shape),
            },
            Channel::Book => self.book(symbol, &envelope.head(), &Book::exact(data)?),
            Channel::Tickers => {
                let ticker: Ticker<Exact<'_>> = raw::exact(data.as_bytes())?;
                self.ticker(symbol, &envelope.head(), &ticker)
            }
        }
    }

    fn book(&mut self, symbol: FeedSymbol, head: &Head<'_>, book: &Book<'_>) -> Result<Message, DecodeError> {
        let is_whole = head.is_whole()?;
        let keeps = std::mem::replace(&mut self.bases.books[symbol.index()], true) && !is_whole;
        let errors = &mut self.batch.errors;
        let sequence = Sequence { id: book.id.id(errors), ..head.time(errors) };
        let (bid, bid_size) = book.bids.best(keeps, errors);
        let (ask, ask_size) = book.asks.best(keeps, errors);
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        self.batch.push(Update { symbol, quote: Some(quote), ..Update::default() });
        Ok(Message::Data)
    }

    fn ticker<'a, V: Value<'a>>(
        &mut self,
        symbol: FeedSymbol,
        head: &Head<'_>,
        ticker: &Ticker<V>,
    ) -> Result<Message, DecodeError> {
        let is_whole = head.is_whole()?;
        let keeps = std::mem::replace(&mut self.bases.tickers[symbol.index()], true) && !is_whole;
        let errors = &mut self.batch.errors;
        let mut sequence = head.time(errors);
        let has_quote = self.category.quotes_in_tickers();
        if has_quote {
            sequence.id = head.cs.id(errors);
        }
        let quote = if has_quote { ticker.quote(keeps, sequence, errors) } else { None };
        let stats = ticker.stats(keeps, sequence, errors);
        // A delta may change nothing that is shown. It proves that data flow.
        if quote.is_some() || stats.is_some() {
            self.batch.push(Update { symbol, quote, stats, ..Update::default() });
        }
        Ok(Message::Data)
    }
}

impl<'a, V: Value<'a>> Ticker<V> {
    /// The best bid and ask. `None` for a delta that has none of both.
    fn quote(&self, keeps: bool, sequence: Sequence, errors: &mut Tally<DecodeError>) -> Option<QuoteUpdate> {
        let fields = [self.bid1_price, self.bid1_size, self.ask1_price, self.ask1_size];
        if keeps && !fields.iter().any(|field| field.is_there()) {
            return None;
        }
        let [bid, bid_size, ask, ask_size] = fields.map(|field| known(field.decimal(errors), keeps));
        let (bid, bid_size) = side(bid, bid_size);
        let (ask, ask_size) = side(ask, ask_size);
        Some(QuoteUpdate { sequence, bid, bid_size, ask, ask_size })
    }

    /// The statistics. `None` for a delta that has none of them.
    fn stats(&self, keeps: bool, sequence: Sequence, errors: &mut Tally<DecodeError>) -> Option<StatsUpdate> {
        let fields = [self.prev_price24h, self.high_price24h, self.low_price24h, self.volume24h];
        if keeps && !fields.iter().any(|field| field.is_there()) {
            return None;
        }
        let [open, high, low, volume] = fields.map(|field| known(field.decimal(errors), keeps));
        Some(StatsUpdate {
            sequence,
            window: Field::Set(StatsWindow::Hours24),
            open: unless_zero(open),
            high: unless_zero(high),
            low: unless_zero(low),
            volume,
            ..StatsUpdate::default()
        })
    }
}

/// A field that a delta leaves out has not changed; one that a snapshot leaves out is none.
fn known(field: Field<Decimal>, keeps: bool) -> Field<Decimal> {
    if field == Field::Keep && !keeps { Field::Clear } else { field }
}

/// A side without a price is empty.
fn side(price: Field<Decimal>, size: Field<Decimal>) -> (Field<Decimal>, Field<Decimal>) {
    match unless_zero(price) {
        Field::Clear => (Field::Clear, Field::Clear),
        price => (price, size),
    }
}
