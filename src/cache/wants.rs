//! Tells a node of a cluster at once which symbols of a shard its streams begin and cease to want.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// As many changes wait. More are left to the node's regular look at all symbols.
const CHANGES_MAX: usize = 4_096;

/// Called after a change.
type Wake = Box<dyn Fn() + Send + Sync>;

/// The symbols of a shard whose streams on this node have come or gone.
#[derive(Default)]
pub struct WantChanges {
    /// `None` where no task takes the changes.
    wake: OnceLock<Wake>,
    /// Places in the shard. A std mutex, and a leaf: locked under the lock of a symbol.
    places: Mutex<Vec<u32>>,
}

impl WantChanges {
    /// From now on changes are kept, and `wake` is called for the first of them that waits. The first call counts.
    pub fn keep(&self, wake: impl Fn() + Send + Sync + 'static) {
        let _ = self.wake.set(Box::new(wake));
    }

    /// The places of symbols that have changed since the last call. A symbol may be there twice.
    pub fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.lock())
    }

    /// The first stream that wants the symbol has come, or the last one has gone.
    pub(super) fn note(&self, place: u32) {
        let Some(wake) = self.wake.get() else { return };
        let mut places = self.lock();
        if places.len() < CHANGES_MAX {
            places.push(place);
        }
        if places.len() == 1 {
            wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u32>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for WantChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WantChanges").field("places", &self.places).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    #[test]
    fn rule_10_changes_are_kept_for_a_task_up_to_a_limit_and_wake_it_once() {
        let changes = WantChanges::default();
        changes.note(1);
        assert!(changes.take().is_empty(), "no task takes them");
        let woken = Arc::new(AtomicUsize::new(0));
        let counts = woken.clone();
        changes.keep(move || {
            counts.fetch_add(1, Ordering::Relaxed);
        });
        (0..=CHANGES_MAX as u32).for_each(|place| changes.note(place));
        assert_eq!((changes.take().len(), woken.load(Ordering::Relaxed)), (CHANGES_MAX, 1));
        changes.note(7);
        assert_eq!((changes.take(), woken.load(Ordering::Relaxed)), (vec![7], 2));
    }
}
