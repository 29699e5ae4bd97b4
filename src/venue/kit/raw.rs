//! Readers that venues share: from a field as it came to numbers, times and words, each drop counted by its reason.
//!
//! A message is read twice at most. [`Plain`] fields are what venues send nearly always: strings, whole numbers,
//! flags, at three quarters of the cost of [`Exact`] ones, which keep any JSON with its own digits. What is not plain
//! is read again as exact.

pub(in crate::venue) use super::time_unit::TimeUnit;

use super::{
    list::{self, Place},
    rfc3339,
};
use crate::{
    market::{Decimal, DecimalError, Field, UnixMicros},
    telemetry::labels::Tally,
    venue::DecodeError,
};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A field as it came, or its absence. `null` is not absence: it says that there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::venue) enum Raw<'a> {
    #[default]
    Absent,
    Null,
    /// A string without escapes.
    Text(&'a str),
    Whole(u64),
    Flag(bool),
    /// Anything else.
    Json(&'a str),
}

/// A field of a message that holds nothing but strings without escapes, whole numbers, flags and nulls.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::venue) struct Plain<'a>(pub(in crate::venue) Raw<'a>);

/// A field that may be any JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::venue) struct Exact<'a>(pub(super) Raw<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        // A fraction has no visit here, so it is refused: as an f64 it would have lost its digits.
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plain value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw::Text(text))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Raw<'de>, E> {
                Ok(Raw::Whole(number))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Raw<'de>, E> {
                Ok(Raw::Flag(flag))
            }

            fn visit_unit<E>(self) -> Result<Raw<'de>, E> {
                Ok(Raw::Null)
            }
        }
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Exact<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(match json {
            "null" => Raw::Null,
            "true" => Raw::Flag(true),
            "false" => Raw::Flag(false),
            _ if json.contains('\\') => Raw::Json(json),
            _ => json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or(Raw::Json(json), Raw::Text),
        }))
    }
}

/// A field that can be read.
pub(in crate::venue) trait Value<'a>: Copy {
    /// The field as it came.
    fn raw(self) -> Raw<'a>;

    /// Whether the field is there.
    fn is_there(self) -> bool {
        !matches!(self.raw(), Raw::Absent)
    }

    /// A number, quoted or bare. Absent keeps; `null` and an empty string clear. Anything else, or a number that does
    /// not fit, clears too: an old size beside a new price would be a lie.
    fn decimal(self, errors: &mut Tally<DecodeError>) -> Field<Decimal> {
        let number = match self.raw() {
            Raw::Absent => return Field::Keep,
            Raw::Null | Raw::Text("") => return Field::Clear,
            Raw::Text(text) | Raw::Json(text) => Decimal::parse(text.as_bytes()),
            Raw::Whole(whole) => {
                i64::try_from(whole).ok().and_then(|whole| Decimal::new(whole, 0)).ok_or(DecimalError::Range)
            }
            Raw::Flag(_) => Err(DecimalError::Syntax),
        };
        number.map_or_else(
            |reason| {
                errors.count(match reason {
                    DecimalError::Syntax => DecodeError::Number,
                    DecimalError::Range => DecodeError::Range,
                });
                Field::Clear
            },
            Field::Set,
        )
    }

    /// The venue's rising number of an event: a whole number, quoted or bare.
    fn id(self, errors: &mut Tally<DecodeError>) -> Option<u64> {
        self.raw().whole(DecodeError::Number, errors)
    }

    /// A time, as a whole number of this unit since 1970.
    fn time(self, unit: TimeUnit, errors: &mut Tally<DecodeError>) -> Option<UnixMicros> {
        let time = unit.micros(self.raw().whole(DecodeError::Time, errors)?);
        if time.is_none() {
            errors.count(DecodeError::Time);
        }
        time
    }

    /// A time, as RFC 3339 writes it; what is finer than a µs is cut off.
    fn rfc3339(self, errors: &mut Tally<DecodeError>) -> Option<UnixMicros> {
        let time = match self.raw() {
            Raw::Absent | Raw::Null | Raw::Text("") => return None,
            Raw::Text(text) => rfc3339::parse(text),
            Raw::Whole(_) | Raw::Flag(_) | Raw::Json(_) => None,
        };
        if time.is_none() {
            errors.count(DecodeError::Time);
        }
        time
    }

    /// One of a few words, which `value` knows; a flag is the word `true` or `false`. Absent keeps; any other word
    /// clears.
    fn word<T>(self, errors: &mut Tally<DecodeError>, value: impl Fn(&str) -> Option<T>) -> Field<T> {
        let word = match self.raw() {
            Raw::Absent => return Field::Keep,
            Raw::Null | Raw::Text("") => return Field::Clear,
            Raw::Text(text) => value(text),
            Raw::Flag(flag) => value(if flag { "true" } else { "false" }),
            Raw::Whole(_) | Raw::Json(_) => None,
        };
        if word.is_none() {
            errors.count(DecodeError::Word);
        }
        word.map_or(Field::Clear, Field::Set)
    }

    /// A string, with its escapes undone. `None` for anything else.
    fn text(self) -> Option<Cow<'a, str>> {
        match self.raw() {
            Raw::Text(text) => Some(Cow::Borrowed(text)),
            Raw::Json(json) if json.starts_with('"') => serde_json::from_str(json).ok().map(Cow::Owned),
            _ => None,
        }
    }
}

impl<'a> Exact<'a> {
    /// What says that there is none.
    pub(in crate::venue) const NULL: Self = Self(Raw::Null);

    /// A list inside a message: each element is handed over as it is read.
    ///
    /// # Errors
    /// [`DecodeError::Shape`] for anything else, or from the first element that does not fit; those before it stand.
    pub(in crate::venue) fn each<T: Deserialize<'a>>(self, take: impl FnMut(T)) -> Result<(), DecodeError> {
        match self.0 {
            Raw::Json(json) => each(json.as_bytes(), take),
            _ => Err(DecodeError::Shape),
        }
    }

    /// The first element of a list, `null` of an empty one. Anything else is returned as it is.
    pub(in crate::venue) fn first(self) -> Self {
        let Raw::Json(json) = self.0 else { return self };
        let mut first = Self::NULL;
        let read = each_from(json.as_bytes(), 0, |element: Self| {
            first = element;
            false
        });
        if read.is_ok() { first } else { self }
    }

    /// The same from this place of the list on, as [`each_from`].
    ///
    /// # Errors
    /// As [`Exact::each`].
    pub(in crate::venue) fn each_from<T: Deserialize<'a>>(
        self,
        from: usize,
        take: impl FnMut(T) -> bool,
    ) -> Result<usize, DecodeError> {
        match self.0 {
            Raw::Json(json) => each_from(json.as_bytes(), from, take),
            _ => Err(DecodeError::Shape),
        }
    }

    /// A price and a size as a list of two, `["182.34","100"]`; what follows them is skipped. Absent keeps both; `null`
    /// and an empty list clear both. Anything else is counted, and clears.
    pub(in crate::venue) fn level(self, errors: &mut Tally<DecodeError>) -> (Field<Decimal>, Field<Decimal>) {
        let [price, size] = self.pair(errors);
        (price.decimal(errors), size.decimal(errors))
    }

    /// The same with both as they came.
    pub(in crate::venue) fn pair(self, errors: &mut Tally<DecodeError>) -> [Self; 2] {
        let json = match self.0 {
            Raw::Absent | Raw::Null => return [self; 2],
            Raw::Json(json) => json,
            Raw::Text(_) | Raw::Whole(_) | Raw::Flag(_) => "",
        };
        let mut pair = [Self::NULL; 2];
        let mut count = 0;
        let read = each(json.as_bytes(), |value: Self| {
            if let Some(place) = pair.get_mut(count) {
                *place = value;
            }
            count += 1;
        });
        if read.is_err() || count == 1 {
            errors.count(DecodeError::Shape);
            return [Self::NULL; 2];
        }
        pair
    }

    /// A list of strings. `None` for anything else.
    pub(in crate::venue) fn texts(self) -> Option<Vec<Cow<'a, str>>> {
        /// A string, borrowed where it has no escapes.
        #[derive(Deserialize)]
        struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
        match self.0 {
            Raw::Json(json) => {
                let texts: Vec<Text<'a>> = serde_json::from_str(json).ok()?;
                Some(texts.into_iter().map(|text| text.0).collect())
            }
            _ => None,
        }
    }
}

/// A field that was cut out of a message.
impl<'a> From<Raw<'a>> for Exact<'a> {
    fn from(raw: Raw<'a>) -> Self {
        Self(raw)
    }
}

impl<'a> Value<'a> for Plain<'a> {
    fn raw(self) -> Raw<'a> {
        self.0
    }
}

impl<'a> Value<'a> for Exact<'a> {
    fn raw(self) -> Raw<'a> {
        self.0
    }
}

impl Raw<'_> {
    fn whole(self, reason: DecodeError, errors: &mut Tally<DecodeError>) -> Option<u64> {
        let number = match self {
            Raw::Absent | Raw::Null | Raw::Text("") => return None,
            Raw::Whole(number) => Some(number),
            // Checked by hand: `parse` alone would take a plus sign.
            Raw::Text(text) | Raw::Json(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Raw::Text(_) | Raw::Json(_) | Raw::Flag(_) => None,
        };
        if number.is_none() {
            errors.count(reason);
        }
        number
    }
}

/// A field of a message that always has it: its absence is counted, and clears.
pub(in crate::venue) fn required<T>(field: Field<T>, errors: &mut Tally<DecodeError>) -> Field<T> {
    if matches!(field, Field::Keep) {
        errors.count(DecodeError::Missing);
        return Field::Clear;
    }
    field
}

/// A figure that a venue writes as zero where it has none. A price below zero stays an error.
pub(in crate::venue) fn unless_zero(field: Field<Decimal>) -> Field<Decimal> {
    if field == Field::Set(Decimal::ZERO) { Field::Clear } else { field }
}

/// One side of a quote. A price and a size of zero mean that the side is empty.
pub(in crate::venue) fn side_of_quote<'a>(
    price: impl Value<'a>,
    size: impl Value<'a>,
    errors: &mut Tally<DecodeError>,
) -> (Field<Decimal>, Field<Decimal>) {
    let price = required(price.decimal(errors), errors);
    let size = required(size.decimal(errors), errors);
    let none = Field::Set(Decimal::ZERO);
    if (price, size) == (none, none) { (Field::Clear, Field::Clear) } else { (price, size) }
}

/// A message of plain fields. `None` if it has any other field, or is not such a message.
pub(in crate::venue) fn plain<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Option<T> {
    // Checked as a whole it is cheaper than string by string.
    serde_json::from_str(std::str::from_utf8(frame).ok()?).ok()
}

/// A message of exact fields. Bytes that do not fit are [`DecodeError::Shape`] if they are JSON, else
/// [`DecodeError::Json`].
pub(in crate::venue) fn exact<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(frame).map_err(|_| misfit(frame))
}

/// The same for a frame that is an array of messages: each is handed over as it is read. However many there are, none
/// is kept; those before one that does not fit stand.
pub(in crate::venue) fn each<'a, T: Deserialize<'a>>(
    frame: &'a [u8],
    mut take: impl FnMut(T),
) -> Result<(), DecodeError> {
    let read = each_from(frame, 0, |element| {
        take(element);
        true
    });
    read.map(|_| ())
}

/// The same from this place of the frame on, 0 at first, until `take` wants no more. Returns the place of the rest, or
/// 0 where nothing is left.
pub(in crate::venue) fn each_from<'a, T: Deserialize<'a>>(
    frame: &'a [u8],
    from: usize,
    take: impl FnMut(T) -> bool,
) -> Result<usize, DecodeError> {
    elements(frame, from, take).ok_or_else(|| misfit(frame))
}

fn elements<'a, T: Deserialize<'a>>(frame: &'a [u8], from: usize, take: impl FnMut(T) -> bool) -> Option<usize> {
    let read = |at: usize| parsed(serde_json::Deserializer::from_slice(&frame[at..]), at);
    let from = if from == 0 { list::begin(frame, 0)? } else { Place::Element(from) };
    match list::walk(frame, from, read, take)? {
        Place::Element(at) => Some(at),
        Place::End(at) => (list::after_blanks(frame, at) == frame.len()).then_some(0),
    }
}

/// The element that a parser reads at a place, and where it ends.
pub(super) fn parsed<'a, T: Deserialize<'a>>(
    parser: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
    at: usize,
) -> Option<(T, usize)> {
    let mut values = parser.into_iter::<T>();
    Some((values.next()?.ok()?, at + values.byte_offset()))
}

/// What bytes are that do not fit.
pub(in crate::venue) fn misfit(json: &[u8]) -> DecodeError {
    if is_json(json) { DecodeError::Shape } else { DecodeError::Json }
}

/// Whether these bytes are JSON, whatever it says.
pub(in crate::venue) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
