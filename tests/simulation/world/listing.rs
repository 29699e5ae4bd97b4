//! Symbols that leave the list of their feed, and come back, while streams hold some of them.

use super::{World, name};
use rand::{RngExt, seq::SliceRandom};
use std::{mem, sync::Arc};
use tickfan::{
    cache::Published,
    market::{Origin, Reason, Tier},
};

impl World {
    /// A symbol leaves, or some of those that left come back.
    pub(super) fn list_some(&mut self) {
        if self.random.random_bool(0.7) {
            let symbol = self.random.random_range(0..self.settings.symbols);
            return self.retire(symbol);
        }
        let back: Vec<usize> = self.retired.iter().copied().filter(|_| self.random.random_bool(0.6)).collect();
        self.list(back);
    }

    /// A symbol leaves the list.
    pub(crate) fn retire(&mut self, symbol: usize) {
        if !self.retired.insert(symbol) {
            return;
        }
        let state = self.cache.retire(&name(symbol), Tier::Live).unwrap();
        assert!(Arc::ptr_eq(&state, &self.symbols[symbol]));
        let removed = state.remove(Reason::Removed, self.now);
        self.tell(symbol, removed);
    }

    /// Symbols that left come back, in any order. Those that a stream, or a command on its way to a worker, still holds
    /// go on. The others are new, in places that any of them may have had before.
    pub(crate) fn list(&mut self, mut back: Vec<usize>) {
        let seed = self.seed;
        let held: Vec<_> = back.iter().map(|&symbol| Arc::downgrade(&self.release(symbol))).collect();
        let held: Vec<_> = back.iter().copied().zip(held).collect();
        back.shuffle(&mut self.random);
        let mut revived = Vec::new();
        for symbol in back {
            assert!(self.retired.remove(&symbol), "seed {seed}: it was not retired");
            let state = self.cache.register(name(symbol), "sim".into(), Origin::Sim, self.now).unwrap();
            let before = held.iter().find(|(other, _)| *other == symbol).unwrap().1.upgrade();
            // The states of all symbols, and what stands in for one that was released.
            assert!(state.id().index() < 2 * self.settings.symbols, "seed {seed}: ids are dense");
            self.symbols[symbol] = state.clone();
            if let Some(before) = before {
                assert!(Arc::ptr_eq(&before, &state), "seed {seed}: a stream holds another S{symbol}");
                revived.push(symbol);
                continue;
            }
            let (newest, history) = (state.newest(), &mut self.history[symbol]);
            let last = history.last().unwrap().clone();
            assert!(newest.seq > last.seq || newest.seq == 0, "seed {seed}: rule 1: S{symbol} begins at {newest:?}");
            if newest.seq == 0 {
                history.clear(); // nothing has ticked in this world
            }
            history.resize(newest.seq as usize, last);
            history.push(newest);
        }
        // No worker takes a turn before all have their states.
        for symbol in revived {
            let readmitted = self.symbols[symbol].readmit(self.now);
            self.tell(symbol, readmitted);
        }
    }

    /// This world holds a state no longer.
    fn release(&mut self, symbol: usize) -> Arc<tickfan::cache::SymbolState> {
        let blank = self.cache.orphan(name(symbol), "sim".into(), Reason::Removed, self.now).unwrap();
        mem::replace(&mut self.symbols[symbol], blank)
    }

    /// Announces what was published, if it made a tick.
    pub(super) fn tell(&mut self, symbol: usize, published: Published) {
        if let Published::Tick { interest } = published {
            self.note_published(symbol);
            self.announce(symbol, interest);
        }
    }
}
