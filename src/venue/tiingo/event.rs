//! Frames to updates. Data are lists, told apart by their first element and their length:
//!
//! - level 6: time, ticker, price;
//! - levels 0 and 5: `Q`, `T` or `B`, time, time in ns, ticker, bid size, bid, mid, ask, ask size, last price,
//!   last size, halted, after hours, intermarket sweep, odd lot, exempt from rule 611.
//!
//! `null` stands where a message does not have an element. `B` breaks a trade and does not say which, so it is not
//! used.

use crate::{
    market::{self, Field, Halt, QuoteUpdate, Sequence, StatusUpdate, TradeUpdate, TradingSession, UnixMicros, Update},
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Names,
            object::{self, Object, object},
            raw::{Exact, Raw, TimeUnit, Value, required, side_of_quote},
        },
    },
};
use std::{borrow::Cow, collections::HashSet};

/// The elements of the longest list.
const ELEMENTS: usize = 16;

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Event<'a> {
    Message(Message),
    Answer(Answer<'a>),
}

/// An answer of the venue.
#[derive(Debug)]
pub(super) enum Answer<'a> {
    /// Subscribed, under this number.
    Subscribed(Option<u64>),
    /// These tickers are subscribed by now.
    Listed(HashSet<Cow<'a, str>>),
    /// An error with this code, and whether its words are about the level.
    Failed(u64, bool),
}

/// Reads a frame.
pub(super) fn read<'a>(frame: &'a [u8], names: &Names, batch: &mut Batch) -> Result<Event<'a>, DecodeError> {
    let frame: Frame<'_> = object::read(frame)?;
    if !frame.message_type.is_there() {
        return Ok(Event::Message(Message::Other));
    }
    let kind = frame.message_type.text().ok_or(DecodeError::Shape)?;
    match &*kind {
        "A" => {
            // Coins and currencies are other services, with other lists.
            if frame.service.text().is_some_and(|service| service != "iex") {
                return Ok(Event::Message(Message::Other));
            }
            data(frame.data, names, batch).map(Event::Message)
        }
        "H" => Ok(Event::Message(Message::Control)),
        "I" | "E" => {
            let response: Response<'_> = part(frame.response)?;
            match response.code.id(&mut batch.errors) {
                Some(200) if *kind == *"I" => answer(frame.data, batch).map(Event::Answer),
                code => {
                    let words = response.message.text().unwrap_or_default().to_ascii_lowercase();
                    Ok(Event::Answer(Answer::Failed(code.unwrap_or_default(), words.contains("threshold"))))
                }
            }
        }
        _ => Ok(Event::Message(Message::Other)),
    }
}

fn answer<'a>(data: Exact<'a>, batch: &mut Batch) -> Result<Answer<'a>, DecodeError> {
    let data: Subscribed<'_> = part(data)?;
    if data.tickers.is_there() {
        let tickers = data.tickers.texts().ok_or(DecodeError::Shape)?;
        return Ok(Answer::Listed(tickers.into_iter().collect()));
    }
    Ok(Answer::Subscribed(data.id.id(&mut batch.errors)))
}

fn part<'a, T: Object<'a>>(field: Exact<'a>) -> Result<T, DecodeError> {
    match field.raw() {
        Raw::Json(json) => object::read(json.as_bytes()),
        _ => Err(DecodeError::Shape),
    }
}

object! {
    /// The fields of all messages.
    Frame {
        message_type = "messageType",
        service = "service",
        data = "data",
        response = "response",
    }
}

object! {
    Response {
        code = "code",
        message = "message",
    }
}

object! {
    /// What an answer says of a subscription.
    Subscribed {
        id = "subscriptionId",
        tickers = "tickers",
    }
}

/// Reads the list of a message of data.
fn data(list: Exact<'_>, names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
    let mut elements = [Exact::default(); ELEMENTS];
    let mut count = 0;
    object::each_value(list, |element| {
        if let Some(place) = elements.get_mut(count) {
            *place = element;
        }
        count += 1;
    })?;
    let update = match (elements[0].text().as_deref(), count) {
        (Some("Q"), ELEMENTS..) => book(&elements, names, batch)?,
        (Some("T"), ELEMENTS..) => match trade(&elements, names, batch)? {
            Some(update) => update,
            None => return Ok(Message::Data),
        },
        (Some("B"), ELEMENTS..) => return names.find(elements[3]).map(|_| Message::Data),
        (Some(_), 3) => reference_price(&elements, names, batch)?,
        _ => return Err(DecodeError::Shape),
    };
    batch.push(update);
    Ok(Message::Data)
}

fn sequence(time: Option<UnixMicros>) -> Sequence {
    Sequence { time, ..Sequence::default() }
}

/// The price that the venue derives: a trade without size and side.
fn reference_price(
    &[time, ticker, price, ..]: &[Exact<'_>; ELEMENTS],
    names: &Names,
    batch: &mut Batch,
) -> Result<Update, DecodeError> {
    let symbol = names.find(ticker)?;
    let errors = &mut batch.errors;
    let time = time.rfc3339(errors);
    let trade = TradeUpdate {
        sequence: sequence(time),
        price: required(price.decimal(errors), errors),
        size: Field::Clear,
        side: Field::Clear,
        // It comes from the first to the last hour of the day, and has no flag for that.
        session: time.map(market::us_session).unwrap_or_default(),
        key: None,
    };
    Ok(Update { symbol, trade: Some(trade), ..Update::default() })
}

fn book(elements: &[Exact<'_>; ELEMENTS], names: &Names, batch: &mut Batch) -> Result<Update, DecodeError> {
    let &[_, _, time, ticker, bid_size, bid, _, ask, ask_size, _, _, halted, ..] = elements;
    let symbol = names.find(ticker)?;
    let errors = &mut batch.errors;
    let sequence = sequence(time.time(TimeUnit::Nanos, errors));
    let (bid, bid_size) = side_of_quote(bid, bid_size, errors);
    let (ask, ask_size) = side_of_quote(ask, ask_size, errors);
    let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
    Ok(Update { symbol, quote: Some(quote), status: status(halted, sequence), ..Update::default() })
}

/// `None` of a trade that may not be the last price and says nothing else.
fn trade(elements: &[Exact<'_>; ELEMENTS], names: &Names, batch: &mut Batch) -> Result<Option<Update>, DecodeError> {
    let &[_, _, time, ticker, _, _, _, _, _, price, size, halted, after_hours, _, odd_lot, _] = elements;
    let symbol = names.find(ticker)?;
    let errors = &mut batch.errors;
    let sequence = sequence(time.time(TimeUnit::Nanos, errors));
    let status = status(halted, sequence);
    let update = Update { symbol, status, ..Update::default() };
    if is_set(odd_lot) {
        batch.ineligible += 1;
        return Ok(status.map(|_| update));
    }
    let trade = TradeUpdate {
        sequence,
        price: required(price.decimal(errors), errors),
        size: required(size.decimal(errors), errors),
        side: Field::Clear,
        session: if is_set(after_hours) { TradingSession::Extended } else { TradingSession::Regular },
        key: None,
    };
    Ok(Some(Update { trade: Some(trade), ..update }))
}

/// Whether a flag is 1.
fn is_set(flag: Exact<'_>) -> bool {
    matches!(flag.raw(), Raw::Json("1") | Raw::Whole(1))
}

/// What a flag says of a halt; `None` where the message has none.
fn status(halted: Exact<'_>, sequence: Sequence) -> Option<StatusUpdate> {
    let halted = match halted.raw() {
        Raw::Json("0") | Raw::Whole(0) => Field::Clear,
        _ if is_set(halted) => Field::Set(Halt::Other),
        _ => return None,
    };
    Some(StatusUpdate { sequence, closed: None, halted, resume_is_reported: true })
}
