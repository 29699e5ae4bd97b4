//! Connections of HTTP/2: many streams on one, which begin and end apart from each other.

use super::{
    connection::{Buffers, Failure, H2},
    event_loop::EventLoop,
    plan::{Protocol, Reads},
    stream::Phase,
};
use crate::{
    check::Rule,
    h2::{Client, ErrorCode, Event, Windows},
    measure::Ended,
    wire::Head,
};
use std::time::Instant;

impl EventLoop {
    pub(super) fn begin_h2(&mut self, index: u32, windows: Windows) -> Result<(), Failure> {
        let mut out = Vec::new();
        let client = Client::new(windows, Instant::now(), &mut out);
        let connection = &mut self.connections[index as usize];
        connection.h2 = Some(Box::new(H2 { client, live: Vec::new(), is_going_away: false }));
        connection.send(&out)
    }

    /// Reads what was decrypted, and hands it to the connection's streams.
    pub(super) fn read_h2(&mut self, buffers: &mut Buffers, index: u32, at: i64) {
        let now = Instant::now();
        let Buffers { plain, out, events, .. } = buffers;
        out.clear();
        events.clear();
        let Some(h2) = &mut self.connections[index as usize].h2 else { return };
        let read = h2.client.receive(plain, now, out, events);
        for place in 0..events.len() {
            match &events[place] {
                Event::Head { stream, head } => {
                    // Beside a refusal its body says why.
                    let body = match events.get(place + 1) {
                        Some(Event::Data { stream: same, bytes }) if same == stream => &plain[bytes.clone()],
                        _ => &[],
                    };
                    self.answered(index, *stream, head, body, at, out);
                }
                Event::Data { stream, bytes } => self.data(index, *stream, &plain[bytes.clone()], at, out),
                Event::End { stream } => {
                    if let Some(stream) = self.stream_on(index, *stream) {
                        self.ended(stream, self.streams[stream as usize].how_it_ends());
                    }
                }
                Event::Reset { stream, code } => self.reset(index, *stream, *code),
                Event::GoAway { last, code } => self.go_away(index, *last, *code),
            }
        }
        if let Err(error) = read {
            let what = format!("HTTP/2: {error}");
            self.observer.violations.note(Rule::Malformed, None, at, what.clone(), b"");
            self.observer.refusal.get_or_insert(what);
            return self.end_connection(index, Some(Ended::Reset));
        }
        let connection = &mut self.connections[index as usize];
        let is_over = connection.h2.as_ref().is_some_and(|h2| h2.is_going_away && h2.live.is_empty());
        if let Err(Failure::Tls(_) | Failure::Socket) = connection.send(out) {
            self.end_connection(index, Some(Ended::Reset));
        } else if is_over {
            self.end_connection(index, Some(Ended::Left));
        }
    }

    fn stream_on(&self, connection: u32, id: u32) -> Option<u32> {
        self.connections[connection as usize].h2.as_ref()?.stream(id)
    }

    fn answered(&mut self, connection: u32, id: u32, head: &Head, body: &[u8], at: i64, out: &mut Vec<u8>) {
        let Some(index) = self.stream_on(connection, id) else { return };
        let stream = &mut self.streams[index as usize];
        match stream.answered(head, body, at, &mut self.observer, &self.groups[stream.group]) {
            Ok(()) => self.opened(index),
            Err(how) => self.cancel(index, id, how, out),
        }
    }

    fn data(&mut self, connection: u32, id: u32, bytes: &[u8], at: i64, out: &mut Vec<u8>) {
        let Some(index) = self.stream_on(connection, id) else { return };
        if let Err(how) = self.deliver(index, bytes, at) {
            return self.cancel(index, id, how, out);
        }
        let stream = &mut self.streams[index as usize];
        stream.taken += bytes.len() as u64;
        let Reads::BlockedAfter(most) = self.groups[stream.group].reads else { return };
        if stream.taken >= u64::from(most) && !self.is_catching_up {
            self.block(index, id, true, out);
        }
    }

    /// Ends a stream of which nothing more is wanted.
    fn cancel(&mut self, index: u32, id: u32, how: Ended, out: &mut Vec<u8>) {
        let connection = self.streams[index as usize].connection;
        if let Some(h2) = &mut self.connections[connection as usize].h2 {
            h2.client.cancel(id, Instant::now(), out);
        }
        self.ended(index, how);
    }

    fn block(&mut self, index: u32, id: u32, is_blocked: bool, out: &mut Vec<u8>) {
        let connection = self.streams[index as usize].connection;
        if let Some(h2) = &mut self.connections[connection as usize].h2 {
            h2.client.block(id, is_blocked, Instant::now(), out);
        }
    }

    fn reset(&mut self, connection: u32, id: u32, code: ErrorCode) {
        let Some(index) = self.stream_on(connection, id) else { return };
        let stream = &self.streams[index as usize];
        let how = if stream.phase == Phase::Open {
            Ended::Reset
        } else {
            self.observer.refuse(format!("the server resets the stream before its head: {code}"))
        };
        self.ended(index, how);
    }

    /// The server ends the connection: streams that it still answers go on, the others end.
    fn go_away(&mut self, index: u32, last: u32, code: ErrorCode) {
        let Some(h2) = &mut self.connections[index as usize].h2 else { return };
        h2.is_going_away = true;
        let unanswered: Vec<u32> = h2.live.iter().filter(|(id, _)| *id > last).map(|(_, stream)| *stream).collect();
        if code != ErrorCode::NO_ERROR {
            self.observer.refusal.get_or_insert(format!("the server ends the connection: GOAWAY with {code}"));
        }
        for stream in unanswered {
            let is_open = self.streams[stream as usize].phase == Phase::Open;
            self.ended(stream, if is_open { Ended::Reset } else { Ended::NoStream });
        }
    }

    /// Ends a stream: with HTTP/1.1 its connection too.
    pub(super) fn abandon(&mut self, index: u32, how: Ended) {
        let stream = &self.streams[index as usize];
        let connection_index = stream.connection;
        if self.groups[stream.group].protocol == Protocol::Http1 {
            return self.end_connection(connection_index, Some(how));
        }
        let id = self.connections[connection_index as usize].h2.as_ref().and_then(|h2| h2.id(index));
        // It has no request yet: it waits for a connection, which goes on with the streams beside it.
        let Some(id) = id else { return self.ended(index, how) };
        let mut out = Vec::new();
        self.cancel(index, id, how, &mut out);
        if self.connections[connection_index as usize].send(&out).is_err() {
            self.end_connection(connection_index, Some(Ended::Reset));
        }
    }

    /// The pages that were blocked take what has arrived meanwhile, and go on.
    pub(super) fn unblock_all(&mut self) {
        for index in 0..self.connections.len() {
            let Some(h2) = &self.connections[index].h2 else { continue };
            let mut out = Vec::new();
            for (id, stream) in h2.live.clone() {
                self.block(stream, id, false, &mut out);
            }
            if self.connections[index].send(&out).is_err() {
                self.end_connection(index as u32, Some(Ended::Reset));
            }
        }
    }
}
