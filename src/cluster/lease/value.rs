//! What stands in a lease's key: JSON, and the errors of what others may have written there.

use super::super::{
    json::{self, JsonError},
    names::{Instance, NodeName},
    token::Token,
};
use crate::wire::Epoch;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The version that this code writes, and the only one that it reads.
const VERSION: u32 = 1;
/// The longest value in bytes. A value that this code writes has at most some 400.
pub const VALUE_BYTES_MAX: usize = 1_024;
/// How many former epochs a shard knows.
pub const FORMER_MAX: usize = 3;
/// JSON's readers agree on whole numbers up to here; a shard that changes its owner each second gets there in a
/// hundred million years.
const NUMBER_MAX: u64 = 1 << 53;
/// The longest lease that a configuration allows: a value that says more keeps the others waiting for so long.
const LEASE_MS_MAX: u64 = 60_000;

/// A shard's epochs before the current one, newest first, at most [`FORMER_MAX`].
pub type Former = SmallVec<[Epoch; FORMER_MAX]>;

/// A shard's lease as the key-value store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseValue {
    /// Who wrote it.
    pub node: NodeName,
    /// The run of that node's process.
    pub instance: Instance,
    /// The shard's token.
    pub token: Token,
    /// The epochs before the token's.
    pub former: Former,
    /// Counts the writes of this instance, from 1: tells which of its writes this is.
    pub beat: u64,
    /// How long the lease lasts by the writer's configuration, in ms: none of the others claims before. `None`: a node
    /// that does not say wrote it.
    pub lease_ms: Option<u64>,
    /// Whether the node still owns the shard.
    pub state: LeaseState,
}

/// Whether a lease's writer owns its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// It does, until the lease expires.
    Held,
    /// It has left. Any node may follow.
    Free {
        /// The last batch that it published in the token's epoch.
        last: u64,
    },
    /// It has left, and asked a node to follow.
    Granted {
        /// That node.
        to: NodeName,
        /// The last batch that it published in the token's epoch.
        last: u64,
    },
}

/// Why bytes are not a lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// It cannot be read.
    #[error("the lease {0}")]
    Json(#[from] JsonError),
    /// A number out of its range.
    #[error("the lease's `{0}` is out of range")]
    Range(&'static str),
    /// The state is not complete.
    #[error("the lease's state `{0}` needs `last`, and `granted` also `to`")]
    State(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    v: u32,
    node: std::borrow::Cow<'a, str>,
    instance: u64,
    term: u64,
    epoch: u64,
    former: Vec<u64>,
    beat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_ms: Option<u64>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Held,
    Free,
    Granted,
}

impl LeaseValue {
    /// The value as JSON, at most [`VALUE_BYTES_MAX`] bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let (state, to, last) = match &self.state {
            LeaseState::Held => (State::Held, None, None),
            LeaseState::Free { last } => (State::Free, None, Some(*last)),
            LeaseState::Granted { to, last } => (State::Granted, Some(to.as_str().into()), Some(*last)),
        };
        let wire = Wire {
            v: VERSION,
            node: self.node.as_str().into(),
            instance: self.instance.bits(),
            term: self.token.term,
            epoch: self.token.epoch.bits(),
            former: self.former.iter().map(|epoch| epoch.bits()).collect(),
            beat: self.beat,
            lease_ms: self.lease_ms,
            state,
            to,
            last,
        };
        serde_json::to_vec(&wire).expect("strings and numbers are JSON")
    }

    /// Reads a value. Members that a newer node may add are skipped.
    ///
    /// # Errors
    /// [`ValueError`] for anything that a node of this version would not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ValueError> {
        let wire: Wire<'_> = json::read(bytes, VALUE_BYTES_MAX, VERSION)?;
        let name = |text: &str| text.parse::<NodeName>().map_err(JsonError::form);
        let in_range = |name, number: u64, range: std::ops::Range<u64>| {
            if range.contains(&number) { Ok(number) } else { Err(ValueError::Range(name)) }
        };
        let mut former = Former::new();
        for epoch in wire.former.iter().take(FORMER_MAX + 1) {
            former.push(Epoch::from_bits(*epoch).ok_or(ValueError::Range("former"))?);
        }
        if former.len() > FORMER_MAX {
            return Err(ValueError::Range("former"));
        }
        let last = wire.last.map(|last| in_range("last", last, 0..NUMBER_MAX)).transpose()?;
        let state = match (wire.state, wire.to, last) {
            (State::Held, _, _) => LeaseState::Held,
            (State::Free, _, Some(last)) => LeaseState::Free { last },
            (State::Granted, Some(to), Some(last)) => LeaseState::Granted { to: name(&to)?, last },
            (State::Free, _, None) => return Err(ValueError::State("free")),
            (State::Granted, _, _) => return Err(ValueError::State("granted")),
        };
        Ok(Self {
            node: name(&wire.node)?,
            instance: Instance::from_bits(wire.instance).ok_or(ValueError::Range("instance"))?,
            token: Token {
                term: in_range("term", wire.term, 1..NUMBER_MAX)?,
                epoch: Epoch::from_bits(wire.epoch).ok_or(ValueError::Range("epoch"))?,
            },
            former,
            beat: in_range("beat", wire.beat, 1..NUMBER_MAX)?,
            lease_ms: wire
                .lease_ms
                .map(|lease| in_range("lease_ms", lease.min(LEASE_MS_MAX), 1..LEASE_MS_MAX + 1))
                .transpose()?,
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn epoch(bits: u64) -> Epoch {
        Epoch::from_bits(bits).unwrap()
    }

    fn value(state: LeaseState) -> LeaseValue {
        LeaseValue {
            node: "gw-1".parse().unwrap(),
            instance: Instance::from_bits(77).unwrap(),
            token: Token { term: 3, epoch: epoch(5) },
            former: Former::from_slice(&[epoch(4), epoch(2)]),
            beat: 9,
            lease_ms: Some(9_000),
            state,
        }
    }

    #[test]
    fn a_value_is_json_and_comes_back() {
        let to = "gw-2".parse().unwrap();
        for (state, json) in [
            (
                LeaseState::Held,
                r#"{"v":1,"node":"gw-1","instance":77,"term":3,"epoch":5,"former":[4,2],"beat":9,"lease_ms":9000,"state":"held"}"#,
            ),
            (
                LeaseState::Free { last: 8 },
                r#"{"v":1,"node":"gw-1","instance":77,"term":3,"epoch":5,"former":[4,2],"beat":9,"lease_ms":9000,"state":"free","last":8}"#,
            ),
            (
                LeaseState::Granted { to, last: 8 },
                r#"{"v":1,"node":"gw-1","instance":77,"term":3,"epoch":5,"former":[4,2],"beat":9,"lease_ms":9000,"state":"granted","to":"gw-2","last":8}"#,
            ),
        ] {
            let value = value(state);
            assert_eq!(String::from_utf8(value.to_json()).unwrap(), json);
            assert_eq!(LeaseValue::from_json(json.as_bytes()), Ok(value));
        }
    }

    #[test]
    fn what_a_newer_node_appends_is_skipped() {
        let json = String::from_utf8(value(LeaseState::Held).to_json()).unwrap().replace('}', r#","region":"eu"}"#);
        assert_eq!(LeaseValue::from_json(json.as_bytes()), Ok(value(LeaseState::Held)));
    }

    #[test]
    fn a_node_that_does_not_say_how_long_its_lease_lasts_is_read() {
        let json = String::from_utf8(value(LeaseState::Held).to_json()).unwrap().replace(r#""lease_ms":9000,"#, "");
        let silent = LeaseValue { lease_ms: None, ..value(LeaseState::Held) };
        assert_eq!(LeaseValue::from_json(json.as_bytes()), Ok(silent.clone()));
        assert_eq!(String::from_utf8(silent.to_json()).unwrap(), json);
    }

    #[test]
    fn each_garbage_has_its_error() {
        let good =
            String::from_utf8(value(LeaseState::Granted { to: "b".parse().unwrap(), last: 8 }).to_json()).unwrap();
        for (from, to, error) in [
            (r#""v":1"#, r#""v":2"#, "the lease is of version 2; this node reads version 1"),
            (r#""term":3"#, r#""term":0"#, "the lease's `term` is out of range"),
            (r#""term":3"#, r#""term":9007199254740992"#, "the lease's `term` is out of range"),
            (r#""beat":9"#, r#""beat":0"#, "the lease's `beat` is out of range"),
            (r#""lease_ms":9000"#, r#""lease_ms":0"#, "the lease's `lease_ms` is out of range"),
            (r#""epoch":5"#, r#""epoch":281474976710656"#, "the lease's `epoch` is out of range"),
            (r#""instance":77"#, r#""instance":281474976710656"#, "the lease's `instance` is out of range"),
            ("[4,2]", "[4,3,2,1]", "the lease's `former` is out of range"),
            ("[4,2]", "[281474976710656]", "the lease's `former` is out of range"),
            (r#","last":8"#, "", "the lease's state `granted` needs `last`, and `granted` also `to`"),
            (r#","to":"b""#, "", "the lease's state `granted` needs `last`, and `granted` also `to`"),
        ] {
            assert!(good.contains(from), "{from}");
            let found = LeaseValue::from_json(good.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(found.to_string(), error);
        }
        // A later version may allow more.
        let long = LeaseValue::from_json(good.replace(r#""lease_ms":9000"#, r#""lease_ms":3600001"#).as_bytes());
        assert_eq!(long.unwrap().lease_ms, Some(LEASE_MS_MAX));
        for text in [
            "",
            "{}",
            "[]",
            "null",
            "held",
            r#"{"v":"1"}"#,
            &good.replace("gw-1", "g w"),
            &good.replace("held", "lost").replace("granted", "lost"),
        ] {
            assert!(
                matches!(LeaseValue::from_json(text.as_bytes()), Err(ValueError::Json(JsonError::Form(_)))),
                "{text}"
            );
        }
    }

    #[test]
    fn rule_10_a_lease_is_short() {
        let long = format!("{}{}", " ".repeat(VALUE_BYTES_MAX), "{}");
        let error = LeaseValue::from_json(long.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "the lease has 1026 bytes; it may have at most 1024");
        let longest = LeaseValue {
            node: "n".repeat(64).parse().unwrap(),
            instance: Instance::new(u64::MAX),
            token: Token { term: NUMBER_MAX - 1, epoch: Epoch::new(u64::MAX) },
            former: Former::from_slice(&[Epoch::new(u64::MAX); FORMER_MAX]),
            beat: NUMBER_MAX - 1,
            lease_ms: Some(LEASE_MS_MAX),
            state: LeaseState::Granted { to: "t".repeat(64).parse().unwrap(), last: NUMBER_MAX - 1 },
        };
        let json = longest.to_json();
        assert!(json.len() <= VALUE_BYTES_MAX / 2, "{}", json.len());
        assert_eq!(LeaseValue::from_json(&json), Ok(longest));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = LeaseValue::from_json(&bytes);
        }

        #[test]
        fn no_changed_byte_panics(place in 0_usize..100, byte in any::<u8>()) {
            let mut json = value(LeaseState::Free { last: 8 }).to_json();
            let place = place % json.len();
            json[place] = byte;
            let _ = LeaseValue::from_json(&json);
        }
    }
}
