//! A change of an open stream: its list of symbols, and its options.

use crate::{
    cache::SymbolState,
    market::{Parts, Symbol, UnixMicros},
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// A change of an open stream. What it does not mention stays as it is.
pub struct Change {
    /// Its number, which must be higher than those of all changes before; `None`: it follows on whichever came last.
    pub rev: Option<u64>,
    /// The whole new list: each symbol once, at least one.
    pub symbols: Option<Box<[Arc<SymbolState>]>>,
    /// The symbols that its client named and no feed has, for the event.
    pub unknown: Box<[Symbol]>,
    /// The parts whose change makes a symbol due, as in [`Options::on`](super::Options::on).
    pub parts: Option<Parts>,
    /// The shortest time between two writes, or none.
    pub interval: Option<Option<Duration>>,
    /// Whether a tick may come as a patch.
    pub patches: Option<bool>,
    /// What the stream keeps as long as it has the new list; dropped where the change is refused.
    pub held: Option<Box<dyn Send>>,
    /// The rights that replace those of the stream's client; `None` where clients do not sign on.
    pub rights: Option<ChangeRights>,
}

/// Says which state of a symbol may be read, if any. The state that the stream has of it may be one that the cache has
/// no longer: if the rights allow that one, the stream keeps it.
pub type ReadableState = Box<dyn Fn(&Symbol, Option<&Arc<SymbolState>>) -> Option<Arc<SymbolState>> + Send>;

/// The rights of the client that asks for a change.
pub struct ChangeRights {
    /// Whose they are, as [`ClientName::subject`](crate::telemetry::ClientName::subject) has it. Only its own subject
    /// changes a stream.
    pub subject: Option<String>,
    /// When they end, and the stream with them.
    pub until: Option<UnixMicros>,
    /// How many streams their subject may have open, this one among them.
    pub streams: Option<usize>,
    /// The symbols that its client named and may not read, for the event.
    pub denied: Box<[Symbol]>,
    /// What they allow to be read of a symbol, live or delayed: a list that the change does not mention may have
    /// others, or others of a symbol's states.
    pub readable: ReadableState,
    /// The shortest time between two writes that they allow.
    pub interval_min: Option<Duration>,
}

/// Why a stream is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeRefused {
    /// There is not such a stream, or it is ending.
    NoSuchStream,
    /// The stream has had a change of this number, or of a higher one.
    OldRevision {
        /// The highest number that the stream has had.
        last: u64,
    },
    /// A limit does not allow so many symbols.
    TooManySymbols,
    /// More streams of the client's subject are open than its rights allow.
    TooManyStreams,
}

/// Takes the answer to a change. One that is dropped without an answer belongs to a worker that has ended.
pub trait ChangeReply: Send {
    /// The JSON of the stream's `symbols` event, which follows in the stream; or why nothing has changed.
    fn reply(self: Box<Self>, outcome: Result<Bytes, ChangeRefused>);
}
