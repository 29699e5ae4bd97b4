//! A node of a shard with a clock, a book and answers by hand, for its tests.

use super::*;
use crate::{
    cluster::{
        follower::{AskId, Have, Place, Step},
        give::{GiveMessage, GiveSays},
        lease::{LeaseValue, ReadAnswer, Start, WriteAnswer},
        message::{Ask, Tick},
        support::{NOW_MICROS, OwnSymbol, each},
        tape::Tape,
    },
    market::UnixMicros,
    wire::Epoch,
};
use bytes::Bytes;

pub(super) const LEASE: Duration = Duration::from_secs(9);

/// A book with one symbol, that only knows its number and whether it is cut off.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) have: Option<Have>,
    pub(super) is_live: bool,
}

impl Book for Notes {
    fn len(&self) -> u32 {
        1
    }

    fn find(&self, name: &str) -> Option<Place> {
        (name == "A").then_some(Place(0))
    }

    fn have(&self, _: Place) -> Option<Have> {
        self.have
    }

    fn take(&mut self, _: Place, epoch: Epoch, tick: &Tick<'_>, _: Step) {
        self.have = Some(Have { epoch, seq: tick.seq });
    }

    fn absent(&mut self, _: Place) {}

    fn cut_off(&mut self, _: CutOff) {
        assert!(std::mem::replace(&mut self.is_live, false), "it is cut off already");
    }

    fn restore(&mut self) {
        assert!(!std::mem::replace(&mut self.is_live, true), "it is live already");
    }
}

pub(super) fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(super) fn moment(millis: u64) -> Moment {
    Moment { boot: Boot(1_000_000 + millis * 1_000), wall: UnixMicros(NOW_MICROS + millis.cast_signed() * 1_000) }
}

/// A node of a shard, its book, and the time in ms.
pub(super) struct Node {
    pub(super) shard: ShardNode,
    pub(super) book: Notes,
    pub(super) millis: u64,
    pub(super) actions: Vec<Action>,
}

impl Node {
    pub(super) fn new(node: &str) -> Self {
        let config = ShardConfig {
            node: name(node),
            instance: Instance::from_bits(node.len() as u64).unwrap(),
            shard: "feed.0".parse().unwrap(),
            timing: LeaseTiming::new(LEASE),
            stale_after: Duration::from_secs(2),
            room: Room::default(),
        };
        let shard = ShardNode::new(config, 1, moment(0));
        Self { shard, book: Notes::default(), millis: 0, actions: Vec::new() }
    }

    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        let actions = self.shard.on(event, moment(self.millis), &mut self.book);
        if actions.iter().any(|action| matches!(action, Action::Own { .. })) {
            // What the task does: the states are opened.
            self.book.is_live = true;
        }
        assert_eq!(self.book.is_live, self.shard.is_fresh(), "{actions:?}");
        self.actions.extend(actions.iter().cloned());
        actions
    }

    pub(super) fn rank(&mut self, successors: &[&str]) -> Vec<Action> {
        self.rank_with(successors, &[])
    }

    pub(super) fn rank_with(&mut self, good: &[&str], last_resort: &[&str]) -> Vec<Action> {
        let names = |nodes: &[&str]| nodes.iter().map(|node| name(node)).collect();
        let successors = Successors { good: names(good), fuller: Vec::new(), last_resort: names(last_resort) };
        self.on(Event::Rank { heard: true, rank: 0, successors })
    }

    /// Lets time pass; returns the first write, if one comes.
    pub(super) fn pass(&mut self, until: u64) -> Option<(u64, LeaseValue)> {
        loop {
            let due = self.shard.due().map_or(u64::MAX, |due| due.since(moment(0).boot).as_millis() as u64);
            if due > until {
                self.millis = until;
                return None;
            }
            self.millis = self.millis.max(due);
            for action in self.on(Event::Due) {
                match action {
                    Action::Read { request } => {
                        self.on(Event::Read { request, answer: ReadAnswer::Failed });
                    }
                    Action::Write { request, value, .. } => return Some((request, value)),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn written(&mut self, request: u64, revision: u64) -> Vec<Action> {
        self.on(Event::Write { request, answer: WriteAnswer::Written(revision) })
    }

    /// A node that owns the shard, 3 s after its start.
    pub(super) fn owning(successors: &[&str]) -> Self {
        let mut node = Self::new("a");
        node.on(Event::Connected(true));
        node.rank(successors);
        node.on(Event::Read { request: 1, answer: ReadAnswer::Absent });
        let (request, _) = node.pass(3_000).expect("it claims");
        let actions = node.written(request, 1);
        assert!(matches!(&actions[..], [Action::Own { start: Start::NewEpoch, .. }]), "{actions:?}");
        node.actions.clear();
        node
    }

    pub(super) fn token(&self) -> Token {
        self.shard.publishing(moment(self.millis)).expect("it owns the shard")
    }

    pub(super) fn give(&mut self, from: &str, says: GiveSays) -> Vec<Action> {
        self.on(Event::Give(GiveMessage { from: name(from), shard: "feed.0".parse().unwrap(), says }))
    }
}

/// Who was told what.
pub(super) fn gives(actions: &[Action]) -> Vec<(NodeName, GiveSays)> {
    let give = |action: &Action| match action {
        Action::SendGive { to, message } => Some((to.clone(), message.says.clone())),
        _ => None,
    };
    actions.iter().filter_map(give).collect()
}

pub(super) fn write(actions: &[Action]) -> (u64, LeaseValue) {
    writes(actions).expect("a write")
}

pub(super) fn writes(actions: &[Action]) -> Option<(u64, LeaseValue)> {
    let write = |action: &Action| match action {
        Action::Write { request, value, .. } => Some((*request, value.clone())),
        _ => None,
    };
    actions.iter().find_map(write)
}

/// Another node's batches.
pub(super) fn tape(token: Token, millis: u64) -> Tape {
    let mut tape = Tape::new(token, 1, Start::NewEpoch, Duration::ZERO);
    tape.open(each(&[OwnSymbol::new(0, "A")]), moment(millis).boot);
    tape.set_connected(true);
    tape
}

pub(super) fn publish(tape: &mut Tape, millis: u64) -> Vec<Bytes> {
    let now = moment(millis);
    tape.set_lease(Some(Validity { token: tape.token(), counts_from: now, hold: LEASE }), Some(5));
    tape.take(now)
}

pub(super) fn token(term: u64, epoch: u64) -> Token {
    Token { term, epoch: Epoch::from_bits(epoch).unwrap() }
}

/// A node that follows another one, whose tape it has, up to its first batch; at the time of 1 s.
pub(super) fn following() -> (Node, Tape) {
    let mut node = Node::new("b");
    node.on(Event::Connected(true));
    node.rank(&[]);
    node.millis = 1_000;
    let mut tape = tape(token(3, 7), 1_000);
    let actions: Vec<_> = publish(&mut tape, 1_000).into_iter().flat_map(|bytes| node.on(Event::Live(bytes))).collect();
    let probe = actions.iter().find_map(|action| match action {
        Action::Ask(id, Ask::Beat) => Some(*id),
        _ => None,
    });
    answer_beat(&mut node, &mut tape, probe.expect("the owner is asked for its clock"));
    assert!(node.shard.is_fresh() && node.shard.is_synced());
    node.actions.clear();
    (node, tape)
}

pub(super) fn answer_beat(node: &mut Node, tape: &mut Tape, id: AskId) {
    let Some(crate::cluster::history::Answer::Messages(beats)) = tape.answer(Ask::Beat, moment(node.millis)) else {
        panic!("a beat is one message");
    };
    beats.into_iter().for_each(|beat| drop(node.on(Event::Answer(id, beat))));
}
