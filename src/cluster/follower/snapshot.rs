//! A snapshot, until all that it needs is here.

use super::{
    request::Request,
    room::{Held, Room},
};
use bytes::Bytes;

/// The most bytes of a snapshot's parts: a hundred thousand symbols, as many as a cache may have, take 13 MB. A longer
/// snapshot counts as incomplete, and so does one for which the node has no room.
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
    held: Held,
    is_too_long: bool,
}

/// A snapshot all of whose parts have come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// Its symbols were read behind this batch.
    pub(super) first: u64,
    /// None of its ticks is in a later batch.
    pub(super) last: u64,
    pub(super) parts: Vec<Bytes>,
    held: Held,
}

impl Parts {
    /// Adds a part, whose symbols were read behind this batch.
    pub(super) fn add(&mut self, batch: u64, part: Bytes, room: &Room) {
        if self.first.is_none() {
            self.first = Some(batch);
            self.held = room.held();
        }
        if self.is_too_long {
            return;
        }
        self.held.add(part.len());
        self.parts.push(part);
        if self.held.is_too_much(SNAPSHOT_BYTES_MAX) {
            self.is_too_long = true;
            self.parts.clear();
            self.held.clear();
        }
    }

    /// The snapshot, if it has so many parts. `last` is the batch of its end.
    pub(super) fn complete(self, count: u16, last: u64) -> Option<Snapshot> {
        let Self { first, parts, held, is_too_long } = self;
        let first = first.filter(|_| !is_too_long && parts.len() == usize::from(count))?;
        Some(Snapshot { first, last, parts, held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_complete_with_all_of_its_parts() {
        let mut snapshot = Parts::default();
        let parts = vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let room = Room::default();
        snapshot.add(7, parts[0].clone(), &room);
        snapshot.add(9, parts[1].clone(), &room);
        let mut held = room.held();
        held.add(6);
        assert_eq!(snapshot.complete(2, 10), Some(Snapshot { first: 7, last: 10, parts, held }));
        assert_eq!(room.bytes(), 0, "as long as it is kept");
        for (parts, count) in [(2, 3), (3, 2), (0, 0)] {
            let mut snapshot = Parts::default();
            (0..parts).for_each(|_| snapshot.add(7, Bytes::new(), &room));
            assert_eq!(snapshot.complete(count, 10), None, "{parts} of {count}");
        }
    }

    #[test]
    fn rule_10_a_snapshot_that_is_too_long_is_not_kept() {
        let part = Bytes::from(vec![0; 1 << 20]);
        let room = Room::default();
        let mut snapshot = Parts::default();
        (0..64).for_each(|_| snapshot.add(1, part.clone(), &room));
        assert_eq!((snapshot.parts.len(), room.bytes()), (64, 64 << 20));
        snapshot.add(1, part.clone(), &room);
        assert!(snapshot.parts.is_empty() && room.bytes() == 0);
        snapshot.add(1, part.clone(), &room);
        assert_eq!(snapshot.complete(1, 1), None);

        // Those of other shards.
        let mut others = room.held();
        others.add(super::super::ROOM_BYTES_MAX);
        let mut snapshot = Parts::default();
        snapshot.add(1, part, &room);
        assert_eq!((snapshot.complete(1, 1), room.bytes()), (None, super::super::ROOM_BYTES_MAX));
    }
}
