//! What each of the two feeds of a symbol says.

use crate::market::{Failover, Guards, Snapshot, Source, Switch};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What the feeds of a symbol say.
pub(super) struct Sources {
    /// In the order of [`Source::ALL`].
    pub(super) own: [Own; 2],
    pub(super) failover: Failover,
    pub(super) counts: Arc<FailoverCounts>,
}

/// What one feed says.
pub(super) struct Own {
    pub(super) snapshot: Snapshot,
    pub(super) guards: Guards,
}

/// The second feed of a symbol.
pub(super) struct Standby {
    pub(super) feed: Arc<str>,
}

/// Why a symbol cannot have a standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a symbol has one standby")]
pub struct HasStandby;

/// Counts how often the symbols of a feed passed to its standby, and back.
#[derive(Debug, Default)]
pub struct FailoverCounts {
    /// By the source that took over and the cause. A std mutex: a switch is rare.
    switches: Mutex<BTreeMap<(bool, &'static str), u64>>,
}

impl FailoverCounts {
    pub(super) fn count(&self, Switch { to, cause }: Switch) {
        let mut switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        *switches.entry((to == Source::Standby, cause.name())).or_default() += 1;
    }

    /// How often each source took over, and why: the causes by name.
    pub fn each(&self) -> Vec<(Source, &'static str, u64)> {
        let switches = self.switches.lock().unwrap_or_else(PoisonError::into_inner);
        let source = |to_standby| if to_standby { Source::Standby } else { Source::Primary };
        switches.iter().map(|(&(to_standby, cause), &count)| (source(to_standby), cause, count)).collect()
    }
}

impl Sources {
    pub(super) fn of(&self, source: Source) -> &Own {
        &self.own[source as usize]
    }
}
