//! The nodes of a cluster: which are alive, and who should own a shard.
//!
//! Each node reports itself once a second. A shard goes to a node that has its state, whose feed has not failed, and
//! that has the most of its symbols. Among equals the one that owns the fewest shards comes first, and then a hash of
//! node and shard decides, so that shards spread. All nodes compute the same order from the same reports. Where
//! reports differ for a moment, two claim together, and the lease's store takes one.

use super::{
    clock::Boot,
    names::{Instance, NodeName, ShardName},
    node_report::NodeReport,
    symbol_list::SymbolList,
};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

/// The most nodes of a cluster, this one included.
pub const NODES_MAX: usize = 64;
/// A node reports itself this often.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A node without a report for this long is not alive.
pub(super) const ALIVE: Duration = Duration::from_secs(3);
/// Operators still see it for this long.
const SHOWN: Duration = Duration::from_secs(600);

/// The nodes that a node knows.
#[derive(Debug)]
pub struct Members {
    node: NodeName,
    instance: Instance,
    /// The others, by name.
    others: BTreeMap<NodeName, Member>,
    /// When another process last reported under this node's name.
    twin: Option<Boot>,
    /// When the node's own report last came back.
    heard: Option<Boot>,
}

#[derive(Debug)]
struct Member {
    report: NodeReport,
    heard: Boot,
    /// Operators know it as alive.
    is_known: bool,
}

/// A node has come, or has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The node.
    pub node: NodeName,
    /// Which of them.
    pub is: Presence,
}

/// Whether a node is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It reports itself.
    Alive,
    /// It has said that it stops, and then ended.
    Stopped,
    /// It is silent.
    Lost,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It counts.
    Taken,
    /// Another process uses this node's name.
    Twin,
    /// [`NODES_MAX`] nodes are alive already.
    TooMany,
}

impl Members {
    /// This node alone.
    pub fn new(node: NodeName, instance: Instance) -> Self {
        Self { node, instance, others: BTreeMap::new(), twin: None, heard: None }
    }

    /// Takes a report.
    pub fn heard(&mut self, report: NodeReport, now: Boot) -> Heard {
        if report.node == self.node {
            if report.instance != self.instance {
                self.twin = Some(now);
                return Heard::Twin;
            }
            self.heard = Some(now);
            return Heard::Taken;
        }
        if !self.others.contains_key(&report.node) && self.others.len() + 1 >= NODES_MAX {
            self.others.retain(|_, member| is_alive(member, now));
            if self.others.len() + 1 >= NODES_MAX {
                return Heard::TooMany;
            }
        }
        let is_known = self.others.get(&report.node).is_some_and(|member| member.is_known);
        self.others.insert(report.node.clone(), Member { report, heard: now, is_known });
        Heard::Taken
    }

    /// The nodes that have come or gone since the last call. Forgets those that have been gone for ten minutes.
    pub fn take_changes(&mut self, now: Boot) -> Vec<Change> {
        self.others.retain(|_, member| now.since(member.heard) < SHOWN);
        let mut changes = Vec::new();
        for (node, member) in &mut self.others {
            let is = presence(member, now);
            if member.is_known != (is == Presence::Alive) {
                member.is_known = is == Presence::Alive;
                changes.push(Change { node: node.clone(), is });
            }
        }
        changes
    }

    /// How many nodes are alive, this one included.
    pub fn alive(&self, now: Boot) -> usize {
        1 + self.alive_others(now).count()
    }

    /// The other nodes, those that have gone lately too, with the age of their last reports.
    pub fn others(&self, now: Boot) -> impl Iterator<Item = (&NodeReport, Duration, Presence)> {
        let others = self.others.values();
        others.map(move |member| (&member.report, now.since(member.heard), presence(member, now)))
    }

    /// Whether another process lately reported under this node's name.
    pub fn has_twin(&self, now: Boot) -> bool {
        self.twin.is_some_and(|heard| now.since(heard) < ALIVE)
    }

    /// Whether the node's own reports come back: they leave on one connection and arrive on the other, so both are at
    /// brokers that reach each other.
    pub fn is_heard(&self, now: Boot) -> bool {
        self.heard.is_some_and(|heard| now.since(heard) < ALIVE)
    }

    /// How many nodes should claim the shard before this one.
    pub fn rank(&self, shard: &ShardName, own: &Fitness, now: Boot) -> u32 {
        let symbols = own.symbols;
        let own = own.place(shard, &self.node);
        let before = self
            .alive_others(now)
            .filter(|report| Fitness::of(report, shard, symbols).place(shard, &report.node) < own);
        u32::try_from(before.count()).expect("there are at most NODES_MAX")
    }

    /// The nodes that could follow this one, which has this list of symbols, as the shard's owner: those that have its
    /// state.
    pub fn successors(&self, shard: &ShardName, list: SymbolList, now: Boot) -> Successors {
        let mut able: Vec<_> = self.alive_others(now).filter(|report| report.synced.contains(shard)).collect();
        able.sort_by_key(|report| Fitness::of(report, shard, list.count()).place(shard, &report.node));
        let (good, last_resort): (Vec<_>, Vec<_>) = able.into_iter().partition(|report| report.can_serve(shard, list));
        let has_more = |report: &NodeReport| report.list_of(shard).is_some_and(|there| there.count() > list.count());
        let fuller = good.iter().copied().filter(|report| has_more(report)).collect();
        let names = |reports: Vec<&NodeReport>| reports.into_iter().map(|report| report.node.clone()).collect();
        Successors { fuller: names(fuller), good: names(good), last_resort: names(last_resort) }
    }

    /// The others that are alive and do not stop.
    fn alive_others(&self, now: Boot) -> impl Iterator<Item = &NodeReport> {
        let alive = self.others.values().filter(move |member| is_alive(member, now));
        alive.map(|member| &member.report).filter(|report| !report.drains)
    }
}

fn is_alive(member: &Member, now: Boot) -> bool {
    now.since(member.heard) < ALIVE
}

fn presence(member: &Member, now: Boot) -> Presence {
    match (is_alive(member, now), member.report.drains) {
        (true, _) => Presence::Alive,
        (false, true) => Presence::Stopped,
        (false, false) => Presence::Lost,
    }
}

/// The nodes that could follow an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Successors {
    /// Those that are as able as the owner, best first.
    pub good: Vec<NodeName>,
    /// Those of them that have more symbols of the shard, best first: one of them is to own it.
    pub fuller: Vec<NodeName>,
    /// Those that lack symbols, or whose feed has failed: better than none for an owner that stops. Best first.
    pub last_resort: Vec<NodeName>,
}

/// How fit a node is to own a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitness {
    /// Whether it has the shard's state.
    pub synced: bool,
    /// Whether the shard's feed fails on it, or lately did.
    pub failed: bool,
    /// How many symbols of the shard it has.
    pub symbols: u32,
    /// How many shards it owns.
    pub owned: u32,
}

/// A node's place in the order of those that could own a shard.
type Place<'a> = (bool, bool, Reverse<u32>, u32, Reverse<u64>, &'a NodeName);

impl Fitness {
    /// A node that does not say which symbols it has is taken for one that has as many as this one.
    fn of(report: &NodeReport, shard: &ShardName, symbols: u32) -> Self {
        Self {
            synced: report.synced.contains(shard),
            failed: report.failed.contains(shard),
            symbols: report.list_of(shard).map_or(symbols, SymbolList::count),
            owned: report.owned,
        }
    }

    fn place<'a>(&self, shard: &ShardName, node: &'a NodeName) -> Place<'a> {
        (!self.synced, self.failed, Reverse(self.symbols), self.owned, Reverse(score(shard, node)), node)
    }
}

/// FNV-1a over both names, then mixed: FNV alone leaves the high bits of similar names alike.
fn score(shard: &ShardName, node: &NodeName) -> u64 {
    let bytes = shard.as_str().bytes().chain([b'/']).chain(node.as_str().bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn shard(name: &str) -> ShardName {
        name.parse().unwrap()
    }

    fn instance(bits: u64) -> Instance {
        Instance::from_bits(bits).unwrap()
    }

    fn report(node: &str, owned: u32, synced: &[&str]) -> NodeReport {
        let synced = synced.iter().map(|name| shard(name)).collect();
        NodeReport { owned, synced, ..NodeReport::of_test(node) }
    }

    fn fitness(owned: u32, synced: bool) -> Fitness {
        Fitness { synced, failed: false, symbols: 0, owned }
    }

    fn list(symbols: &[&str]) -> SymbolList {
        let symbols: Vec<crate::market::Symbol> = symbols.iter().map(|name| name.parse().unwrap()).collect();
        SymbolList::of(&symbols)
    }

    fn members(reports: &[NodeReport]) -> Members {
        let mut members = Members::new("me".parse().unwrap(), instance(1));
        for report in reports {
            assert_eq!(members.heard(report.clone(), Boot(0)), Heard::Taken);
        }
        members
    }

    #[test]
    fn who_has_the_state_comes_first_then_who_owns_the_fewest() {
        let all = [report("a", 2, &["x.0"]), report("b", 0, &["x.0"]), report("c", 0, &[]), report("d", 5, &["y.0"])];
        let members = members(&all);
        for (owned, synced, rank) in
            [(0, true, 0..=1), (1, true, 1..=1), (3, true, 2..=2), (3, false, 3..=3), (9, false, 4..=4)]
        {
            assert!(rank.contains(&members.rank(&shard("x.0"), &fitness(owned, synced), Boot(0))), "{owned} {synced}");
        }
        let Successors { good, fuller, last_resort } =
            members.successors(&shard("x.0"), SymbolList::default(), Boot(0));
        assert_eq!((names(&good), names(&fuller), names(&last_resort)), (vec!["b", "a"], vec![], vec![]));
    }

    fn names(nodes: &[NodeName]) -> Vec<&str> {
        nodes.iter().map(NodeName::as_str).collect()
    }

    #[test]
    fn who_fails_or_has_fewer_symbols_is_a_last_resort_and_claims_behind_the_others() {
        let of = |node, owned, symbols: &[&str]| NodeReport {
            lists: [(shard("x.0"), list(symbols))].into(),
            ..report(node, owned, &["x.0"])
        };
        let (two, three) = (["A", "B"], ["A", "B", "C"]);
        let all = [
            of("equal", 7, &two),
            of("fewer", 0, &["A"]),
            of("others", 0, &["A", "C"]),
            of("more", 9, &three),
            NodeReport { failed: [shard("x.0")].into(), ..of("fails", 0, &three) },
            report("older", 8, &["x.0"]),
        ];
        let members = members(&all);
        let Successors { good, fuller, last_resort } = members.successors(&shard("x.0"), list(&two), Boot(0));
        assert_eq!(names(&good), ["more", "equal", "older"]);
        assert_eq!(names(&fuller), ["more"]);
        assert_eq!(names(&last_resort), ["others", "fewer", "fails"]);
        let rank = |symbols, failed, owned| {
            members.rank(&shard("x.0"), &Fitness { synced: true, failed, symbols, owned }, Boot(0))
        };
        // The older one is taken for one with as many.
        assert_eq!([rank(4, false, 99), rank(3, false, 99), rank(2, false, 99)], [1, 2, 4]);
        assert_eq!(rank(1, false, 99), 5);
        assert_eq!([rank(4, true, 0), rank(2, true, 0)], [5, 6], "a feed that fails counts first");
    }

    #[test]
    fn who_is_silent_or_stops_does_not_count() {
        let stops = NodeReport { drains: true, ..report("a", 0, &["x.0"]) };
        let mut members = members(&[stops, report("b", 0, &["x.0"])]);
        let at = |millis| Boot(0).after(Duration::from_millis(millis));
        assert_eq!((members.rank(&shard("x.0"), &fitness(1, true), at(2_999)), members.alive(at(2_999))), (1, 2));
        assert_eq!((members.rank(&shard("x.0"), &fitness(1, true), at(3_000)), members.alive(at(3_000))), (0, 1));
        members.heard(report("b", 0, &["x.0"]), at(3_000));
        assert_eq!(members.successors(&shard("x.0"), SymbolList::default(), at(3_000)).good.len(), 1);
    }

    #[test]
    fn who_comes_and_goes_is_told_once_and_shown_for_ten_minutes() {
        let stops = NodeReport { drains: true, ..report("a", 0, &[]) };
        let mut members = members(&[stops, report("b", 0, &[])]);
        let look = |members: &mut Members, millis| {
            let now = Boot(0).after(Duration::from_millis(millis));
            let changes = members.take_changes(now);
            let changes: Vec<_> = changes.iter().map(|change| (change.node.as_str().to_owned(), change.is)).collect();
            (changes, members.others(now).count())
        };
        let of = |node: &str, is| (node.to_owned(), is);
        assert_eq!(look(&mut members, 0), (vec![of("a", Presence::Alive), of("b", Presence::Alive)], 2));
        assert_eq!(look(&mut members, 2_999), (vec![], 2));
        assert_eq!(look(&mut members, 3_000), (vec![of("a", Presence::Stopped), of("b", Presence::Lost)], 2));
        members.heard(report("b", 0, &[]), Boot(4_000_000));
        assert_eq!(look(&mut members, 4_000), (vec![of("b", Presence::Alive)], 2));
        assert_eq!(look(&mut members, 600_000), (vec![of("b", Presence::Lost)], 1));
        assert_eq!(look(&mut members, 604_000), (vec![], 0));
    }

    #[test]
    fn nodes_with_equal_reports_rank_each_other_without_ties_and_spread_the_shards() {
        let names = ["gw-1", "gw-2", "gw-3", "gw-4"];
        let mut first = BTreeMap::new();
        for number in 0..64 {
            let shard = shard(&format!("feed-{number}.0"));
            let mut ranks = BTreeSet::new();
            for name in names {
                let mut members = Members::new(name.parse().unwrap(), instance(1));
                for other in names.iter().filter(|other| **other != name) {
                    members.heard(report(other, 0, &[shard.as_str()]), Boot(0));
                }
                let rank = members.rank(&shard, &fitness(0, true), Boot(0));
                ranks.insert(rank);
                *first.entry(name).or_insert(0) += u32::from(rank == 0);
            }
            assert_eq!(ranks.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
        }
        assert!(first.values().all(|count| (6..=28).contains(count)), "{first:?}");
    }

    #[test]
    fn another_process_of_the_same_name_is_noticed() {
        let mut members = members(&[]);
        assert_eq!(members.heard(NodeReport { instance: instance(1), ..report("me", 0, &[]) }, Boot(0)), Heard::Taken);
        assert!(!members.has_twin(Boot(0)));
        assert_eq!(members.heard(report("me", 0, &[]), Boot(0)), Heard::Twin);
        assert!(members.has_twin(Boot(2_999_999)) && !members.has_twin(Boot(3_000_000)));
        assert_eq!(members.alive(Boot(0)), 1);
    }

    #[test]
    fn rule_10_a_cluster_has_64_nodes_and_64_shards() {
        let mut members = members(&[]);
        for number in 2..=NODES_MAX {
            assert_eq!(members.heard(report(&format!("n{number}"), 0, &[]), Boot(0)), Heard::Taken);
        }
        assert_eq!(members.alive(Boot(0)), NODES_MAX);
        assert_eq!(members.heard(report("late", 0, &[]), Boot(0)), Heard::TooMany);
        assert_eq!(members.heard(report("n2", 0, &[]), Boot(1)), Heard::Taken, "a known node stays");
        assert_eq!(members.heard(report("late", 0, &[]), Boot(3_000_000)), Heard::Taken, "the dead make room");
    }

    #[test]
    fn a_node_is_heard_for_three_seconds_after_its_own_report_came_back() {
        let mut members = members(&[]);
        let at = |millis| Boot(0).after(Duration::from_millis(millis));
        assert!(!members.is_heard(at(0)));
        members.heard(NodeReport { instance: instance(2), ..report("me", 0, &[]) }, at(1_000));
        assert!(!members.is_heard(at(1_000)), "a twin's");
        members.heard(NodeReport { instance: instance(1), ..report("me", 0, &[]) }, at(1_000));
        assert!(members.is_heard(at(3_999)) && !members.is_heard(at(4_000)));
    }
}
