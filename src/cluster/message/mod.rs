//! The messages between an owner and its followers: how they are written, and read back.
//!
//! A message is a [`Head`] and a body. The body of batches, openings and snapshots is ticks:
//!
//! | field | form |
//! |---|---|
//! | length | of the rest of the tick; what a newer version appends to the known fields is skipped |
//! | index | the symbol's place in the owner's table |
//! | seq | varint |
//! | n | less the head's base, signed |
//! | changed | a bit for each of trade, quote, statistics and status, the lowest first; the highest: corrected |
//! | present | the same four bits for the parts that follow; 16: recv follows; 32: the tick is full |
//! | recv | a time |
//! | of a full tick | length and name; origin; for each part, `seq` less the `seq` that last changed it |
//! | trade | mask of 15 bits; price, size, time; guard; key; the same outside the session; trades |
//! | quote | mask of 8 bits; bid, bid size, ask, ask size, time; guard |
//! | statistics | mask of 11 bits; open, high, low, volume, previous close, time; guard |
//! | standing | mask of 6 bits; known and stale parts; what ends a halt; since when it waits; sinces; guard |
//!
//! A varint has seven bits a byte, the lowest first. A signed number is one by zigzag. A time is µs less the head's
//! base, signed. A decimal is a byte of scale (the lowest five bits) and length less 1, and its mantissa by zigzag in
//! so many bytes. A guard is the highest id and the highest time of its part, unless that is the part's own. The sinces
//! are those of refused, closed, outage and halted: a time and a reason each. A part is always whole, so a follower
//! puts it in place of its own and never merges fields.
//!
//! A message is [checked as a whole](Message::open) before any of it counts: lengths, indices, names and values. No
//! bytes make it panic.

mod error;
mod writer;
mod reader;
mod parts;
mod head;
mod beat;
mod ask;
mod tick;
mod draft;
#[cfg(test)]
mod tests;

pub use ask::Ask;
pub use beat::Beat;
pub use draft::{Draft, Finish, Sender, write_beat, write_busy, write_end, write_gone};
pub use error::DecodeError;
pub use head::{HEAD_BYTES, Head, Kind, MESSAGE_BYTES_MAX, READS, TABLE_MAX};
pub use tick::{Form, Full, OwnTick, Tick};

use crate::market::{Guards, Origin, Snapshot, UnixMicros};
use reader::Reader;

/// A message that was checked: it is as it was sent, and each of its fields can be read.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Its head.
    pub head: Head,
    /// What a beat says; `None` of other kinds.
    pub beat: Option<Beat>,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks a message.
    ///
    /// # Errors
    /// [`DecodeError`]: something of it cannot be read, so none of it counts.
    pub fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let head = Head::read(bytes)?;
        let body = &bytes[HEAD_BYTES..];
        let mut message = Self { head, beat: None, body };
        match head.kind {
            Kind::Batch | Kind::Opening | Kind::Snapshot => check_ticks(body, &head)?,
            Kind::Beat => message.beat = Some(Beat::read(body)?),
            Kind::End | Kind::Gone | Kind::Busy if body.is_empty() => {}
            Kind::End | Kind::Gone | Kind::Busy => return Err(DecodeError::Length),
        }
        Ok(message)
    }

    /// Its ticks, in the order in which they were appended.
    pub fn ticks(&self) -> impl Iterator<Item = Tick<'a>> + use<'a> {
        let head = self.head;
        let mut reader = Reader::new(if head.kind.has_ticks() { self.body } else { &[] });
        // A tick that cannot be read does not get here: the message was checked.
        std::iter::from_fn(move || if reader.is_empty() { None } else { Tick::read(&mut reader, &head).ok() })
    }
}

fn check_ticks(body: &[u8], head: &Head) -> Result<(), DecodeError> {
    let mut snapshot = Snapshot::waiting(Origin::Market, UnixMicros(0));
    let mut guards = Guards::default();
    let mut reader = Reader::new(body);
    let mut count = 0;
    while !reader.is_empty() {
        Tick::read(&mut reader, head)?.try_merge_into(&mut snapshot, &mut guards)?;
        count += 1;
    }
    if count == usize::from(head.count) { Ok(()) } else { Err(DecodeError::Length) }
}
