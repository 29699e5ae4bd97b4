//! The best bid and ask of `orderbook.1`.

use super::event::Head;
use crate::{
    market::{Decimal, Field},
    telemetry::labels::Tally,
    venue::{
        DecodeError,
        kit::{
            raw::{self, Exact, Plain, Raw, Value},
            scan,
        },
    },
};
use serde::Deserialize;

/// A book of one level on each side.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Book<'a> {
    pub(super) id: Plain<'a>,
    pub(super) bids: Side<'a>,
    pub(super) asks: Side<'a>,
}

/// What a message says of a side.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) enum Side<'a> {
    /// Nothing.
    #[default]
    Absent,
    /// `[]`: in a snapshot it is empty, in a delta it has not changed.
    Empty,
    /// Its levels, price and size of each: a size of zero takes a level away.
    Levels {
        /// The first level that has a size.
        best: Option<(Plain<'a>, Plain<'a>)>,
    },
    /// What only a parser can read.
    Json(&'a str),
}

/// The same as any JSON.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
#[derive(Default)]
struct Fields<'a> {
    u: Exact<'a>,
    b: Exact<'a>,
    a: Exact<'a>,
}

impl<'a> Book<'a> {
    /// Reads any JSON.
    pub(super) fn exact(data: &'a str) -> Result<Self, DecodeError> {
        let fields: Fields<'_> = raw::exact(data.as_bytes())?;
        let side = |field: Exact<'a>| match field.raw() {
            Raw::Absent => Ok(Side::Absent),
            Raw::Json(json) if json.starts_with('[') => Ok(Side::Json(json)),
            _ => Err(DecodeError::Shape),
        };
        Ok(Self { id: Plain(fields.u.raw()), bids: side(fields.b)?, asks: side(fields.a)? })
    }

    /// Reads the book of a frame as the venue writes it, from what follows its topic.
    pub(super) fn scanned(rest: &'a str) -> Option<(Head<'a>, Self)> {
        let mut book = None;
        let head = Head::scanned(rest, |data| {
            let (fields, rest) = Self::data(data)?;
            book.replace(fields).is_none().then_some(rest)
        })?;
        Some((head, book?))
    }

    fn data(data: &'a str) -> Option<(Self, &'a str)> {
        let mut book = Self::default();
        let mut rest = data.strip_prefix('{')?;
        loop {
            let (key, value) = scan::key(rest)?;
            rest = match key {
                "b" => book.bids.set(value)?,
                "a" => book.asks.set(value)?,
                _ => {
                    let (value, rest) = scan::value(value)?;
                    if key == "u" {
                        (!book.id.is_there()).then(|| book.id = Plain(value))?;
                    }
                    rest
                }
            };
            if let Some(rest) = rest.strip_prefix('}') {
                return Some((book, rest));
            }
            rest = rest.strip_prefix(',')?;
        }
    }
}

impl<'a> Side<'a> {
    /// Takes the side's list; returns what follows it. `None` if the side is set already.
    fn set(&mut self, list: &'a str) -> Option<&'a str> {
        let (side, rest) = Self::scanned(list)?;
        (*self == Self::Absent).then(|| *self = side)?;
        Some(rest)
    }

    fn scanned(list: &'a str) -> Option<(Self, &'a str)> {
        let mut rest = list.strip_prefix('[')?;
        if let Some(rest) = rest.strip_prefix(']') {
            return Some((Self::Empty, rest));
        }
        let mut best = None;
        loop {
            let (price, after_price) = scan::string(rest.strip_prefix("[\"")?)?;
            let (size, after_size) = scan::string(after_price.strip_prefix(",\"")?)?;
            if best.is_none() && !is_zero(size) {
                best = Some((Plain(Raw::Text(price)), Plain(Raw::Text(size))));
            }
            rest = after_size.strip_prefix(']')?;
            if let Some(rest) = rest.strip_prefix(']') {
                return Some((Self::Levels { best }, rest));
            }
            rest = rest.strip_prefix(',')?;
        }
    }

    /// The side's best price and its size. `keeps` says that what the message leaves out has not changed.
    pub(super) fn best(self, keeps: bool, errors: &mut Tally<DecodeError>) -> (Field<Decimal>, Field<Decimal>) {
        match self {
            Self::Absent | Self::Empty if keeps => (Field::Keep, Field::Keep),
            Self::Absent | Self::Empty | Self::Levels { best: None } => (Field::Clear, Field::Clear),
            Self::Levels { best: Some((price, size)) } => (price.decimal(errors), size.decimal(errors)),
            Self::Json(list) => {
                let mut best = None;
                let mut is_empty = true;
                let read = raw::each(list.as_bytes(), |level: Exact<'_>| {
                    is_empty = false;
                    let (price, size) = if best.is_none() { level.level(errors) } else { return };
                    if size != Field::Set(Decimal::ZERO) {
                        best = Some((price, size));
                    }
                });
                if let Err(reason) = read {
                    errors.count(reason);
                    return (Field::Clear, Field::Clear);
                }
                let none = if is_empty && keeps { Field::Keep } else { Field::Clear };
                best.unwrap_or((none, none))
            }
        }
    }
}

/// Whether a size is zero, however it is written.
fn is_zero(size: &str) -> bool {
    !size.is_empty() && size.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}
