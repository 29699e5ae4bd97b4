//! How a worker serves the connections that several of its streams share.

use super::Worker;
use crate::{
    fanout::{
        h2::{ConnectionEnd, ConnectionKey, H2Answer, H2Request, H2Stream, NewConnection, UnreadAnswers, key_of, lock},
        stream_key::StreamKey,
        transport::{Ready, Transport},
    },
    market::Now,
};
use slotmap::KeyData;

impl<T: Transport> Worker<T> {
    /// Takes a connection over.
    pub(super) fn adopt(&mut self, mut new: NewConnection, load: Box<dyn Send>, now: Now) {
        let input = std::mem::take(&mut new.input);
        let peer = new.peer;
        let Ok(key) = self.connections.insert(new, load, now.instant) else {
            return self.connection_log.ended(peer, ConnectionEnd::Error, now);
        };
        let Some(connection) = self.connections.get(key) else { return };
        if self.drains {
            lock(&connection).drain();
        }
        lock(&connection).receive_first(input, &mut self.connections.scratch, now.instant);
        self.pass_on(key, now);
    }

    /// Writes the answer to a request.
    pub(super) fn answer(&mut self, stream: &H2Stream, answer: H2Answer, now: Now) {
        let Some(key) = key_of(stream.token()) else { return };
        if let Some(connection) = self.connections.get(key) {
            lock(&connection).answer(stream.id(), answer, now.instant);
            self.connections.touch(key);
        }
    }

    /// Ends a connection without streams.
    pub(super) fn give_way(&mut self, token: u64, now: Now) {
        let Some(key) = key_of(token) else { return };
        if let Some(connection) = self.connections.get(key) {
            lock(&connection).give_way(now.instant);
            self.connections.touch(key);
        }
    }

    /// Ends answers that their clients do not read.
    pub(super) fn end_unread(&mut self, unread: &UnreadAnswers, now: Now) {
        for key in self.connections.keys() {
            let Some(connection) = self.connections.get(key) else { continue };
            let whose = lock(&connection).peer().ip();
            if (unread.whose)(whose) && lock(&connection).end_unread(unread.since, now.instant) {
                self.connections.touch(key);
            }
        }
    }

    /// Ends every connection with its last stream.
    pub(super) fn drain_connections(&mut self) {
        for key in self.connections.keys() {
            if let Some(connection) = self.connections.get(key) {
                lock(&connection).drain();
                self.connections.touch(key);
            }
        }
    }

    /// Reacts to what happened to a connection's I/O. If other connections took what this turn may read, it is read in
    /// the next.
    pub(super) fn connection_ready(&mut self, key: ConnectionKey, ready: Ready, now: Now) {
        let Some(connection) = self.connections.get(key) else { return };
        let mut connection = lock(&connection);
        if ready.writable {
            connection.go_on(now.instant);
        }
        let may_read = self.connections.may_read();
        let has_more = ready.readable && may_read && connection.receive(&mut self.connections.scratch, now.instant);
        drop(connection);
        if has_more {
            self.connections.go_on(key);
        } else if ready.readable && !may_read {
            self.connections.read_later(key);
        }
        self.pass_on(key, now);
    }

    /// Goes on with the connections that had more to read or to write than one turn may.
    pub(super) fn go_on(&mut self, now: Now) {
        for key in self.connections.take_unfinished() {
            self.connection_ready(key, Ready { key: 0, readable: true, writable: false }, now);
        }
    }

    /// Passes on what came of a connection: its requests to their listener, its news to its streams.
    fn pass_on(&mut self, key: ConnectionKey, now: Now) {
        let Some(connection) = self.connections.get(key) else { return };
        if let Some(requests) = self.connections.requests(key) {
            let (address, peer) = {
                let connection = lock(&connection);
                (connection.address(), connection.peer().ip())
            };
            for (id, head, body) in self.connections.scratch.requests.drain(..) {
                if !lock(&connection).awaits_answer(id) {
                    continue;
                }
                let stream = H2Stream::new(connection.clone(), address, id);
                if requests.take(H2Request { head, body, peer, stream }).is_err() {
                    lock(&connection).refuse(id, now.instant);
                }
            }
        }
        let news = lock(&connection).take_news();
        for ready in news {
            self.transport_ready(ready, now);
        }
        self.connections.touch(key);
    }

    /// The streams that wait to be written and share a connection with `written`, which was: together, they share a
    /// record. They come in turn, as the first of them has waited longest: over a slow line all have their share of it.
    pub(super) fn add_company(&mut self, key: ConnectionKey, written: StreamKey) {
        let Some(connection) = self.connections.get(key) else { return };
        let start = self.company.len();
        self.company.extend(lock(&connection).keys().map(|key| StreamKey::from(KeyData::from_ffi(key))));
        let company = &mut self.company[start..];
        let next = company.iter().position(|&key| key == written).map_or(0, |place| place + 1);
        company.rotate_left(next);
        company.reverse(); // the last is taken first
    }

    /// Does what the deadlines of connections ask for.
    pub(super) fn keep_connection_deadlines(&mut self, now: Now) {
        while let Some(key) = self.connections.next_due(now) {
            if let Some(connection) = self.connections.get(key) {
                lock(&connection).keep_deadline(now.instant);
                self.pass_on(key, now);
            }
        }
    }

    /// Ends the turn of all connections in which something happened: sends what their streams wrote.
    pub(super) fn settle_connections(&mut self, now: Now) {
        while let Some(key) = self.connections.next_touched() {
            let Some(connection) = self.connections.get(key) else { continue };
            let settled = lock(&connection).settle(now.instant);
            let news = lock(&connection).take_news();
            let over = self.connections.settled(key, settled);
            for ready in news {
                self.transport_ready(ready, now);
            }
            if let Some(end) = over {
                self.connection_log.ended(lock(&connection).peer(), end, now);
            }
        }
        self.counts.connections = self.connections.len() as u64;
        self.counts.held = self.connections.held() as u64;
    }
}
