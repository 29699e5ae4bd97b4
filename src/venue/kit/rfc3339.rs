//! Times as RFC 3339 writes them.

use crate::market::{Date, UnixMicros};

/// The most digits of a second's fraction that a venue may write: ns.
const FRACTION_DIGITS_MAX: usize = 9;
/// Of those, the digits that are kept: µs.
const FRACTION_DIGITS_KEPT: usize = 6;

/// Reads `2023-04-06T11:54:26.838232225Z`, with 0 to 9 digits of a fraction and `Z` or an offset. Exact to the µs:
/// what is finer is cut off, never rounded, so that a time never lies after the event.
pub(super) fn parse(text: &str) -> Option<UnixMicros> {
    let (date, rest) = text.split_at_checked(10)?;
    let date: Date = date.parse().ok()?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let seconds = clock_seconds(clock)?;
    let (micros, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let offset = offset_seconds(zone)?;
    Some(UnixMicros(date.midnight().0 + (seconds - offset) * 1_000_000 + micros))
}

/// `HH:MM:SS`. A leap second is the first of the next minute, as clocks that know none show it.
fn clock_seconds(clock: &str) -> Option<i64> {
    let hours = two(clock, 0, 23)?;
    let minutes = two(clock, 3, 59)?;
    let seconds = two(clock, 6, 60)?;
    let separated = clock.as_bytes()[2] == b':' && clock.as_bytes()[5] == b':';
    separated.then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// The digits behind the point as µs, and what comes after them.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if !(1..=FRACTION_DIGITS_MAX).contains(&length) {
        return None;
    }
    let (digits, rest) = text.split_at(length);
    let kept = digits.bytes().chain(std::iter::repeat(b'0')).take(FRACTION_DIGITS_KEPT);
    Some((kept.fold(0, |micros, digit| micros * 10 + i64::from(digit - b'0')), rest))
}

/// `Z` or `±HH:MM`.
fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, digits) = match zone.as_bytes() {
        [b'+', ..] => (1, &zone[1..]),
        [b'-', ..] => (-1, &zone[1..]),
        _ => return None,
    };
    let separated = digits.len() == 5 && digits.as_bytes()[2] == b':';
    separated.then(|| Some(sign * (two(digits, 0, 23)? * 3_600 + two(digits, 3, 59)? * 60)))?
}

/// The two digits at a place, if they are a number of at most `max`.
fn two(text: &str, at: usize, max: i64) -> Option<i64> {
    let digits = text.as_bytes().get(at..at + 2)?;
    let number = digits
        .iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))?;
    (number <= max).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_exact_to_the_microsecond_and_what_is_finer_is_cut_off() {
        const AT: i64 = 1_680_782_066_000_000;
        for (text, micros) in [
            ("2023-04-06T11:54:26Z", AT),
            ("2023-04-06T11:54:26.8Z", AT + 800_000),
            ("2023-04-06T11:54:26.83915973Z", AT + 839_159),
            ("2023-04-06T11:54:26.838232225Z", AT + 838_232),
            ("2023-04-06T11:54:26.999999999Z", AT + 999_999),
            ("2023-04-06T11:54:26.000001Z", AT + 1),
            ("2023-04-06T07:54:26-04:00", AT),
            ("2023-04-06t17:24:26.5+05:30", AT + 500_000),
            ("2023-04-06 11:54:26z", AT),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(parse(text), Some(UnixMicros(micros)), "{text}");
        }
    }

    #[test]
    fn a_string_that_is_not_a_time_is_rejected() {
        for text in [
            "",
            "2023-04-06",
            "2023-04-06T11:54:26",
            "2023-04-06T11:54Z",
            "2023-04-06T24:00:00Z",
            "2023-04-06T11:60:00Z",
            "2023-04-06T11:54:61Z",
            "2023-02-30T11:54:26Z",
            "2023-04-06T11:54:26.Z",
            "2023-04-06T11:54:26.1234567890Z",
            "2023-04-06T11:54:26,5Z",
            "2023-04-06T11:54:26+0530",
            "2023-04-06T11:54:26+24:00",
            "2023-04-06T11-54-26Z",
            "2023-04-06T11:54:26Zz",
            "2023-04-06T1é:54:26Z",
            "é023-04-06T11:54:26Z",
            "2023-04-06T11:54:26.5é",
            "1680782066",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn rule_9_no_text_panics(text in ".{0,40}", near in "[0-9T:.Z+é-]{15,32}") {
            let _ = (parse(&text), parse(&near));
        }
    }
}
