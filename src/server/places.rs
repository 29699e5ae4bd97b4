//! The places of a listener's connections: who holds one, who waits, and how a connection is told to give way.

use super::{
    connection_table::{ConnectionId, ConnectionTable, Phase},
    handler::Audience,
};
use crate::{
    config::Live,
    limits::{ClientAddress, Gate, Permit},
    telemetry::catalog::HTTP_EVICTIONS,
};
use std::{
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Notify, time::timeout};

/// How often another connection is asked to give way while a newcomer waits.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The connections of one listener.
pub(super) struct Places {
    table: Mutex<ConnectionTable<Arc<Signal>>>,
    audience: Audience,
    live: Live,
    /// How many there are.
    all: usize,
}

/// How a connection is told.
pub(super) struct Signal {
    /// For the log.
    peer: IpAddr,
    admitted: Notify,
    evicted: Notify,
    /// What it did when it was told to give way.
    evicted_from: OnceLock<Phase>,
}

impl Places {
    /// All places of a listener.
    pub(super) fn new(audience: Audience, live: Live, all: usize) -> Arc<Self> {
        for phase in Phase::GIVE_WAY {
            HTTP_EVICTIONS.handle([audience.label().into(), phase.label().into()]).increment(0);
        }
        Arc::new(Self { table: Mutex::new(ConnectionTable::new()), audience, live, all })
    }

    /// Waits for a permit for a connection from `peer`, and asks others to give way.
    ///
    /// # Cancel safety
    /// Dropped, it has acquired no permit.
    pub(super) async fn permit<Kind>(&self, gate: &Gate<Kind>, peer: IpAddr) -> Permit<Kind> {
        loop {
            if let Some(permit) = gate.try_acquire() {
                return permit;
            }
            self.make_room(self.address(peer), Instant::now());
            if let Ok(permit) = timeout(ASK_EVERY, gate.acquire()).await {
                return permit;
            }
        }
    }

    /// Enters a connection that has a permit.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Place {
        let address = self.address(peer);
        let signal = Arc::new(Signal {
            peer: peer.to_canonical(),
            admitted: Notify::new(),
            evicted: Notify::new(),
            evicted_from: OnceLock::new(),
        });
        let share = self.share();
        let (id, is_admitted) = self.table().open(address, share, signal.clone(), Instant::now());
        if is_admitted {
            signal.admitted.notify_one();
        }
        Place {
            places: self.clone(),
            id,
            address,
            signal,
            is_admitted,
            has_asked: AtomicBool::new(false),
            is_blocked: AtomicBool::new(false),
            is_answered: AtomicBool::new(false),
        }
    }

    /// How many connections, and requests beside them, an address may have. A trusted proxy has no limit.
    pub(super) fn share_of(&self, peer: IpAddr) -> Option<(ClientAddress, usize)> {
        Some((self.address(peer)?, self.share()))
    }

    fn share(&self) -> usize {
        share(self.live.current().limits.connections_per_address, self.all)
    }

    /// Whose share a connection counts in. A trusted proxy speaks for many clients and has none.
    fn address(&self, peer: IpAddr) -> Option<ClientAddress> {
        let peer = peer.to_canonical();
        let config = self.live.current();
        let trusted = self.audience.trusted_proxies(&config.server);
        (!trusted.iter().any(|net| net.contains(&peer))).then(|| peer.into())
    }

    /// Tells a connection to give way to a newcomer.
    fn make_room(&self, newcomer: Option<ClientAddress>, now: Instant) {
        let told = self.table().give_way(newcomer, now);
        self.tell(told);
    }

    /// Tells a connection of an address that holds its share to give way to another of the same address.
    fn make_room_of(&self, address: ClientAddress) {
        let told = self.table().give_way_of(address, Instant::now());
        self.tell(told);
    }

    fn tell(&self, told: Option<(Arc<Signal>, Phase)>) {
        let Some((signal, phase)) = told else { return };
        let listener = self.audience.label();
        HTTP_EVICTIONS.handle([listener.into(), phase.label().into()]).increment(1);
        tracing::debug!(listener, phase = phase.label(), peer = %signal.peer, "a connection gives way");
        // A connection is told once.
        let _ = signal.evicted_from.set(phase);
        signal.evicted.notify_one();
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
    address: Option<ClientAddress>,
    signal: Arc<Signal>,
    /// It need not wait for another of its address.
    is_admitted: bool,
    /// A whole head has arrived on it.
    has_asked: AtomicBool,
    /// An answer is made, and not flushed yet.
    is_answered: AtomicBool,
    /// The client does not take what was written. Further requests that it has sent change nothing.
    is_blocked: AtomicBool,
}

impl Place {
    /// Waits until the connection may be served.
    ///
    /// # Cancel safety
    /// It can be dropped and called again, until it was ready.
    pub(super) async fn admitted(&self) {
        let mut admitted = pin!(self.signal.admitted.notified());
        let mut pause = Duration::ZERO;
        while timeout(pause, &mut admitted).await.is_err() {
            if let Some(address) = self.address {
                self.places.make_room_of(address);
            }
            pause = ASK_EVERY;
        }
    }

    /// Whether the connection may be served at once.
    pub(super) fn is_admitted(&self) -> bool {
        self.is_admitted
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

    /// Notes what the connection does.
    pub(super) fn becomes(&self, phase: Phase) {
        self.places.table().becomes(self.id, phase, Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = self.places.table().close(self.id, Instant::now());
        if let Some(next) = next {
            next.admitted.notify_one();
        }
    }
}
