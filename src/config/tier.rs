//! `tier` and `delayed_by` of `[[feed]]`: whether its prices are live or late.

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

/// The range of `delayed_by`: clients are told whole seconds, and after a day prices are history.
pub const DELAY_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);

/// Whether the prices of a feed are live or late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedTier {
    /// They are live.
    Live,
    /// They come late from the venue.
    Delayed {
        /// By how much at least.
        by: Duration,
    },
}

impl FeedTier {
    /// The tier of the data that the venue sends.
    pub fn tier(self) -> Tier {
        match self {
            Self::Live => Tier::Live,
            Self::Delayed { .. } => Tier::Delayed,
        }
    }
}

/// Reads the keys of a feed of `venue`, which gets frames of `speaks` from this address.
pub(super) fn read(fields: &DeTable<'_>, venue: &Spec, speaks: &Spec, url: Option<&str>) -> Result<FeedTier, Wrong> {
    let mut wrongs = Wrongs::default();
    let tier = wrongs.take(fields.get("tier").map(read_tier).transpose());
    let by = wrongs.take(read_delayed_by(fields));
    let (Some(tier), Some(by)) = (tier, by) else { return wrongs.value(None) };
    let by_contract = (speaks.delay)(url);
    let is_its_own = url.is_none() && venue.local_server.is_none();
    let given = Given { fields, tier, by, live_at: is_its_own.then_some(venue.name) };
    if tier.unwrap_or(Tier::Live) == Tier::Delayed || by_contract.is_some() {
        given.delayed(by_contract)
    } else {
        given.live()
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
        let by = by_contract.or(self.by);
        if let (None, Some(venue)) = (by_contract, self.live_at) {
            let what = format!("{venue} sends live prices at its own address");
            wrongs.push(self.at("tier", &what, "remove `tier`, or set `url` to an address whose data are late"));
        } else if by.is_none() {
            let help = "write how late its data are: delayed_by = \"15m\"";
            wrongs.push(self.at("tier", "a delayed feed requires `delayed_by`", help));
        }
        wrongs.value(by.map(|by| FeedTier::Delayed { by }))
    }

    /// The data are live.
    fn live(&self) -> Result<FeedTier, Wrong> {
        if self.by.is_none() {
            return Ok(FeedTier::Live);
        }
        let what = "`delayed_by` says how late the venue's data are, and those of this feed are live";
        Err(self.at("delayed_by", what, "if they are late, add tier = \"delayed\""))
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

fn read_delayed_by(fields: &DeTable<'_>) -> Result<Option<Duration>, Wrong> {
    let key = "delayed_by";
    let Some(value) = fields.get(key) else { return Ok(None) };
    let duration = units::parse_duration(text(key, value, "15m")?).map_err(|wrong| wrong.at(value.span()))?;
    if DELAY_RANGE.contains(&duration) {
        return Ok(Some(duration));
    }
    let [min, max] = [DELAY_RANGE.start(), DELAY_RANGE.end()].map(|bound| units::show_duration(*bound));
    Err(out_of_range(key, min, max).help("`delayed_by` is how late the venue's data are").at(value.span()))
}
