//! A worker: the streams that it owns, and the one step that serves them.

mod changing;
mod connections;
mod ending;
mod opening;
mod withdrawing;
mod writing;

#[cfg(test)]
mod expiry_tests;
#[cfg(test)]
mod greeting_tests;
#[cfg(test)]
mod input_tests;
#[cfg(test)]
mod testing;

pub(super) use ending::RETRY_AFTER_SHUTDOWN_MILLIS;

use super::{
    command::{Command, WorkerInbox},
    connection_log::ConnectionLog,
    counts::Counts,
    first_block::ControlNames,
    h2::{ConnectionTable, key_of},
    missed::Missed,
    open_rights::OpenRights,
    pace::{Pace, Wait, Written},
    recent_ticks::RecentLimits,
    slowest::SlowestQuery,
    stream_key::StreamKey,
    stream_log::StreamLog,
    stream_table::StreamTable,
    symbols::Symbols,
    transport::{Ready, Transport},
    worker_limits::WorkerLimits,
    write_queues::WriteQueue,
};
use crate::{
    cache::{SymbolId, SymbolState, WorkerIndex, WorkerMask},
    market::Now,
};
use rand::{SeedableRng, rngs::SmallRng};
use slotmap::{Key, KeyData};
use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

/// Symbols that new streams may join between two looks at inbox, readiness and deadlines: about a millisecond.
const JOINS_PER_TURN: usize = 1_024;
/// A stream of fewer symbols costs as much as one of so many.
const JOINS_PER_STREAM_MIN: usize = 16;

/// Owns streams outright, without locks, and serves them turn by turn. It reads no clock, and does I/O only through its
/// transports.
pub struct Worker<T> {
    index: WorkerIndex,
    inbox: Arc<WorkerInbox<T>>,
    limits: WorkerLimits,
    symbols: Symbols,
    table: StreamTable<T>,
    connections: ConnectionTable,
    pace: Pace,
    /// Hot symbols that have changed since the running round began. Their streams are marked when it ends, once for all
    /// ticks.
    next_round: Vec<SymbolId>,
    counts: Counts,
    log: StreamLog,
    connection_log: ConnectionLog,
    random: SmallRng,
    /// Names streams to their clients, once one is open.
    names: Option<Arc<dyn ControlNames>>,
    drains: bool,
    /// What clients without credentials may read, once that has changed.
    open_rights: Option<Arc<dyn OpenRights>>,
    /// The queries that operators sent, the oldest first: as many as there are operators.
    queries: VecDeque<SlowestQuery>,
    /// The lists that the inbox's are swapped with, empty between two turns.
    changed: Vec<Arc<SymbolState>>,
    commands: Vec<Command<T>>,
    /// The commands that are not carried out yet, in their order.
    pending: VecDeque<Command<T>>,
    /// Streams whose transports hold bytes at the end of a batch, empty between two turns.
    unflushed: Vec<StreamKey>,
    /// Streams that share a connection with one that was just written, and wait to be written.
    company: Vec<StreamKey>,
}

impl<T: Transport> Worker<T> {
    /// A worker without streams.
    pub fn new(index: WorkerIndex, inbox: Arc<WorkerInbox<T>>, limits: WorkerLimits, seed: u64) -> Self {
        let recent = RecentLimits { max_lag: limits.max_lag, count: limits.ring };
        Self {
            index,
            inbox,
            limits,
            symbols: Symbols::new(WorkerMask::only(index), recent, limits.flush_interval.is_some()),
            table: StreamTable::new(limits.stall_timeout),
            connections: ConnectionTable::new(index, limits.stall_timeout),
            pace: Pace::new(limits.flush_interval),
            next_round: Vec::new(),
            counts: Counts::default(),
            log: StreamLog::default(),
            connection_log: ConnectionLog::default(),
            random: SmallRng::seed_from_u64(seed),
            names: None,
            drains: false,
            open_rights: None,
            queries: VecDeque::new(),
            changed: Vec::new(),
            commands: Vec::new(),
            pending: VecDeque::new(),
            unflushed: Vec::new(),
            company: Vec::new(),
        }
    }

    /// One step: takes the inbox, marks the streams of changed symbols, opens new streams, reacts to what happened to
    /// transports, writes a batch of marked streams, keeps deadlines.
    pub fn turn(&mut self, now: Now, ready: &[Ready]) -> Wait {
        self.connections.begin_turn();
        self.take_inbox(now);
        self.run_commands(now);
        self.go_on(now);
        for &ready in ready {
            match key_of(ready.key) {
                None => self.transport_ready(ready, now),
                Some(key) => self.connection_ready(key, ready, now),
            }
        }
        self.write_batch(now);
        self.keep_deadlines(now);
        self.keep_connection_deadlines(now);
        self.flush_transports(now);
        self.settle_connections(now);
        self.answer_queries(now);
        self.counts.streams = self.table.len() as u64;
        let is_caught_up = self.pending.is_empty() && self.queries.is_empty() && self.connections.is_idle();
        if self.table.is_idle() && self.next_round.is_empty() && is_caught_up {
            let deadlines = [self.table.next_deadline(), self.connections.next_deadline()];
            deadlines.into_iter().flatten().min().map_or(Wait::Forever, Wait::Until)
        } else {
            Wait::No
        }
    }

    /// Counts how long the turn of `now` took, since a worker reads no clock; returns how long to pause before the
    /// next.
    pub fn pause_after(&mut self, now: Now, took: Duration, wait: Wait) -> Duration {
        self.counts.turns.record(took);
        let written = Written { ticks: self.counts.ticks, writes: self.counts.writes };
        self.pace.pause_after(now.instant, took, wait, written)
    }

    /// Its counts so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether its work is over: it drains, and no stream and no connection is left.
    pub fn is_done(&self) -> bool {
        self.drains && self.pending.is_empty() && self.table.len() == 0 && self.connections.len() == 0
    }

    /// The ticks that each open stream has missed so far, by the stream's key.
    pub fn missed(&self) -> impl Iterator<Item = (u64, Missed)> {
        self.table.iter().map(|(key, stream)| (key.data().as_ffi(), stream.missed()))
    }

    fn take_inbox(&mut self, now: Now) {
        let mut changed = mem::take(&mut self.changed);
        let mut commands = mem::take(&mut self.commands);
        let takes_changes = self.drains || self.pace.may_take(now.instant);
        self.inbox.take(takes_changes.then_some(&mut changed), &mut commands);
        if !changed.is_empty() {
            self.pace.changes_taken(now.instant);
        }
        for state in changed.drain(..) {
            self.take_change(&state, now);
        }
        for command in commands.drain(..) {
            match command {
                Command::Ready(ready) => self.transport_ready(ready, now),
                command => self.pending.push_back(command),
            }
        }
        self.changed = changed;
        self.commands = commands;
    }

    /// Carries out commands, as far as one turn goes: a connect storm must not delay open streams.
    fn run_commands(&mut self, now: Now) {
        let mut joins_left = JOINS_PER_TURN;
        while joins_left > 0
            && let Some(command) = self.pending.pop_front()
        {
            match command {
                Command::Open(transport, stream) => {
                    joins_left = joins_left.saturating_sub(stream.symbols.len().max(JOINS_PER_STREAM_MIN));
                    self.open(transport, stream, now);
                }
                Command::Change { key, name, change, reply } => {
                    let key = StreamKey::from(KeyData::from_ffi(key));
                    joins_left = joins_left.saturating_sub(self.change(key, name, *change, reply, now));
                }
                Command::Adopt(new, load) => {
                    joins_left = joins_left.saturating_sub(JOINS_PER_STREAM_MIN);
                    self.adopt(*new, load, now);
                }
                Command::Answer(stream, answer) => {
                    joins_left = joins_left.saturating_sub(1);
                    self.answer(&stream, *answer, now);
                }
                Command::GiveWay(token) => self.give_way(token, now),
                Command::EndUnread(unread) => self.end_unread(&unread, now),
                Command::Ready(ready) => self.transport_ready(ready, now),
                Command::Drain(drain) => self.drain(drain, now),
                Command::Withdraw(rights) => self.withdraw(rights, now),
                Command::SlowestQuery(query) => self.queries.push_back(query),
            }
        }
    }

    /// Marks the streams of a changed symbol. Those of a hot one wait until the running round ends.
    fn take_change(&mut self, state: &SymbolState, now: Now) {
        let Some((symbol, changed)) = self.symbols.refresh(state, now) else { return };
        if !symbol.is_hot() {
            return self.table.mark_all(symbol, changed, WriteQueue::Cold, now);
        }
        if symbol.waits_for_round.is_empty() && !changed.is_empty() {
            self.next_round.push(state.id());
        }
        symbol.waits_for_round = symbol.waits_for_round.union(changed);
    }

    /// Reacts to what happened to a transport: drains its input, and writes into its room.
    fn transport_ready(&mut self, ready: Ready, now: Now) {
        let key = StreamKey::from(KeyData::from_ffi(ready.key));
        let Some(stream) = self.table.get_mut(key) else { return };
        if ready.readable {
            match stream.drain_input(now) {
                Ok(false) => {}
                Ok(true) => self.probe(key, now),
                Err(reason) => return self.end(key, reason, now),
            }
        }
        let Some(stream) = self.table.get_mut(key) else { return };
        if !ready.writable {
            return;
        }
        if !stream.is_full() {
            return self.flush(key, now); // an alert that the stream knows nothing of may wait
        }
        match stream.room_reported() {
            Ok(true) => self.use_room(key, now),
            Ok(false) => {}
            Err(reason) => self.end(key, reason, now),
        }
    }

    /// Writes into the room of a stream that was full: its goodbye at once, its ticks in their turn.
    fn use_room(&mut self, key: StreamKey, now: Now) {
        self.counts.full -= 1;
        if self.table.stream(key).is_leaving() {
            self.write_goodbye(key, now);
        } else {
            self.table.queue_again(key, now);
        }
    }

    /// Goes on with the oldest query, by one slice.
    fn answer_queries(&mut self, now: Now) {
        if let Some(query) = self.queries.front_mut()
            && query.go_on(&self.table, &self.symbols, now)
            && let Some(query) = self.queries.pop_front()
        {
            query.answer(&self.table, &self.symbols, &self.counts, now);
        }
    }
}
