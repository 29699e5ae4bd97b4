//! Reports fetches to operators: a log line for what has changed, the metrics, and the status.

use super::{
    fetched::{Fetched, ListedKey},
    fetcher::Failed,
    outcome::Outcome,
    status::KeysStatus,
};
use crate::{
    auth::SkippedKey,
    market::Now,
    telemetry::{catalog, labels::Counters},
};
use tracing::{error, info, warn};

/// Registers the metrics, before the first fetch.
pub fn register_metrics() {
    catalog::AUTH_KEY_FETCHES.register_all();
    catalog::AUTH_KEYS.handle([]).set(0.0);
    catalog::AUTH_KEYS_TIMESTAMP.handle([]).set(f64::NAN);
}

/// Reports the fetches of one source.
pub(super) struct Reporter {
    status: KeysStatus,
    fetches: Counters<Outcome>,
}

impl Reporter {
    pub(super) fn new(source: String) -> Self {
        let fetches = Counters::register(|result| catalog::AUTH_KEY_FETCHES.handle([result.into()]));
        let reporter = Self { status: KeysStatus::of_source(source), fetches };
        reporter.publish();
        reporter
    }

    /// What operators see.
    pub(super) fn status(&self) -> KeysStatus {
        self.status.clone()
    }

    /// The source has another name. The keys of the one before no longer count.
    pub(super) fn replaced(&mut self, source: String) {
        self.status = KeysStatus::of_source(source);
    }

    /// A fetch gave keys. A line tells those that differ from what the last one gave, and the end of failures.
    pub(super) fn fetched(&mut self, fetched: &Fetched, changed: bool, now: Now) {
        self.fetches.count(if changed { Outcome::Changed } else { Outcome::Unchanged });
        let had_failed = self.status.failure.is_some();
        self.status.succeeded(fetched, now.unix);
        self.publish();
        let KeysStatus { source, keys, skipped, .. } = &self.status;
        if changed {
            info!(source, keys = listed(keys), "loaded the issuer's keys");
            if !skipped.is_empty() {
                warn!(source, skipped = reasons(skipped), "skipped keys of the issuer, which verify no token");
            }
        } else if had_failed {
            info!(source, "fetched the issuer's keys again; they are the same");
        }
    }

    /// A fetch failed. A line tells each reason once, until the next success.
    pub(super) fn failed(&mut self, failed: &Failed) {
        self.fetches.count(failed.error.outcome());
        let why = failed.error.to_string();
        if self.status.failure.as_ref() == Some(&why) {
            return;
        }
        let source = &self.status.source;
        if self.status.keys.is_empty() {
            error!(source, tried = failed.tried, "fetched no keys of the issuer, and has none: {why}");
        } else {
            warn!(source, tried = failed.tried, "fetched no keys of the issuer, those in force stay: {why}");
        }
        self.status.failure = Some(why);
    }

    /// The keys are too old.
    pub(super) fn expired(&mut self) {
        self.status.expired();
        self.publish();
        let why = self.status.failure.as_deref().unwrap_or("a fetch does not end");
        error!(source = self.status.source, "the issuer's keys are too old, no token can be verified: {why}");
    }

    fn publish(&self) {
        catalog::AUTH_KEYS.handle([]).set(self.status.keys.len() as f64);
        let fetched = self.status.fetched.map_or(f64::NAN, |at| at.0 as f64 / 1e6);
        catalog::AUTH_KEYS_TIMESTAMP.handle([]).set(fetched);
    }
}

fn listed(keys: &[ListedKey]) -> String {
    keys.iter().map(ListedKey::to_string).collect::<Vec<_>>().join(", ")
}

fn reasons(skipped: &[SkippedKey]) -> String {
    skipped.iter().map(SkippedKey::to_string).collect::<Vec<_>>().join("; ")
}
