//! Event ids, opaque to clients: an epoch and the number of a tick in it.

use std::{fmt, str::FromStr};

/// One life of the sequence numbers: a random number, so that numbers from before a restart are not confused with later
/// ones. It has at most 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

const BITS: u32 = 48;
/// The most digits of 48 bits in base 36.
const DIGITS_MAX: usize = 10;

impl Epoch {
    /// Makes an epoch of 48 of `random`'s bits.
    pub fn new(random: u64) -> Self {
        Self(random >> (64 - BITS))
    }

    /// Draws one of 2 × 10^9 epochs, which are written with ten digits and no letters: every tick has its
    /// epoch, and [a compressed tick](super::Dictionary::compress) of nothing but digits needs no larger table. For a
    /// gateway that compares its epoch with one that a client has from before; nodes of a cluster compare many.
    pub fn draw(random: u64) -> Self {
        const EPOCHS: u64 = 2_000_000_000;
        let digits = EPOCHS / 2 + random % EPOCHS;
        Self((0..DIGITS_MAX as u32).map(|place| digits / 10_u64.pow(place) % 10 * 36_u64.pow(place)).sum())
    }

    /// The epoch of these 48 bits; `None` if there are more.
    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits >> BITS == 0).then_some(Self(bits))
    }

    /// Its 48 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Appends it in base 36, `[0-9a-z]{1,10}`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut digits = [0; DIGITS_MAX];
        let mut rest = self.0;
        let mut start = DIGITS_MAX;
        loop {
            start -= 1;
            digits[start] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                return out.extend_from_slice(&digits[start..]);
            }
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::with_capacity(DIGITS_MAX);
        self.write_to(&mut out);
        f.write_str(std::str::from_utf8(&out).expect("base 36 is ASCII"))
    }
}

/// The id of a tick: its epoch, and its number among all ticks of the gateway in that epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// The epoch of the number.
    pub epoch: Epoch,
    /// Counts all ticks of the gateway, from 1.
    pub n: u64,
}

impl EventId {
    /// Appends it as `epoch-n`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        self.epoch.write_to(out);
        out.push(b'-');
        out.extend_from_slice(itoa::Buffer::new().format(self.n).as_bytes());
    }
}

/// A string that no gateway has sent as an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id of this gateway")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (epoch, n) = text.split_once('-').ok_or(EventIdError)?;
        if epoch.len() > DIGITS_MAX
            || !is_canonical(epoch, is_base_36)
            || !is_canonical(n, |byte| byte.is_ascii_digit())
        {
            return Err(EventIdError);
        }
        let epoch = u64::from_str_radix(epoch, 36).map_err(|_| EventIdError)?;
        let n = n.parse().map_err(|_| EventIdError)?;
        if epoch >> BITS != 0 { Err(EventIdError) } else { Ok(Self { epoch: Epoch(epoch), n }) }
    }
}

fn is_base_36(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_lowercase()
}

/// Whether a number is written as the gateway writes it: these digits only, and without leading zeros.
fn is_canonical(number: &str, is_digit: impl Fn(u8) -> bool) -> bool {
    number.bytes().all(is_digit) && (!number.starts_with('0') || number.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_parses_back_from_its_bytes(random in any::<u64>(), n in any::<u64>()) {
            let id = EventId { epoch: Epoch::new(random), n };
            let mut out = Vec::new();
            id.write_to(&mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-')));
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn no_string_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<EventId>();
        }
    }

    #[test]
    fn an_epoch_that_is_drawn_has_ten_digits_and_no_letters() {
        for (random, text) in [(0, "1000000000"), (1_999_999_999, "2999999999"), (u64::MAX, "2709551615")] {
            let epoch = Epoch::draw(random);
            assert_eq!(epoch.to_string(), text);
            assert_eq!(Epoch::from_bits(epoch.bits()), Some(epoch), "it has at most 48 bits");
        }
    }

    #[test]
    fn a_string_that_no_gateway_sent_is_an_error() {
        for text in [
            "",
            "-",
            "1-",
            "-1",
            "abc",
            "1zq-+1",
            "1zq--1",
            "1ZQ-1",
            "zzzzzzzzzz-1",
            "00-1",
            "1-01",
            "1-99999999999999999999",
            "ä-1",
        ] {
            assert_eq!(text.parse::<EventId>(), Err(EventIdError), "{text:?}");
        }
    }
}
