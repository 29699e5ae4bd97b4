//! `id:`, opaque to clients: which life of the numbers, and which of its ticks.

use std::{fmt, str::FromStr};

/// One life of the sequence numbers: 48 random bits, so that a restart's numbers are never taken for the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

const BITS: u32 = 48;
/// 48 bits in base 36.
const TEXT_MAX: usize = 10;

impl Epoch {
    /// Makes an epoch of 48 of `random`'s bits.
    pub fn new(random: u64) -> Self {
        Self(random >> (64 - BITS))
    }

    /// Appends it in base 36, `[0-9a-z]{1,10}`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let mut digits = [0; TEXT_MAX];
        let (mut rest, mut start) = (self.0, TEXT_MAX);
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
        let mut out = Vec::with_capacity(TEXT_MAX);
        self.write_to(&mut out);
        f.write_str(std::str::from_utf8(&out).expect("base 36 is ASCII"))
    }
}

/// The id of a tick: its epoch, and its number among all ticks of the gateway in that epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// The life of the numbers.
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

/// A text that no gateway has sent as an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id of this gateway")]
pub struct EventIdError;

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (epoch, n) = text.split_once('-').ok_or(EventIdError)?;
        let canonical = |text: &str| !text.starts_with('0') || text.len() == 1;
        let base_36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        if epoch.len() > TEXT_MAX || !epoch.bytes().all(base_36) || !n.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EventIdError);
        }
        if !canonical(epoch) || !canonical(n) {
            return Err(EventIdError);
        }
        let epoch = u64::from_str_radix(epoch, 36).map_err(|_| EventIdError)?;
        let n = n.parse().map_err(|_| EventIdError)?;
        if epoch >> BITS != 0 { Err(EventIdError) } else { Ok(Self { epoch: Epoch(epoch), n }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_reads_back_as_itself(random in any::<u64>(), n in any::<u64>()) {
            let id = EventId { epoch: Epoch::new(random), n };
            let mut out = Vec::new();
            id.write_to(&mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert!(text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-')));
            prop_assert_eq!(text.parse(), Ok(id));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<EventId>();
        }
    }

    #[test]
    fn a_foreign_id_is_none() {
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
