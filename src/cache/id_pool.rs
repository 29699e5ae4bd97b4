//! The ids of states: dense, and each given to another state once nothing holds the one before.

use super::ids::SymbolId;
use crate::market::{Symbol, Tier};
use std::{
    any::Any,
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// A state, of whose type this file knows nothing.
type AnyState = dyn Any + Send + Sync;

/// What a state is called.
pub(super) type StateName = (Symbol, Tier);

/// The most states, with those that were retired and are still held, and orphans.
pub(super) const STATES_MAX: usize = 4 * super::SYMBOLS_MAX;

/// Gives ids to states, and finds retired states that something still holds.
///
/// A state gives its id back when it is dropped. So a table that is indexed by id, and whose entries hold their
/// states, never takes one symbol for another. An entry that does not hold its state has to compare it.
#[derive(Debug, Default)]
pub(super) struct IdPool {
    /// A std mutex, and a leaf: a state that is dropped takes it, under any other lock.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The lowest id that was never given.
    next: usize,
    /// Those below it that no state has. The lowest goes first: it keeps the tables of workers short.
    free: BinaryHeap<Reverse<SymbolId>>,
    /// The retired states that something holds.
    retired: HashMap<StateName, Retired>,
}

#[derive(Debug)]
struct Retired {
    id: SymbolId,
    state: Weak<AnyState>,
}

impl IdPool {
    /// The lowest free id; `None`: there are [`STATES_MAX`] states.
    pub(super) fn take(&self) -> Option<SymbolId> {
        let mut inner = self.lock();
        if let Some(Reverse(id)) = inner.free.pop() {
            return Some(id);
        }
        let next = inner.next;
        (next < STATES_MAX).then(|| {
            inner.next += 1;
            SymbolId::new(next)
        })
    }

    /// A state is dropped.
    pub(super) fn give_back(&self, id: SymbolId, symbol: &Symbol, tier: Tier) {
        let mut inner = self.lock();
        if !inner.retired.is_empty() {
            let name = (symbol.clone(), tier);
            // A newer state of the name may have been retired meanwhile.
            if inner.retired.get(&name).is_some_and(|retired| retired.id == id) {
                inner.retired.remove(&name);
            }
        }
        inner.free.push(Reverse(id));
    }

    /// Notes that a state is in no map any longer.
    pub(super) fn retire(&self, id: SymbolId, name: StateName, state: Weak<AnyState>) {
        let retired = Retired { id, state };
        self.lock().retired.insert(name, retired);
    }

    /// Takes back the retired state of a name, if something still holds it.
    pub(super) fn revive(&self, name: &StateName) -> Option<Arc<AnyState>> {
        let mut inner = self.lock();
        if inner.retired.is_empty() {
            return None;
        }
        let retired = inner.retired.remove(name)?;
        retired.state.upgrade() // it leaves the lock before it can be dropped
    }

    /// How many ids were ever needed at once.
    #[cfg(test)]
    pub(super) fn high_water(&self) -> usize {
        self.lock().next
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
