//! Looks names up on threads of their own. The system's look-up cannot be cancelled, and may hang for a minute: a
//! runtime's pool of threads would wait for it at its end, and panics where it gets no thread.

use super::record::{SharedRecord, Step};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    thread,
};
use tokio::sync::{Semaphore, oneshot};

/// The look-ups of a [`super::Dialing`] that run at a time. One that hangs keeps its thread; each feed has its own
/// share, so that a venue whose name server hangs stops no other feed.
pub(super) const LOOK_UPS_MAX: usize = 4;
/// The stack of a look-up's thread: twice of what the C library's resolver needs at most.
const STACK_BYTES: usize = 512 << 10;

/// Finds the addresses of a host and a port, in the order of preference. It may block.
#[derive(Clone)]
pub struct LookUp(Arc<Find>);

type Find = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

impl LookUp {
    /// A look-up of one's own.
    pub fn new(find: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }
}

impl Default for LookUp {
    /// The system's: its hosts file, its name servers, and its order of addresses.
    fn default() -> Self {
        Self::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }
}

impl fmt::Debug for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookUp")
    }
}

/// Looks names up, a bounded number at a time.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    look_up: LookUp,
    slots: Arc<Semaphore>,
    stack_bytes: usize,
}

impl Resolver {
    pub(super) fn new(look_up: LookUp) -> Self {
        Self { look_up, slots: Arc::new(Semaphore::new(LOOK_UPS_MAX)), stack_bytes: STACK_BYTES }
    }

    /// The addresses of a host. An IP address needs no look-up.
    ///
    /// # Errors
    /// The look-up failed, or the system has no thread for it.
    ///
    /// # Cancel safety
    /// A look-up that has begun goes on, and keeps its slot until it ends.
    pub(super) async fn addresses(&self, host: &str, port: u16, record: &SharedRecord) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        record.step(Step::QueuedLookUp);
        let slot = self.slots.clone().acquire_owned().await.map_err(io::Error::other)?;
        record.step(Step::LookUp);
        let (found_tx, found_rx) = oneshot::channel();
        let look_up = self.look_up.clone();
        let host = host.to_owned();
        thread::Builder::new().name("look-up".to_owned()).stack_size(self.stack_bytes).spawn(move || {
            let found = (look_up.0)(&host, port);
            drop(slot);
            // An error means that the attempt has ended.
            let _ = found_tx.send(found);
        })?;
        found_rx.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    #[tokio::test]
    async fn an_ip_address_is_its_own_answer() {
        let resolver = Resolver::new(LookUp::new(|host, _| panic!("{host} is looked up")));
        for (host, address) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
            let found = resolver.addresses(host, 80, &SharedRecord::default()).await.unwrap();
            assert_eq!(found, [address.parse().unwrap()]);
        }
        let found =
            Resolver::new(LookUp::default()).addresses("localhost", 80, &SharedRecord::default()).await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }

    #[tokio::test]
    async fn a_look_up_that_gets_no_thread_is_an_ordinary_failure() {
        for stack_bytes in [usize::MAX / 2, 1 << 55] {
            let resolver = Resolver { stack_bytes, ..Resolver::new(LookUp::default()) };
            for _ in 0..2 * LOOK_UPS_MAX {
                let found = resolver.addresses("localhost", 80, &SharedRecord::default()).await;
                assert!(found.is_err(), "a thread with a stack of {stack_bytes} bytes: {found:?}");
            }
        }
    }

    #[tokio::test]
    async fn rule_10_look_ups_that_hang_are_bounded_and_the_next_ones_wait_for_them() {
        let (release_tx, release_rx) = mpsc::channel::<()>();
        let release_rx = Mutex::new(release_rx);
        let begun = Arc::new(AtomicUsize::new(0));
        let count = begun.clone();
        let resolver = Resolver::new(LookUp::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = release_rx.lock().unwrap().recv();
            Ok(Vec::new())
        }));
        let record = SharedRecord::default();
        let look_ups: Vec<_> = (0..3 * LOOK_UPS_MAX)
            .map(|_| {
                let (resolver, record) = (resolver.clone(), record.clone());
                tokio::spawn(async move { resolver.addresses("venue.test", 80, &record).await })
            })
            .collect();
        while begun.load(Ordering::SeqCst) < LOOK_UPS_MAX || resolver.slots.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), LOOK_UPS_MAX);
        // The threads of attempts that were dropped keep their slots.
        look_ups.iter().for_each(tokio::task::JoinHandle::abort);
        assert_eq!(resolver.slots.available_permits(), 0);
        drop(release_tx);
        resolver.addresses("venue.test", 80, &record).await.unwrap();
    }
}
