//! How a worker writes its streams, and keeps their deadlines.

use super::Worker;
use crate::{
    fanout::{
        close_reason::CloseReason,
        first_block::RETRY_MILLIS,
        missed::Missed,
        schedule::Due,
        stream::Greeting,
        stream_key::{StreamAddress, StreamKey},
        transport::Transport,
        write_queues::WriteQueue,
    },
    market::Now,
    wire,
};
use rand::RngExt;
use slotmap::Key;
use std::{mem, time::Duration};

/// Writes between two looks at inbox, readiness and deadlines: about a millisecond.
const WRITES_PER_TURN: usize = 256;

impl<T: Transport> Worker<T> {
    /// Writes as many of the queued streams as one turn may.
    pub(super) fn write_batch(&mut self, now: Now) {
        if self.table.round_is_over() {
            self.begin_round(now);
        }
        let mut ended = Vec::new();
        for _ in 0..WRITES_PER_TURN {
            let Some(key) = self.next_to_write() else { break };
            if let Err(reason) = self.write(key, now) {
                ended.push((key, reason));
            }
        }
        self.company.clear(); // what is left of it still stands in the queues
        for (key, reason) in ended {
            self.end(key, reason, now);
        }
    }

    /// The next stream to write: one that shares a connection with a stream that this turn has written, so that both
    /// share a record, else the next in the queues.
    fn next_to_write(&mut self) -> Option<StreamKey> {
        while let Some(key) = self.company.pop() {
            if self.table.take_queued(key) {
                return Some(key);
            }
        }
        self.table.next()
    }

    /// Notes that a stream's transport holds bytes, which leave at the end of the turn.
    pub(super) fn written(&mut self, key: StreamKey) {
        match self.table.stream(key).connection() {
            None => self.unflushed.push(key),
            Some(connection) if self.connections.written(connection) => self.add_company(connection, key),
            Some(_) => {}
        }
    }

    /// Writes one stream.
    fn write(&mut self, key: StreamKey, now: Now) -> Result<(), CloseReason> {
        let stream = self.table.stream(key);
        if stream.is_expired(now) {
            if !stream.is_ending() {
                self.say_goodbye(key, now); // else its deadline has come, or comes in a moment
                self.table.arm(key);
            }
            return Ok(());
        }
        let gathers = self.limits.flush_interval.is_some();
        let was_full = stream.full_since().is_some();
        if stream.options().leave_out() || (gathers && was_full) {
            self.symbols.catch_up(stream.slots().iter().map(|slot| slot.symbol), now);
        }
        let counts = &mut self.counts;
        let mut written = stream.write(&self.symbols, now, self.limits.max_lag, |since, had_room| {
            counts.count_tick(now.instant.saturating_duration_since(since), had_room);
        })?;
        if written.starts_over {
            let address = StreamAddress { worker: self.index, key: key.data().as_ffi() };
            let control = self.names.as_ref().map(|names| names.name(stream.name(), address)).unwrap_or_default();
            let retry = Duration::from_millis(self.random.random_range(RETRY_MILLIS));
            written = stream.greet(&mut self.symbols, &Greeting { retry, control }, now)?;
        }
        counts.count_write(written.bytes, written.missed);
        if let Some(wait) = written.first_tick {
            counts.first_tick.record(wait);
        }
        counts.full += u64::from(stream.is_full());
        let is_worn = stream.drain_worn(now);
        // A write puts a heartbeat off, for which the entry in the schedule serves. Other deadlines may come sooner by
        // it.
        let must_arm = is_worn || was_full || stream.full_since().is_some();
        if stream.holds_bytes() {
            self.written(key);
        }
        if written.more {
            self.table.queue_again(key, now);
        }
        if must_arm {
            self.table.arm(key);
        }
        Ok(())
    }

    /// Marks the streams of hot symbols that have changed since the last round began.
    fn begin_round(&mut self, now: Now) {
        for id in mem::take(&mut self.next_round) {
            let Some(symbol) = self.symbols.find(id) else { continue };
            let changed = symbol.take_waiting();
            self.table.mark_all(symbol, changed, WriteQueue::Hot, now);
        }
        self.table.begin_round();
    }

    /// Sends what transports hold at the end of a batch.
    pub(super) fn flush_transports(&mut self, now: Now) {
        let mut unflushed = mem::take(&mut self.unflushed);
        for key in unflushed.drain(..) {
            self.flush(key, now);
        }
        self.unflushed = unflushed;
    }

    /// Sends what a transport holds.
    pub(super) fn flush(&mut self, key: StreamKey, now: Now) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let was_full = stream.is_full();
        match stream.flush(now) {
            Ok(_) if stream.is_full() && !was_full => {
                self.counts.full += 1;
                self.table.arm(key);
            }
            Ok(_) => {}
            Err(reason) => self.end(key, reason, now),
        }
    }

    /// Does what deadlines ask for.
    pub(super) fn keep_deadlines(&mut self, now: Now) {
        while let Some(key) = self.table.next_due(now) {
            let stream = self.table.stream(key);
            match stream.due(now, self.limits.stall_timeout) {
                Due::Nothing => {}
                Due::Write => {
                    stream.stop_waiting();
                    self.table.queue_again(key, now);
                }
                Due::Heartbeat => self.write_heartbeat(key, now),
                Due::Stalled => self.end_stalled(key, now),
                Due::End => self.say_goodbye(key, now),
            }
            self.table.arm(key);
        }
    }

    /// Finds out whether the client of a half-closed transport still reads: a client that left answers the heartbeat
    /// with a reset. The bytes that fill a full transport do the same.
    pub(super) fn probe(&mut self, key: StreamKey, now: Now) {
        if !self.table.stream(key).is_full() {
            self.write_heartbeat(key, now);
            self.table.arm(key);
        }
    }

    fn write_heartbeat(&mut self, key: StreamKey, now: Now) {
        let stream = self.table.stream(key);
        match stream.write_heartbeat(|| wire::heartbeat(now.unix), now) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                self.counts.count_write(bytes, Missed::default());
                self.counts.full += u64::from(stream.is_full());
                if stream.holds_bytes() {
                    self.written(key);
                }
            }
            Err(reason) => self.end(key, reason, now),
        }
    }
}
