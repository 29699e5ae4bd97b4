//! The times of other recorders, in ns since 1970.

use crate::{market::Date, recording::UnixNanos};

const NANOS_OF_SECOND: u64 = 1_000_000_000;
/// The digits of a second's fraction in ns.
const FRACTION_DIGITS: usize = 9;
/// A time in ms since 1970 has 12 or 13 digits.
const MILLIS_DIGITS: std::ops::RangeInclusive<usize> = 12..=13;
/// A time in seconds since 1970 has 9 or 10 digits before its point.
const SECONDS_DIGITS: std::ops::RangeInclusive<usize> = 9..=10;

/// `2024-08-08T23:54:14.0246195Z`, in UTC, with up to 9 digits of a fraction.
pub(super) fn rfc3339(text: &str) -> Option<UnixNanos> {
    let (date, rest) = text.split_at_checked(10)?;
    let date: Date = date.parse().ok()?;
    // A year above 2554 has no place in 64 bits of ns.
    let days = u64::try_from(date.midnight().0).ok()?.checked_mul(1_000)?;
    let rest = rest.strip_prefix('T')?.strip_suffix('Z')?;
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let [hours, minutes, seconds] = clock.split(':').collect::<Vec<_>>().try_into().ok()?;
    let seconds = two(hours, 23)? * 3_600 + two(minutes, 59)? * 60 + two(seconds, 60)?;
    days.checked_add(seconds * NANOS_OF_SECOND + nanos(fraction)?)
}

/// `1641343697.4033659`: seconds with a fraction, as floating-point programs write them.
pub(super) fn seconds(text: &str) -> Option<UnixNanos> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !SECONDS_DIGITS.contains(&whole.len()) {
        return None;
    }
    Some(number(whole)? * NANOS_OF_SECOND + nanos(fraction)?)
}

/// `1723161254024`: milliseconds.
pub(super) fn millis(text: &str) -> Option<UnixNanos> {
    if !MILLIS_DIGITS.contains(&text.len()) {
        return None;
    }
    Some(number(text)? * 1_000_000)
}

/// The two digits of a clock, if they are at most `max`.
fn two(text: &str, max: u64) -> Option<u64> {
    number(text).filter(|number| text.len() == 2 && *number <= max)
}

/// The digits behind a point as ns; what is finer is cut off.
fn nanos(fraction: &str) -> Option<u64> {
    number(fraction).or(fraction.is_empty().then_some(0))?;
    let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS);
    Some(kept.fold(0, |nanos, digit| nanos * 10 + u64::from(digit - b'0')))
}

/// Digits alone.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixNanos = 1_723_161_254_000_000_000;

    #[test]
    fn times_are_exact_to_the_nanosecond() {
        for (text, expected) in [
            ("2024-08-08T23:54:14Z", Some(AT)),
            ("2024-08-08T23:54:14.0246195Z", Some(AT + 24_619_500)),
            ("2024-08-08T23:54:14.123456789Z", Some(AT + 123_456_789)),
            ("2024-08-08T23:54:14.1234567891Z", Some(AT + 123_456_789)),
            ("2024-08-08 23:54:14Z", None),
            ("2024-08-08T24:54:14Z", None),
            ("2024-08-08T23:54:14", None),
            ("2024-08-08T23:54:1xZ", None),
            ("2024-08-08T23:54Z", None),
            ("1969-12-31T23:54:14Z", None),
            ("2554-07-21T23:34:33.709551615Z", Some(u64::MAX)),
            ("2554-07-21T23:34:33.709551616Z", None),
            ("6024-08-08T23:54:14Z", None),
            ("é024-08-08T23:54:14Z", None),
        ] {
            assert_eq!(rfc3339(text), expected, "{text}");
        }
        for (text, expected) in [
            ("1723161254", Some(AT)),
            ("1723161254.0246195", Some(AT + 24_619_500)),
            ("1723161254.", Some(AT)),
            ("1723161254.0e5", None),
            ("-723161254.0", None),
            ("1723161254024", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        for (text, expected) in
            [("1723161254024", Some(AT + 24_000_000)), ("1723161254", None), ("172316125402x", None)]
        {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
