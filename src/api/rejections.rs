//! Streams that were rejected: counted and logged, by reason.

use crate::telemetry::{
    ClientName, SharedLogLimit,
    catalog::STREAMS_REJECTED,
    labels::{Label, labels},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// How often each reason is logged.
const LOG_EVERY: Duration = Duration::from_secs(10);

labels! {
    /// Why a stream was rejected.
    pub(super) enum Rejection {
        /// As many streams are open as the limit allows.
        Limit = "limit",
        /// As many are open from its client's address.
        Address = "address",
        /// Open streams have as many symbols as the limit allows.
        Subscriptions = "subscriptions",
        /// Those from its client's address have.
        AddressSubscriptions = "address_subscriptions",
        /// The gateway is ending its streams.
        Draining = "draining",
        /// As many are open of its client's subject.
        Subject = "subject",
        /// The keys that verify tokens are not there yet.
        NoKeys = "no_keys",
        /// The system refused what its socket needs.
        Error = "error",
    }
}

impl Rejection {
    /// The key of the limit that is reached.
    fn limit(self) -> Option<&'static str> {
        match self {
            Self::Limit => Some("[limits] streams"),
            Self::Address => Some("[limits] streams_per_address"),
            Self::Subscriptions => Some("[limits] subscriptions"),
            Self::AddressSubscriptions => Some("[limits] subscriptions_per_address"),
            Self::Subject => Some("[auth] streams_per_subject, or `streams` of the token"),
            Self::Draining | Self::NoKeys | Self::Error => None,
        }
    }
}

/// The log lines are limited by reason, so that no reason hides another.
pub(super) struct Rejections(Vec<SharedLogLimit>);

impl Rejections {
    /// Every reason is counted from the start, at zero, so that its first rejection shows in a rate.
    pub(super) fn new() -> Self {
        STREAMS_REJECTED.register_all();
        Self(Rejection::ALL.iter().map(|_| SharedLogLimit::new(LOG_EVERY)).collect())
    }

    /// A stream was not admitted.
    pub(super) fn note(&self, reason: Rejection, client: &ClientName) {
        if let Some(held_back) = self.count(reason) {
            let limit = reason.limit();
            tracing::warn!(%reason, limit, client = %client.address, client_id = client.id(), subject = client.subject(), held_back, "rejected a stream");
        }
    }

    /// An admitted stream could not be opened.
    pub(super) fn note_error(&self, error: &io::Error) {
        if let Some(held_back) = self.count(Rejection::Error) {
            tracing::warn!(%error, held_back, "could not open an admitted stream");
        }
    }

    /// Counts it; `Some` says that a line may be logged, and how many were held back before it.
    fn count(&self, reason: Rejection) -> Option<u64> {
        STREAMS_REJECTED.handle([reason.label().into()]).increment(1);
        self.0[reason.index()].admit(Instant::now())
    }
}
