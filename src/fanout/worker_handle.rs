//! A worker as other threads see it.

use super::{
    command::{Command, WorkerInbox},
    counts::{Counts, SharedCounts},
    stream_permit::StreamPermit,
    transport::Ready,
};
use crate::cache::{SymbolState, WorkerIndex};
use mio::{Registry, Waker};
use std::sync::{
    Arc, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

/// A worker as other threads see it.
pub struct WorkerHandle<T> {
    index: WorkerIndex,
    pub(super) inbox: Arc<WorkerInbox<T>>,
    waker: Waker,
    registry: Arc<Registry>,
    pub(super) counts: SharedCounts,
    load: Arc<AtomicUsize>,
}

/// Held by a stream: its permit, and its place in its worker's load.
struct LoadGuard {
    load: Arc<AtomicUsize>,
    permit: Box<dyn StreamPermit>,
}

impl StreamPermit for LoadGuard {
    fn resize(&mut self, symbols: usize) -> bool {
        self.permit.resize(symbols)
    }

    fn keep(&mut self, held: Box<dyn Send>) {
        self.permit.keep(held);
    }

    fn fits(&self, streams: usize) -> bool {
        self.permit.fits(streams)
    }
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T> WorkerHandle<T> {
    pub(super) fn new(index: WorkerIndex, waker: Waker, registry: Registry) -> Self {
        Self {
            index,
            inbox: Arc::default(),
            waker,
            registry: Arc::new(registry),
            counts: SharedCounts::default(),
            load: Arc::default(),
        }
    }

    /// The registry of the worker's poll, for transports that it can watch.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Reports what happened to a transport that the worker's poll does not watch. A transport reports room only after
    /// it was full, and each of room and input only once until the worker has used it: so the inbox is bounded.
    pub fn ready(&self, ready: Ready) {
        // The transport's stream has ended with its worker.
        let _ = self.send(Command::Ready(ready));
    }

    pub(super) fn index(&self) -> WorkerIndex {
        self.index
    }

    /// How many streams the worker has.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Counts a stream among the worker's load until the guard is dropped.
    pub(super) fn add_load(&self, permit: Box<dyn StreamPermit>) -> Box<dyn StreamPermit> {
        self.load.fetch_add(1, Ordering::Relaxed);
        Box::new(LoadGuard { load: self.load.clone(), permit })
    }

    /// Sends a command to the worker.
    ///
    /// # Errors
    /// The command: the worker has ended.
    #[expect(clippy::result_large_err, reason = "it hands the command back, with its transport and its stream")]
    pub(super) fn send(&self, command: Command<T>) -> Result<(), Command<T>> {
        if self.inbox.send(command)? {
            self.wake();
        }
        Ok(())
    }

    pub(super) fn announce(&self, changed: &mut Vec<Arc<SymbolState>>) {
        if self.inbox.announce(changed) {
            self.wake();
        }
    }

    /// The worker's counts, at most a second old.
    pub(super) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wake(&self) {
        // An eventfd write fails only if the descriptor is broken: the worker would sleep through every change.
        self.waker.wake().expect("a worker can be woken as long as the process lives");
    }
}
