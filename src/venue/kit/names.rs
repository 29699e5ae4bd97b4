//! From a venue's names to the symbols of a connection, never from a venue's name to a canonical one.

use super::raw::Value;
use crate::{
    market::{FeedSymbol, Symbol},
    venue::{DecodeError, ListedSymbol, NAME_BYTES_MAX, Spec, VenueError},
};
use std::collections::hash_map::Entry;

/// A venue's names of a connection's symbols, by their places, and the way back.
#[derive(Debug)]
pub(in crate::venue) struct Names {
    rule: NameRule,
    places: Vec<Place>,
    /// The places of the list, by the names that their data arrive under.
    symbols: foldhash::HashMap<Box<str>, FeedSymbol>,
    /// The places that were left, by the names that their data arrived under.
    left: foldhash::HashMap<Box<str>, Vec<FeedSymbol>>,
}

/// How a venue's names follow from symbols: of its spec.
#[derive(Debug, Clone, Copy)]
struct NameRule {
    venue: &'static str,
    derive: fn(&Symbol) -> Option<String>,
    data_name: fn(&str) -> Option<String>,
}

/// What is at a place.
#[derive(Debug)]
enum Place {
    Free,
    /// A symbol of the list that has no name of its own at the venue: none, or one that another has.
    Nameless(Option<Name>),
    Listed(Name),
    /// A symbol that is listed no longer: it may be named until its place is taken again.
    Left(Name),
}

/// How a symbol is called.
#[derive(Debug)]
struct Name {
    /// It is asked for by this one.
    name: Box<str>,
    /// Its data arrive under this one, if that is another.
    data_name: Option<Box<str>>,
}

impl Name {
    fn new(rule: NameRule, listed: &ListedSymbol) -> Result<Self, VenueError> {
        let name = match &listed.venue_name {
            Some(name) => name.clone(),
            None => (rule.derive)(&listed.symbol)
                .ok_or_else(|| VenueError::NotDerivable { symbol: listed.symbol.clone(), venue: rule.venue })?,
        };
        if !is_name(&name) {
            return Err(VenueError::BadName { symbol: listed.symbol.clone(), name });
        }
        let data_name = (rule.data_name)(&name).map(Into::into);
        Ok(Self { name: name.into(), data_name })
    }

    fn of_data(&self) -> &str {
        self.data_name.as_deref().unwrap_or(&self.name)
    }
}

impl Names {
    /// Gives each symbol the name that the list sets or the spec derives.
    ///
    /// # Errors
    /// [`VenueError`] of the first symbol without a name, or with another one's.
    pub(in crate::venue) fn new(spec: &Spec, symbols: &[ListedSymbol]) -> Result<Self, VenueError> {
        let mut names = Self {
            rule: NameRule { venue: spec.name, derive: spec.derive, data_name: spec.data_name },
            places: Vec::with_capacity(symbols.len()),
            symbols: foldhash::HashMap::default(),
            left: foldhash::HashMap::default(),
        };
        for (place, listed) in FeedSymbol::all(symbols.len()).zip(symbols) {
            let name = Name::new(names.rule, listed)?;
            let data_name = name.of_data().to_owned();
            if let Err(taken) = names.take(place, name) {
                let first = symbols[taken.index()].symbol.clone();
                return Err(VenueError::NamesMeet { first, second: listed.symbol.clone(), name: data_name });
            }
        }
        Ok(names)
    }

    /// Gives a place a name; an error is the place that has the same.
    fn take(&mut self, place: FeedSymbol, name: Name) -> Result<(), FeedSymbol> {
        let (is, taken) = match self.symbols.entry(name.of_data().into()) {
            Entry::Vacant(free) => {
                free.insert(place);
                (Place::Listed(name), Ok(()))
            }
            Entry::Occupied(taken) => (Place::Nameless(Some(name)), Err(*taken.get())),
        };
        *self.at(place) = is;
        taken
    }

    /// Gives names that have become free to the symbols that want them; returns their places.
    pub(in crate::venue) fn take_free(&mut self) -> Vec<FeedSymbol> {
        let nameless: Vec<FeedSymbol> = self.nameless().collect();
        let mut named = Vec::new();
        for place in nameless {
            if let Place::Nameless(Some(name)) = std::mem::replace(self.at(place), Place::Nameless(None))
                && self.take(place, name).is_ok()
            {
                named.push(place);
            }
        }
        named
    }

    fn at(&mut self, place: FeedSymbol) -> &mut Place {
        if self.places.len() <= place.index() {
            self.places.resize_with(place.index() + 1, || Place::Free);
        }
        &mut self.places[place.index()]
    }

    /// A symbol takes this place. Returns whether the venue has a name for it, and one that no other symbol has.
    pub(in crate::venue) fn add(&mut self, place: FeedSymbol, listed: &ListedSymbol) -> bool {
        self.forget(place);
        *self.at(place) = Place::Nameless(None);
        Name::new(self.rule, listed).is_ok_and(|name| self.take(place, name).is_ok())
    }

    /// The symbol leaves its place: its data count no longer. Its name is known until the place is taken again.
    pub(in crate::venue) fn remove(&mut self, place: FeedSymbol) {
        match std::mem::replace(self.at(place), Place::Free) {
            Place::Listed(name) => {
                self.symbols.remove(name.of_data());
                self.left.entry(name.of_data().into()).or_default().push(place);
                *self.at(place) = Place::Left(name);
            }
            Place::Left(name) => *self.at(place) = Place::Left(name),
            Place::Free | Place::Nameless(_) => {}
        }
    }

    /// Nothing that comes can mean the symbol that has left this place.
    fn forget(&mut self, place: FeedSymbol) {
        self.remove(place);
        if let Place::Left(name) = std::mem::replace(self.at(place), Place::Free)
            && let Entry::Occupied(mut places) = self.left.entry(name.of_data().into())
        {
            places.get_mut().retain(|left| *left != place);
            if places.get().is_empty() {
                places.remove();
            }
        }
    }

    /// The places of the list.
    pub(in crate::venue) fn listed(&self) -> impl Iterator<Item = FeedSymbol> {
        let is_listed = |place: &FeedSymbol| matches!(self.places[place.index()], Place::Listed(_));
        FeedSymbol::all(self.places.len()).filter(is_listed)
    }

    /// The places of the list whose symbols have no name of their own at the venue.
    pub(in crate::venue) fn nameless(&self) -> impl Iterator<Item = FeedSymbol> {
        let is_nameless = |place: &FeedSymbol| matches!(self.places[place.index()], Place::Nameless(_));
        FeedSymbol::all(self.places.len()).filter(is_nameless)
    }

    /// The symbol whose data arrive under this name.
    pub(in crate::venue) fn symbol(&self, name: &str) -> Option<FeedSymbol> {
        self.symbols.get(name).copied()
    }

    /// The same, for data.
    ///
    /// # Errors
    /// It is the name of no symbol, or of one that has left: then the data were on their way.
    pub(in crate::venue) fn data_of(&self, name: &str) -> Result<FeedSymbol, DecodeError> {
        self.symbol(name).ok_or_else(|| self.missing(name))
    }

    #[cold]
    fn missing(&self, name: &str) -> DecodeError {
        if self.left.contains_key(name) { DecodeError::RemovedSymbol } else { DecodeError::UnknownSymbol }
    }

    /// The same, for answers, which may be to requests from before a symbol left.
    ///
    /// # Errors
    /// It is, and was, the name of no symbol.
    pub(in crate::venue) fn answer_of(&self, name: &str) -> Result<FeedSymbol, DecodeError> {
        let left = || self.left.get(name).and_then(|places| places.first()).copied();
        self.symbol(name).or_else(left).ok_or(DecodeError::UnknownSymbol)
    }

    /// Whether an answer for one of these symbols may mean the other: one was listed again after the other had left.
    pub(in crate::venue) fn is_same(&self, one: FeedSymbol, other: FeedSymbol) -> bool {
        one == other || !self.left.is_empty() && self.of(one) == self.of(other)
    }

    /// The symbol that a field of a message of data names.
    ///
    /// # Errors
    /// The field is not a name, or names another symbol than those of this connection.
    pub(in crate::venue) fn find<'a>(&self, field: impl Value<'a>) -> Result<FeedSymbol, DecodeError> {
        self.data_of(&field.text().ok_or(DecodeError::Shape)?)
    }

    /// The symbol that a field of an answer names.
    ///
    /// # Errors
    /// As those of [`Names::find`].
    pub(in crate::venue) fn find_answer<'a>(&self, field: impl Value<'a>) -> Result<FeedSymbol, DecodeError> {
        self.answer_of(&field.text().ok_or(DecodeError::Shape)?)
    }

    /// The name that the symbol at this place is asked for by, or was.
    pub(in crate::venue) fn of(&self, symbol: FeedSymbol) -> &str {
        match self.places.get(symbol.index()) {
            Some(Place::Listed(name) | Place::Left(name)) => &name.name,
            Some(Place::Free | Place::Nameless(_)) | None => "",
        }
    }

    /// The number of places.
    pub(in crate::venue) fn len(&self) -> usize {
        self.places.len()
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
