//! What a connection writes: parts of streams, and answers.

use super::{Connection, ConnectionEnd, StreamId};
use crate::{
    fanout::{
        response_head::ResponseHead,
        transport::{Ready, Stall, Taken, TransportError},
    },
    h2::{ErrorCode, Room},
};
use bytes::{Buf, Bytes};
use http::StatusCode;
use std::{
    io::{self, ErrorKind},
    mem,
    time::Instant,
};

impl Connection {
    /// Takes blocks of a stream, and before the first its head.
    ///
    /// # Errors
    /// The stream or the connection is over.
    pub(in crate::fanout::h2) fn write(
        &mut self,
        id: StreamId,
        head: &mut Option<ResponseHead>,
        mut blocks: &[&Bytes],
        now: Instant,
    ) -> io::Result<Taken> {
        self.check(id).map_err(into_io)?;
        let mut taken = 0;
        if self.output.full_since().is_some() {
            return Ok(self.full(id, taken));
        }
        self.output.gather();
        if let Some(head) = head.take() {
            let fields = head.fields().iter().map(|(name, value)| (name, value));
            if !self.protocol.respond(id, StatusCode::OK, fields, false, &mut self.output.frames) {
                return Err(ErrorKind::ConnectionReset.into());
            }
        }
        while !blocks.is_empty() {
            let mut room = self.output.room();
            let mut count = fitting(blocks, room);
            if count == 0 {
                if !self.send_record(now)? {
                    return Ok(self.full(id, taken));
                }
                room = self.output.room();
                count = fitting(blocks, room).max(1); // a block that no record holds is cut
            }
            let (offer, others) = blocks.split_at(count);
            let offered: usize = offer.iter().map(|block| block.len()).sum();
            let written = self.protocol.data(id, offer, room, now, &mut self.output.frames);
            taken += written;
            self.spared_until = self.spared_until.filter(|_| written == 0);
            if written < offered {
                self.cut(id, written == room, now);
                return Ok(Taken { bytes: taken, full: true });
            }
            blocks = others;
        }
        Ok(Taken { bytes: taken, full: false })
    }

    /// Makes room for another record; returns whether there is any.
    fn send_record(&mut self, now: Instant) -> io::Result<bool> {
        let sent = self.output.send(now);
        if let Err(error) = &sent {
            self.abort(error.into());
        }
        sent
    }

    /// The I/O is full. The stream has room when the I/O has.
    fn full(&mut self, id: StreamId, bytes: usize) -> Taken {
        self.await_room(id);
        Taken { bytes, full: true }
    }

    /// A stream was not written whole: its block was longer than the record, or a window or the reader check keeps it
    /// back until the client says more.
    fn cut(&mut self, id: StreamId, by_record: bool, now: Instant) {
        let Some(stream) = self.rows.stream(id) else { return };
        if by_record {
            self.news.push(Ready { key: stream.key, readable: false, writable: true });
        } else {
            let is_held = self.protocol.room(id, now) == Room::Held;
            self.rows.set_held(id, is_held);
        }
    }

    /// Reports room to a stream once the I/O has any; returns whether it has.
    pub(in crate::fanout::h2) fn await_room(&mut self, id: StreamId) -> bool {
        if self.output.full_since().is_none() {
            return true;
        }
        if let Some(stream) = self.rows.stream(id)
            && !stream.waits
        {
            self.rows.set_waits(id, true);
            self.waiting.push((id, stream.key));
        }
        false
    }

    /// Whether its streams have to end soon.
    pub(in crate::fanout::h2) fn is_worn(&self) -> bool {
        self.output.is_worn()
    }

    /// Whether it has to be settled at the end of the turn.
    pub(in crate::fanout::h2) fn is_unsettled(&self) -> bool {
        !self.output.frames.is_empty() || !self.news.is_empty() || self.is_over()
    }

    /// Sends what waits, and reports room to the streams that wait for it.
    pub(in crate::fanout) fn send(&mut self, now: Instant) {
        if self.is_over() {
            return;
        }
        match self.output.settle(now) {
            Ok(false) => {}
            Ok(true) => {
                for (id, key) in mem::take(&mut self.waiting) {
                    if self.rows.stream(id).is_some() {
                        self.rows.set_waits(id, false);
                        self.news.push(Ready { key, readable: false, writable: true });
                    }
                }
            }
            Err(error) => self.abort((&error).into()),
        }
    }

    /// The I/O may have room again. Answers have a part of it before the streams, whose ticks could fill it for ever.
    pub(in crate::fanout) fn go_on(&mut self, now: Instant) {
        self.send(now);
        if self.is_open() {
            self.write_answers(now);
        }
    }

    /// Writes parts of answers, behind what streams have written; returns whether there is more to write at once.
    pub(super) fn write_answers(&mut self, now: Instant) -> bool {
        let mut done = Vec::new();
        let mut more = false;
        for (id, row) in self.rows.answers() {
            let answer = &mut row.answer;
            if self.output.full_since().is_some() || self.output.room() < least_room(&answer.body) {
                more = true;
                break;
            }
            if !mem::replace(&mut row.has_head, true) {
                let is_whole = answer.body.is_empty();
                self.protocol.respond(id, answer.status, &answer.headers, is_whole, &mut self.output.frames);
                if is_whole {
                    done.push(id);
                    continue;
                }
            }
            let room = self.output.room();
            if room < least_room(&answer.body) {
                more = true; // the head took the rest of the record
                break;
            }
            let written = self.protocol.data(id, &[&answer.body], room, now, &mut self.output.frames);
            answer.body.advance(written);
            if answer.body.is_empty() {
                self.protocol.finish(id, &mut self.output.frames);
                done.push(id);
            }
            more |= written == room;
        }
        for id in done {
            self.rows.remove(id);
        }
        more && self.output.full_since().is_none()
    }

    /// Ends the answers whose clients did not read them in time.
    pub(super) fn expire_answers(&mut self, now: Instant) {
        let late: Vec<_> = self.rows.answers().filter(|(_, answer)| answer.by <= now).map(|(id, _)| id).collect();
        for id in late {
            self.reset(id, ErrorCode::CANCEL);
        }
    }

    /// A stream has taken no byte for the stall timeout.
    pub(in crate::fanout::h2) fn stalled(&mut self, id: StreamId, now: Instant) -> Stall {
        if self.output.full_since().is_some_and(|since| since + self.timeouts.stall <= now) {
            self.abort(ConnectionEnd::Stalled);
            return Stall::Client;
        }
        match self.protocol.room(id, now) {
            Room::ConnectionWindow => self.lacks_shared_window(id, now),
            Room::StreamWindow | Room::Held => Stall::Window,
            Room::Bytes(_) | Room::Closed => Stall::Client,
        }
    }

    /// Only the window that all streams share lacks room. The stream with the most unread bytes ends, whether it has
    /// more to write or not: a browser gives back the bytes of a stream that is over. The others have their time again,
    /// once, until one of them is written.
    fn lacks_shared_window(&mut self, id: StreamId, now: Instant) -> Stall {
        if let Some(until) = self.spared_until {
            return if now < until { Stall::Neighbour(None) } else { Stall::Window };
        }
        self.spared_until = Some(now + self.timeouts.stall);
        match self.protocol.most_unread() {
            None => Stall::Window,
            Some(most) if most == id => Stall::Window,
            Some(most) => {
                let key = self.rows.stream(most).map(|stream| stream.key);
                if key.is_none() {
                    self.reset(most, ErrorCode::CANCEL);
                }
                Stall::Neighbour(key)
            }
        }
    }
}

/// The error of a write to a stream that is over.
fn into_io(error: TransportError) -> io::Error {
    match error {
        TransportError::Left => ErrorKind::BrokenPipe.into(),
        TransportError::Broken(error) => error,
        TransportError::Stalled | TransportError::TooMuchInput => io::Error::other(error),
    }
}

/// How many of these blocks fit so many bytes.
fn fitting(blocks: &[&Bytes], mut room: usize) -> usize {
    let fits = blocks.iter().take_while(|block| {
        let fits = block.len() <= room;
        room = room.saturating_sub(block.len());
        fits
    });
    fits.count()
}

/// The least room in a record for a part of an answer. A head without a body takes its turn like any other part.
fn least_room(body: &Bytes) -> usize {
    body.len().clamp(1, 1024)
}
