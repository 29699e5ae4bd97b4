//! A pattern of symbols: a name with asterisks.

use crate::market::Symbol;
use std::{fmt, str::FromStr};

/// The most asterisks of a pattern: an exchange's names have three parts at most.
pub const ASTERISKS_MAX: usize = 4;

/// A pattern of symbols, such as `BTC-*`: an asterisk stands for any characters, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolPattern(Box<str>);

/// Why a string is not a pattern of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolPatternError {
    /// It is empty.
    #[error("a pattern is not empty")]
    Empty,
    /// It has another character.
    #[error("a pattern has A-Z, 0-9, '.', '_', '-' and '*'")]
    Character,
    /// It is longer than any symbol.
    #[error("a pattern has at most {} characters besides asterisks", Symbol::LENGTH_MAX)]
    TooLong,
    /// It has too many asterisks.
    #[error("a pattern has at most {ASTERISKS_MAX} asterisks")]
    Asterisks,
}

impl FromStr for SymbolPattern {
    type Err = SymbolPatternError;

    fn from_str(text: &str) -> Result<Self, SymbolPatternError> {
        let is_of_symbol = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let asterisks = text.bytes().filter(|byte| *byte == b'*').count();
        if text.is_empty() {
            Err(SymbolPatternError::Empty)
        } else if !text.bytes().all(|byte| byte == b'*' || is_of_symbol(byte)) {
            Err(SymbolPatternError::Character)
        } else if asterisks > ASTERISKS_MAX {
            Err(SymbolPatternError::Asterisks)
        } else if text.len() - asterisks > Symbol::LENGTH_MAX {
            Err(SymbolPatternError::TooLong)
        } else {
            Ok(Self(text.into()))
        }
    }
}

impl fmt::Display for SymbolPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SymbolPattern {
    /// Whether it stands for this symbol.
    pub fn matches(&self, symbol: &Symbol) -> bool {
        matches(self.0.as_bytes(), symbol.as_str().as_bytes())
    }

    /// Whether some string is of both patterns.
    pub fn meets(&self, other: &Self) -> bool {
        meet(self.0.as_bytes(), other.0.as_bytes())
    }
}

/// Whether a pattern stands for this text. An asterisk takes as little as it can, and more where the rest does not fit.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut place, mut at) = (0, 0);
    let mut last_asterisk: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some(b'*') => {
                last_asterisk = Some((place, at));
                place += 1;
            }
            Some(byte) if *byte == text[at] => {
                place += 1;
                at += 1;
            }
            _ => {
                let Some((asterisk, taken)) = last_asterisk else { return false };
                last_asterisk = Some((asterisk, taken + 1));
                (place, at) = (asterisk + 1, taken + 1);
            }
        }
    }
    pattern[place..].iter().all(|byte| *byte == b'*')
}

/// Whether some string is of both patterns. `reached[j]`: what stands before a place of the one and before place `j` of
/// the other may be the same string.
fn meet(one: &[u8], other: &[u8]) -> bool {
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    for place in 0..=one.len() {
        // An asterisk of the other may be empty, or stand for what follows in the one.
        for j in 0..other.len() {
            if reached[j] && other[j] == b'*' {
                reached[j + 1] = true;
            }
        }
        let Some(&next) = one.get(place) else { break };
        let mut then = vec![false; other.len() + 1];
        for j in 0..=other.len() {
            if !reached[j] {
                continue;
            }
            match other.get(j) {
                Some(b'*') => then[j] = true,
                Some(&byte) if next == b'*' => {
                    // It is empty, or stands for this byte and goes on.
                    then[j] = true;
                    debug_assert_ne!(byte, b'*');
                }
                Some(&byte) => then[j + 1] |= byte == next,
                None => then[j] |= next == b'*',
            }
        }
        if next == b'*' {
            for j in 0..other.len() {
                if then[j] {
                    then[j + 1] = true;
                }
            }
        }
        reached = then;
    }
    reached[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> SymbolPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_pattern_stands_for_symbols() {
        for (text, yes, no) in [
            ("*", "A BTC-USDT BRK.B", ""),
            ("BTC-*", "BTC-USD BTC-USDT-PERP", "BTC ETH-BTC XBTC-USD"),
            ("*-USDT", "BTC-USDT 1-USDT", "BTC-USDTX USDT BTC-USDT-PERP"),
            ("B*-*-PERP", "BTC-USDT-PERP B--PERP", "BTC-USDT ETH-USDT-PERP"),
            ("AAPL", "AAPL", "AAP AAPLE"),
            ("A**B", "AB AXB", "A B BA"),
        ] {
            let matches = |symbol: &str| pattern(text).matches(&symbol.parse().unwrap());
            assert!(yes.split_whitespace().all(matches), "{text}: {yes}");
            assert!(!no.split_whitespace().any(matches), "{text}: {no}");
        }
    }

    #[test]
    fn rule_10_a_pattern_has_limits() {
        use SymbolPatternError::{Asterisks, Character, Empty, TooLong};
        let longest = format!("{}*", "A".repeat(Symbol::LENGTH_MAX));
        assert!(longest.parse::<SymbolPattern>().is_ok() && "*-*-*-*".parse::<SymbolPattern>().is_ok());
        let longer = format!("{}*", "A".repeat(Symbol::LENGTH_MAX + 1));
        for (text, error) in
            [("", Empty), ("btc-*", Character), ("BTC/*", Character), ("*****", Asterisks), (&longer, TooLong)]
        {
            assert_eq!(text.parse::<SymbolPattern>(), Err(error), "{text}");
        }
    }

    /// By trying all.
    fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((b'*', rest)), _) => {
                matches_slowly(rest, text) || text.split_first().is_some_and(|(_, text)| matches_slowly(pattern, text))
            }
            (Some((byte, rest)), Some((first, text))) => byte == first && matches_slowly(rest, text),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn two_patterns_meet_where_a_string_is_of_both(one in "[AB*]{1,5}", other in "[AB*]{1,5}") {
            prop_assume!([&one, &other].iter().all(|text| text.matches('*').count() <= ASTERISKS_MAX));
            let mut texts: Vec<Vec<u8>> = vec![Vec::new()];
            let mut meets = false;
            for _ in 0..=8 {
                meets |= texts.iter().any(|text| {
                    matches_slowly(one.as_bytes(), text) && matches_slowly(other.as_bytes(), text)
                });
                texts = texts.iter().flat_map(|text| [b'A', b'B'].map(|byte| [&text[..], &[byte]].concat())).collect();
            }
            prop_assert_eq!(pattern(&one).meets(&pattern(&other)), meets);
            prop_assert_eq!(pattern(&other).meets(&pattern(&one)), meets);
        }

        #[test]
        fn a_pattern_matches_as_by_trying_all(text in "[AB*]{1,6}", symbol in "[AB]{1,6}") {
            prop_assume!(text.matches('*').count() <= ASTERISKS_MAX);
            let expected = matches_slowly(text.as_bytes(), symbol.as_bytes());
            prop_assert_eq!(pattern(&text).matches(&symbol.parse().unwrap()), expected);
        }
    }
}
