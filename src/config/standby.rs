//! `standby_for`, `standby_age` and `failback_after` of `[[feed]]`: a second feed for the symbols of another.

use super::{
    Feed, FeedTier,
    error::{Wrong, Wrongs, shown},
    units,
    value::{out_of_range, text},
};
use crate::{market::FailoverLimits, suggest::nearest};
use std::{collections::HashSet, ops::RangeInclusive, time::Duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The keys besides `standby_for`.
const WAITS: [&str; 2] = ["standby_age", "failback_after"];
/// The range of both: less is a pause between updates, and after more the outage is over.
pub const STANDBY_WAIT_RANGE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3_600);
/// A price that is older than this is not shown in place of a stale one.
pub(super) const STANDBY_AGE: Duration = Duration::from_secs(5);
/// A venue that has been back for so long is likely to stay.
pub(super) const FAILBACK_AFTER: Duration = Duration::from_secs(30);

/// That a feed stands in for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    /// The name of the other feed: the primary.
    pub primary: String,
    /// When one takes over from the other.
    pub limits: FailoverLimits,
}

/// Reads the keys of a feed.
pub(super) fn read(fields: &DeTable<'_>) -> Result<Option<Standby>, Wrong> {
    let mut wrongs = Wrongs::default();
    let age = wrongs.take(read_wait("standby_age", STANDBY_AGE, fields));
    let failback_after = wrongs.take(read_wait("failback_after", FAILBACK_AFTER, fields));
    let Some(value) = fields.get("standby_for") else {
        for key in WAITS {
            if let Some(value) = fields.get(key) {
                let wrong = Wrong::new(format!("`{key}` requires `standby_for`"));
                wrongs.push(wrong.help("remove it, or name the feed that this one stands in for").at(value.span()));
            }
        }
        return wrongs.value(Some(None));
    };
    let primary = wrongs.take(text("standby_for", value, "us-stocks"));
    let standby = || {
        let limits = FailoverLimits { age: age?, failback_after: failback_after? };
        Some(Some(Standby { primary: primary?.to_owned(), limits }))
    };
    wrongs.value(standby())
}

fn read_wait(key: &str, default: Duration, fields: &DeTable<'_>) -> Result<Duration, Wrong> {
    let Some(value) = fields.get(key) else { return Ok(default) };
    let example = units::show_duration(default);
    let wait = units::parse_duration(text(key, value, &example)?).map_err(|wrong| wrong.at(value.span()))?;
    if STANDBY_WAIT_RANGE.contains(&wait) {
        return Ok(wait);
    }
    let [min, max] = [STANDBY_WAIT_RANGE.start(), STANDBY_WAIT_RANGE.end()].map(|bound| units::show_duration(*bound));
    let help = match key {
        "standby_age" => "an update of the standby that is at most as old is shown at once",
        _ => "once the primary has been healthy for so long, its prices are shown again",
    };
    Err(out_of_range(key, min, max).help(help).at(value.span()))
}

/// Checks that each standby stands in for a feed that there is, and for symbols of it. The tables are those of the
/// feeds.
pub(super) fn check(feeds: &[Feed], tables: &[Spanned<DeValue<'_>>]) -> Result<(), Wrong> {
    let mut wrongs = Wrongs::default();
    for (feed, table) in feeds.iter().zip(tables) {
        let Some(standby) = &feed.standby else { continue };
        let named = table.get_ref().as_table().and_then(|fields| fields.get("standby_for"));
        let place = named.map_or(table.span(), Spanned::span);
        wrongs.take(check_one(feed, standby, feeds).map_err(|wrong| wrong.at(place)));
    }
    wrongs.none()
}

fn check_one(feed: &Feed, standby: &Standby, feeds: &[Feed]) -> Result<(), Wrong> {
    let name = &standby.primary;
    let Some(primary) = feeds.iter().find(|other| other.name == *name) else {
        let others = feeds.iter().filter(|other| other.name != feed.name).map(|other| other.name.as_str());
        return Err(Wrong::new(format!("no feed has the name `{}`", shown(name)))
            .did_you_mean(nearest(name, others))
            .help("`standby_for` names another [[feed]], which lists the same symbols"));
    };
    if primary.name == feed.name {
        return Err(Wrong::new("a feed cannot stand in for itself").help("name the other feed"));
    }
    if primary.standby.is_some() {
        return Err(Wrong::new(format!("`{name}` is a standby itself"))
            .help("a symbol has two feeds at most: its primary and one standby"));
    }
    if feed.tier != FeedTier::Live {
        return Err(Wrong::new("a standby has live prices")
            .help("remove `tier`, `delayed_by` and `delay`; a `delay` of the primary counts for both"));
    }
    if primary.tier.tier() != feed.tier.tier() {
        return Err(Wrong::new(format!("`{name}` has delayed prices")).help("a standby stands in for a live feed"));
    }
    if primary.origin() != feed.origin() {
        return Err(Wrong::new(format!("the prices of this feed are not of the same origin as those of `{name}`"))
            .help("simulated and recorded prices cannot stand in for those of a market"));
    }
    if primary.on_demand.is_some() {
        // Which is told by the check of those: it lists no symbols, so that none could be named here.
        return Ok(());
    }
    let listed: HashSet<_> = primary.symbols.iter().map(|listed| &listed.symbol).collect();
    match feed.symbols.iter().find(|own| !listed.contains(&own.symbol)) {
        None => Ok(()),
        Some(own) => Err(Wrong::new(format!("`{}` is not a symbol of `{name}`", own.symbol))
            .help("a standby lists symbols of its primary; put others into a feed of their own")),
    }
}
