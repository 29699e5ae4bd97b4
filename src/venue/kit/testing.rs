//! What tests of venues share.

use crate::venue::{Credentials, ListedSymbol, Setup};

/// The settings of a feed in a test.
#[derive(Debug, Clone, Default)]
pub(in crate::venue) struct Given {
    pub(in crate::venue) url: Option<String>,
    pub(in crate::venue) symbols: Vec<ListedSymbol>,
    pub(in crate::venue) credentials: Option<Credentials>,
}

impl Given {
    /// Symbols, with the venue's names where they are set.
    pub(in crate::venue) fn symbols(names: &[(&str, Option<&str>)]) -> Self {
        let entry = |&(symbol, name): &(&str, Option<&str>)| ListedSymbol {
            symbol: symbol.parse().unwrap(),
            venue_name: name.map(str::to_owned),
        };
        Self { symbols: names.iter().map(entry).collect(), ..Self::default() }
    }

    pub(in crate::venue) fn setup(&self) -> Setup<'_> {
        Setup {
            url: self.url.as_deref(),
            symbols: &self.symbols,
            credentials: self.credentials.as_ref(),
            playback: None,
        }
    }
}
