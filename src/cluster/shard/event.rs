//! What a node is told of a shard, and what it does.

use crate::cluster::{
    follower::{AskId, Cause, CutOff, State},
    give::GiveMessage,
    lease::{Former, LeaseValue, LeaveReason, ReadAnswer, Start, WriteAnswer},
    members::Successors,
    message::Ask,
    names::NodeName,
    token::Token,
};
use crate::feed::FeedState;
use bytes::Bytes;

/// What happens to a node's part of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// [`ShardNode::due`](super::ShardNode::due) has come.
    Due,
    /// The answer to a read of the lease.
    Read {
        /// The number of the read.
        request: u64,
        /// What it found.
        answer: ReadAnswer,
    },
    /// The answer to a write of the lease.
    Write {
        /// The number of the write.
        request: u64,
        /// What became of it.
        answer: WriteAnswer,
    },
    /// A message of the shard's live subject.
    Live(Bytes),
    /// A message of an answer to an ask.
    Answer(AskId, Bytes),
    /// An ask will not be answered: no owner has subscribed, or the connection is lost.
    Unanswered(AskId),
    /// The live connection is up, or down.
    Connected(bool),
    /// What the node knows of the others, once a second.
    Rank {
        /// Whether the node's own reports, which leave on the other connection, come back on the live one. Nothing else
        /// shows that the broker of a connection is cut off from the others.
        heard: bool,
        /// How many nodes should claim before this one.
        rank: u32,
        /// The nodes that could follow this one.
        successors: Successors,
    },
    /// The state of an owner's feed is another.
    Feed(FeedState),
    /// An owner's feed has ended by itself, which a lost connection is not.
    FeedEnded,
    /// A message of the dialogue about a hand-over.
    Give(GiveMessage),
    /// An operator gives the shard away; the node stays. `None`: to the best node.
    GiveAway {
        /// The node that is to own the shard.
        to: Option<NodeName>,
    },
    /// The node stops: it gives the shard away, and claims nothing.
    Drain,
    /// The answer to [`Action::CloseFeed`].
    FeedClosed {
        /// The last batch that was sealed in the epoch.
        last: u64,
    },
}

/// Why an owner gives its shard away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveCause {
    /// The node stops.
    Stop,
    /// An operator asked for it.
    Operator,
    /// The others do not hear the node.
    Unheard,
    /// Its feed fails.
    FeedFails,
    /// Another node has more of its symbols.
    FewerSymbols,
}

/// Why a shard is not given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveFailure {
    /// Another node owns it by now.
    NotOwner,
    /// It is being given away already.
    Running,
    /// No node that was asked is ready to own it.
    NotReady,
    /// The owner's feed fails, and no other node is ready to own it.
    FeedFails,
}

/// What a node does for a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read the lease.
    Read {
        /// Goes into the answer.
        request: u64,
    },
    /// Write the lease if its newest revision is this one.
    Write {
        /// Goes into the answer.
        request: u64,
        /// The expected revision; `None` if the key must not exist.
        expected: Option<u64>,
        /// The value.
        value: LeaseValue,
    },
    /// Ask the owner.
    Ask(AskId, Ask),
    /// Send a message of the dialogue about a hand-over.
    SendGive {
        /// The node that gets it.
        to: NodeName,
        /// The message.
        message: GiveMessage,
    },
    /// The node owns the shard. Open the book's states, which ends a cut-off: after [`Start::NewEpoch`] each symbol has
    /// a tick of the epoch, stale until its own next update. Then make the [`Tape`](crate::cluster::tape::Tape), answer
    /// asks, connect to the venue.
    Own {
        /// The shard's token.
        token: Token,
        /// The epochs before.
        former: Former,
        /// Where the batches begin.
        start: Start,
    },
    /// Take nothing from the venue, publish nothing: the lease was not renewed in time. The book is cut off.
    Suspend,
    /// Go on. The book is restored.
    Resume,
    /// The shard is about to be given away. Take nothing more from the venue and close the connection; make all symbols
    /// stale; seal the last batch, even while suspended, publish it and flush. Then say [`Event::FeedClosed`], within
    /// [`CLOSE_MAX`](super::CLOSE_MAX). From then on no symbol gets a tick from this node.
    CloseFeed(GiveCause),
    /// What an operator asked for with [`Event::GiveAway`] does not happen: the node keeps the shard, or had left it.
    /// Or its feed fails and it keeps the shard, which is said once.
    GiveFailed(GiveFailure),
    /// The node does not own the shard any more: close the connection to the venue, drop the tape. The book is cut off.
    Leave(LeaveReason),
    /// The shard is given away. Retire the tape. The node follows from here on, and the book stays as it is; if
    /// `is_clean` is not set, the feed was not closed in time: then this is as [`Action::Leave`].
    HandedOver {
        /// The node that follows; `None`: any.
        to: Option<NodeName>,
        /// Whether the next owner goes on behind the last batch.
        is_clean: bool,
    },
    /// The follower's state is another.
    Entered {
        /// Before.
        from: State,
        /// From now on.
        to: State,
        /// Why.
        cause: Cause,
    },
    /// The owner that is followed had these epochs before, newest first: an id of one of them is the shard's.
    Remember(Former),
    /// The book was cut off.
    CutOff(CutOff),
    /// The book was restored.
    Fresh,
}
