//! Frames to updates.
//!
//! The venue does not publish what its numbers of conditions mean. Recorded frames tell two of them: `12` stands at
//! every trade of less than 100 shares and at no other, an odd lot; `24` stands at every trade outside the regular
//! session and at no other. An odd lot is never the consolidated last price. A number that is not known never hides a
//! trade.

use crate::{
    market::{FeedSymbol, Field, Reason, Sequence, TradeUpdate, TradingSession, UnixMicros, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Names,
            object::{self, Object},
            raw::{Exact, Raw, TimeUnit, Value, required, unless_zero},
        },
    },
};
use serde::Deserialize;

const ODD_LOT: &str = "12";
const EXTENDED: &str = "24";

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Event {
    Message(Message),
    Refused(Refusal),
}

/// What an error means, by its words.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The venue does not know this symbol.
    Symbol(FeedSymbol),
    /// The newest request is refused.
    Newest(Reason),
    /// The key is wrong.
    Key,
    /// Too many requests, or too many connections.
    TooMany,
    Other,
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    let from = std::mem::take(&mut batch.read_on);
    let frame: Frame<'_> = object::read(frame)?;
    if !frame.kind.is_there() {
        return Ok(Event::Message(Message::Other));
    }
    let kind = frame.kind.text().ok_or(DecodeError::Shape)?;
    match &*kind {
        "trade" => trades(frame.data, from, names, batch).map(|()| Event::Message(Message::Data)),
        "ping" => Ok(Event::Message(Message::Control)),
        "error" => refusal(&frame.msg.text().unwrap_or_default(), names).map(Event::Refused),
        _ => Ok(Event::Message(Message::Other)),
    }
}

/// The fields of all messages.
#[derive(Default)]
struct Frame<'a> {
    kind: Exact<'a>,
    data: Exact<'a>,
    msg: Exact<'a>,
}

impl<'a> Object<'a> for Frame<'a> {
    fn field(&mut self, key: &str) -> Option<&mut Exact<'a>> {
        match key {
            "type" => Some(&mut self.kind),
            "data" => Some(&mut self.data),
            "msg" => Some(&mut self.msg),
            _ => None,
        }
    }
}

/// What the venue refuses. It writes the symbol behind the words that say so.
fn refusal(words: &str, names: &Names) -> Result<Refusal, DecodeError> {
    let lower = words.to_ascii_lowercase();
    let says = |part: &str| lower.contains(part);
    if let Some(name) = words.strip_prefix("Invalid symbol ") {
        return names.answer_of(name.trim()).map(Refusal::Symbol);
    }
    Ok(if says("too many symbols") {
        Refusal::Newest(Reason::SymbolLimit)
    } else if says("api key") || says("token") {
        Refusal::Key
    } else if says("access") {
        Refusal::Newest(Reason::NotEntitled)
    } else if says("symbol") {
        Refusal::Newest(Reason::NotGranted)
    } else if says("too many") || says("limit") {
        Refusal::TooMany
    } else {
        Refusal::Other
    })
}

/// The trades of a frame, oldest first. Of a frame with more than fit, so many of the oldest were read before.
fn trades(list: Exact<'_>, before: usize, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
    let mut all: Vec<(Option<UnixMicros>, Trade<'_>)> = Vec::new();
    let read = list.each(|trade: Trade<'_>| {
        // What is wrong with a time is counted when the trade is read.
        all.push((trade.t.time(TimeUnit::Millis, &mut Tally::default()), trade));
    });
    // Equal times keep their order. A whole frame is sorted before any of it is read.
    all.sort_by_key(|(time, _)| *time);
    let room = Batch::UPDATES_MAX.saturating_sub(batch.updates.len()).max(1);
    for (_, trade) in all.iter().skip(before).take(room) {
        if let Err(reason) = trade.read(names, batch) {
            // The others of its frame stand.
            batch.errors.count(reason);
        }
    }
    match read {
        _ if before + room < all.len() => batch.read_on = before + room,
        Err(reason) if all.is_empty() => return Err(reason),
        Err(reason) => batch.errors.count(reason),
        Ok(()) => {}
    }
    Ok(())
}

/// The fields of a trade.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"), default)]
struct Trade<'a> {
    c: Exact<'a>,
    p: Exact<'a>,
    s: Exact<'a>,
    t: Exact<'a>,
    v: Exact<'a>,
}

impl Trade<'_> {
    fn read(&self, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
        let symbol = names.find(self.s)?;
        let Some(session) = self.session() else {
            batch.ineligible += 1;
            return Ok(());
        };
        let errors = &mut batch.errors;
        let time: Option<UnixMicros> = self.t.time(TimeUnit::Millis, errors);
        let trade = TradeUpdate {
            sequence: Sequence { time, ..Sequence::default() },
            price: required(self.p.decimal(errors), errors),
            size: unless_zero(required(self.v.decimal(errors), errors)),
            side: Field::Clear,
            session,
            key: None,
        };
        batch.push(Update { symbol, trade: Some(trade), ..Update::default() });
        Ok(())
    }

    /// In which session the trade is shown; `None` where it may not be the last price. Conditions that cannot be read
    /// hide nothing.
    fn session(&self) -> Option<TradingSession> {
        if !matches!(self.c.raw(), Raw::Json(_)) {
            return Some(TradingSession::Regular);
        }
        let conditions = self.c.texts().unwrap_or_default();
        let has = |condition: &str| conditions.iter().any(|has| has == condition);
        let session = if has(EXTENDED) { TradingSession::Extended } else { TradingSession::Regular };
        (!has(ODD_LOT)).then_some(session)
    }
}
