//! The commands that other threads send to a worker.

use super::{inbox::Inbox, new_stream::NewStream, slowest::SlowestQuery, transport::Ready};
use crate::cache::SymbolState;
use std::{sync::Arc, time::Duration};

/// The inbox of a worker.
pub type WorkerInbox<T> = Inbox<Arc<SymbolState>, Command<T>>;

/// A command that another thread sends to a worker.
pub enum Command<T> {
    /// Open a stream.
    Open(T, NewStream),
    /// Something happened to a transport that the worker's poll does not watch.
    Ready(Ready),
    /// End all streams, each at a random moment of a drain that lasts this long; new ones at once.
    Drain(Duration),
    /// Report the slowest streams.
    SlowestQuery(SlowestQuery),
}
