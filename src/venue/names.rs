//! From the venue's names to the indices of a connection's symbols. Never from the venue's name to a canonical one.

use super::{Request, VenueError};
use crate::{
    config::SymbolEntry,
    market::{Reason, Symbol},
};
use std::collections::hash_map::Entry;

/// The longest name that a venue may have for a symbol, in bytes: no venue's is over 40.
pub(super) const NAME_BYTES_MAX: usize = 64;

/// The venue's names of a connection's symbols, in their order, and the way back to the index.
#[derive(Debug)]
pub(super) struct Names {
    names: Vec<Box<str>>,
    indices: foldhash::HashMap<Box<str>, u32>,
}

impl Names {
    /// Gives each symbol the name that its config or `derive` says.
    pub(super) fn new(
        symbols: &[SymbolEntry],
        derive: impl Fn(&Symbol) -> Result<String, VenueError>,
    ) -> Result<Self, VenueError> {
        let mut names = Self { names: Vec::with_capacity(symbols.len()), indices: foldhash::HashMap::default() };
        for (index, entry) in (0_u32..).zip(symbols) {
            let name = match &entry.venue_name {
                Some(name) => name.clone(),
                None => derive(&entry.symbol)?,
            };
            if !is_name(&name) {
                return Err(VenueError::BadName { symbol: entry.symbol.clone(), name });
            }
            match names.indices.entry(name.as_str().into()) {
                Entry::Vacant(free) => free.insert(index),
                Entry::Occupied(taken) => {
                    let first = symbols[*taken.get() as usize].symbol.clone();
                    return Err(VenueError::NamesMeet { first, second: entry.symbol.clone(), name });
                }
            };
            names.names.push(name.into());
        }
        Ok(names)
    }

    /// The index of the symbol that the venue calls so.
    pub(super) fn index(&self, name: &str) -> Option<u32> {
        self.indices.get(name).copied()
    }

    /// All names, by index.
    pub(super) fn all(&self) -> &[Box<str>] {
        &self.names
    }

    /// Requests for all of them, so many at a time, numbered from 1.
    pub(super) fn requests(&self, size: usize, text: impl Fn(u64, &[Box<str>]) -> String) -> Vec<Request> {
        (1..).zip(self.names.chunks(size)).map(|(id, names)| Request { id, text: Some(text(id, names)) }).collect()
    }

    /// The symbols of such requests, which the venue refuses without saying more.
    pub(super) fn refused(&self, requests: &[u64], size: usize) -> Vec<(u32, Reason)> {
        let all: Vec<u32> = (0..self.names.len() as u32).collect();
        let batches = (1..).zip(all.chunks(size)).filter(|(id, _)| requests.contains(id));
        batches.flat_map(|(_, batch)| batch.iter().map(|&symbol| (symbol, Reason::NotGranted))).collect()
    }
}

/// Blanks, control characters and what separates names in a list could say something else to the venue than a name.
fn is_name(name: &str) -> bool {
    let breaks_out =
        |letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, '@' | ',' | '"' | '\\');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(breaks_out)
}

#[cfg(test)]
pub(super) fn symbols(names: &[(&str, Option<&str>)]) -> Vec<SymbolEntry> {
    let entry = |&(symbol, name): &(&str, Option<&str>)| SymbolEntry {
        symbol: symbol.parse().unwrap(),
        venue_name: name.map(str::to_owned),
    };
    names.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(entries: &[(&str, Option<&str>)]) -> Result<Names, VenueError> {
        Names::new(&symbols(entries), |symbol| Ok(symbol.as_str().replace('-', "")))
    }

    #[test]
    fn a_name_is_derived_or_mapped_and_found_again() {
        let names = names(&[("BTC-USDT", None), ("XBT", Some("ODD/NAME"))]).unwrap();
        assert_eq!(names.all().iter().map(|name| &**name).collect::<Vec<_>>(), ["BTCUSDT", "ODD/NAME"]);
        assert_eq!((names.index("BTCUSDT"), names.index("ODD/NAME"), names.index("XBT")), (Some(0), Some(1), None));
    }

    #[test]
    fn two_symbols_that_meet_on_one_name_are_an_error_that_names_both() {
        let met = names(&[("ETH-BTC", None), ("A-USDT", None), ("AUSD-T", None)]).unwrap_err();
        let [first, second] = ["A-USDT", "AUSD-T"].map(|symbol| symbol.parse().unwrap());
        assert_eq!(met, VenueError::NamesMeet { first, second, name: "AUSDT".to_owned() });
        assert!(matches!(names(&[("A", Some("X")), ("X", None)]), Err(VenueError::NamesMeet { .. })));
    }

    #[test]
    fn a_name_that_could_break_out_of_a_message_is_refused() {
        for name in ["", "a b", "a@trade", "a,b", "a\"b", "a\\b", "a\nb", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert!(matches!(names(&[("A", Some(name))]), Err(VenueError::BadName { .. })), "{name:?}");
        }
        assert!(names(&[("A", Some(&"x".repeat(NAME_BYTES_MAX)))]).is_ok());
    }
}
