//! `[[feed.event]]`: what a simulated venue is to do, and when.

use super::{
    error::{Wrong, Wrongs, shown},
    raw::kind,
    units,
    value::{out_of_range, text},
};
use crate::{
    suggest::nearest,
    venue::{Act, ListedSymbol, Script, ScriptedEvent, Spec, VENUES},
};
use std::{ops::RangeInclusive, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most events of a feed: more than a person writes, and cheap to look through for every message.
pub const EVENTS_MAX: usize = 100;
/// The range of all times of an event: less cannot be seen, more is not waited for.
pub const EVENT_TIME_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3_600);
/// The keys of an event.
const KEYS: [&str; 5] = ["at", "do", "symbol", "lasts", "every"];
const EXAMPLE: &str = "for example, [[feed.event]] with at = \"10s\", do = \"halt\" and symbol = \"AAPL\"";

/// Reads the events of a feed of these symbols.
pub(super) fn read(
    value: &Spanned<DeValue<'_>>,
    venue: &Spec,
    has_url: bool,
    symbols: &[ListedSymbol],
    wrongs: &mut Wrongs,
) -> Script {
    let Some(tables) = wrongs.take(tables(value, venue, has_url)) else { return Script::default() };
    let read = |table| read_event(table, symbols).map_err(|wrong| wrong.at(table.span()));
    Script(tables.iter().filter_map(|table| wrongs.take(read(table))).collect())
}

/// The tables of the events, if the venue plays any, and as many.
fn tables<'a, 'b>(
    value: &'a Spanned<DeValue<'b>>,
    venue: &Spec,
    has_url: bool,
) -> Result<&'a [Spanned<DeValue<'b>>], Wrong> {
    if !venue.simulates() || has_url {
        let simulated = VENUES.iter().filter(|spec| spec.simulates()).map(|spec| spec.name);
        let simulated = simulated.collect::<Vec<_>>().join(", ");
        return Err(Wrong::new("events need a simulated venue")
            .help(format!("remove them, or set venue = \"{simulated}\" without a `url`"))
            .at(value.span()));
    }
    let tables = value.get_ref().as_array().ok_or_else(|| {
        Wrong::new("`event` is not a list of events")
            .help("write [[feed.event]], with two brackets, once for each event")
            .at(value.span())
    })?;
    if tables.len() > EVENTS_MAX {
        return Err(Wrong::new("too many events")
            .help(format!("at most {EVENTS_MAX} events; `every` repeats one"))
            .at(tables.get(EVENTS_MAX).map_or(value.span(), Spanned::span)));
    }
    Ok(tables)
}

fn read_event(table: &Spanned<DeValue<'_>>, symbols: &[ListedSymbol]) -> Result<ScriptedEvent, Wrong> {
    let fields = table.get_ref().as_table().ok_or_else(|| {
        Wrong::new(format!("an event is a table, not {}", kind(table.get_ref()))).help("write [[feed.event]]")
    })?;
    if let Some((key, _)) = fields.iter().find(|(key, _)| !KEYS.contains(&key.get_ref().as_ref())) {
        return Err(Wrong::new(format!("unknown key `{}` in [[feed.event]]", shown(key.get_ref())))
            .did_you_mean(nearest(key.get_ref(), KEYS))
            .help(format!("the keys of an event are {}", KEYS.join(", ")))
            .at(key.span()));
    }
    let act = read_act(required(fields, "do")?)?;
    let at = read_time("at", required(fields, "at")?)?;
    let lasts = fields.get("lasts").map(|value| read_lasts(value, act)).transpose()?;
    let every = fields.get("every").map(|value| read_every(value, lasts)).transpose()?;
    let symbol = read_symbol(fields.get("symbol"), act, symbols)?;
    Ok(ScriptedEvent { at, every, lasts, act, symbol })
}

fn required<'a, 'b>(fields: &'a DeTable<'b>, name: &str) -> Result<&'a Spanned<DeValue<'b>>, Wrong> {
    fields.get(name).ok_or_else(|| Wrong::new(format!("`{name}` is missing in [[feed.event]]")).help(EXAMPLE))
}

fn read_act(value: &Spanned<DeValue<'_>>) -> Result<Act, Wrong> {
    let name = text("do", value, "halt")?;
    let known = Act::NAMES.map(|(_, name)| name);
    Act::NAMES.into_iter().find(|(_, known)| *known == name).map(|(act, _)| act).ok_or_else(|| {
        Wrong::new(format!("the simulator cannot `{}`", shown(name)))
            .did_you_mean(nearest(name, known))
            .help(format!("`do` is one of {}", known.join(", ")))
            .at(value.span())
    })
}

fn read_time(name: &str, value: &Spanned<DeValue<'_>>) -> Result<Duration, Wrong> {
    let time = units::parse_duration(text(name, value, "10s")?).map_err(|wrong| wrong.at(value.span()))?;
    if EVENT_TIME_RANGE.contains(&time) {
        return Ok(time);
    }
    let [min, max] = [*EVENT_TIME_RANGE.start(), *EVENT_TIME_RANGE.end()].map(units::show_duration);
    Err(out_of_range(name, min, max).at(value.span()))
}

fn read_lasts(value: &Spanned<DeValue<'_>>, act: Act) -> Result<Duration, Wrong> {
    let lasts = read_time("lasts", value)?;
    if act.may_last() {
        return Ok(lasts);
    }
    let may_last = Act::NAMES.into_iter().filter(|(act, _)| act.may_last()).map(|(_, name)| name);
    Err(Wrong::new("`lasts` does not fit what this event does")
        .help(format!("remove it: only {} can last", may_last.collect::<Vec<_>>().join(", ")))
        .at(value.span()))
}

fn read_every(value: &Spanned<DeValue<'_>>, lasts: Option<Duration>) -> Result<Duration, Wrong> {
    let every = read_time("every", value)?;
    match lasts {
        Some(lasts) if lasts >= every => Err(Wrong::new("the event happens again before it is over")
            .help("set `every` to more than `lasts`")
            .at(value.span())),
        _ => Ok(every),
    }
}

fn read_symbol(
    value: Option<&Spanned<DeValue<'_>>>,
    act: Act,
    symbols: &[ListedSymbol],
) -> Result<Option<crate::market::Symbol>, Wrong> {
    let Some(value) = value else {
        return match act.needs_symbol() {
            true => Err(Wrong::new("`symbol` is missing in [[feed.event]]")
                .help("name the symbol; only break, mute and gap are for the whole feed")),
            false => Ok(None),
        };
    };
    if !act.needs_symbol() {
        return Err(Wrong::new("`symbol` does not fit what this event does")
            .help("remove it: break, mute and gap are for the whole feed")
            .at(value.span()));
    }
    let name = text("symbol", value, "AAPL")?;
    let known = symbols.iter().map(|listed| listed.symbol.as_str());
    match symbols.iter().find(|listed| listed.symbol.as_str().eq_ignore_ascii_case(name)) {
        Some(listed) => Ok(Some(listed.symbol.clone())),
        None => Err(Wrong::new(format!("`{}` is not a symbol of this feed", shown(name)))
            .did_you_mean(nearest(name, known))
            .help("add it to `symbols` of the feed")
            .at(value.span())),
    }
}
