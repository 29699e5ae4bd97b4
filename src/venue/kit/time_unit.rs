//! Times as whole numbers.

use crate::market::UnixMicros;

/// The unit of a time that is a whole number since 1970. A venue's protocol says it; it is never guessed from the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::venue) enum TimeUnit {
    Seconds,
    Millis,
    Micros,
    Nanos,
    /// ms or µs, as the request for the connection asked: what lies between 1973 and 5138 in one of them does not in
    /// the other.
    MillisOrMicros,
}

/// The first whole number that is read as µs where ms may come too: the year 1973 in µs, 5138 in ms.
const MICROS_FROM: i64 = 100_000_000_000_000;

impl TimeUnit {
    /// A time in this unit. What is finer than a µs is cut off; `None` for what does not fit.
    pub(super) fn micros(self, number: u64) -> Option<UnixMicros> {
        let number = i64::try_from(number).ok()?;
        let micros = match self {
            Self::Seconds => number.checked_mul(1_000_000)?,
            Self::Millis => number.checked_mul(1_000)?,
            Self::MillisOrMicros if number < MICROS_FROM => number * 1_000,
            Self::Micros | Self::MillisOrMicros => number,
            Self::Nanos => number / 1_000,
        };
        Some(UnixMicros(micros))
    }
}
