//! Which connection of a feed carries which symbol. Pure.

use crate::market::Symbol;
use std::collections::HashMap;

/// The symbols of a feed's connections.
#[derive(Debug)]
pub(super) struct Placement {
    symbols_max: usize,
    /// How many symbols each connection has, or would have.
    counts: Vec<usize>,
    connections: HashMap<Symbol, usize>,
}

impl Placement {
    /// No symbols, for so many connections at most with so many symbols each at most.
    pub(super) fn new(connections_max: usize, symbols_max: usize) -> Self {
        Self { symbols_max, counts: vec![0; connections_max], connections: HashMap::new() }
    }

    /// The number of symbols.
    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// How many symbols a connection has.
    pub(super) fn count(&self, connection: usize) -> usize {
        self.counts[connection]
    }

    /// The connection of a symbol.
    pub(super) fn of(&self, symbol: &Symbol) -> Option<usize> {
        self.connections.get(symbol).copied()
    }

    /// Whether another symbol has room.
    pub(super) fn has_room(&self) -> bool {
        self.connections.len() < self.counts.len() * self.symbols_max
    }

    /// Gives a new symbol to this connection: the first list is spread evenly.
    pub(super) fn put(&mut self, symbol: &Symbol, connection: usize) {
        self.connections.insert(symbol.clone(), connection);
        self.counts[connection] += 1;
    }

    /// Gives a new symbol to the fullest connection that has room, since one of a few quiet symbols would count as
    /// mute; where none has room, to another one. `None` where that is one too many.
    pub(super) fn add(&mut self, symbol: &Symbol) -> Option<usize> {
        let rooms = self.counts.iter().enumerate().filter(|(_, count)| **count < self.symbols_max);
        // Of equals the first.
        let (connection, _) = rooms.rev().max_by_key(|(_, count)| **count)?;
        self.put(symbol, connection);
        Some(connection)
    }

    /// Takes a symbol off its connection; returns which that was.
    pub(super) fn remove(&mut self, symbol: &Symbol) -> Option<usize> {
        let connection = self.connections.remove(symbol)?;
        self.counts[connection] -= 1;
        Some(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbol(number: u8) -> Symbol {
        format!("S{number}").parse().unwrap()
    }

    #[test]
    fn rule_10_the_fullest_connection_with_room_takes_a_symbol_then_another_one_and_then_none() {
        let mut placement = Placement::new(3, 2);
        placement.put(&symbol(0), 1);
        let placed: Vec<_> = (1..7).map(|number| placement.add(&symbol(number))).collect();
        assert_eq!(placed, [Some(1), Some(0), Some(0), Some(2), Some(2), None]);
        assert_eq!(placement.remove(&symbol(2)), Some(0));
        assert_eq!(placement.remove(&symbol(3)), Some(0));
        assert_eq!(placement.remove(&symbol(4)), Some(2));
        assert_eq!(placement.remove(&symbol(4)), None);
        assert_eq!(placement.add(&symbol(8)), Some(2), "not the one that became empty");
        assert_eq!((placement.len(), placement.count(0), placement.of(&symbol(8))), (4, 0, Some(2)));
    }

    proptest! {
        #[test]
        fn counts_are_right_and_within_their_limit(steps in prop::collection::vec(0_u8..20, 1..300)) {
            let mut placement = Placement::new(4, 3);
            for number in steps {
                if placement.remove(&symbol(number)).is_none() {
                    let had_room = placement.len() < 12;
                    prop_assert_eq!(placement.add(&symbol(number)).is_some(), had_room);
                }
                for connection in 0..4 {
                    let members = placement.connections.values().filter(|of| **of == connection).count();
                    prop_assert_eq!(placement.count(connection), members);
                    prop_assert!(members <= 3);
                }
            }
        }
    }
}
