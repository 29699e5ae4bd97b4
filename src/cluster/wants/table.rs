//! What all nodes want, as each node and the owner know it.

use super::{
    super::{
        clock::Boot,
        members::NODES_MAX,
        names::{Instance, NodeName},
    },
    message::{Wants, WantsMessage},
};
use crate::{cache, market::Symbol};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

/// A node that is not heard for this long wants nothing.
const FORGET: Duration = Duration::from_secs(30);
/// The most symbols of one node that count: as many as a gateway has.
pub const NODE_SYMBOLS_MAX: usize = cache::SYMBOLS_MAX;

/// Which symbols of a shard any node wants. A node's own messages count too: it gives them to its own table.
#[derive(Debug, Default)]
pub struct WantsTable {
    nodes: BTreeMap<NodeName, Node>,
    /// By how many nodes each symbol is wanted.
    counts: HashMap<Symbol, usize>,
}

#[derive(Debug)]
struct Node {
    instance: Instance,
    /// The number of its last message.
    number: u64,
    heard: Boot,
    wanted: HashSet<Symbol>,
    /// The parts of a list so far: the next part, and the symbols.
    list: Option<(u32, HashSet<Symbol>)>,
}

/// What a message or time has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Symbols that are wanted now, sorted.
    pub added: Vec<Symbol>,
    /// Symbols that no node wants any more, sorted.
    pub removed: Vec<Symbol>,
    /// How many symbols were left out because the node wants too many, or, with all of its message, because there are
    /// too many nodes.
    pub left_out: usize,
}

impl WantsTable {
    /// Whether any node wants the symbol.
    pub fn is_wanted(&self, symbol: &Symbol) -> bool {
        self.counts.contains_key(symbol)
    }

    /// How many symbols are wanted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether all symbols are unwanted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Takes a message. One that is not newer than the last of its instance changes nothing.
    pub fn take(&mut self, message: WantsMessage, now: Boot) -> Taken {
        let WantsMessage { node, instance, number, wants } = message;
        let mut taken = Taken::default();
        if !self.nodes.contains_key(&node) && self.nodes.len() >= NODES_MAX {
            taken.left_out = match &wants {
                Wants::All { symbols, .. } => symbols.len(),
                Wants::Changes { added, .. } => added.len(),
            };
            return taken;
        }
        let unknown = || Node { instance, number: 0, heard: now, wanted: HashSet::new(), list: None };
        let of = self.nodes.entry(node).or_insert_with(unknown);
        if of.instance == instance && number <= of.number {
            return taken;
        }
        let follows = of.instance == instance && number == of.number + 1;
        // What an earlier process wanted counts until the first list of the new one.
        (of.instance, of.number, of.heard) = (instance, number, now);
        match wants {
            Wants::All { part, parts, symbols } => {
                let mut list = match of.list.take() {
                    _ if part == 0 => HashSet::new(),
                    Some((next, list)) if next == part && follows => list,
                    _ => return taken,
                };
                taken.left_out = add_up_to(&mut list, symbols);
                if part + 1 < parts {
                    of.list = Some((part + 1, list));
                    return taken;
                }
                let before = std::mem::replace(&mut of.wanted, list);
                let added: Vec<_> = of.wanted.difference(&before).cloned().collect();
                let removed: Vec<_> = before.difference(&of.wanted).cloned().collect();
                self.count(added, removed, &mut taken);
            }
            Wants::Changes { added, removed } => {
                of.list = None;
                let removed = removed.into_iter().filter(|symbol| of.wanted.remove(symbol)).collect();
                let mut new = Vec::new();
                for symbol in added {
                    if of.wanted.len() >= NODE_SYMBOLS_MAX {
                        taken.left_out += usize::from(!of.wanted.contains(&symbol));
                    } else if of.wanted.insert(symbol.clone()) {
                        new.push(symbol);
                    }
                }
                self.count(new, removed, &mut taken);
            }
        }
        taken
    }

    /// Forgets the nodes that were not heard for 30 s.
    pub fn forget(&mut self, now: Boot) -> Taken {
        let is_silent = |node: &Node| now.since(node.heard) >= FORGET;
        let silent: Vec<_> =
            self.nodes.iter().filter(|(_, node)| is_silent(node)).map(|(name, _)| name.clone()).collect();
        let mut taken = Taken::default();
        for name in silent {
            let node = self.nodes.remove(&name).expect("it was found");
            self.count(Vec::new(), node.wanted.into_iter().collect(), &mut taken);
        }
        taken.removed.sort_unstable();
        taken
    }

    fn count(&mut self, added: Vec<Symbol>, removed: Vec<Symbol>, taken: &mut Taken) {
        for symbol in added {
            let count = self.counts.entry(symbol.clone()).or_default();
            *count += 1;
            if *count == 1 {
                taken.added.push(symbol);
            }
        }
        for symbol in removed {
            let count = self.counts.get_mut(&symbol).expect("a wanted symbol is counted");
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&symbol);
                taken.removed.push(symbol);
            }
        }
        taken.added.sort_unstable();
        taken.removed.sort_unstable();
    }
}

/// Adds symbols while there is room; returns how many had none.
fn add_up_to(list: &mut HashSet<Symbol>, symbols: Vec<Symbol>) -> usize {
    let mut left_out = 0;
    for symbol in symbols {
        if list.len() < NODE_SYMBOLS_MAX {
            list.insert(symbol);
        } else {
            left_out += usize::from(!list.contains(&symbol));
        }
    }
    left_out
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
