//! The store of leases: linear, with stale reads, and able to forget.

use rand::{RngExt, rngs::SmallRng};
use tickfan::cluster::lease::{LeaseValue, ReadAnswer, WriteAnswer};

/// A key-value store with one sequence of revisions for all keys, as a bucket of JetStream has.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// All writes: key, and value. The revision is the place, from 1.
    writes: Vec<(usize, LeaseValue)>,
    /// No operation is applied before.
    pub(crate) leaderless_until: u64,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Read,
    Write { expected: Option<u64>, value: Vec<u8> },
}

impl Store {
    fn revisions(&self, key: usize) -> impl DoubleEndedIterator<Item = u64> {
        let of_key = self.writes.iter().enumerate().filter(move |(_, (written, _))| *written == key);
        of_key.map(|(place, _)| place as u64 + 1)
    }

    fn value(&self, revision: u64) -> LeaseValue {
        self.writes[revision as usize - 1].1.clone()
    }

    pub(crate) fn newest(&self, key: usize) -> Option<LeaseValue> {
        let revision = self.revisions(key).next_back()?;
        Some(self.value(revision))
    }

    /// Reads; `stale` is the chance of an older revision.
    pub(crate) fn read(&self, key: usize, stale: f64, random: &mut SmallRng) -> ReadAnswer {
        let back = if random.random_bool(stale) { random.random_range(1..4) } else { 0 };
        match self.revisions(key).rev().nth(back) {
            None => ReadAnswer::Absent,
            Some(revision) => ReadAnswer::Found { revision, value: Ok(self.value(revision)) },
        }
    }

    pub(crate) fn write(&mut self, key: usize, expected: Option<u64>, value: &[u8]) -> WriteAnswer {
        if self.revisions(key).next_back() != expected {
            return WriteAnswer::Conflict;
        }
        self.writes.push((key, LeaseValue::from_json(value).expect("a node writes leases")));
        WriteAnswer::Written(self.writes.len() as u64)
    }

    /// Forgets the last writes; all of them if there are not as many.
    pub(crate) fn lose(&mut self, writes: usize) {
        self.writes.truncate(self.writes.len().saturating_sub(writes));
    }
}
