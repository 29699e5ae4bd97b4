//! A message that is being written.

use super::{
    beat::Beat,
    head::{HEAD_BYTES, Head, Kind, MESSAGE_BYTES_MAX},
    tick::{OwnTick, TICK_BYTES_MAX},
};
use crate::cluster::{clock::Boot, token::Token};
use bytes::Bytes;

/// The owner that sends a message, and when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// The token of the shard's owner.
    pub token: Token,
    /// The newest revision of its lease.
    pub revision: u64,
    /// How many symbols its table has: at most [`TABLE_MAX`](super::TABLE_MAX).
    pub table: u32,
    /// The owner's clock.
    pub sent: Boot,
}

/// A message with ticks that is being written. Its buffer is kept from message to message.
#[derive(Debug)]
pub struct Draft {
    /// The first [`HEAD_BYTES`] are left free. All of it is there: a tick is written in place.
    buffer: Vec<u8>,
    length: usize,
    count: u16,
    /// The `n` of the first tick.
    base: u64,
}

/// What a finished message says besides its ticks and its sender.
#[derive(Debug, Clone, Copy)]
pub struct Finish {
    /// What it is.
    pub kind: Kind,
    /// Its number.
    pub batch: u64,
    /// Whether it is the first of its kind.
    pub is_first: bool,
    /// Whether it is the last of its kind.
    pub is_last: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self { buffer: Vec::new(), length: HEAD_BYTES, count: 0, base: 0 }
    }
}

impl Draft {
    /// Appends a tick.
    ///
    /// # Panics
    /// If the message [is full](Self::is_full).
    pub fn push(&mut self, tick: &OwnTick<'_>) {
        assert!(!self.is_full(), "a message that is full was not sent");
        if self.count == 0 {
            self.base = tick.n;
        }
        if self.buffer.len() < self.length + TICK_BYTES_MAX {
            let longer = (self.length + TICK_BYTES_MAX).next_power_of_two();
            self.buffer.resize(longer.min(MESSAGE_BYTES_MAX), 0);
        }
        self.length += tick.write(&mut self.buffer[self.length..self.length + TICK_BYTES_MAX], self.base);
        self.count += 1;
    }

    /// How many ticks it has.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// How many bytes it has, with its head.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether it may not get another tick.
    pub fn is_full(&self) -> bool {
        self.length + TICK_BYTES_MAX > MESSAGE_BYTES_MAX || self.count == u16::MAX
    }

    /// The message. The draft is empty afterwards.
    pub fn finish(&mut self, finish: &Finish, sender: &Sender) -> Bytes {
        let Finish { kind, batch, is_first, is_last } = *finish;
        let Sender { token, revision, table, sent } = *sender;
        let (base, count) = (self.base, self.count);
        if self.buffer.len() < HEAD_BYTES {
            self.buffer.resize(HEAD_BYTES, 0);
        }
        let head = Head { kind, token, batch, revision, base, sent, table, count, is_first, is_last };
        head.write(&mut self.buffer[..self.length]);
        let message = Bytes::copy_from_slice(&self.buffer[..self.length]);
        self.length = HEAD_BYTES;
        self.count = 0;
        self.base = 0;
        message
    }
}

/// A beat of an owner whose last batch is `batch`.
pub fn write_beat(beat: &Beat, batch: u64, sender: &Sender) -> Bytes {
    signal(Kind::Beat, batch, 0, &beat.bytes(), sender)
}

/// The end of an answer of `count` messages, from an owner whose last batch is `batch`.
pub fn write_end(count: u16, batch: u64, sender: &Sender) -> Bytes {
    signal(Kind::End, batch, count, &[], sender)
}

/// The answer to an ask for batches that the owner does not have.
pub fn write_gone(batch: u64, sender: &Sender) -> Bytes {
    signal(Kind::Gone, batch, 0, &[], sender)
}

/// The answer of an owner that answers as many asks as it may.
pub fn write_busy(batch: u64, sender: &Sender) -> Bytes {
    signal(Kind::Busy, batch, 0, &[], sender)
}

fn signal(kind: Kind, batch: u64, count: u16, body: &[u8], sender: &Sender) -> Bytes {
    let Sender { token, revision, table, sent } = *sender;
    let mut message = vec![0; HEAD_BYTES];
    message.extend_from_slice(body);
    let head = Head { kind, token, batch, revision, base: 0, sent, table, count, is_first: false, is_last: false };
    head.write(&mut message);
    message.into()
}
