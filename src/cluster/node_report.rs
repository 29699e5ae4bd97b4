//! What a node says of itself, once a second and when it changes.

use super::{
    json::{self, JsonError},
    names::{Instance, NodeName, SHARDS_MAX, ShardName},
    symbol_list::SymbolList,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest report in bytes: that of a node with [`SHARDS_MAX`] shards of the longest names.
pub const REPORT_BYTES_MAX: usize = 12_288;
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
    /// The shards whose feed fails on it, or lately did: others come first as their owners.
    pub failed: BTreeSet<ShardName>,
    /// The lists of its shards' symbols; empty from a node that does not say.
    pub lists: BTreeMap<ShardName, SymbolList>,
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

impl ReportError {
    /// Whether another version wrote the bytes.
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Json(error) if error.is_version())
    }
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
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default)]
    lists: BTreeMap<String, String>,
}

impl NodeReport {
    /// The report as JSON, at most [`REPORT_BYTES_MAX`] bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let lists = self.lists.iter().take(SHARDS_MAX);
        let wire = Wire {
            v: VERSION,
            node: self.node.as_str().into(),
            instance: self.instance.bits(),
            reads: self.reads,
            owned: self.owned,
            streams: self.streams,
            drains: self.drains,
            synced: self.synced.iter().take(SHARDS_MAX).map(|shard| shard.as_str().into()).collect(),
            failed: self.failed.iter().take(SHARDS_MAX).map(|shard| shard.as_str().into()).collect(),
            lists: lists.map(|(shard, list)| (shard.as_str().into(), list.to_string())).collect(),
        };
        serde_json::to_vec(&wire).expect("strings and numbers are JSON")
    }

    /// Reads a report. Members that a newer node may add are skipped.
    ///
    /// # Errors
    /// [`ReportError`] for anything that a node of this version would not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReportError> {
        let wire: Wire = json::read(bytes, REPORT_BYTES_MAX, VERSION)?;
        let shards = wire.synced.len().max(wire.failed.len()).max(wire.lists.len());
        if shards > SHARDS_MAX {
            return Err(ReportError::Shards(shards));
        }
        let name = |name: &String| name.parse::<ShardName>().map_err(JsonError::form);
        let list = |(shard, list): (&String, &String)| Ok((name(shard)?, list.parse()?));
        Ok(Self {
            node: wire.node.parse().map_err(JsonError::form)?,
            instance: Instance::from_bits(wire.instance).ok_or_else(|| JsonError::form("an instance has 48 bits"))?,
            reads: wire.reads,
            owned: wire.owned,
            streams: wire.streams,
            drains: wire.drains,
            synced: wire.synced.iter().map(name).collect::<Result<_, _>>()?,
            failed: wire.failed.iter().map(name).collect::<Result<_, _>>()?,
            lists: wire.lists.iter().map(list).collect::<Result<_, JsonError>>()?,
        })
    }

    /// Whether the node could own a shard as well as one with this list of symbols.
    pub fn can_serve(&self, shard: &ShardName, list: SymbolList) -> bool {
        !self.failed.contains(shard) && !self.lacks(shard, list)
    }

    /// Whether the node says that it lacks some of these symbols of a shard.
    pub fn lacks(&self, shard: &ShardName, list: SymbolList) -> bool {
        self.list_of(shard).is_some_and(|there| there.lacks_some_of(list))
    }

    /// The list of a shard's symbols; the empty list if the node does not have the shard, `None` if it does not say.
    pub fn list_of(&self, shard: &ShardName) -> Option<SymbolList> {
        (!self.lists.is_empty()).then(|| self.lists.get(shard).copied().unwrap_or_default())
    }
}

#[cfg(test)]
impl NodeReport {
    /// The report of a node of this name, for tests.
    pub(super) fn of_test(node: &str) -> Self {
        Self {
            node: node.parse().unwrap(),
            instance: Instance::from_bits(9).unwrap(),
            reads: 1,
            owned: 0,
            streams: 7,
            drains: false,
            synced: BTreeSet::new(),
            failed: BTreeSet::new(),
            lists: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(node: &str, owned: u32, synced: &[&str]) -> NodeReport {
        let synced = synced.iter().map(|name| name.parse().unwrap()).collect();
        NodeReport { owned, synced, ..NodeReport::of_test(node) }
    }

    #[test]
    fn rule_10_a_report_of_the_most_shards_with_the_longest_names_fits() {
        let long_names: Vec<_> = (0..SHARDS_MAX).map(|number| format!("{}{number:02}.100", "f".repeat(30))).collect();
        let long_names: Vec<_> = long_names.iter().map(String::as_str).collect();
        let mut longest = NodeReport { streams: u32::MAX, ..report(&"n".repeat(64), u32::MAX, &long_names) };
        longest.failed = longest.synced.clone();
        let list: SymbolList = "4294967295-ffffffffffffffff".parse().unwrap();
        longest.lists = longest.synced.iter().map(|shard| (shard.clone(), list)).collect();
        assert_eq!(NodeReport::from_json(&longest.to_json()), Ok(longest));
        for member in ["synced", "failed"] {
            let empty = r#"{"v":1,"node":"a","instance":1,"reads":1,"owned":0,"drains":false,"synced":[]}"#;
            let many = format!(r#""{member}":[{}"x.0"]"#, r#""x.0","#.repeat(64));
            let many = if member == "synced" {
                empty.replace(r#""synced":[]"#, &many)
            } else {
                empty.replace('}', &format!(",{many}}}"))
            };
            assert_eq!(NodeReport::from_json(many.as_bytes()), Err(ReportError::Shards(65)));
        }
        let error = NodeReport::from_json(&[b' '; REPORT_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.to_string(), "the report has 12289 bytes; it may have at most 12288");
    }

    #[test]
    fn a_report_is_json_and_comes_back() {
        let list: SymbolList = "2-76fca88cb6d9040e".parse().unwrap();
        let failed = [shard("y.0")].into();
        let report = NodeReport { failed, lists: [(shard("x.0"), list)].into(), ..report("gw-1", 2, &["x.0", "y.0"]) };
        let json = concat!(
            r#"{"v":1,"node":"gw-1","instance":9,"reads":1,"owned":2,"streams":7,"drains":false,"#,
            r#""synced":["x.0","y.0"],"failed":["y.0"],"lists":{"x.0":"2-76fca88cb6d9040e"}}"#
        );
        assert_eq!(String::from_utf8(report.to_json()).unwrap(), json);
        let appended = json.replace("}}", r#"},"later":7}"#);
        assert_eq!(NodeReport::from_json(appended.as_bytes()), Ok(report.clone()));
        let without = json
            .replace(r#""streams":7,"#, "")
            .replace(r#","failed":["y.0"],"lists":{"x.0":"2-76fca88cb6d9040e"}"#, "");
        let older = NodeReport { streams: 0, failed: BTreeSet::new(), lists: BTreeMap::new(), ..report.clone() };
        assert_eq!(NodeReport::from_json(without.as_bytes()), Ok(older.clone()));
        let of = |report: &NodeReport, name| report.list_of(&shard(name)).map(SymbolList::count);
        assert_eq!([of(&report, "x.0"), of(&report, "y.0"), of(&older, "x.0")], [Some(2), Some(0), None]);
        let version = json.replace(r#""v":1"#, r#""v":3"#);
        let error = NodeReport::from_json(version.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the report is of version 3; this node reads version 1");
        for (from, to) in [
            ("gw-1", "g w"),
            ("x.0", "x"),
            (":9", ":281474976710656"),
            ("\"v\"", "\"w\""),
            ("false", "0"),
            ("[\"y.0\"]", "[\"y\"]"),
            ("2-76", "-76"),
        ] {
            let wrong = json.replace(from, to);
            assert!(
                matches!(NodeReport::from_json(wrong.as_bytes()), Err(ReportError::Json(JsonError::Form(_)))),
                "{wrong}"
            );
        }
    }

    fn shard(name: &str) -> ShardName {
        name.parse().unwrap()
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = NodeReport::from_json(&bytes);
        }
    }
}
