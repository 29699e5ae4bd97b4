//! Notices where the configurations of nodes differ.

use super::{
    names::{NodeName, ShardName},
    node_report::NodeReport,
    symbol_list::SymbolList,
};
use std::collections::BTreeMap;

/// Notices when the list of another node begins or ceases to differ from this node's.
#[derive(Debug, Default)]
pub(super) struct ListWatch {
    /// The lists that differ, by node and shard.
    differ: BTreeMap<(NodeName, ShardName), SymbolList>,
}

/// The list of another node differs from this node's, or does so no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ListChange {
    pub(super) node: NodeName,
    pub(super) shard: ShardName,
    pub(super) differs: bool,
    pub(super) symbols_there: u32,
    pub(super) symbols_here: u32,
}

impl ListWatch {
    /// Compares this node's lists with those of the nodes that are alive. Returns what is new: of a list that differs
    /// once, until it is another. A node that is gone is forgotten.
    pub(super) fn look<'a>(
        &mut self,
        own: &[(ShardName, SymbolList)],
        others: impl Iterator<Item = &'a NodeReport>,
    ) -> Vec<ListChange> {
        let mut changes = Vec::new();
        let mut differ = BTreeMap::new();
        for other in others {
            for (shard, here) in own {
                let key = (other.node.clone(), shard.clone());
                let there = other.list_of(shard);
                let differs = there.is_some_and(|there| there != *here);
                let before = self.differ.get(&key).copied();
                if differs != before.is_some() || (differs && before != there) {
                    changes.push(ListChange {
                        node: other.node.clone(),
                        shard: shard.clone(),
                        differs,
                        symbols_there: there.unwrap_or_default().count(),
                        symbols_here: here.count(),
                    });
                }
                if let Some(there) = there.filter(|_| differs) {
                    differ.insert(key, there);
                }
            }
        }
        self.differ = differ;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Symbol;

    fn list(names: &[&str]) -> SymbolList {
        let symbols: Vec<Symbol> = names.iter().map(|name| name.parse().unwrap()).collect();
        SymbolList::of(&symbols)
    }

    #[test]
    fn a_list_that_differs_is_noticed_once_and_again_when_it_is_another_or_ends() {
        let shard: ShardName = "x.0".parse().unwrap();
        let own = [(shard.clone(), list(&["A", "B"]))];
        let mut watch = ListWatch::default();
        let mut look = |theirs: Option<&[&str]>| {
            let mut report = NodeReport::of_test("b");
            report.lists = theirs.map(|names| (shard.clone(), list(names))).into_iter().collect();
            let changes = watch.look(&own, [&report].into_iter());
            changes.iter().map(|change| (change.differs, change.symbols_there, change.symbols_here)).collect::<Vec<_>>()
        };
        assert_eq!(look(None), [], "a version that does not say");
        assert_eq!(look(Some(&["B", "A"])), []);
        assert_eq!(look(Some(&["A"])), [(true, 1, 2)]);
        assert_eq!(look(Some(&["A"])), []);
        assert_eq!(look(Some(&["A", "C"])), [(true, 2, 2)]);
        assert_eq!(look(Some(&["A", "B"])), [(false, 2, 2)]);
        look(Some(&["A"]));
        assert_eq!(watch.look(&own, std::iter::empty()), []);
        assert_eq!(watch.differ.len(), 0, "rule 10: it keeps those that are alive");
    }
}
