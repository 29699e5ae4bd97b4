//! The parts of a snapshot: what changes together.

use super::names::names;

/// A part of a snapshot: the fields that change together, with their own place in the venue's order and their own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The last trade.
    Trade,
    /// The best bid and ask.
    Quote,
    /// The venue's statistics.
    Stats,
    /// What the others are worth: live, stale, halted.
    Status,
}

names! {
    Part {
        Trade = "trade",
        Quote = "quote",
        Stats = "stats",
        Status = "status",
    }
}

impl Part {
    /// All of them, in the order in which a tick's `kind` names the first that changed.
    pub const ALL: [Self; 4] = [Self::Trade, Self::Quote, Self::Stats, Self::Status];
}

/// A set of [`Part`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts(u8);

impl Parts {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(0b1111);
    /// The status alone.
    pub const STATUS: Self = Self(1 << Part::Status as u8);
    const CORRECTION: u8 = 1 << 7;

    /// The set as a byte: a bit for each part, from the lowest on, and the highest for a correction.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits, if each of them means something.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        (bits & !(Self::ALL.0 | Self::CORRECTION) == 0).then_some(Self(bits))
    }

    /// Adds one.
    pub fn insert(&mut self, part: Part) {
        self.0 |= 1 << part as u8;
    }

    /// Removes one; returns whether it was in the set.
    pub fn remove(&mut self, part: Part) -> bool {
        let was_in = self.contains(part);
        self.0 &= !(1 << part as u8);
        was_in
    }

    /// Whether one is in the set.
    pub fn contains(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// Adds the trade with the mark that it was corrected. The mark is not a part: a stream that wants trades gets it
    /// too.
    pub(super) fn mark_correction(&mut self) {
        self.insert(Part::Trade);
        self.0 |= Self::CORRECTION;
    }

    /// Whether the trade was corrected.
    pub fn has_correction(self) -> bool {
        self.0 & Self::CORRECTION != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a part is in both sets.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 & Self::ALL.0 != 0
    }

    /// The parts of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The parts of this set that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The parts in the set, in the order of [`Part::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(move |&part| self.contains(part))
    }
}

impl FromIterator<Part> for Parts {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let mut set = Self::NONE;
        for part in parts {
            set.insert(part);
        }
        set
    }
}

/// What a tick is about: the first part that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A correction of the last trade, or its cancellation.
    Correction,
    /// A trade.
    Trade,
    /// The best bid or ask.
    Quote,
    /// The venue's statistics.
    Stats,
    /// The status alone.
    Status,
}

names! {
    Kind {
        Correction = "correction",
        Trade = "trade",
        Quote = "quote",
        Stats = "stats",
        Status = "status",
    }
}

impl Kind {
    /// The kind of a tick that changed these parts.
    pub fn of(changed: Parts) -> Self {
        match changed.iter().next() {
            _ if changed.has_correction() => Self::Correction,
            Some(Part::Trade) => Self::Trade,
            Some(Part::Quote) => Self::Quote,
            Some(Part::Stats) => Self::Stats,
            Some(Part::Status) | None => Self::Status,
        }
    }
}
