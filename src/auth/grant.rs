//! What one client may read.

use super::{pattern::Patterns, subject::Subject};
use crate::market::{Symbol, Tier, UnixMicros};
use std::sync::Arc;

/// How a client may read a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// As it comes.
    Live,
    /// Some time after.
    Delayed,
    /// Not at all.
    Denied,
}

/// Tells a policy from all others.
#[derive(Debug, Clone, Default)]
pub(super) struct PolicyMark(Arc<()>);

impl PolicyMark {
    /// Whether both are of one policy.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A client's rights. They last until `until`, whatever a reload changes meanwhile.
#[derive(Debug)]
pub struct Grant {
    /// Whose they are; `None`: a client without credentials.
    pub subject: Option<Subject>,
    /// Before then they do not count.
    pub from: Option<UnixMicros>,
    /// From then on they have ended.
    pub until: Option<UnixMicros>,
    /// How many streams the subject may have at a time; `None`: a client without credentials, whose address counts.
    pub streams: Option<usize>,
    /// The highest rate of a stream, in writes a second.
    pub rate: Option<f64>,
    pub(super) live: Arc<Patterns>,
    pub(super) delayed: Arc<Patterns>,
    /// The policy that made it.
    pub(super) made_by: PolicyMark,
}

impl Grant {
    /// How the client may read a symbol: live where it may, else delayed.
    pub fn access(&self, symbol: &Symbol) -> Access {
        if self.live.contains(symbol) {
            Access::Live
        } else if self.delayed.contains(symbol) {
            Access::Delayed
        } else {
            Access::Denied
        }
    }

    /// Whether the client may read a symbol's state of this tier, which the gateway may have no longer.
    pub fn allows(&self, symbol: &Symbol, tier: Tier) -> bool {
        match self.access(symbol) {
            Access::Live => true,
            Access::Delayed => tier == Tier::Delayed,
            Access::Denied => false,
        }
    }

    /// Whether it has begun, and has not ended.
    pub fn counts(&self, now: UnixMicros) -> bool {
        self.from.is_none_or(|from| from <= now) && !self.has_ended(now)
    }

    /// Whether it has ended.
    pub fn has_ended(&self, now: UnixMicros) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}
