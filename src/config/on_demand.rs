//! `on_demand`, `on_demand_symbols` and `linger` of `[[feed]]`: a feed that subscribes what streams ask for.

use super::{
    Feed,
    error::{Wrong, Wrongs, shown},
    feed_limits::{CONNECTIONS_MAX, SYMBOLS_MAX},
    raw::kind,
    symbol_pattern::SymbolPattern,
    units,
    value::{integer, out_of_range, text},
};
use crate::{market::Tier, venue::Spec};
use std::{ops::RangeInclusive, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// What `on_demand_symbols` is without the key: what the watchlists of a few hundred people have.
pub const ON_DEMAND_SYMBOLS_DEFAULT: usize = 1_000;
/// The range of `linger`: less would subscribe again each time that a page is loaded.
pub const LINGER_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
/// What `linger` is without the key: a page that is loaded again, or a client that reconnects, is back by then.
pub(super) const LINGER: Duration = Duration::from_secs(60);
/// The most patterns of a feed: each unknown name is compared with all.
pub const PATTERNS_MAX: usize = 100;

/// The keys besides `on_demand`.
const OWN: [&str; 2] = ["on_demand_symbols", "linger"];
/// What a feed on demand cannot do yet.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("tier", "the prices of a feed on demand are live"),
    ("delayed_by", "the prices of a feed on demand are live"),
    ("delay", "a delay line follows a fixed list"),
    ("delay_step", "a delay line follows a fixed list"),
    ("standby_for", "a standby has the list of its primary"),
    ("record", "a recording says at its start which symbols it has"),
    ("record_bytes_max", "a recording says at its start which symbols it has"),
    ("event", "an event names a symbol of a fixed list"),
    ("files", "a recording has the symbols that it has"),
];

/// That a feed subscribes what streams ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDemand {
    /// Which symbols they may ask for.
    pub patterns: Vec<SymbolPattern>,
    /// The most symbols at a time.
    pub symbols_max: usize,
    /// How long a symbol stays subscribed that no stream has any longer.
    pub linger: Duration,
}

impl OnDemand {
    /// The most symbols that the streams of one address hold: a quarter of all.
    pub fn symbols_per_address(&self) -> usize {
        (self.symbols_max / 4).max(1)
    }
}

/// Whether a feed is on demand.
pub(super) fn is_set(fields: &DeTable<'_>) -> Result<bool, Wrong> {
    fields.get("on_demand").map_or(Ok(false), |value| {
        value.get_ref().as_bool().ok_or_else(|| {
            Wrong::new(format!("`on_demand` must be true or false, not {}", kind(value.get_ref())))
                .help("write on_demand = true")
                .at(value.span())
        })
    })
}

/// Reads the keys of a feed. Without `on_demand` there are none.
pub(super) fn read(fields: &DeTable<'_>, venue: &Spec, connections_max: usize) -> Result<Option<OnDemand>, Wrong> {
    let mut wrongs = Wrongs::default();
    let Some(is_on_demand) = wrongs.take(is_set(fields)) else { return wrongs.value(None) };
    if !is_on_demand {
        for key in OWN {
            if let Some(value) = fields.get(key) {
                let wrong = Wrong::new(format!("`{key}` requires `on_demand`"));
                wrongs.push(wrong.help("remove it, or set on_demand = true").at(value.span()));
            }
        }
        return wrongs.value(Some(None));
    }
    for (key, why) in UNSUPPORTED {
        if let Some(value) = fields.get(key) {
            let wrong = Wrong::new(format!("`{key}` is not supported together with `on_demand`")).help(why);
            wrongs.push(wrong.help("remove it, or put it into a feed that lists its symbols").at(value.span()));
        }
    }
    let patterns = wrongs.take(read_patterns(fields));
    let symbols_max = wrongs.take(read_symbols_max(fields, venue, connections_max));
    let linger = wrongs.take(read_linger(fields));
    let on_demand = || Some(OnDemand { patterns: patterns?, symbols_max: symbols_max?, linger: linger? });
    wrongs.value(on_demand().map(Some))
}

fn read_patterns(fields: &DeTable<'_>) -> Result<Vec<SymbolPattern>, Wrong> {
    const EXAMPLE: &str = "write symbols = [\"*\"], or patterns such as [\"BTC-*\", \"*-USDT\"]";
    let Some(value) = fields.get("symbols") else { return Ok(vec!["*".parse().expect("it is a pattern")]) };
    let wrong = |what: String| Wrong::new(what).help(EXAMPLE).at(value.span());
    let items = match value.get_ref() {
        DeValue::Array(items) if items.is_empty() => return Err(wrong("`symbols` is empty".to_owned())),
        DeValue::Array(items) if items.len() > PATTERNS_MAX => {
            return Err(
                wrong(format!("`symbols` has {} patterns", items.len())).help(format!("at most {PATTERNS_MAX}"))
            );
        }
        DeValue::Array(items) => items,
        other => {
            return Err(wrong(format!(
                "`symbols` of a feed on demand must be a list of patterns, not {}",
                kind(other)
            )));
        }
    };
    Wrong::all(items.iter().map(|item| {
        let text = item.get_ref().as_str().ok_or_else(|| {
            Wrong::new(format!("a pattern must be a string, not {}", kind(item.get_ref())))
                .help("write it in quotes")
                .at(item.span())
        })?;
        text.parse().map_err(|error| {
            Wrong::new(format!("`{}` is not a pattern of symbols", shown(text)))
                .help(format!("{error}"))
                .at(item.span())
        })
    }))
}

fn read_symbols_max(fields: &DeTable<'_>, venue: &Spec, connections_max: usize) -> Result<usize, Wrong> {
    let carried = venue.symbols_per_connection.saturating_mul(connections_max).min(SYMBOLS_MAX);
    let Some(value) = fields.get("on_demand_symbols") else { return Ok(ON_DEMAND_SYMBOLS_DEFAULT.min(carried)) };
    let count = integer(value.get_ref()).ok_or_else(|| {
        Wrong::new(format!("`on_demand_symbols` must be a whole number, not {}", kind(value.get_ref())))
            .help(format!("write on_demand_symbols = {ON_DEMAND_SYMBOLS_DEFAULT}"))
            .at(value.span())
    })?;
    match usize::try_from(count) {
        Ok(count) if (1..=carried).contains(&count) => Ok(count),
        _ => {
            let wrong = out_of_range("on_demand_symbols", 1, carried).help(format!(
                "a connection to {} carries {} symbols, and the feed may open {connections_max}",
                venue.name, venue.symbols_per_connection
            ));
            let may_open_more = connections_max < CONNECTIONS_MAX.min(venue.connections_max) && carried < SYMBOLS_MAX;
            let wrong = if may_open_more { wrong.help("raise connections_max") } else { wrong };
            Err(wrong.at(value.span()))
        }
    }
}

fn read_linger(fields: &DeTable<'_>) -> Result<Duration, Wrong> {
    let Some(value) = fields.get("linger") else { return Ok(LINGER) };
    let example = units::show_duration(LINGER);
    let linger = units::parse_duration(text("linger", value, &example)?).map_err(|wrong| wrong.at(value.span()))?;
    if LINGER_RANGE.contains(&linger) {
        return Ok(linger);
    }
    let [min, max] = [LINGER_RANGE.start(), LINGER_RANGE.end()].map(|bound| units::show_duration(*bound));
    let help = "a symbol that no stream has any longer stays subscribed for so long";
    Err(out_of_range("linger", min, max).help(help).at(value.span()))
}

/// Checks the feeds on demand against each other and against all others. The tables are those of the feeds.
pub(super) fn check(feeds: &[Feed], tables: &[Spanned<DeValue<'_>>]) -> Result<(), Wrong> {
    let mut wrongs = Wrongs::default();
    let mut earlier: Vec<(&Feed, &OnDemand)> = Vec::new();
    for (feed, table) in feeds.iter().zip(tables) {
        let place = |key: &str| {
            let named = table.get_ref().as_table().and_then(|fields| fields.get(key));
            named.map_or(table.span(), Spanned::span)
        };
        if let Some(primary) = feed.standby.as_ref().map(|standby| &standby.primary)
            && feeds.iter().any(|other| other.name == *primary && other.on_demand.is_some())
        {
            let wrong = Wrong::new(format!("`{}` subscribes on demand, and cannot have a standby yet", shown(primary)));
            wrongs.push(wrong.help("remove `standby_for`, or list the symbols of both").at(place("standby_for")));
        }
        let Some(on_demand) = &feed.on_demand else { continue };
        for (other, its) in &earlier {
            let met =
                on_demand.patterns.iter().find_map(|own| Some((own, its.patterns.iter().find(|p| p.meets(own))?)));
            if let Some((own, its)) = met {
                let what = format!("`{own}` and `{its}` of feed `{}` stand for some of the same symbols", other.name);
                let help = "a symbol has one feed: make the patterns differ, such as \"*-USD\" and \"*-USDT\"";
                wrongs.push(Wrong::new(what).help(help).at(place("symbols")));
                break;
            }
        }
        earlier.push((feed, on_demand));
    }
    let has_live = |feed: &&Feed| feed.tier.tier() == Tier::Live;
    let listed: usize = feeds.iter().filter(has_live).map(|feed| feed.symbols.len()).sum();
    let on_demand: usize = earlier.iter().map(|(_, its)| its.symbols_max).sum();
    if on_demand > 0 && listed + on_demand > SYMBOLS_MAX {
        let last = feeds.iter().rposition(|feed| feed.on_demand.is_some()).and_then(|place| tables.get(place));
        let wrong = Wrong::new("too many symbols")
            .help(format!("at most {SYMBOLS_MAX} in all feeds, and {listed} are listed"))
            .help(format!("`on_demand_symbols` of all feeds are {on_demand}: lower them"));
        wrongs.push(match last {
            Some(table) => wrong.at(table.span()),
            None => wrong,
        });
    }
    wrongs.none()
}
