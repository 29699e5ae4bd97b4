//! What the venue's threads share.

use super::{history::History, market::Market, protocol::Protocol};
use crate::measure::Lateness;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The counts of a venue so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Updates that it generated for subscribed connections.
    pub updates: u64,
    /// Updates that it wrote to a connection. The client may not have read them yet, since the kernel's buffers hold a
    /// few MB. An update for several connections counts once for each.
    pub taken: u64,
    /// Updates that were due while no connection was subscribed.
    pub unwanted: u64,
    /// Batches that connections lost because they were too far behind. A connection counts them when it next has room;
    /// of a client that never reads again, only `taken` shows it.
    pub lost: u64,
    /// Batches that connections lost because the venue itself was slow to write them.
    pub dropped: u64,
    /// The longest time between an update's due time and its generation.
    pub latest: Duration,
    /// Connections that have ever subscribed.
    pub subscriptions: u64,
    /// The most connections at a time, beyond their handshake.
    pub connections_max: u64,
}

/// The counts as the venue's threads keep them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) updates: AtomicU64,
    pub(super) taken: AtomicU64,
    pub(super) unwanted: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) latest_micros: AtomicU64,
    /// How late connections began to write updates.
    late: Mutex<Lateness>,
    pub(super) subscriptions: AtomicU64,
    connections: AtomicU64,
    connections_max: AtomicU64,
}

impl Counts {
    /// Notes how late an update is that has waited for longest.
    pub(super) fn note_lateness(&self, late: Duration) {
        self.latest_micros.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
    }

    pub(super) fn late(&self) -> MutexGuard<'_, Lateness> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection begins.
    pub(super) fn connected(&self) {
        let count = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        self.connections_max.fetch_max(count, Ordering::Relaxed);
    }

    /// A connection has ended.
    pub(super) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Sent {
        // `taken` is a part of `updates`, so it is read first.
        let taken = self.taken.load(Ordering::Relaxed);
        Sent {
            updates: self.updates.load(Ordering::Relaxed),
            taken,
            unwanted: self.unwanted.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            latest: Duration::from_micros(self.latest_micros.load(Ordering::Relaxed)),
            subscriptions: self.subscriptions.load(Ordering::Relaxed),
            connections_max: self.connections_max.load(Ordering::Relaxed),
        }
    }
}

/// What the venue's threads share.
pub(super) struct Shared {
    pub(super) protocol: Protocol,
    pub(super) market: Mutex<Market>,
    /// `None` for a recording, whose sizes are not ordinals.
    pub(super) history: Option<Arc<History>>,
    pub(super) counts: Counts,
    /// Since when the load counts.
    pub(super) load_begun: OnceLock<Instant>,
    /// Since when updates are due.
    pub(super) due_since: OnceLock<Instant>,
    pub(super) stopping: AtomicBool,
}

impl Shared {
    pub(super) fn market(&self) -> MutexGuard<'_, Market> {
        self.market.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
