//! The life of a connection and of its streams: connect, shake hands, request, read, end, and reconnect.

use super::{
    connection::{Buffers, Failure, State},
    dial::{dial, source},
    event_loop::{EventLoop, Unread, is_late},
    plan::{Protocol, Reads},
    stream::Phase,
    timers::Task,
};
use crate::{
    measure::{Ended, unix_micros},
    tls::explain,
};
use mio::{Interest, Token};
use rand::RngExt;
use std::time::{Duration, Instant};

/// How often a slow reader reads.
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How long a stream that left as planned stays away, in ms.
const AWAY_MILLIS: std::ops::Range<u64> = 100..2_000;

impl EventLoop {
    /// Opens a stream: on its connection if that takes requests, else once it does.
    /// Its times count from when it was due.
    pub(super) fn connect(&mut self, index: u32, due: Instant) {
        let stream = &mut self.streams[index as usize];
        let connection = &mut self.connections[stream.connection as usize];
        if connection.h2.as_ref().is_some_and(|h2| h2.is_going_away) {
            // It ends with its last stream, and then there is a new one.
            self.timers.add(Instant::now() + stream.retry, index, stream.generation, Task::Connect);
            return;
        }
        let now = Instant::now();
        let late = now.saturating_duration_since(due).as_micros() as i64;
        let begun = unix_micros() - late;
        stream.begin(begun);
        connection.opening += 1;
        let connection_index = stream.connection;
        let generation = stream.generation;
        self.connects.late.record(begun, late);
        if generation == 0 {
            self.connects.note(now);
        }
        self.timers.add(now + self.answer_max, index, generation, Task::Timeout);
        match connection.state {
            State::Away => self.dial(connection_index, begun),
            State::Connecting | State::Handshaking => {}
            State::Ready => self.request_waiting(connection_index),
        }
    }

    /// A stream has waited for its answer for too long.
    pub(super) fn time_out(&mut self, index: u32) {
        let stream = &self.streams[index as usize];
        if !stream.is_pending() {
            return;
        }
        let connection = stream.connection;
        let seconds = self.answer_max.as_secs_f64();
        self.observer.refusal.get_or_insert(format!("the server does not answer within {seconds} s"));
        match self.connections[connection as usize].state {
            State::Ready => self.abandon(index, Ended::Timeout),
            // The connection itself hangs, and with it all that wait for it.
            _ => self.end_connection(connection, Some(Ended::Timeout)),
        }
    }

    /// Connects; its times count since `begun`.
    fn dial(&mut self, index: u32, begun: i64) {
        let connection = &mut self.connections[index as usize];
        let receive_buffer = self.groups[connection.group].reads.receive_buffer();
        connection.target = (index as usize + connection.generation as usize) % self.targets.len();
        let target = self.targets[connection.target];
        let dialled = dial(target, source(target.ip(), index), receive_buffer).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index as usize), interest)?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => connection.begin(socket, begun),
            Err(error) => self.refuse(index, Ended::Refused, error.to_string()),
        }
    }

    /// Ends a connection that did not come about.
    fn refuse(&mut self, index: u32, how: Ended, what: String) {
        self.observer.refusal.get_or_insert(what);
        self.end_connection(index, Some(how));
    }

    fn fail(&mut self, index: u32, failure: Failure) {
        let how = match self.connections[index as usize].state {
            State::Ready => Ended::Reset,
            _ => Ended::Handshake,
        };
        match failure {
            Failure::Tls(error) => self.refuse(index, how, explain(&error)),
            Failure::Socket if how == Ended::Handshake => {
                let what = "the server resets the connection within the TLS handshake";
                self.refuse(index, how, what.to_owned());
            }
            Failure::Socket => self.end_connection(index, Some(how)),
        }
    }

    /// The connection is established or has failed: begins TLS, or requests its streams.
    pub(super) fn connected(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        match connection.is_established() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.refuse(index, Ended::Refused, error.to_string()),
        }
        self.observer.measures.connect.record(unix_micros() - connection.begun);
        let Some(tls) = &self.tls else { return self.ready(index) };
        let is_h2 = self.groups[connection.group].protocol == Protocol::Http2;
        let begun = tls.session(is_h2).map_err(Failure::Tls).and_then(|session| connection.shake_hands(session));
        if let Err(failure) = begun {
            self.fail(index, failure);
        }
    }

    /// TLS has shaken hands.
    fn handshaken(&mut self, index: u32) {
        let connection = &self.connections[index as usize];
        self.observer.measures.handshake.record(unix_micros() - connection.begun);
        let is_h2 = connection.tls.as_ref().is_some_and(|tls| tls.is_h2());
        if self.groups[connection.group].protocol == Protocol::Http2 && !is_h2 {
            let what = "the server does not speak HTTP/2: by ALPN it has not chosen h2";
            return self.refuse(index, Ended::Handshake, what.to_owned());
        }
        self.ready(index);
    }

    /// The connection takes requests.
    fn ready(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        let group = &self.groups[connection.group];
        connection.state = State::Ready;
        *self.observer.connections.entry(connection.negotiated(group.protocol)).or_default() += 1;
        if group.protocol == Protocol::Http2 {
            let windows = group.windows;
            if let Err(failure) = self.begin_h2(index, windows) {
                return self.fail(index, failure);
            }
        }
        self.request_waiting(index);
    }

    /// Requests the streams that wait for the connection.
    fn request_waiting(&mut self, index: u32) {
        let connection = &mut self.connections[index as usize];
        let mut out = Vec::new();
        for place in 0..connection.streams.len() {
            let stream = &mut self.streams[connection.streams[place] as usize];
            if stream.phase != Phase::Connecting {
                continue;
            }
            let group = &self.groups[stream.group];
            if let Some(h2) = &mut connection.h2 {
                match stream.request_h2(&mut self.observer, group, &mut h2.client, &mut out) {
                    Some(id) => h2.live.push((id, stream.index)),
                    None => {
                        // The connection has no ids left: the stream waits for the next one.
                        h2.is_going_away = true;
                        continue;
                    }
                }
            } else {
                out.extend_from_slice(stream.request_h1(&mut self.observer, group).as_bytes());
            }
            stream.target = connection.target;
            stream.phase = Phase::Requested;
        }
        if let Err(failure) = connection.send(&out) {
            self.fail(index, failure);
        }
    }

    /// Reads what has arrived, at most one buffer per turn. `is_ended`: the server has ended the connection behind it.
    pub(super) fn read_ready(&mut self, index: u32, is_ended: bool) {
        // A read that leaves room in the buffer has emptied the socket, and later bytes raise another event.
        if self.read(index, usize::MAX).is_some_and(|is_full| is_full || is_ended) {
            self.unread.push(Unread { connection: index, is_ended });
        }
    }

    /// Reads as much as a slow reader's rate allows, and schedules its next read.
    pub(super) fn read_slowly(&mut self, index: u32, now: Instant) {
        let connection = &self.connections[index as usize];
        let Reads::BytesPerSecond(rate) = self.groups[connection.group].reads else { return };
        if self.is_catching_up {
            return self.read_ready(index, false);
        }
        let bytes = (f64::from(rate) * SLOW_READ_INTERVAL.as_secs_f64()).ceil() as usize;
        self.read(index, bytes);
        let connection = &self.connections[index as usize];
        if connection.state == State::Ready {
            self.timers.add(now + SLOW_READ_INTERVAL, index, connection.generation, Task::Read);
        }
    }

    /// Reads once; returns whether there may be more, or `None` if nothing has arrived or the connection has ended.
    fn read(&mut self, index: u32, bytes_max: usize) -> Option<bool> {
        let mut buffers = std::mem::take(&mut self.buffers);
        let is_full = self.read_into(&mut buffers, index, bytes_max);
        self.buffers = buffers;
        is_full
    }

    fn read_into(&mut self, buffers: &mut Buffers, index: u32, bytes_max: usize) -> Option<bool> {
        let connection = &mut self.connections[index as usize];
        let generation = connection.generation;
        let arrived = match connection.read(buffers, bytes_max) {
            Ok(arrived) => arrived?,
            Err(failure) => {
                self.fail(index, failure);
                return None;
            }
        };
        let at = unix_micros();
        self.observer.old_after = (!is_late(self.caught_up, at)).then_some(self.old_after);
        if connection.state == State::Handshaking && connection.tls.as_ref().is_some_and(|tls| !tls.is_handshaking()) {
            self.handshaken(index);
            if self.connections[index as usize].generation != generation {
                return None;
            }
        }
        self.read_plain(buffers, index, arrived.bytes, at);
        if self.connections[index as usize].generation != generation {
            return None;
        }
        if arrived.is_end {
            let is_handshaking = self.connections[index as usize].state == State::Handshaking;
            if is_handshaking {
                let what = "the server ends the connection within the TLS handshake";
                self.refuse(index, Ended::Handshake, what.to_owned());
            } else {
                self.end_connection(index, None);
            }
            return None;
        }
        Some(arrived.is_full)
    }

    /// Hands what has arrived to its streams.
    fn read_plain(&mut self, buffers: &mut Buffers, index: u32, bytes: usize, at: i64) {
        let connection = &self.connections[index as usize];
        if connection.h2.is_some() {
            return self.read_h2(buffers, index, at);
        }
        let plain = if connection.tls.is_some() { &buffers.plain[..] } else { &buffers.input[..bytes] };
        let Some(&stream) = connection.streams.first().filter(|_| !plain.is_empty()) else { return };
        if let Err(how) = self.deliver(stream, plain, at) {
            self.end_connection(index, Some(how));
        }
    }

    /// Hands bytes to a stream.
    ///
    /// # Errors
    /// How the stream has ended, if they end it.
    pub(super) fn deliver(&mut self, index: u32, bytes: &[u8], at: i64) -> Result<(), Ended> {
        let stream = &mut self.streams[index as usize];
        let phase_before = stream.phase;
        stream.receive(bytes, at, &mut self.observer, &self.groups[stream.group])?;
        if phase_before != Phase::Open && stream.phase == Phase::Open {
            self.opened(index);
        }
        Ok(())
    }

    pub(super) fn opened(&mut self, index: u32) {
        self.open += 1;
        let stream = &self.streams[index as usize];
        self.tried += u64::from(stream.generation == 0);
        let connection = &mut self.connections[stream.connection as usize];
        connection.opening -= 1;
        connection.absent = 0;
        let now = Instant::now();
        let is_slow = matches!(self.groups[connection.group].reads, Reads::BytesPerSecond(_));
        if is_slow && connection.opening == 0 && !connection.is_timed {
            connection.is_timed = true;
            self.timers.add(now + SLOW_READ_INTERVAL, stream.connection, connection.generation, Task::Read);
        }
        if let Some(mean_stay) = self.groups[stream.group].mean_stay {
            // Exponentially distributed, so that as many leave in each second.
            let point: f64 = self.random.random_range(f64::EPSILON..1.0);
            self.timers.add(now + mean_stay.mul_f64(-point.ln()), index, stream.generation, Task::Leave);
        }
    }

    /// Where there are several gateways, a client whose connection is refused turns to the next one at once, as through
    /// a load balancer, once to each of them: a gateway that restarts is down as planned. Returns whether it does.
    fn turns_elsewhere(&mut self, index: u32, how: Option<Ended>) -> bool {
        let connection = &mut self.connections[index as usize];
        let phases = || connection.streams.iter().filter_map(|stream| self.streams.get(*stream as usize));
        let was_open = phases().any(|stream| stream.phase == Phase::Open);
        let waits = phases().any(|stream| stream.phase != Phase::Away);
        if how != Some(Ended::Refused) || was_open || !waits || connection.absent + 1 >= self.targets.len() {
            return false;
        }
        connection.close(false);
        connection.absent += 1;
        for stream in &connection.streams {
            let Some(stream) = self.streams.get_mut(*stream as usize).filter(|stream| stream.phase != Phase::Away)
            else {
                continue;
            };
            self.observer.measures.end(stream.group, Ended::Elsewhere);
            stream.wait_again();
        }
        self.dial(index, unix_micros());
        true
    }

    /// Ends a connection, and with it all its streams: by `how`, or as each of them ends with its connection.
    pub(super) fn end_connection(&mut self, index: u32, how: Option<Ended>) {
        if self.turns_elsewhere(index, how) {
            return;
        }
        self.connections[index as usize].close(how == Some(Ended::Left));
        for place in 0..self.connections[index as usize].streams.len() {
            let stream = self.connections[index as usize].streams[place];
            let Some(stream) = self.streams.get(stream as usize).filter(|stream| stream.phase != Phase::Away) else {
                continue;
            };
            self.ended(stream.index, how.unwrap_or_else(|| stream.how_it_ends()));
        }
    }

    /// Counts how a stream has ended, and schedules the next one.
    pub(super) fn ended(&mut self, index: u32, how: Ended) {
        let stream = &mut self.streams[index as usize];
        let was_open = stream.phase == Phase::Open;
        self.open -= u64::from(was_open);
        self.tried += u64::from(!was_open && stream.generation == 0);
        self.is_complete &= !was_open;
        self.observer.measures.end(stream.group, how);
        stream.end();
        let connection = &mut self.connections[stream.connection as usize];
        connection.opening -= usize::from(!was_open);
        if let Some(h2) = &mut connection.h2 {
            h2.live.retain(|(_, live)| *live != index);
        }
        let is_closed = was_open && matches!(how, Ended::Ended | Ended::Reset | Ended::Shutdown);
        if is_closed && self.groups[stream.group].reads.may_be_closed() {
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
