//! The metrics of a feed on demand.

use super::book::TurnedAway;
use crate::telemetry::catalog::{DEMAND_REFUSED, DEMAND_SUBSCRIBED, DEMAND_SYMBOLS, DEMAND_SYMBOLS_LIMIT};
use metrics::{Counter, Gauge};

/// The metrics of a feed on demand.
pub(super) struct DemandMetrics {
    pub(super) symbols: Gauge,
    pub(super) subscribed: Counter,
    refused: [Counter; TurnedAway::ALL.len()],
    pub(super) refused_by_venue: Counter,
}

impl DemandMetrics {
    pub(super) fn register(feed: &str, limit: usize) -> Self {
        DEMAND_SYMBOLS_LIMIT.handle([feed.to_owned().into()]).set(limit as f64);
        Self {
            symbols: DEMAND_SYMBOLS.handle([feed.to_owned().into()]),
            subscribed: DEMAND_SUBSCRIBED.handle([feed.to_owned().into()]),
            refused_by_venue: DEMAND_REFUSED.handle([feed.to_owned().into(), "venue".into()]),
            refused: TurnedAway::ALL.map(|why| DEMAND_REFUSED.handle([feed.to_owned().into(), why.name().into()])),
        }
    }

    pub(super) fn refused(&self, why: TurnedAway) {
        self.refused[why as usize].increment(1);
    }
}
