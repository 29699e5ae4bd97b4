//! A node's message about the symbols that it wants, as JSON.

use super::super::{
    json::{self, JsonError},
    names::{Instance, NodeName},
};
use crate::market::Symbol;
use serde::{Deserialize, Serialize};

/// The version of messages.
const VERSION: u32 = 1;
/// The most symbols of a message: it stays well below a broker's limit of 1 MiB.
pub const MESSAGE_SYMBOLS_MAX: usize = 8_192;
/// The longest message in bytes: symbols of 32 characters, with quotes and comma, and the rest.
pub const MESSAGE_BYTES_MAX: usize = MESSAGE_SYMBOLS_MAX * 35 + 1_024;
/// The most messages of one list.
pub const PARTS_MAX: u32 = 16;

/// What a node wants of a shard, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantsMessage {
    /// The node.
    pub node: NodeName,
    /// The run of its process.
    pub instance: Instance,
    /// Counts the messages of this instance about the shard, from 1.
    pub number: u64,
    /// What it says.
    pub wants: Wants,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants {
    /// A part of the list of all symbols.
    All {
        /// Which part, from 0. The parts of a list follow each other.
        part: u32,
        /// How many parts there are.
        parts: u32,
        /// Its symbols.
        symbols: Vec<Symbol>,
    },
    /// What has changed since the last message.
    Changes {
        /// The symbols that it wants now.
        added: Vec<Symbol>,
        /// The symbols that it does not want any more.
        removed: Vec<Symbol>,
    },
}

/// Why bytes are not such a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WantsError {
    /// It cannot be read.
    #[error("the message {0}")]
    Json(#[from] JsonError),
    /// More symbols than a message has.
    #[error("the message has {0} symbols; it may have at most {MESSAGE_SYMBOLS_MAX}")]
    Symbols(usize),
    /// A part that a list does not have.
    #[error("part {part} of {parts}: a list has 1 to {PARTS_MAX} parts, which count from 0")]
    Part {
        /// The part.
        part: u32,
        /// How many the message names.
        parts: u32,
    },
}

impl WantsError {
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
    number: u64,
    #[serde(flatten)]
    wants: WireWants,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
enum WireWants {
    All { part: u32, parts: u32, symbols: Vec<String> },
    Changes { added: Vec<String>, removed: Vec<String> },
}

impl WantsMessage {
    /// The message as JSON, at most [`MESSAGE_BYTES_MAX`] bytes if it has at most [`MESSAGE_SYMBOLS_MAX`] symbols.
    pub fn to_json(&self) -> Vec<u8> {
        let names = |symbols: &[Symbol]| symbols.iter().map(|symbol| symbol.as_str().to_owned()).collect();
        let wants = match &self.wants {
            Wants::All { part, parts, symbols } => {
                WireWants::All { part: *part, parts: *parts, symbols: names(symbols) }
            }
            Wants::Changes { added, removed } => WireWants::Changes { added: names(added), removed: names(removed) },
        };
        let (node, instance) = (self.node.as_str().into(), self.instance.bits());
        let wire = Wire { v: VERSION, node, instance, number: self.number, wants };
        serde_json::to_vec(&wire).expect("strings and numbers are JSON")
    }

    /// Reads a message. Members that a newer node may add are skipped.
    ///
    /// # Errors
    /// [`WantsError`] for anything that a node of this version would not write.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WantsError> {
        let wire: Wire = json::read(bytes, MESSAGE_BYTES_MAX, VERSION)?;
        let count = match &wire.wants {
            WireWants::All { symbols, .. } => symbols.len(),
            WireWants::Changes { added, removed } => added.len() + removed.len(),
        };
        if count > MESSAGE_SYMBOLS_MAX {
            return Err(WantsError::Symbols(count));
        }
        let wants = match wire.wants {
            WireWants::All { part, parts, .. } if part >= parts || parts > PARTS_MAX => {
                return Err(WantsError::Part { part, parts });
            }
            WireWants::All { part, parts, symbols } => Wants::All { part, parts, symbols: parsed(&symbols)? },
            WireWants::Changes { added, removed } => {
                Wants::Changes { added: parsed(&added)?, removed: parsed(&removed)? }
            }
        };
        Ok(Self {
            node: wire.node.parse().map_err(JsonError::form)?,
            instance: Instance::from_bits(wire.instance).ok_or_else(|| JsonError::form("an instance has 48 bits"))?,
            number: wire.number,
            wants,
        })
    }
}

fn parsed(names: &[String]) -> Result<Vec<Symbol>, JsonError> {
    names.iter().map(|name| name.parse().map_err(JsonError::form)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbols(names: &[&str]) -> Vec<Symbol> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn message(wants: Wants) -> WantsMessage {
        let instance = Instance::from_bits(9).unwrap();
        WantsMessage { node: "gw-1".parse().unwrap(), instance, number: 3, wants }
    }

    #[test]
    fn messages_are_json_and_come_back() {
        for (wants, json) in [
            (
                Wants::All { part: 1, parts: 2, symbols: symbols(&["AAPL", "BTC-USDT"]) },
                r#"{"v":1,"node":"gw-1","instance":9,"number":3,"kind":"all","part":1,"parts":2,"symbols":["AAPL","BTC-USDT"]}"#,
            ),
            (
                Wants::Changes { added: symbols(&["AAPL"]), removed: symbols(&[]) },
                r#"{"v":1,"node":"gw-1","instance":9,"number":3,"kind":"changes","added":["AAPL"],"removed":[]}"#,
            ),
        ] {
            let message = message(wants);
            assert_eq!(String::from_utf8(message.to_json()).unwrap(), json);
            let appended = json.replacen('{', r#"{"streams":7,"#, 1);
            assert_eq!(WantsMessage::from_json(appended.as_bytes()), Ok(message));
        }
    }

    #[test]
    fn garbage_has_its_error() {
        let good =
            r#"{"v":1,"node":"gw-1","instance":9,"number":3,"kind":"all","part":0,"parts":1,"symbols":["AAPL"]}"#;
        assert!(WantsMessage::from_json(good.as_bytes()).is_ok());
        for (from, to) in [("AAPL", "aapl"), ("gw-1", "g w"), (":9,", ":281474976710656,"), ("all", "some"), ("[", "{")]
        {
            let wrong = good.replace(from, to);
            assert!(
                matches!(WantsMessage::from_json(wrong.as_bytes()), Err(WantsError::Json(JsonError::Form(_)))),
                "{wrong}"
            );
        }
        for (from, to, error) in [
            (r#""v":1"#, r#""v":2"#, WantsError::Json(JsonError::Version { found: 2, reads: 1 })),
            (r#""part":0"#, r#""part":1"#, WantsError::Part { part: 1, parts: 1 }),
            (r#""parts":1"#, r#""parts":17"#, WantsError::Part { part: 0, parts: 17 }),
        ] {
            assert_eq!(WantsMessage::from_json(good.replace(from, to).as_bytes()), Err(error));
        }
    }

    #[test]
    fn rule_10_a_message_has_8192_symbols() {
        let longest = vec![format!("{:A>32}", "A").parse::<Symbol>().unwrap(); MESSAGE_SYMBOLS_MAX];
        let full = WantsMessage {
            node: "n".repeat(64).parse().unwrap(),
            instance: Instance::new(u64::MAX),
            number: u64::MAX,
            wants: Wants::All { part: 15, parts: PARTS_MAX, symbols: longest.clone() },
        };
        let json = full.to_json();
        assert!(json.len() <= MESSAGE_BYTES_MAX, "{}", json.len());
        assert_eq!(WantsMessage::from_json(&json), Ok(full));
        let short = vec!["A".parse::<Symbol>().unwrap(); MESSAGE_SYMBOLS_MAX];
        let more = message(Wants::Changes { added: short, removed: symbols(&["B"]) });
        assert_eq!(WantsMessage::from_json(&more.to_json()), Err(WantsError::Symbols(MESSAGE_SYMBOLS_MAX + 1)));
        let long = vec![b' '; MESSAGE_BYTES_MAX + 1];
        let too_long = JsonError::Length { length: MESSAGE_BYTES_MAX + 1, length_max: MESSAGE_BYTES_MAX };
        assert_eq!(WantsMessage::from_json(&long), Err(too_long.into()));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = WantsMessage::from_json(&bytes);
        }
    }
}
