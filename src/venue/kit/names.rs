//! From a venue's names to the symbols of a connection, never from a venue's name to a canonical one.

use super::raw::Value;
use crate::{
    market::FeedSymbol,
    venue::{DecodeError, ListedSymbol, NAME_BYTES_MAX, Spec, VenueError},
};
use std::collections::hash_map::Entry;

/// A venue's names of a connection's symbols, in their order, and the way back.
#[derive(Debug)]
pub(in crate::venue) struct Names {
    names: Vec<Box<str>>,
    symbols: foldhash::HashMap<Box<str>, FeedSymbol>,
}

impl Names {
    /// Gives each symbol the name that the list sets or the spec derives.
    ///
    /// # Errors
    /// [`VenueError`] of the first symbol without a name, or with another one's.
    pub(in crate::venue) fn new(spec: &Spec, symbols: &[ListedSymbol]) -> Result<Self, VenueError> {
        let mut names = Self { names: Vec::with_capacity(symbols.len()), symbols: foldhash::HashMap::default() };
        for (place, listed) in FeedSymbol::all(symbols.len()).zip(symbols) {
            let name = match &listed.venue_name {
                Some(name) => name.clone(),
                None => (spec.derive)(&listed.symbol)
                    .ok_or_else(|| VenueError::NotDerivable { symbol: listed.symbol.clone(), venue: spec.name })?,
            };
            if !is_name(&name) {
                return Err(VenueError::BadName { symbol: listed.symbol.clone(), name });
            }
            let data_name = (spec.data_name)(&name).unwrap_or_else(|| name.clone());
            match names.symbols.entry(data_name.as_str().into()) {
                Entry::Vacant(free) => free.insert(place),
                Entry::Occupied(taken) => {
                    let first = symbols[taken.get().index()].symbol.clone();
                    return Err(VenueError::NamesMeet { first, second: listed.symbol.clone(), name: data_name });
                }
            };
            names.names.push(name.into());
        }
        Ok(names)
    }

    /// The symbol whose data arrive under this name.
    pub(in crate::venue) fn symbol(&self, name: &str) -> Option<FeedSymbol> {
        self.symbols.get(name).copied()
    }

    /// The symbol that a field of a message names.
    ///
    /// # Errors
    /// The field is not a name, or names another symbol than those of this connection.
    pub(in crate::venue) fn find<'a>(&self, field: impl Value<'a>) -> Result<FeedSymbol, DecodeError> {
        let name = field.text().ok_or(DecodeError::Shape)?;
        self.symbol(&name).ok_or(DecodeError::UnknownSymbol)
    }

    /// The name that a symbol of this connection is asked for by.
    pub(in crate::venue) fn of(&self, symbol: FeedSymbol) -> &str {
        &self.names[symbol.index()]
    }

    /// The number of symbols.
    pub(in crate::venue) fn len(&self) -> usize {
        self.names.len()
    }
}

/// Rejects blanks, control characters and separators of lists: in a message they could mean something else than a name.
fn is_name(name: &str) -> bool {
    let breaks_out =
        |letter: char| letter.is_control() || letter.is_whitespace() || matches!(letter, '@' | ',' | '"' | '\\');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(breaks_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::{DEFAULT, kit::Given};

    fn names(entries: &[(&str, Option<&str>)]) -> Result<Names, VenueError> {
        let spec = Spec {
            derive: |symbol| Some(symbol.as_str().replace('-', "")),
            options: &[],
            between_connects: DEFAULT.between_connects,
            message_bytes: DEFAULT.message_bytes,
            ..*DEFAULT
        };
        Names::new(&spec, &Given::symbols(entries).symbols)
    }

    #[test]
    fn a_name_is_derived_or_mapped_and_found_again() {
        let names = names(&[("BTC-USDT", None), ("XBT", Some("ODD/NAME"))]).unwrap();
        assert_eq!([0, 1].map(|place| names.of(FeedSymbol(place))), ["BTCUSDT", "ODD/NAME"]);
        assert_eq!(
            (names.symbol("BTCUSDT"), names.symbol("ODD/NAME"), names.symbol("XBT")),
            (Some(FeedSymbol(0)), Some(FeedSymbol(1)), None)
        );
    }

    #[test]
    fn data_may_arrive_under_another_name_than_they_are_asked_for_by() {
        let spec = Spec { data_name: |name| name.strip_suffix("-USDC").map(|base| format!("{base}-USD")), ..*DEFAULT };
        let names = |entries: &[(&str, Option<&str>)]| Names::new(&spec, &Given::symbols(entries).symbols);
        let one = names(&[("BTC-USDC", None), ("ETH-USD", None)]).unwrap();
        assert_eq!(one.of(FeedSymbol(0)), "BTC-USDC");
        assert_eq!((one.symbol("BTC-USD"), one.symbol("BTC-USDC")), (Some(FeedSymbol(0)), None));
        assert_eq!(one.symbol("ETH-USD"), Some(FeedSymbol(1)));
        let met = names(&[("BTC-USDC", None), ("BTC-USD", None)]).unwrap_err();
        assert!(matches!(met, VenueError::NamesMeet { name, .. } if name == "BTC-USD"), "their data are one");
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
