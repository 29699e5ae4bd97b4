//! Exact decimal numbers.

use std::{fmt, num::NonZero, str::FromStr};

/// An exact decimal number, `mantissa / 10^scale`. It never passes through a float: a number leaves as it came.
///
/// It has no trailing zeros, so equal numbers are equal values: `1.50` is `1.5`, `-0` is `0`. It prints as plain digits
/// without an exponent, which is a JSON number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    /// One more than the scale. As it is never 0, an `Option` of a number takes no more room than the number: a tick
    /// has thirteen.
    scale_and_one: NonZero<u8>,
}

const _: () = assert!(size_of::<Option<Decimal>>() == size_of::<Decimal>());

/// Why a string is not a [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not a number as JSON writes it.
    #[error("not a decimal number")]
    Syntax,
    /// A number that mantissa and scale cannot hold exactly.
    #[error("a number that does not fit: more than 18 digits or so, or an exponent beyond ±30")]
    Range,
}

/// The longest string that is parsed: a number that fits has fewer characters.
const LENGTH_MAX: usize = 128;
/// Any so many digits fit a mantissa.
const DIGITS_SAFE: usize = 18;
/// The largest exponent of either sign, and the most digits after the point.
const EXPONENT_MAX: i32 = 30;

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, scale_and_one: NonZero::<u8>::MIN };

    /// Whether it is above zero.
    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// `mantissa / 10^scale`, or `None` where the scale is beyond 30.
    pub fn new(mantissa: i64, scale: u8) -> Option<Self> {
        (i32::from(scale) <= EXPONENT_MAX).then(|| Self::trimmed(mantissa, scale))
    }

    /// Parses a number from a venue's bytes: in JSON's syntax, bare or in quotes.
    ///
    /// # Errors
    /// [`DecimalError`]. Nothing is rounded: a number that does not fit is an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecimalError> {
        let text = match bytes {
            [b'"', inner @ .., b'"'] => inner,
            bare => bare,
        };
        if text.len() > LENGTH_MAX {
            return Err(DecimalError::Range);
        }
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (whole, rest) = split_digits(digits);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => {
                let (fraction, rest) = split_digits(rest);
                if fraction.is_empty() {
                    return Err(DecimalError::Syntax);
                }
                (fraction, rest)
            }
            rest => (&[][..], rest),
        };
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return Err(DecimalError::Syntax);
        }
        let exponent = parse_exponent(rest)?;
        Self::from_digits(negative, whole, fraction, exponent)
    }

    /// Its digits without the point, and the number of digits after it: what [`Decimal::new`] makes it of.
    pub(crate) fn mantissa_and_scale(self) -> (i64, u8) {
        (self.mantissa, self.scale())
    }

    fn scale(self) -> u8 {
        self.scale_and_one.get() - 1
    }

    /// As it is. The scale is at most [`EXPONENT_MAX`].
    fn with(mantissa: i64, scale: u8) -> Self {
        Self { mantissa, scale_and_one: NonZero::<u8>::MIN.saturating_add(scale) }
    }

    fn from_digits(negative: bool, whole: &[u8], fraction: &[u8], exponent: i32) -> Result<Self, DecimalError> {
        // Trailing zeros are dropped before the digits are counted: a venue may pad beyond what a mantissa holds.
        let fraction = &fraction[..fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1)];
        // Built as a negative number: an i64 holds one more of those.
        let mut digits = whole.iter().chain(fraction).map(|digit| i64::from(digit - b'0'));
        let mut mantissa: i64 = if whole.len() + fraction.len() <= DIGITS_SAFE {
            digits.fold(0, |mantissa, digit| mantissa * 10 - digit)
        } else {
            let push = |mantissa: i64, digit| mantissa.checked_mul(10)?.checked_sub(digit);
            digits.try_fold(0, push).ok_or(DecimalError::Range)?
        };
        if mantissa == 0 {
            return Ok(Self::ZERO);
        }
        let mut scale = fraction.len() as i32 - exponent; // cannot overflow: the length is bounded
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        while scale < 0 {
            mantissa = mantissa.checked_mul(10).ok_or(DecimalError::Range)?;
            scale += 1;
        }
        if scale > EXPONENT_MAX {
            return Err(DecimalError::Range);
        }
        let mantissa = if negative { mantissa } else { mantissa.checked_neg().ok_or(DecimalError::Range)? };
        Ok(Self::with(mantissa, scale as u8))
    }

    fn trimmed(mut mantissa: i64, mut scale: u8) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self::with(mantissa, scale)
    }

    /// Appends the number as plain digits, the form in which it is a JSON number.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(self.mantissa.unsigned_abs()).as_bytes();
        let scale = usize::from(self.scale());
        if self.mantissa < 0 {
            out.push(b'-');
        }
        if scale == 0 {
            out.extend_from_slice(digits);
        } else if digits.len() > scale {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + scale - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }
}

fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len()))
}

fn parse_exponent(bytes: &[u8]) -> Result<i32, DecimalError> {
    let [b'e' | b'E', rest @ ..] = bytes else {
        return if bytes.is_empty() { Ok(0) } else { Err(DecimalError::Syntax) };
    };
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecimalError::Syntax);
    }
    let size = digits.iter().try_fold(0_i32, |size, &digit| {
        let size = size * 10 + i32::from(digit - b'0');
        (size <= EXPONENT_MAX).then_some(size).ok_or(DecimalError::Range)
    })?;
    Ok(if negative { -size } else { size })
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(24);
        self.write_to(&mut out);
        f.write_str(std::str::from_utf8(&out).expect("digits, a point and a sign are ASCII"))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule_6_a_number_leaves_as_the_number_that_came() {
        for (came, leaves) in [
            ("61837.63000000", "61837.63"),
            ("\"2683.80000000\"", "2683.8"),
            ("0.02000000", "0.02"),
            ("100", "100"),
            ("1e-8", "0.00000001"),
            ("1E+2", "100"),
            ("1.5e1", "15"),
            ("1.50e0", "1.5"),
            ("120e-1", "12"),
            ("-0", "0"),
            ("-0.000", "0"),
            ("0e30", "0"),
            ("-37.63", "-37.63"),
            ("0.1", "0.1"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("92233720368.54775807", "92233720368.54775807"),
            ("1e-30", "0.000000000000000000000000000001"),
            ("1000000000000.00000000000000000000000000000000000000", "1000000000000"),
        ] {
            assert_eq!(came.parse::<Decimal>().map(|number| number.to_string()).as_deref(), Ok(leaves), "{came}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_an_error_and_is_not_rounded() {
        for text in
            ["9223372036854775808", "0.12345678901234567891", "1e30", "1e31", "1e-31", "1e99999999999", "12e-31"]
        {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Range), "{text}");
        }
        assert_eq!("1".repeat(1_000_000).parse::<Decimal>(), Err(DecimalError::Range));
    }

    #[test]
    fn a_string_that_is_not_a_number_is_an_error() {
        for text in [
            "", "-", "\"\"", "\"", ".", "1.", ".5", "+1", "01", "1e", "1e+", "1e1.5", "NaN", "Infinity", "0x10", "1,5",
            " 1", "1 ", "1_000", "--1", "\"1", "null", "true", "١",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_number_parses_back_from_what_it_prints(mantissa in any::<i64>(), scale in 0_u8..=30) {
            let number = Decimal::new(mantissa, scale).unwrap();
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            prop_assert_eq!(format!("\"{number}\"").parse(), Ok(number));
            let (mantissa, scale) = number.mantissa_and_scale();
            prop_assert_eq!(Decimal::new(mantissa, scale), Some(number));
        }

        #[test]
        fn no_string_makes_it_panic(text in ".{0,40}", digits in "-?[0-9]{0,40}(\\.[0-9]{0,40})?([eE][+-]?[0-9]{0,4})?") {
            let _ = text.parse::<Decimal>();
            if let Ok(number) = digits.parse::<Decimal>() {
                prop_assert_eq!(number.to_string().parse(), Ok(number));
            }
        }
    }
}
