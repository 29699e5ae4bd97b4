//! `hours`, `closed_days`, `mute_after` and `part_mute_after` of `[[feed]]`: when a feed trades, and how long it may be
//! silent.

use super::{
    error::{Wrong, shown},
    raw::kind,
    units,
    value::{out_of_range, text},
};
use crate::{
    market::{Date, Hours, Schedule},
    suggest::nearest,
    venue::Spec,
};
use std::{ops::RangeInclusive, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most closed days of a feed: a year of them.
pub const CLOSED_DAYS_MAX: usize = 366;
/// The range of `mute_after` and `part_mute_after`: less is a pause between trades, more would never find an outage.
pub const MUTE_AFTER_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);

/// Without data for so long, a list of many symbols is mute in any market.
const MUTE_AFTER: Duration = Duration::from_secs(30);
/// Fewer symbols than this may all be quiet for a while.
const SHORT_LIST: usize = 20;
const MUTE_AFTER_SHORT_LIST: Duration = Duration::from_secs(120);
/// Heartbeats show a dead connection sooner, so that the silence of a quiet market need not be taken for one.
const MUTE_AFTER_WITH_HEARTBEATS: Duration = Duration::from_secs(300);

/// Reads when the feed trades.
pub(super) fn read_schedule(fields: &DeTable<'_>, venue: &Spec, url: Option<&str>) -> Result<Schedule, Wrong> {
    let hours = fields.get("hours").map_or_else(|| Ok((venue.hours)(url)), read_hours)?;
    let Some(value) = fields.get("closed_days") else { return Ok(Schedule::new(hours, Vec::new())) };
    if hours == Hours::Always {
        return Err(Wrong::new("`closed_days` needs trading hours, and this feed has hours = \"always\"")
            .help(format!("remove it, or set hours = \"{}\"", Hours::UsEquities.name()))
            .at(value.span()));
    }
    let example = "for example, closed_days = [\"2025-01-09\"]";
    let days = value.get_ref().as_array().ok_or_else(|| {
        Wrong::new(format!("`closed_days` must be a list, not {}", kind(value.get_ref())))
            .help(example)
            .at(value.span())
    })?;
    if days.len() > CLOSED_DAYS_MAX {
        return Err(Wrong::new("too many closed days")
            .help(format!("at most {CLOSED_DAYS_MAX} days"))
            .at(value.span()));
    }
    let days = days.iter().map(|day| {
        let wrong = |what: String| Wrong::new(what).help(example).at(day.span());
        let text = day
            .get_ref()
            .as_str()
            .ok_or_else(|| wrong(format!("a day must be a string, not {}", kind(day.get_ref()))))?;
        text.parse::<Date>().map_err(|error| wrong(format!("`{}` is not a day: {error}", shown(text))))
    });
    Ok(Schedule::new(hours, Wrong::all(days)?))
}

fn read_hours(value: &Spanned<DeValue<'_>>) -> Result<Hours, Wrong> {
    let name = text("hours", value, Hours::UsEquities.name())?;
    let known = Hours::NAMES.map(|(_, name)| name);
    Hours::NAMES.into_iter().find(|(_, known)| *known == name).map(|(hours, _)| hours).ok_or_else(|| {
        Wrong::new(format!("unknown hours `{}`", shown(name)))
            .did_you_mean(nearest(name, known))
            .help(format!("the hours are {}", known.join(", ")))
            .at(value.span())
    })
}

/// The longest silence of a feed that does not set one.
pub(super) fn mute_after_default(venue: &Spec, symbols: usize) -> Duration {
    if venue.heartbeats {
        MUTE_AFTER_WITH_HEARTBEATS
    } else if symbols < SHORT_LIST {
        MUTE_AFTER_SHORT_LIST
    } else {
        MUTE_AFTER
    }
}

/// Reads the longest silence, of all data or of one part, if the file sets one.
pub(super) fn read_silence(key: &str, fields: &DeTable<'_>) -> Result<Option<Duration>, Wrong> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let duration = units::parse_duration(text(key, value, "30s")?).map_err(|wrong| wrong.at(value.span()))?;
    if MUTE_AFTER_RANGE.contains(&duration) {
        return Ok(Some(duration));
    }
    let min = units::show_duration(*MUTE_AFTER_RANGE.start());
    let max = units::show_duration(*MUTE_AFTER_RANGE.end());
    let help = if key == "mute_after" {
        "`mute_after` is the silence, within the feed's hours, after which the feed counts as mute"
    } else {
        "`part_mute_after` is the silence of trades, quotes or statistics, while others flow, after which they are stale"
    };
    Err(out_of_range(key, min, max).help(help).at(value.span()))
}
