//! A lease under a clock and with answers of the store by hand, for its tests.

use super::*;
use crate::{market::UnixMicros, wire::Epoch};

pub(super) const EPOCH_BITS: u64 = 0xabc;
/// Before 1970, so that terms are counted; `an_heir_of_a_lost_store_draws_a_later_term` is about the time.
const WALL_START: i64 = -1_000_000_000;
pub(super) const LEASE: Duration = Duration::from_secs(9);
pub(super) const RANKED_FIRST: Standing = Standing { rank: 0, synced: true, applied: None };

/// A lease and its clocks, in ms since its start.
pub(super) struct Node {
    pub(super) lease: Lease,
    pub(super) started: Moment,
    pub(super) millis: u64,
    /// By how much the wall clock was set forward.
    pub(super) wall_ahead: i64,
}

/// The epoch of the values.
pub(super) fn epoch() -> Epoch {
    Epoch::from_bits(EPOCH_BITS).unwrap()
}

pub(super) fn former(epochs: &[u64]) -> Former {
    epochs.iter().map(|bits| Epoch::from_bits(*bits).unwrap()).collect()
}

pub(super) fn node_name(name: &str) -> NodeName {
    name.parse().unwrap()
}

pub(super) fn value(node: &str, term: u64, state: LeaseState) -> LeaseValue {
    let instance = Instance::from_bits(u64::from(node.as_bytes()[0])).unwrap();
    let token = Token { term, epoch: epoch() };
    LeaseValue {
        node: node_name(node),
        instance,
        token,
        former: former(&[2, 1]),
        beat: 7,
        lease_ms: Some(9_000),
        state,
    }
}

pub(super) fn found(revision: u64, value: LeaseValue) -> ReadAnswer {
    ReadAnswer::Found { revision, value: Ok(value) }
}

impl Node {
    /// The node `a`, with its first read sent.
    pub(super) fn started() -> Self {
        let started = Moment { boot: Boot(1_000_000), wall: UnixMicros(WALL_START) };
        let instance = Instance::from_bits(u64::from(b'a')).unwrap();
        let lease = Lease::new(node_name("a"), instance, LeaseTiming::new(LEASE), 1, started);
        let mut node = Self { lease, started, millis: 0, wall_ahead: 0 };
        assert_eq!(node.on(Event::Standing(RANKED_FIRST)), [Action::Read { request: 1 }]);
        node
    }

    /// The node `a`, which watches this value from its start.
    pub(super) fn watching(revision: u64, value: LeaseValue) -> Self {
        let mut node = Self::started();
        assert_eq!(node.read(1, found(revision, value)), []);
        node
    }

    /// The node `a`, which claimed an absent lease at 2,000 ms and got the answer at once: its write 2 has revision 10.
    pub(super) fn owning() -> Self {
        let mut node = Self::started();
        node.read(1, ReadAnswer::Absent);
        node.wait_until_claim(2_000);
        let actions = node.write_last(WriteAnswer::Written(10));
        assert!(matches!(actions[..], [Action::Own { start: Start::NewEpoch, .. }]), "{actions:?}");
        node
    }

    pub(super) fn now(&self) -> Moment {
        let micros = self.millis * 1_000;
        let wall = self.started.wall.0 + (micros as i64) + self.wall_ahead * 1_000;
        Moment { boot: Boot(self.started.boot.0 + micros), wall: UnixMicros(wall) }
    }

    pub(super) fn on(&mut self, event: Event) -> Vec<Action> {
        let now = self.now();
        self.lease.on(event, now)
    }

    pub(super) fn at(&mut self, millis: u64) -> Vec<Action> {
        self.millis = millis;
        self.on(Event::Due)
    }

    pub(super) fn read(&mut self, request: u64, answer: ReadAnswer) -> Vec<Action> {
        self.on(Event::Read { request, answer })
    }

    pub(super) fn write(&mut self, request: u64, answer: WriteAnswer) -> Vec<Action> {
        self.on(Event::Write { request, answer })
    }

    /// Answers the newest request, a read.
    pub(super) fn read_last(&mut self, answer: ReadAnswer) -> Vec<Action> {
        self.read(self.lease.requests, answer)
    }

    /// Answers the newest request, a write.
    pub(super) fn write_last(&mut self, answer: WriteAnswer) -> Vec<Action> {
        self.write(self.lease.requests, answer)
    }

    pub(super) fn heard(&mut self, term: u64, revision: u64) -> Vec<Action> {
        self.on(Event::Heard { token: Token { term, epoch: epoch() }, revision })
    }

    pub(super) fn publishes(&self) -> bool {
        self.lease.publishing(self.now()).is_some()
    }

    /// Answers all reads with a failure until the node claims, which must be at this time.
    pub(super) fn wait_until_claim(&mut self, millis: u64) -> (Option<u64>, LeaseValue) {
        while let Some(due) = self.lease.due() {
            self.millis = (due.0 - self.started.boot.0) / 1_000;
            assert!(self.millis <= millis, "the node still waits at {} ms", self.millis);
            for action in self.on(Event::Due) {
                match action {
                    Action::Read { request } => assert_eq!(self.read(request, ReadAnswer::Failed), []),
                    Action::Write { expected, value, .. } => {
                        assert_eq!(self.millis, millis, "the time of the claim");
                        return (expected, value);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        panic!("the node has left");
    }
}

/// The value and the expectation of the only action, a write.
pub(super) fn written(actions: Vec<Action>) -> (Option<u64>, LeaseValue) {
    match <[Action; 1]>::try_from(actions) {
        Ok([Action::Write { expected, value, .. }]) => (expected, value),
        other => panic!("not one write: {other:?}"),
    }
}

pub(super) fn is_read(actions: &[Action]) -> bool {
    matches!(actions, [Action::Read { .. }])
}
