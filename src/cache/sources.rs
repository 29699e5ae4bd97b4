//! What each of the two feeds of a symbol says.

use crate::market::{Cause, Failover, Guards, Snapshot, Source, Switch};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// What the feeds of a symbol say.
pub(super) struct Sources {
    /// In the order of [`Source::ALL`].
    pub(super) own: [Own; 2],
    /// Their names.
    pub(super) names: [Arc<str>; 2],
    pub(super) failover: Failover,
    pub(super) counts: Arc<FailoverCounts>,
}

/// What one feed says.
pub(super) struct Own {
    pub(super) snapshot: Snapshot,
    pub(super) guards: Guards,
}

/// Why a symbol cannot have a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a symbol has one standby")]
pub struct HasStandby;

/// What the symbols of a feed and its standby share: how often they passed from one to the other, and which one an
/// operator prefers.
#[derive(Debug, Default)]
pub struct FailoverCounts {
    /// By the source that took over and the cause. A std mutex: a failover of ten thousand symbols takes it as often,
    /// and is rare.
    switches: Mutex<BTreeMap<(Source, &'static str), u64>>,
    /// How many of them the log was told of.
    told: Mutex<BTreeMap<(Source, &'static str), u64>>,
    /// For symbols that are added later. Relaxed: it guards nothing.
    prefers_standby: AtomicBool,
}

impl FailoverCounts {
    pub(super) fn prefer(&self, source: Source) {
        self.prefers_standby.store(source == Source::Standby, Ordering::Relaxed);
    }

    pub(super) fn preferred(&self) -> Source {
        if self.prefers_standby.load(Ordering::Relaxed) { Source::Standby } else { Source::Primary }
    }

    pub(super) fn count(&self, Switch { to, cause }: Switch) {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        *switches.entry((to, cause.name())).or_default() += 1;
    }

    /// What was counted since the last call: the source that took over, why and how often.
    pub fn news(&self) -> Vec<(Source, &'static str, u64)> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for (to, cause, count) in self.each() {
            let before = told.insert((to, cause), count).unwrap_or_default();
            if count > before {
                news.push((to, cause, count - before));
            }
        }
        news
    }

    /// How often each source took over, by each of [`Cause::NAMES`].
    pub fn each(&self) -> Vec<(Source, &'static str, u64)> {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |to, cause| switches.get(&(to, cause)).copied().unwrap_or_default();
        let each = Source::ALL.into_iter().flat_map(|to| Cause::NAMES.map(|cause| (to, cause)));
        each.map(|(to, cause)| (to, cause, count(to, cause))).collect()
    }
}

impl Sources {
    pub(super) fn of(&self, source: Source) -> &Own {
        &self.own[source as usize]
    }
}
