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

/// Each look takes one of so many parts of the symbols: all of them are seen within a second.
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
        for (state, was_wanted) in symbols[from..to].iter().zip(&mut self.here[from..to]) {
            let is_wanted = state.is_wanted_here();
            if std::mem::replace(was_wanted, is_wanted) == is_wanted {
                continue;
            }
            if is_wanted {
                // More than a node may want are more than a gateway has.
                self.sender.add(state.symbol(), now);
            } else {
                self.sender.remove(state.symbol(), now);
            }
        }
        self.next = to;
        let Taken { removed, .. } = self.elsewhere.forget(now);
        set_wanted(book, &removed, false, at);
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
