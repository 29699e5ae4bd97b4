//! What operators see of the keys.

use super::fetched::{Fetched, ListedKey};
use crate::{auth::SkippedKey, market::UnixMicros};

/// The keys in force, and how the last fetch ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeysStatus {
    /// Where they come from, as logs show it.
    pub source: String,
    /// Those that verify; empty where none are in force.
    pub keys: Vec<ListedKey>,
    /// Those of the source that do not.
    pub skipped: Vec<SkippedKey>,
    /// When they were last fetched.
    pub fetched: Option<UnixMicros>,
    /// Why the last fetch failed, if it did.
    pub failure: Option<String>,
}

impl KeysStatus {
    /// No keys yet.
    pub(super) fn of_source(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    /// A fetch gave these keys.
    pub(super) fn succeeded(&mut self, fetched: &Fetched, now: UnixMicros) {
        self.keys = fetched.keys();
        self.skipped = fetched.skipped().to_vec();
        self.fetched = Some(now);
        self.failure = None;
    }

    /// The keys no longer count.
    pub(super) fn expired(&mut self) {
        self.keys.clear();
        self.skipped.clear();
    }
}
