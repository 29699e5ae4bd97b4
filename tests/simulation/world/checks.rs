//! The checks after each turn.

use super::{HEARTBEAT, MAX_LAG, STALL_TIMEOUT, World, last_change, rights::is_goodbye};
use crate::client::{Seen, is_list, is_patch};
use bytes::Bytes;
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};
use tickfan::{
    cache::Tick,
    fanout::{CloseMode, Missed, Wait},
    market::{Part, Parts},
    wire::{EventId, tick_frame},
};

/// Which ticks of one of its symbols a client may be sent.
pub(super) struct Wish {
    pub(super) symbol: usize,
    /// The first `seq` that it was not sent.
    pub(super) from: u64,
    /// The last `n` that it has, if it resumes and was sent nothing yet.
    pub(super) after: Option<u64>,
    pub(super) parts: Parts,
    /// The newest when it joined.
    pub(super) initial: u64,
    /// Whether it may be a patch.
    pub(super) patches: bool,
    /// Where the newest tick begins, if the client lacks something: a client that lags gets the newest alone, whatever
    /// its kind. The worker need not know of ticks that are not announced yet.
    pub(super) alone_from: Option<u64>,
}

impl Wish {
    fn is_for(&self, tick: &Tick) -> bool {
        let is_missed = tick.seq >= self.from && self.after.is_none_or(|after| tick.id.n > after);
        (is_missed && tick.changed.intersects(self.parts))
            || tick.seq == self.initial
            || self.alone_from.is_some_and(|from| tick.seq >= from)
    }
}

impl World {
    pub(super) fn check_client(&mut self, client: usize, taken: &[u64], wait: Wait) {
        let log = {
            let mut client = self.client(client);
            let is_flushed = client.held == 0 || client.full || !client.is_open();
            assert!(is_flushed, "seed {}: a turn leaves bytes in a transport that has room", self.seed);
            std::mem::take(&mut client.log)
        };
        if !log.is_empty() {
            self.stuck_since[client] = None;
        }
        self.check_rate(client, &log);
        for seen in &log {
            match seen {
                Seen::Write { with_tail } => {
                    if *with_tail {
                        self.last_heard[client] = self.now.instant;
                    }
                }
                Seen::Full => {
                    self.client(client).symbols.values_mut().for_each(|progress| progress.full_since_last = true);
                }
                Seen::Block(block) => {
                    self.last_heard[client] = self.now.instant;
                    assert!(self.client(client).bye.is_none(), "seed {}: nothing comes behind a goodbye", self.seed);
                    if is_tick(block) {
                        self.check_tick(client, block, taken);
                    } else if is_goodbye(block) {
                        self.check_goodbye(client, block);
                    } else if is_list(block) {
                        self.check_list(client, block);
                    } else if block.starts_with(b"event: heartbeat") {
                        self.client(client).heartbeats += 1;
                    }
                }
            }
        }
        if !self.drains {
            self.check_status(client, taken, wait);
            match self.connection_of(client) {
                Some(connection) => self.check_shared(client, connection, wait),
                None => self.check_silence(client, wait),
            }
        }
    }

    /// What a client shows once it has a tick: exactly what was published. A tick is a patch only on the one before it,
    /// which the client was sent last; it is one wherever it can be, and says nothing that the client has.
    fn check_row(&self, client: usize, symbol: usize, tick: &Tick, block: &Bytes) -> Bytes {
        let seed = self.seed;
        let client = self.clients[client].borrow();
        let shown = client.symbols.get(&symbol);
        let last = shown.and_then(|shown| shown.last);
        let state = &self.symbols[symbol];
        let whole = tick_frame(state.fields(tick), (tick.id.n > 0).then_some(tick.id));
        let data = |block: &[u8]| -> Value {
            let text = std::str::from_utf8(block).unwrap();
            serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap()
        };
        // The first tick of a symbol, also of one that comes back, follows nothing.
        let is_next = tick.version > 1 && last.is_some_and(|last| last + 1 == tick.seq);
        let may_be_patch = client.options.patches() && is_next;
        if !is_patch(block) {
            assert_eq!(*block, whole, "seed {seed}: a frame carries what was published");
            // A list that changes may make a worker forget the tick before, and options what it had to keep.
            let may_be_forgotten = self.settings.changing || self.settings.signing;
            assert!(!may_be_patch || may_be_forgotten, "seed {seed}: S{symbol} {} comes whole", tick.seq);
            return whole;
        }
        assert!(may_be_patch, "seed {seed}: a patch on S{symbol} {}, and the client has {last:?}", tick.seq);
        let lines: Vec<_> = std::str::from_utf8(block).unwrap().lines().collect();
        assert!(lines[1].strip_prefix("id: ").unwrap().parse() == Ok(tick.id), "seed {seed}: {lines:?}");
        let patch = data(block);
        let mut row = data(&shown.unwrap().row);
        for (key, value) in patch.as_object().unwrap() {
            let is_key = ["symbol", "seq", "kind"].contains(&key.as_str());
            let row = row.as_object_mut().unwrap();
            assert!(is_key || row.get(key).unwrap_or(&Value::Null) != value, "seed {seed}: {key} is known");
            match value {
                Value::Null => row.remove(key),
                value => row.insert(key.clone(), value.clone()),
            };
        }
        assert_eq!(row, data(&whole), "seed {seed}: a patch makes a tick of the one before");
        whole
    }

    /// Rules 1, 2 and 11, and that a frame carries what was published.
    fn check_tick(&mut self, client: usize, block: &Bytes, taken: &[u64]) {
        let seed = self.seed;
        let (symbol, tick) = self.find(block);
        let row = self.check_row(client, symbol, &tick, block);
        if self.client(client).dictionary.is_none() {
            let first = self.frames.entry((symbol, tick.seq, is_patch(block))).or_insert_with(|| block.clone());
            assert_eq!(first.as_ptr(), block.as_ptr(), "seed {seed}: rule 11: one frame for all");
        }
        let joined = self.joined[client];
        let mut borrowed = self.clients[client].borrow_mut();
        assert!(borrowed.changed.is_none(), "seed {seed}: the list that holds from a change on comes before its ticks");
        self.check_rights(&borrowed, Some(symbol));
        borrowed.last_n = borrowed.last_n.max(tick.id.n);
        let options = borrowed.options;
        let progress = borrowed.symbols.get_mut(&symbol);
        let progress =
            progress.unwrap_or_else(|| panic!("seed {seed}: a client gets S{symbol}, which it does not have"));
        let age = self.now.instant.saturating_duration_since(tick.published.max(joined));
        let newest = tick.seq >= taken[symbol];
        assert!(newest || age <= MAX_LAG, "seed {seed}: rule 2: an old price is sent though a newer one is known");
        if let Some(last) = progress.last {
            assert!(tick.seq > last, "seed {seed}: rule 1: seq {} after {last}", tick.seq);
            let skipped = tick.seq - last - 1;
            let mut between = self.history[symbol][last as usize + 1..tick.seq as usize].iter();
            let is_due = |tick: &&Arc<Tick>| tick.changed.intersects(options.parts()) || tick.seq == progress.at_join;
            if let Some(oldest) = between.find(is_due) {
                let age = self.now.instant.saturating_duration_since(oldest.published.max(joined));
                let lost = self.history[symbol].len() as u64 - 1 - oldest.seq >= self.settings.ring as u64;
                let chosen = options.interval().is_some();
                assert!(
                    age > MAX_LAG || lost || chosen,
                    "seed {seed}: rule 2: a stream that keeps up lost {skipped} ticks"
                );
                assert!(newest, "seed {seed}: rule 2: it coalesces to the newest");
            }
            let missed = &mut self.missed[client];
            match (progress.full_since_last, !options.leave_out() && !progress.left_out) {
                (true, _) => missed.lag += skipped,
                (false, true) => missed.ring += skipped,
                (false, false) => missed.options += skipped,
            }
        }
        progress.last = Some(tick.seq);
        progress.row = row;
        progress.seqs.push(tick.seq);
        progress.full_since_last = false;
        progress.left_out = false;
        progress.waited = 0;
        for (&other, progress) in &mut borrowed.symbols {
            if other != symbol && progress.last != Some(progress.published) {
                progress.waited += 1;
                progress.longest_wait = progress.longest_wait.max(progress.waited);
            }
        }
    }

    /// A stream with a `max_rate` is not written more often, except for a status, and each time gets the newest.
    ///
    /// What a turn writes is one write, however many offers it takes: of one that catches up, each has a few ticks, and
    /// the status may be in any of them.
    fn check_rate(&mut self, client: usize, log: &[Seen]) {
        let Some(interval) = self.client(client).options.interval() else { return };
        // The transport may have cut the urgent part of a write off.
        let is_whole = !log.iter().any(|seen| matches!(seen, Seen::Full));
        let is_ticks = |seen: &Seen| matches!(seen, Seen::Block(block) if is_tick(block));
        // Ticks behind the tail of a block go on with what was begun.
        let goes_on = matches!(log.first(), Some(Seen::Write { with_tail: true }))
            && log[1..].iter().take_while(|seen| matches!(seen, Seen::Block(_))).any(is_ticks);
        let brings_list = log.iter().any(|seen| matches!(seen, Seen::Block(block) if is_list(block)));
        let ticks = log.iter().filter_map(|seen| match seen {
            Seen::Block(block) if is_tick(block) => Some(self.find(block)),
            _ => None,
        });
        let ticks: Vec<_> = ticks.collect();
        let once: HashSet<usize> = ticks.iter().map(|(symbol, _)| *symbol).collect();
        assert_eq!(once.len(), ticks.len(), "seed {}: a symbol comes twice in one write", self.seed);
        if brings_list {
            self.client(client).paced_at = None; // it brings what the client's own rate has held back
        }
        if ticks.is_empty() {
            return;
        }
        // A status that changed and was skipped for a newer tick is as urgent.
        let is_urgent = ticks.iter().any(|(symbol, tick)| {
            // A symbol that its list has just brought has no tick yet.
            let last = self.client(client).symbols.get(symbol).and_then(|progress| progress.last).unwrap_or(0);
            let news = &self.history[*symbol][last as usize..=tick.seq as usize];
            tick.seq == 0 || news.iter().skip(1).any(|tick| tick.changed.contains(Part::Status))
        });
        let since = |at: Instant| self.now.instant.saturating_duration_since(at);
        // The last ticks before a goodbye wait for no rate.
        let may_be_last = self.drains || self.client(client).is_worn;
        let checked = is_whole && !is_urgent && !goes_on && !may_be_last;
        let waited = self.client(client).paced_at.map(since);
        if let Some(waited) = waited.filter(|_| checked) {
            assert!(waited >= interval, "seed {}: written after {waited:?} of {interval:?}", self.seed);
        }
        let mut client = self.client(client);
        let allowed = client.terms.grant.as_ref().and_then(|grant| grant.interval_min);
        if let Some((waited, allowed)) = client.terms.paced_at.map(since).zip(allowed).filter(|_| checked) {
            assert!(waited >= allowed, "seed {}: rights allow it after {allowed:?}, not {waited:?}", self.seed);
        }
        if !goes_on {
            client.paced_at = Some(self.now.instant);
            client.terms.paced_at = Some(self.now.instant);
        }
    }

    /// A status goes at once, whatever the stream's rate: once its worker has nothing to do, a client that takes bytes
    /// has the newest status that the worker knows.
    fn check_status(&self, client: usize, taken: &[u64], wait: Wait) {
        let client = self.clients[client].borrow();
        let is_ready = wait != Wait::No && self.workers[client.worker].events.borrow().is_empty();
        let takes = client.is_open() && !client.full && client.bye.is_none();
        // A stream whose rights have ended gets no tick.
        if !is_ready || !takes || client.changed.is_some() || client.terms.grant.is_some() {
            return;
        }
        for (&symbol, progress) in &client.symbols {
            let known = &self.history[symbol][taken[symbol] as usize];
            let status = last_change(known, Parts::STATUS);
            let is_behind = progress.last.is_some_and(|last| last < status);
            assert!(!is_behind, "seed {}: the status of S{symbol} waits: {status}, not {:?}", self.seed, progress.last);
        }
    }

    /// Rule 5 and heartbeats: no client waits longer than promised, and none is closed before.
    fn check_silence(&mut self, client: usize, wait: Wait) {
        let seed = self.seed;
        let now = self.now.instant;
        let full = self.client(client).full;
        let closed = self.client(client).closed;
        let left = self.client(client).left;
        let may_be_cut_off = self.may_be_cut_off(&self.clients[client].borrow());
        let has_goodbye = self.client(client).bye.is_some();
        let stuck = &mut self.stuck_since[client];
        if full {
            let since = *stuck.get_or_insert(now);
            let stalled = now.saturating_duration_since(since) >= STALL_TIMEOUT;
            let aborted = closed == Some(CloseMode::Abort);
            let cut_off = aborted && may_be_cut_off;
            assert!(stalled == aborted || left || cut_off, "seed {seed}: rule 5: stalled {stalled}, aborted {aborted}");
        } else if closed.is_none() && !left && wait != Wait::No {
            let silence = now.saturating_duration_since(self.last_heard[client]);
            assert!(silence < HEARTBEAT, "seed {seed}: silence for {silence:?}");
        } else if closed.is_some() && !left {
            assert!(stuck.is_some() || has_goodbye, "seed {seed}: a client that reads is not closed");
        }
    }

    /// The same for a client that shares a connection, whose other streams may use up what they share.
    fn check_shared(&mut self, client: usize, connection: usize, wait: Wait) {
        let seed = self.seed;
        let now = self.now.instant;
        let silence = now.saturating_duration_since(self.last_heard[client]);
        let client = self.clients[client].borrow();
        if client.closed == Some(CloseMode::Abort) && !client.left && !self.connections[connection].is_over() {
            let stuck = client.stuck_since.map(|since| now.saturating_duration_since(since));
            let cut_off = self.may_be_cut_off(&client);
            assert!(stuck >= Some(STALL_TIMEOUT) || cut_off, "seed {seed}: rule 5: closed after {stuck:?}");
        } else if client.key != 0 && client.is_open() && !client.full && wait != Wait::No {
            assert!(silence < HEARTBEAT, "seed {seed}: silence for {silence:?}");
        }
    }

    /// The ticks that a worker counts as missed are the holes that its clients saw.
    pub(super) fn check_counts(&self, worker: usize) {
        let counted: HashMap<u64, Missed> = self.workers[worker].worker.missed().collect();
        for (client, seen) in self.clients.iter().zip(&self.missed) {
            let client = client.borrow();
            if client.worker == worker
                && let Some(counted) = counted.get(&client.key)
            {
                assert_eq!(counted, seen, "seed {}: holes are counted, by cause", self.seed);
            }
        }
    }

    /// Which ticks the open clients of a worker may be sent in its next turn.
    pub(super) fn wishes(&self, worker: usize) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for client in self.clients.iter().map(|client| client.borrow()) {
            // The worker learns that a new client has left already only when it opens the stream.
            if client.worker != worker || !(client.is_open() || client.is_new) {
                continue;
            }
            // A new one's replay is measured before its rights are looked at.
            if client.terms.is_over(self.now) && !client.is_new {
                continue;
            }
            let parts = client.options.parts().union(self.parts_to_come(&client));
            wishes.extend(self.wishes_to_come(&client, parts));
            for (&symbol, progress) in &client.symbols {
                let newest = self.symbols[symbol].newest();
                let initial = if client.is_new { newest.seq } else { progress.at_join };
                let after = client.resume.filter(|_| progress.last.is_none()).map(|resume| resume.after);
                let from = match (progress.last, after) {
                    (Some(last), _) => last + 1,
                    (None, Some(_)) => 0,
                    (None, None) => initial,
                };
                let lacks = last_change(&newest, parts).max(initial) >= from;
                let alone_from = lacks.then_some(self.workers[worker].taken[symbol]);
                let patches = client.options.patches() || self.patches_to_come(&client);
                wishes.push(Wish { symbol, from, after, parts, initial, patches, alone_from });
            }
        }
        wishes
    }

    /// Rule 11: some stream of the worker wanted each tick that the turn encoded.
    pub(super) fn check_encoded(&mut self, wishes: &[Wish]) {
        // A worker may encode ticks that it has read after the ring has dropped them.
        let may_be_late = self.settings.flush_interval.is_some() || self.settings.changing || self.settings.signing;
        let rings = if may_be_late { 8 } else { 1 };
        for (symbol, history) in self.history.iter().enumerate() {
            for tick in history.iter().rev().take(rings * self.settings.ring) {
                for (is_patch, is_encoded) in [(false, tick.is_encoded()), (true, tick.is_patch_encoded())] {
                    if is_encoded && self.encoded.insert((symbol, tick.seq, is_patch)) {
                        let wants =
                            |wish: &Wish| wish.symbol == symbol && wish.is_for(tick) && wish.patches >= is_patch;
                        assert!(
                            wishes.iter().any(wants),
                            "seed {}: rule 11: S{symbol} {} is encoded, and no stream wants it",
                            self.seed,
                            tick.seq
                        );
                    }
                }
            }
        }
        let once = self.cache.frames_encoded() + self.cache.patches_encoded() == self.encoded.len() as u64;
        assert!(once, "seed {}: rule 11: a frame is encoded once", self.seed);
        let at_most_once = self.cache.frames_compressed() <= self.encoded.len() as u64;
        assert!(at_most_once, "seed {}: rule 11: a frame is compressed once", self.seed);
    }

    fn find(&self, block: &Bytes) -> (usize, Arc<Tick>) {
        let text = std::str::from_utf8(block).unwrap();
        let field = |name: &str| {
            let start = text.find(name).unwrap() + name.len();
            text[start..].split(['"', ',']).next().unwrap()
        };
        let symbol: usize = field("\"symbol\":\"S").parse().unwrap();
        let seq: usize = field("\"seq\":").parse().unwrap();
        // A patch does not say of which tier it is, but every tick has an id of its own.
        let id = text.lines().find_map(|line| line.strip_prefix("id: ")?.parse::<EventId>().ok());
        let has_id = |&state: &usize| match (id, self.history.get(state).and_then(|ticks| ticks.get(seq))) {
            (Some(id), Some(tick)) => tick.id == id,
            (None, Some(_)) => self.is_late(state) == text.contains("\"delay_seconds\":"),
            (_, None) => false,
        };
        let state = [symbol, self.late(symbol)].into_iter().find(has_id).unwrap();
        (state, self.history[state][seq].clone())
    }
}

fn is_tick(block: &Bytes) -> bool {
    block.starts_with(b"id: ") || block.starts_with(b"data: ") || is_patch(block)
}
