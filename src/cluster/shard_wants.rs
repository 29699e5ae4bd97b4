//! Which symbols of a shard the streams of this node and of others want.

use super::{
    cache_book::CacheBook,
    clock::Boot,
    follower::Book,
    names::{Instance, NodeName},
    wants::{Taken, WantsMessage, WantsSender, WantsTable},
};
use crate::{
    cache::SymbolState,
    market::{Now, Symbol},
};
use std::sync::Arc;

/// Each look takes one of so many parts of the symbols: all of them are seen within a second. Changes are looked at as
/// they come; only more than can wait are left to these looks.
const PARTS: usize = 4;

/// What is wanted of a shard.
pub(super) struct ShardWants {
    sender: WantsSender,
    /// By place, whether a stream of this node wanted the symbol at the last look.
    here: Vec<bool>,
    next: usize,
    /// What the other nodes want.
    elsewhere: WantsTable,
}

impl ShardWants {
    pub(super) fn new(node: NodeName, instance: Instance, symbols: &[Arc<SymbolState>], now: Boot) -> Self {
        let here = vec![false; symbols.len()];
        Self { sender: WantsSender::new(node, instance, now), here, next: 0, elsewhere: WantsTable::default() }
    }

    /// Looks which symbols of the next part the streams of this node want, and forgets nodes that are silent.
    pub(super) fn look(&mut self, book: &CacheBook, now: Boot, at: Now) {
        let symbols = book.symbols();
        let part = symbols.len().div_ceil(PARTS).max(1);
        let from = if self.next < symbols.len() { self.next } else { 0 };
        let to = (from + part).min(symbols.len());
        (from..to).for_each(|place| self.look_at(&symbols[place], place, now));
        self.next = to;
        let Taken { removed, .. } = self.elsewhere.forget(now);
        set_wanted(book, &removed, false, at);
    }

    /// Looks at the symbols that streams of this node have begun or ceased to want.
    pub(super) fn look_at_changes(&mut self, book: &CacheBook, now: Boot) {
        for place in book.take_want_changes() {
            if let Some(state) = book.symbols().get(place as usize) {
                self.look_at(state, place as usize, now);
            }
        }
    }

    fn look_at(&mut self, state: &SymbolState, place: usize, now: Boot) {
        let is_wanted = state.is_wanted_here();
        if std::mem::replace(&mut self.here[place], is_wanted) == is_wanted {
            return;
        }
        if is_wanted {
            // More than a node may want are more than a gateway has.
            self.sender.add(state.symbol(), now);
        } else {
            self.sender.remove(state.symbol(), now);
        }
    }

    /// When messages are due.
    pub(super) fn due(&self) -> Boot {
        self.sender.due()
    }

    /// The messages that are due.
    pub(super) fn take(&mut self, now: Boot) -> Vec<WantsMessage> {
        if self.sender.due() > now { Vec::new() } else { self.sender.take(now) }
    }

    /// Another node says what it wants: the rings of those symbols are kept.
    pub(super) fn take_message(&mut self, message: WantsMessage, book: &CacheBook, now: Boot, at: Now) {
        let Taken { added, removed, .. } = self.elsewhere.take(message, now);
        set_wanted(book, &added, true, at);
        set_wanted(book, &removed, false, at);
    }

    /// How many symbols other nodes want.
    pub(super) fn wanted(&self) -> usize {
        self.elsewhere.len()
    }
}

fn set_wanted(book: &CacheBook, symbols: &[Symbol], is_wanted: bool, at: Now) {
    for place in symbols.iter().filter_map(|symbol| book.find(symbol.as_str())) {
        book.symbols()[place.0 as usize].set_wanted_elsewhere(is_wanted, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::{Cache, RingLimits, WorkerIndex, WorkerMask},
        cluster::wants::Wants,
        config::Config,
        fanout::{Announcer, WorkerPool},
        market::{Origin, Parts},
        wire::Epoch,
    };
    use std::{
        collections::VecDeque,
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    #[test]
    fn changes_are_said_after_50_ms_whatever_part_the_looks_have_come_to() {
        let cache = Cache::new(Epoch::from_bits(1).unwrap(), RingLimits { count: 8, age: Duration::from_secs(10) });
        let shard = cache.add_shard("x.0".into(), Epoch::from_bits(9).unwrap()).unwrap();
        let at = Now::read();
        let register =
            |name: &str| cache.register_in(&shard, name.parse().unwrap(), "x".into(), Origin::Sim, at).unwrap();
        let symbols = ["A", "B", "C", "D"].map(register);
        let (workers, _threads) = WorkerPool::start(&Config::default().fanout).unwrap();
        let book = CacheBook::new(shard, symbols.iter().cloned(), Announcer::new(workers), at);
        let woken = Arc::new(AtomicUsize::new(0));
        let counts = woken.clone();
        book.keep_want_changes(move || {
            counts.fetch_add(1, Ordering::Relaxed);
        });
        let millis = |millis: u64| Boot(1_000_000 + millis * 1_000);
        let mut wants = ShardWants::new("a".parse().unwrap(), Instance::new(1), book.symbols(), millis(0));
        assert_eq!(wants.take(millis(0)).len(), 1, "the whole list");

        let worker = WorkerMask::only(WorkerIndex::new(0).unwrap());
        symbols[3].join(worker, Parts::ALL, &mut VecDeque::new());
        symbols[3].join(worker, Parts::ALL, &mut VecDeque::new());
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        wants.look_at_changes(&book, millis(100));
        assert_eq!((wants.due(), wants.take(millis(149))), (millis(150), vec![]));
        let said = |messages: Vec<WantsMessage>| match &messages[..] {
            [WantsMessage { wants: Wants::Changes { added, removed }, .. }] => (added.len(), removed.len()),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(wants.take(millis(150))), (1, 0));
        symbols[3].leave(worker, Parts::ALL, at);
        assert_eq!(woken.load(Ordering::Relaxed), 2);
        wants.look_at_changes(&book, millis(200));
        assert_eq!(said(wants.take(millis(250))), (0, 1));
    }
}
