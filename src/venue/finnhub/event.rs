//! Frames to updates.
//!
//! The venue does not publish what its numbers of conditions mean. Recorded frames tell two of them: `12` stands at
//! every trade of less than 100 shares and at no other, an odd lot; `24` stands at every trade outside the regular
//! session and at no other. An odd lot is never the consolidated last price. A number that is not known never hides a
//! trade. A trade without conditions has its session by its time.

use crate::{
    market::{self, FeedSymbol, Field, Reason, Sequence, TradeUpdate, TradingSession, UnixMicros, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Names,
            object::{self, object},
            raw::{Exact, TimeUnit, Value, required, unless_zero},
        },
    },
};

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

object! {
    /// The fields of all messages.
    Frame {
        kind = "type",
        data = "data",
        msg = "msg",
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
    let read = object::each_of(list, |trade: Trade<'_>| {
        // What is wrong with a time is counted when the trade is read.
        all.push((trade.time.time(TimeUnit::Millis, &mut Tally::default()), trade));
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

object! {
    /// The fields of a trade.
    Trade {
        conditions = "c",
        price = "p",
        symbol = "s",
        time = "t",
        volume = "v",
    }
}

impl Trade<'_> {
    fn read(&self, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
        let symbol = names.find(self.symbol)?;
        let time: Option<UnixMicros> = self.time.time(TimeUnit::Millis, &mut batch.errors);
        let Some(session) = self.session(time) else {
            batch.ineligible += 1;
            return Ok(());
        };
        let errors = &mut batch.errors;
        let trade = TradeUpdate {
            sequence: Sequence { time, ..Sequence::default() },
            price: required(self.price.decimal(errors), errors),
            size: unless_zero(required(self.volume.decimal(errors), errors)),
            side: Field::Clear,
            session,
            key: None,
        };
        batch.push(Update { symbol, trade: Some(trade), ..Update::default() });
        Ok(())
    }

    /// In which session the trade is shown; `None` where it may not be the last price. Conditions that cannot be read
    /// hide nothing.
    fn session(&self, time: Option<UnixMicros>) -> Option<TradingSession> {
        let (mut is_odd_lot, mut is_extended, mut has_any, mut are_read) = (false, false, false, true);
        let read = object::each_value(self.conditions, |condition| {
            has_any = true;
            match condition.text().as_deref() {
                Some(ODD_LOT) => is_odd_lot = true,
                Some(EXTENDED) => is_extended = true,
                Some(_) => {}
                None => are_read = false,
            }
        });
        if !has_any || !are_read || read.is_err() {
            // Another exchange, which stands before a colon, has hours of its own.
            let is_us_stock = self.symbol.text().is_some_and(|name| !name.contains(':'));
            return Some(time.filter(|_| is_us_stock).map_or(TradingSession::Regular, market::us_session));
        }
        let session = if is_extended { TradingSession::Extended } else { TradingSession::Regular };
        (!is_odd_lot).then_some(session)
    }
}
