//! `[[feed]]`: the connections to venues and their symbols.

use super::{
    Feed, SymbolEntry, VenueKind,
    access::{self, Variables},
    error::{Wrong, nearest, shown},
    keys::FEED_KEYS,
    names, times,
    value::{kind, out_of_range, text},
};
use crate::market::Symbol;
use std::{collections::HashMap, ops::Range};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most feeds: each has a task, a socket and a series in every metric of feeds.
pub const FEEDS_MAX: usize = 64;
/// The most symbols of all feeds together: at 1 KiB each with their names and states, 100 MB.
pub const SYMBOLS_MAX: usize = 100_000;
/// Updates a second of the simulator, without a `rate`: a page full of moving prices, no load.
pub const RATE_DEFAULT: f64 = 100.0;
/// The lowest rate of the simulator: an update every ten seconds.
pub const RATE_MIN: f64 = 0.1;
/// The highest rate of the simulator: what one core can take in.
pub const RATE_MAX: f64 = 1_000_000.0;
/// What the simulator trades when the file does not say: its own listings, in their order.
pub const SIM_SYMBOLS: [&str; 30] = [
    "AAPL",
    "MSFT",
    "NVDA",
    "AMZN",
    "GOOGL",
    "META",
    "TSLA",
    "BRK.B",
    "JPM",
    "V",
    "WMT",
    "XOM",
    "KO",
    "DIS",
    "NFLX",
    "AMD",
    "INTC",
    "BA",
    "GE",
    "F",
    "SPY",
    "QQQ",
    "IWM",
    "BTC-USDT",
    "ETH-USDT",
    "SOL-USDT",
    "XRP-USDT",
    "DOGE-USDT",
    "ADA-USDT",
    "BTC-EUR",
];

/// The longest name that a venue may have for a symbol, in bytes.
const VENUE_NAME_LENGTH_MAX: usize = 64;

/// A symbol with its place in the file; none for the simulator's own list.
type Placed = (SymbolEntry, Option<Range<usize>>);

/// The feeds without any `[[feed]]`: the simulator.
pub(super) fn simulated() -> Feed {
    Feed::new(VenueKind::Sim, sim_symbols().map(|(symbol, _)| symbol).collect())
}

/// Reads all `[[feed]]` tables. The variables hold the keys that feeds name.
pub(super) fn read(value: &Spanned<DeValue<'_>>, variables: &Variables) -> Result<Vec<Feed>, Wrong> {
    let tables = value.get_ref().as_array().ok_or_else(|| {
        Wrong::new("feeds are written as [[feed]], with two brackets")
            .help("so that there can be several")
            .at(value.span())
    })?;
    let mut known = Known::default();
    let mut feeds = Vec::new();
    for table in tables {
        if feeds.len() == FEEDS_MAX {
            return Err(Wrong::new("too many feeds").help(format!("at most {FEEDS_MAX}")).at(table.span()));
        }
        let fields = table.get_ref().as_table().ok_or_else(|| {
            Wrong::new(format!("a feed is a table, not {}", kind(table.get_ref())))
                .help("write [[feed]]")
                .at(table.span())
        })?;
        feeds.push(read_feed(fields, table.span(), &mut known, variables)?);
    }
    Ok(feeds)
}

/// What earlier feeds have taken, with its place.
#[derive(Default)]
struct Known {
    names: HashMap<String, Range<usize>>,
    symbols: HashMap<Symbol, Option<Range<usize>>>,
}

fn read_feed(
    fields: &DeTable<'_>,
    table: Range<usize>,
    known: &mut Known,
    variables: &Variables,
) -> Result<Feed, Wrong> {
    let names: Vec<_> = FEED_KEYS.iter().map(|key| key.name).collect();
    if let Some((key, _)) = fields.iter().find(|(key, _)| !names.contains(&key.get_ref().as_ref())) {
        return Err(Wrong::new(format!("unknown key `{}` in [[feed]]", shown(key.get_ref())))
            .did_you_mean(nearest(key.get_ref(), names.iter().copied()))
            .help(format!("a feed has {}", names.join(", ")))
            .at(key.span()));
    }
    let field = |name: &str| fields.get(name);
    let venue = field("venue").map_or(Ok(VenueKind::Sim), read_venue)?;
    let name = match field("name") {
        Some(value) => {
            text("name", value, "us-stocks").and_then(|name| names::feed(name).map_err(|w| w.at(value.span())))?
        }
        None => venue.name().to_owned(),
    };
    let place = field("name").map_or(table.clone(), Spanned::span);
    if let Some(first) = known.names.insert(name.clone(), place.clone()) {
        return Err(Wrong::new(format!("two feeds are named `{name}`"))
            .help("give each feed a name of its own: it is a label in metrics; the default is the venue's")
            .also("the first one", first)
            .at(place));
    }
    let url = field("url").map(|value| {
        text("url", value, "wss://stream.example.com").and_then(|url| names::url(url).map_err(|w| w.at(value.span())))
    });
    let rate = field("rate").map_or(Ok(RATE_DEFAULT), |value| read_rate(value, venue))?;
    let schedule = times::read_schedule(fields, venue)?;
    let mute_after = times::read_mute_after(fields)?;
    let symbols = read_symbols(field("symbols"), venue, table.clone())?;
    let symbols = known.take(symbols, venue)?;
    // Last: a file that is wrong is shown as such also where its keys are not at hand.
    let credentials = access::read(fields, venue, table, variables)?;
    Ok(Feed { name, venue, url: url.transpose()?, symbols, rate, schedule, mute_after, credentials })
}

fn read_venue(value: &Spanned<DeValue<'_>>) -> Result<VenueKind, Wrong> {
    let name = text("venue", value, VenueKind::Binance.name())?;
    VenueKind::ALL.into_iter().find(|venue| venue.name() == name).ok_or_else(|| {
        let known = VenueKind::ALL.map(VenueKind::name);
        Wrong::new(format!("`{}` is no venue that this version knows", shown(name)))
            .did_you_mean(nearest(name, known))
            .help(format!("the venues are {}", known.join(", ")))
            .at(value.span())
    })
}

fn read_rate(value: &Spanned<DeValue<'_>>, venue: VenueKind) -> Result<f64, Wrong> {
    if venue != VenueKind::Sim {
        return Err(Wrong::new(format!("`rate` is the simulator's: {} sends at its own rate", venue.name()))
            .help("leave it out, or set venue = \"sim\"")
            .at(value.span()));
    }
    let digits = match value.get_ref() {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        other => {
            return Err(Wrong::new(format!("`rate` is a number, not {}", kind(other)))
                .help("updates a second, such as rate = 100")
                .at(value.span()));
        }
    };
    // What is no number, `nan` or `1e999`, is in no range either.
    let rate: f64 = digits.parse().unwrap_or(f64::NAN);
    if (RATE_MIN..=RATE_MAX).contains(&rate) {
        return Ok(rate);
    }
    Err(out_of_range("rate", RATE_MIN, RATE_MAX)
        .help("it is updates a second, of all symbols together")
        .at(value.span()))
}

fn read_symbols(
    value: Option<&Spanned<DeValue<'_>>>,
    venue: VenueKind,
    table: Range<usize>,
) -> Result<Vec<Placed>, Wrong> {
    let example = "such as symbols = [\"BTC-USDT\", \"ETH-USDT\"]";
    let Some(value) = value else {
        if venue == VenueKind::Sim {
            return Ok(sim_symbols().collect());
        }
        return Err(Wrong::new(format!("a feed of {} needs `symbols`", venue.name())).help(example).at(table));
    };
    let symbols: Result<Vec<Placed>, Wrong> = match value.get_ref() {
        DeValue::Array(items) => items.iter().map(read_listed).collect(),
        DeValue::Table(items) => items.iter().map(|(symbol, name)| read_mapped(symbol, name)).collect(),
        other => Err(Wrong::new(format!("`symbols` is a list, not {}", kind(other))).help(example)),
    };
    let symbols = symbols.map_err(|wrong| wrong.at(value.span()))?;
    if symbols.is_empty() {
        return Err(Wrong::new("the feed has no symbol").help(example).at(value.span()));
    }
    Ok(symbols)
}

fn sim_symbols() -> impl Iterator<Item = Placed> {
    SIM_SYMBOLS.iter().filter_map(|text| Some((SymbolEntry { symbol: text.parse().ok()?, venue_name: None }, None)))
}

fn read_listed(item: &Spanned<DeValue<'_>>) -> Result<Placed, Wrong> {
    let text = item.get_ref().as_str().ok_or_else(|| {
        Wrong::new(format!("a symbol is a text, not {}", kind(item.get_ref())))
            .help("write it in quotes")
            .at(item.span())
    })?;
    Ok((SymbolEntry { symbol: read_symbol(text, item.span())?, venue_name: None }, Some(item.span())))
}

fn read_mapped(key: &Spanned<std::borrow::Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Result<Placed, Wrong> {
    let name = text(&shown(key.get_ref()), value, "XBT/USD")?;
    let symbol = read_symbol(key.get_ref(), key.span()).map_err(|wrong| match name.parse::<Symbol>() {
        Ok(symbol) => Wrong::new(format!("`{}` is no symbol", shown(key.get_ref())))
            .help(format!("the canonical name comes first: \"{symbol}\" = \"{}\"", shown(key.get_ref())))
            .at(key.span()),
        Err(_) => wrong,
    })?;
    let breaks_out = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | ',' | '"' | '\\');
    if !(1..=VENUE_NAME_LENGTH_MAX).contains(&name.len()) || name.contains(breaks_out) {
        return Err(Wrong::new(format!("`{}` is no venue's name of a symbol", shown(name)))
            .help(format!(
                "it has 1 to {VENUE_NAME_LENGTH_MAX} bytes, without blanks, quotes, backslashes, '@' and ','"
            ))
            .at(value.span()));
    }
    Ok((SymbolEntry { symbol, venue_name: Some(name.to_owned()) }, Some(key.span())))
}

fn read_symbol(text: &str, at: Range<usize>) -> Result<Symbol, Wrong> {
    text.parse().map_err(|error| {
        let likely: String =
            text.chars().take(64).map(|c| if matches!(c, '/' | ':' | ' ') { '-' } else { c }).collect();
        let likely = Symbol::fold(&likely).ok();
        Wrong::new(format!("`{}` is no symbol", shown(text)))
            .did_you_mean(likely.as_ref().map(Symbol::as_str))
            .help(format!("{error}"))
            .at(at)
    })
}

impl Known {
    /// Takes a feed's symbols, each of which must be new, here and at the venue.
    fn take(&mut self, symbols: Vec<Placed>, venue: VenueKind) -> Result<Vec<SymbolEntry>, Wrong> {
        let mut at_venue = HashMap::new();
        let mut taken = Vec::with_capacity(symbols.len());
        for (feed_symbol, place) in symbols {
            let symbol = &feed_symbol.symbol;
            let wrong = |what: String, first: Option<Range<usize>>| {
                let wrong = Wrong::new(what);
                let wrong = place.clone().into_iter().fold(wrong, Wrong::at);
                match first {
                    Some(first) if place.as_ref() == Some(&first) => wrong,
                    Some(first) => wrong.also("the first one", first),
                    None => wrong.help("a simulated feed without `symbols` has it in its own list"),
                }
            };
            if self.symbols.len() == SYMBOLS_MAX {
                return Err(wrong("too many symbols".to_owned(), place.clone())
                    .help(format!("at most {SYMBOLS_MAX} in all feeds")));
            }
            if let Some(first) = self.symbols.insert(symbol.clone(), place.clone()) {
                return Err(wrong(format!("`{symbol}` stands twice"), first)
                    .help("a symbol has one feed, and stands there once"));
            }
            let Some(name) = feed_symbol.venue_name.clone().or_else(|| derived_name(venue, symbol)) else {
                return Err(wrong(format!("what {} calls `{symbol}` cannot be derived", venue.name()), place.clone())
                    .help(format!("say it: symbols = {{ \"{symbol}\" = \"...\" }}, and the feed's others like it")));
            };
            if let Some((other, first)) = at_venue.insert(name.clone(), (symbol.clone(), place.clone())) {
                return Err(wrong(format!("`{other}` and `{symbol}` are both `{name}` at the venue"), first));
            }
            taken.push(feed_symbol);
        }
        Ok(taken)
    }
}

/// What the venue calls a symbol that the file does not map, if that can be said. The venue itself derives it in the same way, but
/// knows no place in the file.
fn derived_name(venue: VenueKind, symbol: &Symbol) -> Option<String> {
    let text = symbol.as_str();
    match venue {
        VenueKind::Sim => Some(text.to_owned()),
        VenueKind::Binance if text.contains(['.', '_']) || text.matches('-').count() > 1 => None,
        VenueKind::Binance => Some(text.replace('-', "")),
        VenueKind::Alpaca if text.contains(['-', '_']) => None,
        VenueKind::Alpaca => Some(text.to_owned()),
    }
}
