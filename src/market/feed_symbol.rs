//! A place in a connection's symbol list.

use std::fmt;

/// A symbol by its place in the symbol list of one connection to a venue. Another connection of the same feed has another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FeedSymbol(pub u32);

impl FeedSymbol {
    /// All places of a list of this length, in order.
    pub fn all(length: usize) -> impl Iterator<Item = Self> {
        (0..u32::try_from(length).unwrap_or(u32::MAX)).map(Self)
    }

    /// The place as an index into the list.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for FeedSymbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
