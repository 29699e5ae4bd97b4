//! What a feed on demand logs of the names that it refuses.

use super::book::TurnedAway;
use crate::{limits::ClientAddress, market::Symbol, telemetry::LogLimit};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::info;

/// How often each reason is logged.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The limits of the lines of one feed: no reason hides another.
pub(super) struct DemandLog([LogLimit; TurnedAway::ALL.len()]);

impl Default for DemandLog {
    fn default() -> Self {
        Self(TurnedAway::ALL.map(|_| LogLimit::new(LOG_EVERY)))
    }
}

impl DemandLog {
    /// A name was refused to a stream of this address.
    pub(super) fn refused(
        &mut self,
        feed: &Arc<str>,
        symbol: &Symbol,
        why: TurnedAway,
        client: ClientAddress,
        now: Instant,
    ) {
        let Some(held_back) = self.0[why as usize].admit(now) else { return };
        let limit = match why {
            TurnedAway::Full => "on_demand_symbols",
            TurnedAway::Share => "a quarter of on_demand_symbols",
            TurnedAway::Rate => "[limits] new_symbols_per_address",
        };
        let reason = why.name();
        info!(%feed, %symbol, reason, limit, %client, held_back, "refused a symbol on demand");
    }
}
