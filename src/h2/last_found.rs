//! A search for streams that are used in turn.

use std::cell::Cell;

/// Where a list was searched last. Streams are written in turn, so the next one sought stands beside the last one. A
/// search from the middle would wait for memory all over a list that the processor's caches have lost since the last
/// turn.
#[derive(Debug, Default)]
pub struct LastFound(Cell<u32>);

impl LastFound {
    /// Finds the place of `id` in a list that is ordered by it.
    pub fn search<T, I: Ord>(&self, list: &[T], id: I, id_of: impl Fn(&T) -> I) -> Option<usize> {
        let last = self.0.get() as usize;
        let is_it = |place: &usize| list.get(*place).is_some_and(|entry| id_of(entry) == id);
        let place = [last, last.wrapping_sub(1), last + 1]
            .into_iter()
            .find(is_it)
            .or_else(|| list.binary_search_by_key(&id, id_of).ok())?;
        self.0.set(place as u32);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_finds_what_a_search_from_the_middle_finds(
            ids in proptest::collection::btree_set(0..40_u32, 0..20),
            sought in proptest::collection::vec(0..40_u32, 1..50),
        ) {
            let mut list: Vec<_> = ids.into_iter().collect();
            let last_found = LastFound::default();
            for id in sought {
                prop_assert_eq!(last_found.search(&list, id, |entry| *entry), list.binary_search(&id).ok());
                if id % 7 == 0 {
                    list.retain(|entry| *entry != id);
                }
            }
        }
    }
}
