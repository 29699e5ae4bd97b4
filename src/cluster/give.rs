//! The dialogue by which an owner finds a successor before it leaves.
//!
//! The owner asks the best node on `give.<node>`. A node that is ready answers at once; after 300 ms the next is asked,
//! too, and the first of them that is ready follows: an answer binds its node to nothing.
//! Once the owner has left, it sends the successor what it wrote into the lease, so that it need not wait for a read.

use super::{
    clock::Boot,
    json::{self, JsonError},
    lease::{LeaseValue, ValueError},
    names::{NodeName, ShardName},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{collections::VecDeque, time::Duration};

/// If no node has answered for this long, the next is asked.
const ANSWER: Duration = Duration::from_millis(300);
/// As many nodes are asked.
pub const ASKED_MAX: usize = 3;
/// The dialogue takes no longer. The owner goes on meanwhile: nothing is gained by an end before.
const DIALOGUE_MAX: Duration = Duration::from_millis(900);
/// The longest message in bytes.
pub const GIVE_BYTES_MAX: usize = 2_048;
/// The version of messages.
const VERSION: u32 = 1;

/// Asks nodes, best first, until one is ready to own the shard.
#[derive(Debug)]
pub struct Give {
    next: VecDeque<NodeName>,
    /// Who was asked and has not answered.
    asked: Vec<NodeName>,
    /// When the next node is asked, and when the dialogue ends; `None` before its begin.
    times: Option<(Boot, Boot)>,
}

/// What the dialogue does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask this node.
    Ask(NodeName),
    /// Wait until then.
    Wait(Boot),
    /// This node follows; `None` if none of them does. The dialogue is over.
    Successor(Option<NodeName>),
}

impl Give {
    /// A dialogue with the first [`ASKED_MAX`] of these.
    pub fn new(best_first: Vec<NodeName>) -> Self {
        Self { next: best_first.into_iter().take(ASKED_MAX).collect(), asked: Vec::new(), times: None }
    }

    /// What time asks for: at the begin, and when a wait is over.
    pub fn due(&mut self, now: Boot) -> Step {
        let (next_at, end) = *self.times.get_or_insert((now, now.after(DIALOGUE_MAX)));
        if now >= end || (self.next.is_empty() && self.asked.is_empty()) {
            return Step::Successor(None);
        }
        match self.next.front() {
            Some(_) if next_at > now => Step::Wait(next_at.min(end)),
            Some(_) => self.ask_next(now),
            None => Step::Wait(end),
        }
    }

    /// Takes a node's answer. One that was not asked, or has answered, does not count.
    pub fn answered(&mut self, node: &NodeName, ready: bool, now: Boot) -> Step {
        let Some(place) = self.asked.iter().position(|asked| asked == node) else { return self.due(now) };
        if ready {
            return Step::Successor(Some(node.clone()));
        }
        self.asked.remove(place);
        if self.asked.is_empty() { self.ask_next(now) } else { self.due(now) }
    }

    /// Whether each node that was asked has refused; so it is where there is none.
    pub fn is_refused(&self) -> bool {
        self.asked.is_empty()
    }

    fn ask_next(&mut self, now: Boot) -> Step {
        let Some(node) = self.next.pop_front() else { return Step::Successor(None) };
        self.times = self.times.map(|(_, end)| (now.after(ANSWER), end));
        self.asked.push(node.clone());
        Step::Ask(node)
    }
}

/// A message on `give.<node>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveMessage {
    /// Who sends it.
    pub from: NodeName,
    /// The shard.
    pub shard: ShardName,
    /// What it says.
    pub says: GiveSays,
}

/// What a message of the dialogue says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GiveSays {
    /// The owner asks whether the node can follow.
    Ask {
        /// Even if the shard's feed failed on it: the owner stops, or an operator has named the node.
        insists: bool,
    },
    /// It can.
    Ready,
    /// It cannot: it stops, it does not have the shard's state, or the shard's feed failed on it.
    Busy,
    /// The owner has left and granted the shard.
    Granted {
        /// The revision of the lease.
        revision: u64,
        /// What the owner wrote.
        value: LeaseValue,
    },
}

/// Why bytes are not a message of the dialogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GiveError {
    /// It cannot be read.
    #[error("the message {0}")]
    Json(#[from] JsonError),
    /// The lease in it cannot be read.
    #[error(transparent)]
    Lease(#[from] ValueError),
}

impl GiveError {
    /// Whether another version wrote the bytes.
    pub fn is_version(&self) -> bool {
        matches!(self, Self::Json(error) | Self::Lease(ValueError::Json(error)) if error.is_version())
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    from: String,
    shard: String,
    says: Says,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    insists: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<Box<RawValue>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Says {
    Ask,
    Ready,
    Busy,
    Granted,
}

impl GiveMessage {
    /// The message as JSON, at most [`GIVE_BYTES_MAX`] bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let (says, granted) = match &self.says {
            GiveSays::Ask { .. } => (Says::Ask, None),
            GiveSays::Ready => (Says::Ready, None),
            GiveSays::Busy => (Says::Busy, None),
            GiveSays::Granted { revision, value } => (Says::Granted, Some((*revision, value))),
        };
        let lease = granted.map(|(_, value)| {
            let json = String::from_utf8(value.to_json()).expect("JSON is UTF-8");
            RawValue::from_string(json).expect("a lease is JSON")
        });
        let wire = Wire {
            v: VERSION,
            from: self.from.as_str().into(),
            shard: self.shard.as_str().into(),
            says,
            insists: self.says == GiveSays::Ask { insists: true },
            revision: granted.map(|(revision, _)| revision),
            lease,
        };
        serde_json::to_vec(&wire).expect("strings and numbers are JSON")
    }

    /// Reads a message. Members that a newer node may add are skipped.
    ///
    /// # Errors
    /// [`GiveError`] for anything that a node of this version would not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, GiveError> {
        let wire: Wire = json::read(bytes, GIVE_BYTES_MAX, VERSION)?;
        let says = match (wire.says, wire.revision, wire.lease) {
            (Says::Ask, ..) => GiveSays::Ask { insists: wire.insists },
            (Says::Ready, ..) => GiveSays::Ready,
            (Says::Busy, ..) => GiveSays::Busy,
            (Says::Granted, Some(revision), Some(lease)) => {
                GiveSays::Granted { revision, value: LeaseValue::from_json(lease.get().as_bytes())? }
            }
            (Says::Granted, ..) => return Err(JsonError::form("`granted` needs `revision` and `lease`").into()),
        };
        Ok(Self {
            from: wire.from.parse().map_err(JsonError::form)?,
            shard: wire.shard.parse().map_err(JsonError::form)?,
            says,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            lease::{Former, LeaseState},
            names::Instance,
            token::Token,
        },
        *,
    };
    use crate::wire::Epoch;
    use proptest::prelude::*;

    fn nodes(names: &[&str]) -> Vec<NodeName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn at(millis: u64) -> Boot {
        Boot(millis * 1_000)
    }

    #[test]
    fn the_first_node_that_is_ready_follows() {
        let names = nodes(&["a", "b", "c"]);
        let mut give = Give::new(names.clone());
        assert_eq!(give.due(at(0)), Step::Ask(names[0].clone()));
        assert_eq!(give.due(at(299)), Step::Wait(at(300)));
        assert_eq!(give.answered(&names[1], true, at(299)), Step::Wait(at(300)), "it was not asked yet");
        assert_eq!(give.due(at(300)), Step::Ask(names[1].clone()));
        assert_eq!(give.answered(&names[1], false, at(310)), Step::Wait(at(600)), "the first may still answer");
        assert_eq!(give.answered(&names[1], true, at(320)), Step::Wait(at(600)), "it has answered");
        assert_eq!(give.answered(&names[0], false, at(330)), Step::Ask(names[2].clone()));
        assert_eq!(give.due(at(331)), Step::Wait(at(900)));
        assert_eq!(give.answered(&names[2], true, at(899)), Step::Successor(Some(names[2].clone())));
        assert_eq!(give.answered(&names[2], false, at(899)), Step::Successor(None), "all have refused");
    }

    #[test]
    fn a_busy_machine_may_answer_late_while_the_owner_goes_on() {
        let names = nodes(&["a", "b"]);
        let mut give = Give::new(names.clone());
        for (millis, asked) in [(0, 0), (300, 1)] {
            assert_eq!(give.due(at(millis)), Step::Ask(names[asked].clone()));
        }
        assert_eq!(give.answered(&names[0], true, at(890)), Step::Successor(Some(names[0].clone())));
    }

    #[test]
    fn rule_10_three_nodes_are_asked_within_900_ms() {
        for (count, asks) in [(4, 3), (2, 2), (1, 1)] {
            let mut give = Give::new(nodes(&["a", "b", "c", "d"][..count]));
            let mut asked = Vec::new();
            let mut millis = 0;
            loop {
                match give.due(at(millis)) {
                    Step::Ask(node) => asked.push((node.to_string(), millis)),
                    Step::Wait(until) => millis = until.0 / 1_000,
                    Step::Successor(successor) => {
                        assert_eq!((successor, millis), (None, 900));
                        break;
                    }
                }
            }
            assert_eq!(asked, [("a".into(), 0), ("b".into(), 300), ("c".into(), 600)][..asks]);
        }
        assert_eq!(Give::new(Vec::new()).due(at(0)), Step::Successor(None));
    }

    fn granted() -> GiveMessage {
        let value = LeaseValue {
            node: "n".repeat(64).parse().unwrap(),
            instance: Instance::new(u64::MAX),
            token: Token { term: 1 << 52, epoch: Epoch::new(u64::MAX) },
            former: Former::from_slice(&[Epoch::new(u64::MAX); 3]),
            beat: 1 << 52,
            lease_ms: Some(60_000),
            state: LeaseState::Granted { to: "t".repeat(64).parse().unwrap(), last: 1 << 52 },
        };
        let shard = format!("{}.100", "f".repeat(32)).parse().unwrap();
        GiveMessage {
            from: "n".repeat(64).parse().unwrap(),
            shard,
            says: GiveSays::Granted { revision: u64::MAX, value },
        }
    }

    #[test]
    fn messages_are_json_and_come_back() {
        let asks = [false, true].map(|insists| GiveSays::Ask { insists });
        for says in asks.into_iter().chain([GiveSays::Ready, GiveSays::Busy, granted().says]) {
            let message = GiveMessage { says, ..granted() };
            let json = message.to_json();
            assert!(json.len() <= GIVE_BYTES_MAX);
            assert_eq!(GiveMessage::from_json(&json), Ok(message));
        }
        let json = r#"{"v":1,"from":"a","shard":"x.0","says":"ready"}"#;
        let message = GiveMessage::from_json(json.as_bytes()).unwrap();
        assert_eq!((message.to_json(), message.says), (json.as_bytes().to_vec(), GiveSays::Ready));
    }

    #[test]
    fn garbage_has_its_error() {
        let good = String::from_utf8(granted().to_json()).unwrap();
        for (from, to, error) in [
            (r#"{"v":1,"from""#, r#"{"v":2,"from""#, "the message is of version 2; this node reads version 1"),
            (
                r#""lease":"#,
                r#""least":"#,
                "the message is not of the expected form: `granted` needs `revision` and `lease`",
            ),
            (r#""beat":4503599627370496"#, r#""beat":0"#, "the lease's `beat` is out of range"),
        ] {
            assert!(good.contains(from), "{from}");
            let wrong = good.replace(from, to);
            assert_eq!(GiveMessage::from_json(wrong.as_bytes()).unwrap_err().to_string(), error);
        }
        for wrong in ["", "[]", r#"{"v":1}"#, r#"{"v":1,"from":"a.b","shard":"x.0","says":"ask"}"#] {
            assert!(
                matches!(GiveMessage::from_json(wrong.as_bytes()), Err(GiveError::Json(JsonError::Form(_)))),
                "{wrong}"
            );
        }
        let error = GiveMessage::from_json(&[b' '; 2_049]).unwrap_err();
        assert_eq!(error.to_string(), "the message has 2049 bytes; it may have at most 2048");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = GiveMessage::from_json(&bytes);
        }
    }
}
