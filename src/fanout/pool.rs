//! The workers seen from outside: where streams are opened.

use super::{
    change::{Change, ChangeRefused, ChangeReply},
    client_transport::ClientTransport,
    command::Command,
    counts::Counts,
    h2::{ConnectionAddress, H2Answer, H2Socket, H2Stream, NewConnection, UnreadAnswers},
    new_stream::NewStream,
    open_rights::OpenRights,
    sealed_socket::SealedSocket,
    slowest::{SlowestQuery, SlowestStreams},
    socket::Socket,
    stream_key::StreamAddress,
    thread::{self, WAKE},
    tls_socket::TlsSocket,
    transport::{CloseMode, Transport},
    worker::{RETRY_AFTER_SHUTDOWN_MILLIS, Worker},
    worker_handle::WorkerHandle,
    worker_limits::WorkerLimits,
    worker_threads::WorkerThreads,
};
use crate::{
    cache::{WORKERS_MAX, WorkerIndex},
    config,
    tls::Session,
    wire::{self, Bye, StreamName},
};
use mio::{Poll, Waker};
use std::{
    io,
    net::TcpStream,
    num::NonZero,
    sync::{Arc, mpsc},
    thread::available_parallelism,
    time::{Duration, Instant},
};

/// The worker threads, for callers that open streams and announce changes.
pub struct WorkerPool<T = ClientTransport> {
    workers: Box<[Arc<WorkerHandle<T>>]>,
    stall_timeout: Duration,
}

/// How many workers there are with this configuration.
pub fn worker_count(config: &config::Fanout) -> usize {
    let count = match config.workers {
        0 => available_parallelism().map_or(1, NonZero::get),
        count => count,
    };
    count.min(WORKERS_MAX)
}

impl<T: Transport + Send + 'static> WorkerPool<T> {
    /// Starts the workers.
    ///
    /// # Errors
    /// The system refuses a thread or a descriptor.
    pub fn start(config: &config::Fanout) -> io::Result<(Arc<Self>, WorkerThreads)> {
        let limits = WorkerLimits {
            max_lag: config.max_lag,
            ring: config.ring,
            stall_timeout: config.stall_timeout,
            flush_interval: config.flush_interval,
            compress_min_streams: config.compress_min_streams,
        };
        let mut workers = Vec::new();
        let mut threads = WorkerThreads::new();
        for index in WorkerIndex::first(worker_count(config)) {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKE)?;
            let handle = Arc::new(WorkerHandle::new(index, waker, poll.registry().try_clone()?));
            workers.push(handle.clone());
            threads.spawn(index, move || run(poll, &handle, limits))?;
        }
        let pool = Self { workers: workers.into(), stall_timeout: config.stall_timeout };
        Ok((Arc::new(pool), threads))
    }

    /// Opens a stream at the worker with the fewest streams. `connect` makes its transport; the worker writes to it
    /// until it closes. Where the worker has ended, at the end of a drain, the stream gets a goodbye.
    ///
    /// # Errors
    /// Those of `connect`, and of the write of the goodbye.
    pub fn open_with(
        &self,
        mut stream: NewStream,
        connect: impl FnOnce(&Arc<WorkerHandle<T>>) -> io::Result<T>,
    ) -> io::Result<()> {
        let worker = self.least_loaded();
        let transport = connect(worker)?;
        stream.permit = worker.add_load(stream.permit);
        match worker.send(Command::Open(transport, stream)) {
            Err(Command::Open(transport, stream)) => send_away(transport, stream),
            _ => Ok(()),
        }
    }

    /// Gives a connection that carries many streams to the worker with the least load. `connect` makes its I/O. Where
    /// the worker has ended, at the end of a drain, the client is told to go away.
    ///
    /// # Errors
    /// Those of `connect`, and of the write of the goodbye.
    pub fn adopt_with(
        &self,
        connect: impl FnOnce(&Arc<WorkerHandle<T>>) -> io::Result<NewConnection>,
    ) -> io::Result<()> {
        let worker = self.least_loaded();
        let connection = Box::new(connect(worker)?);
        // Until its streams are opened it is a part of the load itself: a storm of connections spreads.
        let load: Box<dyn Send> = Box::new(worker.add_load(Box::new(())));
        match worker.send(Command::Adopt(connection, load)) {
            Err(Command::Adopt(connection, _)) => connection.send_away(Instant::now()),
            _ => Ok(()),
        }
    }

    /// Changes an open stream.
    pub fn change(&self, stream: StreamAddress, name: StreamName, change: Change, reply: Box<dyn ChangeReply>) {
        let Some(worker) = self.workers.get(stream.worker.get()) else {
            return reply.reply(Err(ChangeRefused::NoSuchStream));
        };
        let command = Command::Change { key: stream.key, name, change: Box::new(change), reply };
        if let Err(Command::Change { reply, .. }) = worker.send(command) {
            reply.reply(Err(ChangeRefused::NoSuchStream)); // the stream has ended with its worker
        }
    }

    /// Writes the answer to a request of a connection.
    pub fn answer(&self, stream: H2Stream, answer: H2Answer) {
        // The connection has ended with its worker.
        let _ = self.workers[stream.worker().get()].send(Command::Answer(stream, Box::new(answer)));
    }

    /// Ends a connection that has no streams: another waits for its permit.
    pub fn give_way(&self, connection: ConnectionAddress) {
        // As above.
        let _ = self.workers[connection.worker.get()].send(Command::GiveWay(connection.token));
    }

    /// Ends answers that their clients do not read: requests are refused for want of their permits.
    pub fn end_unread(&self, unread: &UnreadAnswers) {
        for worker in &self.workers {
            // As above.
            let _ = worker.send(Command::EndUnread(unread.clone()));
        }
    }

    fn least_loaded(&self) -> &Arc<WorkerHandle<T>> {
        self.workers.iter().min_by_key(|worker| worker.load()).expect("there is at least one worker")
    }

    /// Begins to end all streams, each at a random moment of the drain. New streams end at once.
    pub fn drain(&self, drain: Duration) {
        for worker in &self.workers {
            // One that has ended has nothing to drain.
            let _ = worker.send(Command::Drain(drain));
        }
    }

    /// Clients without credentials may read this from now on. Their streams that carry more end.
    pub fn withdraw(&self, rights: &Arc<dyn OpenRights>) {
        for worker in &self.workers {
            // As above.
            let _ = worker.send(Command::Withdraw(rights.clone()));
        }
    }

    /// Asks every worker for its `limit` slowest streams, as far as it has looked at them by `until`; returns where the
    /// replies arrive, and how many workers were asked. A worker that is stuck does not reply.
    pub fn slowest(&self, limit: usize, until: Instant) -> (mpsc::Receiver<SlowestStreams>, usize) {
        let (reply_tx, reply_rx) = mpsc::channel();
        for worker in &self.workers {
            let query = SlowestQuery::new(worker.index(), limit, until, reply_tx.clone());
            let _ = worker.send(Command::SlowestQuery(query));
        }
        (reply_rx, self.workers.len())
    }

    /// The counts of all workers, at most a second old.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for worker in &self.workers {
            sum.add(&worker.counts());
        }
        sum
    }

    /// The counts of one worker, at most a second old.
    pub fn counts_of(&self, worker: WorkerIndex) -> Counts {
        self.workers[worker.get()].counts()
    }
}

impl<T> WorkerPool<T> {
    /// The workers, in the order of their indices.
    pub(super) fn workers(&self) -> &[Arc<WorkerHandle<T>>] {
        &self.workers
    }
}

impl WorkerPool {
    /// Opens a stream on a client's plain socket.
    ///
    /// # Errors
    /// The system refuses an option of the socket, which is closed then.
    pub fn open(&self, socket: TcpStream, stream: NewStream) -> io::Result<()> {
        self.open_with(stream, |worker| {
            let socket = Socket::new(socket, worker.registry().clone(), self.stall_timeout)?;
            Ok(ClientTransport::Plain(socket))
        })
    }

    /// Opens a stream on a client's TLS connection, on which `unsent` must go out first.
    ///
    /// # Errors
    /// The system refuses an option of the socket, which is closed then.
    pub fn open_tls(&self, socket: TcpStream, session: Session, unsent: Vec<u8>, stream: NewStream) -> io::Result<()> {
        self.open_with(stream, |worker| {
            let socket = SealedSocket::new(socket, session, unsent, self.stall_timeout)?;
            Ok(ClientTransport::Tls(Box::new(TlsSocket::new(socket, worker.registry().clone()))))
        })
    }

    /// Opens a stream as the answer to a request of a connection.
    pub fn open_on(&self, connection: H2Stream, mut stream: NewStream) {
        let worker = &self.workers[connection.worker().get()];
        stream.permit = worker.add_load(stream.permit);
        // The connection has ended with its worker.
        let _ = worker.send(Command::Open(ClientTransport::H2(connection), stream));
    }

    /// The I/O of a connection that carries many streams, for [`WorkerPool::adopt_with`]. `unsent` must go out first.
    ///
    /// # Errors
    /// The system refuses an option of the socket, which is closed then.
    pub fn h2_socket(
        &self,
        worker: &WorkerHandle<ClientTransport>,
        socket: TcpStream,
        session: Session,
        unsent: Vec<u8>,
    ) -> io::Result<H2Socket> {
        let socket = SealedSocket::new(socket, session, unsent, self.stall_timeout)?;
        Ok(H2Socket::new(socket, worker.registry().clone()))
    }
}

/// Answers a stream that was admitted just before the drain and comes when its worker has ended.
fn send_away<T: Transport>(mut transport: T, stream: NewStream) -> io::Result<()> {
    let retry = Duration::from_millis(rand::random_range(RETRY_AFTER_SHUTDOWN_MILLIS));
    let bye = wire::bye(Bye::Shutdown, retry);
    let body = match &stream.dictionary {
        Some(dictionary) => dictionary.start(&bye),
        None => bye,
    };
    let first = transport.start(&stream.head, body);
    transport.try_write(&[&first], Instant::now())?;
    transport.flush()?;
    transport.close(CloseMode::Finish);
    Ok(())
}

fn run<T: Transport>(poll: Poll, handle: &WorkerHandle<T>, limits: WorkerLimits) {
    let worker = Worker::new(handle.index(), handle.inbox.clone(), limits, rand::random());
    // A dead worker must never look like a quiet market: `WorkerThreads::join` reports a panic at once.
    thread::run(poll, &handle.inbox, worker, &handle.counts).expect("a worker can wait as long as the process lives");
}
