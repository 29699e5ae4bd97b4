//! The venue's recent trades and quotes, against which ticks are checked. The sizes of a random walk are ordinals, so a
//! tick itself identifies the trade and the quote that it shows.

use super::protocol::Protocol;
use foldhash::fast::FixedState;
use std::{
    cmp::Ordering::{Equal, Greater, Less},
    collections::HashMap,
    hash::BuildHasher as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// The most trades, and the most quotes, that are kept of all symbols together: 8 MB.
const KNOWN_MAX: usize = 512 * 1_024;
/// The most trades, and the most quotes, of one symbol.
const OF_SYMBOL_MAX: usize = 4_096;

/// A part of a tick with its numbers in plain digits. A missing number is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part<'a> {
    /// The last trade.
    Trade {
        /// Its price.
        price: &'a str,
        /// Its size.
        size: &'a str,
        /// The venue's time, in µs since 1970.
        micros: u64,
    },
    /// The best bid, its size, the best ask, its size.
    Quote([&'a str; 4]),
}

impl Part<'_> {
    fn size(&self) -> &str {
        match self {
            Self::Trade { size, .. } | Self::Quote([_, size, ..]) => size,
        }
    }
}

/// The last trades and quotes of each symbol. Each is one atomic word, its ordinal above a hash of its numbers, so that
/// the venue and the streams do not wait for each other.
#[derive(Debug)]
pub struct History {
    protocol: Protocol,
    places: HashMap<String, usize>,
    /// Slots per symbol and kind.
    depth: usize,
    slots: Box<[AtomicU64]>,
}

impl History {
    pub(super) fn new(protocol: Protocol, symbols: &[String]) -> Self {
        let depth = (KNOWN_MAX / symbols.len().max(1)).clamp(1, OF_SYMBOL_MAX);
        let places = symbols.iter().cloned().zip(0..).collect();
        let slots = (0..symbols.len() * 2 * depth).map(|_| AtomicU64::new(0)).collect();
        Self { protocol, places, depth, slots }
    }

    /// The index of a symbol.
    pub fn place(&self, symbol: &str) -> Option<usize> {
        self.places.get(symbol).copied()
    }

    /// Records a part before it is sent.
    pub(super) fn note(&self, place: usize, part: &Part<'_>) {
        if let Some(ordinal) = self.ordinal(part) {
            self.slot(place, part, ordinal)
                .store((u64::from(ordinal) << 32) | u64::from(hash(part)), Ordering::Release);
        }
    }

    /// Whether it was sent; `None` if it would be too old to be known.
    pub fn has(&self, place: usize, part: &Part<'_>) -> Option<bool> {
        let Some(ordinal) = self.ordinal(part) else { return Some(false) };
        let known = self.slot(place, part, ordinal).load(Ordering::Acquire);
        match ordinal.cmp(&((known >> 32) as u32)) {
            Less => None,
            Equal => Some(known as u32 == hash(part)),
            Greater => Some(false),
        }
    }

    fn ordinal(&self, part: &Part<'_>) -> Option<u32> {
        self.protocol.units(part.size()).and_then(|units| u32::try_from(units).ok())
    }

    fn slot(&self, place: usize, part: &Part<'_>, ordinal: u32) -> &AtomicU64 {
        let row = place * 2 + usize::from(matches!(part, Part::Quote(_)));
        &self.slots[row * self.depth + ordinal as usize % self.depth]
    }
}

fn hash(part: &Part<'_>) -> u32 {
    FixedState::default().hash_one(part) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_parts_are_known_to_the_last_digit_and_older_ones_are_forgotten() {
        for protocol in [Protocol::Binance, Protocol::Alpaca] {
            let history = History::new(protocol, &["A".to_owned(), "B".to_owned()]);
            let size = |ordinal: u64| protocol.size(ordinal);
            let last = OF_SYMBOL_MAX as u64 + 3;
            for ordinal in 1..=last {
                history.note(1, &Part::Trade { price: "1.5", size: &size(ordinal), micros: ordinal });
                history.note(1, &Part::Quote(["1", &size(ordinal), "2", &size(ordinal)]));
            }
            let trade =
                |price, ordinal: u64, micros| history.has(1, &Part::Trade { price, size: &size(ordinal), micros });
            assert_eq!(
                [trade("1.5", last, last), trade("1.5", 4, 4), trade("1.5", 3, 3)],
                [Some(true), Some(true), None]
            );
            for wrong in
                [trade("1.6", last, last), trade("1.5", last, 9), trade("1.5", last + 1, last), trade("", 9, 9)]
            {
                assert_eq!(wrong, Some(false));
            }
            assert_eq!(history.has(1, &Part::Trade { price: "1.5", size: "", micros: 1 }), Some(false));
            let quote = |ask, ask_size: &str| history.has(1, &Part::Quote(["1", &size(9), ask, ask_size]));
            assert_eq!(
                [quote("2", &size(9)), quote("3", &size(9)), quote("2", "8")],
                [Some(true), Some(false), Some(false)]
            );
            assert_eq!((history.place("B"), history.place("C")), (Some(1), None));
            assert_eq!(history.has(0, &Part::Trade { price: "1.5", size: &size(9), micros: 9 }), Some(false));
        }
    }
}
