//! A stream of a connection, as a transport.

use super::{
    client::ConnectionAddress,
    connection::{Connection, Shared, lock},
};
use crate::{
    cache::WorkerIndex,
    fanout::{
        response_head::ResponseHead,
        transport::{ClientSide, CloseMode, Protocol, Stall, Taken, Transport, TransportError},
    },
    h2::{ErrorCode, StreamId},
};
use bytes::Bytes;
use std::{io, mem, net::SocketAddr, sync::MutexGuard, time::Instant};

/// A stream of a connection. Until its request is answered it is only passed along.
pub struct H2Stream {
    connection: Shared,
    token: u64,
    /// The head of the answer, until it is written.
    head: Option<ResponseHead>,
    id: StreamId,
    worker: WorkerIndex,
}

impl H2Stream {
    pub(in crate::fanout) fn new(connection: Shared, address: ConnectionAddress, id: StreamId) -> Self {
        let ConnectionAddress { worker, token } = address;
        Self { connection, token, head: None, id, worker }
    }

    /// The worker that has its connection.
    pub(in crate::fanout) fn worker(&self) -> WorkerIndex {
        self.worker
    }

    /// Its connection, as the worker knows it.
    pub(in crate::fanout) fn token(&self) -> u64 {
        self.token
    }

    /// Its number.
    pub(in crate::fanout) fn id(&self) -> StreamId {
        self.id
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        lock(&self.connection)
    }
}

impl Transport for H2Stream {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.lock().attach(self.id, key)
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        self.head = Some(head.clone());
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], now: Instant) -> io::Result<Taken> {
        let mut head = mem::take(&mut self.head);
        let taken = self.lock().write(self.id, &mut head, blocks, now);
        self.head = head;
        taken
    }

    fn holds_bytes(&self) -> bool {
        self.lock().is_unsettled()
    }

    /// The connection sends what it holds at the end of the turn, or when its I/O has room.
    fn flush(&mut self) -> io::Result<bool> {
        Ok(self.lock().await_room(self.id))
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        self.lock().check(self.id).map(|()| ClientSide::Open)
    }

    fn close(&mut self, mode: CloseMode) {
        match mode {
            CloseMode::Finish => self.lock().finish(self.id),
            CloseMode::Abort => self.lock().reset(self.id, ErrorCode::CANCEL),
        }
    }

    fn connection(&self) -> Option<u64> {
        Some(self.token())
    }

    fn stalled(&mut self, now: Instant) -> Stall {
        self.lock().stalled(self.id, now)
    }

    fn peer(&self) -> Option<SocketAddr> {
        Some(self.lock().peer())
    }

    fn protocol(&self) -> Protocol {
        Protocol::Http2
    }
}
