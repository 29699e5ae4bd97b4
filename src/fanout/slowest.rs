//! Which of a worker's streams are the slowest: operators ask by a message into its inbox.
//!
//! A worker never walks all of its streams at once: with a hundred thousand streams the walk would delay every round.
//! It looks at a slice per turn. Of a stream that is not full it looks only at the counts: the current round is about
//! to write what such a stream lacks. When the query's time is over, the worker replies with what it has seen.

use super::{
    counts::Counts,
    missed::Missed,
    stream::Stream,
    stream_key::StreamKey,
    stream_table::StreamTable,
    symbols::Symbols,
    transport::{Protocol, Transport},
};
use crate::{
    cache::WorkerIndex,
    market::{Now, Symbol},
    telemetry::ClientName,
    wire::StreamName,
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

/// How many streams, and symbols of full streams, one turn looks at. Each look at a symbol takes its lock; all together
/// take about 0.1 ms.
const LOOKS_PER_TURN: usize = 1024;
/// How many of a stream's symbols are named: enough to recognize a watchlist.
const SYMBOLS_NAMED_MAX: usize = 8;

/// A query to one worker, and how far the worker is with it.
pub struct SlowestQuery {
    limit: usize,
    until: Instant,
    worker: WorkerIndex,
    reply_tx: mpsc::Sender<SlowestStreams>,
    /// The walk goes from the last place of the table to the first; this many are left. A stream that moves meanwhile
    /// comes to a lower place, so none is skipped.
    left: Option<usize>,
    looked_at: usize,
    slowest: BinaryHeap<Reverse<(Rank, StreamKey)>>,
}

/// The order of slow streams: by the age of the oldest tick that it lacks, then how many it missed by lag or ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    oldest_unsent: Option<Duration>,
    missed: u64,
}

/// A worker's reply.
#[derive(Debug)]
pub struct SlowestStreams {
    /// Which worker.
    pub worker: WorkerIndex,
    /// How many of its streams it looked at within its time.
    pub looked_at: usize,
    /// The slowest of those, the slowest first.
    pub slowest: Vec<StreamReport>,
    /// Its counts so far.
    pub counts: Counts,
}

/// A stream as operators see it.
#[derive(Debug)]
pub struct StreamReport {
    /// Its name, as in its `hello`.
    pub name: StreamName,
    /// Its client.
    pub client: ClientName,
    /// The other end of its connection: its client, or the proxy before it.
    pub peer: Option<SocketAddr>,
    /// The protocol that carries it.
    pub protocol: Protocol,
    /// Whether its body is compressed.
    pub compressed: bool,
    /// How long it is open.
    pub open_for: Duration,
    /// How long its transport has taken no byte.
    pub full_for: Option<Duration>,
    /// The age of the oldest tick that it lacks, as far back as the symbol's ring goes; `None` while it keeps up.
    pub oldest_unsent: Option<Duration>,
    /// The ticks that it did not get.
    pub missed: Missed,
    /// The ticks that it got.
    pub ticks: u64,
    /// The bytes that it got.
    pub bytes: u64,
    /// How many symbols it carries.
    pub symbols_total: usize,
    /// The first of them.
    pub symbols: Vec<Symbol>,
}

impl SlowestQuery {
    /// Asks `worker` for its `limit` slowest streams, as far as it has looked at them by `until`.
    pub fn new(worker: WorkerIndex, limit: usize, until: Instant, reply_tx: mpsc::Sender<SlowestStreams>) -> Self {
        Self { limit, until, worker, reply_tx, left: None, looked_at: 0, slowest: BinaryHeap::new() }
    }

    /// Looks at the next slice; `true`: it has seen all, or its time is over.
    pub(super) fn go_on<T: Transport>(&mut self, table: &StreamTable<T>, symbols: &Symbols, now: Now) -> bool {
        let mut left = self.left.unwrap_or(usize::MAX).min(table.len());
        let mut looks = 0;
        while left > 0 && looks < LOOKS_PER_TURN && now.instant < self.until {
            left -= 1;
            let (key, stream) = table.at(left);
            let oldest_unsent = oldest_unsent(stream, symbols, now);
            looks += 1 + if stream.is_full() { stream.slots().len() } else { 0 };
            self.looked_at += 1;
            let missed = stream.missed();
            self.keep(Rank { oldest_unsent, missed: missed.lag + missed.ring }, key);
        }
        self.left = Some(left);
        left == 0 || now.instant >= self.until
    }

    fn keep(&mut self, rank: Rank, key: StreamKey) {
        self.slowest.push(Reverse((rank, key)));
        if self.slowest.len() > self.limit {
            self.slowest.pop();
        }
    }

    /// Sends the reply.
    pub(super) fn answer<T: Transport>(self, table: &StreamTable<T>, symbols: &Symbols, counts: &Counts, now: Now) {
        let mut reports = Vec::with_capacity(self.slowest.len());
        for (rank, key) in slowest_first(self.slowest) {
            if let Some(stream) = table.get(key) {
                reports.push(report(stream, rank.oldest_unsent, symbols, now));
            }
        }
        // The operator may have left, or the deadline has passed.
        let _ = self.reply_tx.send(SlowestStreams {
            worker: self.worker,
            looked_at: self.looked_at,
            slowest: reports,
            counts: counts.clone(),
        });
    }
}

/// The streams, the slowest first. One that moved during the walk was kept twice: its slower rank counts.
fn slowest_first(kept: BinaryHeap<Reverse<(Rank, StreamKey)>>) -> Vec<(Rank, StreamKey)> {
    let mut found: Vec<(Rank, StreamKey)> = Vec::with_capacity(kept.len());
    for Reverse((rank, key)) in kept.into_sorted_vec() {
        if !found.iter().any(|(_, other)| *other == key) {
            found.push((rank, key));
        }
    }
    found
}

/// How old the oldest unsent tick of a full stream is.
fn oldest_unsent<T: Transport>(stream: &Stream<T>, symbols: &Symbols, now: Now) -> Option<Duration> {
    if !stream.is_full() {
        return None;
    }
    let published = stream.oldest_unsent(symbols)?;
    Some(now.instant.saturating_duration_since(published.max(stream.joined())))
}

fn report<T: Transport>(
    stream: &Stream<T>,
    oldest_unsent: Option<Duration>,
    symbols: &Symbols,
    now: Now,
) -> StreamReport {
    let slots = stream.slots();
    StreamReport {
        name: stream.name(),
        client: stream.client().clone(),
        peer: stream.peer(),
        protocol: stream.protocol(),
        compressed: stream.compresses(),
        open_for: now.instant.saturating_duration_since(stream.joined()),
        full_for: stream.full_since().map(|since| now.instant.saturating_duration_since(since)),
        oldest_unsent,
        missed: stream.missed(),
        ticks: stream.ticks(),
        bytes: stream.bytes(),
        symbols_total: slots.len(),
        symbols: slots
            .iter()
            .take(SYMBOLS_NAMED_MAX)
            .map(|slot| symbols.get(slot.symbol).state.symbol().clone())
            .collect(),
    }
}

#[cfg(test)]
#[path = "slowest_tests.rs"]
mod tests;
