//! Whether a shard may be given to a node.

use super::{
    names::{NodeName, ShardName},
    node_seen::NodeSeen,
    symbol_list::SymbolList,
};

/// Why a shard is not given away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GiveRefused {
    /// The cluster has other shards.
    #[error("this gateway has no shard {0}")]
    UnknownShard(String),
    /// Another node owns it.
    #[error("this node does not own {shard}{}", owner.as_ref().map_or(String::new(), |owner| format!(": ask {owner}")))]
    NotOwner {
        /// The shard.
        shard: ShardName,
        /// The owner, if it is known.
        owner: Option<NodeName>,
    },
    /// The node is not connected to the brokers.
    #[error(
        "this node is not connected to its brokers: it can ask no other node, and does not know which one owns {0}. A \
         shard does not move without the brokers"
    )]
    NoBrokers(ShardName),
    /// The node that is named is not there.
    #[error("no other node is called {0}")]
    UnknownNode(String),
    /// It does not have the shard's state.
    #[error("{node} does not have the state of {shard} yet")]
    Unsynced {
        /// The node.
        node: NodeName,
        /// The shard.
        shard: ShardName,
    },
    /// It has fewer or other symbols of the shard.
    #[error(
        "{node} lacks symbols of {shard} that this node has, and they would be stale on all nodes: give it the same \
         configuration first"
    )]
    LacksSymbols {
        /// The node.
        node: NodeName,
        /// The shard.
        shard: ShardName,
    },
    /// The node that is named stops.
    #[error("{0} is stopping")]
    Stops(NodeName),
    /// No node could take it.
    #[error(
        "no other node could own {0}: one that has its state and all of its symbols, goes on, and has not lately failed \
         to reach its venue"
    )]
    NoneAble(ShardName),
    /// It is being given away.
    #[error("{0} is being given away already")]
    Running(ShardName),
    /// The shard's task has too much to do.
    #[error("the shard's task is busy; try again")]
    Busy,
}

/// The node that is named, if it could own the shard with these symbols; `None` if none is named and any could. One
/// that is named may have failed to reach the venue: the operator may have mended that.
pub(super) fn successor(
    others: &[&NodeSeen],
    shard: &ShardName,
    list: SymbolList,
    named: Option<&str>,
) -> Result<Option<NodeName>, GiveRefused> {
    let Some(named) = named else {
        let is_able = |other: &&NodeSeen| {
            !other.report.drains && other.report.synced.contains(shard) && other.report.can_serve(shard, list)
        };
        return if others.iter().any(is_able) { Ok(None) } else { Err(GiveRefused::NoneAble(shard.clone())) };
    };
    let other = others.iter().find(|other| other.report.node.as_str() == named);
    let other = &other.ok_or_else(|| GiveRefused::UnknownNode(named.to_owned()))?.report;
    let node = other.node.clone();
    if other.drains {
        return Err(GiveRefused::Stops(node));
    }
    if !other.synced.contains(shard) {
        return Err(GiveRefused::Unsynced { node, shard: shard.clone() });
    }
    if other.lacks(shard, list) {
        return Err(GiveRefused::LacksSymbols { node, shard: shard.clone() });
    }
    Ok(Some(node))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{members::Presence, node_report::NodeReport},
        *,
    };
    use std::time::Duration;

    fn other(node: &str, drains: bool, synced: bool) -> NodeSeen {
        let synced = synced.then(|| "x.0".parse().unwrap()).into_iter().collect();
        let lists = [("x.0".parse().unwrap(), list(2))].into();
        NodeSeen::new(
            &NodeReport { drains, synced, lists, ..NodeReport::of_test(node) },
            Duration::ZERO,
            Presence::Alive,
        )
    }

    fn list(count: u32) -> SymbolList {
        format!("{count}-{count:016}").parse().unwrap()
    }

    #[test]
    fn a_shard_goes_to_a_node_that_has_its_state_and_symbols_and_goes_on() {
        let shard: ShardName = "x.0".parse().unwrap();
        let name = |node: &str| node.parse::<NodeName>().unwrap();
        let mut fails = other("e", false, true);
        fails.report.failed.insert(shard.clone());
        let unable = [other("b", true, true), other("c", false, false), fails];
        let unable: Vec<_> = unable.iter().collect();
        let find = |named| successor(&unable, &shard, list(2), named);
        assert_eq!(find(None), Err(GiveRefused::NoneAble(shard.clone())));
        assert_eq!(find(Some("b")), Err(GiveRefused::Stops(name("b"))));
        assert_eq!(find(Some("c")), Err(GiveRefused::Unsynced { node: name("c"), shard: shard.clone() }));
        assert_eq!(find(Some("d")), Err(GiveRefused::UnknownNode("d".to_owned())));
        assert_eq!(find(Some("e")), Ok(Some(name("e"))));
        let able = [other("b", true, true), other("c", false, true)];
        let able: Vec<_> = able.iter().collect();
        let find = |list, named| successor(&able, &shard, list, named);
        assert_eq!(find(list(2), None), Ok(None));
        assert_eq!(find(list(1), Some("c")), Ok(Some(name("c"))));
        assert_eq!(find(list(3), None), Err(GiveRefused::NoneAble(shard.clone())));
        let lacks = GiveRefused::LacksSymbols { node: name("c"), shard: shard.clone() };
        assert_eq!(find(list(3), Some("c")), Err(lacks));
    }
}
