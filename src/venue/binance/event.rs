//! Frames to updates.

use crate::{
    market::{QuoteUpdate, Sequence, Side, TradeUpdate, Update},
    venue::{
        Batch, DecodeError, Message,
        binance::statistics,
        kit::{
            Names,
            raw::{self, Exact, Plain, Raw, TimeUnit, Value, required, side_of_quote},
            scan,
        },
    },
};
use serde::Deserialize;

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Answer {
    Message(Message),
    /// The request is granted.
    Granted(u64),
    /// The request, or the oldest one, is refused.
    Refused(Option<u64>),
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Answer, DecodeError> {
    if let Some(event) = scanned(frame) {
        return event.read(frame, names, batch).map(Answer::Message);
    }
    if let Some(answered) = raw::plain::<Frame<Plain<'_>>>(frame).and_then(|read| answer(frame, &read, names, batch)) {
        return answered;
    }
    if let Some(answered) = answer(frame, &raw::exact::<Frame<Exact<'_>>>(frame)?, names, batch) {
        return answered;
    }
    let bare: Event<Exact<'_>> = raw::exact(frame)?;
    bare.read(frame, names, batch).map(Answer::Message)
}

/// An event in its envelope, or an answer. `None` for what may be an event without an envelope.
fn answer<'a>(
    bytes: &[u8],
    frame: &Frame<impl Value<'a>>,
    names: &Names,
    batch: &mut Batch,
) -> Option<Result<Answer, DecodeError>> {
    if let Some(event) = &frame.data {
        return Some(event.read(bytes, names, batch).map(Answer::Message));
    }
    let is_refusal = frame.code.is_there() || frame.error.is_there();
    if !is_refusal && !frame.result.is_there() && !frame.id.is_there() {
        return None;
    }
    let id = frame.id.id(&mut batch.errors);
    Some(Ok(match id {
        _ if is_refusal => Answer::Refused(id),
        Some(id) if frame.result.is_there() => Answer::Granted(id),
        _ => Answer::Message(Message::Other),
    }))
}

impl<'a, V: Value<'a>> Event<V> {
    /// Whether it is one: a quote is the one event without a name of its own.
    fn has_a_kind(&self) -> bool {
        self.e.is_there() || (self.u.is_there() && self.s.is_there())
    }

    fn read(&self, frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
        if !self.e.is_there() {
            // A quote is the one event without a name of its own.
            return if self.u.is_there() { self.quote(names, batch) } else { Ok(Message::Other) };
        }
        match self.e.text().ok_or(DecodeError::Shape)?.as_ref() {
            "trade" => self.trade(names, batch),
            "bookTicker" => self.quote(names, batch),
            // It has fields of its own: read with the others they would make each trade dearer.
            "24hrTicker" => statistics::read(frame, names, batch),
            "serverShutdown" => Ok(Message::Closing),
            _ => Ok(Message::Other),
        }
    }

    fn trade(&self, names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
        let symbol = names.find(self.s)?;
        // A futures market reports what an insurance fund takes over, too: that is not a trade of the market.
        if self.X.is_there() && self.X.text().is_none_or(|kind| kind != "MARKET") {
            batch.ineligible += 1;
            return Ok(Message::Data);
        }
        let errors = &mut batch.errors;
        let trade = TradeUpdate {
            sequence: Sequence {
                id: self.t.id(errors),
                time: self.T.time(TimeUnit::MillisOrMicros, errors),
                by_arrival: false,
            },
            price: required(self.p.decimal(errors), errors),
            size: required(self.q.decimal(errors), errors),
            side: required(self.m.word(errors, taker), errors),
            ..TradeUpdate::default()
        };
        batch.push(Update { symbol, trade: Some(trade), ..Update::default() });
        Ok(Message::Data)
    }

    fn quote(&self, names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
        let symbol = names.find(self.s)?;
        let errors = &mut batch.errors;
        let (bid, bid_size) = side_of_quote(self.b, self.B, errors);
        let (ask, ask_size) = side_of_quote(self.a, self.A, errors);
        let time = self.T.time(TimeUnit::MillisOrMicros, errors);
        let sequence = Sequence { id: self.u.id(errors), time, by_arrival: false };
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        batch.push(Update { symbol, quote: Some(quote), ..Update::default() });
        Ok(Message::Data)
    }
}

fn taker(buyer_is_maker: &str) -> Option<Side> {
    match buyer_is_maker {
        "true" => Some(Side::Sell),
        "false" => Some(Side::Buy),
        _ => None,
    }
}

/// An event as the venue writes it: such frames are read in two thirds of the instructions that they take by serde.
pub(super) fn scanned(frame: &[u8]) -> Option<Event<Plain<'_>>> {
    let mut event = Event::default();
    let has_envelope = scan_event(frame, |key, value| event.set(key, value))?;
    (has_envelope || event.has_a_kind()).then_some(event)
}

/// Hands the fields of an event as the venue writes it to `take`. Returns whether it came in its envelope.
pub(super) fn scan_event<'a>(frame: &'a [u8], take: impl FnMut(&'a str, Raw<'a>) -> Option<()>) -> Option<bool> {
    let frame = std::str::from_utf8(frame).ok()?;
    let Some(stream) = frame.strip_prefix(r#"{"stream":""#) else {
        return scan::fields(frame, take)?.is_empty().then_some(false);
    };
    let (_, rest) = scan::string(stream)?;
    let rest = scan::fields(rest.strip_prefix(r#","data":"#)?, take)?;
    (rest == "}").then_some(true)
}

/// Any message but an event without its envelope.
#[derive(Deserialize)]
#[serde(bound(deserialize = "V: Deserialize<'de> + Default"))]
pub(super) struct Frame<V> {
    #[serde(default)]
    pub(super) data: Option<Event<V>>,
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
pub(super) struct Event<V> {
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
    #[serde(default)]
    X: V,
}

impl<'a> Event<Plain<'a>> {
    /// Sets a field, if it is used. `None` if it is set already: such an object is not an event.
    fn set(&mut self, key: &str, value: Raw<'a>) -> Option<()> {
        let &[key] = key.as_bytes() else { return Some(()) };
        let field = match key {
            b'e' => &mut self.e,
            b's' => &mut self.s,
            b't' => &mut self.t,
            b'T' => &mut self.T,
            b'p' => &mut self.p,
            b'q' => &mut self.q,
            b'm' => &mut self.m,
            b'u' => &mut self.u,
            b'b' => &mut self.b,
            b'B' => &mut self.B,
            b'a' => &mut self.a,
            b'A' => &mut self.A,
            b'X' => &mut self.X,
            _ => return Some(()),
        };
        (!field.is_there()).then(|| *field = Plain(value))
    }
}
