//! The bus and the store between the nodes: delays, losses, and the order of a connection.

use crate::{
    node::{Input, Message},
    store::Operation,
    world::{FAULTS_END, Item, MILLI, Machine, SECOND, World},
};
use rand::RngExt;
use tickfan::cluster::{
    lease::{LeaseState, LeaseValue, ReadAnswer, WriteAnswer},
    shard::{Action, Event},
};

/// How long an answer takes at most where the store answers late: less than its node waits.
const ANSWER_MAX: u64 = 1_400 * MILLI;

/// A connection that is cut.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cut {
    pub(crate) until: u64,
    /// Messages are delivered later; otherwise they are dropped.
    pub(crate) holds: bool,
    /// Counts connections: what was on its way over one that is gone is lost.
    pub(crate) connection: u64,
}

/// The messages from one node to another, which stay in their order.
#[derive(Clone, Copy, Default)]
pub(crate) struct Link {
    last: u64,
    pub(crate) held_until: u64,
    /// What is published over it does not arrive.
    pub(crate) loses_live: bool,
    /// Each message of an answer comes so long after the one before.
    pub(crate) answers_every: u64,
}

impl World {
    /// How long a message takes.
    fn delay(&mut self) -> u64 {
        let slow = self.is_slow();
        if slow && self.random.random_ratio(1, 4) {
            let longest = (FAULTS_END.saturating_sub(self.now)).clamp(2 * MILLI, 3 * SECOND);
            self.random.random_range(MILLI..longest)
        } else {
            self.random.random_range(100..2 * MILLI)
        }
    }

    pub(crate) fn request(&mut self, machine: usize, life: u64, shard: usize, action: Action) {
        let (request, operation) = match action {
            Action::Read { request } => (request, Operation::Read),
            Action::Write { request, expected, value } => {
                (request, Operation::Write { expected, value: value.to_json() })
            }
            other => panic!("not a request: {other:?}"),
        };
        let lost =
            self.machines[machine].store_cut_until > self.now || self.is_slow() && self.random.random_ratio(1, 20);
        if lost {
            self.seen.unanswered += 1;
            return;
        }
        let at = self.now + self.delay();
        self.push(at, Item::Operation { machine, life, shard, request, operation });
    }

    pub(crate) fn operate(
        &mut self,
        order: u64,
        machine: usize,
        life: u64,
        shard: usize,
        request: u64,
        operation: Operation,
    ) {
        let mut at = self.now + self.delay();
        if self.settings.answers_late && self.now + ANSWER_MAX < FAULTS_END {
            at = at.max(self.now + self.random.random_range(0..ANSWER_MAX));
        }
        if self.store.leaderless_until > self.now {
            // Dropped, with or without an error, or applied once there is a leader.
            match self.random.random_range(0..3) {
                0 => {}
                1 => self.answer(at, machine, life, shard, unknown(request, &operation)),
                _ => {
                    let at = self.store.leaderless_until;
                    let item = Item::Operation { machine, life, shard, request, operation };
                    self.queue.insert((at, order), Box::new(item));
                }
            }
            return;
        }
        let stale = if self.settings.faults && self.now < FAULTS_END { 0.03 } else { 0.0 };
        let event = match &operation {
            Operation::Read => {
                let answer = self.store.read(shard, stale, &mut self.random);
                Event::Read { request, answer }
            }
            Operation::Write { expected, value } => {
                let answer = self.store.write(shard, *expected, value);
                Event::Write { request, answer }
            }
        };
        let of = &self.machines[machine];
        let is_cut = of.store_cut_until > self.now || of.loses_answers && grants(&operation);
        match self.random.random_range(0..20) {
            0 if self.is_slow() => self.answer(at, machine, life, shard, unknown(request, &operation)),
            1 if self.is_slow() => self.seen.unanswered += 1,
            _ if is_cut => self.seen.unanswered += 1,
            _ => self.answer(at, machine, life, shard, event),
        }
    }

    fn answer(&mut self, at: u64, machine: usize, life: u64, shard: usize, event: Event) {
        self.push(at, Item::Input { machine, life, input: Input::Event { shard, event } });
    }

    pub(crate) fn send_to_others(&mut self, from: usize, message: &Message) {
        for to in (0..self.machines.len()).filter(|to| *to != from) {
            self.send(from, to, message.clone());
        }
    }

    pub(crate) fn send(&mut self, from: usize, to: usize, mut message: Message) {
        if let Message::Answer { sent, .. } = &mut message {
            *sent = self.now;
        }
        if self.machines[from].is_next != self.machines[to].is_next {
            message.change_version();
        }
        let (sender, receiver) = (self.machines[from].sends(&message), self.machines[to].cut(&message));
        let loses_live = self.machines[from].links[to][message.channel() as usize].loses_live;
        if sender.is_down(self.now) || receiver.is_down(self.now) || loses_live {
            return;
        }
        let at = self.now + self.delay();
        let life = match &message {
            Message::Answer { life, .. } => *life,
            _ => self.machines[to].life,
        };
        let link = &mut self.machines[from].links[to][message.channel() as usize];
        let apart = if matches!(message, Message::Answer { .. }) { link.answers_every } else { 0 };
        let at = at.max(sender.until).max(receiver.until).max(link.held_until).max(link.last + apart);
        link.last = at;
        self.push(at, Item::Deliver { machine: to, life, connection: receiver.connection, from, message });
    }
}

impl Machine {
    /// The connection on which a message leaves.
    fn sends(&self, message: &Message) -> Cut {
        if matches!(message, Message::Live { .. }) { self.live } else { self.asks }
    }

    /// The connection on which it arrives.
    pub(crate) fn cut(&self, message: &Message) -> Cut {
        if matches!(message, Message::Live { .. } | Message::Report(_)) { self.live } else { self.asks }
    }
}

impl Cut {
    pub(crate) fn is_down(&self, now: u64) -> bool {
        self.until > now && !self.holds
    }
}

/// Whether a write hands a shard over to a node.
fn grants(operation: &Operation) -> bool {
    let Operation::Write { value, .. } = operation else { return false };
    LeaseValue::from_json(value).is_ok_and(|value| matches!(value.state, LeaseState::Granted { .. }))
}

fn unknown(request: u64, operation: &Operation) -> Event {
    match operation {
        Operation::Read => Event::Read { request, answer: ReadAnswer::Failed },
        Operation::Write { .. } => Event::Write { request, answer: WriteAnswer::Unknown },
    }
}
