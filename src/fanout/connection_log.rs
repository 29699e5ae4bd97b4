//! Counts and log lines of connections that carry several streams.

use super::h2::ConnectionEnd;
use crate::{
    market::Now,
    telemetry::{LogLimit, catalog::H2_CONNECTIONS_CLOSED},
};
use std::{net::SocketAddr, time::Duration};

/// A worker logs this many connections that reached a limit at once, and then one a second.
const BURST: u32 = 20;
const LOG_EVERY: Duration = Duration::from_secs(1);

/// A worker's log of its connections.
pub(super) struct ConnectionLog {
    limits: LogLimit,
}

impl Default for ConnectionLog {
    fn default() -> Self {
        Self { limits: LogLimit::with_burst(LOG_EVERY, BURST) }
    }
}

impl ConnectionLog {
    /// A connection has ended. Operators see at `info` those that broke HTTP/2 or reached a limit.
    pub(super) fn ended(&mut self, peer: SocketAddr, end: ConnectionEnd, now: Now) {
        let reason = end.label();
        H2_CONNECTIONS_CLOSED.handle([reason.into()]).increment(1);
        let is_limit = matches!(end, ConnectionEnd::Limit(_));
        match is_limit.then(|| self.limits.admit(now.instant)).flatten() {
            Some(held_back) => tracing::info!(%peer, reason, held_back, "an HTTP/2 connection ended"),
            None => tracing::debug!(%peer, reason, "an HTTP/2 connection ended"),
        }
    }
}
