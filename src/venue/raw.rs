//! Readers that venues share: from the digits as they came to numbers, times and words, each drop counted by its reason.

use super::DecodeError;
use crate::{
    market::{Decimal, DecimalError, Field, UnixMicros},
    telemetry::labels::Tally,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A field's JSON as it came, or its absence. `null` is not absence: it says that there is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raw<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not through `Option`, which would make `null` absent.
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

/// From here on an integer means µs since 1970, below it ms: in ms it is the year 5138, in µs 1973.
const MICROS_FROM: i64 = 100_000_000_000_000;

impl<'a> Raw<'a> {
    /// Whether the field is there.
    pub(super) fn is_there(self) -> bool {
        self.0.is_some()
    }

    /// The value's JSON, with a string's quotes taken off: an escape stays as it is.
    fn bare(self) -> Option<&'a str> {
        let json = self.0?.get();
        Some(json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json))
    }

    /// Whether the field says that there is nothing: `null`, or an empty string.
    fn says_none(self) -> bool {
        self.0.is_some_and(|raw| matches!(raw.get(), "null" | "\"\""))
    }

    /// A number, quoted or bare. Absent keeps. What is no number, or does not fit, clears: an old size beside a new price
    /// would be a lie.
    pub(super) fn decimal(self, errors: &mut Tally<DecodeError>) -> Field<Decimal> {
        let Some(raw) = self.0 else { return Field::Keep };
        if self.says_none() {
            return Field::Clear;
        }
        match Decimal::parse(raw.get().as_bytes()) {
            Ok(number) => Field::Set(number),
            Err(reason) => {
                errors.count(match reason {
                    DecimalError::Syntax => DecodeError::Number,
                    DecimalError::Range => DecodeError::Range,
                });
                Field::Clear
            }
        }
    }

    /// The venue's rising number of an event: a whole number, quoted or bare.
    pub(super) fn id(self, errors: &mut Tally<DecodeError>) -> Option<u64> {
        self.whole(DecodeError::Number, errors)
    }

    /// A time, as whole ms or µs since 1970, told apart by their size.
    pub(super) fn time(self, errors: &mut Tally<DecodeError>) -> Option<UnixMicros> {
        let number: u64 = self.whole(DecodeError::Time, errors)?;
        let Ok(number) = i64::try_from(number) else {
            errors.count(DecodeError::Time);
            return None;
        };
        Some(UnixMicros(if number < MICROS_FROM { number * 1_000 } else { number }))
    }

    fn whole(self, reason: DecodeError, errors: &mut Tally<DecodeError>) -> Option<u64> {
        let text = self.bare()?;
        if self.says_none() {
            return None;
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        if number.is_none() {
            errors.count(reason);
        }
        number
    }

    /// One of a few words, told by `value`. Absent keeps; any other word clears.
    pub(super) fn word<T>(self, errors: &mut Tally<DecodeError>, value: impl Fn(&str) -> Option<T>) -> Field<T> {
        let Some(text) = self.bare() else { return Field::Keep };
        if self.says_none() {
            return Field::Clear;
        }
        value(text).map_or_else(
            || {
                errors.count(DecodeError::Word);
                Field::Clear
            },
            Field::Set,
        )
    }

    /// A string, with its escapes undone. `None` for anything else.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        let json = self.0?.get();
        let inner = json.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
    }
}

/// A field of a message that always has it: its absence is counted, and clears.
pub(super) fn required<T>(field: Field<T>, errors: &mut Tally<DecodeError>) -> Field<T> {
    if matches!(field, Field::Keep) {
        errors.count(DecodeError::Missing);
        return Field::Clear;
    }
    field
}

/// Reads a message of a known form; what does not fit is told apart: [`DecodeError::Shape`] if it is JSON at all.
pub(super) fn message<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(frame).map_err(|_| {
        // Only a frame that has failed already is looked at twice.
        let is_json = serde_json::from_slice::<&RawValue>(frame).is_ok();
        if is_json { DecodeError::Shape } else { DecodeError::Json }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::labels::Label;

    /// Reads `json` as a field, and says which reasons were counted.
    fn read<T>(json: &str, read: impl Fn(Raw<'_>, &mut Tally<DecodeError>) -> T) -> (T, Vec<DecodeError>) {
        let raw = if json.is_empty() { Raw::default() } else { serde_json::from_str(json).unwrap() };
        let mut errors = Tally::default();
        let value = read(raw, &mut errors);
        (value, DecodeError::ALL.iter().copied().filter(|&reason| errors.of(reason) > 0).collect())
    }

    #[test]
    fn rule_6_a_number_is_set_kept_cleared_or_dropped_and_counted() {
        let set = |text: &str| Field::Set(text.parse::<Decimal>().unwrap());
        for (json, field, counted) in [
            ("", Field::Keep, vec![]),
            ("null", Field::Clear, vec![]),
            ("\"\"", Field::Clear, vec![]),
            ("0", set("0"), vec![]),
            ("\"61837.63000000\"", set("61837.63"), vec![]),
            ("1e-8", set("0.00000001"), vec![]),
            ("\"a\"", Field::Clear, vec![DecodeError::Number]),
            ("true", Field::Clear, vec![DecodeError::Number]),
            ("[1]", Field::Clear, vec![DecodeError::Number]),
            ("{\"a\":1}", Field::Clear, vec![DecodeError::Number]),
            ("9223372036854775808", Field::Clear, vec![DecodeError::Range]),
            ("1e31", Field::Clear, vec![DecodeError::Range]),
        ] {
            assert_eq!(read(json, |raw, errors| raw.decimal(errors)), (field, counted), "{json}");
        }
    }

    #[test]
    fn a_time_is_ms_or_us_by_its_size() {
        for (json, micros, counted) in [
            ("", None, vec![]),
            ("null", None, vec![]),
            ("1723161255342", Some(1_723_161_255_342_000), vec![]),
            ("1723161255342123", Some(1_723_161_255_342_123), vec![]),
            ("\"1723161255342\"", Some(1_723_161_255_342_000), vec![]),
            ("0", Some(0), vec![]),
            ("99999999999999", Some(99_999_999_999_999_000), vec![]),
            ("100000000000000", Some(100_000_000_000_000), vec![]),
            ("-1", None, vec![DecodeError::Time]),
            ("1.5", None, vec![DecodeError::Time]),
            ("\"2024-08-08T00:00:00Z\"", None, vec![DecodeError::Time]),
            ("18446744073709551615", None, vec![DecodeError::Time]),
            ("99999999999999999999", None, vec![DecodeError::Time]),
        ] {
            assert_eq!(read(json, |raw, errors| raw.time(errors)), (micros.map(UnixMicros), counted), "{json}");
        }
    }

    #[test]
    fn an_id_is_a_whole_number() {
        for (json, id, counted) in [
            ("", None, vec![]),
            ("18446744073709551615", Some(u64::MAX), vec![]),
            ("\"7\"", Some(7), vec![]),
            ("18446744073709551616", None, vec![DecodeError::Number]),
            ("\"+7\"", None, vec![DecodeError::Number]),
            ("7.0", None, vec![DecodeError::Number]),
            ("{}", None, vec![DecodeError::Number]),
        ] {
            assert_eq!(read(json, |raw, errors| raw.id(errors)), (id, counted), "{json}");
        }
    }

    #[test]
    fn a_text_may_be_escaped() {
        let text = |json: &str| read(json, |raw, _| raw.text().map(Cow::into_owned)).0;
        assert_eq!(text("\"BTC\\u0055SDT\"").as_deref(), Some("BTCUSDT"));
        assert_eq!(text("\"\"").as_deref(), Some(""));
        assert_eq!([text("5"), text("null"), text(""), text("\"\\ud800\"")], [None, None, None, None]);
    }

    #[test]
    fn json_of_another_form_is_told_from_what_is_no_json() {
        #[derive(Debug, Deserialize)]
        struct Form {
            #[expect(dead_code, reason = "only its type matters")]
            a: u8,
        }
        for (frame, reason) in [
            (&b"[1,2]"[..], DecodeError::Shape),
            (b"{\"a\":\"x\"}", DecodeError::Shape),
            (b"{\"a\":1,\"a\":1}", DecodeError::Shape),
            (b"null", DecodeError::Shape),
            (b"", DecodeError::Json),
            (b"{\"a\":1", DecodeError::Json),
            (b"{\"a\":1}}", DecodeError::Json),
            (b"\xff\xfe", DecodeError::Json),
        ] {
            assert_eq!(message::<Form>(frame).unwrap_err(), reason, "{}", frame.escape_ascii());
        }
    }
}
