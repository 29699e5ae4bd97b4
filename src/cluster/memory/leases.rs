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

/// A node's access to a store in memory, which has one sequence of revisions for all shards. Clones are of the same
/// node.
#[derive(Debug, Clone, Default)]
pub struct MemoryLeases {
    store: Arc<Mutex<Store>>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Store {
    /// The writes of all shards, oldest first. The revision of each is its place, counted from 1.
    writes: Vec<(ShardName, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Faults {
    write: Option<WriteFault>,
    fails_reads: bool,
    /// Reads show the value of so many writes ago.
    stale_by: usize,
}

impl Store {
    fn revisions(&self, shard: &ShardName) -> impl DoubleEndedIterator<Item = u64> {
        let is_of_shard = move |(_, (name, _)): &(usize, &(ShardName, Vec<u8>))| name == shard;
        self.writes.iter().enumerate().filter(is_of_shard).map(|(place, _)| place as u64 + 1)
    }
}

impl MemoryLeases {
    /// Another node's access to the same store. What fails for one node does not fail for the other.
    pub fn other_node(&self) -> Self {
        Self { store: self.store.clone(), faults: Arc::default() }
    }

    /// What goes wrong with the node's writes from now on.
    pub fn set_write_fault(&self, fault: Option<WriteFault>) {
        locked(&self.faults).write = fault;
    }

    /// Whether the node's reads fail from now on.
    pub fn set_failing_reads(&self, fails: bool) {
        locked(&self.faults).fails_reads = fails;
    }

    /// Whether the node reaches the store at all.
    pub fn set_connected(&self, is_connected: bool) {
        self.set_failing_reads(!is_connected);
        self.set_write_fault((!is_connected).then_some(WriteFault::Lost));
    }

    /// From now on the node's reads show the value of so many of the shard's writes ago, where there were as many.
    pub fn set_stale_by(&self, writes: usize) {
        locked(&self.faults).stale_by = writes;
    }

    /// The store forgets the last writes of all shards; all of them if there are not as many.
    pub fn forget(&self, writes: usize) {
        let mut store = locked(&self.store);
        let kept = store.writes.len().saturating_sub(writes);
        store.writes.truncate(kept);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leases for MemoryLeases {
    async fn read(&self, shard: &ShardName) -> ReadAnswer {
        let faults = *locked(&self.faults);
        if faults.fails_reads {
            return ReadAnswer::Failed;
        }
        let store = locked(&self.store);
        let newest_first: Vec<u64> = store.revisions(shard).rev().take(faults.stale_by + 1).collect();
        match newest_first.last() {
            None => ReadAnswer::Absent,
            Some(revision) => {
                let (_, value) = &store.writes[*revision as usize - 1];
                ReadAnswer::Found { revision: *revision, value: LeaseValue::from_json(value) }
            }
        }
    }

    async fn write(&self, shard: &ShardName, expected: Option<u64>, value: &LeaseValue) -> WriteAnswer {
        let fault = locked(&self.faults).write;
        if fault == Some(WriteFault::Lost) {
            return WriteAnswer::Unknown;
        }
        let mut store = locked(&self.store);
        let newest = store.revisions(shard).next_back();
        if newest == expected {
            store.writes.push((shard.clone(), value.to_json()));
        }
        match fault {
            Some(_) => WriteAnswer::Unknown,
            None if newest != expected => WriteAnswer::Conflict,
            None => WriteAnswer::Written(store.writes.len() as u64),
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
            lease_ms: None,
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

    #[tokio::test]
    async fn what_fails_for_one_node_does_not_fail_for_another() {
        let first = MemoryLeases::default();
        let second = first.other_node();
        let a = shard("a.0");
        first.set_connected(false);
        assert_eq!((first.read(&a).await, second.read(&a).await), (ReadAnswer::Failed, ReadAnswer::Absent));
        assert_eq!(first.write(&a, None, &value(1)).await, WriteAnswer::Unknown);
        assert_eq!(second.write(&a, None, &value(2)).await, WriteAnswer::Written(1));
        first.set_connected(true);
        assert_eq!(first.clone().read(&a).await, found(1, 2));
    }
}
