//! What a node has while it owns a shard: the tape, with the way of ticks to the bus, and the answers to followers.

use super::{
    batch::NewTick,
    bus::{Bus, Leases, ReplyTo, Sent, Subject},
    cache_book::{CacheBook, Tapping},
    clock::{Boot, Moment},
    history::{Answer, OWNER_BEFORE_FIRST, SnapshotWriter},
    lease::Start,
    message::{Ask, DecodeError},
    outlet::Outlet,
    report::Traffic,
    shard_io::{Input, ShardIo},
    tape::Tape,
    token::Token,
};
use crate::{cache::SymbolState, feed::FeedState, ingest::Outlet as _};
use bytes::Bytes;
use std::{
    cell::RefCell,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{sync::Notify, task::yield_now};

/// A snapshot reads so many symbols before other tasks have their turn.
const SLICE: usize = 256;

/// A node's time as the owner of a shard.
pub(super) struct Tenure<B> {
    /// Which one of the shard's task.
    pub(super) number: u64,
    pub(super) outlet: Arc<Outlet<B>>,
}

impl<B: Bus> Tenure<B> {
    /// The tape of an owner of so many symbols.
    pub(super) fn tape(token: Token, symbols: usize, start: Start, window: Duration) -> Tape {
        let table = u32::try_from(symbols).expect("a cache holds fewer symbols than a u32 counts");
        Tape::new(token, table, start, window)
    }

    pub(super) fn new(
        number: u64,
        tape: Tape,
        bus: B,
        live: Subject,
        traffic: Arc<Traffic>,
        wake: Arc<Notify>,
    ) -> Self {
        Self { number, outlet: Arc::new(Outlet::new(tape, bus, live, traffic, wake)) }
    }

    /// When the tape has something to publish.
    pub(super) fn due(&self) -> Option<Boot> {
        self.outlet.due()
    }

    /// What beats say of the feed.
    pub(super) fn set_feed(&self, feed: FeedState) {
        self.outlet.tape().set_feed(feed);
    }

    /// The connection to the venue is gone: all symbols are stale.
    pub(super) fn make_stale(&self, book: &mut CacheBook, now: Moment) {
        self.outlet.begin();
        book.close(&*self.outlet);
        self.outlet.send(now);
    }

    /// The connection to the venue is closed: seals the last batch, in which all symbols are stale, and publishes it.
    /// Returns its number.
    pub(super) fn close(&self, book: &mut CacheBook, now: Moment) -> u64 {
        self.outlet.begin();
        book.close(&*self.outlet);
        self.outlet.close();
        self.outlet.tape().seal(now.boot);
        self.outlet.send(now);
        self.outlet.tape().last()
    }

    /// The shard is handed over: from now on only the history is asked for.
    pub(super) fn retire(&self, now: Moment) {
        self.outlet.close();
        self.outlet.tape().retire(now.boot);
    }

    /// Whether a tape that is handed over has nothing left to answer.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.outlet.tape().is_over(now.boot)
    }

    /// A counted answer of the tenure of this number was sent or given up. The places of another tenure are gone with
    /// it.
    pub(super) fn answered(&self, number: u64) {
        if number == self.number {
            self.outlet.tape().answered();
        }
    }

    /// Answers what a follower asks for.
    pub(super) fn answer<L: Leases>(
        &self,
        ask: &Bytes,
        to: ReplyTo,
        symbols: &Arc<[Arc<SymbolState>]>,
        now: Moment,
        io: &mut ShardIo<B, L>,
    ) {
        let ask = match Ask::decode(ask) {
            Ok(ask) => ask,
            Err(error) => {
                // The follower asks again; one of another version cannot be answered.
                let is_version = error == DecodeError::Version;
                io.traffic().other_version.fetch_add(u64::from(is_version), Ordering::Relaxed);
                return;
            }
        };
        let answer = self.outlet.tape().answer(ask, now);
        match answer {
            None => {}
            // A follower that gets no answer asks again.
            Some(Answer::Messages(messages)) => {
                let _ = io.answer(to, messages, Duration::ZERO, None);
            }
            Some(Answer::Later(messages)) => {
                let _ = io.answer(to, messages, OWNER_BEFORE_FIRST, None);
            }
            Some(Answer::History(messages)) => {
                let is_begun = io.answer(to, messages, Duration::ZERO, Some(Input::Answered(self.number)));
                if !is_begun {
                    self.outlet.tape().answered();
                }
            }
            Some(Answer::Snapshot) => {
                let number = self.number;
                let sends = send_snapshot(self.outlet.clone(), symbols.clone(), io.bus().clone(), to);
                io.request(async move {
                    sends.await;
                    Input::Answered(number)
                });
            }
        }
    }
}

/// Reads the symbols in slices, while ingest goes on, and sends them.
async fn send_snapshot<B: Bus>(outlet: Arc<Outlet<B>>, symbols: Arc<[Arc<SymbolState>]>, bus: B, to: ReplyTo) {
    let mut writer = SnapshotWriter::default();
    for slice in symbols.chunks(SLICE) {
        if !outlet.is_open() {
            return; // the symbols are those of another owner by now
        }
        let mut messages = Vec::new();
        {
            let (last, sender) = {
                let tape = outlet.tape();
                (tape.last(), tape.sender(Moment::read().boot))
            };
            writer.prepare(last);
            let tap = Tapping(RefCell::new(|tick: &NewTick<'_>| messages.extend(writer.push(tick, &sender))));
            for state in slice {
                state.read(&tap);
            }
        }
        for message in messages {
            if bus.reply(&to, message).await == Sent::Dropped {
                return;
            }
        }
        yield_now().await;
    }
    if !outlet.is_open() {
        return;
    }
    let messages = outlet.tape().end_snapshot(writer, Moment::read().boot);
    for message in messages {
        if bus.reply(&to, message).await == Sent::Dropped {
            return;
        }
    }
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
