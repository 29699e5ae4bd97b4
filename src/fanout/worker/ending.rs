//! How a worker ends streams.

use super::Worker;
use crate::{
    fanout::{
        close_reason::CloseReason,
        missed::Missed,
        phase::Farewell,
        stream_key::StreamKey,
        transport::{Stall, Transport},
        write_queues::WriteQueue,
    },
    market::Now,
    wire::{self, Bye},
};
use rand::RngExt;
use slotmap::KeyData;
use std::{ops::Range, time::Duration};

/// When a client whose rights ended reconnects, in milliseconds: it needs new credentials, and finds its page ready.
const RETRY_AFTER_EXPIRY_MILLIS: Range<u64> = 1_000..3_000;
/// When the client of a stopping gateway reconnects, in milliseconds: spread, so that the next gateway sees no storm.
pub(in crate::fanout) const RETRY_AFTER_SHUTDOWN_MILLIS: Range<u64> = 1_000..10_000;

impl<T: Transport> Worker<T> {
    /// Begins to end all streams, each at a random moment of the drain.
    pub(super) fn drain(&mut self, drain: Duration, now: Now) {
        self.drains = true;
        self.take_inbox(now); // changes that were being gathered come before every goodbye
        for key in self.table.keys() {
            let end = now.instant + drain.mul_f64(self.random.random_range(0.0..1.0));
            self.table.stream(key).drain(end);
            self.table.arm(key);
        }
        self.drain_connections();
    }

    /// Ends a stream: the ticks that it lacks are written if there is room, then its goodbye, as soon as there is. Only
    /// a client that takes neither in time is cut off.
    pub(super) fn say_goodbye(&mut self, key: StreamKey, now: Now) {
        if self.table.stream(key).is_draining() {
            self.table.mark_waiting(key, &self.symbols, now);
        }
        let is_queued = self.table.is_queued(key);
        match self.table.stream(key).farewell(is_queued, now) {
            Farewell::CutOff => {
                let reason = self.table.stream(key).farewell_reason();
                self.end(key, reason, now);
            }
            Farewell::Await => {} // the next room is for the goodbye
            Farewell::WriteTicks => self.table.queue(key, WriteQueue::Cold, now),
            Farewell::WriteGoodbye => self.write_goodbye(key, now),
        }
    }

    pub(super) fn write_goodbye(&mut self, key: StreamKey, now: Now) {
        let bye = self.table.stream(key).bye();
        let retry = match bye {
            Bye::Expired | Bye::Denied => RETRY_AFTER_EXPIRY_MILLIS,
            Bye::Shutdown | Bye::Busy => RETRY_AFTER_SHUTDOWN_MILLIS,
        };
        let retry = Duration::from_millis(self.random.random_range(retry));
        self.table.withdraw(key); // nothing comes after the goodbye, whatever the stream still lacks
        let stream = self.table.stream(key);
        match stream.write_goodbye(&wire::bye(bye, retry), now) {
            Ok(bytes) => {
                self.counts.count_write(bytes, Missed::default());
                self.counts.full += u64::from(stream.is_full());
                if stream.holds_bytes() {
                    self.written(key);
                }
            }
            Err(reason) => self.end(key, reason, now),
        }
    }

    /// Ends a stream that has taken no byte for the stall timeout, or the one that keeps it from doing so.
    pub(super) fn end_stalled(&mut self, key: StreamKey, now: Now) {
        match self.table.stream(key).stalled(now) {
            Stall::Client => self.end(key, CloseReason::Stalled, now),
            Stall::Window => self.end(key, CloseReason::Window, now),
            Stall::Neighbour(None) => {}
            Stall::Neighbour(Some(other)) => {
                self.end(StreamKey::from(KeyData::from_ffi(other)), CloseReason::Window, now);
            }
        }
    }

    /// Takes a stream out, and its subscriptions with it.
    pub(super) fn end(&mut self, key: StreamKey, reason: CloseReason, now: Now) {
        let Some(mut stream) = self.table.remove(key) else { return };
        stream.close();
        if let Some(connection) = stream.connection() {
            self.connections.touch(connection);
        }
        self.counts.missed.add(stream.give_up(&self.symbols));
        self.log.ended(&stream, reason, now);
        self.counts.full -= u64::from(stream.is_full());
        self.counts.closed[reason as usize] += 1;
        for slot in stream.slots() {
            if let Some(moved) = self.symbols.unsubscribe(slot.symbol, slot.subscriber, now)
                && let Some(neighbour) = self.table.get_mut(moved.stream)
            {
                neighbour.subscriber_moved(moved.slot, slot.subscriber);
            }
        }
    }
}
