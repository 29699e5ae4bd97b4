//! The worker threads, for the caller that waits for their end.

use crate::cache::{WORKERS_MAX, WorkerIndex};
use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::JoinHandle,
};

/// The worker threads, for the caller that waits for their end.
pub struct WorkerThreads {
    threads: Vec<Option<JoinHandle<()>>>,
    ended_tx: SyncSender<WorkerIndex>,
    ended_rx: Receiver<WorkerIndex>,
}

/// Held by a worker thread: reports its end, also if it panics.
struct EndReport {
    index: WorkerIndex,
    ended_tx: SyncSender<WorkerIndex>,
}

impl Drop for EndReport {
    fn drop(&mut self) {
        // It never blocks, since there is room for one report of each worker. An error means that the caller does not
        // wait for the workers.
        let _ = self.ended_tx.send(self.index);
    }
}

impl WorkerThreads {
    /// A list without threads.
    pub(super) fn new() -> Self {
        let (ended_tx, ended_rx) = sync_channel(WORKERS_MAX);
        Self { threads: Vec::new(), ended_tx, ended_rx }
    }

    /// Starts the thread of the next worker.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(super) fn spawn(&mut self, index: WorkerIndex, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        debug_assert_eq!(index.get(), self.threads.len(), "workers start in order");
        let report = EndReport { index, ended_tx: self.ended_tx.clone() };
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        self.threads.push(Some(thread.spawn(move || {
            let _report = report;
            run();
        })?));
        Ok(())
    }

    /// Blocks until all workers have ended after [`WorkerPool::drain`](super::WorkerPool::drain), or until the first
    /// has panicked.
    ///
    /// # Errors
    /// A worker panicked, and its streams stand still. The other workers go on.
    pub fn join(mut self) -> io::Result<()> {
        drop(self.ended_tx);
        for index in self.ended_rx {
            if let Some(thread) = self.threads[index.get()].take() {
                thread.join().map_err(|_| io::Error::other(format!("worker {index} panicked")))?;
            }
        }
        Ok(())
    }
}
