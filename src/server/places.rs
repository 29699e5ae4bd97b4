//! The places of a listener's connections: who holds one, and how a connection is told to give way.

use super::{
    connection_table::{ConnectionId, ConnectionTable, Phase},
    handler::Audience,
    waiting_room::Whose,
};
use crate::{
    config::Live,
    limits::ClientAddress,
    telemetry::catalog::{HTTP_CONNECTIONS_WAITING, HTTP_EVICTIONS},
};
use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};
use tokio::sync::Notify;

/// How many places that were given back are noted with whose they were. Behind more of them, an address that holds its
/// share waits for the accept loop's next look.
const FREED_MAX: usize = 1_024;
/// What a newcomer without a place did, as the metric's label.
const WAITING: &str = "waiting";

/// The connections of one listener.
pub(super) struct Places {
    table: Mutex<ConnectionTable<Arc<Signal>>>,
    audience: Audience,
    live: Live,
    /// How many there are.
    all: usize,
    /// How many newcomers wait for one.
    waiting: metrics::Gauge,
    /// Whose places were given back by connections that the accept loop does not serve.
    freed: Mutex<Vec<Whose>>,
    has_freed: Notify,
}

/// How a connection is told.
pub(super) struct Signal {
    /// For the log.
    peer: IpAddr,
    evicted: Notify,
    /// What it did when it was told to give way.
    evicted_from: OnceLock<Phase>,
}

impl Places {
    /// All places of a listener.
    pub(super) fn new(audience: Audience, live: Live, all: usize) -> Arc<Self> {
        for phase in Phase::GIVE_WAY.map(Phase::label).into_iter().chain([WAITING]) {
            HTTP_EVICTIONS.handle([audience.label().into(), phase.into()]).increment(0);
        }
        let waiting = HTTP_CONNECTIONS_WAITING.handle([audience.label().into()]);
        let table = Mutex::new(ConnectionTable::new());
        Arc::new(Self { table, audience, live, all, waiting, freed: Mutex::default(), has_freed: Notify::new() })
    }

    /// Enters a connection that has a permit.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Place {
        let signal =
            Arc::new(Signal { peer: peer.to_canonical(), evicted: Notify::new(), evicted_from: OnceLock::new() });
        Place {
            places: self.clone(),
            id: self.table().open(self.whose(peer), signal.clone(), Instant::now()),
            signal,
            has_asked: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
        }
    }

    /// How many connections, and requests beside them, an address may have. A trusted proxy has no limit.
    pub(super) fn share_of(&self, peer: IpAddr) -> Option<(ClientAddress, usize)> {
        Some((self.whose(peer)?, self.share()))
    }

    fn share(&self) -> usize {
        share(self.live.current().limits.connections_per_address, self.all)
    }

    /// Whose share a connection counts in. A trusted proxy speaks for many clients and has none.
    pub(super) fn whose(&self, peer: IpAddr) -> Whose {
        let peer = peer.to_canonical();
        let config = self.live.current();
        let trusted = self.audience.trusted_proxies(&config.server);
        (!trusted.iter().any(|net| net.contains(&peer))).then(|| peer.into())
    }

    /// Whether an address holds all the places that it may.
    pub(super) fn is_share_full(&self, address: ClientAddress) -> bool {
        self.table().held(address) >= self.share()
    }

    /// Tells a connection to give way to a newcomer; whether one can.
    pub(super) fn make_room(&self) -> bool {
        let told = self.table().give_way(Instant::now());
        self.tell(told)
    }

    /// Tells as many connections of an address that holds its share to give way as newcomers of the same address wait.
    pub(super) fn make_room_of(&self, address: ClientAddress, waiting: usize) {
        let next = || self.table().give_way_of(address, waiting, Instant::now());
        while self.tell(next()) {}
    }

    /// Notes how many newcomers wait.
    pub(super) fn waiting(&self, count: usize) {
        self.waiting.set(count as f64);
    }

    /// Notes that a newcomer was turned away by a full waiting room.
    pub(super) fn turned_away(&self, peer: IpAddr) {
        self.count(WAITING, peer.to_canonical());
    }

    /// A connection that the accept loop does not serve has given its place and its permit back.
    pub(super) fn give_back(&self, whose: Whose) {
        let mut freed = self.freed();
        if freed.len() < FREED_MAX {
            freed.push(whose);
        }
        drop(freed);
        self.has_freed.notify_one();
    }

    /// Waits until such places were given back; returns whose they were.
    ///
    /// # Cancel safety
    /// Dropped, it has taken none.
    pub(super) async fn given_back(&self) -> Vec<Whose> {
        self.has_freed.notified().await;
        std::mem::take(&mut *self.freed())
    }

    /// As [`Self::table`].
    fn freed(&self) -> MutexGuard<'_, Vec<Whose>> {
        self.freed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, told: Option<(Arc<Signal>, Phase)>) -> bool {
        let Some((signal, phase)) = told else { return false };
        self.count(phase.label(), signal.peer);
        // A connection is told once.
        let _ = signal.evicted_from.set(phase);
        signal.evicted.notify_one();
        true
    }

    fn count(&self, phase: &'static str, peer: IpAddr) {
        let listener = self.audience.label();
        HTTP_EVICTIONS.handle([listener.into(), phase.into()]).increment(1);
        tracing::debug!(listener, phase, %peer, "a connection gives way");
    }

    /// Held for some steps in a tree. A panic ends the process, so a poisoned lock is never seen.
    fn table(&self) -> MutexGuard<'_, ConnectionTable<Arc<Signal>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many connections one address may hold of all: a quarter is always for the others.
fn share(configured: usize, all: usize) -> usize {
    configured.min(all - all / 4).max(1)
}

/// A connection's place; dropping it gives it to the next.
pub(super) struct Place {
    places: Arc<Places>,
    id: ConnectionId,
    signal: Arc<Signal>,
    /// A whole head has arrived on it.
    has_asked: AtomicBool,
    /// An answer is made, and not flushed yet.
    is_answered: AtomicBool,
    /// The client does not take what was written. Further requests that it has sent change nothing.
    is_blocked: AtomicBool,
}

impl Place {
    /// Where it is.
    pub(super) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Whose share it counts in.
    pub(super) fn whose(&self) -> Whose {
        self.places.whose(self.signal.peer)
    }

    /// As [`Place::evicted`], for a task that must not hold the place.
    pub(super) fn eviction(&self) -> impl Future<Output = ()> + Send + use<> {
        let signal = self.signal.clone();
        async move { signal.evicted.notified().await }
    }

    /// Waits until the connection has to give way.
    ///
    /// # Cancel safety
    /// It can be dropped and called again, until it was ready.
    pub(super) async fn evicted(&self) {
        self.signal.evicted.notified().await;
    }

    /// Whether a connection that has to give way may end as HTTP wants it: it was idle, or its first head has come
    /// meanwhile.
    pub(super) fn may_finish(&self) -> bool {
        match self.signal.evicted_from.get() {
            Some(Phase::Head) => self.has_asked.load(Ordering::Relaxed),
            phase => phase == Some(&Phase::Idle),
        }
    }

    /// A whole head has arrived.
    pub(super) fn request(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        if !self.is_blocked.load(Ordering::Relaxed) {
            self.becomes(Phase::Answering);
        }
    }

    /// The request's answer is made.
    pub(super) fn answered(&self) {
        self.is_answered.store(true, Ordering::Relaxed);
    }

    /// The client does not take the rest of its answer for now.
    pub(super) fn blocked(&self) {
        self.is_blocked.store(true, Ordering::Relaxed);
        self.becomes(Phase::Blocked);
    }

    /// All that was written has left.
    pub(super) fn flushed(&self) {
        let was_blocked = self.is_blocked.swap(false, Ordering::Relaxed);
        if self.is_answered.swap(false, Ordering::Relaxed) {
            self.becomes(Phase::Idle);
        } else if was_blocked {
            self.becomes(Phase::Answering);
        }
    }

    /// The gateway begins to read from the connection.
    pub(super) fn begins(&self) {
        self.places.table().begins(self.id, Instant::now());
    }

    /// Notes what the connection does.
    pub(super) fn becomes(&self, phase: Phase) {
        self.places.table().becomes(self.id, phase, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().close(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn rule_10_so_many_places_that_were_given_back_are_noted_and_no_more() {
        let places = Places::new(Audience::Clients, Live::new(Config::default()), 1);
        let whose = places.whose(IpAddr::from([192, 0, 2, 1]));
        for given_back in [1, FREED_MAX, FREED_MAX + 1] {
            (0..given_back).for_each(|_| places.give_back(whose));
            assert_eq!(places.given_back().await, vec![whose; given_back.min(FREED_MAX)]);
        }
    }
}
