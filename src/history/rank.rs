//! How much a symbol is wanted.

use crate::cache::Demand;
use std::time::Instant;

/// How much a symbol's trail is wanted, the least first. A symbol with open streams comes behind all without: those in
/// the order in which they were last asked for, by a stream that has left or by a request for the trail; with open
/// streams, in the order of the last request for the trail, and before them those whose trail was never requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    has_streams: bool,
    asked: Option<Instant>,
}

impl Rank {
    /// Of a symbol whose trail was last requested then.
    pub(super) fn new(demand: Demand, requested: Option<Instant>) -> Self {
        match demand {
            Demand::Now => Self { has_streams: true, asked: requested },
            Demand::Until(left) => Self { has_streams: false, asked: requested.max(Some(left)) },
            Demand::Never => Self { has_streams: false, asked: requested },
        }
    }
}
