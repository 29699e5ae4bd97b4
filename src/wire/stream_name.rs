//! The name of a stream, in its `hello` and on the admin listener.

use std::{fmt, str::FromStr};

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A stream's name, `[0-9a-z]{12}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamName([u8; StreamName::CHARACTERS]);

/// A text is not a stream's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a stream's name")]
pub struct StreamNameError;

impl StreamName {
    /// The length of a name: 62 bits in base 36.
    pub const CHARACTERS: usize = 12;

    /// Makes a name of 62 of `random`'s bits.
    pub fn new(random: u64) -> Self {
        let mut rest = random;
        let mut name = [0; Self::CHARACTERS];
        for character in name.iter_mut().rev() {
            *character = DIGITS[(rest % 36) as usize];
            rest /= 36;
        }
        Self(name)
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base 36 is ASCII")
    }
}

impl FromStr for StreamName {
    type Err = StreamNameError;

    fn from_str(text: &str) -> Result<Self, StreamNameError> {
        let name = Self(text.as_bytes().try_into().map_err(|_| StreamNameError)?);
        if name.0.iter().all(|character| DIGITS.contains(character)) { Ok(name) } else { Err(StreamNameError) }
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_twelve_digits_of_base_36() {
        for (random, name) in [(0, "000000000000"), (35, "00000000000z"), (u64::MAX, "5e11264sgsf")] {
            assert!(StreamName::new(random).as_str().ends_with(name), "{}", StreamName::new(random));
            assert_eq!(StreamName::new(random).to_string().parse(), Ok(StreamName::new(random)));
        }
        for wrong in ["", "00000000000", "0000000000000", "00000000000K", "0000000000\"k"] {
            assert_eq!(wrong.parse::<StreamName>(), Err(StreamNameError));
        }
    }
}
