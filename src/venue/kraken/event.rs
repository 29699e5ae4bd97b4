//! Frames to events: what the venue answers, and what it says of itself.

use super::data::{Channel, Data};
use crate::{
    market::{FeedSymbol, Reason},
    venue::{
        Batch, DecodeError, Failure, Message,
        kit::{
            Aim, Names,
            object::{self, object},
            raw::{Raw, Value},
        },
    },
};

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Event {
    Message(Message),
    /// The venue's system is online, or nothing matches there.
    System {
        is_online: bool,
    },
    /// A symbol is granted, or no longer subscribed.
    Granted {
        id: Option<u64>,
        aim: Aim,
        channel: Channel,
        symbol: FeedSymbol,
    },
    /// A symbol is refused, or the whole request.
    Refused {
        id: Option<u64>,
        aim: Aim,
        symbol: Option<FeedSymbol>,
    },
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    let text = std::str::from_utf8(frame).map_err(|_| DecodeError::Json)?;
    if let Some(data) = Data::scanned(text) {
        return of_data(&data, names, batch);
    }
    let frame: Frame<'_> = object::read(frame)?;
    if frame.refusal.is_there() {
        return Ok(failed(Failure::Passing { retry_after: None }));
    }
    if frame.method.is_there() || frame.error.is_there() {
        return frame.answer(names, batch);
    }
    if !frame.channel.is_there() {
        return Ok(Event::Message(Message::Other));
    }
    let channel = frame.channel.text().ok_or(DecodeError::Shape)?;
    match (channel.as_ref(), frame.data.raw()) {
        ("heartbeat", _) => Ok(Event::Message(Message::Control)),
        ("trade" | "ticker" | "status", Raw::Json(list)) => {
            let is_snapshot = frame.kind.text().is_some_and(|kind| kind == "snapshot");
            of_data(&Data { channel: &channel, is_snapshot, text: list, list_at: 0, tail: "" }, names, batch)
        }
        ("trade" | "ticker" | "status", _) => Err(DecodeError::Shape),
        _ => Ok(Event::Message(Message::Other)),
    }
}

fn of_data(data: &Data<'_, '_>, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
    if data.channel != "status" {
        return data.read(names, batch).map(Event::Message);
    }
    let is_online = data.is_online(&mut batch.errors)?;
    Ok(is_online.map_or(Event::Message(Message::Control), |is_online| Event::System { is_online }))
}

fn failed(failure: Failure) -> Event {
    Event::Message(Message::Failed(failure))
}

object! {
    /// The fields of all messages.
    Frame {
        channel = "channel",
        kind = "type",
        data = "data",
        method = "method",
        req_id = "req_id",
        success = "success",
        result = "result",
        symbol = "symbol",
        error = "error",
        // Of a message that the venue could not take.
        refusal = "Error",
    }
}

impl Frame<'_> {
    /// The answer to a request.
    fn answer(&self, names: &Names, batch: &mut Batch) -> Result<Event, DecodeError> {
        let id = self.req_id.id(&mut batch.errors);
        if self.error.is_there() || self.success.raw() == Raw::Flag(false) {
            let error = self.error.text().unwrap_or_default();
            if let Some(reason) = never_passes(&error) {
                return Ok(failed(Failure::Fatal(reason)));
            }
            if error.starts_with("Exceeded msg rate") {
                return Ok(failed(Failure::Passing { retry_after: None }));
            }
            let aim = if self.method.is_there() { self.aim() } else { Some(Aim::Begin) };
            let Some(aim) = aim else { return Ok(Event::Message(Message::Control)) };
            let symbol = if self.symbol.is_there() { Some(names.find_answer(self.symbol)?) } else { None };
            return Ok(Event::Refused { id, aim, symbol });
        }
        let Some(aim) = self.aim() else { return Ok(Event::Message(Message::Control)) };
        let Raw::Json(result) = self.result.raw() else { return Err(DecodeError::Shape) };
        let granted: Granted<'_> = object::read(result.as_bytes())?;
        let channel = granted.channel.text().ok_or(DecodeError::Shape)?;
        let Some(channel) = Channel::find(&channel) else { return Ok(Event::Message(Message::Control)) };
        Ok(Event::Granted { id, aim, channel, symbol: names.find_answer(granted.symbol)? })
    }

    /// What the request that it answers was for.
    fn aim(&self) -> Option<Aim> {
        match self.method.text()?.as_ref() {
            "subscribe" => Some(Aim::Begin),
            "unsubscribe" => Some(Aim::End),
            _ => None,
        }
    }
}

/// Why an error is one that only a person can mend: the request, or the address, is for data of an account.
fn never_passes(error: &str) -> Option<Reason> {
    if error.starts_with("ESession:Invalid session") {
        return Some(Reason::Unauthorized);
    }
    error.starts_with("Private data and trading are unavailable on this endpoint").then_some(Reason::NotEntitled)
}

object! {
    /// What is granted.
    Granted {
        channel = "channel",
        symbol = "symbol",
    }
}
