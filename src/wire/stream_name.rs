//! The name of a stream, in its `hello` and on the admin listener.

use std::fmt;

/// The length of a name: 62 bits in base 36.
const CHARACTERS: usize = 12;

/// A stream's name, `[0-9a-z]{12}`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamName([u8; CHARACTERS]);

impl StreamName {
    /// Makes a name of 62 of `random`'s bits.
    pub fn new(random: u64) -> Self {
        let mut rest = random;
        let mut name = [0; CHARACTERS];
        for character in name.iter_mut().rev() {
            *character = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
        }
        Self(name)
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base 36 is ASCII")
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
        }
    }
}
