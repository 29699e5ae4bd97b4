//! An owner that has fewer symbols of its shard than another node: those that it lacks are waiting or stale on all
//! nodes.
//!
//! It may own the shard after a crash, where no other node was synced, and while the configuration of the nodes is
//! changed. So it waits for a while, and gives the shard to a node that has more.

use crate::cluster::clock::Boot;
use std::time::Duration;

/// An owner that has known for so long of a node with more symbols gives it the shard, and tries again as often.
pub const FEWER_SYMBOLS_MAX: Duration = Duration::from_secs(30);

/// What an owner knows of nodes with more symbols.
#[derive(Debug, Default)]
pub(super) struct FewerSymbols {
    /// When it gives the shard away; `None` while there is none.
    at: Option<Boot>,
}

impl FewerSymbols {
    /// Whether there is a node with more symbols.
    pub(super) fn set(&mut self, are_there: bool, now: Boot) {
        self.at = if are_there { Some(self.at.unwrap_or(now.after(FEWER_SYMBOLS_MAX))) } else { None };
    }

    /// The node owns the shard from now on, or asks a node with more symbols to.
    pub(super) fn restart(&mut self, now: Boot) {
        self.at = self.at.map(|_| now.after(FEWER_SYMBOLS_MAX));
    }

    /// When the owner gives the shard away.
    pub(super) fn due(&self) -> Option<Boot> {
        self.at
    }
}
