//! What a client asked for and its stream does not carry.

use crate::market::Symbol;

/// The symbols that a client named beside those that its stream carries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// Those that no feed has.
    pub unknown: Box<[Symbol]>,
    /// Those that it may not read.
    pub denied: Box<[Symbol]>,
}

impl Unlisted {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.unknown.len() + self.denied.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
