//! Frames to updates.

use super::book::{self, Book, Levels};
use crate::{
    market::{FeedSymbol, Field, QuoteUpdate, Sequence, Side, TradeUpdate, UnixMicros, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Aim, Names,
            object::{self, Object, object},
            raw::{Exact, Raw, TimeUnit, Value, required},
            scan,
        },
    },
};

/// What is subscribed of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Trades,
    Book,
}

impl Channel {
    pub(super) const ALL: [Self; 2] = [Self::Trades, Self::Book];

    /// What the venue's name of a symbol follows.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Trades => "live_trades_",
            Self::Book => "order_book_",
        }
    }

    /// The channel of a name, and the rest of it. `None` for a channel that is not subscribed.
    fn split(name: &str) -> Option<(Self, &str)> {
        let of = |channel: Self| name.strip_prefix(channel.prefix()).map(|symbol| (channel, symbol));
        Self::ALL.into_iter().find_map(of)
    }

    /// The channel and the symbol of a name in a message of data.
    fn find(name: &str, names: &Names) -> Option<Result<(Self, FeedSymbol), DecodeError>> {
        let (channel, symbol) = Self::split(name)?;
        Some(names.data_of(symbol).map(|symbol| (channel, symbol)))
    }

    /// The same in an answer.
    fn find_answer(name: &str, names: &Names) -> Option<Result<(Self, FeedSymbol), DecodeError>> {
        let (channel, symbol) = Self::split(name)?;
        Some(names.answer_of(symbol).map(|symbol| (channel, symbol)))
    }
}

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Event {
    Message(Message),
    /// A channel is granted, or no longer subscribed.
    Granted(Aim, Channel, FeedSymbol),
    /// A request is refused: for this channel, or the venue does not say for which.
    Refused(Option<(Channel, FeedSymbol)>),
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    if let Some((book, channel)) = book::scanned(frame) {
        return Data::Book(book).read(channel, names, batch);
    }
    if let Some((trade, channel)) = scanned_trade(frame) {
        return Data::Trade(trade).read(channel, names, batch);
    }
    let frame: Frame<'_> = object::read(frame)?;
    if !frame.event.is_there() {
        return Ok(Event::Message(Message::Other));
    }
    let event = frame.event.text().ok_or(DecodeError::Shape)?;
    let channel = frame.channel.text().unwrap_or_default();
    match event.as_ref() {
        "trade" => Data::Trade(frame.data()?).read(&channel, names, batch),
        "data" => Data::Book(frame.data::<Levels<'_>>()?.best(&mut batch.errors)).read(&channel, names, batch),
        answer @ ("bts:subscription_succeeded" | "bts:unsubscription_succeeded") => {
            let aim = if answer == "bts:subscription_succeeded" { Aim::Begin } else { Aim::End };
            match Channel::find_answer(&channel, names) {
                Some(found) => found.map(|(channel, symbol)| Event::Granted(aim, channel, symbol)),
                None => Ok(Event::Message(Message::Control)),
            }
        }
        "bts:error" => match Channel::find_answer(&channel, names) {
            Some(found) => found.map(|found| Event::Refused(Some(found))),
            None if frame.is_about_a_subscription() => Ok(Event::Refused(None)),
            None => {
                batch.refuses_symbol = true;
                Ok(Event::Message(Message::Control))
            }
        },
        "bts:heartbeat" => Ok(Event::Message(Message::Control)),
        "bts:request_reconnect" => Ok(Event::Message(Message::Closing)),
        _ => Ok(Event::Message(Message::Other)),
    }
}

object! {
    /// The fields of all messages.
    Frame {
        event = "event",
        channel = "channel",
        data = "data",
    }
}

impl<'a> Frame<'a> {
    fn data<T: Object<'a>>(&self) -> Result<T, DecodeError> {
        match self.data.raw() {
            Raw::Json(json) => object::read(json.as_bytes()),
            _ => Err(DecodeError::Shape),
        }
    }
}

impl Frame<'_> {
    /// Whether an error is a refusal, by its words.
    fn is_about_a_subscription(&self) -> bool {
        let error: Result<Error<'_>, DecodeError> = self.data();
        error.is_ok_and(|error| error.message.text().is_some_and(|words| words.contains("subscription")))
    }
}

object! {
    /// What is said of an error.
    Error {
        message = "message",
    }
}

/// A trade as the venue writes it, and its channel.
pub(super) fn scanned_trade(frame: &[u8]) -> Option<(Trade<'_>, &str)> {
    let frame = std::str::from_utf8(frame).ok()?;
    let (trade, rest) = object::scanned(frame.strip_prefix(r#"{"data":"#)?)?;
    let (channel, rest) = scan::string(rest.strip_prefix(r#","channel":""#)?)?;
    (rest == r#","event":"trade"}"#).then_some((trade, channel))
}

enum Data<'a> {
    Trade(Trade<'a>),
    Book(Book<'a>),
}

impl Data<'_> {
    fn read(&self, channel: &str, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
        let Some(found) = Channel::find(channel, names) else { return Ok(Event::Message(Message::Other)) };
        let (channel, symbol) = found?;
        let update = Update { symbol, ..Update::default() };
        let errors = &mut batch.errors;
        match (self, channel) {
            (Self::Trade(trade), Channel::Trades) => {
                let trade = Some(trade.read(errors));
                batch.push(Update { trade, ..update });
            }
            (Self::Book(book), Channel::Book) => {
                let quote = Some(quote(book, errors));
                batch.push(Update { quote, ..update });
            }
            _ => return Err(DecodeError::Shape),
        }
        Ok(Event::Message(Message::Data))
    }
}

object! {
    /// The fields of a trade that are used.
    Trade {
        id = "id",
        timestamp = "timestamp",
        microtimestamp = "microtimestamp",
        price_str = "price_str",
        amount_str = "amount_str",
        kind = "type",
    }
}

impl Trade<'_> {
    fn read(&self, errors: &mut Tally<DecodeError>) -> TradeUpdate {
        let time = time(self.microtimestamp, self.timestamp, errors);
        TradeUpdate {
            sequence: Sequence { id: self.id.id(errors), time, by_arrival: false },
            price: required(self.price_str.decimal(errors), errors),
            size: required(self.amount_str.decimal(errors), errors),
            side: taker(self.kind, errors),
            ..TradeUpdate::default()
        }
    }
}

fn quote(book: &Book<'_>, errors: &mut Tally<DecodeError>) -> QuoteUpdate {
    let time = time(book.microtimestamp, book.timestamp, errors);
    let [bid, bid_size] = book.bid.map(|field| required(field.decimal(errors), errors));
    let [ask, ask_size] = book.ask.map(|field| required(field.decimal(errors), errors));
    QuoteUpdate { sequence: Sequence { time, ..Sequence::default() }, bid, bid_size, ask, ask_size }
}

/// The time in µs; old messages have it in seconds alone.
fn time(micros: Exact<'_>, seconds: Exact<'_>, errors: &mut Tally<DecodeError>) -> Option<UnixMicros> {
    if micros.is_there() {
        return micros.time(TimeUnit::Micros, errors);
    }
    seconds.time(TimeUnit::Seconds, errors)
}

fn taker(kind: Exact<'_>, errors: &mut Tally<DecodeError>) -> Field<Side> {
    let side = match kind.raw() {
        Raw::Absent => Field::Keep,
        Raw::Json("0") | Raw::Text("0") => Field::Set(Side::Buy),
        Raw::Json("1") | Raw::Text("1") => Field::Set(Side::Sell),
        _ => {
            errors.count(DecodeError::Word);
            Field::Clear
        }
    };
    required(side, errors)
}
