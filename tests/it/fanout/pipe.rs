//! A transport within the process: a bounded pipe that another thread empties.
//!
//! It differs from a socket in all that a transport may: its head has a format of its own, it frames what it is
//! offered, it holds bytes until a flush, it may be full though it took all, and it reports readiness by messages.

use super::PATIENCE;
use bytes::Bytes;
use std::{
    io::{self, ErrorKind},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Instant,
};
use tickfan::fanout::{ClientSide, CloseMode, Ready, ResponseHead, Taken, Transport, TransportError, WorkerHandle};

/// The most bytes that the transport holds above the pipe.
const HELD_MAX: usize = 4 * 1024;
/// The transport is full once it holds more than this.
const HELD_FULL: usize = 2 * 1024;
/// The bytes ahead of each frame's payload: its length.
const LENGTH_BYTES: usize = 2;

/// The worker's end of a pipe.
pub(super) struct Pipe {
    shared: Arc<Shared>,
    held: Vec<u8>,
}

/// The client's end of a pipe.
pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Bytes that are not decoded yet.
    undecoded: Vec<u8>,
    has_head: bool,
}

/// How a pipe ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Finished,
    Aborted,
}

struct Shared {
    worker: Arc<WorkerHandle<Pipe>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    key: Option<u64>,
    bytes: Vec<u8>,
    capacity: usize,
    /// The transport is full: the reader must report room.
    wants_room: bool,
    left: bool,
    closed: Option<CloseMode>,
}

/// Both ends of a pipe to a worker, which takes a number of bytes.
pub(super) fn pipe(capacity: usize, worker: &Arc<WorkerHandle<Pipe>>) -> (Pipe, Reader) {
    let state = State { key: None, bytes: Vec::new(), capacity, wants_room: false, left: false, closed: None };
    let shared = Arc::new(Shared { worker: worker.clone(), state: Mutex::new(state), changed: Condvar::new() });
    let reader = Reader { shared: shared.clone(), undecoded: Vec::new(), has_head: false };
    (Pipe { shared, held: Vec::new() }, reader)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Pipe {
    /// Moves held bytes into the pipe as far as it has room; returns whether no more than `limit` of them are left. If
    /// more are, the reader reports room.
    fn move_held(&mut self, limit: usize) -> io::Result<bool> {
        let mut state = self.shared.lock();
        if state.left {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = state.capacity - state.bytes.len();
        state.bytes.extend(self.held.drain(..room.min(self.held.len())));
        state.wants_room = self.held.len() > limit;
        self.shared.changed.notify_all();
        Ok(!state.wants_room)
    }

    /// Reports room that there was all along: the offer was too long for one frame.
    fn report_room(&self) {
        let key = self.shared.lock().key.expect("it is attached before it is written");
        self.shared.worker.ready(Ready { key, readable: false, writable: true });
    }
}

impl Transport for Pipe {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.shared.lock().key = Some(key);
        Ok(())
    }

    fn start(&mut self, head: &ResponseHead, hello: Bytes) -> Bytes {
        self.held.extend_from_slice(format!("PIPE {}\n", head.fields().len()).as_bytes());
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        assert!(!self.shared.lock().wants_room, "rule 4: a full transport is left alone until it has room");
        let offered: usize = blocks.iter().map(|block| block.len()).sum();
        let taken = offered.min(HELD_MAX - LENGTH_BYTES - self.held.len());
        self.held.extend_from_slice(&u16::try_from(taken).unwrap().to_be_bytes());
        self.held.extend(blocks.iter().flat_map(|block| block.iter()).take(taken));
        if self.held.len() <= HELD_FULL {
            return Ok(Taken { bytes: taken, full: false });
        }
        let has_room = self.move_held(HELD_FULL)?;
        if has_room && taken < offered {
            self.report_room();
        }
        Ok(Taken { bytes: taken, full: !has_room || taken < offered })
    }

    fn holds_bytes(&self) -> bool {
        !self.held.is_empty()
    }

    fn flush(&mut self) -> io::Result<bool> {
        self.move_held(0)
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        if self.shared.lock().left { Err(TransportError::Left) } else { Ok(ClientSide::Open) }
    }

    fn close(&mut self, mode: CloseMode) {
        let mut state = self.shared.lock();
        match mode {
            CloseMode::Finish => assert!(self.held.is_empty(), "what was taken goes out first"),
            CloseMode::Abort => state.bytes.clear(),
        }
        state.closed = Some(mode);
        self.shared.changed.notify_all();
    }
}

impl Reader {
    /// Waits for bytes, and takes out all that there are; returns the body that they carry.
    pub(super) fn read(&mut self) -> Result<String, End> {
        let mut state = self.shared.lock();
        while state.bytes.is_empty() {
            match state.closed {
                Some(CloseMode::Finish) => return Err(End::Finished),
                Some(CloseMode::Abort) => return Err(End::Aborted),
                None => {}
            }
            let (waited, timeout) = self.shared.changed.wait_timeout(state, PATIENCE).unwrap();
            assert!(!timeout.timed_out(), "no bytes come");
            state = waited;
        }
        self.undecoded.append(&mut state.bytes);
        if mem::take(&mut state.wants_room)
            && let Some(key) = state.key
        {
            self.shared.worker.ready(Ready { key, readable: false, writable: true });
        }
        drop(state);
        Ok(self.decode())
    }

    /// Reads up to a string; returns everything up to it.
    pub(super) fn read_until(&mut self, wanted: &str) -> String {
        let mut body = String::new();
        while !(body.contains(wanted) && body.ends_with("\n\n")) {
            body.push_str(&self.read().unwrap_or_else(|end| panic!("{end:?} before {wanted}: {body}")));
        }
        body
    }

    /// Reads up to the end; returns everything up to it.
    pub(super) fn read_to_end(&mut self) -> (String, End) {
        let mut body = String::new();
        loop {
            match self.read() {
                Ok(more) => body.push_str(&more),
                Err(end) => return (body, end),
            }
        }
    }

    fn decode(&mut self) -> String {
        if !mem::replace(&mut self.has_head, true) {
            let head = self.undecoded.drain(.."PIPE 0\n".len()).collect::<Vec<u8>>();
            assert_eq!(head, b"PIPE 0\n", "the transport writes its own head");
        }
        let mut body = Vec::new();
        while let Some(length) = self.undecoded.first_chunk::<LENGTH_BYTES>() {
            let end = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
            if self.undecoded.len() < end {
                break;
            }
            body.extend_from_slice(&self.undecoded[LENGTH_BYTES..end]);
            self.undecoded.drain(..end);
        }
        String::from_utf8(body).unwrap()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.left = true;
        if let Some(key) = state.key {
            self.shared.worker.ready(Ready { key, readable: true, writable: true });
        }
    }
}
