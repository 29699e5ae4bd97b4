//! The names of nodes and shards, which are parts of subjects and keys.

use std::{fmt, str::FromStr, sync::Arc};

/// The most shards of a cluster.
pub const SHARDS_MAX: usize = 64;
/// The longest name of a node.
const NODE_LENGTH_MAX: usize = 64;
/// The longest name of a shard: a feed's name of at most 32 characters, a dot, and the shard's number.
const SHARD_LENGTH_MAX: usize = 36;

/// A node's name, `[A-Za-z0-9_-]{1,64}`: one part of a subject, so without dots.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// A shard's name, `<feed>.<number>`, with a feed of `[a-z0-9-]{1,32}`: `kraken.0`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardName(Arc<str>);

/// Why a string does not name a node or a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a node's name.
    #[error("a node's name consists of 1 to {NODE_LENGTH_MAX} letters, digits, '_' and '-'")]
    Node,
    /// Not a shard's name.
    #[error("a shard's name is a feed's name, a dot and a number of up to three digits")]
    Shard,
}

/// One run of a node's process: 48 random bits. A node that restarts is another instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance(u64);

impl Instance {
    /// Makes an instance of 48 of `random`'s bits.
    pub fn new(random: u64) -> Self {
        Self(random >> 16)
    }

    /// The instance of these 48 bits; `None` if there are more.
    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits >> 48 == 0).then_some(Self(bits))
    }

    /// Its 48 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl NodeName {
    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if text.is_empty() || text.len() > NODE_LENGTH_MAX || !text.bytes().all(plain) {
            return Err(NameError::Node);
        }
        Ok(Self(text.into()))
    }
}

impl ShardName {
    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShardName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (feed, number) = text.rsplit_once('.').ok_or(NameError::Shard)?;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() > SHARD_LENGTH_MAX || feed.is_empty() || feed.len() > 32 || !feed.bytes().all(plain) || !is_number
        {
            return Err(NameError::Shard);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_subjects() {
        for (text, good) in [
            ("gw-1", true),
            ("GW_1", true),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
            ("", false),
            ("gw.example", false),
            ("gw 1", false),
            ("gw>", false),
            ("gw*", false),
            ("gé", false),
        ] {
            assert_eq!(text.parse::<NodeName>().is_ok(), good, "{text:?}");
        }
        for (text, good) in [
            ("kraken.0", true),
            ("us-stocks.12", true),
            (&format!("{}.999", "a".repeat(32)), true),
            (&format!("{}.0", "a".repeat(33)), false),
            ("kraken", false),
            ("kraken.", false),
            (".0", false),
            ("kraken.x", false),
            ("kraken.1000", false),
            ("a.b.0", false),
            ("Kraken.0", false),
        ] {
            assert_eq!(text.parse::<ShardName>().is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn an_instance_has_48_bits() {
        assert_eq!(Instance::new(u64::MAX).bits(), (1 << 48) - 1);
        assert_eq!(Instance::from_bits(Instance::new(u64::MAX).bits()), Some(Instance::new(u64::MAX)));
        assert_eq!(Instance::from_bits(1 << 48), None);
    }
}
