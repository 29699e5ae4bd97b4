//! The nodes of a cluster: which are alive, and who should own a shard.
//!
//! Each node reports itself once a second. A shard goes to the node that owns the fewest; among equals, a hash of node
//! and shard decides, so that shards spread. All nodes compute the same order from the same reports. Where reports
//! differ for a moment, two claim together, and the lease's store takes one.

use super::{
    clock::Boot,
    json::{self, JsonError},
    names::{Instance, NodeName, ShardName},
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The most nodes of a cluster, this one included.
pub const NODES_MAX: usize = 64;
/// The most shards of a cluster.
pub const SHARDS_MAX: usize = 64;
/// The longest report in bytes.
pub const REPORT_BYTES_MAX: usize = 4_096;
/// A node reports itself this often.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A node without a report for this long is not alive.
const ALIVE: Duration = Duration::from_secs(3);
/// The version of reports.
const VERSION: u32 = 1;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReport {
    /// Its name.
    pub node: NodeName,
    /// The run of its process.
    pub instance: Instance,
    /// The highest version of messages that it reads.
    pub reads: u8,
    /// How many shards it owns.
    pub owned: u32,
    /// How many streams it has; 0 from a node that does not say.
    pub streams: u32,
    /// Whether it is stopping.
    pub drains: bool,
    /// The shards whose state it has.
    pub synced: BTreeSet<ShardName>,
}

/// Why bytes are not a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It cannot be read.
    #[error("the report {0}")]
    Json(#[from] JsonError),
    /// More shards than a cluster has.
    #[error("the report names {0} shards; a cluster has at most {SHARDS_MAX}")]
    Shards(usize),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    node: String,
    instance: u64,
    reads: u8,
    owned: u32,
    #[serde(default)]
    streams: u32,
    drains: bool,
    synced: Vec<String>,
}

impl NodeReport {
    /// The report as JSON, at most [`REPORT_BYTES_MAX`] bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            v: VERSION,
            node: self.node.as_str().into(),
            instance: self.instance.bits(),
            reads: self.reads,
            owned: self.owned,
            streams: self.streams,
            drains: self.drains,
            synced: self.synced.iter().take(SHARDS_MAX).map(|shard| shard.as_str().into()).collect(),
        };
        serde_json::to_vec(&wire).expect("strings and numbers are JSON")
    }

    /// Reads a report. Members that a newer node may add are skipped.
    ///
    /// # Errors
    /// [`ReportError`] for anything that a node of this version would not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReportError> {
        let wire: Wire = json::read(bytes, REPORT_BYTES_MAX, VERSION)?;
        if wire.synced.len() > SHARDS_MAX {
            return Err(ReportError::Shards(wire.synced.len()));
        }
        let shards = wire.synced.iter().map(|shard| shard.parse().map_err(JsonError::form));
        Ok(Self {
            node: wire.node.parse().map_err(JsonError::form)?,
            instance: Instance::from_bits(wire.instance).ok_or_else(|| JsonError::form("an instance has 48 bits"))?,
            reads: wire.reads,
            owned: wire.owned,
            streams: wire.streams,
            drains: wire.drains,
            synced: shards.collect::<Result<_, _>>()?,
        })
    }
}

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
        self.others.insert(report.node.clone(), Member { report, heard: now });
        Heard::Taken
    }

    /// How many nodes are alive, this one included.
    pub fn alive(&self, now: Boot) -> usize {
        1 + self.alive_others(now).count()
    }

    /// The other nodes that are alive, those that stop too, with the age of their reports.
    pub fn others(&self, now: Boot) -> impl Iterator<Item = (&NodeReport, Duration)> {
        let alive = self.others.values().filter(move |member| is_alive(member, now));
        alive.map(move |member| (&member.report, now.since(member.heard)))
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

    /// How many nodes should claim the shard before this one, which owns so many shards and has its state or not.
    pub fn rank(&self, shard: &ShardName, owned: u32, synced: bool, now: Boot) -> u32 {
        let own = place(shard, &self.node, owned, synced);
        let before = self.alive_others(now).filter(|report| place_of(shard, report) < own).count();
        u32::try_from(before).expect("there are at most NODES_MAX")
    }

    /// The nodes that could follow this one as the shard's owner, best first: those that have its state.
    pub fn successors(&self, shard: &ShardName, now: Boot) -> Vec<NodeName> {
        let mut able: Vec<_> = self.alive_others(now).filter(|report| report.synced.contains(shard)).collect();
        able.sort_by_key(|report| place_of(shard, report));
        able.into_iter().map(|report| report.node.clone()).collect()
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

/// A node's place in the order of those that could own a shard.
type Place<'a> = (bool, u32, Reverse<u64>, &'a NodeName);

fn place_of<'a>(shard: &ShardName, report: &'a NodeReport) -> Place<'a> {
    place(shard, &report.node, report.owned, report.synced.contains(shard))
}

fn place<'a>(shard: &ShardName, node: &'a NodeName, owned: u32, synced: bool) -> Place<'a> {
    (!synced, owned, Reverse(score(shard, node)), node)
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
    use proptest::prelude::*;

    fn shard(name: &str) -> ShardName {
        name.parse().unwrap()
    }

    fn instance(bits: u64) -> Instance {
        Instance::from_bits(bits).unwrap()
    }

    fn report(node: &str, owned: u32, synced: &[&str]) -> NodeReport {
        let synced = synced.iter().map(|name| shard(name)).collect();
        let (node, instance) = (node.parse().unwrap(), instance(9));
        NodeReport { node, instance, reads: 1, owned, streams: 7, drains: false, synced }
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
            assert!(rank.contains(&members.rank(&shard("x.0"), owned, synced, Boot(0))), "{owned} {synced}");
        }
        let names: Vec<_> = members.successors(&shard("x.0"), Boot(0)).iter().map(NodeName::to_string).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn who_is_silent_or_stops_does_not_count() {
        let stops = NodeReport { drains: true, ..report("a", 0, &["x.0"]) };
        let mut members = members(&[stops, report("b", 0, &["x.0"])]);
        let at = |millis| Boot(0).after(Duration::from_millis(millis));
        assert_eq!((members.rank(&shard("x.0"), 1, true, at(2_999)), members.alive(at(2_999))), (1, 2));
        assert_eq!((members.rank(&shard("x.0"), 1, true, at(3_000)), members.alive(at(3_000))), (0, 1));
        members.heard(report("b", 0, &["x.0"]), at(3_000));
        assert_eq!(members.successors(&shard("x.0"), at(3_000)).len(), 1);
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
                let rank = members.rank(&shard, 0, true, Boot(0));
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
        let long_names: Vec<_> = (0..SHARDS_MAX).map(|number| format!("{}{number:02}.100", "f".repeat(30))).collect();
        let long_names: Vec<_> = long_names.iter().map(String::as_str).collect();
        let longest = NodeReport { streams: u32::MAX, ..report(&"n".repeat(64), u32::MAX, &long_names) };
        assert_eq!(NodeReport::from_json(&longest.to_json()), Ok(longest));
        let many = format!(
            r#"{{"v":1,"node":"a","instance":1,"reads":1,"owned":0,"drains":false,"synced":[{}"x.0"]}}"#,
            r#""x.0","#.repeat(64)
        );
        assert_eq!(NodeReport::from_json(many.as_bytes()), Err(ReportError::Shards(65)));
        let error = NodeReport::from_json(&[b' '; 4_097]).unwrap_err();
        assert_eq!(error.to_string(), "the report has 4097 bytes; it may have at most 4096");
    }

    #[test]
    fn a_report_is_json_and_comes_back() {
        let report = report("gw-1", 2, &["x.0", "y.0"]);
        let json = concat!(
            r#"{"v":1,"node":"gw-1","instance":9,"reads":1,"owned":2,"streams":7,"drains":false,"#,
            r#""synced":["x.0","y.0"]}"#
        );
        assert_eq!(String::from_utf8(report.to_json()).unwrap(), json);
        let appended = json.replace('}', r#","later":7}"#);
        assert_eq!(NodeReport::from_json(appended.as_bytes()), Ok(report.clone()));
        let without = json.replace(r#""streams":7,"#, "");
        assert_eq!(NodeReport::from_json(without.as_bytes()), Ok(NodeReport { streams: 0, ..report }));
        let version = json.replace(r#""v":1"#, r#""v":3"#);
        let error = NodeReport::from_json(version.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the report is of version 3; this node reads version 1");
        for (from, to) in
            [("gw-1", "g w"), ("x.0", "x"), (":9", ":281474976710656"), ("\"v\"", "\"w\""), ("false", "0")]
        {
            let wrong = json.replace(from, to);
            assert!(
                matches!(NodeReport::from_json(wrong.as_bytes()), Err(ReportError::Json(JsonError::Form(_)))),
                "{wrong}"
            );
        }
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

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = NodeReport::from_json(&bytes);
        }
    }
}
