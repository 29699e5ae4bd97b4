//! The limits of one gateway: permits for connections and streams, in all and per address, and the descriptors that
//! both need.
//!
//! A permit lives as long as its descriptor: the owner of a socket owns its permit and drops it after the socket. A
//! connection that becomes a stream briefly holds both, so the permits in use are never fewer than the descriptors in
//! use. How a client without a permit is answered is decided elsewhere.

mod addresses;
mod heap;
mod machine;

pub use addresses::{AddressPermit, Addresses, ClientAddress, SharePermit, Shares};
pub use heap::{HeapTrim, trim_heap};
pub use machine::{memory, somaxconn};

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections operators may have at a time. They have permits of their own, so that clients cannot lock them
/// out. A scraper or two and a person need few.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;

/// How many newcomers may wait for an operator's connection: as many again.
pub const ADMIN_WAITING_MAX: usize = 16;

/// How many newcomers may wait for a client's connection: as many as the kernel's queue holds, so that even a full one
/// can be accepted at once.
pub const WAITING_MAX: usize = 4096;

/// How many large answers are made for clients at a time: however many ask, the other threads are free for small
/// answers and for new streams.
pub const LARGE_ANSWERS_MAX: usize = 1;

/// Descriptors of the process itself: standard streams, listeners, the runtime's epoll, eventfd and signal pipe, a few
/// files of the resolver and of logs, and a reserve.
const RESERVED_FIXED: u64 = 32;
/// A connection of a feed has one socket, and briefly a second one while it reconnects. With a local server, both ends
/// of each count.
const RESERVED_PER_FEED: u64 = 4;
/// A feed's runtime has an epoll, a waker and copies of them.
const RESERVED_PER_RUNTIME: u64 = 4;
/// A recording opens one file at a time, or its folder.
const RESERVED_PER_RECORDING: u64 = 1;
/// A worker has an epoll and a waker.
const RESERVED_PER_WORKER: u64 = 2;
/// Fewer descriptors than this for clients mean that the gateway was started wrongly, not that the machine is small.
const CLIENTS_MIN: u64 = 8;

/// All permits of a gateway. A clone shares them.
#[derive(Debug, Clone)]
pub struct Permits {
    /// For clients' connections that are not streams: requests being read and whole answers.
    pub connections: Gate<Connection>,
    /// For open streams.
    pub streams: Gate<Stream>,
    /// For the symbols of open streams.
    pub subscriptions: Gate<Subscription>,
    /// For operators' connections.
    pub admin: Gate<Admin>,
    /// For clients' answers of many symbols.
    pub large_answers: Gate<LargeAnswer>,
    /// How many newcomers may wait for a permit of a client's connection.
    pub waiting: usize,
}

impl Permits {
    /// The permits that fit, as many subscriptions, and [`ADMIN_CONNECTIONS_MAX`] for operators.
    pub fn new(fitted: Fitted, subscriptions: usize) -> Self {
        Self {
            connections: Gate::new(fitted.connections),
            streams: Gate::new(fitted.streams),
            subscriptions: Gate::new(subscriptions),
            admin: Gate::new(ADMIN_CONNECTIONS_MAX),
            large_answers: Gate::new(LARGE_ANSWERS_MAX),
            waiting: fitted.waiting,
        }
    }
}

/// Marks permits of connections that are not streams.
#[derive(Debug, Clone, Copy)]
pub enum Connection {}
/// Marks permits of streams.
#[derive(Debug, Clone, Copy)]
pub enum Stream {}
/// Marks permits of streams' symbols.
#[derive(Debug, Clone, Copy)]
pub enum Subscription {}
/// Marks permits of operators' connections.
#[derive(Debug, Clone, Copy)]
pub enum Admin {}
/// Marks permits of clients' answers of many symbols.
#[derive(Debug, Clone, Copy)]
pub enum LargeAnswer {}

/// A number of permits of one kind.
#[derive(Debug)]
pub struct Gate<Kind> {
    free: Arc<Semaphore>,
    limit: usize,
    kind: std::marker::PhantomData<fn() -> Kind>,
}

/// One of a gate's permits; dropping it gives it back.
#[derive(Debug)]
#[must_use = "a permit that is dropped is given back at once"]
pub struct Permit<Kind> {
    held: OwnedSemaphorePermit,
    kind: std::marker::PhantomData<fn() -> Kind>,
}

impl<Kind> Gate<Kind> {
    /// A gate with `limit` permits.
    pub fn new(limit: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))),
            limit,
            kind: std::marker::PhantomData,
        }
    }

    /// A permit, if one is free.
    pub fn try_acquire(&self) -> Option<Permit<Kind>> {
        self.free.clone().try_acquire_owned().ok().map(Permit::new)
    }

    /// One permit that counts as many, if so many are free.
    pub fn try_acquire_many(&self, count: usize) -> Option<Permit<Kind>> {
        let count = u32::try_from(count).ok()?;
        self.free.clone().try_acquire_many_owned(count).ok().map(Permit::new)
    }

    /// Waits for a permit; waiters get theirs in the order in which they came.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it takes no permit and loses its place in the queue.
    pub async fn acquire(&self) -> Permit<Kind> {
        let held = self.free.clone().acquire_owned().await;
        Permit::new(held.expect("the gate never closes its semaphore"))
    }

    /// How many permits are in use: a gauge, already outdated when it is read.
    pub fn in_use(&self) -> usize {
        self.limit.saturating_sub(self.free.available_permits())
    }

    /// How many permits there are.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl<Kind> Clone for Gate<Kind> {
    fn clone(&self) -> Self {
        Self { free: self.free.clone(), limit: self.limit, kind: self.kind }
    }
}

impl<Kind> Permit<Kind> {
    fn new(held: OwnedSemaphorePermit) -> Self {
        Self { held, kind: std::marker::PhantomData }
    }

    /// As how many it counts.
    pub fn count(&self) -> usize {
        self.held.num_permits()
    }

    /// Makes it count as so many; `false`: they are not free, and nothing has changed.
    pub fn resize(&mut self, count: usize) -> bool {
        let before = self.held.num_permits();
        if let Some(fewer) = before.checked_sub(count) {
            drop(self.held.split(fewer));
            return true;
        }
        let Ok(more) = u32::try_from(count - before) else { return false };
        let more = self.held.semaphore().clone().try_acquire_many_owned(more);
        more.map(|more| self.held.merge(more)).is_ok()
    }
}

/// How many descriptors the process may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// Before the limit was raised.
    pub before: u64,
    /// Now.
    pub now: u64,
}

/// Raises the soft limit of descriptors to the hard one. A system that refuses leaves the limit as it was.
pub fn raise_descriptors() -> Descriptors {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // The system reports an unlimited resource as `None`.
    let before = limit.current.unwrap_or(u64::MAX);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum.unwrap_or(u64::MAX) } else { before };
    Descriptors { before, now }
}

/// How many descriptors are not for clients.
pub fn reserved(feeds: usize, feed_connections: usize, recordings: usize, workers: usize) -> u64 {
    RESERVED_FIXED
        + (ADMIN_CONNECTIONS_MAX + ADMIN_WAITING_MAX) as u64
        + RESERVED_PER_RUNTIME * feeds as u64
        + RESERVED_PER_FEED * feed_connections as u64
        + RESERVED_PER_RECORDING * recordings as u64
        + RESERVED_PER_WORKER * workers as u64
}

/// The configured limits, as far as the descriptors allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitted {
    /// Open streams.
    pub streams: usize,
    /// Connections that are not streams.
    pub connections: usize,
    /// Newcomers that wait to become connections.
    pub waiting: usize,
}

/// There are not enough descriptors even for a few clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the limit of {nofile} open files is too low: at least {needed} are needed (`ulimit -n`, or LimitNOFILE= of the service)"
)]
pub struct TooFewDescriptors {
    /// The limit.
    pub nofile: u64,
    /// The least that would suffice.
    pub needed: u64,
}

/// Fits `streams`, `connections` and up to [`WAITING_MAX`] newcomers into what `reserved` leaves of `nofile`.
///
/// If that is not enough for all, newcomers get a sixteenth of it, connections a quarter of the rest, each more if the
/// others do not need it. Streams get what is left: a connection waits for a moment, a rejected stream for seconds.
///
/// # Errors
/// [`TooFewDescriptors`] if hardly anything is left.
pub fn fit(nofile: u64, reserved: u64, streams: usize, connections: usize) -> Result<Fitted, TooFewDescriptors> {
    let needed = reserved.saturating_add(CLIENTS_MIN);
    if nofile < needed {
        return Err(TooFewDescriptors { nofile, needed });
    }
    let left = usize::try_from(nofile - reserved).unwrap_or(usize::MAX);
    let unneeded = left.saturating_sub(streams.saturating_add(connections));
    let waiting = (left / 16).max(unneeded).clamp(1, WAITING_MAX);
    let left = left - waiting;
    let connections = connections.min((left / 4).max(left.saturating_sub(streams)));
    Ok(Fitted { streams: streams.min(left - connections), connections, waiting })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nofile: u64, (streams, connections): (usize, usize), fitted: Option<(usize, usize, usize)>) {
        let result = fit(nofile, reserved(1, 1, 0, 2), streams, connections);
        let fitted = fitted.map(|(streams, connections, waiting)| Fitted { streams, connections, waiting });
        assert_eq!(result.ok(), fitted, "{nofile}");
    }

    #[test]
    fn limits_fit_the_descriptors() {
        let reserved = reserved(1, 1, 0, 2);
        assert_eq!(reserved, 76);
        let wanted = (100_000, 4096);
        check(1_048_576, wanted, Some((100_000, 4096, 4096)));
        check(108_192 + reserved, wanted, Some((100_000, 4096, 4096)));
        check(108_191 + reserved, wanted, Some((99_999, 4096, 4096)));
        check(65_536, wanted, Some((57_273, 4096, 4091)));
        check(1024, wanted, Some((667, 222, 59)));
        check(256, wanted, Some((127, 42, 11)));
        check(reserved + 8, wanted, Some((6, 1, 1)));
        check(reserved + 7, wanted, None);
        check(0, wanted, None);
        check(u64::MAX, (usize::MAX, 4096), Some((usize::MAX - reserved as usize - 2 * 4096, 4096, 4096)));
    }

    #[test]
    fn connections_and_newcomers_get_what_few_streams_leave() {
        check(256, (10, 4096), Some((10, 159, 11)));
        check(256, (10, 5), Some((10, 5, 165)));
        check(256, (100_000, 1), Some((168, 1, 11)));
    }

    #[test]
    fn a_fitted_limit_never_exceeds_the_limit_of_open_files() {
        for nofile in (64..2048).step_by(7) {
            for (streams, connections) in [(1, 1), (1, 9999), (9999, 1), (300, 300), (9999, 9999)] {
                let Ok(fitted) = fit(nofile, 56, streams, connections) else { continue };
                assert!((fitted.streams + fitted.connections + fitted.waiting) as u64 + 56 <= nofile);
                assert!((1..=streams).contains(&fitted.streams) && (1..=connections).contains(&fitted.connections));
                assert!((1..=WAITING_MAX).contains(&fitted.waiting));
            }
        }
    }

    #[test]
    fn a_gate_gives_out_its_limit_and_takes_back() {
        let gate = Gate::<Admin>::new(2);
        let first = gate.try_acquire().unwrap();
        let _second = gate.try_acquire().unwrap();
        assert!(gate.try_acquire().is_none());
        assert_eq!((gate.in_use(), gate.limit()), (2, 2));
        drop(first);
        assert_eq!(gate.in_use(), 1);
        assert!(gate.try_acquire().is_some());
        assert_eq!(gate.in_use(), 1);
    }

    #[test]
    fn rule_10_a_permit_grows_as_far_as_the_gate_allows_and_shrinks() {
        let gate = Gate::<Subscription>::new(10);
        let mut permit = gate.try_acquire_many(4).unwrap();
        let other = gate.try_acquire_many(3).unwrap();
        for (count, fits, in_use) in [(8, false, 7), (7, true, 10), (7, true, 10), (1, true, 4), (usize::MAX, false, 4)]
        {
            assert_eq!((permit.resize(count), gate.in_use()), (fits, in_use), "{count}");
        }
        drop(other);
        assert!(permit.resize(10));
        drop(permit);
        assert_eq!(gate.in_use(), 0);
    }

    #[test]
    fn operators_have_permits_when_clients_have_none() {
        let permits = Permits::new(Fitted { streams: 1, connections: 1, waiting: 1 }, 1);
        let _taken = permits.connections.try_acquire().unwrap();
        assert!(permits.connections.try_acquire().is_none());
        assert!(permits.admin.try_acquire().is_some());
    }

    #[test]
    fn threads_never_get_more_than_the_limit() {
        let permits = Permits::new(Fitted { streams: 3, connections: 5, waiting: 1 }, 9);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let held = (permits.connections.try_acquire(), permits.streams.try_acquire());
                        assert!(permits.streams.in_use() <= 3 && permits.connections.in_use() <= 5);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!((permits.connections.in_use(), permits.streams.in_use()), (0, 0));
    }

    #[tokio::test]
    async fn a_waiter_gets_the_permit_that_comes_back() {
        let gate = Gate::<Connection>::new(1);
        let held = gate.acquire().await;
        let waiter = tokio::spawn({
            let gate = gate.clone();
            async move { gate.acquire().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        drop(held);
        let _permit = waiter.await.unwrap();
        assert_eq!(gate.in_use(), 1);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let descriptors = raise_descriptors();
        assert!(descriptors.now >= descriptors.before);
        assert_eq!(raise_descriptors(), Descriptors { before: descriptors.now, now: descriptors.now });
    }
}
