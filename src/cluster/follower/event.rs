//! What a follower is given, and what it asks for.

use super::freshness::CutOff;
use crate::{
    cluster::{message::Ask, token::Token},
    wire::Epoch,
};
use bytes::Bytes;

/// The number of an ask, which its answers are passed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AskId(pub u64);

/// What happens to a follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message of the shard's live subject.
    Live(Bytes),
    /// A message of an answer.
    Answer(AskId, Bytes),
    /// An ask will not be answered: no owner has subscribed, or the connection is lost.
    Unanswered(AskId),
    /// The lease names this token: no message of a lower one counts.
    Lease(Token),
    /// An owner that hands over has sent this batch, and none after it: it is asked for if it is missing.
    Last {
        /// The batch's epoch.
        epoch: Epoch,
        /// Its number.
        batch: u64,
    },
    /// The live connection is up, or down.
    Connected(bool),
    /// The machine was stopped from outside, so that its clock has lost time: no age is known.
    LostTime,
    /// [`Follower::due`](super::Follower::due) has come.
    Due,
}

/// What a follower asks for, and what it has done. The book knows it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask the owner.
    Ask(AskId, Ask),
    /// The state is another.
    Enter {
        /// Before.
        from: State,
        /// From now on.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// The book was [cut off](super::Book::cut_off).
    CutOff(CutOff),
    /// The book was [restored](super::Book::restore).
    Fresh,
}

/// The state of a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// No message of an owner has come.
    Cold,
    /// It waits for a snapshot.
    Asking,
    /// It has all batches so far.
    Live,
    /// It waits for batches that were missed.
    Repairing,
    /// It takes the opening of an epoch.
    Opening,
}

impl State {
    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Asking => "asking",
            Self::Live => "live",
            Self::Repairing => "repairing",
            Self::Opening => "opening",
        }
    }
}

/// Why a follower's state is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The first message of an owner has come.
    FirstMessage,
    /// A message of a higher token has come.
    NewOwner,
    /// The opening of an epoch has begun.
    Opening,
    /// The opening is complete.
    Opened,
    /// A batch is missing.
    Hole,
    /// The missing batches have come.
    Filled,
    /// A batch could not be applied: a tick stands on one that is missing.
    Damage,
    /// The owner does not have the missing batches, or did not send all of them.
    Gone,
    /// The missing batches did not come in time.
    Timeout,
    /// More batches wait than may.
    Overflow,
    /// A snapshot came without some of its parts, or is longer than may be kept.
    Incomplete,
    /// A snapshot came, but not all batches behind it were kept.
    Unjoined,
    /// The snapshot is complete.
    Complete,
}
