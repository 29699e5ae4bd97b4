//! `symbols` of `[[feed]]`: a list, or a table from symbols to the venue's names.

use super::{
    error::{ERRORS_SHOWN_MAX, Wrong, Wrongs, shown},
    feed_limits::SYMBOLS_MAX,
    raw::kind,
    tier::FeedTier,
    value::text,
};
use crate::{
    market::{Symbol, Tier},
    venue::{self, ListedSymbol, NAME_BYTES_MAX, Spec, VenueError},
};
use std::{borrow::Cow, collections::HashMap, ops::Range};
use toml::{Spanned, de::DeValue};

/// A symbol with its place in the file, and that of its name at the venue. A venue's own list has neither.
pub(super) struct Placed {
    listed: ListedSymbol,
    at: Option<Range<usize>>,
    name_at: Option<Range<usize>>,
}

/// The symbols of a venue's own list.
pub(super) fn default_symbols(venue: &Spec) -> impl Iterator<Item = ListedSymbol> {
    venue.default_symbols.iter().filter_map(|symbol| symbol.parse::<Symbol>().ok()).map(ListedSymbol::from)
}

/// Reads the symbols of a feed, or takes those that its recording names, or its venue's own list.
pub(super) fn read(
    value: Option<&Spanned<DeValue<'_>>>,
    venue: &Spec,
    recorded: Option<&[Symbol]>,
    table: Range<usize>,
) -> Result<Vec<Placed>, Wrong> {
    let example = format!("write symbols = {:?}", venue.examples);
    let Some(value) = value else {
        if let Some(recorded) = recorded {
            return from_recording(recorded, example, table);
        }
        if venue.default_symbols.is_empty() {
            return Err(Wrong::new(format!("a feed of {} requires `symbols`", venue.name)).help(example).at(table));
        }
        return Ok(default_symbols(venue).map(|listed| Placed { listed, at: None, name_at: None }).collect());
    };
    let symbols: Result<Vec<Placed>, Wrong> = match value.get_ref() {
        DeValue::Array(items) => Wrong::all(items.iter().map(|item| read_listed(item, venue))),
        DeValue::Table(items) => Wrong::all(items.iter().map(|(symbol, name)| read_mapped(symbol, name, venue))),
        other => Err(Wrong::new(format!("`symbols` must be a list, not {}", kind(other))).help(example.clone())),
    };
    let symbols = symbols.map_err(|wrong| wrong.at(value.span()))?;
    if symbols.is_empty() {
        return Err(Wrong::new("`symbols` is empty").help(example).at(value.span()));
    }
    Ok(symbols)
}

/// The symbols that the headers of a recording name.
fn from_recording(recorded: &[Symbol], example: String, table: Range<usize>) -> Result<Vec<Placed>, Wrong> {
    if recorded.is_empty() {
        return Err(Wrong::new("these files do not say which symbols they hold").help(example).at(table));
    }
    let placed = |symbol: &Symbol| Placed { listed: symbol.clone().into(), at: None, name_at: None };
    Ok(recorded.iter().map(placed).collect())
}

fn read_listed(item: &Spanned<DeValue<'_>>, venue: &Spec) -> Result<Placed, Wrong> {
    let text = item.get_ref().as_str().ok_or_else(|| {
        Wrong::new(format!("a symbol must be a string, not {}", kind(item.get_ref())))
            .help("write it in quotes")
            .at(item.span())
    })?;
    let listed =
        ListedSymbol::from(read_symbol(text, likely(text, |symbol| (venue.derive)(symbol).is_some()), item.span())?);
    Ok(Placed { listed, at: Some(item.span()), name_at: None })
}

fn read_mapped(key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>, venue: &Spec) -> Result<Placed, Wrong> {
    let name = text(&shown(key.get_ref()), value, "XBT/USD")?;
    // A name that the file gives need not follow from its symbol; one that does shows which symbol is meant.
    let derived = likely(key.get_ref(), |symbol| (venue.derive)(symbol).as_deref() == Some(name));
    let is_derived = derived.is_some();
    let likely = derived.or_else(|| likely(key.get_ref(), |_| true));
    let symbol = read_symbol(key.get_ref(), likely, key.span()).map_err(|wrong| match name.parse::<Symbol>() {
        Ok(symbol) if !is_derived => Wrong::new(format!("`{}` is not a symbol", shown(key.get_ref())))
            .help(format!("the symbol comes first: \"{symbol}\" = \"{}\"", shown(key.get_ref())))
            .at(key.span()),
        _ => wrong,
    })?;
    let listed = ListedSymbol { symbol, venue_name: Some(name.to_owned()) };
    Ok(Placed { listed, at: Some(key.span()), name_at: Some(value.span()) })
}

fn read_symbol(text: &str, likely: Option<Symbol>, at: Range<usize>) -> Result<Symbol, Wrong> {
    text.parse().map_err(|error| {
        Wrong::new(format!("`{}` is not a symbol", shown(text)))
            .did_you_mean(likely.as_ref().map(Symbol::as_str))
            .help(match text.contains('*') {
                true => "a pattern requires on_demand = true".to_owned(),
                false => format!("{error}"),
            })
            .at(at)
    })
}

/// The symbol that a text probably means, among those that fit: a pair with a dash, or a class of shares with a point.
fn likely(text: &str, fits: impl Fn(&Symbol) -> bool) -> Option<Symbol> {
    const CLASS_LENGTH_MAX: usize = 2;
    let text: String = text.trim().chars().take(64).collect();
    let with = |separator: char| {
        let spelt: String =
            text.chars().map(|c| if matches!(c, '/' | ':' | ' ' | '-' | '.' | '_') { separator } else { c }).collect();
        Symbol::fold(&spelt).ok().filter(&fits)
    };
    let is_class = |symbol: &Symbol| {
        symbol.as_str().split_once('.').is_none_or(|(_, class)| (1..=CLASS_LENGTH_MAX).contains(&class.len()))
    };
    Symbol::fold(&text).ok().filter(&fits).or_else(|| with('-')).or_else(|| with('.').filter(is_class))
}

/// The symbols of earlier feeds, with their places.
#[derive(Default)]
pub(super) struct Known {
    live: Places,
    delayed: Places,
    /// Those that have a standby.
    stood_in_for: Places,
}

type Places = HashMap<Symbol, Option<Range<usize>>>;

impl Known {
    /// Takes a feed's symbols. Each must be new, at the venue and in the feed's tiers, or among those of standbys.
    pub(super) fn take(
        &mut self,
        symbols: Vec<Placed>,
        venue: &Spec,
        tier: FeedTier,
        is_standby: bool,
    ) -> Result<Vec<ListedSymbol>, Wrong> {
        let mut wrongs = Wrongs::default();
        let mut listed = Vec::with_capacity(symbols.len());
        for placed in &symbols {
            if !is_standby && tier.tiers().iter().any(|tier| self.of(*tier).len() == SYMBOLS_MAX) {
                let help = format!("at most {SYMBOLS_MAX} in all feeds");
                return Err(at(Wrong::new("too many symbols"), placed.at.clone()).help(help));
            }
            match if is_standby { self.add_standby(placed) } else { self.add(placed, tier) } {
                Ok(()) => listed.push(placed.listed.clone()),
                Err(wrong) => wrongs.push(wrong),
            }
        }
        // The venue objects to one symbol at a time: without it, it objects to the next.
        for _ in 0..ERRORS_SHOWN_MAX {
            let Err(error) = venue::check_names(venue, &listed) else { break };
            wrongs.push(misnamed(&error, &symbols, venue));
            match error.symbol() {
                Some(symbol) => listed.retain(|entry| entry.symbol != *symbol),
                None => break,
            }
        }
        wrongs.none().map(|()| listed)
    }

    fn of(&mut self, tier: Tier) -> &mut Places {
        match tier {
            Tier::Live => &mut self.live,
            Tier::Delayed => &mut self.delayed,
        }
    }

    /// Adds a symbol of a standby.
    fn add_standby(&mut self, placed: &Placed) -> Result<(), Wrong> {
        let symbol = &placed.listed.symbol;
        let Some(first) = self.stood_in_for.insert(symbol.clone(), placed.at.clone()) else { return Ok(()) };
        let wrong = at(Wrong::new(format!("`{symbol}` has two standbys")), placed.at.clone());
        Err(also(wrong, first).help("a symbol has two feeds at most: its primary and one standby"))
    }

    /// Adds a symbol in each tier.
    fn add(&mut self, placed: &Placed, tier: FeedTier) -> Result<(), Wrong> {
        let symbol = &placed.listed.symbol;
        let mut outcome = Ok(());
        for &tier in tier.tiers() {
            let Some(first) = self.of(tier).insert(symbol.clone(), placed.at.clone()) else { continue };
            if outcome.is_err() {
                continue; // said already
            }
            let (what, help) = match tier {
                Tier::Live => (
                    "is listed twice",
                    "a symbol belongs to one feed, which lists it once; a second feed of it needs `standby_for`",
                ),
                Tier::Delayed => {
                    ("is delayed twice", "a symbol belongs to one feed with tier = \"delayed\", or to one with `delay`")
                }
            };
            let wrong = at(Wrong::new(format!("`{symbol}` {what}")), placed.at.clone());
            outcome = Err(also(wrong, first).help(help));
        }
        outcome
    }
}

/// A venue's objection to a symbol, at its place.
fn misnamed(error: &VenueError, symbols: &[Placed], venue: &Spec) -> Wrong {
    let find = |wanted: &Symbol| symbols.iter().find(|placed| placed.listed.symbol == *wanted);
    let placed = error.symbol().and_then(find);
    let place = placed.and_then(|placed| placed.at.clone());
    match error {
        VenueError::BadName { name, .. } => {
            let name_at = placed.and_then(|placed| placed.name_at.clone());
            at(Wrong::new(format!("`{}` cannot be a venue's name of a symbol", shown(name))), name_at.or(place)).help(
                format!("a name has 1 to {NAME_BYTES_MAX} bytes, without blanks, quotes, backslashes, '@' and ','"),
            )
        }
        VenueError::NotDerivable { symbol, .. } => at(Wrong::new(error.to_string()), place)
            .did_you_mean(likely_of(venue, symbol).as_ref().map(Symbol::as_str))
            .help(format!(
            "write the venue's name: symbols = {{ \"{symbol}\" = \"...\" }}; such a table lists all symbols of the feed"
        )),
        VenueError::NamesMeet { first, .. } => {
            let first = find(first).and_then(|placed| placed.at.clone());
            let wrong = Wrong::new(error.to_string()).help("keep one of them, or give one a venue name of its own, as a table: symbols = { \"SYMBOL\" = \"NAME\" }");
            also(at(wrong, place), first)
        }
        VenueError::TooManySymbols { .. }
        | VenueError::TooManyConnections { .. }
        | VenueError::NoCredentials { .. }
        | VenueError::NoRecording
        | VenueError::WrongEndpoint { .. }
        | VenueError::BadUrl { .. } => Wrong::new(error.to_string()),
    }
}

/// The symbol of this venue that a symbol probably means: spelt differently, or a perpetual contract.
fn likely_of(venue: &Spec, symbol: &Symbol) -> Option<Symbol> {
    let fits = |symbol: &Symbol| (venue.derive)(symbol).is_some();
    let perpetual = || (!symbol.as_str().ends_with("-PERP")).then(|| format!("{symbol}-PERP"));
    likely(symbol.as_str(), fits).or_else(|| likely(&perpetual()?, fits))
}

fn at(wrong: Wrong, place: Option<Range<usize>>) -> Wrong {
    match place {
        Some(place) => wrong.at(place),
        None => wrong,
    }
}

/// Points to the symbol that came first.
fn also(wrong: Wrong, first: Option<Range<usize>>) -> Wrong {
    match first {
        Some(first) => wrong.also("the first one", first),
        None => wrong.help("a feed without `symbols` has it in its venue's own list"),
    }
}
