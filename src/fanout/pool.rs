//! The workers seen from outside: where streams are opened and changed symbols are announced.

use super::{
    counts::Counts,
    options::Options,
    slowest::{SlowestQuery, SlowestStreams},
    socket::Socket,
    thread::{self, SharedCounts, WAKE},
    worker::{Command, Worker, WorkerInbox, WorkerLimits},
};
use crate::{cache::SymbolState, config, wire::StreamName};
use bytes::Bytes;
use mio::{Poll, Registry, Waker};
use std::{
    io,
    net::TcpStream,
    num::NonZero,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::{JoinHandle, available_parallelism},
    time::{Duration, Instant},
};

/// The most workers: a symbol's marks and interest have a bit for each.
pub const WORKERS_MAX: usize = 64;

/// A stream to be opened.
pub struct NewStream {
    /// What it is called in its `hello` and on the admin listener.
    pub name: StreamName,
    /// The first bytes to go out, ahead of all frames: the head of the answer and the `hello` block.
    pub head: Bytes,
    /// What it carries: each symbol once, at least one.
    pub symbols: Box<[Arc<SymbolState>]>,
    /// What its client asked for beside the symbols.
    pub options: Options,
    /// Where it resumes, if its client has been here before.
    pub resume: Option<Resume>,
    /// Held as long as the stream lives: its permit.
    pub permit: Box<dyn Send>,
}

/// Where a stream goes on that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The `n` of the last tick that the client has.
    pub after: u64,
    /// How many bytes of older ticks may come before each symbol's newest.
    pub bytes: usize,
}

/// The worker threads, for those who open streams and announce changes.
pub struct WorkerPool {
    handles: Box<[Handle]>,
    stall_timeout: Duration,
}

/// One worker, from outside.
struct Handle {
    inbox: Arc<WorkerInbox<Socket>>,
    waker: Waker,
    registry: Arc<Registry>,
    counts: SharedCounts,
    streams: Arc<AtomicUsize>,
}

/// The worker threads, for whoever waits for their end.
pub struct WorkerThreads(Vec<JoinHandle<()>>);

/// Held by a stream: its permit, and its place among its worker's streams.
struct LoadGuard {
    streams: Arc<AtomicUsize>,
    _permit: Box<dyn Send>,
}

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

impl WorkerPool {
    /// Starts the workers.
    ///
    /// # Errors
    /// What the system says where it has no thread or descriptor to give.
    pub fn start(config: &config::Fanout) -> io::Result<(Arc<Self>, WorkerThreads)> {
        let limits = WorkerLimits {
            max_lag: config.max_lag,
            ring: config.ring,
            stall_timeout: config.stall_timeout,
            flush_interval: config.flush_interval,
        };
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for index in 0..Self::worker_count(config) {
            let poll = Poll::new()?;
            let handle = Handle {
                inbox: Arc::default(),
                waker: Waker::new(poll.registry(), WAKE)?,
                registry: Arc::new(poll.registry().try_clone()?),
                counts: SharedCounts::default(),
                streams: Arc::default(),
            };
            let (inbox, counts) = (handle.inbox.clone(), handle.counts.clone());
            let run = move || {
                let worker = Worker::new(index as u32, inbox.clone(), limits, rand::random());
                // A dead worker must never look like a quiet market: a panic ends the process.
                thread::run(poll, &inbox, worker, &counts).expect("a worker can wait as long as the process lives");
            };
            threads.push(std::thread::Builder::new().name(format!("worker-{index}")).spawn(run)?);
            handles.push(handle);
        }
        let engine = Self { handles: handles.into(), stall_timeout: config.stall_timeout };
        Ok((Arc::new(engine), WorkerThreads(threads)))
    }

    /// How many workers there are with this configuration.
    pub fn worker_count(config: &config::Fanout) -> usize {
        let count = match config.workers {
            0 => available_parallelism().map_or(1, NonZero::get),
            count => count,
        };
        count.min(WORKERS_MAX)
    }

    /// Hands a client's socket to the worker with the fewest streams, which writes to it until it closes.
    ///
    /// # Errors
    /// What the system says where it refuses an option of the socket; the socket is closed then.
    pub fn open(&self, socket: TcpStream, mut opening: NewStream) -> io::Result<()> {
        let fewest = self.handles.iter().min_by_key(|handle| handle.streams.load(Ordering::Relaxed));
        let handle = fewest.expect("there is at least one worker");
        let socket = Socket::new(socket, handle.registry.clone(), self.stall_timeout)?;
        handle.streams.fetch_add(1, Ordering::Relaxed);
        opening.permit = Box::new(LoadGuard { streams: handle.streams.clone(), _permit: opening.permit });
        handle.send(Command::Open(socket, opening));
        Ok(())
    }

    /// Begins to end all streams, each at a random moment within `window`. New ones end at once.
    pub fn drain(&self, window: Duration) {
        self.handles.iter().for_each(|handle| handle.send(Command::Drain(window)));
    }

    /// Asks every worker for its `limit` slowest streams, as far as it has looked at them by `until`; returns where the
    /// answers come, and how many workers were asked. One that is stuck does not answer.
    pub fn review(&self, limit: usize, until: Instant) -> (mpsc::Receiver<SlowestStreams>, usize) {
        let (reply_tx, reply_rx) = mpsc::channel();
        for (worker, handle) in self.handles.iter().enumerate() {
            handle.send(Command::SlowestQuery(SlowestQuery::new(worker, limit, until, reply_tx.clone())));
        }
        (reply_rx, self.handles.len())
    }

    /// What all workers have done, as of a second ago at most.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        (0..self.handles.len()).for_each(|worker| sum.add(&self.counts_of(worker)));
        sum
    }

    /// What one worker has done, as of a second ago at most.
    pub fn counts_of(&self, worker: usize) -> Counts {
        self.handles[worker].counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Handle {
    fn send(&self, command: Command<Socket>) {
        if self.inbox.send(command) {
            self.wake();
        }
    }

    fn wake(&self) {
        // An eventfd write fails only if the descriptor is broken: the worker would sleep through every change.
        self.waker.wake().expect("a worker can be woken as long as the process lives");
    }
}

impl WorkerThreads {
    /// Waits until all streams have ended after [`WorkerPool::drain`].
    ///
    /// # Errors
    /// What a worker died of.
    pub fn join(self) -> io::Result<()> {
        for thread in self.0 {
            thread.join().map_err(|_| io::Error::other("a worker panicked"))?;
        }
        Ok(())
    }
}

/// Collects the changed symbols of a batch of updates, and enters each into the inboxes of those workers that want it.
pub struct Announcer {
    engine: Arc<WorkerPool>,
    /// Per worker, what goes into its inbox next.
    lists: Box<[Vec<Arc<SymbolState>>]>,
}

impl Announcer {
    /// Nothing collected yet.
    pub fn new(engine: Arc<WorkerPool>) -> Self {
        let lists = engine.handles.iter().map(|_| Vec::new()).collect();
        Self { engine, lists }
    }

    /// Notes that a symbol has a new tick, which the workers of `interest` want.
    pub fn add(&mut self, state: &Arc<SymbolState>, interest: u64) {
        if interest == 0 {
            return;
        }
        let mut unmarked = state.marks().set(interest);
        while unmarked != 0 {
            self.lists[unmarked.trailing_zeros() as usize].push(state.clone());
            unmarked &= unmarked - 1;
        }
    }

    /// Tells the workers. Until then the marked symbols stand in no inbox: nothing may come between that waits.
    pub fn flush(&mut self) {
        for (handle, list) in self.engine.handles.iter().zip(&mut self.lists) {
            if !list.is_empty() && handle.inbox.announce(list) {
                handle.wake();
            }
        }
    }
}
