//! Why a connection ended.

use crate::telemetry::labels::labels;

labels! {
    /// Label `reason` of `tickfan_feed_disconnects_total`: why a connection to a venue, or an attempt at one, ended.
    pub enum DisconnectReason {
        /// The venue's address cannot be reached, or the connection broke.
        Io = "io",
        /// No connection within the time for it.
        ConnectTimeout = "connect_timeout",
        /// The venue's certificate is not trusted, or it does not speak TLS.
        Tls = "tls",
        /// The proxy does not let the feed through.
        Proxy = "proxy",
        /// The venue answered the handshake with another status than 101.
        Http = "http",
        /// The venue broke the websocket protocol.
        Protocol = "protocol",
        /// A message longer than the limit.
        Oversize = "oversize",
        /// The venue closed the connection.
        Closed = "closed",
        /// The venue said that it will close the connection soon.
        Closing = "closing",
        /// The venue refused all that was asked for.
        Refused = "refused",
        /// The venue denies access: a wrong key, or an account without these data.
        Denied = "denied",
        /// The account has no connection left: the venue refused this one, or closed it for a newer one.
        ConnectionLimit = "connection_limit",
        /// The venue reported a failure that will pass.
        Failed = "failed",
        /// The venue did not answer a request in time.
        Unacknowledged = "unacknowledged",
        /// The venue sent nothing, not even an answer to a ping.
        NoPong = "no_pong",
        /// The venue answers pings, but sent no data.
        NoData = "no_data",
        /// The venue answers pings, but its own heartbeats stopped.
        NoHeartbeat = "no_heartbeat",
        /// Frames of the connection are missing.
        Gap = "gap",
        /// The venue does not read: a frame could not be sent in time.
        Stuck = "stuck",
        /// The connection has reached its planned age.
        Lifetime = "lifetime",
        /// The list has changed, and only another connection can carry it.
        Relisted = "relisted",
    }
}

impl DisconnectReason {
    /// Whether nothing is wrong: another connection was due.
    pub(super) fn is_planned(self) -> bool {
        matches!(self, Self::Lifetime | Self::Closing | Self::Relisted)
    }
}
