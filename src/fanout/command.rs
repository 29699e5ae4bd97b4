//! The commands that other threads send to a worker.

use super::{
    change::{Change, ChangeReply},
    h2::{H2Answer, H2Stream, NewConnection, UnreadAnswers},
    inbox::Inbox,
    new_stream::NewStream,
    open_rights::OpenRights,
    slowest::SlowestQuery,
    transport::Ready,
};
use crate::{cache::SymbolState, wire::StreamName};
use std::{sync::Arc, time::Duration};

/// The inbox of a worker.
pub type WorkerInbox<T> = Inbox<Arc<SymbolState>, Command<T>>;

/// A command that another thread sends to a worker.
pub enum Command<T> {
    /// Open a stream.
    Open(T, NewStream),
    /// Take a connection over, which is a part of the worker's load.
    Adopt(Box<NewConnection>, Box<dyn Send>),
    /// Change an open stream.
    Change {
        /// Its key at this worker.
        key: u64,
        /// Its name, which a stream that has taken its key would not have.
        name: StreamName,
        /// What to change.
        change: Box<Change>,
        /// Where the answer goes.
        reply: Box<dyn ChangeReply>,
    },
    /// Write the answer to a request of a connection.
    Answer(H2Stream, Box<H2Answer>),
    /// End a connection without streams: another one waits for its permit.
    GiveWay(u64),
    /// End answers that their clients do not read: others wait for their permits.
    EndUnread(UnreadAnswers),
    /// Something happened to a transport that the worker's poll does not watch.
    Ready(Ready),
    /// End all streams, each at a random moment of a drain that lasts this long; new ones at once.
    Drain(Duration),
    /// End the streams of clients without credentials that carry what these may read no longer.
    Withdraw(Arc<dyn OpenRights>),
    /// Report the slowest streams.
    SlowestQuery(SlowestQuery),
}
