//! A client of a worker, in memory.

use crate::fanout::{
    ChangeRefused, ChangeReply, ClientSide, CloseMode, ResponseHead, Taken, Transport, TransportError, WorkerLimits,
};
use bytes::Bytes;
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// The limits of the tests' workers.
pub(super) const LIMITS: WorkerLimits = WorkerLimits {
    max_lag: Duration::from_millis(250),
    ring: 64,
    stall_timeout: Duration::from_secs(60),
    flush_interval: None,
    compress_min_streams: 1,
};

/// Takes as many bytes as there is room for.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) text: Arc<Mutex<Vec<u8>>>,
    pub(super) room: Arc<AtomicUsize>,
    pub(super) has_left: Arc<AtomicBool>,
    /// By which its worker knows its stream.
    pub(super) key: Arc<AtomicU64>,
}

impl Page {
    pub(super) fn new(room: usize) -> Self {
        Self {
            text: Arc::default(),
            room: Arc::new(AtomicUsize::new(room)),
            has_left: Arc::default(),
            key: Arc::default(),
        }
    }

    /// All that it has taken.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

impl Transport for Page {
    fn attach(&mut self, key: u64) -> io::Result<()> {
        self.key.store(key, Ordering::Relaxed);
        Ok(())
    }

    fn start(&mut self, _: &ResponseHead, hello: Bytes) -> Bytes {
        hello
    }

    fn try_write(&mut self, blocks: &[&Bytes], _: Instant) -> io::Result<Taken> {
        let mut text = self.text.lock().unwrap();
        let mut bytes = 0;
        for block in blocks {
            let taken = block.len().min(self.room.load(Ordering::Relaxed));
            text.extend_from_slice(&block[..taken]);
            self.room.fetch_sub(taken, Ordering::Relaxed);
            bytes += taken;
            if taken < block.len() {
                return Ok(Taken { bytes, full: true });
            }
        }
        Ok(Taken { bytes, full: false })
    }

    fn flush(&mut self) -> io::Result<bool> {
        if self.has_left.load(Ordering::Relaxed) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(true) }
    }

    fn drain_input(&mut self, _: Instant) -> Result<ClientSide, TransportError> {
        Ok(ClientSide::Open)
    }

    fn close(&mut self, _: CloseMode) {}
}

/// Expects that its change is applied.
pub(super) struct IsApplied;

impl ChangeReply for IsApplied {
    fn reply(self: Box<Self>, outcome: Result<Bytes, ChangeRefused>) {
        outcome.unwrap();
    }
}
