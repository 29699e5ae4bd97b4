//! What a reload does with the feeds: a pure plan.
//!
//! A list of symbols changes on the living feed, and so does its key. Any other setting restarts the feed. Some changes
//! wait for a restart of the gateway, and with them the feeds that depend on them.

use super::{
    Change, Feed,
    feed_difference::{Difference, is_another, primary},
    feed_limits::{FEEDS_MAX, SYMBOLS_MAX},
    feed_step::FeedStep,
    feeds::check_account,
};
use crate::{
    market::{Symbol, Tier},
    venue::ListedSymbol,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a reload does with the feeds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct FeedPlan {
    /// What is done: removals before additions, primaries before their standbys, and lists before what may hang.
    pub(super) steps: Vec<FeedStep>,
    /// The feeds afterwards.
    pub(super) feeds: Vec<Feed>,
    /// The feeds that change now, and how.
    pub(super) changed: Vec<Change>,
    /// The feeds that change at a restart of the gateway, and why not now.
    pub(super) at_restart: Vec<Change>,
}

/// Plans how the running feeds become the loaded ones, as far as they can while the gateway runs.
pub(super) fn plan(running: &[Feed], loaded: &[Feed]) -> FeedPlan {
    let waiting = waiting(running, loaded);
    let feeds = mix(running, loaded, &waiting);
    if !are_within_limits(&feeds) {
        return wait(running, loaded, "together with the feeds that wait, they are too many");
    }
    let at_restart = waits(running, loaded, |name| waiting.get(name).cloned());
    let traders = traders(running, &feeds);
    let late = late_pairs(running, &feeds, &traders);
    let may_be_early = have_room_at_once(running, &feeds);
    let planner = Planner { running, feeds: &feeds, traders, late, may_be_early };
    let mut steps = Steps::default();
    let mut changed: Vec<_> = running.iter().filter_map(|old| planner.change(old, &mut steps)).collect();
    let added = feeds.iter().filter(|new| find(running, &new.name).is_none());
    changed.extend(added.map(|new| change(&new.name, "", "added")));
    planner.end_and_start(&mut steps);
    let steps = steps.in_order(running);
    FeedPlan { steps, feeds, changed, at_restart }
}

/// How a feed changes.
fn change(feed: &str, from: &str, to: impl ToString) -> Change {
    Change { key: format!("feed.{feed}"), from: from.to_owned(), to: to.to_string() }
}

/// The feeds before and after, and what holds for all steps between them.
struct Planner<'a> {
    running: &'a [Feed],
    feeds: &'a [Feed],
    traders: BTreeSet<&'a str>,
    late: BTreeSet<&'a str>,
    /// Whether symbols may be added before others have left.
    may_be_early: bool,
}

impl Planner<'_> {
    /// Whether the old feed ends and the new one starts.
    fn is_another(&self, old: &Feed, new: &Feed) -> bool {
        is_another(old, new) || self.traders.contains(&*old.name)
    }

    /// How a running feed changes, if it does. Adds the steps, but for an end and a start.
    fn change(&self, old: &Feed, steps: &mut Steps) -> Option<Change> {
        let Some(new) = find(self.feeds, &old.name) else { return Some(change(&old.name, "a feed", "removed")) };
        let is_another = self.is_another(old, new);
        let mut difference = Difference::of(old, new);
        if let Some(of) = primary(old).filter(|_| !is_another)
            && let Some((old, primary)) = find(self.running, of).zip(find(self.feeds, of))
        {
            difference.follow(&Difference::of(old, primary), &new.symbols);
        }
        if !difference.is_any() {
            return None;
        }
        let change = change(&old.name, "a feed", &difference);
        if !is_another {
            self.change_living(old, new, difference, steps);
        }
        Some(change)
    }

    /// Adds the steps of a feed that goes on.
    fn change_living(&self, old: &Feed, new: &Feed, difference: Difference, steps: &mut Steps) {
        let name = &old.name;
        let is_early = self.may_be_early && !self.late.contains(pair(old));
        if !difference.removed.is_empty() {
            let list = if is_early { &mut steps.early } else { &mut steps.removes };
            list.push(FeedStep::Remove { feed: name.clone(), symbols: difference.removed });
        }
        if difference.settings {
            // A standby has its new symbols once its primary has them.
            let is_kept = |listed: &ListedSymbol| old.standby.is_none() || !difference.added.contains(listed);
            let symbols = new.symbols.iter().filter(|listed| is_kept(listed)).cloned().collect();
            steps.restarts.push(FeedStep::Restart(Feed { symbols, ..new.clone() }));
            if old.standby.is_some() && !difference.added.is_empty() {
                steps.adds.push(FeedStep::Add { feed: name.clone(), symbols: difference.added });
            }
            return;
        }
        if difference.limits {
            steps.restarts.push(FeedStep::Failover(new.clone()));
        }
        if difference.key {
            steps.restarts.push(FeedStep::Rekey(new.clone()));
        }
        if !difference.added.is_empty() {
            // Not beside the connections of feeds that end: the venue's limit and the descriptors are for one list.
            let is_early = is_early && !opens_more(self.running, self.feeds, pair(old));
            let list = if is_early { &mut steps.early_adds } else { &mut steps.adds };
            list.push(FeedStep::Add { feed: name.clone(), symbols: difference.added });
        }
    }

    /// Adds the ends and the starts of feeds that do not go on.
    fn end_and_start(&self, steps: &mut Steps) {
        for old in standbys_first(self.running) {
            if find(self.feeds, &old.name).is_none_or(|new| self.is_another(old, new)) {
                steps.ends.push(FeedStep::End(old.name.clone()));
            }
        }
        for new in standbys_first(self.feeds).rev() {
            if find(self.running, &new.name).is_none_or(|old| self.is_another(old, new)) {
                steps.starts.push(FeedStep::Start(new.clone()));
            }
        }
    }
}

/// The steps by when they are taken, in this order.
#[derive(Default)]
struct Steps {
    /// Lists that change before any feed ends.
    early: Vec<FeedStep>,
    early_adds: Vec<FeedStep>,
    ends: Vec<FeedStep>,
    removes: Vec<FeedStep>,
    /// Living feeds that get other settings.
    restarts: Vec<FeedStep>,
    adds: Vec<FeedStep>,
    starts: Vec<FeedStep>,
}

impl Steps {
    fn in_order(mut self, running: &[Feed]) -> Vec<FeedStep> {
        // A standby has symbols of its primary: it leaves them first, and gets them last. Where both restart, it does
        // so first.
        let is_standby = |step: &FeedStep| step.feed().and_then(|name| find(running, name)).is_some_and(is_standby);
        for steps in [&mut self.early, &mut self.removes, &mut self.restarts] {
            steps.sort_by_key(|step| !is_standby(step));
        }
        for steps in [&mut self.early_adds, &mut self.adds] {
            steps.sort_by_key(&is_standby);
        }
        let mut early = [self.early, self.early_adds].concat();
        let mut late = [self.ends, self.removes, self.restarts, self.adds].concat();
        // No list waits for the end of a feed, or for a start, longer than it must.
        for steps in [&mut early, &mut late] {
            if steps.iter().any(|step| matches!(step, FeedStep::Remove { .. } | FeedStep::Add { .. })) {
                steps.push(FeedStep::Tell);
            }
        }
        [early, late, self.starts].concat()
    }
}

/// The plan in which nothing changes before a restart of the gateway.
pub(super) fn wait(running: &[Feed], loaded: &[Feed], why: &str) -> FeedPlan {
    let at_restart = waits(running, loaded, |_| Some(why.to_owned()));
    FeedPlan { feeds: running.to_vec(), at_restart, ..FeedPlan::default() }
}

/// The feeds that differ and wait for a restart.
fn waits(running: &[Feed], loaded: &[Feed], why: impl Fn(&str) -> Option<String>) -> Vec<Change> {
    let old = running.iter().map(|feed| (feed, "a feed"));
    let new = loaded.iter().filter(|feed| find(running, &feed.name).is_none()).map(|feed| (feed, ""));
    let mut waits = Vec::new();
    for (feed, from) in old.chain(new) {
        let what = match (find(running, &feed.name), find(loaded, &feed.name)) {
            (Some(old), Some(new)) if Difference::of(old, new).is_any() => "changed",
            (Some(_), None) => "removed",
            (None, Some(_)) => "added",
            _ => continue,
        };
        let Some(why) = why(&feed.name) else { continue };
        waits.push(Change { key: format!("feed.{}", feed.name), from: from.to_owned(), to: format!("{what}: {why}") });
    }
    waits
}

/// The feeds that wait for a restart, with the reason.
fn waiting(running: &[Feed], loaded: &[Feed]) -> BTreeMap<String, String> {
    let mut waiting = BTreeMap::new();
    let before = owners(running);
    for ((tier, symbol), after) in owned(loaded) {
        let Some(before) = before.get(&(tier, symbol)).filter(|before| **before != after) else { continue };
        let why = format!("{symbol} moves from `{before}` to `{after}`");
        for name in [*before, after] {
            waiting.entry(name.to_owned()).or_insert_with(|| why.clone());
        }
    }
    for old in running {
        let Some(new) = find(loaded, &old.name) else { continue };
        let why = if old.tier.tier() != new.tier.tier() {
            "`tier`"
        } else if old.tier != new.tier {
            "the delay"
        } else if old.origin() != new.origin() {
            "the origin of its prices"
        } else {
            continue;
        };
        waiting.entry(old.name.clone()).or_insert_with(|| format!("{why} changes"));
    }
    // Its list belongs to the streams.
    for feed in running.iter().chain(loaded).filter(|feed| feed.on_demand.is_some()) {
        let is_rekeyed = |old: &Feed, new: &Feed| {
            let difference = Difference::of(old, new);
            difference.key && !difference.settings && !difference.has_other_list()
        };
        let (old, new) = (find(running, &feed.name), find(loaded, &feed.name));
        if old != new && !old.zip(new).is_some_and(|(old, new)| is_rekeyed(old, new)) {
            waiting.entry(feed.name.clone()).or_insert_with(|| "a feed on demand changes".to_owned());
        }
    }
    // A standby has symbols of its primary, so neither changes without the other.
    let pairs: Vec<_> = running.iter().chain(loaded).filter_map(|feed| Some((feed, feed.standby.as_ref()?))).collect();
    loop {
        let mut more = Vec::new();
        for (standby, of) in &pairs {
            for (one, other) in [(&standby.name, &of.primary), (&of.primary, &standby.name)] {
                if waiting.contains_key(one) && !waiting.contains_key(other) {
                    more.push((other.clone(), format!("`{one}` waits")));
                }
            }
        }
        if more.is_empty() {
            return waiting;
        }
        waiting.extend(more);
    }
}

/// The feed that each symbol is of, by tier.
fn owners(feeds: &[Feed]) -> HashMap<(Tier, &Symbol), &str> {
    owned(feeds).collect()
}

/// Each symbol by tier, with its feed, in the order of the file. Those of a standby are its primary's.
fn owned(feeds: &[Feed]) -> impl Iterator<Item = ((Tier, &Symbol), &str)> {
    let primaries = feeds.iter().filter(|feed| feed.standby.is_none());
    let places = primaries.flat_map(|feed| feed.tier.tiers().iter().map(move |tier| (feed, *tier)));
    places.flat_map(|(feed, tier)| feed.symbols.iter().map(move |listed| ((tier, &listed.symbol), feed.name.as_str())))
}

/// The loaded feeds, and the running ones of those that wait.
fn mix(running: &[Feed], loaded: &[Feed], waiting: &BTreeMap<String, String>) -> Vec<Feed> {
    let mut feeds = Vec::new();
    for feed in loaded {
        let kept = if waiting.contains_key(&feed.name) { find(running, &feed.name) } else { Some(feed) };
        feeds.extend(kept.cloned());
    }
    let left = running.iter().filter(|feed| waiting.contains_key(&feed.name) && find(loaded, &feed.name).is_none());
    feeds.extend(left.cloned());
    feeds
}

/// Whether feeds of two files are together what one file may have.
fn are_within_limits(feeds: &[Feed]) -> bool {
    let symbols = |tier: Tier| {
        let own = feeds.iter().filter(|feed| feed.standby.is_none() && feed.tier.tiers().contains(&tier));
        own.map(|feed| feed.symbols.len()).sum::<usize>()
    };
    let are_accounts_right = || (0..feeds.len()).all(|place| check_account(&feeds[place], &feeds[..place]).is_ok());
    feeds.len() <= FEEDS_MAX
        && [Tier::Live, Tier::Delayed].into_iter().all(|tier| symbols(tier) <= SYMBOLS_MAX)
        && are_accounts_right()
}

/// Whether symbols may be added before those of feeds that end or restart have left: all that there are at that moment
/// are within the limit.
fn have_room_at_once(running: &[Feed], feeds: &[Feed]) -> bool {
    let before = owners(running);
    let new = || owned(feeds).map(|(key, _)| key).filter(|key| !before.contains_key(key));
    let on_demand = running.iter().filter_map(|feed| feed.on_demand.as_ref());
    let on_demand: usize = on_demand.map(|on_demand| on_demand.symbols_max).sum();
    [(Tier::Live, on_demand), (Tier::Delayed, 0)].into_iter().all(|(tier, of_streams)| {
        let count = before.keys().copied().chain(new()).filter(|(other, _)| *other == tier).count();
        count + of_streams <= SYMBOLS_MAX
    })
}

fn is_standby(feed: &Feed) -> bool {
    feed.standby.is_some()
}

/// The name of the primary of a feed's pair: its own, unless it is a standby.
fn pair(feed: &Feed) -> &str {
    primary(feed).unwrap_or(&feed.name)
}

/// The pairs in which a feed restarts, or a standby ends: their lists change in one order with that.
fn late_pairs<'a>(running: &'a [Feed], feeds: &[Feed], traders: &BTreeSet<&str>) -> BTreeSet<&'a str> {
    let is_late = |old: &&Feed| match find(feeds, &old.name) {
        Some(_) if traders.contains(&*old.name) => true,
        Some(new) => is_another(old, new) || Difference::of(old, new).settings,
        None => is_standby(old),
    };
    running.iter().filter(is_late).map(pair).collect()
}

/// The standbys between which a symbol moves. They are ended and started: a symbol has one standby at a time, and a
/// connection may still say something of what it has left.
fn traders<'a>(running: &'a [Feed], feeds: &[Feed]) -> BTreeSet<&'a str> {
    let kept = running.iter().filter(|old| is_standby(old));
    let kept = kept.filter_map(|old| Some((old, Difference::of(old, find(feeds, &old.name)?))));
    let kept: Vec<_> = kept.filter(|(_, difference)| difference.has_other_list()).collect();
    let moves =
        |from: &Difference, to: &Difference| to.added.iter().any(|listed| from.removed.contains(&listed.symbol));
    let trades = |(old, own): &&(&Feed, Difference)| {
        let mut others = kept.iter().filter(|(other, _)| other.name != old.name && pair(other) == pair(old));
        others.any(|(_, other)| moves(own, other) || moves(other, own))
    };
    kept.iter().filter(trades).map(|(old, _)| &*old.name).collect()
}

/// Whether a feed of this pair may open more connections than it has.
fn opens_more(running: &[Feed], feeds: &[Feed], of: &str) -> bool {
    let grows = |old: &Feed, new: &Feed| new.connections_at_most() > old.connections_at_most();
    let mut in_pair = running.iter().filter(|old| pair(old) == of);
    in_pair.any(|old| find(feeds, &old.name).is_some_and(|new| grows(old, new)))
}

/// Standbys before primaries.
fn standbys_first(feeds: &[Feed]) -> impl DoubleEndedIterator<Item = &Feed> {
    let (standbys, primaries): (Vec<_>, Vec<_>) = feeds.iter().partition(|feed| feed.standby.is_some());
    // Backwards, primaries come in the order of the file.
    standbys.into_iter().rev().chain(primaries.into_iter().rev())
}

fn find<'a>(feeds: &'a [Feed], name: &str) -> Option<&'a Feed> {
    feeds.iter().find(|feed| feed.name == name)
}

#[cfg(test)]
#[path = "feed_plan_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "feed_plan_pair_tests.rs"]
mod pair_tests;
