//! What is measured of a feed: its label values and its handles.

use super::{
    catalog,
    labels::{Counters, labels},
};
use metrics::{Counter, Gauge, Histogram, SharedString};

labels! {
    /// Label `kind` of [`catalog::FEED_MESSAGES`]: what came of a venue's message.
    pub enum MessageKind {
        /// An update with a trade.
        Trade = "trade",
        /// An update with a bid or ask.
        Quote = "quote",
        /// An update with statistics.
        Stats = "stats",
        /// A trading status, a correction or a cancel.
        Status = "status",
        /// A trade that may not be shown as the last one, by its conditions.
        Ineligible = "ineligible",
        /// An answer to a request, or a notice about the connection.
        Control = "control",
        /// JSON that says nothing that this gateway uses.
        Other = "other",
    }
}

labels! {
    /// Label `reason` of [`catalog::FEED_DECODE_ERRORS`]: why a venue's message, or a field of it, was dropped.
    pub enum DecodeError {
        /// The message is not JSON, or cut off.
        Json = "json",
        /// The message is JSON, but not built as the protocol says.
        Shape = "shape",
        /// The message is of a symbol that was not asked for.
        UnknownSymbol = "unknown_symbol",
        /// A field that such a message always has is not there.
        Missing = "missing",
        /// A field is no number.
        Number = "number",
        /// A field is a number that does not fit exactly.
        Range = "range",
        /// A field is no time.
        Time = "time",
        /// A field is none of the words that it can be.
        Word = "word",
    }
}

impl std::error::Error for DecodeError {}

labels! {
    /// Label `reason` of [`catalog::FEED_DISCONNECTS`]: why a connection to a venue, or an attempt at one, ended.
    pub enum DisconnectReason {
        /// The venue's address cannot be reached, or the connection broke.
        Io = "io",
        /// No connection within the time for it.
        ConnectTimeout = "connect_timeout",
        /// No trust in the venue's certificate, or no TLS at all.
        Tls = "tls",
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
        /// The venue does not let us in: a wrong key, or an account without these data.
        Denied = "denied",
        /// The venue reported a failure that will pass.
        Failed = "failed",
        /// The venue did not answer a request in time.
        Unacknowledged = "unacknowledged",
        /// The venue sent nothing, not even an answer to a ping.
        NoPong = "no_pong",
        /// The venue answers pings, but sent no data.
        NoData = "no_data",
        /// The venue takes nothing: what was to be sent did not leave in time.
        Stuck = "stuck",
        /// The connection has lived for as long as it should.
        Lifetime = "lifetime",
    }
}

labels! {
    /// Label `result` of [`catalog::FEED_CONNECTS`].
    pub enum ConnectResult {
        /// A websocket is open.
        Connected = "connected",
        /// It did not come to one; the reason is in the log, and in [`catalog::FEED_DISCONNECTS`].
        Failed = "failed",
    }
}

/// The registered handles of one feed.
#[derive(Debug, Clone)]
pub struct FeedMetrics {
    /// 1 while connected and subscribed, else 0.
    pub up: Gauge,
    /// Attempts to connect.
    pub connects: Counters<ConnectResult>,
    /// Why connections, or attempts, ended.
    pub losses: Counters<DisconnectReason>,
    /// When the last message came, in seconds since 1970.
    pub last_message: Gauge,
    /// Updates and messages by kind.
    pub messages: Counters<MessageKind>,
    /// What could not be read.
    pub decode_errors: Counters<DecodeError>,
    /// Connections that ended after they were up.
    pub gaps: Counter,
    /// From the venue's event time to our receive time, in seconds, not below zero.
    pub lag: Histogram,
    /// The same, signed, of the last message.
    pub clock_skew: Gauge,
}

impl FeedMetrics {
    /// Registers the handles of the feed of this name with the recorder that is installed.
    pub fn register(feed: &str) -> Self {
        let feed = SharedString::from(feed.to_owned());
        Self {
            up: catalog::FEED_UP.handle([feed.clone()]),
            connects: Counters::register(|result| catalog::FEED_CONNECTS.handle([feed.clone(), result.into()])),
            losses: Counters::register(|reason| catalog::FEED_DISCONNECTS.handle([feed.clone(), reason.into()])),
            last_message: catalog::FEED_LAST_MESSAGE.handle([feed.clone()]),
            messages: Counters::register(|kind| catalog::FEED_MESSAGES.handle([feed.clone(), kind.into()])),
            decode_errors: Counters::register(|reason| {
                catalog::FEED_DECODE_ERRORS.handle([feed.clone(), reason.into()])
            }),
            gaps: catalog::FEED_GAPS.handle([feed.clone()]),
            lag: catalog::FEED_LAG.handle([feed.clone()]),
            clock_skew: catalog::FEED_CLOCK_SKEW.handle([feed]),
        }
    }
}
