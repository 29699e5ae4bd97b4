//! The steps that a reload takes with the feeds.

use super::Feed;
use crate::{market::Symbol, venue::ListedSymbol};

/// How many symbols a report names, of those that were added and of those that were removed.
const NAMED_MAX: usize = 5;

/// One step of a reload. The steps are taken one after another.
#[derive(Debug, Clone, PartialEq)]
pub enum FeedStep {
    /// Ends a feed, and removes its symbols.
    End(String),
    /// Removes symbols of a living feed.
    Remove {
        /// The feed's name.
        feed: String,
        /// The symbols.
        symbols: Vec<Symbol>,
    },
    /// Ends the connections of a feed, and starts it with these settings. The symbols that it keeps keep their states.
    Restart(Feed),
    /// Gives a living feed the key of these settings: from its next connection on.
    Rekey(Feed),
    /// Gives a living standby the limits of these settings, by which it takes over.
    Failover(Feed),
    /// Adds symbols to a living feed.
    Add {
        /// The feed's name.
        feed: String,
        /// The symbols.
        symbols: Vec<ListedSymbol>,
    },
    /// Tells living feeds of what has changed of their lists so far.
    Tell,
    /// Starts a feed.
    Start(Feed),
}

impl FeedStep {
    /// The name of its feed; `None` where it is one of several feeds.
    pub fn feed(&self) -> Option<&str> {
        match self {
            Self::End(feed) | Self::Remove { feed, .. } | Self::Add { feed, .. } => Some(feed),
            Self::Restart(feed) | Self::Rekey(feed) | Self::Failover(feed) | Self::Start(feed) => Some(&feed.name),
            Self::Tell => None,
        }
    }

    /// What it does, as reports say it.
    pub fn what(&self) -> String {
        match self {
            Self::End(_) => "ended".to_owned(),
            Self::Remove { symbols, .. } => signed('-', symbols.iter()).join(", "),
            Self::Restart(_) => "restarted".to_owned(),
            Self::Rekey(_) => "a new key".to_owned(),
            Self::Failover(_) => "other limits".to_owned(),
            Self::Add { symbols, .. } => signed('+', symbols.iter().map(|listed| &listed.symbol)).join(", "),
            Self::Tell => "told".to_owned(),
            Self::Start(_) => "started".to_owned(),
        }
    }
}

/// The first of these symbols, with a sign, and how many more there are.
pub(super) fn signed<'a>(sign: char, symbols: impl ExactSizeIterator<Item = &'a Symbol>) -> Vec<String> {
    let more = symbols.len().saturating_sub(NAMED_MAX);
    let mut parts: Vec<_> = symbols.take(NAMED_MAX).map(|symbol| format!("{sign}{symbol}")).collect();
    if more > 0 {
        parts.push(format!("{sign}{more} more"));
    }
    parts
}
