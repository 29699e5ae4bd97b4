//! A snapshot, until all that it needs is here.

use super::request::Request;
use bytes::Bytes;

/// The most bytes of a snapshot's parts: a hundred thousand symbols, as many as a cache may have, take 13 MB. A longer
/// snapshot counts as incomplete.
pub const SNAPSHOT_BYTES_MAX: usize = 64 << 20;

/// Waits for a snapshot.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) request: Request,
    pub(super) parts: Parts,
    /// Once all parts are here: it waits for the batches of its ticks.
    pub(super) snapshot: Option<Snapshot>,
}

impl Asking {
    pub(super) fn new(request: Request) -> Self {
        Self { request, parts: Parts::default(), snapshot: None }
    }
}

/// The parts of a snapshot that have come.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// The batch of the first part.
    first: Option<u64>,
    parts: Vec<Bytes>,
    bytes: usize,
}

/// A snapshot all of whose parts have come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Its symbols were read behind this batch.
    pub(super) first: u64,
    /// None of its ticks is in a later batch.
    pub(super) last: u64,
    pub(super) parts: Vec<Bytes>,
}

impl Parts {
    /// Adds a part, whose symbols were read behind this batch.
    pub(super) fn add(&mut self, batch: u64, part: Bytes) {
        self.first.get_or_insert(batch);
        self.bytes = self.bytes.saturating_add(part.len());
        if self.bytes <= SNAPSHOT_BYTES_MAX {
            self.parts.push(part);
        } else {
            self.parts.clear();
        }
    }

    /// The snapshot, if it has so many parts. `last` is the batch of its end.
    pub(super) fn complete(self, count: u16, last: u64) -> Option<Snapshot> {
        let Self { first, parts, .. } = self;
        let first = first.filter(|_| parts.len() == usize::from(count))?;
        Some(Snapshot { first, last, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_complete_with_all_of_its_parts() {
        let mut snapshot = Parts::default();
        let parts = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        snapshot.add(7, parts[0].clone());
        snapshot.add(9, parts[1].clone());
        assert_eq!(snapshot.complete(2, 10), Some(Snapshot { first: 7, last: 10, parts }));
        for (parts, count) in [(2, 3), (3, 2), (0, 0)] {
            let mut snapshot = Parts::default();
            (0..parts).for_each(|_| snapshot.add(7, Bytes::new()));
            assert_eq!(snapshot.complete(count, 10), None, "{parts} of {count}");
        }
    }

    #[test]
    fn rule_10_a_snapshot_that_is_too_long_is_not_kept() {
        let part = Bytes::from(vec![0; 1 << 20]);
        let mut snapshot = Parts::default();
        (0..64).for_each(|_| snapshot.add(1, part.clone()));
        assert_eq!(snapshot.parts.len(), 64);
        snapshot.add(1, part);
        assert!(snapshot.parts.is_empty());
        assert_eq!(snapshot.complete(65, 1), None);
    }
}
