//! The store of leases: linear, unless it is told to fail, to answer with old values, or to forget.

use super::super::{
    bus::Leases,
    lease::{LeaseValue, ReadAnswer, WriteAnswer},
    names::ShardName,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// They are not applied, and the answer is [`WriteAnswer::Unknown`].
    Lost,
    /// They are applied, and the answer is [`WriteAnswer::Unknown`].
    Unanswered,
}

/// A store in memory, with one sequence of revisions for all shards. Clones are the same store.
#[derive(Debug, Clone, Default)]
pub struct MemoryLeases {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// The writes of all shards, oldest first. The revision of each is its place, counted from 1.
    writes: Vec<(ShardName, Vec<u8>)>,
    write_fault: Option<WriteFault>,
    fails_reads: bool,
    /// Reads show the value of so many writes ago.
    stale_by: usize,
}

impl State {
    fn revisions(&self, shard: &ShardName) -> impl DoubleEndedIterator<Item = u64> {
        let is_of_shard = move |(_, (name, _)): &(usize, &(ShardName, Vec<u8>))| name == shard;
        self.writes.iter().enumerate().filter(is_of_shard).map(|(place, _)| place as u64 + 1)
    }
}

impl MemoryLeases {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with writes from now on, on all clones.
    pub fn set_write_fault(&self, fault: Option<WriteFault>) {
        self.state().write_fault = fault;
    }

    /// Whether reads fail from now on.
    pub fn set_failing_reads(&self, fails: bool) {
        self.state().fails_reads = fails;
    }

    /// From now on reads show the value of so many of the shard's writes ago, where there were as many.
    pub fn set_stale_by(&self, writes: usize) {
        self.state().stale_by = writes;
    }

    /// Forgets the last writes of all shards; all of them if there are not as many.
    pub fn forget(&self, writes: usize) {
        let mut state = self.state();
        let kept = state.writes.len().saturating_sub(writes);
        state.writes.truncate(kept);
    }
}

impl Leases for MemoryLeases {
    async fn read(&self, shard: &ShardName) -> ReadAnswer {
        let state = self.state();
        if state.fails_reads {
            return ReadAnswer::Failed;
        }
        let newest_first: Vec<u64> = state.revisions(shard).rev().take(state.stale_by + 1).collect();
        match newest_first.last() {
            None => ReadAnswer::Absent,
            Some(revision) => {
                let (_, value) = &state.writes[*revision as usize - 1];
                ReadAnswer::Found { revision: *revision, value: LeaseValue::from_json(value) }
            }
        }
    }

    async fn write(&self, shard: &ShardName, expected: Option<u64>, value: &LeaseValue) -> WriteAnswer {
        let mut state = self.state();
        let fault = state.write_fault;
        if fault == Some(WriteFault::Lost) {
            return WriteAnswer::Unknown;
        }
        let newest = state.revisions(shard).next_back();
        if newest == expected {
            state.writes.push((shard.clone(), value.to_json()));
        }
        match fault {
            Some(_) => WriteAnswer::Unknown,
            None if newest != expected => WriteAnswer::Conflict,
            None => WriteAnswer::Written(state.writes.len() as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{lease::LeaseState, names::Instance, support::token};

    fn shard(name: &str) -> ShardName {
        name.parse().unwrap()
    }

    fn value(beat: u64) -> LeaseValue {
        LeaseValue {
            node: "gw-1".parse().unwrap(),
            instance: Instance::from_bits(7).unwrap(),
            token: token(3, 5),
            former: Default::default(),
            beat,
            state: LeaseState::Held,
        }
    }

    fn found(revision: u64, beat: u64) -> ReadAnswer {
        ReadAnswer::Found { revision, value: Ok(value(beat)) }
    }

    #[tokio::test]
    async fn a_write_counts_only_where_the_expected_revision_is_the_newest() {
        let leases = MemoryLeases::default();
        let (a, b) = (shard("a.0"), shard("b.0"));
        assert_eq!(leases.read(&a).await, ReadAnswer::Absent);
        assert_eq!(leases.write(&a, Some(1), &value(1)).await, WriteAnswer::Conflict);
        assert_eq!(leases.write(&a, None, &value(1)).await, WriteAnswer::Written(1));
        assert_eq!(leases.write(&a, None, &value(2)).await, WriteAnswer::Conflict);
        assert_eq!(leases.clone().write(&b, None, &value(3)).await, WriteAnswer::Written(2));
        assert_eq!(leases.write(&a, Some(2), &value(2)).await, WriteAnswer::Conflict);
        assert_eq!(leases.write(&a, Some(1), &value(4)).await, WriteAnswer::Written(3));
        assert_eq!((leases.read(&a).await, leases.read(&b).await), (found(3, 4), found(2, 3)));
    }

    #[tokio::test]
    async fn it_fails_shows_old_values_and_forgets_as_it_is_told() {
        let leases = MemoryLeases::default();
        let a = shard("a.0");
        assert_eq!(leases.write(&a, None, &value(1)).await, WriteAnswer::Written(1));
        leases.set_write_fault(Some(WriteFault::Lost));
        assert_eq!(leases.write(&a, Some(1), &value(2)).await, WriteAnswer::Unknown);
        assert_eq!(leases.read(&a).await, found(1, 1));
        leases.set_write_fault(Some(WriteFault::Unanswered));
        assert_eq!(leases.write(&a, Some(1), &value(3)).await, WriteAnswer::Unknown);
        assert_eq!(leases.read(&a).await, found(2, 3));
        leases.set_write_fault(None);
        leases.set_stale_by(1);
        assert_eq!(leases.read(&a).await, found(1, 1));
        leases.set_stale_by(5);
        assert_eq!(leases.read(&a).await, found(1, 1));
        leases.set_failing_reads(true);
        assert_eq!(leases.read(&a).await, ReadAnswer::Failed);
        leases.set_failing_reads(false);
        leases.forget(1);
        leases.set_stale_by(0);
        assert_eq!(leases.read(&a).await, found(1, 1));
        leases.forget(9);
        assert_eq!(leases.read(&a).await, ReadAnswer::Absent);
    }
}
