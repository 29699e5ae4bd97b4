//! What a lease is given, and what it asks for.

use super::{
    super::{names::NodeName, token::Token},
    value::{Former, LeaseValue, ValueError},
};
use crate::wire::Epoch;

/// What happens to a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Time has passed: [`Lease::due`](super::Lease::due) has come, or another event would have.
    Due,
    /// The answer to a read.
    Read {
        /// The number of the read.
        request: u64,
        /// What it found.
        answer: ReadAnswer,
    },
    /// The answer to a write.
    Write {
        /// The number of the write.
        request: u64,
        /// What became of it.
        answer: WriteAnswer,
    },
    /// A valid message of the shard's owner, of the highest token so far or a higher one.
    Heard {
        /// The owner's token.
        token: Token,
        /// The newest revision of its lease that the owner knew.
        revision: u64,
    },
    /// The owner says that it wrote this: it leaves.
    Announced {
        /// The revision of the value.
        revision: u64,
        /// The value.
        value: LeaseValue,
    },
    /// Where this node stands among those that could follow. Needed before the first claim, once a second, and at
    /// once while the lease asks for batches.
    Standing(Standing),
    /// The node could not publish: it claims nothing until it stands somewhere again.
    Unable,
    /// The owner has published its last batch and leaves the shard.
    HandOver {
        /// The node that agreed to follow.
        to: Option<NodeName>,
        /// The last batch that it published in its epoch; 0 for none.
        last: u64,
        /// Whether the node may own the shard again.
        stays: bool,
    },
    /// The node stops: it claims nothing from now on. An owner hands over apart from this.
    Withdraw,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadAnswer {
    /// A value, which may be older than the newest.
    Found {
        /// Its revision.
        revision: u64,
        /// The value, or why it cannot be read.
        value: Result<LeaseValue, ValueError>,
    },
    /// The key does not exist.
    Absent,
    /// No answer.
    Failed,
}

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAnswer {
    /// It was applied, and gave this revision.
    Written(u64),
    /// The expected revision was not the newest.
    Conflict,
    /// No answer: it was applied or not, or will be.
    Unknown,
}

/// Where a node stands among those that could own a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// How many nodes should claim before this one.
    pub rank: u32,
    /// Whether the node has had the shard's state.
    pub synced: bool,
    /// An epoch, and its newest batch up to which this node has all.
    pub applied: Option<(Epoch, u64)>,
}

/// What a lease asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read the key.
    Read {
        /// Goes into the answer.
        request: u64,
    },
    /// Write the key if its newest revision is this one.
    Write {
        /// Goes into the answer.
        request: u64,
        /// The expected revision; `None` if the key must not exist.
        expected: Option<u64>,
        /// The value.
        value: LeaseValue,
    },
    /// The node owns the shard: it connects to the venue.
    Own {
        /// The shard's token.
        token: Token,
        /// The epochs before.
        former: Former,
        /// Where the batches begin.
        start: Start,
    },
    /// The lease was not renewed in time: the owner reads nothing from the venue's socket and publishes nothing.
    Suspend,
    /// A renewal came through: the owner goes on.
    Resume,
    /// The node does not own the shard: it closes the connection to the venue.
    Leave(LeaveReason),
    /// The shard is handed over.
    HandedOver {
        /// The revision of the value.
        revision: u64,
        /// What was written. A successor that it names is to be told both.
        value: LeaseValue,
    },
    /// The shard is handed over: a successor owns it, though no answer to the write has come. It needs no news.
    TakenOver {
        /// The node that it was granted to.
        by: NodeName,
    },
    /// Get all batches of the epoch up to this one: the shard is granted to this node.
    CatchUp {
        /// The epoch.
        epoch: Epoch,
        /// The last batch.
        batch: u64,
    },
}

/// Where an owner's batches begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With the first batch of a new epoch.
    NewEpoch,
    /// Behind this batch of the epoch, which goes on.
    After(u64),
}

/// Why a node does not own a shard any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// Its lease was not renewed.
    Expired,
    /// Another node owns under a higher token.
    Outranked,
}
