//! One connection: what its client sends, what its streams write, and how it ends.

mod ending;
mod writing;

use super::{
    client::{Activity, ConnectionAddress, ConnectionPermit, ConnectionPermits, H2Answer},
    end::ConnectionEnd,
    io::H2Io,
    output::Output,
    rows::{Answer, Rows, State, StreamRow},
};
use crate::{
    fanout::{
        tcp::Received,
        transport::{Ready, TransportError},
    },
    h2::{self, ErrorCode, Event, RequestBody, StreamId},
};
use ending::Phase;
pub(in crate::fanout) use ending::Settled;
use http::request::Parts;
use std::{
    io::{self, ErrorKind},
    mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often one turn reads from a connection: a client that sends without end delays no other.
const READS_PER_TURN: usize = 4;
/// How much one turn reads from all connections: some hundreds of the frames that cost most, which is below a
/// millisecond. The rest waits for the next turn, behind the ticks of this one.
pub(in crate::fanout) const INPUT_BYTES_PER_TURN: usize = 32 * 1024;
/// A read of fewer bytes costs as much as one of so many.
const READ_BYTES_MIN: usize = 128;
/// A request costs as much as so many bytes of other frames, even one that the client resets at once.
const REQUEST_BYTES: usize = 1024;

/// A connection of a worker.
pub(in crate::fanout) struct Connection {
    protocol: h2::Connection,
    output: Output,
    rows: Rows,
    phase: Phase,
    /// Since when it has neither a stream nor a request.
    idle_since: Option<Instant>,
    /// The keys of the streams that wait for room of the I/O, the longest first.
    waiting: Vec<(StreamId, u64)>,
    /// What the worker is to learn of its streams.
    news: Vec<Ready>,
    /// Until when streams are spared for which only the window that they share lacks room.
    spared_until: Option<Instant>,
    address: ConnectionAddress,
    peer: SocketAddr,
    permits: Arc<dyn ConnectionPermits>,
    permit: Option<Box<dyn ConnectionPermit>>,
    /// The permits of requests whose bodies still come.
    bodies: Vec<Box<dyn Send>>,
    /// As its permit knows it.
    activity: Activity,
    timeouts: Timeouts,
}

/// A connection, as its streams reach it. Only the worker that has it takes the lock.
pub(in crate::fanout) type Shared = Arc<Mutex<Connection>>;

/// A panic ends the process, so a poisoned lock is never seen.
pub(in crate::fanout) fn lock(connection: &Shared) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a connection waits for its client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// For the rest of what the client has begun, and for its next stream.
    pub(super) head: Duration,
    /// For an answer.
    pub(super) write: Duration,
    /// For a stream.
    pub(super) stall: Duration,
}

/// The parts of a new connection.
pub(super) struct ConnectionInit {
    pub(super) io: Box<dyn H2Io>,
    pub(super) peer: SocketAddr,
    pub(super) limits: h2::Limits,
    pub(super) timeouts: Timeouts,
    pub(super) permit: Box<dyn ConnectionPermit>,
    pub(super) permits: Arc<dyn ConnectionPermits>,
}

/// Buffers that all connections of a worker share, empty between two calls.
#[derive(Default)]
pub(in crate::fanout) struct Scratch {
    /// How many bytes this turn may still read.
    pub(in crate::fanout) input_left: usize,
    input: Vec<u8>,
    events: Vec<Event>,
    /// The requests that came.
    pub(in crate::fanout) requests: Vec<(StreamId, Box<Parts>, RequestBody)>,
}

impl Connection {
    /// Takes a connection over under `address`.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(super) fn new(mut init: ConnectionInit, address: ConnectionAddress, now: Instant) -> io::Result<Self> {
        let mut output = Output::new(init.io);
        output.io()?.attach(address.token)?;
        let protocol = h2::Connection::new(init.limits, now, &mut output.frames);
        init.permit.held_by(address);
        Ok(Self {
            protocol,
            output,
            rows: Rows::default(),
            phase: Phase::Open,
            idle_since: Some(now),
            waiting: Vec::new(),
            news: Vec::new(),
            spared_until: None,
            address,
            peer: init.peer,
            permits: init.permits,
            permit: Some(init.permit),
            bodies: Vec::new(),
            activity: Activity::Idle,
            timeouts: init.timeouts,
        })
    }

    /// As other threads know it.
    pub(in crate::fanout) fn address(&self) -> ConnectionAddress {
        self.address
    }

    /// The other end of the socket.
    pub(in crate::fanout) fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The keys of its streams.
    pub(in crate::fanout) fn keys(&self) -> impl Iterator<Item = u64> {
        self.rows.keys()
    }

    /// What the worker is to learn of its streams.
    pub(in crate::fanout) fn take_news(&mut self) -> Vec<Ready> {
        mem::take(&mut self.news)
    }

    /// Takes what the client sent, as much as one turn may; returns whether there may be more.
    pub(in crate::fanout) fn receive(&mut self, scratch: &mut Scratch, now: Instant) -> bool {
        let has_more = self.read(scratch, now);
        self.wake(scratch, now);
        has_more
    }

    fn read(&mut self, scratch: &mut Scratch, now: Instant) -> bool {
        for _ in 0..READS_PER_TURN {
            if self.drops_no_more() {
                return false;
            }
            if scratch.input_left == 0 {
                return true;
            }
            scratch.input.clear();
            let received = self.output.io().map_err(TransportError::from).and_then(|io| io.receive(&mut scratch.input));
            match received {
                Ok(Received::Bytes(bytes)) => self.take_input(bytes, scratch, now),
                Ok(Received::Nothing) => return false,
                Ok(Received::End) => self.left(),
                Err(error) => self.abort((&error).into()),
            }
            if self.is_over() {
                return false;
            }
        }
        true
    }

    /// Takes input that came with the handshake.
    pub(in crate::fanout) fn receive_first(&mut self, input: Vec<u8>, scratch: &mut Scratch, now: Instant) {
        scratch.input = input;
        self.take_input(scratch.input.len(), scratch, now);
        self.wake(scratch, now);
    }

    /// Takes frames that came in so many bytes.
    fn take_input(&mut self, bytes: usize, scratch: &mut Scratch, now: Instant) {
        scratch.input_left = scratch.input_left.saturating_sub(bytes.max(READ_BYTES_MIN));
        if !self.is_open() {
            return self.drop_input(bytes);
        }
        let (input, frames) = (&scratch.input, &mut self.output.frames);
        let received = self
            .protocol
            .sealed(bytes, input.len(), now, frames)
            .and_then(|()| self.protocol.receive(input, now, frames, &mut scratch.events));
        self.take_events(scratch);
        if let Err(error) = received.and_then(|()| self.permit_bodies(now)) {
            self.close(ConnectionEnd::Limit(error.reason), now);
        }
    }

    /// A request holds a permit from its head on, so that the limit of requests is one of memory too.
    fn permit_bodies(&mut self, now: Instant) -> Result<(), h2::ConnectionError> {
        self.bodies.truncate(self.protocol.unfinished());
        while self.bodies.len() < self.protocol.unfinished() {
            match self.permits.request(self.peer.ip()) {
                Some(permit) => self.bodies.push(permit),
                None => self.protocol.refuse_unfinished(now, &mut self.output.frames)?,
            }
        }
        Ok(())
    }

    /// Lets streams go on, once for all that a turn has read.
    fn wake(&mut self, scratch: &mut Scratch, now: Instant) {
        self.protocol.wake(now, &mut scratch.events);
        self.take_events(scratch);
    }

    fn take_events(&mut self, scratch: &mut Scratch) {
        for event in scratch.events.drain(..) {
            match event {
                Event::Request { stream, head, body } => {
                    scratch.input_left = scratch.input_left.saturating_sub(REQUEST_BYTES);
                    self.rows.asked(stream);
                    scratch.requests.push((stream, head, body));
                }
                Event::Room { stream } => self.has_room(stream),
                Event::Reset { stream, .. } => self.forget(stream),
                // The end of the last stream ends the connection.
                Event::GoAway { .. } => self.leave(ConnectionEnd::Left, None),
            }
        }
    }

    /// The client lets a stream go on.
    fn has_room(&mut self, stream: StreamId) {
        self.rows.set_held(stream, false);
        if let Some(StreamRow { key, .. }) = self.rows.stream(stream) {
            self.news.push(Ready { key, readable: false, writable: true });
        }
    }

    /// A stream is over without the worker's doing, which has to learn of it.
    fn forget(&mut self, stream: StreamId) {
        if let Some(State::Stream(StreamRow { key, .. })) = self.rows.remove(stream) {
            self.news.push(Ready { key, readable: true, writable: false });
        }
    }

    /// A request is answered with a stream, which the worker knows by `key`.
    ///
    /// # Errors
    /// The client has reset it meanwhile, or the connection is over.
    pub(super) fn attach(&mut self, id: StreamId, key: u64) -> io::Result<()> {
        if self.rows.becomes(id, State::Stream(StreamRow::new(key))) {
            return Ok(());
        }
        Err(ErrorKind::ConnectionReset.into())
    }

    /// A request is answered whole.
    pub(in crate::fanout) fn answer(&mut self, id: StreamId, answer: H2Answer, now: Instant) {
        let by = now + self.timeouts.write;
        // One that the client has reset meanwhile is dropped.
        let answer = Answer { answer, has_head: false, by, unread_since: None };
        self.rows.becomes(id, State::Answer(Box::new(answer)));
    }

    /// Whether a request that has come still waits for its answer: its client may have reset it at once.
    pub(in crate::fanout) fn awaits_answer(&self, id: StreamId) -> bool {
        self.rows.is_asked(id)
    }

    /// Whether a stream can still be written.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self, id: StreamId) -> Result<(), TransportError> {
        match (self.phase.end(), self.rows.stream(id)) {
            (Some(end), _) => Err(end.of_streams()),
            (None, None) => Err(TransportError::Left),
            (None, Some(_)) => Ok(()),
        }
    }

    /// Ends a stream in order, behind what it has written.
    pub(super) fn finish(&mut self, id: StreamId) {
        if let Some(State::Stream(StreamRow { key, .. })) = self.rows.remove(id) {
            self.protocol.finish(id, &mut self.output.frames);
            // Unlike a socket, a stream needs no time in which its client leaves.
            self.news.push(Ready { key, readable: true, writable: false });
        }
    }

    /// Refuses a request: the client may repeat it, as often as it may reset its own.
    pub(in crate::fanout) fn refuse(&mut self, id: StreamId, now: Instant) {
        if self.rows.remove(id).is_none() {
            return;
        }
        if let Err(error) = self.protocol.refuse(id, now, &mut self.output.frames) {
            self.close(ConnectionEnd::Limit(error.reason), now);
        }
    }

    /// Ends a stream at once.
    pub(super) fn reset(&mut self, id: StreamId, code: ErrorCode) {
        if self.rows.remove(id).is_some() {
            self.protocol.reset(id, code, &mut self.output.frames);
        }
    }
}

#[cfg(test)]
mod tests;
