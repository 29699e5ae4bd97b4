//! The owners in the world of a follower.

use super::shelf::{Clock, SECOND};
use super::{BEAT_AFTER, Happens, OWNERS, World};
use crate::{
    cluster::{
        batch::{OpenBatch, Sealed},
        follower::{AskId, Event},
        history::{Answer, Answers, History, SnapshotWriter},
        message::{Ask, Beat, Sender, write_beat},
        support::{OwnSymbol, each, now, token},
        token::Token,
    },
    feed::FeedState,
    market::{Reason, UnixMicros},
};
use bytes::Bytes;
use rand::RngExt;
use std::time::Duration;

/// An owner of the shard.
pub(super) struct Owner {
    pub(super) token: Token,
    clock: Clock,
    pub(super) symbols: Vec<OwnSymbol>,
    /// The symbols as an heir may know them.
    earlier: Vec<OwnSymbol>,
    pub(super) batch: OpenBatch,
    history: History,
    answers: Answers,
    /// When it sent its last message, and until when it sends no ticks.
    sent: u64,
    quiet_until: u64,
    /// Messages to the follower stay in their order.
    arrives: u64,
    pub(super) is_alive: bool,
}

impl Owner {
    fn sender(&self, time: u64) -> Sender {
        Sender { token: self.token, revision: 1, table: OWNERS.len() as u32, sent: self.clock.at(time) }
    }
}

impl World {
    pub(super) fn start_owner(&mut self, token: Token, last: u64, symbols: Vec<OwnSymbol>) {
        self.owners.push(Owner {
            token,
            clock: Clock::random(&mut self.random),
            earlier: symbols.clone(),
            symbols,
            batch: OpenBatch::new(token, OWNERS.len() as u32, last, Duration::ZERO),
            history: History::new(token.epoch, last),
            answers: Answers::default(),
            sent: self.time,
            quiet_until: self.time,
            arrives: 0,
            is_alive: true,
        });
        let index = self.owners.len() - 1;
        let is_new = last == 0;
        for place in 0..OWNERS.len() {
            self.change(index, place, |symbol, n| {
                symbol.change(n, |snapshot, guards| snapshot.outage(Reason::Reconnect, guards, now()))
            });
            let symbol = &self.owners[index].symbols[place];
            // The opening has each symbol's newest tick under a number of its own epoch.
            self.shelf.published.insert((symbol.name.to_string(), token.epoch, symbol.seq), symbol.shown);
        }
        if is_new {
            let (time, owner) = (self.time, &mut self.owners[index]);
            let now = owner.clock.at(time);
            let symbols = owner.symbols.clone();
            let opening = owner.batch.open(each(&symbols), 1, now);
            opening.into_iter().for_each(|sealed| self.send(index, sealed));
        }
        self.later(0, Happens::Turn(index));
    }

    /// Changes a symbol of an owner; a new tick goes into its batch, but for the opening.
    fn change(&mut self, owner: usize, place: usize, change: impl FnOnce(&mut OwnSymbol, u64) -> bool) {
        self.n += 1;
        let owner = &mut self.owners[owner];
        let symbol = &mut owner.symbols[place];
        if !change(symbol, self.n) {
            return;
        }
        self.shelf.published.insert((symbol.name.to_string(), owner.token.epoch, symbol.seq), symbol.shown);
        if owner.batch.last() > 0 {
            owner.batch.push(&symbol.tick());
        }
    }

    fn send(&mut self, owner: usize, sealed: Sealed) {
        let time = self.time;
        let now = self.owners[owner].clock.at(time);
        self.owners[owner].history.push(&sealed, now);
        self.publish(owner, sealed.number, sealed.bytes);
    }

    fn publish(&mut self, owner: usize, batch: u64, bytes: Bytes) {
        self.owners[owner].sent = self.time;
        self.shown_at.insert((self.owners[owner].token.epoch, batch), self.time);
        if self.time < self.down_until || self.percent(self.loss) {
            return;
        }
        let delay = self.random.random_range(100..self.delay);
        let arrives = (self.time + delay).max(self.owners[owner].arrives);
        self.owners[owner].arrives = arrives;
        if self.percent(self.repetition) {
            self.later(arrives - self.time, Happens::Arrives(Event::Live(bytes.clone())));
        }
        self.later(arrives - self.time, Happens::Arrives(Event::Live(bytes)));
    }

    pub(super) fn turn(&mut self, index: usize) {
        if !self.owners[index].is_alive {
            return;
        }
        if self.trades && self.time >= self.owners[index].quiet_until {
            if self.percent(20) {
                self.owners[index].earlier = self.owners[index].symbols.clone();
            }
            for _ in 0..self.random.random_range(1..4) {
                let place = self.random.random_range(0..OWNERS.len());
                let price = self.random.random_range(1..1_000_000);
                self.change(index, place, |symbol, n| {
                    symbol.trade(n, price);
                    true
                });
            }
            if self.percent(1) {
                self.owners[index].quiet_until = self.time + self.random.random_range(0..4 * SECOND);
            }
        }
        let (time, owner) = (self.time, &mut self.owners[index]);
        let now = owner.clock.at(time);
        if let Some(sealed) = owner.batch.seal(1, now) {
            self.send(index, sealed);
        } else if time >= owner.sent + BEAT_AFTER {
            let (last, sender) = (owner.batch.last(), owner.sender(time));
            let beat = Beat { wall: UnixMicros(0), feed: FeedState::Live };
            self.publish(index, last, write_beat(&beat, last, &sender));
        }
        let after = self.random.random_range(1_000..60_000);
        self.later(after, Happens::Turn(index));
    }

    pub(super) fn current(&self) -> Option<usize> {
        self.owners.iter().rposition(|owner| owner.is_alive)
    }

    pub(super) fn asked(&mut self, id: AskId, ask: Ask) {
        let Some(index) = self.current() else {
            return self.later(1_000, Happens::Arrives(Event::Unanswered(id)));
        };
        let (time, owner) = (self.time, &mut self.owners[index]);
        let sender = owner.sender(time);
        let beat = Beat { wall: UnixMicros(0), feed: FeedState::Live };
        match owner.answers.answer(ask, &owner.history, &beat, &sender) {
            Answer::Messages(messages) | Answer::Later(messages) => self.answer(id, messages),
            Answer::History(messages) => {
                owner.answers.done();
                self.answer(id, messages);
            }
            Answer::Snapshot => {
                self.later(0, Happens::Read { owner: index, id, writer: SnapshotWriter::default(), next: 0 });
            }
        }
    }

    pub(super) fn read(&mut self, index: usize, id: AskId, mut writer: SnapshotWriter, next: usize) {
        let (time, owner) = (self.time, &mut self.owners[index]);
        if !owner.is_alive {
            return;
        }
        let sender = owner.sender(time);
        if next == OWNERS.len() {
            owner.answers.done();
            let sealed = owner.batch.seal(1, owner.clock.at(time));
            let messages = writer.finish(owner.batch.last(), &sender);
            if let Some(sealed) = sealed {
                self.send(index, sealed);
            }
            return self.answer(id, messages);
        }
        writer.prepare(owner.batch.last());
        // What was changed but not sealed is in the snapshot and in a batch up to that of its end.
        let message = writer.push(&owner.symbols[next].tick(), &sender);
        self.answer(id, message.into_iter().collect());
        let after = self.random.random_range(0..20_000);
        self.later(after, Happens::Read { owner: index, id, writer, next: next + 1 });
    }

    fn answer(&mut self, id: AskId, messages: Vec<Bytes>) {
        let after = self.random.random_range(100..self.delay.min(400_000));
        for message in messages {
            if !self.percent(self.loss) {
                self.later(after, Happens::Arrives(Event::Answer(id, message)));
            }
        }
    }

    pub(super) fn succession(&mut self, crash: bool) {
        if self.current().is_some() {
            return;
        }
        let knows_all = self.percent(50);
        let before = self.owners.last().unwrap();
        let term = before.token.term + 1;
        if crash {
            let symbols = if knows_all { before.symbols.clone() } else { before.earlier.clone() };
            let epoch = self.random.random_range(0..1 << 48);
            self.start_owner(token(term, epoch), 0, symbols);
        } else {
            let (last, symbols) = (before.batch.last(), before.symbols.clone());
            self.start_owner(Token { term, epoch: before.token.epoch }, last, symbols);
        }
    }
}
