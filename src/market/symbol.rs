//! The canonical name of an instrument.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

/// A canonical symbol, `[A-Z0-9][A-Z0-9._-]{0,31}`: `AAPL`, `BRK.B`, `BTC-USDT`.
///
/// No character of it can break out of a JSON string, an SSE field, a log line or a URL. Clones share the string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// Why a string is not a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// The empty string.
    #[error("a symbol has at least one character")]
    Empty,
    /// Longer than [`Symbol::LENGTH_MAX`].
    #[error("a symbol has at most {} characters", Symbol::LENGTH_MAX)]
    TooLong,
    /// Another character than `A-Z`, `0-9`, `.`, `_`, `-`, or one of the last three at the start.
    #[error("a symbol consists of A-Z, 0-9, '.', '_' and '-', and starts with a letter or a digit")]
    Character,
}

impl Symbol {
    /// The longest symbol, in characters (all of them ASCII).
    pub const LENGTH_MAX: usize = 32;

    /// Parses a symbol as a person may write it: lower case is folded to upper case.
    ///
    /// # Errors
    /// As [`Symbol::from_str`].
    pub fn fold(text: &str) -> Result<Self, SymbolError> {
        // Checked before the copy: the string may come from a hostile request.
        if text.len() > Self::LENGTH_MAX {
            return Err(SymbolError::TooLong);
        }
        text.to_ascii_uppercase().parse()
    }

    /// Whether a string is a symbol.
    pub(crate) fn is_valid(text: &str) -> bool {
        check(text).is_ok()
    }

    /// The symbol as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        check(text)?;
        Ok(Self(text.into()))
    }
}

fn check(text: &str) -> Result<(), SymbolError> {
    let first = *text.as_bytes().first().ok_or(SymbolError::Empty)?;
    if text.len() > Symbol::LENGTH_MAX {
        return Err(SymbolError::TooLong);
    }
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if !plain(first) || !text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-')) {
        return Err(SymbolError::Character);
    }
    Ok(())
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_characters_make_a_symbol() {
        for good in ["AAPL", "BRK.B", "BTC-USDT", "BTC-USDT-PERP", "0", "TRUE", "A_B", &"A".repeat(32)] {
            assert_eq!(good.parse::<Symbol>().unwrap().as_str(), good);
        }
        let long = "A".repeat(33);
        for (bad, why) in [
            ("", SymbolError::Empty),
            (long.as_str(), SymbolError::TooLong),
            ("aapl", SymbolError::Character),
            (".A", SymbolError::Character),
            ("-A", SymbolError::Character),
            ("A B", SymbolError::Character),
            ("A\r\nevent: x", SymbolError::Character),
            ("A\0", SymbolError::Character),
            ("ÄÖ", SymbolError::Character),
            ("A/B", SymbolError::Character),
            ("A\"", SymbolError::Character),
        ] {
            assert_eq!(bad.parse::<Symbol>(), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_request_may_write_lower_case() {
        assert_eq!(Symbol::fold("btc-usdt").unwrap().as_str(), "BTC-USDT");
        assert_eq!(Symbol::fold(&"ä".repeat(100)), Err(SymbolError::TooLong));
        assert_eq!(Symbol::fold("ß"), Err(SymbolError::Character));
    }
}
