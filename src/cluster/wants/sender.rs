//! A node's side: what its streams want, and when it says so.

use super::{
    super::{
        clock::Boot,
        names::{Instance, NodeName},
    },
    message::{MESSAGE_SYMBOLS_MAX, PARTS_MAX, Wants, WantsMessage},
};
use crate::market::Symbol;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The whole list is sent this often.
const ALL: Duration = Duration::from_secs(10);
/// Changes are gathered for this long.
const GATHER: Duration = Duration::from_millis(50);
/// The most symbols that a node can ask for: more do not fit into one list.
const SYMBOLS_MAX: usize = MESSAGE_SYMBOLS_MAX * PARTS_MAX as usize;

/// The symbols of a shard that a node's streams want.
#[derive(Debug)]
pub struct WantsSender {
    node: NodeName,
    instance: Instance,
    wanted: BTreeSet<Symbol>,
    /// Since the last message: whether the symbol is wanted now.
    changes: BTreeMap<Symbol, bool>,
    changes_at: Option<Boot>,
    all_at: Boot,
    number: u64,
}

impl WantsSender {
    /// A node that wants nothing yet. It says so at once.
    pub fn new(node: NodeName, instance: Instance, now: Boot) -> Self {
        let (wanted, changes) = (BTreeSet::new(), BTreeMap::new());
        Self { node, instance, wanted, changes, changes_at: None, all_at: now, number: 0 }
    }

    /// A first stream wants the symbol. Returns whether there is room for it: a node asks for at most 131,072.
    pub fn add(&mut self, symbol: &Symbol, now: Boot) -> bool {
        if self.wanted.len() >= SYMBOLS_MAX && !self.wanted.contains(symbol) {
            return false;
        }
        if self.wanted.insert(symbol.clone()) {
            self.change(symbol, true, now);
        }
        true
    }

    /// The last stream that wanted the symbol has gone.
    pub fn remove(&mut self, symbol: &Symbol, now: Boot) {
        if self.wanted.remove(symbol) {
            self.change(symbol, false, now);
        }
    }

    /// What was added and removed within one gathering changes nothing.
    fn change(&mut self, symbol: &Symbol, wanted: bool, now: Boot) {
        if self.changes.remove(symbol).is_none() {
            self.changes.insert(symbol.clone(), wanted);
        }
        self.changes_at.get_or_insert(now.after(GATHER));
    }

    /// When the next messages are due.
    pub fn due(&self) -> Boot {
        self.changes_at.map_or(self.all_at, |at| at.min(self.all_at))
    }

    /// The messages that are due, in the order in which they are to be sent.
    pub fn take(&mut self, now: Boot) -> Vec<WantsMessage> {
        if self.all_at <= now || self.changes.len() > MESSAGE_SYMBOLS_MAX {
            return self.all(now);
        }
        if self.changes_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.changes_at = None;
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Vec::new();
        }
        let of = |wanted| changes.iter().filter(|(_, is)| **is == wanted).map(|(symbol, _)| symbol.clone()).collect();
        let wants = Wants::Changes { added: of(true), removed: of(false) };
        vec![self.message(wants)]
    }

    fn all(&mut self, now: Boot) -> Vec<WantsMessage> {
        self.all_at = now.after(ALL);
        self.changes_at = None;
        self.changes.clear();
        let wanted: Vec<Symbol> = self.wanted.iter().cloned().collect();
        let mut chunks: Vec<&[Symbol]> = wanted.chunks(MESSAGE_SYMBOLS_MAX).collect();
        if chunks.is_empty() {
            chunks.push(&[]);
        }
        let parts = u32::try_from(chunks.len()).expect("the symbols fit into PARTS_MAX messages");
        let chunks = (0..parts).zip(chunks);
        chunks.map(|(part, symbols)| self.message(Wants::All { part, parts, symbols: symbols.to_vec() })).collect()
    }

    fn message(&mut self, wants: Wants) -> WantsMessage {
        self.number += 1;
        WantsMessage { node: self.node.clone(), instance: self.instance, number: self.number, wants }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        name.parse().unwrap()
    }

    fn at(millis: u64) -> Boot {
        Boot(millis * 1_000)
    }

    fn sender() -> WantsSender {
        let mut sender = WantsSender::new("a".parse().unwrap(), Instance::from_bits(1).unwrap(), at(0));
        assert_eq!(sender.due(), at(0));
        let first = sender.take(at(0));
        assert_eq!(first[0].wants, Wants::All { part: 0, parts: 1, symbols: Vec::new() });
        sender
    }

    #[test]
    fn changes_are_gathered_and_what_cancels_out_is_not_sent() {
        let mut sender = sender();
        assert!(sender.add(&symbol("A"), at(100)));
        assert!(sender.add(&symbol("A"), at(110)), "a second stream changes nothing");
        sender.add(&symbol("B"), at(120));
        sender.remove(&symbol("B"), at(130));
        sender.remove(&symbol("C"), at(140));
        assert_eq!(sender.due(), at(150));
        assert_eq!(sender.take(at(149)), []);
        let message = sender.take(at(150)).remove(0);
        assert_eq!(message.wants, Wants::Changes { added: vec![symbol("A")], removed: vec![] });
        assert_eq!((message.number, sender.due()), (2, at(10_000)));
        sender.add(&symbol("B"), at(200));
        sender.remove(&symbol("B"), at(210));
        assert_eq!(sender.take(at(250)), []);
        sender.remove(&symbol("A"), at(300));
        let message = sender.take(at(350)).remove(0);
        assert_eq!(message.wants, Wants::Changes { added: vec![], removed: vec![symbol("A")] });
    }

    #[test]
    fn the_whole_list_is_sent_every_ten_seconds() {
        let mut sender = sender();
        sender.add(&symbol("B"), at(9_990));
        sender.add(&symbol("A"), at(9_990));
        let message = sender.take(at(10_000)).remove(0);
        assert_eq!(message.wants, Wants::All { part: 0, parts: 1, symbols: vec![symbol("A"), symbol("B")] });
        assert_eq!((sender.take(at(10_040)), sender.due()), (vec![], at(20_000)), "the list had the changes");
    }

    #[test]
    fn rule_10_a_long_list_has_parts_and_a_limit() {
        let mut sender = sender();
        for number in 0..SYMBOLS_MAX {
            assert!(sender.add(&symbol(&format!("S{number}")), at(100)));
        }
        assert!(!sender.add(&symbol("MORE"), at(100)));
        assert!(sender.add(&symbol("S0"), at(100)));
        // More changes than a message has are a list.
        let messages = sender.take(at(100));
        assert_eq!(messages.len(), PARTS_MAX as usize);
        for (place, message) in (0..).zip(&messages) {
            let Wants::All { part, parts, symbols } = &message.wants else { panic!("{message:?}") };
            assert_eq!((*part, *parts, symbols.len()), (place, PARTS_MAX, MESSAGE_SYMBOLS_MAX));
            assert_eq!(message.number, u64::from(place) + 2);
        }
    }
}
