//! `tier`, `delayed_by`, `delay` and `delay_step` of `[[feed]]`: whether its prices are live or late, and whether it
//! also shows live ones late.

use super::{
    error::{Wrong, Wrongs, shown},
    units,
    value::{out_of_range, text},
};
use crate::{market::Tier, suggest::nearest, venue::Spec};
use std::{ops::RangeInclusive, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The range of `delay` and `delayed_by`: clients are told whole seconds, and after a day prices are history.
pub const DELAY_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
/// The range of `delay_step`: an eye sees not much more with less, and more would show the same prices for hours.
pub const DELAY_STEP_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3_600);
/// The most prices that all delay lines hold at a time: at 1.1 KB each, 550 MB. Beyond that, steps double.
pub const DELAY_NOTES_MAX: usize = 500_000;
/// What one of them takes: a tick with a frame of 400 bytes, and its place in the line. A test of `delay` compares it.
pub const DELAY_NOTE_BYTES: u64 = 1_100;
/// The step of a feed that does not set one, or its delay if that is shorter.
const DELAY_STEP: Duration = Duration::from_secs(5);

/// Whether the prices of a feed are live or late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedTier {
    /// They are live.
    Live,
    /// They are live, and a delay line shows them late too.
    LiveAndDelayed(DelayLine),
    /// They come late from the venue.
    Delayed {
        /// By how much at least.
        by: Duration,
    },
}

/// A delay line: how late it shows prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelayLine {
    /// How long after the gateway has received them, at least.
    pub delay: Duration,
    /// How often the newest price of a symbol is taken.
    pub step: Duration,
}

impl DelayLine {
    /// How many prices it holds at most of each symbol, unless its step doubles.
    pub(super) fn notes_per_symbol(self) -> u64 {
        // Of each step within the delay, and of the one that has just begun.
        1 + u64::try_from(self.delay.as_micros().div_ceil(self.step.as_micros().max(1))).unwrap_or(u64::MAX)
    }
}

impl FeedTier {
    /// The tier of the data that the venue sends.
    pub fn tier(self) -> Tier {
        match self {
            Self::Live | Self::LiveAndDelayed(_) => Tier::Live,
            Self::Delayed { .. } => Tier::Delayed,
        }
    }

    /// The delay line, if there is one.
    pub fn line(self) -> Option<DelayLine> {
        match self {
            Self::LiveAndDelayed(line) => Some(line),
            Self::Live | Self::Delayed { .. } => None,
        }
    }

    /// The tiers in which it has a state of each of its symbols.
    pub fn tiers(self) -> &'static [Tier] {
        match self {
            Self::Live => &[Tier::Live],
            Self::LiveAndDelayed(_) => &[Tier::Live, Tier::Delayed],
            Self::Delayed { .. } => &[Tier::Delayed],
        }
    }
}

/// Reads the keys of a feed of `venue`, which gets frames of `speaks` from this address.
pub(super) fn read(fields: &DeTable<'_>, venue: &Spec, speaks: &Spec, url: Option<&str>) -> Result<FeedTier, Wrong> {
    let mut wrongs = Wrongs::default();
    let tier = wrongs.take(fields.get("tier").map(read_tier).transpose());
    let by = wrongs.take(read_duration("delayed_by", &DELAY_RANGE, fields));
    let delay = wrongs.take(read_delay(fields));
    let step = wrongs.take(read_duration("delay_step", &DELAY_STEP_RANGE, fields));
    let (Some(tier), Some(by), Some(delay), Some(step)) = (tier, by, delay, step) else {
        return wrongs.value(None);
    };
    let by_contract = (speaks.delay)(url);
    let is_its_own = url.is_none() && venue.local_server.is_none();
    let given = Given { fields, tier, by, live_at: is_its_own.then_some(venue.name) };
    if tier.unwrap_or(Tier::Live) == Tier::Delayed || by_contract.is_some() {
        given.delayed(by_contract)
    } else {
        given.live(delay, step)
    }
}

/// What the file says.
struct Given<'a> {
    fields: &'a DeTable<'a>,
    tier: Option<Tier>,
    by: Option<Duration>,
    /// The venue whose own address it is, where that has live data if they are not late by contract.
    live_at: Option<&'static str>,
}

impl Given<'_> {
    /// The data are late, by the venue's contract or as the file says.
    fn delayed(&self, by_contract: Option<Duration>) -> Result<FeedTier, Wrong> {
        let mut wrongs = Wrongs::default();
        let late = by_contract.map(units::show_duration);
        if let (Some(late), Some(Tier::Live)) = (&late, self.tier) {
            wrongs.push(self.at("tier", &format!("the data at this address are {late} late"), "remove `tier`"));
        }
        if let (Some(late), Some(_)) = (&late, self.by) {
            let what = format!("`delayed_by` is set, and the data at this address are known to be {late} late");
            wrongs.push(self.at("delayed_by", &what, "remove it"));
        }
        for key in ["delay", "delay_step"].into_iter().filter(|key| self.fields.contains_key(*key)) {
            let what = format!("`{key}` shows live prices late, and the prices of this feed are late already");
            wrongs.push(self.at(key, &what, "remove it"));
        }
        let by = by_contract.or(self.by);
        if let (None, Some(venue)) = (by_contract, self.live_at) {
            let what = format!("{venue} sends live prices at its own address");
            wrongs.push(self.at("tier", &what, "to show them late too, write delay = \"15m\" in place of `tier`"));
        } else if by.is_none() {
            let help = "write how late its data are: delayed_by = \"15m\"";
            wrongs.push(self.at("tier", "a delayed feed requires `delayed_by`", help));
        }
        wrongs.value(by.map(|by| FeedTier::Delayed { by }))
    }

    /// The data are live.
    fn live(&self, delay: Option<Duration>, step: Option<Duration>) -> Result<FeedTier, Wrong> {
        let mut wrongs = Wrongs::default();
        if self.by.is_some() {
            let what = "`delayed_by` says how late the venue's data are, and those of this feed are live";
            let help = "to show live prices late too, write `delay`; if the data are late, add tier = \"delayed\"";
            wrongs.push(self.at("delayed_by", what, help));
        }
        let Some(delay) = delay else {
            if step.is_some() {
                let help = "remove it, or write delay = \"15m\" to show the prices late too";
                wrongs.push(self.at("delay_step", "`delay_step` requires `delay`", help));
            }
            return wrongs.value(Some(FeedTier::Live));
        };
        let step = step.unwrap_or(DELAY_STEP.min(delay));
        if step > delay {
            let [delay, step] = [delay, step].map(units::show_duration);
            let what = format!("`delay` ({delay}) is shorter than `delay_step` ({step})");
            wrongs.push(self.at("delay_step", &what, "lower `delay_step`"));
        }
        wrongs.value(Some(FeedTier::LiveAndDelayed(DelayLine { delay, step })))
    }

    fn at(&self, key: &str, what: &str, help: &str) -> Wrong {
        let wrong = Wrong::new(what).help(help);
        match self.fields.get(key) {
            Some(value) => wrong.at(value.span()),
            None => wrong,
        }
    }
}

fn read_tier(value: &Spanned<DeValue<'_>>) -> Result<Tier, Wrong> {
    let name = text("tier", value, Tier::Delayed.name())?;
    let known = Tier::NAMES.map(|(_, name)| name);
    Tier::NAMES.into_iter().find(|(_, known)| *known == name).map(|(tier, _)| tier).ok_or_else(|| {
        Wrong::new(format!("unknown tier `{}`", shown(name)))
            .did_you_mean(nearest(name, known))
            .help(format!("the tiers are {}", known.join(", ")))
            .at(value.span())
    })
}

/// `delay`; 0s is none.
fn read_delay(fields: &DeTable<'_>) -> Result<Option<Duration>, Wrong> {
    let is_zero = |value: &Spanned<DeValue<'_>>| {
        value.get_ref().as_str().and_then(|text| units::parse_duration(text).ok()).is_some_and(|delay| delay.is_zero())
    };
    if fields.get("delay").is_some_and(is_zero) { Ok(None) } else { read_duration("delay", &DELAY_RANGE, fields) }
}

fn read_duration(key: &str, range: &RangeInclusive<Duration>, fields: &DeTable<'_>) -> Result<Option<Duration>, Wrong> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let example = if key == "delay_step" { "5s" } else { "15m" };
    let duration = units::parse_duration(text(key, value, example)?).map_err(|wrong| wrong.at(value.span()))?;
    if range.contains(&duration) {
        return Ok(Some(duration));
    }
    let [min, max] = [range.start(), range.end()].map(|bound| units::show_duration(*bound));
    let help = match key {
        "delay" => "`delay` is how late the prices of a live feed are shown to clients with delayed rights",
        "delayed_by" => "`delayed_by` is how late the venue's data are",
        _ => "`delay_step` is how often the newest price of a symbol is taken, to be shown after `delay`",
    };
    Err(out_of_range(key, min, max).help(help).at(value.span()))
}
