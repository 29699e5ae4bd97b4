//! How a loaded feed differs from the running one of its name.

use super::{Feed, feed_in_force::feed_in_force, feed_step::signed};
use crate::{market::Symbol, venue::ListedSymbol};
use std::collections::HashMap;

/// How a feed differs from the running one of its name.
pub(super) struct Difference {
    pub(super) removed: Vec<Symbol>,
    pub(super) added: Vec<ListedSymbol>,
    /// Other keys, except those of the key to the venue.
    pub(super) keys: Vec<&'static str>,
    /// Whether they differ; they may do so where no key that can be shown does.
    pub(super) settings: bool,
    /// Whether a standby takes over by other limits.
    pub(super) limits: bool,
    pub(super) key: bool,
}

impl Difference {
    pub(super) fn of(old: &Feed, new: &Feed) -> Self {
        let [before, after] = [old, new].map(names);
        let removed = old.symbols.iter().filter(|listed| after.get(&listed.symbol) != before.get(&listed.symbol));
        let added = new.symbols.iter().filter(|listed| after.get(&listed.symbol) != before.get(&listed.symbol));
        // The same list: a default may follow from its length.
        let with_list = Feed {
            symbols: old.symbols.clone(),
            key_env: old.key_env.clone(),
            secret_env: old.secret_env.clone(),
            credentials: old.credentials.clone(),
            ..new.clone()
        };
        // Limits change in place, where the standby keeps its primary.
        let of_old = if is_another(old, new) { new.standby.clone() } else { old.standby.clone() };
        let in_force: HashMap<_, _> = feed_in_force(old).into_iter().collect();
        let keys = feed_in_force(&with_list).into_iter().filter(|(key, value)| in_force.get(key) != Some(value));
        let mut difference = Self {
            removed: removed.map(|listed| listed.symbol.clone()).collect(),
            added: added.cloned().collect(),
            keys: keys.map(|(key, _)| key).collect(),
            settings: Feed { standby: of_old.clone(), ..with_list.clone() } != *old,
            limits: of_old != new.standby,
            key: old.credentials != new.credentials,
        };
        // A recording is not asked for symbols, so it is played again.
        difference.settings |= new.playback.is_some() && difference.has_other_list();
        difference
    }

    /// A standby has the states of its primary: a symbol that the primary leaves and gets again, under another name of
    /// the venue, has another one.
    pub(super) fn follow(&mut self, primary: &Self, list: &[ListedSymbol]) {
        for listed in list {
            let is_new = primary.added.iter().any(|added| added.symbol == listed.symbol);
            if is_new && primary.removed.contains(&listed.symbol) && !self.removed.contains(&listed.symbol) {
                self.removed.push(listed.symbol.clone());
                self.added.push(listed.clone());
            }
        }
    }

    pub(super) fn has_other_list(&self) -> bool {
        !self.removed.is_empty() || !self.added.is_empty()
    }

    pub(super) fn is_any(&self) -> bool {
        self.has_other_list() || self.settings || self.limits || self.key
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        let keys: Vec<_> = self.keys.iter().map(|key| format!("`{key}`")).collect();
        if self.limits && !self.settings {
            parts.push(format!("with {}", keys.join(", ")));
        }
        if self.settings {
            parts.push(if keys.is_empty() {
                "restarted".to_owned()
            } else {
                format!("restarted with {}", keys.join(", "))
            });
        }
        if self.key {
            parts.push("a new key".to_owned());
        }
        parts.extend(signed('+', self.added.iter().map(|listed| &listed.symbol)));
        parts.extend(signed('-', self.removed.iter()));
        f.write_str(&parts.join(", "))
    }
}

/// The names that a feed's symbols have at its venue.
fn names(feed: &Feed) -> HashMap<&Symbol, Option<String>> {
    let derive = feed.speaks().derive;
    let name = |listed: &ListedSymbol| listed.venue_name.clone().or_else(|| derive(&listed.symbol));
    feed.symbols.iter().map(|listed| (&listed.symbol, name(listed))).collect()
}

/// Whether a feed has another role than the running one of its name: then it is ended and started. The states of a
/// standby are those of its primary.
pub(super) fn is_another(old: &Feed, new: &Feed) -> bool {
    primary(old) != primary(new)
}

/// The primary of a standby.
pub(super) fn primary(feed: &Feed) -> Option<&str> {
    feed.standby.as_ref().map(|of| of.primary.as_str())
}
