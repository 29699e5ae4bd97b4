//! The runtimes: each feed, the clients and the operators have their own, so that a flood at one holds up no task of
//! another.
//!
//! Streams are not among them: they belong to the workers.

use std::{
    io,
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread::available_parallelism,
};
use tokio::runtime::{Builder, Handle, Runtime};

/// So many threads answer clients at most. More would only add switches.
const THREADS_MAX: usize = 16;
/// A probe is answered while a long answer is written.
const OPERATOR_THREADS: usize = 2;

/// Two connections to the brokers, each with a task of its own.
const CLUSTER_THREADS: usize = 2;

/// The runtimes of a gateway, but for those of its feeds.
pub(super) struct Runtimes {
    /// Where the node of a cluster runs, and its connections to the brokers: no flood of a feed, of clients or of
    /// operators holds those up. The task of a shard, which renews the lease, runs on the thread of the shard's feed: a
    /// flood of that feed may delay its own renewal, and no other.
    pub(super) cluster: Option<Background>,
    /// Where clients' requests are answered.
    pub(super) clients: Background,
    /// Where operators' requests are answered.
    pub(super) operators: Background,
}

impl Runtimes {
    /// Starts them. That of a cluster runs already, and those of feeds are the [feed set's](super::feed_set).
    ///
    /// # Errors
    /// The system refuses a descriptor.
    pub(super) fn start(cluster: Option<Background>) -> io::Result<Self> {
        let cores = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
        Ok(Self {
            cluster,
            clients: Background::start("clients".to_owned(), cores)?,
            operators: Background::start("operators".to_owned(), OPERATOR_THREADS)?,
        })
    }
}

/// A runtime whose drop never waits, not even for a thread that hangs in a look-up.
pub(super) struct Background(Option<Runtime>);

impl Background {
    /// Where a node's task and its connections to the brokers run.
    pub(super) fn of_cluster() -> io::Result<Self> {
        Self::start("cluster".to_owned(), CLUSTER_THREADS)
    }

    /// Where a feed runs, on one thread: the kernel shares the processors fairly among threads, so a venue that floods
    /// takes no other feed's share, whatever its messages are.
    pub(super) fn of_feed(name: &str) -> io::Result<Self> {
        Self::start(format!("feed-{name}"), 1)
    }

    /// Where delayed prices are shown, on one thread.
    pub(super) fn of_delay() -> io::Result<Self> {
        Self::start("delay".to_owned(), 1)
    }

    fn start(name: String, threads: usize) -> io::Result<Self> {
        let next = AtomicUsize::new(0);
        let thread_name = move || format!("{name}-{}", next.fetch_add(1, Ordering::Relaxed));
        let runtime =
            Builder::new_multi_thread().worker_threads(threads).thread_name_fn(thread_name).enable_all().build();
        Ok(Self(Some(runtime?)))
    }

    /// Spawns on it.
    pub(super) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("only the drop takes it").handle()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // A plain drop waits for blocking threads, and panics within another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
