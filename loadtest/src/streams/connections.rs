//! The life of a connection: connect, request, read, end, and reconnect.

use super::{
    dial::{dial, source},
    event_loop::{EventLoop, Unread, is_late},
    plan::Reads,
    stream::Phase,
    timers::Task,
};
use crate::measure::{Ended, unix_micros};
use mio::{Interest, Token};
use rand::RngExt;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// How often a slow reader reads.
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How long a stream that left as planned stays away, in ms.
const AWAY_MILLIS: std::ops::Range<u64> = 100..2_000;

impl EventLoop {
    /// Begins to connect.
    pub(super) fn connect(&mut self, index: u32) {
        let stream = &mut self.streams[index as usize];
        let receive_buffer = self.groups[stream.group].reads.receive_buffer();
        let begun = unix_micros();
        let dialled = dial(self.target, source(self.target.ip(), index), receive_buffer).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index as usize), interest)?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => stream.begin(socket, begun),
            Err(error) => self.refused(index, &error),
        }
    }

    fn refused(&mut self, index: u32, error: &io::Error) {
        self.observer.refusal.get_or_insert_with(|| error.to_string());
        self.end(index, Ended::Refused);
    }

    /// The connection is established or has failed: sends the request.
    pub(super) fn connected(&mut self, index: u32) {
        let stream = &mut self.streams[index as usize];
        let Some(socket) = &mut stream.socket else { return };
        if let Ok(Some(error)) | Err(error) = socket.take_error() {
            return self.refused(index, &error);
        }
        if socket.peer_addr().is_err() {
            return; // still connecting
        }
        self.observer.measures.connect.record(unix_micros() - stream.begun);
        let request = stream.request(&mut self.observer, &self.groups[stream.group]);
        let Some(socket) = &mut stream.socket else { return };
        // The send buffer of a new connection holds a request.
        match socket.write_all(request.as_bytes()) {
            Ok(()) => stream.phase = Phase::Requested,
            Err(error) => self.refused(index, &error),
        }
    }

    /// Reads what has arrived, at most one buffer per turn. `is_ended`: the server has ended the connection behind it.
    pub(super) fn read_ready(&mut self, index: u32, is_ended: bool) {
        // A read that leaves room in the buffer has emptied the socket, and later bytes raise another event.
        if self.read(index, self.buffer.len()).is_some_and(|count| count == self.buffer.len() || is_ended) {
            self.unread.push(Unread { stream: index, is_ended });
        }
    }

    /// Reads as much as a slow reader's rate allows, and schedules its next read.
    pub(super) fn read_slowly(&mut self, index: u32, now: Instant) {
        let stream = &self.streams[index as usize];
        let Reads::BytesPerSecond(rate) = self.groups[stream.group].reads else { return };
        if self.is_catching_up {
            return self.read_ready(index, false);
        }
        let bytes = (f64::from(rate) * SLOW_READ_INTERVAL.as_secs_f64()).ceil() as usize;
        self.read(index, bytes.min(self.buffer.len()));
        let stream = &self.streams[index as usize];
        if stream.phase == Phase::Open {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.generation, Task::Read);
        }
    }

    /// Reads once; returns how many bytes arrived, or `None` if none have or if the stream has ended.
    fn read(&mut self, index: u32, bytes_max: usize) -> Option<usize> {
        let stream = &mut self.streams[index as usize];
        let group = &self.groups[stream.group];
        let phase_before = stream.phase;
        let count = match stream.socket.as_mut()?.read(&mut self.buffer[..bytes_max]) {
            Ok(0) => {
                let how = stream.how_it_ends();
                self.end(index, how);
                return None;
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return None,
            Err(_) => {
                self.end(index, Ended::Reset);
                return None;
            }
        };
        let at = unix_micros();
        self.observer.load_ended = self.progress.load_ended.load(Ordering::Relaxed);
        self.observer.old_after = (!is_late(self.caught_up, at)).then_some(self.old_after);
        match stream.receive(&self.buffer[..count], at, &mut self.observer, group) {
            Ok(()) if phase_before != Phase::Open && stream.phase == Phase::Open => self.opened(index),
            Ok(()) => {}
            Err(how) => {
                self.end(index, how);
                return None;
            }
        }
        Some(count)
    }

    fn opened(&mut self, index: u32) {
        self.open += 1;
        let stream = &self.streams[index as usize];
        self.tried += u64::from(stream.generation == 0);
        let group = &self.groups[stream.group];
        let now = Instant::now();
        if matches!(group.reads, Reads::BytesPerSecond(_)) {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.generation, Task::Read);
        }
        if let Some(mean_stay) = group.mean_stay {
            // Exponentially distributed, so that as many leave in each second.
            let point: f64 = self.random.random_range(f64::EPSILON..1.0);
            self.timers.add(now + mean_stay.mul_f64(-point.ln()), index, stream.generation, Task::Leave);
        }
    }

    /// Ends a connection, counts how it ended, and schedules the next one.
    pub(super) fn end(&mut self, index: u32, how: Ended) {
        let stream = &mut self.streams[index as usize];
        let was_open = stream.phase == Phase::Open;
        self.open -= u64::from(was_open);
        self.tried += u64::from(!was_open && stream.generation == 0);
        self.is_complete &= !was_open;
        self.observer.measures.end(stream.group, how);
        stream.drop_connection();
        if self.groups[stream.group].reads == Reads::Never {
            // A client that has stopped reading does not notice that it was closed.
            return;
        }
        let away = match how {
            Ended::Left => Duration::from_millis(self.random.random_range(AWAY_MILLIS)),
            _ => stream.retry,
        };
        self.timers.add(Instant::now() + away, index, stream.generation, Task::Connect);
    }
}
