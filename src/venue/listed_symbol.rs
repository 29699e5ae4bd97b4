//! A symbol of a feed's list, with the name that the configuration gives it.

use crate::market::Symbol;

/// A symbol that a feed lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSymbol {
    /// The canonical name.
    pub symbol: Symbol,
    /// The venue's name, where it cannot be derived from the canonical one.
    pub venue_name: Option<String>,
}

impl ListedSymbol {
    /// How long the venue's name of it is, in bytes. A derived name is not longer than the symbol.
    pub fn name_bytes(&self) -> usize {
        self.venue_name.as_ref().map_or(self.symbol.as_str().len(), String::len)
    }
}

impl From<Symbol> for ListedSymbol {
    fn from(symbol: Symbol) -> Self {
        Self { symbol, venue_name: None }
    }
}
