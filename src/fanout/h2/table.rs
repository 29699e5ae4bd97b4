//! The connections of a worker, and what each of them waits for.

use super::{
    client::ConnectionAddress,
    connection::{Connection, ConnectionInit, INPUT_BYTES_PER_TURN, Scratch, Settled, Shared, Timeouts},
    end::ConnectionEnd,
    request::{NewConnection, Requests},
};
use crate::{
    cache::WorkerIndex,
    fanout::schedule::{Armed, Schedule},
    market::Now,
};
use slotmap::{Key, KeyData, SlotMap};
use std::{
    io, mem,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

slotmap::new_key_type! {
    /// A connection within its worker. A key is never used again for another connection.
    pub(in crate::fanout) struct ConnectionKey;
}

/// The bit that tells tokens of connections from keys of streams: the version of a slot map's key is odd.
const STREAM_BIT: u64 = 1 << 32;

/// The key of the connection that a token stands for, unless it is a stream's key.
pub(in crate::fanout) fn key_of(token: u64) -> Option<ConnectionKey> {
    (token & STREAM_BIT == 0).then(|| KeyData::from_ffi(token | STREAM_BIT).into())
}

fn token_of(key: ConnectionKey) -> u64 {
    key.data().as_ffi() & !STREAM_BIT
}

/// All connections of a worker.
pub(in crate::fanout) struct ConnectionTable {
    rows: SlotMap<ConnectionKey, Row>,
    schedule: Schedule<ConnectionKey>,
    /// Those that have changed since they were settled.
    touched: Vec<ConnectionKey>,
    /// Those that have more to read or to write in the next turn.
    unfinished: Vec<ConnectionKey>,
    /// Those that had no part in the input of this turn, and are the first in that of the next.
    unread: Vec<ConnectionKey>,
    /// Streams that the reader check holds back.
    held: usize,
    worker: WorkerIndex,
    stall_timeout: Duration,
    pub(in crate::fanout) scratch: Scratch,
}

/// A connection, and what the table holds of it elsewhere.
struct Row {
    connection: Shared,
    /// Where its requests go.
    requests: Arc<dyn Requests>,
    armed: Armed,
    is_touched: bool,
    /// One of its streams was written in this turn.
    is_written: bool,
    is_unfinished: bool,
    held: usize,
    _load: Box<dyn Send>,
}

impl ConnectionTable {
    pub(in crate::fanout) fn new(worker: WorkerIndex, stall_timeout: Duration) -> Self {
        Self {
            rows: SlotMap::with_key(),
            schedule: Schedule::new(),
            touched: Vec::new(),
            unfinished: Vec::new(),
            unread: Vec::new(),
            held: 0,
            worker,
            stall_timeout,
            scratch: Scratch::default(),
        }
    }

    /// Takes a connection over.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(in crate::fanout) fn insert(
        &mut self,
        new: NewConnection,
        load: Box<dyn Send>,
        now: Instant,
    ) -> io::Result<ConnectionKey> {
        let Self { worker, stall_timeout, .. } = *self;
        self.rows.try_insert_with_key(|key| {
            let address = ConnectionAddress { worker, token: token_of(key) };
            let requests = new.requests;
            let init = ConnectionInit {
                io: new.io,
                peer: new.peer,
                limits: new.limits,
                timeouts: Timeouts { head: new.head_timeout, write: new.write_timeout, stall: stall_timeout },
                permit: new.permit,
                permits: requests.clone(),
            };
            let connection = Connection::new(init, address, now)?;
            Ok(Row {
                requests,
                connection: Arc::new(Mutex::new(connection)),
                armed: Armed::default(),
                is_touched: false,
                is_written: false,
                is_unfinished: false,
                held: 0,
                _load: load,
            })
        })
    }

    /// A connection that may be gone.
    pub(in crate::fanout) fn get(&self, key: ConnectionKey) -> Option<Shared> {
        Some(self.rows.get(key)?.connection.clone())
    }

    /// Where a connection's requests go.
    pub(in crate::fanout) fn requests(&self, key: ConnectionKey) -> Option<Arc<dyn Requests>> {
        Some(self.rows.get(key)?.requests.clone())
    }

    /// The keys of all connections.
    pub(in crate::fanout) fn keys(&self) -> Vec<ConnectionKey> {
        self.rows.keys().collect()
    }

    /// How many connections there are.
    pub(in crate::fanout) fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many streams the reader check holds back.
    pub(in crate::fanout) fn held(&self) -> usize {
        self.held
    }

    /// Whether a connection has more to read or to write at once.
    pub(in crate::fanout) fn is_idle(&self) -> bool {
        self.unfinished.is_empty() && self.unread.is_empty()
    }

    /// Notes that a connection has to be settled.
    pub(in crate::fanout) fn touch(&mut self, key: ConnectionKey) {
        if let Some(row) = self.rows.get_mut(key)
            && !mem::replace(&mut row.is_touched, true)
        {
            self.touched.push(key);
        }
    }

    /// Notes that a stream of a connection was written; returns whether it is the first one of this turn.
    pub(in crate::fanout) fn written(&mut self, key: ConnectionKey) -> bool {
        self.touch(key);
        self.rows.get_mut(key).is_some_and(|row| !mem::replace(&mut row.is_written, true))
    }

    /// The next connection that has to be settled.
    pub(in crate::fanout) fn next_touched(&mut self) -> Option<ConnectionKey> {
        let key = self.touched.pop()?;
        if let Some(row) = self.rows.get_mut(key) {
            row.is_touched = false;
            row.is_written = false;
        }
        Some(key)
    }

    /// A connection goes on in the next turn.
    pub(in crate::fanout) fn go_on(&mut self, key: ConnectionKey) {
        if let Some(row) = self.rows.get_mut(key)
            && !mem::replace(&mut row.is_unfinished, true)
        {
            self.unfinished.push(key);
        }
    }

    /// A connection is read in the next turn.
    pub(in crate::fanout) fn read_later(&mut self, key: ConnectionKey) {
        if let Some(row) = self.rows.get_mut(key)
            && !mem::replace(&mut row.is_unfinished, true)
        {
            self.unread.push(key);
        }
    }

    /// Whether this turn may read more.
    pub(in crate::fanout) fn may_read(&self) -> bool {
        self.scratch.input_left > 0
    }

    /// A turn begins.
    pub(in crate::fanout) fn begin_turn(&mut self) {
        self.scratch.input_left = INPUT_BYTES_PER_TURN;
    }

    /// The connections that go on in this turn.
    pub(in crate::fanout) fn take_unfinished(&mut self) -> Vec<ConnectionKey> {
        let mut unfinished = mem::take(&mut self.unread);
        unfinished.append(&mut self.unfinished);
        for &key in &unfinished {
            if let Some(row) = self.rows.get_mut(key) {
                row.is_unfinished = false;
            }
        }
        unfinished
    }

    /// Notes how a connection was settled; returns why it is over, if it is: then it is gone.
    pub(in crate::fanout) fn settled(&mut self, key: ConnectionKey, settled: Settled) -> Option<ConnectionEnd> {
        let row = self.rows.get_mut(key)?;
        self.held = self.held + settled.held - row.held;
        row.held = settled.held;
        if let Some(at) = settled.deadline
            && row.armed.wants(at)
        {
            self.schedule.add(at, key);
        }
        if settled.over.is_some() {
            self.rows.remove(key);
        } else if settled.has_more {
            self.go_on(key);
        }
        settled.over
    }

    /// When the next deadline is due.
    pub(in crate::fanout) fn next_deadline(&self) -> Option<Instant> {
        self.schedule.next()
    }

    /// The next connection whose deadline is due. The caller must settle it.
    pub(in crate::fanout) fn next_due(&mut self, now: Now) -> Option<ConnectionKey> {
        loop {
            let (at, key) = self.schedule.pop(now.instant)?;
            if self.rows.get_mut(key).is_some_and(|row| row.armed.popped(at)) {
                return Some(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanout::h2::H2Socket;

    /// The budget of a connection with one stream is 5.5 KiB, of which rustls takes about 3 and the stream 1.
    #[test]
    fn rule_10_a_connection_is_small() {
        let bytes = size_of::<Row>() + size_of::<Connection>() + size_of::<H2Socket>();
        assert!(bytes <= 1024, "{bytes} bytes");
    }
}
