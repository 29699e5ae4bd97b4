//! What a symbol has from its shard's owner.

use crate::wire::Epoch;

/// The newest tick that a symbol has from its shard's owner, which may be this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Have {
    /// The epoch of its number.
    pub epoch: Epoch,
    /// Its number; 0 for a symbol that has not had a tick in this epoch.
    pub seq: u64,
}
