//! A set of workers in one word.

use super::ids::WorkerIndex;

/// A set of workers, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerMask(u64);

impl WorkerMask {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of one worker.
    pub fn only(worker: WorkerIndex) -> Self {
        Self(1 << worker.get())
    }

    /// The set whose bits are these: for the atomic word that holds one.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits of the set: for the atomic word that holds one.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Whether the set holds no worker.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set holds a worker.
    pub fn contains(self, worker: WorkerIndex) -> bool {
        self.0 & Self::only(worker).0 != 0
    }

    /// The workers of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The workers of this set that the other does not hold.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The places of the set's workers in a list of all workers, in order.
    pub fn indices(self) -> impl Iterator<Item = usize> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let next = (bits != 0).then(|| bits.trailing_zeros() as usize);
            bits &= bits.wrapping_sub(1);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_lists_its_workers_in_order() {
        let workers: Vec<WorkerIndex> = WorkerIndex::first(64).collect();
        let mask =
            [63, 0, 5].iter().fold(WorkerMask::NONE, |mask, &index| mask.union(WorkerMask::only(workers[index])));
        assert_eq!(mask.indices().collect::<Vec<_>>(), [0, 5, 63]);
        assert!(mask.contains(workers[5]) && !mask.contains(workers[6]));
        assert_eq!(mask.without(WorkerMask::only(workers[5])).indices().collect::<Vec<_>>(), [0, 63]);
        assert!(WorkerMask::NONE.is_empty() && WorkerMask::NONE.indices().next().is_none());
    }
}
